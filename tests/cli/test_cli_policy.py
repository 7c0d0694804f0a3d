"""``agentgate policy``: what each command prints, writes and ends with."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess

import pytest
from cli_kit import World

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.record import Record

pytestmark = pytest.mark.timeout(90)

TEXT = """\
# ours
default: ask

rules:
  # tests are free
  - match: {action: exec, target_glob: "npm test*"}
    decision: allow
    reason: "tests are free"

  - match: {action: exec, target_glob: "npm test --watch"}   # too long
    decision: deny
  - match: {action: net_egress, target_glob: "pypi.org:443"}
    decision: allow

tests:
  - {action: exec, target: "npm test", expect: allow}
  - {action: exec, target: "npm publish", expect: deny}
"""


@pytest.fixture
def ruled(world: World) -> World:
    world.policy.write_text(TEXT)
    world.policy.chmod(0o640)
    return world


def policy(world: World, *words: str, status: int = 0) -> str:
    done = world.agentgate("policy", *words)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def log(world: World) -> None:
    world.audit.parent.mkdir(exist_ok=True)
    made = (
        (Kind.EXEC, "npm test", Decision.ALLOW, Verdict.ALLOW, Source.RULE),
        (Kind.EXEC, "npm install a", Decision.ASK, Verdict.ALLOW, Source.OPERATOR),
        (Kind.EXEC, "npm install b", Decision.ASK, Verdict.ALLOW, Source.OPERATOR),
        (Kind.NET_EGRESS, "evil.example:443", Decision.ASK, Verdict.DENY, Source.OPERATOR),
    )
    lines = []
    for number, (kind, target, decision, verdict, source) in enumerate(made, 1):
        ruling = Ruling(decision, Source.RULE if source is Source.RULE else Source.DEFAULT)
        argv = tuple(target.split(" ")) if kind is Kind.EXEC else ()
        record = Record(
            1700000000.0, Action(kind, target, argv), ruling, Answer(verdict, source, ruling), 0, "kernel"
        )
        lines.append(record.to_line(session="s", agent="a", number=number))
    world.audit.write_bytes(b"".join(lines))


def test_the_list_says_what_is_to_be_known(ruled: World) -> None:
    log(ruled)
    said = policy(ruled)
    assert "policy.yaml: 3 rules, default ask" in said
    assert "  1  allow exec npm test*  [1 hits]" in said
    assert "  2  deny exec npm test --watch  [never matches: rule 1 is before it]" in said
    assert "  -  ask: whatever no rule matches  [3 hits]" in said
    explained = policy(ruled, "ls", "--explain")
    assert "policy.yaml:6  tests are free" in explained
    assert "shell-startup    runs at every login or new shell" in explained
    data = json.loads(policy(ruled, "--json"))
    assert [(rule["hits"], rule["shadowed_by"]) for rule in data["rules"]] == [(1, None), (0, 1), (0, None)]


def test_changes_keep_all_else(ruled: World) -> None:
    assert "rule 4: deny net_egress .evil.example" in policy(
        ruled, "add", "net_egress", ".evil.example", "--decision", "deny", "--reason", "no"
    )
    assert ruled.policy.read_text().startswith(TEXT.partition("\ntests:")[0])
    assert stat.S_IMODE(ruled.policy.stat().st_mode) == 0o640
    policy(ruled, "rm", "4")
    policy(ruled, "move", "2", "1")
    assert ruled.policy.read_text().index("--watch") < ruled.policy.read_text().index("tests are free")
    assert "# too long" in ruled.policy.read_text()
    policy(ruled, "move", "1", "2")
    policy(ruled, "off", "2")
    assert "(disabled)" in policy(ruled)
    policy(ruled, "on", "2")
    assert ruled.policy.read_text() == TEXT
    policy(ruled, "rm", "--action", "exec", "--target", "npm test --watch")
    assert "--watch" not in ruled.policy.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rm", "9"), "there is no rule 9 (policy.yaml has 3)"),
        (("rm",), "which rule? a number, or --action and --target"),
        (("rm", "1", "--action", "exec"), "a number, or --action and --target, not both"),
        (("rm", "--target", "nothing"), "no rule of policy.yaml is like that"),
        (("move", "1", "7"), "there is no rule 7"),
        (("add", "exec", "x", "--until", "soon"), "--until soon: write 2027-01-31"),
        (("add", "net_egress", "https://x.y/z"), "a host, not an address of the web"),
        (("add", "exec", "x", "--before", "0"), "invalid number value: '0'"),
        (("replay",), "no audit log"),
        (("lint", "--policy", "nowhere.yaml"), "no such file"),
        (("nonsense",), "invalid choice: 'nonsense'"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(ruled: World, words: tuple[str, ...], said: str) -> None:
    output = policy(ruled, *words, status=2)
    assert said in output
    assert output.count("\n") == 1
    assert ruled.policy.read_text() == TEXT


def test_the_editor_s_text_is_written_only_when_it_loads(ruled: World) -> None:
    ruled.env["EDITOR"] = "sed -i s/pypi.org/pypi.example/"
    ruled.env["PATH"] += ":/usr/bin:/bin"
    assert "written" in policy(ruled, "edit")
    assert "pypi.example:443" in ruled.policy.read_text()
    changed = ruled.policy.read_text()
    ruled.env["EDITOR"] = "sed -i s/allow/alow/"
    said = policy(ruled, "edit", status=2)
    assert "policy.yaml:7:15: unknown decision 'alow'" in said
    assert ruled.policy.read_text() == changed
    assert "alow" in ruled.policy.with_name("policy.yaml.refused").read_text()
    ruled.env["EDITOR"] = "false"
    assert "ended with status 1: nothing was changed" in policy(ruled, "edit", status=2)


def test_lint_and_test_end_with_what_they_found(ruled: World) -> None:
    said = policy(ruled, "lint", status=1)
    assert said.startswith("policy.yaml:10:5: rule 2 (deny) never matches: rule 1 (line 6), which says allow")
    assert json.loads(policy(ruled, "lint", "--json", status=1))[0]["line"] == 10
    said = policy(ruled, "test", status=1)
    assert "policy.yaml:17: exec npm publish: expected deny, got ask (default)" in said
    assert "1 of 2 tests as expected" in said
    ruled.policy.write_text("default: ask\n")
    assert policy(ruled, "lint") == "policy.yaml: nothing to say\n"
    assert policy(ruled, "test") == "policy.yaml: 0 of 0 tests as expected\n"


def test_the_past_is_replayed_and_makes_rules(ruled: World) -> None:
    log(ruled)
    assert "4 records: 1 allow, 3 ask; 0 decided otherwise than then" in policy(ruled, "replay")
    proposed = policy(ruled, "suggest")
    assert "# 2 events, like npm install b" in proposed
    ruled.policy.write_text("default: ask\nrules:\n" + proposed)
    said = policy(ruled, "replay", status=1)
    assert "3 decided otherwise" in said or "4 decided otherwise" in said
    assert "was ask (default), would be deny (rule 1" in said
    policy(ruled, "lint")
    assert json.loads(policy(ruled, "replay", "--json", status=1))["counts"]["deny"] == 1


def test_the_built_in_rules_are_copied_before_they_are_changed(world: World) -> None:
    policy(world, "add", "exec", "mine *", "--before", "1")
    assert world.policy.read_text().startswith("# AgentGate's default policy.")
    assert "1  allow exec mine *" in policy(world)


def test_who_writes_at_the_same_time_loses_nothing(ruled: World) -> None:
    """Several at once: each rule whose writer said that it was written is there."""
    running = [
        subprocess.Popen(
            ruled.command("policy", "add", "exec", f"tool{number} *"), cwd=ruled.project, env=ruled.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    written = []
    for number, process in enumerate(running):
        _, error = process.communicate(timeout=60)
        if process.returncode == 0:
            written.append(number)
        else:
            assert error == "agentgate: policy.yaml: the file was changed meanwhile; load it again first\n"
    assert written
    text = ruled.policy.read_text()
    assert [number for number in range(8) if f'"tool{number} *"' in text] == written
    assert text.startswith(TEXT.partition("\ntests:")[0])


def test_a_writer_that_does_not_end_is_not_waited_for(ruled: World) -> None:
    directory = os.open(ruled.project, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    try:
        assert "another program is writing it; try again" in policy(ruled, "rm", "1", status=2)
    finally:
        os.close(directory)
    assert ruled.policy.read_text() == TEXT


def test_fmt_tidies_and_check_only_says(ruled: World) -> None:
    untidy = TEXT.replace("\n\n", "  \n\n\n")
    ruled.policy.write_text(untidy)
    assert policy(ruled, "fmt", "--check", status=1) == "policy.yaml: is not tidy (agentgate policy fmt)\n"
    assert ruled.policy.read_text() == untidy
    assert policy(ruled, "fmt") == "policy.yaml: tidied\n"
    assert ruled.policy.read_text() == TEXT
    assert policy(ruled, "fmt", "--check") == "policy.yaml: is tidy\n"
