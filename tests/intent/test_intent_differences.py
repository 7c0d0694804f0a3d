"""Where a command's words and what is observed of it differ."""

from __future__ import annotations

import pytest

from agentgate.actions import Action, Kind
from agentgate.intent.differences import differences

LOOKS = "says it only looks, but "
UNNAMED = "not named in the command"


def found(command: str, kind: Kind, target: str, claim: str = "", origin: str = "") -> str:
    action = Action(kind, target, cwd="/home/me/project", origin=origin)
    return "; ".join(differences(("bash", "-c", command), claim, action))


@pytest.mark.parametrize(
    ("command", "claim", "kind", "target", "said"),
    [
        ("ls -la src", "", Kind.FS_WRITE, "/home/me/project/src/a", LOOKS + "changes a file"),
        ("ls -la", "", Kind.NET_EGRESS, "evil.example:443", LOOKS + "connects; " + UNNAMED),
        ("python3 x.py", "List files", Kind.NET_EGRESS, "evil.example:443", LOOKS + "connects; " + UNNAMED),
        ("cat notes", "", Kind.FS_READ, "/home/me/.ssh/id_ed25519", LOOKS + "reads a secret; " + UNNAMED),
        ("make", "build it", Kind.FS_WRITE, "/home/me/.bashrc", UNNAMED),
        ("npm install chalk", "", Kind.NET_EGRESS, "evil.example:443", UNNAMED),
        ("npm test", "", Kind.EXEC, "/tmp/x/payload --quiet", UNNAMED),
        ("curl https://a.example", "", Kind.NET_EGRESS, "10.0.0.1:80", UNNAMED),
    ],
)
def test_a_difference_is_said(command: str, claim: str, kind: Kind, target: str, said: str) -> None:
    assert found(command, kind, target, claim) == said


@pytest.mark.parametrize(
    ("command", "kind", "target"),
    [
        ("touch a", Kind.FS_WRITE, "/home/me/project/a"),
        ("make", Kind.FS_WRITE, "/home/me/project/out/a.o"),
        ("curl https://api.example/x", Kind.NET_EGRESS, "api.example:443"),
        ("git clone https://github.com/a/b", Kind.NET_EGRESS, "codeload.github.com:443"),
        ("curl http://10.0.0.1/", Kind.NET_EGRESS, "10.0.0.1:80"),
        ("echo x >> ~/.bashrc && make", Kind.FS_WRITE, "/home/me/.bashrc"),
        ("/tmp/x/payload --quiet", Kind.EXEC, "/tmp/x/payload --quiet"),
        ("npm test", Kind.EXEC, "node test.js"),
        ("docker ps --host /run/docker.sock", Kind.NET_EGRESS, "unix:/run/docker.sock"),
    ],
)
def test_what_the_words_say_is_no_difference(command: str, kind: Kind, target: str) -> None:
    assert found(command, kind, target) == ""


def test_both_ends_of_a_rename_must_be_named() -> None:
    assert found("mv a b", Kind.FS_WRITE, "/home/me/project/b", origin="/home/me/.bashrc") == UNNAMED


def test_nothing_raises() -> None:
    for command in ((), ("",), ("\udcff",), ("bash", "-c", "'")):
        for kind in Kind:
            differences(command, "", Action(kind, ""))
