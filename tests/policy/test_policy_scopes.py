"""How far an answer may reach: the ladders, what is not offered and why, globs typed by hand, durations."""

from __future__ import annotations

import datetime as dt

import pytest

from agentgate.actions import Action, Decision, Kind, Process
from agentgate.policy.domains import Undivided, domain_of
from agentgate.policy.match import Compiled, Context, Matcher
from agentgate.policy.scopes import Scope, draft, flaw, ladder, starting
from agentgate.policy.spans import Span
from agentgate.policy.suggest import suggest

HOME, PROJECT = "/home/me", "/home/me/project"
CONTEXT = Context(PROJECT, HOME, {})
ALLOW, DENY = Decision.ALLOW, Decision.DENY


def command(*argv: str) -> Action:
    return Action(Kind.EXEC, " ".join(argv), argv, PROJECT, (Process(7, ("bash",), start=1),))


def connect(target: str, origin: str = "") -> Action:
    return Action(Kind.NET_EGRESS, target, origin=origin)


def write(target: str, origin: str = "") -> Action:
    return Action(Kind.FS_WRITE, target, origin=origin)


def offered(action: Action, decision: Decision = ALLOW) -> list[tuple[str, ...]]:
    return [scope.targets for scope in ladder(action, decision, CONTEXT) if not scope.refused]


def refused(action: Action, decision: Decision = ALLOW) -> list[str]:
    return [scope.refused for scope in ladder(action, decision, CONTEXT) if scope.refused]


COMMANDS = [
    (
        command("npm", "install", "chalk"),
        [("npm install chalk",), ("npm install", "npm install *"), ("npm", "npm *")],
    ),
    (
        command("npm", "run", "build"),
        [("npm run build",), ("npm run build", "npm run build *"), ("npm", "npm *")],
    ),
    (command("docker", "run", "debian"), [("docker run debian",), ("docker", "docker *")]),
    (command("cp", "-r", "/a/[b]"), [("cp -r /a/[[]b]",), ("cp", "cp *")]),
    (command("ls"), [("ls",), ("ls", "ls *")]),
    (
        command("/x/my tool", "go"),
        [("/x/my tool go",), ("/x/my tool go", "/x/my tool go *"), ("/x/my tool", "/x/my tool *")],
    ),
    (
        command("uv", "pip", "install", "x"),
        [("uv pip install x",), ("uv pip install", "uv pip install *"), ("uv", "uv *")],
    ),
    (
        command("python3", "-m", "pip", "install", "x"),
        [("python3 -m pip install x",), ("python3 -m pip install", "python3 -m pip install *")],
    ),
    (command("bash", "-c", "rm -rf *; $x"), [("bash -c rm -rf [*]; [$]x",)]),
    (command("python3.11", "deploy"), [("python3.11 deploy",)]),
    (command("sudo", "apt", "install", "x"), [("sudo apt install x",)]),
]


@pytest.mark.parametrize(("action", "expected"), COMMANDS, ids=lambda value: getattr(value, "target", None))
def test_commands(action: Action, expected: list[tuple[str, ...]]) -> None:
    assert offered(action) == expected


def test_a_runner_is_not_offered_as_a_whole_and_says_why() -> None:
    assert refused(command("bash", "-c", "x")) == ["bash runs whatever code it is given"]
    assert refused(command("docker", "run", "debian")) == ["run runs whatever follows it"]
    assert refused(command("bash", "-c", "x"), DENY) == []
    assert offered(command("curl", "-s", "x"), DENY)[-1] == ("curl", "curl *")


HOSTS = [
    ("registry.npmjs.org:443", ["registry.npmjs.org:443", "registry.npmjs.org", "npmjs.org"]),
    ("github.com:22", ["github.com:22", "github.com", "github.com"]),
    ("a.b.example.co.uk:80", ["a.b.example.co.uk:80", "a.b.example.co.uk", "example.co.uk"]),
    ("me.github.io:443", ["me.github.io:443", "me.github.io", "me.github.io"]),
    ("udp://dns.example.org:53", ["udp://dns.example.org:53", "udp://dns.example.org", "udp://example.org"]),
    ("10.0.0.7:22", ["10.0.0.7:22", "10.0.0.7"]),
    ("[2001:db8::1]:443", ["[2001:db8::1]:443", "[2001:db8::1]"]),
    ("localhost:8080", ["localhost:8080", "localhost"]),
    ("listen://127.0.0.1:80", ["listen://127.0.0.1:80", "listen://127.0.0.1"]),
    ("unix:/run/docker.sock", ["unix:/run/docker.sock"]),
    ("unix:@/tmp/x*y", ["unix:@/tmp/x[*]y"]),
]


@pytest.mark.parametrize(("target", "expected"), HOSTS)
def test_hosts(target: str, expected: list[str]) -> None:
    assert [targets[0] for targets in offered(connect(target))] == expected


def test_a_domain_covers_itself_and_what_is_below_and_no_neighbour() -> None:
    targets = offered(connect("registry.npmjs.org:443"))[-1]
    rule = Compiled(draft(connect("x:1"), ALLOW, targets).rule, Kind.NET_EGRESS, CONTEXT, "rule")
    for host in ("npmjs.org:443", "a.b.npmjs.org:80"):
        assert rule.covers(host)
    for host in ("evilnpmjs.org:443", "npmjs.org.evil.com:443"):
        assert not rule.covers(host)


@pytest.mark.parametrize("host", ["co.uk", "com", "github.io", "s3.amazonaws.com.cn"])
def test_what_everybody_has_names_below_is_no_domain(host: str) -> None:
    if host.startswith("s3."):
        assert domain_of(host) == host
        return
    with pytest.raises(Undivided):
        domain_of(host)
    assert len(offered(connect(f"{host}:443"))) == 2


def test_files() -> None:
    assert offered(write("/srv/out/a b")) == [("/srv/out/a b",), ("/srv/out/*",), ("/srv/out/**",)]
    assert offered(write("/srv/[x]/$a")) == [("/srv/[[]x]/[$]a",), ("/srv/[[]x]/*",), ("/srv/[[]x]/**",)]
    both = offered(write("/srv/b/new", origin="/srv/a/old"))
    assert both == [("/srv/b/new", "/srv/a/old"), ("/srv/b/*", "/srv/a/*"), ("/srv/b/**", "/srv/a/**")]
    assert offered(write(f"{PROJECT}/x"))[-1] == (f"{PROJECT}/**",)
    assert offered(write("/tmp/x"))[-1] == ("/tmp/**",)


WIDE = [
    (write("/x"), ["/ is the whole machine"] * 2),
    (write("/home/me/x"), ["that is your home directory"] * 2),
    (write("/home/x"), ["/home holds your home directory"] * 2),
    (write("/etc/hosts"), ["/etc is a large part of the machine"]),
    (write("/srv/a/x", origin="/home/me/y"), ["that is your home directory"] * 2),
]


@pytest.mark.parametrize(("action", "why"), WIDE, ids=lambda value: getattr(value, "target", None))
def test_directories_that_are_too_wide(action: Action, why: list[str]) -> None:
    assert refused(action) == why


def test_a_deny_may_be_wide_but_not_over_the_project() -> None:
    assert offered(write("/etc/hosts"), DENY)[-1] == ("/etc/**",)
    assert refused(write(f"{PROJECT}/x"), DENY) == ["the project lies in it"]
    assert refused(write("/home/x"), DENY) == ["the project lies in it"]


def test_a_secret_is_opened_by_its_own_name_only() -> None:
    read = Action(Kind.FS_READ, "/srv/keys/id_rsa")
    assert offered(read) == [("/srv/keys/id_rsa",)]
    assert len(offered(read, DENY)) == 3
    assert flaw(("/srv/keys/*",), read, ALLOW, CONTEXT)


ACTIONS = [
    *(action for action, _ in COMMANDS), *(connect(target) for target, _ in HOSTS),
    write("/srv/a"), write("/srv/*/[a]/$b\\c\n", origin="/~/x"), write("/a/\udcff/b"), connect("unix:/a/\\x"),
    command("~/x", "[", "*"), Action(Kind.EXEC, "a  b", ("a", "", "b")),
]  # fmt: skip


@pytest.mark.parametrize("decision", [ALLOW, DENY])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: ascii(action.target))
def test_what_is_offered_covers_the_action_and_begins_with_what_is_suggested(
    action: Action, decision: Decision
) -> None:
    scopes = ladder(action, decision, CONTEXT)
    assert not scopes[0].refused
    assert scopes[starting(scopes, action)].targets == suggest(action).targets
    for scope in scopes:
        assert scope.label and (scope.refused or scope.targets)
        if not scope.refused:
            rule = draft(action, decision, scope.targets).rule
            compiled = Compiled(rule, action.kind, CONTEXT, "rule")
            assert all(compiled.covers(target) for target in action.objects)
            assert compiled.on(action.target).decision is decision


def test_globs_typed_by_hand() -> None:
    npm, host, file = command("npm", "ci"), connect("a.example.org:443"), write("/srv/a/x")
    assert flaw(("npm *",), npm, ALLOW, CONTEXT) == ""
    assert flaw(("npm i*",), npm, ALLOW, CONTEXT) == "it does not cover this action"
    assert flaw(("*",), npm, ALLOW, CONTEXT) == "it covers every command"
    assert "never closed" in flaw(("npm [",), npm, ALLOW, CONTEXT)
    assert "is not set" in flaw(("$NOWHERE *",), npm, ALLOW, CONTEXT)
    assert flaw(("*.example.org",), host, ALLOW, CONTEXT) == ""
    assert flaw(("*",), host, DENY, CONTEXT) == "it covers every host"
    assert flaw((".org",), host, ALLOW, CONTEXT) == "it covers every host below org"
    assert flaw(("/srv/**/x",), file, ALLOW, CONTEXT) == ""
    assert flaw(("**",), file, ALLOW, CONTEXT) == "it covers files everywhere"
    assert flaw(("/**",), file, ALLOW, CONTEXT) == "it covers files everywhere"
    assert flaw(("~/**",), write(f"{HOME}/x"), ALLOW, CONTEXT) == "it covers your whole home directory"
    assert flaw(("srv/x",), file, ALLOW, CONTEXT).startswith("glob 'srv/x': a path starts with")
    assert (
        flaw(("/srv/b/*",), write("/srv/b/x", origin="/srv/a/y"), ALLOW, CONTEXT)
        == "it does not cover /srv/a/y"
    )
    socket = connect("unix:/run/x/y.sock")
    assert "by its own name" in flaw(("unix:/run/**",), socket, ALLOW, CONTEXT)
    assert flaw(("unix:/run/x/*.sock",), socket, ALLOW, CONTEXT) == ""


def test_spans() -> None:
    now = dt.datetime(2026, 11, 26, 14, 0, 5, 700, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert Span.HOUR.until(now) == dt.datetime(2026, 11, 26, 14, 0, 5, tzinfo=dt.UTC)
    assert [span.written for span in Span] == [False, False, True, True, True]
    assert [span.until(now) is None for span in Span] == [True, True, False, False, True]
    assert Span.ALWAYS.moved(1) is Span.ONCE and Span.ONCE.moved(-1) is Span.ALWAYS


def test_the_scope_is_what_the_rule_then_decides() -> None:
    """The same words in the file: the policy decides as the ladder promised."""
    from agentgate.policy.load import load_text

    action = command("npm", "install", "chalk")
    scope = ladder(action, ALLOW, CONTEXT)[1]
    assert scope == Scope("npm install, whatever follows", ("npm install", "npm install *"))
    text = "rules:\n" + "\n".join(draft(action, ALLOW, scope.targets).to_yaml()) + "\n"
    matcher = Matcher(load_text(text, "policy.yaml"), CONTEXT)
    assert matcher.rule(command("npm", "install", "other")).decision is ALLOW
    assert matcher.rule(command("npm", "installx")).decision is Decision.ASK
