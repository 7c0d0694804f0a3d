"""Secrets: files whose content lets whoever has read it act as you. Reading one is asked about.

A secret is asked about whatever the rules say, unless a rule that names ``action: fs_read`` decides it; a
policy can lift a sort of them by name (``lift_guards: [read-env]``). The *owner* of a secret, the program
that it was made for, reads it without a question: by its bare name, which only a program in a place that
the agent cannot write goes by, and only that process itself, not what it starts. That keeps ordinary work
quiet; it is no wall between the programs of one session, because a program does what its caller says
(``gh auth token`` prints what it read).

A name is all that is looked at: a hard link made before the session began is another name, and free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentgate.actions import GuardName

__all__ = ["OWNERS", "SECRETS", "Secret", "Secrets"]


@dataclass(frozen=True, slots=True)
class Secret:
    """``what`` is its name in a sentence: "your AWS credentials". Regular expressions: ``home`` of paths
    below a home directory, ``anywhere`` of whole paths. ``owners`` are programs; with ``alone`` only when
    they are given nothing to do but talk to a person (a shell that reads its history, not ``bash -c``)."""

    name: GuardName
    what: str
    home: str = ""
    anywhere: str = ""
    owners: frozenset[str] = frozenset()
    alone: bool = False

    @property
    def reason(self) -> str:
        return f"holds {self.what}"

    def owned(self, argv: Sequence[str]) -> bool:
        """Whether a process that runs this command is the owner. The first word must be the program's name
        as the gate vouches for it, never what the process calls itself."""
        if not argv or argv[0] not in self.owners:
            return False
        return not self.alone or all(word in _TALKING for word in argv[1:])


_TALKING = frozenset(
    ("-i", "-l", "-il", "-li", "--login", "-q", "--norc", "--noprofile", "--no-rcs", "--posix")
)


def _secret(
    name: GuardName, what: str, home: str = "", owners: str = "", *, anywhere: str = "", alone: bool = False
) -> Secret:
    return Secret(name, what, home, anywhere, frozenset(owners.split()), alone)


# A folder that holds nothing but secrets stands in its own pattern, so that moving it is seen too; listing
# it is free all the same.
SECRETS: tuple[Secret, ...] = (
    _secret(
        GuardName.READ_KEYS,
        "your SSH keys",
        r"\.ssh(?:/(?!(?:known_hosts|authorized_keys|config)[^/]*\Z|config\.d/|[^/]*\.pub\Z).*)?",
        "ssh scp sftp ssh-keygen ssh-add ssh-agent ssh-copy-id ssh-pkcs11-helper ssh-sk-helper",
    ),
    _secret(
        GuardName.READ_KEYS,
        "your GnuPG keys",
        r"\.gnupg(?:/(?!(?:pubring|trustdb|tofu)[^/]*\Z|[^/]*\.conf\Z).*)?",
        "gpg gpg2 gpgv gpgsm gpgconf gpg-agent gpg-connect-agent keyboxd scdaemon dirmngr",
    ),
    _secret(
        GuardName.READ_KEYS,
        "passwords and keys of this machine",
        anywhere=r"/etc/(?:g?shadow-?|security/opasswd|ssh/ssh_host_[^/]*_key|wireguard/.*|krb5\.keytab"
        r"|NetworkManager/system-connections/.*)",
        owners="login su sudo screen passwd chpasswd chage useradd usermod userdel groupadd groupmod "
        "groupdel gpasswd pwck pwconv adduser addgroup unix_chkpwd sshd ssh-keygen",
    ),
    _secret(GuardName.READ_CLOUD, "your AWS credentials", r"\.aws(?:/.*)?", "aws"),
    _secret(
        GuardName.READ_CLOUD,
        "your Google Cloud credentials",
        r"\.config/gcloud(?:/(?!logs/).*)?|\.boto",
        "gcloud gsutil bq gke-gcloud-auth-plugin docker-credential-gcloud",
    ),
    _secret(GuardName.READ_CLOUD, "your Azure credentials", r"\.azure(?:/.*)?", "az azd"),
    _secret(
        GuardName.READ_CLOUD,
        "your Kubernetes credentials",
        r"\.kube(?:/(?!(?:cache|http-cache)/).*)?",
        "kubectl helm k9s kubectx kubens",
    ),
    _secret(
        GuardName.READ_CLOUD,
        "your container registry credentials",
        r"\.docker/config\.json|\.config/containers/auth\.json",
        "docker docker-compose docker-buildx podman buildah skopeo",
    ),
    _secret(
        GuardName.READ_CLOUD,
        "your Terraform credentials",
        r"\.terraformrc|\.tofurc|\.terraform\.d/credentials\.tfrc\.json",
        "terraform tofu",
    ),
    _secret(GuardName.READ_CLOUD, "your Vault token", r"\.vault-token", "vault"),
    _secret(GuardName.READ_CLOUD, "your rclone remotes", r"\.config/rclone(?:/.*)?", "rclone"),
    _secret(
        GuardName.READ_CLOUD,
        "credentials of a hosting service",
        r"\.oci(?:/.*)?|\.s3cfg|\.fly/config\.yml|\.config/(?:doctl|hcloud|stripe|netlify|\.wrangler)(?:/.*)?"
        r"|\.wrangler(?:/.*)?|\.databrickscfg|\.config/configstore/firebase-tools\.json",
        "oci s3cmd fly flyctl doctl hcloud stripe netlify wrangler databricks firebase",
    ),
    _secret(
        GuardName.READ_CLOUD,
        "your database passwords",
        r"\.pgpass|\.my\.cnf|\.mylogin\.cnf",
        "psql pg_dump pg_dumpall pg_restore mysql mysqldump mariadb mariadb-dump",
    ),
    _secret(
        GuardName.READ_FORGE,
        "your git passwords",
        r"\.git-credentials|\.config/git/credentials",
        "git git-credential-store",
    ),
    _secret(
        GuardName.READ_FORGE,
        "your passwords for hosts (.netrc)",
        r"\.netrc|_netrc|\.authinfo(?:\.gpg)?",
        "git git-remote-http git-remote-https pip pip3 twine ftp",
    ),
    _secret(GuardName.READ_FORGE, "your GitHub token", r"\.config/(?:gh/hosts\.yml|hub)", "gh hub"),
    _secret(GuardName.READ_FORGE, "your GitLab token", r"\.config/glab-cli(?:/.*)?", "glab"),
    _secret(
        GuardName.READ_REGISTRY,
        "your npm token",
        r"\.npmrc|\.yarnrc(?:\.yml)?|\.config/pnpm/(?:rc|auth\.ini)|\.bunfig\.toml",
        "npm npx pnpm pnpx yarn yarnpkg bun bunx corepack",
    ),
    _secret(
        GuardName.READ_REGISTRY,
        "your Python package index passwords",
        r"\.pypirc|\.config/pypoetry/auth\.toml|\.local/share/uv/credentials(?:/.*)?",
        "twine flit hatch poetry pdm uv",
    ),
    _secret(GuardName.READ_REGISTRY, "your crates.io token", r"\.cargo/credentials(?:\.toml)?", "cargo"),
    _secret(
        GuardName.READ_REGISTRY,
        "your package registry credentials",
        r"\.gem/credentials|\.bundle/config|\.(?:config/)?composer/auth\.json|\.nuget/NuGet/NuGet\.Config"
        r"|\.m2/settings(?:-security)?\.xml",
        "gem bundle bundler composer dotnet mvn",
    ),
    _secret(
        GuardName.READ_REGISTRY,
        "your Hugging Face token",
        r"\.cache/huggingface/(?:token|stored_tokens)|\.huggingface/token|\.kaggle/kaggle\.json",
        "hf huggingface-cli kaggle",
    ),
    _secret(
        GuardName.READ_ENV,
        "passwords and keys of a project (.env)",
        # of .envrc, which is mostly in the repository, only the writing is guarded
        anywhere=r".*/\.env(?!rc\Z)(?![^/]*[._-](?:example|sample|template|tmpl|dist|schema)\Z)[^/]*"
        r"|.*/\.dev\.vars",
    ),
    _secret(
        GuardName.READ_BROWSER,
        "what your browser keeps (passwords, cookies)",
        r"\.mozilla(?:/.*)?|\.thunderbird(?:/.*)?|\.librewolf(?:/.*)?"
        r"|\.config/(?:google-chrome|chromium|BraveSoftware|microsoft-edge|vivaldi|opera)[^/]*(?:/.*)?"
        r"|snap/(?:firefox|chromium|thunderbird|brave)(?:/.*)?|Library/(?:Safari|Cookies)(?:/.*)?"
        r"|Library/Application Support/(?:Google/Chrome|Firefox|BraveSoftware)(?:/.*)?",
        "firefox firefox-esr thunderbird librewolf chrome google-chrome google-chrome-stable chromium "
        "chromium-browser brave brave-browser microsoft-edge vivaldi opera",
    ),
    _secret(
        GuardName.READ_BROWSER,
        "your keyring",
        r"\.local/share/(?:keyrings|kwalletd)(?:/.*)?|\.password-store(?:/.*)?|Library/Keychains(?:/.*)?"
        r"|\.config/(?:op|1Password|Bitwarden|Bitwarden CLI|keepassxc)(?:/.*)?",
        "gnome-keyring-daemon kwalletd5 kwalletd6 pass gopass op bw keepassxc keepassxc-cli",
        anywhere=r".*\.kdbx",
    ),
    _secret(
        GuardName.READ_AGENTS,
        "Claude's credentials",
        r"\.claude/\.credentials\.json|\.claude\.json(?:\.backup[^/]*)?",
        "claude",
    ),
    _secret(GuardName.READ_AGENTS, "Codex's credentials", r"\.codex/auth\.json", "codex"),
    _secret(
        GuardName.READ_AGENTS,
        "Gemini's credentials",
        r"\.gemini/(?:oauth_creds|google_accounts|mcp-oauth-tokens[^/]*)\.json",
        "gemini",
    ),
    _secret(
        GuardName.READ_AGENTS,
        "opencode's credentials",
        r"\.local/share/opencode/(?:auth|mcp-auth)\.json",
        "opencode",
    ),
    _secret(
        GuardName.READ_AGENTS,
        "Copilot's credentials",
        r"\.config/github-copilot(?:/.*)?|\.copilot/config\.json",
        "copilot",
    ),
    _secret(GuardName.READ_AGENTS, "Qwen's credentials", r"\.qwen/oauth_creds\.json", "qwen"),
    _secret(GuardName.READ_AGENTS, "goose's credentials", r"\.config/goose/secrets\.yaml", "goose"),
    _secret(GuardName.READ_AGENTS, "Amp's credentials", r"\.local/share/amp/secrets\.json", "amp"),
    _secret(GuardName.READ_AGENTS, "pi's credentials", r"\.pi/agent/auth\.json", "pi"),
    _secret(GuardName.READ_AGENTS, "Factory's credentials", r"\.factory/auth\.json", "droid"),
    _secret(GuardName.READ_AGENTS, "aider's keys", r"\.aider/oauth-keys\.env|\.aider\.conf\.yml", "aider"),
    _secret(
        GuardName.READ_WALLETS,
        "your wallet",
        r"\.(?:bitcoin|litecoin|dogecoin)/(?:.*/)?wallet(?:s/.*|s|\.dat)|\.ethereum/keystore(?:/.*)?"
        r"|\.electrum/wallets(?:/.*)?|\.config/(?:solana|Exodus|Ledger Live)(?:/.*)?|\.monero(?:/.*)?",
        "bitcoind bitcoin-qt geth electrum solana solana-keygen exodus",
    ),
    _secret(
        GuardName.READ_HISTORY,
        "what you typed into your shells",
        r"\.(?:bash|zsh|ksh|sh)_history|\.histfile|\.local/share/fish/fish_history",
        "bash zsh ksh fish",
        alone=True,
    ),
    _secret(
        GuardName.READ_HISTORY,
        "what you typed into a database client or an interpreter",
        r"\.(?:psql|mysql|mariadb|sqlite|rediscli|dbshell|python|node_repl)_history",
        "psql mysql mariadb sqlite3 redis-cli mongosh python3 python node",
        alone=True,
    ),
    _secret(
        GuardName.GATE,
        "what files held before they were changed (agentgate undo)",
        anywhere=r".*/agentgate/sessions(?:/.*)?",
    ),
    _secret(
        GuardName.READ_DEVICES,
        "all that is on a disk, in memory, or typed on another terminal",
        anywhere=r"/dev/(?:k?mem|port|(?:[hsv]|xv)d[a-z][^/]*|nvme[^/]*|mmcblk[^/]*|md[0-9][^/]*|dm-[^/]*"
        r"|mapper/.*|sg[0-9]+|loop[0-9][^/]*|pts/[0-9]+|tty[A-Z]*[0-9]+|vcs[^/]*|input/.*|hidraw[^/]*)",
    ),
)

OWNERS: frozenset[str] = frozenset().union(*(secret.owners for secret in SECRETS))
"""Every program that owns some secret."""

# Directories below the home directory that hold secrets among other things.
_HOLDERS = (
    r"\.config(?:/(?:git|gh|pnpm|pypoetry|containers|composer|configstore|goose))?|\.docker|\.terraform\.d"
    r"|\.fly|\.cargo|\.gem|\.bundle|\.composer|\.nuget(?:/NuGet)?|\.m2|\.cache(?:/huggingface)?"
    r"|\.huggingface|\.kaggle|\.claude|\.codex|\.gemini|\.copilot|\.qwen|\.pi(?:/agent)?|\.factory|\.aider"
    r"|\.local(?:/share(?:/(?:uv|opencode|amp|fish))?|/state(?:/agentgate)?)?"
    r"|\.(?:bitcoin|litecoin|dogecoin)(?:/.*)?|\.ethereum"
    r"|\.electrum|snap|Library(?:/Application Support(?:/Google)?)?"
)
# Home directories of others, for who may read them; and the directories that hold home directories.
_HOMES = r"/home/[^/]+|/root|/Users/[^/]+|/var/home/[^/]+"

# What a path must have about it to be a secret: somewhere, at its begin, at its end.
_UNDO = b"/agentgate/sessions"
_HEADS, _TAILS = (b"/etc/", b"/dev/"), (b".kdbx", b"/.dev.vars")


class Secrets:
    """The secrets of one session, compiled. Immutable; answers come from regular expressions only.

    ``home`` is the operator's home directory, absolute and resolved; those of others count too, should the
    agent be able to read them. ``lifted`` names the sorts that the policy lifts.
    """

    def __init__(self, *, home: str, lifted: Iterable[GuardName] = ()) -> None:
        lifted = frozenset(lifted)
        self._secrets = [secret for secret in SECRETS if secret.name not in lifted]
        home = home.rstrip("/")
        homes = f"(?:{re.escape(home)}|{_HOMES})" if home else f"(?:{_HOMES})"
        parts = []
        for number, secret in enumerate(self._secrets):
            patterns = [secret.anywhere] if secret.anywhere else []
            if secret.home:
                patterns.append(f"{homes}/(?:{secret.home})")
            parts.append(f"(?P<s{number}>{'|'.join(patterns)})")
        source = "|".join(parts) or r"(?!)"
        self._which = re.compile(source, re.DOTALL)
        at_home = "|".join(secret.home for secret in self._secrets if secret.home)
        anywhere = "|".join(secret.anywhere for secret in self._secrets if secret.anywhere)
        # every pattern of a home directory begins with one of these characters
        self._at_home = _compile(f"{homes}/(?=[._sL])(?:{at_home})" if at_home else "").fullmatch
        self._anywhere = _compile(anywhere).fullmatch
        above = {*_parents(home), home, "/", "/home", "/Users", "/var", "/var/home"}
        self._above = frozenset(above) if at_home else frozenset()
        self._holders = re.compile(f"{homes}(?:/(?:{_HOLDERS}))?" if at_home else r"(?!)", re.DOTALL)

    def __contains__(self, path: bytes) -> bool:
        """Whether the file of this name is a secret. Runs for every file that is opened."""
        if _UNDO in path:
            return bool(self._anywhere(path) or self._at_home(path))
        if b"/." in path:
            if self._at_home(path):
                return True
            odd = path.startswith(_HEADS) or path.endswith(_TAILS)
            return (odd or path.startswith(b"/.env", path.rfind(b"/"))) and bool(self._anywhere(path))
        if path.startswith(_HEADS) or path.endswith(_TAILS):
            return self._anywhere(path) is not None
        if b"/snap/" in path or b"/Library/" in path or path.endswith(b"/_netrc"):
            return self._at_home(path) is not None
        return False

    def find(self, path: str) -> Secret | None:
        """The secret that the file of this name is, or None."""
        match = self._which.fullmatch(path)
        return self._secrets[int(match.lastgroup[1:])] if match and match.lastgroup else None

    def held_by(self, directory: str) -> bool:
        """Whether this directory is, or is above, a place where secrets are kept: who moves it gives them
        names that are none."""
        return directory in self._above or self._holders.fullmatch(directory) is not None


def _compile(pattern: str) -> re.Pattern[bytes]:
    """A regular expression of paths as the kernel gives them: bytes."""
    return re.compile((pattern or r"(?!)").encode("utf-8", "surrogateescape"), re.DOTALL)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) or "/" for end in range(1, len(parts))]
