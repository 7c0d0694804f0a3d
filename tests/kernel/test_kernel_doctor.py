"""The doctor as every user: what it finds is what this user's session would have."""

from __future__ import annotations

import sys

from harness import World


def test_every_user_is_told_what_holds(worlds: World) -> None:
    result = worlds.bare(sys.executable, "-m", "agentgate", "doctor", "--json", seconds=60)
    data = result.json
    assert (result.status, data["ok"]) == (0, True), data["verdict"]
    assert data["facts"]["uid"] == worlds.uid
    [row] = [row for row in data["rows"] if row["promise"].startswith("Root")]
    assert row["grade"] == "holds" and ("not root" in row["why"]) == bool(worlds.uid)
    assert {name for name, one in data["facts"]["drill"].items() if not one["ok"]} <= {"reads"}


def test_within_a_session_it_asks_for_nothing(worlds: World) -> None:
    """Its first probe tells that it is inside; nothing is tried that would have to be decided."""
    result = worlds.run(sys.executable, "-m", "agentgate", "doctor", "--json", seconds=60)
    assert result.status == 1 and "inside an agentgate session" in result.json["verdict"]
    assert result.targets == []
