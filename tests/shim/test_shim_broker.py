"""The broker's socket: who may speak, what is understood, and that nothing but an allow is an allow."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from shim_agent import PATIENCE, make_gate

from agentgate.actions import Action, Ruling, Verdict
from agentgate.gate.broker import Broker
from agentgate.gate.command import Places
from agentgate.gate.decide import Decider
from agentgate.gate.entrance import Entrance
from agentgate.gate.events import Asked, Hub, Notice, Withdrawn
from agentgate.gate.gate import Gate
from agentgate.gate.guards import Guards
from agentgate.gate.private import private_directory
from agentgate.gate.request import LIMIT
from agentgate.gate.secrets import Secrets


@contextlib.asynccontextmanager
async def running(gate: Gate) -> AsyncIterator[Broker]:
    broker = Broker(Entrance(gate, "test"))
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()


class Client:
    def __init__(self, broker: Broker) -> None:
        self.env = broker.environment()

    async def __aenter__(self) -> Client:
        self.reader, self.writer = await asyncio.open_unix_connection(self.env["AGENTGATE_SOCKET"])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def request(self, **changes: Any) -> bytes:
        good = {
            "token": self.env["AGENTGATE_TOKEN"],
            "kind": "exec",
            "program": "/usr/bin/npm",
            "argv": ["npm", "install"],
            "cwd": "/",
        }
        return json.dumps(
            {key: value for key, value in {**good, **changes}.items() if value is not None}
        ).encode()

    async def say(self, line: bytes) -> dict[str, str]:
        with contextlib.suppress(ConnectionError):
            self.writer.write(line + b"\n")
            await self.writer.drain()
        return await self.reply()

    async def reply(self) -> dict[str, str]:
        line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        reply: dict[str, str] = json.loads(line)
        return reply


def gate(policy: str = "default: allow") -> Gate:
    return make_gate(policy, Path("/nonexistent/project"))


async def test_only_its_user_can_reach_the_socket() -> None:
    async with running(gate()) as broker:
        path = Path(broker.environment()["AGENTGATE_SOCKET"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.parent.stat().st_uid == os.geteuid()
    assert not path.parent.exists()


async def test_what_a_killed_session_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    base = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))  # short enough for a socket
    try:
        env = {"XDG_RUNTIME_DIR": str(base)}
        live, dead, young, foreign = (Path(private_directory(env)) for _ in range(4))
        listening = []
        for place in (live, dead, young):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(place / "gate.sock"))
            listener.listen()
            listening.append(listener)
        for place in (live, dead, foreign):
            os.utime(place, (0, 0))
        listening[1].close()
        listening[2].close()
        new = Path(private_directory(env))
        assert set(base.iterdir()) == {live, young, foreign, new}
        listening[0].close()
    finally:
        shutil.rmtree(base)


async def test_a_connection_carries_several_requests_in_order() -> None:
    policy = """
default: allow
rules:
  - match: {target_glob: "npm b"}
    decision: deny
"""
    async with running(gate(policy)) as broker, Client(broker) as client:
        lines = [client.request(argv=["npm", word]) for word in "abc"]
        client.writer.write(b"\n".join(lines) + b"\n")
        replies = [await client.reply() for _ in lines]
    assert [reply["verdict"] for reply in replies] == ["allow", "deny", "allow"]
    assert replies[1]["message"] == "agentgate: denied exec npm b (rule 1 (line 4))"


BAD: list[tuple[str, dict[str, Any]]] = [
    ("token", {"token": None}),
    ("token", {"token": "x"}),
    ("token", {"token": ""}),
    ("token", {"token": "\udcff\ud800"}),
    ("token", {"token": 7}),
    ("kind", {"kind": "fs_write"}),
    ("kind", {"kind": None}),
    ("absolute path", {"program": "npm"}),
    ("absolute path", {"program": None}),
    ("argv", {"argv": []}),
    ("argv", {"argv": "npm"}),
    ("argv", {"argv": ["npm", 1]}),
    ("cwd", {"cwd": 1}),
    ("NUL", {"argv": ["npm", "a\0b"]}),
    ("surrogate", {"argv": ["npm", "\ud800"]}),
]


@pytest.mark.parametrize(("what", "changes"), BAD)
async def test_a_wrong_request_is_denied_and_cut_off(what: str, changes: dict[str, Any]) -> None:
    the_gate = gate()
    events = the_gate.hub.subscribe()
    async with running(the_gate) as broker, Client(broker) as client:
        reply = await client.say(client.request(**changes))
        assert reply["verdict"] == "deny" and what in reply["why"]
        assert await client.reader.read() == b""
    told = [events.get_nowait() for _ in range(events.qsize())]
    assert len(told) == 1 and isinstance(told[0], Notice) and what in told[0].text


@pytest.mark.parametrize(
    "line", [b"", b"allow", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b'{"token": ', b"\0" * 100]
)
async def test_what_is_not_a_request_is_denied_and_cut_off(line: bytes) -> None:
    async with running(gate()) as broker, Client(broker) as client:
        reply = await client.say(line)
        assert reply["verdict"] == "deny" and "JSON" in reply["why"]
        assert await client.reader.read() == b""


async def test_a_request_without_end_is_denied_and_not_kept() -> None:
    async with running(gate()) as broker, Client(broker) as client:
        reply = await client.say(client.request(argv=["npm", "x" * (LIMIT + 1)]))
        assert reply["verdict"] == "deny" and str(LIMIT) in reply["why"]
    async with running(gate()) as broker, Client(broker) as client:  # just below, it is answered
        assert (await client.say(client.request(argv=["npm", "x" * (LIMIT - 500)])))["verdict"] == "allow"


class Failing:
    def on(self, action: Action, target: str) -> Ruling:
        raise RuntimeError("the rules \x1b[31m broke")

    def reading(self, action: Action, target: str) -> Ruling:
        return self.on(action, target)

    def closed_below(self, directory: str) -> bool:
        return True


async def test_an_error_in_the_gate_is_a_deny() -> None:
    broken = Gate(Decider(Failing(), Guards(home="/h", project="/p"), Secrets(home="/h")), Hub())
    async with running(broken) as broker, Client(broker) as client:
        reply = await client.say(client.request())
    assert reply["verdict"] == "deny"
    assert reply["why"] == "the gate failed: RuntimeError: the rules \\x1b[31m broke"


@pytest.mark.parametrize("how", ["close", "half", "broker"])
async def test_a_client_that_goes_away_withdraws_its_question(how: str) -> None:
    asking = gate("default: ask")
    events = asking.hub.subscribe()
    async with running(asking) as broker, Client(broker) as client:
        client.writer.write(client.request() + b"\n")
        asked = await asyncio.wait_for(events.get(), PATIENCE)
        assert isinstance(asked, Asked) and asked.ask.action.target == "npm install"
        assert asked.ask.action.pid == os.getpid() or not asked.ask.action.chain
        if how == "close":
            client.writer.close()
        elif how == "half":
            client.writer.write_eof()
        else:
            await broker.close()
        gone = await asyncio.wait_for(events.get(), PATIENCE)
        assert isinstance(gone, Withdrawn) and gone.ask == asked.ask
        assert len(asking) == 0
        if how != "close":
            with contextlib.suppress(ConnectionError):
                assert await client.reader.read() == b""


async def test_the_asking_process_is_the_kernels_word() -> None:
    """The request names no process; the record has the one that connected, its cwd, and its ancestors."""
    asking = gate("default: ask")
    events = asking.hub.subscribe()
    async with running(asking) as broker:
        code = (
            "import json,os,socket,sys\n"
            "s=socket.socket(socket.AF_UNIX); s.connect(os.environ['AGENTGATE_SOCKET'])\n"
            "r={'token':os.environ['AGENTGATE_TOKEN'],'kind':'exec','program':'/usr/bin/npm','argv':['x','ci'],\n"
            "   'cwd':'/claimed','pid':1,'chain':[]}\n"
            "s.sendall(json.dumps(r).encode()+b'\\n'); print(s.recv(9999))\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, env={**os.environ, **broker.environment()}, cwd="/usr"
        )
        asked = await asyncio.wait_for(events.get(), PATIENCE)
        assert isinstance(asked, Asked)
        action = asked.ask.action
        assert (action.target, action.pid, action.cwd) == ("npm ci", process.pid, "/usr")
        assert [step.pid for step in action.chain] == [process.pid] and action.chain[0].start
        asking.answer(asked.ask.number, Verdict.DENY)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
async def test_another_user_is_refused_even_with_the_token(tmp_path: Path) -> None:
    async with running(gate()) as broker:
        path = broker.environment()["AGENTGATE_SOCKET"]
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o666)
        client = Client(broker)
        code = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        code += "try: s.sendall(sys.argv[2].encode()+b'\\n')\nexcept OSError: pass\n"
        code += "print(s.makefile().readline())"
        request = client.request().decode()
        reply = await asyncio.to_thread(
            lambda: subprocess.run(
                ["/usr/bin/python3", "-c", code, path, request],
                user=65534,
                group=65534,
                extra_groups=[],
                capture_output=True,
                timeout=30,
                check=True,
            )
        )
        assert json.loads(reply.stdout)["verdict"] == "deny"
        assert "user 65534" in reply.stdout.decode()


def test_bare_names_are_for_programs_where_the_agent_cannot_write(tmp_path: Path) -> None:
    project = tmp_path / "project"
    tools = tmp_path / "tools"
    for place in (project, tools):
        place.mkdir()
        (place / "npm").touch()
    (tools / "link").symlink_to(project / "npm")
    (tmp_path / "way").symlink_to(tools)
    places = Places.of(f"{tmp_path}/way:relative:{project}", [str(project)])
    assert places.target("/usr/bin/npm", ["./evil", "ci"]) == "npm ci"
    assert places.word(f"{tools}/npm") == "npm"
    assert places.word(f"{tmp_path}/way/npm") == "npm"
    assert places.word(f"{project}/npm") == f"{project}/npm"
    assert places.word(f"{tools}/link") == f"{tools}/link"  # what runs can be written
    assert places.word("/home/x/bin/npm") == "/home/x/bin/npm"
    assert places.word("/usr/../tmp/npm") == "/tmp/npm"
    assert places.word("/usrlocal/npm") == "/usrlocal/npm"


async def test_many_clients_at_once_are_each_answered() -> None:
    async with running(gate()) as broker:

        async def one(number: int) -> str:
            async with Client(broker) as client:
                return (await client.say(client.request(argv=["npm", str(number)])))["verdict"]

        assert set(await asyncio.gather(*map(one, range(200)))) == {"allow"}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(broker.environment()["AGENTGATE_SOCKET"])
        connection.close()  # says nothing at all
        async with Client(broker) as client:
            assert (await client.say(client.request()))["verdict"] == "allow"
