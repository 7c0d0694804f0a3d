"""``policy add``, ``rm``, ``move``, ``on``, ``off``, ``fmt``, ``edit``: one change, all else kept."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shlex
from pathlib import Path
from typing import Any

from agentgate.actions import Decision, Kind
from agentgate.cli import exits
from agentgate.cli.options import UsageError
from agentgate.cli.policy.kit import Rules, number, subcommand
from agentgate.policy.model import Policy, Rule

__all__ = ["add"]

_KEPT = """
Comments, order and layout of all else are kept. The file is replaced in one step; nothing is written when it
would not load, or was changed meanwhile. The built-in rules are copied to ./policy.yaml first.

exit status: 0 done, 2 nothing was changed, and why
"""


def add(verbs: Any) -> None:
    new = subcommand(
        verbs, "add", "add a rule",
        "example:\n  agentgate policy add exec 'npm test*' --reason 'tests are free'\n"
        "  agentgate policy add net_egress .example.com:443 --decision deny --before 1\n" + _KEPT, _add,
    )  # fmt: skip
    new.add_argument("action", metavar="ACTION", choices=[kind.value for kind in Kind], help=", ".join(Kind))
    new.add_argument("targets", metavar="GLOB", nargs="+", help="what it matches")
    new.add_argument("--decision", choices=[word.value for word in Decision], default="allow", help="allow")
    new.add_argument("--reason", default="", help="shown with the question, told to the agent on a deny")
    new.add_argument("--within", metavar="GLOB", help="the command of the process or of one above it")
    new.add_argument("--scope", metavar="DIR", help="a file that really lies elsewhere is denied")
    new.add_argument("--until", metavar="WHEN", help="2027-01-31, or 2027-01-31T18:00")
    new.add_argument(
        "--before", metavar="N", type=number, help="in front of rule N (default: behind the last)"
    )

    gone = subcommand(
        verbs, "rm", "remove a rule, or all that match",
        "example:\n  agentgate policy rm 3\n  agentgate policy rm --action exec --target 'npm test*'\n"
        + _KEPT,
        _rm,
    )  # fmt: skip
    gone.add_argument("number", metavar="N", nargs="?", type=number, help="the rule's number")
    gone.add_argument("--action", choices=[kind.value for kind in Kind], help="rules for this sort of action")
    gone.add_argument("--target", metavar="GLOB", help="rules with this very glob")

    move = subcommand(verbs, "move", "move a rule", "example:\n  agentgate policy move 7 1\n" + _KEPT, _move)
    move.add_argument("number", metavar="N", type=number, help="the rule's number")
    move.add_argument("to", metavar="TO", type=number, help="the number that it gets")

    for name, run, words in (("on", _on, "switch a rule on again"), ("off", _off, "switch a rule off")):
        switch = subcommand(verbs, name, words, f"example:\n  agentgate policy {name} 3\n" + _KEPT, run)
        switch.add_argument("number", metavar="N", type=number, help="the rule's number")

    tidied = subcommand(
        verbs, "fmt", "tidy the layout: line ends, blanks at the end of lines, empty lines on end",
        "example:\n  agentgate policy fmt\n  agentgate policy fmt --check      in CI\n" + _KEPT
        + "With --check: 0 it is tidy, 1 it is not; nothing is written.\n", _fmt,
    )  # fmt: skip
    tidied.add_argument("--check", action="store_true", help="only say whether it is tidy")

    subcommand(
        verbs, "edit", "edit the file with $VISUAL or $EDITOR; written only when it loads",
        "example:\n  EDITOR=nano agentgate policy edit\n" + _KEPT, _edit,
    )  # fmt: skip


def _loaded(args: argparse.Namespace) -> tuple[Rules, Policy]:
    rules = Rules.of(args)
    return rules, rules.file.load()


def _there(policy: Policy, number: int) -> Rule:
    if number > len(policy.rules):
        raise UsageError(f"there is no rule {number} ({policy.label} has {len(policy.rules)})")
    return policy.rules[number - 1]


def _say(rules: Rules, what: str) -> int:
    print(f"{rules.file.label}: {what}")
    return exits.OK


def _add(args: argparse.Namespace) -> int:
    from agentgate.policy.edit import check_draft
    from agentgate.policy.explain import describe
    from agentgate.policy.suggest import Draft

    rules, policy = _loaded(args)
    if args.before:
        _there(policy, args.before)
    rule = Rule(
        0, 0, Kind(args.action), tuple(args.targets), args.within, Decision(args.decision), args.scope,
        args.reason, _until(args.until),
    )  # fmt: skip
    draft = Draft.of(rule)
    check_draft(draft)
    policy = rules.file.add(draft, args.before, rules.check)
    made = policy.rules[(args.before or len(policy.rules)) - 1]
    return _say(rules, f"rule {made.number}: {describe(made)}")


def _until(text: str | None) -> dt.date | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text) if len(text) <= 10 else dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until {text}: write 2027-01-31 or 2027-01-31T18:00") from None


def _rm(args: argparse.Namespace) -> int:
    from agentgate.policy.explain import describe

    rules, policy = _loaded(args)
    if args.number:
        if args.action or args.target:
            raise UsageError("policy rm: a number, or --action and --target, not both")
        chosen = [_there(policy, args.number)]
    elif args.action or args.target:
        chosen = [
            rule
            for rule in policy.rules
            if (not args.action or rule.action == args.action)
            and (not args.target or args.target in rule.targets)
        ]
        if not chosen:
            raise UsageError(f"no rule of {policy.label} is like that (agentgate policy lists them)")
    else:
        raise UsageError("policy rm: which rule? a number, or --action and --target")
    text = rules.file.text()
    from agentgate.policy.edit import delete_rule

    for rule in reversed(chosen):
        text = delete_rule(text, rule.number, rules.file.label)
    rules.file.write(text, rules.check)
    for rule in chosen:
        _say(rules, f"removed: {describe(rule)}")
    return exits.OK


def _move(args: argparse.Namespace) -> int:
    rules, policy = _loaded(args)
    _there(policy, args.number)
    _there(policy, args.to)
    rules.file.move(args.number, args.to, rules.check)
    return _say(rules, f"rule {args.number} is rule {args.to} now")


def _on(args: argparse.Namespace) -> int:
    return _switch(args, False)


def _off(args: argparse.Namespace) -> int:
    return _switch(args, True)


def _switch(args: argparse.Namespace, disabled: bool) -> int:
    rules, policy = _loaded(args)
    _there(policy, args.number)
    rules.file.disable(args.number, disabled, rules.check)
    return _say(rules, f"rule {args.number} is switched {'off' if disabled else 'on'}")


def _fmt(args: argparse.Namespace) -> int:
    from agentgate.policy.tidy import tidy

    rules, _ = _loaded(args)
    before = rules.file.text()
    after = tidy(before, rules.file.label)
    if after == before:
        return _say(rules, "is tidy")
    if args.check:
        _say(rules, "is not tidy (agentgate policy fmt)")
        return exits.FOUND
    rules.file.write(after, rules.check)
    return _say(rules, "tidied")


def _edit(args: argparse.Namespace) -> int:
    """The editor works on a copy: what it writes in between is in force nowhere."""
    import subprocess  # these bring the compressors along, which is slow
    import tempfile

    rules, _ = _loaded(args)
    before = rules.file.text()
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="agentgate-") as folder:
        copy = Path(folder) / "policy.yaml"
        copy.write_text(before, encoding="utf-8")
        try:
            status = subprocess.run([*editor, str(copy)], check=False).returncode
        except OSError as error:
            raise UsageError(f"cannot run {editor[0]}: {error.strerror} ($EDITOR names another)") from None
        after = copy.read_text(encoding="utf-8")
        if status:
            raise UsageError(f"{editor[0]} ended with status {status}: nothing was changed")
        if after == before:
            return _say(rules, "nothing was changed")
        try:
            rules.file.write(after, rules.check)
        except Exception:
            kept = Path(f"{rules.file.path or rules.file.new_path}.refused")
            kept.write_text(after, encoding="utf-8")
            print(f"what you wrote is kept in {kept}")
            raise
    return _say(rules, "written")
