"""``check`` and ``init``: golden outputs, and that a mistake is one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import World

import agentgate

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def programs_of_the_system_only(world: World) -> None:
    world.env["PATH"] = "/usr/bin:/bin"


RULES = """\
default: deny
rules:
  - match: {action: exec, target_glob: "npm install*"}
    decision: ask
    reason: "every install is looked at"
  - match: {action: fs_write, target_glob: "**/*.txt"}
    decision: allow
    scope: "$PWD"
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
  - match: {action: net_egress, target_glob: ".example.com"}
    decision: allow
"""


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (
            ("exec", "npm", "install", "chalk"),
            3,
            """\
action    exec
target    npm install chalk
intent    install the npm package chalk and run its install scripts
decision  ask (policy.yaml, rule 1 (line 3): every install is looked at)
""",
        ),
        (
            ("exec", "npm install chalk"),
            3,
            """\
action    exec
target    npm install chalk
intent    install the npm package chalk and run its install scripts
decision  ask (policy.yaml, rule 1 (line 3): every install is looked at)
""",
        ),
        (
            ("exec", "--", "/usr/bin/env", "--help"),
            1,
            """\
action    exec
target    env --help
intent    show the environment
decision  deny (no rule matches; the default of policy.yaml)
""",
        ),
        (
            ("fs_write", "notes.txt"),
            0,
            """\
action    fs_write
target    PROJECT/notes.txt
intent    write a file
decision  allow (policy.yaml, rule 2 (line 6))
""",
        ),
        (
            ("fs_write", "../notes.txt"),
            1,
            """\
action    fs_write
target    ROOT/notes.txt
intent    write a file
decision  deny (policy.yaml, outside the scope of rule 2: outside $PWD)
""",
        ),
        (
            ("fs_write", "link/inside"),
            1,
            """\
action    fs_write
target    ROOT/home/inside
intent    write a file
decision  deny (no rule matches; the default of policy.yaml)
""",
        ),
        (
            ("fs_write", ".git/hooks/pre-commit"),
            3,
            """\
action    fs_write
target    PROJECT/.git/hooks/pre-commit
intent    write a file
decision  ask (guard git-hooks: runs at the next git command)
""",
        ),
        (
            ("fs_write", "policy.yaml"),
            3,
            """\
action    fs_write
target    PROJECT/policy.yaml
intent    write a file
decision  ask (guard gate: the gate's own files: who can change them can decide for you)
""",
        ),
        (
            ("net_egress", "WWW.Example.COM.:443"),
            0,
            """\
action    net_egress
target    www.example.com:443
intent    connect to www.example.com:443
decision  allow (policy.yaml, rule 4 (line 11))
""",
        ),
        (
            ("fs_read", "a\x1b[2Jb"),
            0,
            """\
action    fs_read
target    PROJECT/a\\x1b[2Jb
intent    read a file
decision  allow (gate: no secret, and no rule for fs_read is about it)
""",
        ),
        (
            ("fs_read", ".env\x1b[2Jb"),
            1,
            """\
action    fs_read
target    PROJECT/.env\\x1b[2Jb
intent    read passwords and keys of a project (.env)
decision  deny (no rule matches; the default of policy.yaml)
""",
        ),
    ],
)
def test_check_says_what_and_why(world: World, words: tuple[str, ...], status: int, said: str) -> None:
    (world.project / "link").symlink_to(world.home)
    done = world.with_policy(RULES).agentgate("check", *words)
    shown = done.stdout.replace(str(world.project), "PROJECT").replace(str(world.root), "ROOT")
    assert (shown, done.stderr, done.returncode) == (said, "", status)


def test_check_says_what_a_socket_means(world: World) -> None:
    """By the name that the gate would see: /var/run is a link."""
    done = world.with_policy("default: allow\n").agentgate("check", "net_egress", "unix:/var/run/docker.sock")
    run = os.path.realpath("/var/run")
    assert (done.returncode, done.stderr) == (3, "")
    assert f"target    unix:{run}/docker.sock\n" in done.stdout
    assert "it means  Docker runs anything, as root, on this machine; what it does for" in done.stdout
    assert "decision  ask (no rule names this socket: Docker runs" in done.stdout


def test_check_as_json(world: World) -> None:
    done = world.with_policy(RULES).agentgate("check", "--json", "exec", "npm", "install", "chalk")
    assert json.loads(done.stdout) == {
        "action": "exec",
        "target": "npm install chalk",
        "intent": "install the npm package chalk and run its install scripts",
        "decision": "ask",
        "source": "rule",
        "rule": 1,
        "line": 3,
        "guard": "",
        "reason": "every install is looked at",
        "policy": "policy.yaml",
        "near": [],
    }
    assert done.returncode == 3


def test_check_reads_the_policy_it_is_told(world: World) -> None:
    (world.project / "other.yaml").write_text("default: allow\n")
    assert world.with_policy(RULES).agentgate("check", "exec", "date").returncode == 1
    assert world.agentgate("check", "--policy", "other.yaml", "exec", "date").returncode == 0
    world.env["AGENTGATE_POLICY"] = "other.yaml"
    assert world.agentgate("check", "exec", "date").returncode == 0
    assert world.agentgate("check", "--policy", "policy.yaml", "exec", "date").returncode == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            (),
            "no command (tui, run, init, check, policy, audit, undo, doctor, drill, completion; "
            "see agentgate --help)",
        ),
        (("check",), "the following arguments are required: ACTION, TARGET (see agentgate check --help)"),
        (("check", "exec"), "check exec: no target (see agentgate check --help)"),
        (("check", "fs_write", ""), "check fs_write: no target (see agentgate check --help)"),
        (("check", "fs_write", "a", "b"), "check fs_write: one target at a time, not 2"),
        (("check", "net_egress", "evil.com"), "check net_egress: no port: 'evil.com' (write host:port)"),
        (("check", "net_egress", "a b:1"), None),
        (("check", "--policy", "none.yaml", "exec", "ls"), "none.yaml: no such file"),
        (("check", "--policy", ".", "exec", "ls"), None),
        (("check", "--wat", "exec", "ls"), None),
        (("check", "dance", "x"), None),
        (("nonsense",), None),
        (("--polic",), None),
        (
            ("audit", "--limit", "0"),
            "argument --limit: invalid count value: '0' (see agentgate audit --help)",
        ),
        (("audit", "--since", "x"), "--since: not a time: 'x' (write 30m, 1h, 2d, 13:20 or 2026-11-23)"),
        (("audit", "--decision", "maybe"), None),
        (("init", "now"), "init: unknown argument 'now' (see agentgate init --help)"),
    ],
)
def test_a_mistake_is_one_line(world: World, words: tuple[str, ...], said: str | None) -> None:
    done = world.agentgate(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr.startswith("agentgate: ")
        and done.stderr.count("\n") == 1
        and done.stderr[:-1].isprintable()
    )
    if said:
        assert done.stderr == f"agentgate: {said}\n"


def test_a_directory_that_is_gone_is_one_line(world: World) -> None:
    folder = world.root / "gone"
    folder.mkdir()
    command = " ".join(world.command("check", "exec", "ls"))
    done = subprocess.run(
        ["sh", "-c", f"cd {folder} && rmdir {folder} && {command}"],
        env=world.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == "agentgate: the current directory does not exist any more (cd to another)\n"


def test_init_writes_rules_that_load_and_replaces_none_unasked(world: World) -> None:
    done = world.agentgate("init")
    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote policy.yaml\n", "")
    text = world.policy.read_text()
    assert world.agentgate("check", "exec", "npm", "install", "chalk").stdout.count("policy.yaml") == 1
    world.policy.write_text("default: deny\n")
    done = world.agentgate("init")
    assert (done.returncode, done.stderr) == (2, "agentgate: policy.yaml exists (--force replaces it)\n")
    assert world.policy.read_text() == "default: deny\n"
    assert world.agentgate("init", "--force").returncode == 0
    assert world.policy.read_text() == text
    assert [path.name for path in world.project.iterdir()] == ["policy.yaml"]


def test_init_writes_the_rules_of_a_profile(world: World) -> None:
    listed = world.agentgate("init", "--list").stdout
    assert "\nnode             A Node project\n" in listed
    assert world.agentgate("init", "--profile", "node").returncode == 0
    first, second, *_ = world.policy.read_text().splitlines()
    schema = Path(first.removeprefix("# yaml-language-server: $schema="))
    assert json.loads(schema.read_text())["title"] == "AgentGate policy"
    assert second.startswith("# A Node project.")
    wrong = world.agentgate("init", "--profile", "nod")
    assert (wrong.returncode, wrong.stderr[:44]) == (2, "agentgate: no profile 'nod' (there are: defau"[:44])
    assert json.loads(world.agentgate("policy", "schema").stdout)["title"] == "AgentGate policy"


def test_init_writes_through_no_link(world: World) -> None:
    victim = world.home / "victim"
    world.policy.symlink_to(victim)
    assert world.agentgate("init").returncode == 2 and not victim.exists()
    victim.write_text("precious")
    assert world.agentgate("init", "--force").returncode == 0
    assert victim.read_text() == "precious" and not world.policy.is_symlink()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tui",
        "run",
        "init",
        "check",
        "policy",
        "policy add",
        "policy replay",
        "audit",
        "audit verify",
        "undo",
        "doctor",
        "drill",
    ],
)
def test_help_has_an_example(world: World, name: str) -> None:
    done = world.agentgate(*name.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nexample:\n  agentgate " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_version(world: World) -> None:
    from agentgate import __version__

    assert world.agentgate("--version").stdout == f"agentgate {__version__}\n"


@pytest.mark.parametrize("planted", ["yaml", "pathspec", "json", "argparse", "asyncio"])
def test_a_module_planted_in_the_project_is_not_imported(world: World, planted: str) -> None:
    """``python -m`` puts the current directory first on sys.path."""
    (world.project / f"{planted}.py").write_text("open('pwned', 'w')\n")
    done = world.with_policy(RULES).agentgate("check", "fs_write", "notes.txt")
    assert done.returncode == 0, done.stderr
    assert not (world.project / "pwned").exists()


def test_started_from_where_the_package_lies_it_trusts_nothing_beside_it(world: World) -> None:
    source = world.root / "source"
    source.mkdir()
    (source / "agentgate").symlink_to(Path(agentgate.__file__).parent)
    (source / "yaml.py").write_text("open('pwned', 'w')\n")
    del world.env["PYTHONPATH"]
    done = world.agentgate("run", "--gate", "shim", "--", "echo", "ran", cwd=source)
    assert (done.stdout, done.returncode) == ("ran\n", 0), done.stderr
    assert not (source / "pwned").exists()


HEAVY = {"textual", "rich", "asyncio", "h11", "aiofiles", "pyghostty", "ssl"}


@pytest.mark.parametrize(
    "words", [("check", "fs_write", "notes.txt"), ("audit",), ("init", "--force"), ("--help",)]
)
def test_what_only_looks_at_rules_loads_nothing_heavy(world: World, words: tuple[str, ...]) -> None:
    world.with_policy(RULES).audit.parent.mkdir()
    world.audit.touch()
    command = [sys.executable, "-X", "importtime", "-m", "agentgate", *words]
    done = subprocess.run(
        command, cwd=world.project, env=world.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "agentgate" in loaded
    assert not loaded & HEAVY
    if words[0] in ("audit", "--help"):  # only who has to do with a policy pays for its parser
        assert "yaml" not in loaded


def test_many_are_checked_at_once(world: World) -> None:
    world.with_policy(RULES)
    lines = [
        {"action": "exec", "target": "npm install chalk"},
        {"action": "fs_write", "target": "/etc/passwd"},
        {"action": "net_egress", "target": "example.com:443", "within": "npm install"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = world.agentgate("check", "--stdin", stdin=None, input=text)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["target"], one["decision"]) for one in said] == [
        ("npm install chalk", "ask"), ("/etc/passwd", "deny"), ("example.com:443", "deny"),
    ]  # fmt: skip
    wrong = world.agentgate(
        "check", "--stdin", stdin=None, input='{"action": "exec", "target": "ls"}\n{"action": 3}\n'
    )
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("agentgate: check --stdin: line 2 is no action (write {")
    assert world.agentgate("check").returncode == 2


def test_rules_that_came_close_are_named(world: World) -> None:
    world.with_policy(
        "default: deny\nrules:\n"
        '  - {match: {action: exec, target_glob: "make *", within: "npm *"}, decision: allow}\n'
        '  - {match: {action: exec, target_glob: "make *"}, decision: allow, until: 2020-01-01}\n'
        '  - {match: {action: exec, target_glob: "make t*"}, decision: ask}\n'
        '  - {match: {action: exec, target_glob: "make test"}, decision: allow}\n'
        "  - {match: {action: exec}, decision: allow}\n"
    )
    done = world.agentgate("check", "exec", "make", "test")
    assert done.returncode == 3
    assert done.stdout.splitlines()[-3:] == [
        "near      rule 1 (line 3, allow): only within 'npm *'",
        "near      rule 2 (line 4, allow): it ended",
        "near      rule 4 (line 6, allow): rule 3 comes first",
    ]
