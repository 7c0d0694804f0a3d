"""How far an answer that holds longer than once may reach: the ladder of scopes of one action.

From narrow to wide, each with a label that a person understands, and the globs that mean it. A scope that
would be absurd - it covers the machine, your home, the names of strangers, or whatever code there is - stays
in the ladder with the reason why it is not offered: its place tells more than its absence would.

Reads are asked about because what they read is secret, and a rule for reads is the only one that opens a
secret: so a read is allowed by its file alone.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agentgate.actions import Action, Decision, Kind, Source
from agentgate.policy.domains import Undivided, domain_of
from agentgate.policy.errors import PolicyError
from agentgate.policy.glob import escape
from agentgate.policy.match import Compiled, Context
from agentgate.policy.suggest import Draft, subcommand, suggest, words_of

__all__ = ["Scope", "draft", "flaw", "ladder", "starting"]

_FILES = (Kind.FS_WRITE, Kind.FS_READ)
_SCHEMES = ("udp://", "listen://")
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9:_-]+")
_ANY_CODE = re.compile(
    r"(?:ba|da|z|fi|k|c|tc|a|mk)?sh|busybox|env|xargs|find|sudo|su|doas|pkexec|ssh|nice|nohup|setsid|timeout|stdbuf"
    r"|time|watch|strace|gdb|script|screen|tmux|at|batch|parallel|npx|pnpx|bunx|uvx|pipx|eval|exec|awk|gawk|mawk|tclsh"
    r"|expect|osascript|java|deno|bun|(?:i?python|pypy|node|nodejs|perl|ruby|php|lua|luajit|irb|R|Rscript|julia|ld.*\.so)"
    r"[0-9.-]*"
)
_SCRIPTED, _SCRIPTS = ("npm", "pnpm", "yarn", "bun"), ("run", "run-script")  # by a name, of the project
_LARGE = "is a large part of the machine"


@dataclass(frozen=True, slots=True)
class Scope:
    """``label`` holds names that came from the agent: escape it. ``refused`` says why it is not offered."""

    label: str
    targets: tuple[str, ...]
    refused: str = ""


def ladder(action: Action, decision: Decision, context: Context) -> tuple[Scope, ...]:
    """The scopes of ``action``, the narrowest first; at least that one is offered. Each that is offered
    covers every object of the action."""
    makers: dict[Kind, Callable[[Action, Decision, Context], Iterator[Scope]]] = {
        Kind.EXEC: _commands,
        Kind.NET_EGRESS: _hosts,
    }
    exact, *wider = makers.get(action.kind, _files)(action, decision, context)
    return (
        exact,
        *(scope for scope in wider if scope.refused or not _misses(scope.targets, action, context)),
    )


def starting(scopes: tuple[Scope, ...], action: Action) -> int:
    """The place in ``scopes`` of what is suggested for ``action``."""
    targets = suggest(action).targets
    return next((at for at, scope in enumerate(scopes) if scope.targets == targets and not scope.refused), 0)


def draft(action: Action, decision: Decision, targets: tuple[str, ...]) -> Draft:
    """The rule that answers what ``targets`` cover with ``decision``."""
    suggested = suggest(action, decision)
    return Draft(suggested.action, targets, decision, suggested.reason)


def flaw(targets: tuple[str, ...], action: Action, decision: Decision, context: Context) -> str:
    """Why globs that were typed by hand will not do, in one line; empty when they will."""
    try:
        compiled = _compiled(targets, action.kind, context, decision)
    except PolicyError as error:
        return error.message
    missed = next((target for target in action.objects if not compiled.covers(target)), None)
    if missed is not None:
        return f"it does not cover {'this action' if missed == action.target else missed}"
    if any(compiled.on(target).source is Source.UNNAMED for target in action.objects):
        return "a socket of another program is allowed by its own name only"
    for canary, what in _canaries(action.kind, context):
        if compiled.covers(canary):
            return f"it covers {what}"
    if decision is Decision.ALLOW and action.kind is Kind.FS_READ and targets != suggest(action).targets:
        return _SECRETS
    return ""


def _canaries(kind: Kind, context: Context) -> Iterator[tuple[str, str]]:
    """What only a glob covers that covers nearly everything."""
    name = "agentgate-8f3a2c"
    if kind is Kind.EXEC:
        yield f"{name} {name}", "every command"
    elif kind is Kind.NET_EGRESS:
        yield f"{name}.example:9", "every host"
        yield f"{name}.example:443", "every host"
        for suffix in ("com", "org", "net", "io", "dev"):
            yield f"{name}.{suffix}:443", f"every host below {suffix}"
    else:
        yield f"/{name}", "files everywhere"
        yield f"/{name}/{name}/{name}.py", "files everywhere"
        yield f"{context.home}/{name}", "your whole home directory"


def _compiled(
    targets: tuple[str, ...], kind: Kind, context: Context, decision: Decision = Decision.ASK
) -> Compiled:
    return Compiled(Draft(kind, targets, decision).rule, kind, context, "rule")


def _misses(targets: tuple[str, ...], action: Action, context: Context) -> bool:
    try:
        compiled = _compiled(targets, action.kind, context)
    except PolicyError:
        return True
    return not all(map(compiled.covers, action.objects))


# -- commands


def _commands(action: Action, decision: Decision, context: Context) -> Iterator[Scope]:
    words = words_of(action)
    program = words[0]
    name = posixpath.basename(program)
    yield Scope("exactly this command line", (escape(action.target),))
    allows = decision is Decision.ALLOW
    runs = f"{name} runs whatever code it is given" if allows and _ANY_CODE.fullmatch(name) else ""
    count, refused = subcommand(words), ""
    if not count and (count := subcommand(words, runners=True)):
        if name in _SCRIPTED and words[count - 1] in _SCRIPTS and _plain(words, count):
            count += 1
        elif allows:
            refused = f"{words[count - 1]} runs whatever follows it"
    elif not count and _plain(words, 1):
        count, refused = 2, runs
    if count:
        head = " ".join(words[:count])
        yield Scope(f"{head}, whatever follows", _headed(head), refused)
    yield Scope(f"{name}, whatever its arguments", _headed(program), runs)


def _plain(words: list[str], at: int) -> bool:
    """Whether the word there may be a subcommand: no option, no path, nothing that is made up on the way."""
    return len(words) > at and _SUBCOMMAND.fullmatch(words[at]) is not None


def _headed(head: str) -> tuple[str, ...]:
    return escape(head), f"{escape(head)} *"


# -- hosts


def _hosts(action: Action, decision: Decision, context: Context) -> Iterator[Scope]:
    exact = suggest(action).targets
    if len(exact) > 1 or action.target.startswith("unix:"):
        yield Scope("this socket", exact)
        return
    target = action.target
    scheme = next((scheme for scheme in _SCHEMES if target.startswith(scheme)), "")
    host, _, port = target.removeprefix(scheme).rpartition(":")
    way = {"udp://": "UDP to ", "listen://": "listening at "}.get(scheme, "")
    yield Scope(f"{way}{host}, port {port} only", exact)
    yield Scope(f"{way}{host}, any port", (f"{scheme}{host}",))
    try:
        domain = _domain(host)
    except Undivided as why:
        yield Scope("its domain and everything below", (), str(why))
        return
    below = (f"{scheme}{domain}", f"{scheme}.{domain}")
    yield Scope(f"{way}{domain} and everything below it", below)


def _domain(host: str) -> str:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return domain_of(host.lower())
    raise Undivided("an address has no names below it")


# -- files

_SECRETS = "only files that are secret are asked about, and each is opened by its own name"


def _files(action: Action, decision: Decision, context: Context) -> Iterator[Scope]:
    paths = tuple(dict.fromkeys(action.objects))
    yield Scope("this file" if len(paths) == 1 else "these two files", tuple(map(escape, paths)))
    folders = tuple(dict.fromkeys(posixpath.dirname(path) or "/" for path in paths))
    where = " and ".join(folders)
    secret = _SECRETS if action.kind is Kind.FS_READ and decision is Decision.ALLOW else ""
    for tree in (False, True):
        refused = secret
        for folder in folders:
            refused = refused or _too_wide(folder, tree, decision, context)
        label = f"everything below {where}" if tree else f"files directly in {where}"
        stars = "/**" if tree else "/*"
        yield Scope(label, tuple(escape(folder.rstrip("/")) + stars for folder in folders), refused)


def _too_wide(folder: str, tree: bool, decision: Decision, context: Context) -> str:
    beneath = folder.rstrip("/") + "/"
    if folder == "/":
        return "/ is the whole machine"
    holds_project = f"{context.project}/".startswith(beneath)
    if decision is Decision.DENY:
        return "the project lies in it" if tree and holds_project else ""
    if folder == context.home:
        return "that is your home directory"
    if context.home.startswith(beneath):
        return f"{folder} holds your home directory"
    if tree and holds_project and folder != context.project:
        return "it holds the project, and what lies beside it"
    if tree and folder.count("/") == 1 and folder not in ("/tmp", context.project):
        return f"{folder} {_LARGE}"
    return ""
