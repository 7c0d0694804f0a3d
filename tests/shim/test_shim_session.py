"""A whole session on the portable gate: policy file, questions, proxy, audit log, end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from shim_agent import PATIENCE, World, alive

from agentgate.actions import Kind, Verdict
from agentgate.gate.events import AgentEnded, Ask, Asked, Event
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings

POLICY = """
default: allow
rules:
  - match: {action: exec, target_glob: "*npm install*"}
    decision: ask
    reason: "looked at"
  - match: {action: net_egress}
    decision: ask
"""

FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=30).read().decode())"


def settings(world: World, *command: str, **more: object) -> Settings:
    (world.project / "policy.yaml").write_text(POLICY)
    return Settings(
        command=command,
        agent="test",
        project=world.project,
        audit=world.project / ".agentgate" / "audit.jsonl",
        gate=GateChoice.SHIM,
        env=world.env(),
        **more,  # type: ignore[arg-type]
    )


async def start(world: World, session: Session) -> None:
    with (
        open(os.devnull, "rb") as given,
        open(world.base / "out", "wb") as out,
        open(world.base / "err", "wb") as err,
    ):
        await session.start((given.fileno(), out.fileno(), err.fileno()), controlling=False)


async def asked(queue: asyncio.Queue[Event]) -> Ask:
    async with asyncio.timeout(PATIENCE):
        while True:
            event = await queue.get()
            if isinstance(event, Asked):
                return event.ask


def audit(world: World) -> list[tuple[str, str, str, str]]:
    lines = (world.project / ".agentgate" / "audit.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["gate"], row["action"], row["target"].split("/")[-1], row["verdict"]) for row in rows]


async def test_a_session_asks_for_commands_and_connections(world: World) -> None:
    served = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    world.tool("npm", "#!/bin/sh\ntouch ran-$2\n")
    (world.project / "fetch.py").write_text(FETCH)
    fetch = f"{sys.executable} fetch.py http://127.0.0.1:{port}/ 2>&1 | tail -n 1"
    script = f"npm install chalk; npm install evil; echo $?; npm test; {fetch}; {fetch}; exit 5"
    session = Session(settings(world, "sh", "-c", script))
    queue = session.hub.subscribe()
    await start(world, session)
    try:
        assert session.gate_kind == "shim"
        chalk = await asked(queue)
        assert chalk.action.target.endswith("npm install chalk") and chalk.action.intent
        assert session.gate.answer(chalk.number, Verdict.ALLOW)
        assert session.gate.answer((await asked(queue)).number, Verdict.DENY)
        connection = await asked(queue)
        assert (connection.action.kind, connection.action.target) == (Kind.NET_EGRESS, f"127.0.0.1:{port}")
        assert not served
        assert session.gate.answer(connection.number, Verdict.DENY)
        assert session.gate.answer((await asked(queue)).number, Verdict.ALLOW)
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 5
        async with asyncio.timeout(PATIENCE):
            while (event := await queue.get()) != AgentEnded(5, "test"):
                assert not isinstance(event, Asked)
    finally:
        await asyncio.wait_for(session.close(), PATIENCE)
        server.close()
    lines = world.out.decode().splitlines()
    assert lines[0] == "126" and "403" in lines[1] and lines[2] == "hello"
    assert len(served) == 1
    assert (world.project / "ran-chalk").exists() and not (world.project / "ran-evil").exists()
    assert [row for row in audit(world) if row[2].startswith(("npm", "127"))] == [
        ("shim", "exec", "npm install chalk", "allow"),
        ("shim", "exec", "npm install evil", "deny"),
        ("shim", "exec", "npm test", "allow"),
        ("proxy", "net_egress", f"127.0.0.1:{port}", "deny"),
        ("proxy", "net_egress", f"127.0.0.1:{port}", "allow"),
    ]


async def test_closing_a_session_denies_what_is_pending(world: World) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    session = Session(settings(world, "sh", "-c", "npm install a; sleep 100"))
    queue = session.hub.subscribe()
    await start(world, session)
    ask = await asked(queue)
    await asyncio.wait_for(session.close(), PATIENCE)
    assert not alive(ask.action.pid)
    assert not (world.project / "ran").exists()
    assert audit(world)[-1][3] == "deny"


async def test_two_agents_ask_by_sockets_of_their_own_and_end_alone(world: World) -> None:
    """Each question says whose it is; with one agent its shims, its stray processes and its questions go, the
    other's stay and are answered."""
    world.tool("npm", "#!/bin/sh\ntouch ran-$2\n")
    script = "(setsid sleep 100 & echo $! > stray-NAME); npm install NAME; sleep 100"
    session = Session(settings(world, "sh", "-c", script.replace("NAME", "a")))
    queue = session.hub.subscribe()
    await start(world, session)
    try:
        kept = await asked(queue)
        run = session.prepare(("sh", "-c", script.replace("NAME", "b")))
        with open(os.devnull, "r+b") as null:
            await session.add(run, (null.fileno(),) * 3, controlling=False)
        gone = await asked(queue)
        assert (kept.agent, gone.agent) == ("test", "test-2")
        stray = {name: int((world.project / f"stray-{name}").read_text()) for name in "ab"}
        await asyncio.wait_for(session.remove("test-2"), PATIENCE)
        assert not alive(stray["b"]) and not alive(gone.action.pid)
        assert alive(stray["a"]) and [ask.number for ask in session.gate] == [kept.number]
        session.gate.answer(kept.number, Verdict.ALLOW)
        async with asyncio.timeout(PATIENCE):
            while not (world.project / "ran-a").exists():
                await asyncio.sleep(0.01)
    finally:
        await asyncio.wait_for(session.close(), PATIENCE)
    assert not alive(stray["a"]) and not (world.project / "ran-b").exists()


async def test_a_session_that_enforces_denies_instead_of_asking(world: World) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    session = Session(settings(world, "sh", "-c", "npm install a", enforce=True))
    await start(world, session)
    try:
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 126
    finally:
        await asyncio.wait_for(session.close(), PATIENCE)
    assert "enforce" in world.err and not (world.project / "ran").exists()


async def test_a_changed_policy_is_in_force_at_the_next_command(world: World) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran-$1\n")
    script = "npm one; until [ -e go ]; do sleep 0.05; done; npm two; exit 0"
    session = Session(settings(world, "sh", "-c", script))
    await start(world, session)
    try:
        async with asyncio.timeout(PATIENCE):
            while not (world.project / "ran-one").exists():
                await asyncio.sleep(0.01)
        (world.project / "policy.yaml").write_text("default: deny")
        session.use(session.policy_file.load())
        (world.project / "go").touch()
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 0
    finally:
        await asyncio.wait_for(session.close(), PATIENCE)
    assert not (world.project / "ran-two").exists() and "denied exec" in world.err


@pytest.mark.parametrize("command", ["no-such-agent", "./no-such-agent"])
async def test_a_session_of_an_agent_that_does_not_exist_says_so(world: World, command: str) -> None:
    session = Session(settings(world, command))
    with pytest.raises(FileNotFoundError, match="no such program"):
        await start(world, session)
    await asyncio.wait_for(session.close(), PATIENCE)
    assert not list(Path(world.base).glob("agentgate-*"))


async def test_the_proxy_is_no_use_to_who_does_not_know_the_secret(world: World) -> None:
    """Here a client cannot be told from any other program of this machine, but for its environment."""
    code = "import os, time; print(os.environ['HTTPS_PROXY'], flush=True); time.sleep(30)"
    session = Session(settings(world, sys.executable, "-c", code))
    await start(world, session)
    try:
        assert session.proxy
        known = f"http://agentgate:{session.proxy.house.secret}@127.0.0.1:{session.proxy.port}"
        async with asyncio.timeout(PATIENCE):
            while not (said := (world.base / "out").read_text()):
                await asyncio.sleep(0.02)
        assert said.strip() == known and len(session.proxy.house.secret) == 32
        reader, writer = await asyncio.open_connection("127.0.0.1", session.proxy.port)
        writer.write(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 407 ")
        writer.close()
        assert not list(session.gate)
    finally:
        await session.close()
