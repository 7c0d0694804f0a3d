"""Which programs have a shim.

A shim costs about 10 ms each time it runs, so a name is here for a reason only: policy may want to ask
about it, or it does what no other part of the portable gate sees. Not here: shells, env, xargs, nohup and
setsid (an agent is made of them, they are mostly started by absolute path, and what they start has shims
of its own: one question is enough), compilers and text tools (they touch the project only), ls, cat,
mkdir, cp and mv (too many, too small).
"""

from __future__ import annotations

import re

__all__ = ["NAMES", "shimmed"]

NAMES: frozenset[str] = frozenset(
    # They bring foreign code onto the machine and run parts of it at once (install scripts).
    "npm npx pnpm pnpx yarn yarnpkg bun bunx deno corepack "
    "pip pip3 pipx uv uvx poetry pdm hatch conda mamba micromamba easy_install virtualenv "
    "cargo rustup go gem bundle bundler composer cpan cpanm luarocks mix cabal stack opam nimble "
    "mvn gradle dotnet nuget pod swift flutter dart "
    "brew port apt apt-get aptitude dpkg dnf yum rpm zypper pacman apk snap flatpak nix "
    "mise asdf pyenv nvm volta fnm vcpkg conan helm krew "
    # They speak to other machines in ways that go around the proxy, or carry files off.
    "curl wget wget2 aria2c http https xh ssh scp sftp rsync rclone ftp lftp tftp telnet "
    "nc nc.openbsd nc.traditional ncat netcat socat dig nslookup host ping mail sendmail "
    # They publish, or act on what is not on this machine.
    "git gh glab hub svn hg jj docker podman nerdctl buildah skopeo kubectl oc terraform tofu pulumi "
    "ansible ansible-playbook vagrant aws gcloud gsutil az doctl fly flyctl heroku vercel netlify wrangler "
    "firebase supabase railway psql mysql mariadb mongosh redis-cli twine "
    # They cross to another user, or start what outlives the session.
    "sudo doas su pkexec runuser crontab at batch systemctl systemd-run launchctl loginctl busctl "
    "gdbus dbus-send service tmux screen osascript open xdg-open "
    # They destroy what cannot be had back.
    "rm shred dd truncate wipefs mkfs fdisk parted diskutil kill pkill killall "
    # Interpreters: their programs write and connect in ways this gate does not see, so at least the start
    # of one is decided and on record.
    "python python3 node nodejs ruby perl php lua "
    # They run what the project's files say, install steps too.
    "make gmake just task rake ninja bazel".split()
)

# The same programs under a name with a version (python3.12, pip3.12, node22, ruby3.2), and nix-env & co.
_PATTERNS = re.compile(r"(?:python|pip|node|ruby|perl|php|lua|go|gem)-?\d+(?:\.\d+)*|nix-[a-z-]+")


def shimmed(name: str) -> bool:
    """Whether the program ``name`` has a shim where it exists."""
    return name in NAMES or _PATTERNS.fullmatch(name) is not None
