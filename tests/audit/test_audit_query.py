"""A filter as words: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from agentgate.audit.query import BadFilter, Field, Filter, Want

NOW = 1_795_440_000.0


@pytest.mark.parametrize(
    ("line", "wants"),
    [
        ("", ()),
        ("  ", ()),
        ("deny", (Want(Field.VERDICT, "deny"),)),
        ("ask allow", (Want(Field.DECISION, "ask"), Want(Field.VERDICT, "allow"))),
        ("write net", (Want(Field.ACTION, "fs_write"), Want(Field.ACTION, "net_egress"))),
        ("action:read kind:exec", (Want(Field.ACTION, "fs_read"), Want(Field.ACTION, "exec"))),
        ("deny host:github.com !npm", (
            Want(Field.VERDICT, "deny"), Want(Field.HOST, "github.com"), Want(Field.TEXT, "npm", True),
        )),
        ("!by:npm program:node process:12", (
            Want(Field.PROCESS, "npm", True), Want(Field.PROCESS, "node"), Want(Field.PROCESS, "12"),
        )),
        ("since:10m until:2d", (Want(Field.SINCE, NOW - 600), Want(Field.UNTIL, NOW - 172800))),
        ('"two words" "deny" text:"exec it"', (
            Want(Field.TEXT, "two words"), Want(Field.TEXT, "deny"), Want(Field.TEXT, "exec it"),
        )),
        ('"not closed', (Want(Field.TEXT, "not closed"),)),
        ("github.com:443 https://x.y udp://a:1 !", (
            Want(Field.TEXT, "github.com:443"), Want(Field.TEXT, "https://x.y"), Want(Field.TEXT, "udp://a:1"),
        )),
        ("path:/etc session:ab agent:claude", (
            Want(Field.PATH, "/etc"), Want(Field.SESSION, "ab"), Want(Field.AGENT, "claude"),
        )),
    ],
)  # fmt: skip
def test_a_line_of_words(line: str, wants: tuple[Want, ...]) -> None:
    assert Filter.parse(line, NOW).wants == wants


def test_a_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert Filter.parse("path:~/.ssh", NOW).wants == (Want(Field.PATH, "/home/me/.ssh"),)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("host:", "host: needs a value"),
        ("verdict:maybe", "verdict: unknown word 'maybe' (allow, deny)"),
        ("action:\x1b[2J", "action: unknown word '\\\\x1b[2J' (exec, "),
        ("since:soon", "since: not a time: 'soon' (write 30m, "),
        ("hots:github.com", "no key 'hots': host:? (quotes around it make it a text)"),
    ],
)
def test_what_means_nothing_is_said_in_one_line(line: str, said: str) -> None:
    with pytest.raises(BadFilter) as caught:
        Filter.parse(line, NOW)
    assert str(caught.value).startswith(said) and str(caught.value).isprintable()
