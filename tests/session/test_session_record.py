"""The record of a session: every decision once, with why, by whom, how long it waited."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from session_kit import PATIENCE, Desk

from agentgate.actions import Verdict

FETCH = """
import urllib.request, sys
through = urllib.request.ProxyHandler({"http": sys.argv[1]})
try:
    urllib.request.build_opener(through).open(sys.argv[2], timeout=20)
except Exception as error:
    print(error)
"""
NET = f"""\
default: deny
rules:
  - match: {{action: exec, target_glob: ["sh *", "{sys.executable} *", "python3* *"]}}
    decision: allow
  - match: {{action: net_egress}}
    decision: ask
    reason: who is that
"""


async def test_every_decision_is_one_line(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    script = "ls a; cp a b; cp a c; mv a d; echo x > e; exit 3"
    async with desk.running(script) as session:
        first = await desk.asked()
        await asyncio.sleep(0.15)
        session.gate.answer(first.number, Verdict.ALLOW)
        second = await desk.asked()
        session.gate.answer(second.number, Verdict.DENY, note="one copy is enough")
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 3
    rows = desk.record()
    assert [
        (row["action"], row["target"].removeprefix(f"{desk.project}/"), row["decision"], row["verdict"],
         row["source"], row["rule"])
        for row in rows
    ] == [
        ("exec", f"sh -c {script}", "allow", "allow", "operator", None),
        ("exec", "ls a", "allow", "allow", "rule", 1),
        ("exec", "cp a b", "ask", "allow", "operator", 2),
        ("fs_write", "b", "allow", "allow", "rule", 4),
        ("exec", "cp a c", "ask", "deny", "operator", 2),
        ("exec", "mv a d", "deny", "deny", "rule", 3),
        ("fs_write", "e", "allow", "allow", "rule", 4),
    ]  # fmt: skip
    assert len(rows) == desk.decisions()
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert {(row["session"], row["agent"], row["gate"]) for row in rows} == {(session.id, "test", "kernel")}
    assert 150 <= rows[2]["waited_ms"] < PATIENCE * 1000
    assert {row["waited_ms"] for row in rows if row["decision"] != "ask"} == {0}
    assert rows[4]["note"] == "one copy is enough"
    assert rows[2]["reason"] == "every copy is looked at" and rows[2]["rule_line"] == 9
    assert all(
        row["intent"] for row in rows if row["action"] == "exec" and row["target"] != f"sh -c {script}"
    )
    assert "one copy is enough" in desk.err


async def test_the_chain_goes_from_who_acts_up_to_the_agent(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("sh -c 'sh -c \"cp a b; :\"; :'; exit 0") as session:
        ask = await desk.asked()
        session.gate.answer(ask.number, Verdict.ALLOW)
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 0
    (copy,) = [row for row in desk.record() if row["target"] == "cp a b"]
    commands = [" ".join(process["argv"]) for process in copy["chain"]]
    assert commands[0].endswith("cp a b; :") and commands[-1].startswith("sh -c sh -c")
    assert len({process["pid"] for process in copy["chain"]}) == len(commands)
    assert all(process["start"] and process["exe"] for process in copy["chain"])
    assert os.path.isabs(copy["cwd"]) and copy["cwd"] == str(desk.project)
    (written,) = [row for row in desk.record() if row["action"] == "fs_write"]
    assert " ".join(written["chain"][0]["argv"]) == "cp a b"


async def test_what_still_waits_at_the_end_is_on_record_as_denied(desk: Desk) -> None:
    async with desk.running("cp a b") as session:
        await desk.asked()
        await asyncio.wait_for(session.close(), PATIENCE)
    last = desk.record()[-1]
    assert (last["target"], last["decision"], last["verdict"], last["source"]) == (
        "cp a b",
        "ask",
        "deny",
        "gate",
    )
    assert last["note"] == "the session ended"
    assert not (desk.project / "b").exists()


async def test_connections_by_the_proxy_are_on_the_same_record(desk: Desk) -> None:
    """Decided by name at the proxy, with the process behind it, as well as by address at connect()."""
    desk.policy.write_text(NET)
    (desk.project / "fetch.py").write_text(FETCH)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = f'{sys.executable} fetch.py "$http_proxy" http://host.invalid:{port}/; exit 0'
        async with desk.running(command) as session:
            ask = await desk.asked()
            session.gate.answer(ask.number, Verdict.DENY)
            assert await asyncio.wait_for(session.wait(), PATIENCE) == 0
    rows = [row for row in desk.record() if row["action"] == "net_egress"]
    assert [(row["gate"], row["target"], row["verdict"]) for row in rows] == [
        ("proxy", f"host.invalid:{port}", "deny")
    ]
    assert "fetch.py" in " ".join(rows[0]["chain"][0]["argv"])
    assert len(desk.record()) == desk.decisions()
