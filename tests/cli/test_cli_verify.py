"""``audit verify``: over the record of a real session."""

from __future__ import annotations

import json

import pytest
from cli_kit import World

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def recorded(world: World) -> World:
    script = "npm install a; npm install b; npm install c; true"
    done = world.agentgate("run", "--gate", "shim", "--enforce", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert world.audit.stat().st_size
    return world


def test_a_session_s_record_verifies_until_it_is_touched(recorded: World) -> None:
    lines = recorded.audit.read_bytes().splitlines(keepends=True)
    assert len(lines) >= 3
    done = recorded.agentgate("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(lines)} records of 1 session: as they were written\n"

    recorded.audit.write_bytes(b"".join(lines[:1] + lines[2:]))
    done = recorded.agentgate("audit", "verify")
    assert done.returncode == 1
    assert ":2: record 2 of session " in done.stdout
    assert "NOT as it was written: 1 faults" in done.stdout
    told = json.loads(recorded.agentgate("audit", "--json", "verify").stdout)
    assert (told["good"], told["faults"][0]["line"]) == (False, 2)

    recorded.audit.write_bytes(b"".join(lines[:-1]))
    done = recorded.agentgate("audit", "verify", "--json")
    assert done.returncode == 1
    assert "the last 1 record of session" in json.loads(done.stdout)["faults"][0]["what"]


def test_what_cannot_be_verified_is_said(recorded: World) -> None:
    key = recorded.home / ".local" / "state" / "agentgate" / "audit.key"
    key.unlink()
    done = recorded.agentgate("audit", "verify")
    assert done.returncode == 2
    assert done.stderr == f"agentgate: {key} is gone: the signatures cannot be checked\n"
    done = recorded.agentgate("audit", "verify", "--audit", "nothing")
    assert done.returncode == 2
    assert "no audit log yet" in done.stderr
