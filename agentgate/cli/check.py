"""``agentgate check``: what would be decided, and why, without doing it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from itertools import islice
from typing import Any

from agentgate.actions import Action, Decision, Kind, Process, Ruling, Source
from agentgate.cli import exits
from agentgate.cli.options import UsageError, add_audit, add_policy, settings
from agentgate.escape import printable
from agentgate.gate import helpers
from agentgate.settings import Settings

__all__ = ["add"]

_STATUS = {Decision.ALLOW: exits.ALLOW, Decision.DENY: exits.DENY, Decision.ASK: exits.ASK}
_SHOWN = 2000  # characters of a target
_NEAR = 3  # rules that nearly decided it
_EXAMPLE = """\
example:
  agentgate check exec npm install chalk
  agentgate check fs_write /etc/passwd
  agentgate check fs_read ~/.aws/credentials
  agentgate check net_egress evil.example:443
  jq -c '{action, target}' .agentgate/audit.jsonl | agentgate check --stdin

Options stand before ACTION; everything behind it is the target. A path is made absolute and its links
are followed; a command is looked up on PATH as the gate would. With --stdin each line is a JSON object,
{"action": ..., "target": ..., "within": ...}, its target as it stands in the record; so is each that is said.

exit status: 0 allow, 1 deny, 3 ask, 2 a mistake in the command line or the policy; with --stdin 0
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="say what the rules decide on an action",
        description="Say what the rules decide on an action, and why. Nothing is done.",
        usage="agentgate check [--json] [--policy FILE] [--audit FILE] (ACTION TARGET... | --stdin)",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    add_policy(parser)
    add_audit(parser)
    parser.add_argument(
        "action", metavar="ACTION", nargs="?", choices=[kind.value for kind in Kind], help=", ".join(Kind)
    )
    parser.add_argument("--stdin", action="store_true", help="actions from standard input, as JSON lines")
    parser.add_argument(
        "target", metavar="TARGET", nargs=argparse.REMAINDER, help="command, path or host:port"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.gate.build import context, decider
    from agentgate.intent.words import for_action
    from agentgate.policy.match import Matcher
    from agentgate.policy.near import near
    from agentgate.policy.store import find_policy

    chosen = settings(args)
    if args.stdin:
        return _batch(chosen)
    if args.action is None:
        raise UsageError("the following arguments are required: ACTION, TARGET (see agentgate check --help)")
    words = args.target[1:] if args.target[:1] == ["--"] else args.target
    if not words or not any(words):
        raise UsageError(f"check {args.action}: no target (see agentgate check --help)")
    file = find_policy(chosen.policy, chosen.env, chosen.project)
    policy = file.load()
    rules = decider(chosen, policy, file.path)
    action = _action(Kind(args.action), words, chosen)
    action = action._replace(intent=for_action(action, rules.secret(action)))
    ruling = rules.rule(action)
    close = list(islice(near(action, Matcher(policy, context(chosen))), _NEAR))
    if args.json:
        data = _data(action, ruling, file.label)
        data["near"] = [{"rule": one.rule.number, "line": one.rule.line, "why": why} for one, why in close]
        print(json.dumps(data))
    else:
        print(f"action    {action.kind}")
        print(f"target    {printable(action.target, _SHOWN)}")
        print(f"intent    {printable(action.intent, _SHOWN)}")
        if means := helpers.meaning(action.target):
            print(f"it means  {means}")
        print(f"decision  {ruling.decision} ({printable(_why(ruling, file.label), _SHOWN)})")
        for one, why in close:
            rule = one.rule
            print(f"near      rule {rule.number} (line {rule.line}, {rule.decision}): {printable(why, 200)}")
    return _STATUS[ruling.decision]


def _batch(chosen: Settings) -> int:
    """One decision a line, in the order of the lines. Raises UsageError at the first that is no action."""
    from agentgate.gate.build import decider
    from agentgate.policy.store import find_policy

    file = find_policy(chosen.policy, chosen.env, chosen.project)
    rules = decider(chosen, file.load(), file.path)
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            kind, target, within = Kind(data["action"]), data["target"], data.get("within", "")
            if not isinstance(target, str) or not isinstance(within, str):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f'check --stdin: line {number} is no action (write {{"action": "exec", "target": "ls"}})'
            ) from None
        chain = (Process(0, tuple(within.split(" "))),) if within else ()
        argv = tuple(target.split(" ")) if kind is Kind.EXEC else ()
        action = Action(kind, target, argv, str(chosen.project), chain)
        print(json.dumps(_data(action, rules.rule(action), file.label)))
    return exits.OK


def _action(kind: Kind, words: list[str], chosen: Settings) -> Action:
    """The action that the gate would see. Raises UsageError for a target that is none."""
    cwd = str(chosen.project)
    if kind is Kind.EXEC:
        argv = _argv(words)
        target = _command(argv, chosen)
        action = Action(kind, target, argv, cwd, syscall="execve")
    elif len(words) > 1:
        raise UsageError(f"check {kind}: one target at a time, not {len(words)}")
    elif kind is Kind.NET_EGRESS:
        action = Action(kind, _address(words[0]), cwd=cwd, syscall="connect")
    else:
        # Guards and rules are about the object, so links are followed as open(2) would.
        target = os.path.realpath(os.path.join(cwd, words[0]))
        action = Action(kind, target, cwd=cwd, syscall="openat")
    return action


def _argv(words: list[str]) -> tuple[str, ...]:
    if len(words) > 1:
        return tuple(words)
    try:  # the whole command in quotes
        return tuple(shlex.split(words[0])) or (words[0],)
    except ValueError:
        return (words[0],)


def _command(argv: tuple[str, ...], chosen: Settings) -> str:
    import shutil  # slow to import: it brings the compressors along

    from agentgate.gate.build import places

    found = shutil.which(argv[0], path=chosen.env.get("PATH"))
    if found is None and os.sep not in argv[0]:
        return " ".join(argv)  # a program that is not installed, yet
    return places(chosen).target(os.path.join(chosen.project, found or argv[0]), argv)


def _address(text: str) -> str:
    if text.startswith("unix:/"):  # links are followed as connect(2) would
        return "unix:" + os.path.realpath(text[5:])
    if text.startswith(("unix:", "udp://", "listen://")):
        return text
    from agentgate.intercept.proxy.target import BadTarget, parse_authority

    try:
        return str(parse_authority(text))
    except BadTarget as error:
        raise UsageError(f"check net_egress: {error} (write host:port)") from None


def _why(ruling: Ruling, label: str) -> str:
    if ruling.source is Source.DEFAULT:
        return f"no rule matches; the default of {label}"
    if ruling.source in (Source.RULE, Source.SCOPE):
        return f"{label}, {ruling.why}"
    return ruling.why


def _data(action: Action, ruling: Ruling, label: str) -> dict[str, Any]:
    means = helpers.meaning(action.target)
    return {
        "action": action.kind.value,
        "target": action.target,
        "intent": action.intent,
        "decision": ruling.decision.value,
        "source": ruling.source.value,
        "rule": ruling.rule,
        "line": ruling.line,
        "guard": ruling.guard,
        "reason": ruling.reason,
        "policy": label,
        **({"means": means} if means else {}),
    }
