"""Tables of phrases: what a tool with a subcommand, or a program, does with its arguments.

A phrase is text where ``{}`` stands for the arguments that are no options; after ``||`` comes what is said
when there are none. What needs a closer look at the options is a function. Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["GLOBAL_VALUES", "PROGRAMS", "SUBCOMMANDS", "phrase"]

_Args = tuple[str, ...]
Phrase = str | Callable[[_Args], str]


def phrase(said: Phrase, args: _Args) -> str:
    """The phrase for these arguments, "" when it has nothing to say of them."""
    if not isinstance(said, str):
        return said(args)
    full, _, alone = said.partition(" || ")
    if "{}" not in full:
        return full
    names = _names(args)
    return full.replace("{}", names) if names else alone


def _names(args: _Args, limit: int = 3) -> str:
    """The arguments that are no options, a few of them."""
    plain = [arg for arg in args if arg and not arg.startswith("-")]
    shown = ", ".join(arg if len(arg) <= 60 else arg[:59] + "…" for arg in plain[:limit])
    return shown + (f" and {len(plain) - limit} more" if len(plain) > limit else "")


def _install(sort: str, effect: str, alone: str) -> Phrase:
    """``install the npm package chalk and run its install scripts``."""

    def say(args: _Args) -> str:
        plain = [arg for arg in args if arg and not arg.startswith("-")]
        if not plain:
            return alone
        many = len(plain) > 1
        effects = effect.replace("ITS", "their" if many else "its")
        return f"install the {sort} package{'s' if many else ''} {_names(args)}{effects}"

    return say


def _value(args: _Args, *options: str) -> str:
    """The value of the first of ``options`` that is given."""
    for at, arg in enumerate(args):
        if arg in options and at + 1 < len(args):
            return args[at + 1]
        for option in options:
            if option.startswith("--") and arg.startswith(option + "="):
                return arg[len(option) + 1 :]
    return ""


def _pip(args: _Args) -> str:
    file = _value(args, "-r", "--requirement")
    if file:
        return f"install the Python packages listed in {file}"
    if "-e" in args or "--editable" in args:
        return "install a Python project in place and run its build scripts"
    if [arg for arg in args if not arg.startswith("-")] == ["."]:
        return "install this Python project and run its build scripts"
    say = _install("Python", " and may run ITS build scripts", "install Python packages")
    return phrase(say, args)


def _url(args: _Args) -> str:
    return next((arg for arg in args if re.match(r"[a-z]+://", arg)), "") or next(
        (arg for arg in args if "." in arg and not arg.startswith("-")), ""
    )


_CURL_SENDS = re.compile(r"-(?:d|F|T)|--(?:data|form|upload|json)")


def _curl(args: _Args) -> str:
    url = _url(args)
    method = _value(args, "-X", "--request").upper()
    if any(_CURL_SENDS.match(arg) for arg in args) or method in ("POST", "PUT", "PATCH"):
        return f"send data to {url}" if url else "send data to another machine"
    return f"download {url}" if url else ""


def _wget(args: _Args) -> str:
    url = _url(args)
    if any(arg.startswith(("--post", "--body")) for arg in args):
        return f"send data to {url}"
    return f"download {url}" if url else ""


def _rm(args: _Args) -> str:
    what = _names(args)
    if not what:
        return ""
    deep = any(
        arg == "--recursive" or (arg.startswith("-") and not arg.startswith("--") and set(arg) & {"r", "R"})
        for arg in args
    )
    return f"delete {what} and everything below" if deep else f"delete {what}"


def _moves(verb: str) -> Phrase:
    def say(args: _Args) -> str:
        plain = tuple(arg for arg in args if not arg.startswith("-"))
        return f"{verb} {_names(plain[:-1])} to {plain[-1]}" if len(plain) > 1 else ""

    return say


def _chmod(args: _Args) -> str:
    plain = tuple(arg for arg in args if not re.match(r"-[A-Za-z-]{2,}|-[Rcfv]$", arg))
    if len(plain) < 2:
        return ""
    if "+" in plain[0] and "x" in plain[0].split("+")[1]:
        return f"make {_names(plain[1:])} executable"
    return f"change the permissions of {_names(plain[1:])} to {plain[0]}"


def _chown(args: _Args) -> str:
    plain = tuple(arg for arg in args if not arg.startswith("-"))
    return f"change the owner of {_names(plain[1:])} to {plain[0]}" if len(plain) > 1 else ""


def _push(args: _Args) -> str:
    plain = [arg for arg in args if not arg.startswith("-")]
    force = any(arg == "-f" or arg.startswith("--force") for arg in args)
    return f"push commits to {plain[0] if plain else 'the remote'}" + (
        ", overwriting history" if force else ""
    )


def _ssh(args: _Args) -> str:
    plain = [arg for arg in args if not arg.startswith("-")]
    return f"log in to {plain[0]}" + (" and run a command there" if len(plain) > 1 else "") if plain else ""


def _code(language: str, *options: str) -> Phrase:
    def say(args: _Args) -> str:
        for arg in args:
            if arg in options:
                return f"run inline {language} code"
            if not arg.startswith("-"):
                return f"run the {language} program {arg}"
        return ""

    return say


_NPM = _install(
    "npm", " and run ITS install scripts", "install the project's npm packages and run their scripts"
)
_NPX = "fetch and run the npm package {}"
_SYSTEM = _install("system", "", "install system packages")

_JS: dict[str, Phrase] = {
    **dict.fromkeys(("install", "i", "in", "add", "ci", "clean-install", "ic"), _NPM),
    **dict.fromkeys(("uninstall", "un", "remove", "rm", "r"), "remove the npm package {}"),
    **dict.fromkeys(("update", "up", "upgrade"), "update npm packages and run their install scripts"),
    **dict.fromkeys(("run", "run-script"), "run the project's script {} || list the project's scripts"),
    **dict.fromkeys(("test", "t"), "run the project's tests"),
    "start": "start the project",
    **dict.fromkeys(("exec", "x", "dlx"), _NPX),
    **dict.fromkeys(("create", "init"), "fetch and run the project generator {} || set up a package.json"),
    "publish": "publish this package to the registry",
    "login": "log in to the registry",
}
_SYSTEM_PACKAGES: dict[str, Phrase] = {
    "install": _SYSTEM,
    "remove": "remove the system package {}",
    "purge": "remove the system package {}",
    "update": "refresh the list of system packages",
    "upgrade": "upgrade the system's packages",
}
_CONTAINERS: dict[str, Phrase] = {
    "run": "start a container from {}",
    "build": "build a container image",
    "push": "upload the container image {}",
    "pull": "download the container image {}",
    "exec": "run a command in the container {}",
}
_GIT: dict[str, Phrase] = {
    "add": "stage {} for the next commit",
    "checkout": "switch to, or restore, {}",
    "clean": "delete untracked files",
    "clone": "copy the repository {}",
    "commit": "record a commit",
    "config": "read or change git's settings",
    "diff": "look at changes",
    "fetch": "fetch commits from {} || fetch commits from the remote",
    "init": "make a repository",
    "log": "look at the history",
    "merge": "merge {}",
    "pull": "fetch and merge commits from {} || fetch and merge commits from the remote",
    "push": _push,
    "rebase": "rewrite commits onto {}",
    "reset": "move the branch back to {} || unstage changes",
    "stash": "put changes aside",
    "status": "look at the state of the repository",
    "submodule": "fetch or change submodules",
    "switch": "switch to the branch {}",
    "tag": "tag a commit as {} || list tags",
}

SUBCOMMANDS: dict[str, dict[str, Phrase]] = {
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun"), _JS),
    **dict.fromkeys(("apt", "apt-get", "aptitude", "dnf", "yum", "zypper"), _SYSTEM_PACKAGES),
    **dict.fromkeys(("docker", "podman"), _CONTAINERS),
    "git": _GIT,
    "gh": {
        "pr": "work with pull requests on GitHub",
        "api": "call GitHub's interface",
        "repo": "work with a repository on GitHub",
        "gist": "work with gists on GitHub",
    },
    "pip": {
        "install": _pip,
        "uninstall": "remove the Python package {}",
        "download": "download the Python package {} || download Python packages",
    },
    "pipx": {"install": _install("Python", "", ""), "run": "fetch and run the Python package {}"},
    "uv": {
        "add": _pip,
        "sync": "install the project's Python packages",
        "run": "run {} in the project's Python environment",
    },
    "cargo": {
        "install": _install("Rust", " and compile it", "compile and install this Rust project"),
        "add": "add the Rust package {}",
        "build": "compile this Rust project",
        "test": "compile this Rust project and run its tests",
        "run": "compile and run this Rust project",
        "publish": "publish this Rust package",
    },
    "go": {
        "get": "fetch the Go module {}",
        "install": "fetch, compile and install the Go program {}",
        "build": "compile Go code",
        "test": "compile Go code and run its tests",
        "run": "compile and run the Go program {}",
        "generate": "run the commands in go:generate",
    },
    "gem": {"install": _install("Ruby", " and may run ITS build scripts", "")},
    "bundle": {"install": "install the project's Ruby packages"},
    "apk": {"add": _SYSTEM},
    "brew": {"install": _install("Homebrew", "", ""), "upgrade": "upgrade Homebrew packages"},
}

PROGRAMS: dict[str, Phrase] = {
    **dict.fromkeys(("npx", "bunx", "pnpx"), _NPX),
    "uvx": "fetch and run the Python package {}",
    "yarn": "install the project's npm packages and run their scripts",
    "curl": _curl,
    "wget": _wget,
    "rm": _rm,
    "unlink": "delete {}",
    "rmdir": "delete the empty directory {}",
    "shred": "overwrite and delete {}",
    "mkdir": "make the directory {}",
    "touch": "create, or set the time of, {}",
    "mv": _moves("move"),
    "cp": _moves("copy"),
    "ln": _moves("link"),
    "rsync": _moves("copy"),
    "scp": _moves("copy"),
    "install": _moves("copy"),
    "chmod": _chmod,
    "chown": _chown,
    "tee": "write to {}",
    "dd": "copy raw data",
    "tar": "pack or unpack an archive",
    "unzip": "unpack {}",
    "make": "run the makefile's target {} || run the makefile",
    "perl": _code("Perl", "-e", "-E", "-ne", "-pe"),
    "ruby": _code("Ruby", "-e"),
    "php": _code("PHP", "-r"),
    "ssh": _ssh,
    **dict.fromkeys(("nc", "ncat", "netcat", "socat", "telnet"), "open a raw connection to {}"),
    "cat": "show {}",
    "ls": "list {} || list the directory",
    "grep": "search in files",
    "rg": "search in files",
    "find": "look for files",
    "env": "show the environment",
    "printenv": "show the environment",
    "kill": "signal a process",
    "pkill": "signal processes",
    "killall": "signal processes",
    "crontab": "look at or change what runs on a timer",
    "systemctl": "look at or change services",
    "pytest": "run the tests",
    "tsc": "compile TypeScript",
}

# Options of a tool that take a value and may stand in front of its subcommand.
GLOBAL_VALUES: dict[str, _Args] = {
    "git": ("-C", "-c", "--git-dir", "--work-tree"),
    "npm": ("--prefix", "-C", "--workspace", "-w", "--registry"),
    "pnpm": ("-C", "--dir", "--filter", "-F"),
    "yarn": ("--cwd",),
    "docker": ("-H", "--host", "--context"),
    "go": ("-C",),
}
