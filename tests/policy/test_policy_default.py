"""The shipped policy: its own tests pass, and it decides what a first run does as it should."""

import pytest

from agentgate.actions import Action, Decision, Kind
from agentgate.policy.explain import run_tests
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher
from agentgate.policy.store import default_text

POLICY = load_text(default_text(), "default.yaml")
CONTEXT = Context("/home/u/p", "/home/u")
MATCHER = Matcher(POLICY, CONTEXT)


def test_its_own_tests_pass() -> None:
    assert len(POLICY.tests) >= 15
    assert [str(failure) for failure in run_tests(POLICY, CONTEXT)] == []


def test_every_rule_says_why_and_matches_something_the_tests_try() -> None:
    tried = {MATCHER.rule(Action(test.action, test.target)).rule for test in POLICY.tests}
    assert all(rule.reason for rule in POLICY.rules)
    assert len(tried - {None}) >= len(POLICY.rules) // 2


@pytest.mark.parametrize(
    "line",
    [
        "npm i chalk",
        "npm install",
        "npm exec cowsay",
        "pnpm add x",
        "yarn",
        "yarn add x",
        "bun i",
        "bunx x",
        "/home/u/.bun/bin/bun add x",
        "pip3 install x",
        "/home/u/p/.venv/bin/pip3.11 install x",
        "/home/u/p/.venv/bin/python -m pip install x",
        "uv pip install x",
        "uvx ruff",
        "pipx run x",
        "cargo add serde",
        "go get example.com/x",
        "go run example.com/x@latest",
        "gem install x",
        "apt-get install -y vim",
        "brew install x",
        "wget http://x",
        "/opt/x/curl http://x",
        "gh pr create",
        "ssh -T git@github.com",
        "nc -l 1",
        "docker run -v /:/h x",
        "crontab -",
        "systemd-run --user x",
    ],
)
def test_commands_that_fetch_or_reach_out_are_asked(line: str) -> None:
    assert MATCHER.rule(Action(Kind.EXEC, line)).decision is Decision.ASK


@pytest.mark.parametrize(
    "line",
    [
        "git ls-files",
        "git rev-parse HEAD",
        "rg --files",
        "lsb_release -a",
        "getconf LONG_BIT",
        "bash -c env",
        "ps aux",
        "npm list -g --depth=0",
        "npm run build",
        "node index.js",
        "python3 -c 1",
        "make",
        "/home/u/p/node_modules/.bin/tsc",
        "uname -p",
        "go build ./...",
    ],
)
def test_what_an_agent_runs_all_day_is_silent(line: str) -> None:
    assert MATCHER.rule(Action(Kind.EXEC, line)).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("path", "decision"),
    [
        ("/home/u/p", Decision.ALLOW),
        ("/home/u/p/a/b", Decision.ALLOW),
        ("/home/u/.codex/sessions/x.sqlite-wal", Decision.ALLOW),
        ("/home/u/.gemini/projects.json.lock", Decision.ALLOW),
        ("/home/u/.local/share/opencode/x.db", Decision.ALLOW),
        ("/home/u/.pi/agent/x.lock", Decision.ALLOW),
        ("/home/u/.aider/caches/x", Decision.ALLOW),
        ("/home/u/.claude.json.lock", Decision.ALLOW),
        ("/home/u/.claude.json.tmp.12.ab", Decision.ALLOW),
        ("/home/u/.cache/x/y", Decision.ALLOW),
        ("/dev/shm/x", Decision.ALLOW),
        ("/home/u/.ssh/authorized_keys", Decision.ASK),
        ("/home/u/.profile", Decision.ASK),
        ("/home/u/p2/x", Decision.ASK),
        ("/home/u/.claude2/x", Decision.ASK),
        ("/home/u/.local/bin/x", Decision.ASK),
        ("/usr/bin/x", Decision.ASK),
        ("/", Decision.ASK),
    ],
)
def test_writes(path: str, decision: Decision) -> None:
    assert MATCHER.rule(Action(Kind.FS_WRITE, path)).decision is decision


@pytest.mark.parametrize(
    ("target", "decision"),
    [
        ("api.anthropic.com:443", Decision.ALLOW),
        ("api.openai.com:443", Decision.ALLOW),
        ("generativelanguage.googleapis.com:443", Decision.ALLOW),
        ("pypi.org:443", Decision.ALLOW),
        ("pypi.org:80", Decision.ASK),
        ("evilpypi.org:443", Decision.ASK),
        ("pypi.org.evil.com:443", Decision.ASK),
        ("raw.githubusercontent.com:443", Decision.ASK),
        ("unix:/run/user/1000/bus", Decision.ASK),
        ("listen://127.0.0.1:0", Decision.ASK),
        ("169.254.169.254:80", Decision.ASK),
    ],
)
def test_hosts(target: str, decision: Decision) -> None:
    assert MATCHER.rule(Action(Kind.NET_EGRESS, target)).decision is decision
