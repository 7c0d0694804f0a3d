"""The app's side of a test run, in a process of its own: real sessions behind the kernel gate, told over
standard input what to run and how to answer, telling over standard output what happens (JSON lines).

A process of its own so that tests can run it as another user, and kill it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from agentgate.actions import Source, Verdict
from agentgate.gate import events
from agentgate.policy.load import load_text
from agentgate.session import Session
from agentgate.settings import GateChoice, SecretsChoice, Settings


def say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def settings(order: dict[str, Any]) -> Settings:
    return Settings(
        tuple(order["command"]),
        "test",
        Path(order["project"]),
        Path(order["audit"]),
        policy=order["policy"],
        gate=GateChoice.KERNEL,
        enforce=order["enforce"],
        network=order["network"],
        keep=order["keep"],
        secrets=SecretsChoice(order.get("secrets", "ask")),
        undo=order.get("undo", True),
        env=order["env"],
    )


def tell(event: events.Event) -> None:
    match event:
        case events.Asked(ask):
            ruling = ask.ruling.to_wire()
            say(ev="ask", number=ask.number, action=ask.action.to_wire(), ruling=ruling, gate=ask.gate)
        case events.Withdrawn(ask):
            say(ev="withdrawn", number=ask.number)
        case events.Decided(records):
            rows = [record.to_json(session="t", agent="t", number=0) for record in records]
            say(ev="records", rows=rows)
        case events.GateLost(reason):
            say(ev="lost", reason=reason)
        case events.Notice(text, urgent):
            say(ev="notice", text=text, urgent=urgent)
        case events.AgentLeft(status, left):
            say(ev="left", status=status, left=left)
        case events.AgentEnded(status):
            say(ev="ended", status=status)


class Terminal:
    """A pty whose output goes to a file, and which types what it is told."""

    def __init__(self, out: str) -> None:
        self.master, self.slave = os.openpty()
        self._file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        try:
            os.write(self._file, os.read(self.master, 65536))
        except OSError:
            asyncio.get_running_loop().remove_reader(self.master)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        for descriptor in (self.master, self.slave, self._file):
            os.close(descriptor)


async def serve(order: dict[str, Any], orders: asyncio.Queue[dict[str, Any]]) -> None:
    session = Session(settings(order))
    queue = session.hub.subscribe()
    terminal = Terminal(order["out"]) if order["pty"] else None
    if terminal:
        stdio = (terminal.slave,) * 3
    else:
        made = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        stdio = (
            os.open(order["in"], os.O_RDONLY),
            os.open(order["out"], made, 0o600),
            os.open(order["err"], made, 0o600),
        )

    async def listen() -> None:
        while True:
            tell(await queue.get())

    listening = asyncio.create_task(listen())
    try:
        pid = await session.start(stdio, controlling=terminal is not None)
        if not terminal:
            for descriptor in set(stdio):
                os.close(descriptor)
        warden = session.backend._process.pid  # type: ignore[union-attr]
        say(ev="started", pid=pid, warden=warden, app=os.getpid())
        while (order := await orders.get())["op"] != "close":
            if order["op"] == "answer":
                verdict, source = Verdict(order["verdict"]), Source.OPERATOR
                say(ev="answered", done=session.gate.answer(order["number"], verdict, source, order["note"]))
            elif order["op"] == "policy":
                session.use(load_text(order["text"], "test"))
            elif order["op"] == "type" and terminal:
                os.write(terminal.master, order["text"].encode())
    except Exception as error:
        say(ev="failed", error=type(error).__name__, text=str(error))
    finally:
        await session.close()
        await asyncio.sleep(0)
        while not queue.empty():
            tell(queue.get_nowait())
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        if terminal:
            terminal.close()
        say(ev="closed", held=session.backend.held if session.backend else 0)  # type: ignore[attr-defined]


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    serving: asyncio.Task[None] | None = None
    say(ev="ready")
    while line := await reader.readline():
        order = json.loads(line)
        if order["op"] == "run":
            if serving:
                await serving
            orders = asyncio.Queue()
            serving = asyncio.create_task(serve(order, orders))
        else:
            orders.put_nowait(order)
    if serving and not serving.done():
        orders.put_nowait({"op": "close"})
        await serving


if __name__ == "__main__":
    asyncio.run(main())
