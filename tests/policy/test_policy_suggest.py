"""Drafts for "always": they match what was asked for, and not the next worse thing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Action, Decision, Kind, Source
from agentgate.policy.edit import insert_rule
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher
from agentgate.policy.suggest import Draft, suggest

CONTEXT = Context("/home/u/p", "/home/u")


def rules(draft: Draft) -> Matcher:
    return Matcher(load_text(insert_rule("", draft, None), "p"), CONTEXT)


def allowed(draft: Draft, kind: Kind, target: str) -> bool:
    return rules(draft).rule(Action(kind, target)).decision is Decision.ALLOW


@pytest.mark.parametrize(
    ("line", "yes", "no"),
    [
        (
            "npm install chalk",
            ["npm install", "npm install x --y"],
            ["npm installx", "npm run x", "pnpm install"],
        ),
        ("git push origin main", ["git push", "git push x"], ["git pull", "git -c a=b push"]),
        ("uv pip install x", ["uv pip install y"], ["uv pip uninstall y", "uv run x"]),
        (
            "python3 -m pip install x",
            ["python3 -m pip install y"],
            ["python3 -m http.server", "python3 -m pip x"],
        ),
        ("/p/.venv/bin/pip install x", ["/p/.venv/bin/pip install y"], ["pip install y", "/q/pip install y"]),
        ("npm --prefix x install y", [], ["npm --prefix z install y", "npm install"]),
        ("npm run build", [], ["npm run other", "npm run build x"]),
        ("docker run alpine", [], ["docker run -v /:/h alpine"]),
        ("npx cowsay hi", [], ["npx cowsay", "npx other"]),
        ("curl -s https://x/*?a=[1]", [], ["curl -s https://x/y?a=1", "curl -s https://x/*?a=1"]),
        ("echo $HOME ~ \\n", [], ["echo /home/u ~ \\n", "echo $HOME ~ n"]),
        ("npm", [], ["npm install"]),
    ],
)
def test_commands(line: str, yes: list[str], no: list[str]) -> None:
    draft = suggest(Action(Kind.EXEC, line, argv=tuple(line.split())))
    assert [target for target in [line, *yes] if not allowed(draft, Kind.EXEC, target)] == []
    assert [target for target in no if allowed(draft, Kind.EXEC, target)] == []


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=1, max_size=20).filter(
        lambda b: b"\0" not in b and b"/" not in b and b not in (b".", b"..")
    )
)
def test_a_file_is_that_file_whatever_its_name(name: bytes) -> None:
    target = "/d/" + name.decode("utf-8", "surrogateescape")
    draft = suggest(Action(Kind.FS_WRITE, target))
    assert allowed(draft, Kind.FS_WRITE, target)
    assert not allowed(draft, Kind.FS_WRITE, target + "x")
    assert not allowed(draft, Kind.FS_WRITE, target + "/x")
    assert not allowed(draft, Kind.EXEC, target)


def test_a_rename_covers_both_ends() -> None:
    action = Action(Kind.FS_WRITE, "/d/new", origin="/d/old")
    ruling = rules(suggest(action)).rule(action)
    assert (ruling.decision, ruling.source) == (Decision.ALLOW, Source.RULE)


@pytest.mark.parametrize(
    ("target", "no"),
    [
        ("example.com:443", ["example.com:80", "www.example.com:443", "example.com.evil.com:443"]),
        ("[::1]:8080", ["[::1]:80", "[::2]:8080"]),
        ("127.0.0.1:80", ["127.0.0.2:80"]),
        ("udp://8.8.8.8:53", ["8.8.8.8:53"]),
        ("listen://127.0.0.1:0", ["127.0.0.1:0", "listen://0.0.0.0:0"]),
        ("unix:/run/a*b", ["unix:/run/axb"]),
        ("unix:@x$HOME", ["unix:@x/home/u"]),
    ],
)
def test_hosts(target: str, no: list[str]) -> None:
    draft = suggest(Action(Kind.NET_EGRESS, target))
    assert allowed(draft, Kind.NET_EGRESS, target)
    assert [other for other in no if allowed(draft, Kind.NET_EGRESS, other)] == []


def test_never_is_a_draft_too() -> None:
    draft = suggest(Action(Kind.EXEC, "curl x"), Decision.DENY)
    assert rules(draft).rule(Action(Kind.EXEC, "curl x")).decision is Decision.DENY


def test_the_drafts_text_is_what_a_person_would_write() -> None:
    assert suggest(Action(Kind.EXEC, "npm install chalk")).to_yaml() == [
        "  - match:",
        "      action: exec",
        "      target_glob:",
        '        - "npm install"',
        '        - "npm install *"',
        "    decision: allow",
        '    reason: "always, asked for: npm install chalk"',
    ]
