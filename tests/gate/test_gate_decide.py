"""Guards, rules and what was answered before, put together: one ruling for an action."""

from __future__ import annotations

import pytest
from gate_kit import HOME, PROJECT, command, connect, decider, process, write

from agentgate.actions import Action, Decision, Kind, Source
from agentgate.gate.decide import Grants

OPEN = "default: allow\n"
PROJECT_ONLY = """\
default: deny
rules:
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
    reason: its own files
  - match: {action: exec, target_glob: "npm install*"}
    decision: ask
    reason: every install is looked at
"""


def test_a_guard_makes_an_allow_a_question_and_says_why() -> None:
    ruling = decider(PROJECT_ONLY).rule(write(f"{PROJECT}/.git/config"))
    assert (ruling.decision, ruling.source, ruling.guard) == (Decision.ASK, Source.GUARD, "git-config")
    assert ruling.why == "guard git-config: can name programs that git runs"
    assert ruling.rule == 1  # the rule that would have allowed it


def test_a_guard_takes_a_question_over() -> None:
    ruling = decider("default: ask\n").rule(write(f"{HOME}/.bashrc"))
    assert (ruling.source, ruling.guard) == (Source.GUARD, "shell-startup")


def test_a_guard_never_weakens_a_deny() -> None:
    ruling = decider(PROJECT_ONLY).rule(write(f"{HOME}/.bashrc"))
    assert (ruling.decision, ruling.source, ruling.guard) == (Decision.DENY, Source.DEFAULT, "")


def test_a_lifted_guard_leaves_it_to_the_rules() -> None:
    lifted = decider(PROJECT_ONLY + "lift_guards: [git-config]\n")
    assert lifted.rule(write(f"{PROJECT}/.git/config")).decision is Decision.ALLOW
    assert lifted.rule(write(f"{PROJECT}/.git/hooks/pre-commit")).decision is Decision.ASK


@pytest.mark.parametrize("kind", [Kind.EXEC, Kind.FS_READ, Kind.NET_EGRESS])
def test_guards_are_for_writes(kind: Kind) -> None:
    assert decider(OPEN).rule(Action(kind, f"{HOME}/.ssh/config")).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("target", "origin", "decision"),
    [
        (f"{PROJECT}/a", f"{PROJECT}/b", Decision.ALLOW),
        (f"{PROJECT}/a", "/etc/passwd", Decision.DENY),
        ("/etc/passwd", f"{PROJECT}/a", Decision.DENY),
        (f"{PROJECT}/.git/hooks/x", f"{PROJECT}/a", Decision.ASK),
        (f"{PROJECT}/a", f"{PROJECT}/.git/hooks/x", Decision.ASK),
        (f"{PROJECT}/.envrc", "/etc/passwd", Decision.DENY),  # a deny is stricter than a question
        ("/etc/passwd", f"{PROJECT}/.envrc", Decision.DENY),
    ],
)
def test_both_objects_are_decided_and_the_stricter_counts(
    target: str, origin: str, decision: Decision
) -> None:
    for syscall in ("rename", "link"):
        assert decider(PROJECT_ONLY).rule(write(target, syscall, origin=origin)).decision is decision


def test_build_a_hook_then_rename_its_directory_to_git() -> None:
    rules = decider(OPEN)
    assert rules.rule(write(f"{PROJECT}/x/hooks/pre-commit")).decision is Decision.ALLOW
    assert rules.rule(write(f"{PROJECT}/.git", "mkdir")).decision is Decision.ALLOW
    placed = rules.rule(write(f"{PROJECT}/.git", "rename", origin=f"{PROJECT}/x"))
    assert (placed.decision, placed.guard) == (Decision.ASK, "git-hooks")
    taken = rules.rule(write(f"{PROJECT}/x", "rename", origin=f"{PROJECT}/.git"))
    assert taken.decision is Decision.ASK
    assert rules.rule(write(f"{PROJECT}/.git", "open")).guard == "git-hooks"  # gitdir: x


def test_enforce_turns_questions_into_denies_that_say_what_asked() -> None:
    strict = decider(PROJECT_ONLY, enforce=True)
    for action, why in (
        (command("npm install x"), "enforce: rule 2 (line 6): every install is looked at"),
        (write(f"{PROJECT}/.envrc"), "enforce: guard envrc: runs when you enter the directory"),
    ):
        ruling = strict.rule(action)
        assert (ruling.decision, ruling.source) == (Decision.DENY, Source.ENFORCE)
        assert ruling.why == why
    assert strict.rule(write(f"{PROJECT}/a")).decision is Decision.ALLOW


# -- grants: "once" means that the process may finish what it was allowed to begin


def test_a_granted_process_may_go_on_with_that_object() -> None:
    rules = decider()
    rules.grant(write("/srv/x", "open"))
    for syscall in ("open", "chmod", "utime", "rename"):
        ruling = rules.rule(write("/srv/x", syscall))
        assert (ruling.decision, ruling.source) == (Decision.ALLOW, Source.SESSION), syscall


@pytest.mark.parametrize(
    "other",
    [
        write("/srv/y"),
        write("/srv/x/below"),
        write("/srv/x", who=process(101)),
        write("/srv/x", who=process(100, start=8)),  # the same pid, another process
        write("/srv/x", who=process(100, start=0)),  # start unknown: cannot be told apart
        Action(Kind.FS_WRITE, "/srv/x"),
        Action(Kind.FS_WRITE, "/srv/x", chain=(process(200), process())),  # a child of it
        write("/srv/x", "rename", origin="/srv/y"),  # the other end was not allowed
    ],
)
def test_nothing_else_is_covered(other: Action) -> None:
    rules = decider()
    rules.grant(write("/srv/x"))
    assert rules.rule(write("/srv/x")).decision is Decision.ALLOW
    assert rules.rule(other).decision is Decision.ASK


def test_both_ends_of_a_rename_are_granted() -> None:
    rules = decider()
    rules.grant(write("/srv/x", "rename", origin="/srv/x.tmp"))
    assert rules.rule(write("/srv/x", "rename", origin="/srv/x.tmp")).decision is Decision.ALLOW
    assert rules.rule(write("/srv/x.tmp")).decision is Decision.ALLOW


def test_a_connection_is_granted_by_host_and_port() -> None:
    rules = decider()
    rules.grant(connect("a.example:443"))
    assert rules.rule(connect("a.example:443")).decision is Decision.ALLOW
    assert rules.rule(connect("a.example:80")).decision is Decision.ASK


def test_a_command_is_never_granted() -> None:
    rules = decider()
    rules.grant(command("npm install x"))
    assert rules.rule(command("npm install x")).decision is Decision.ASK


def test_an_unknown_process_is_never_granted() -> None:
    rules = decider()
    for action in (Action(Kind.FS_WRITE, "/srv/x"), write("/srv/x", who=process(100, start=0))):
        rules.grant(action)
        assert rules.rule(action).decision is Decision.ASK


def test_a_grant_is_weaker_than_a_deny() -> None:
    grants = Grants()
    decider(grants=grants).grant(write("/srv/x"))
    changed = decider("default: deny\n", grants=grants)
    assert changed.rule(write("/srv/x")).decision is Decision.DENY


def test_an_answer_no_guard_asked_for_says_nothing_to_a_guard() -> None:
    """Allowed to make a directory, a process may not put another one in its place."""
    rules = decider()
    rules.grant(write(f"{PROJECT}/.git", "mkdir"))
    assert rules.rule(write(f"{PROJECT}/.git", "mkdir")).decision is Decision.ALLOW
    assert rules.rule(write(f"{PROJECT}/.git", "rename")).decision is Decision.ASK
    rules.grant(write(f"{PROJECT}/.git", "rename"))
    assert rules.rule(write(f"{PROJECT}/.git", "rename")).decision is Decision.ALLOW
    rules.grant(write(f"{PROJECT}/.git", "mkdir"))  # takes nothing away
    assert rules.rule(write(f"{PROJECT}/.git", "rename")).decision is Decision.ALLOW


def test_a_guards_answer_lets_an_editor_finish_its_save() -> None:
    rules = decider("default: allow\n")
    bashrc = f"{HOME}/.bashrc"
    rules.grant(write(bashrc, "open"))
    for syscall in ("open", "chmod", "chown", "utime", "setxattr"):
        assert rules.rule(write(bashrc, syscall)).decision is Decision.ALLOW
    assert rules.rule(write(bashrc, who=process(101))).guard == "shell-startup"


def test_the_oldest_grants_are_forgotten_first() -> None:
    grants = Grants(limit=3)
    rules = decider(grants=grants)
    for name in "abcd":
        rules.grant(write(f"/srv/{name}"))
    decisions = {name: rules.rule(write(f"/srv/{name}")).decision for name in "abcd"}
    assert decisions == {"a": Decision.ASK, **dict.fromkeys("bcd", Decision.ALLOW)}
    grants.clear()
    assert rules.rule(write("/srv/d")).decision is Decision.ASK
