"""Several agents in one session: each behind a kernel gate of its own, one queue, one record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
from dataclasses import replace

import pytest
from session_kit import PATIENCE, Desk, alive, children, open_files, until

from agentgate.actions import Verdict
from agentgate.agent import AgentRun
from agentgate.gate.events import AgentEnded, AgentStarted, GateLost
from agentgate.intercept.backend import GateUnavailable
from agentgate.policy.model import Policy
from agentgate.policy.spans import Span
from agentgate.settings import GateChoice

POLICY = """\
default: deny
rules:
  - match: {action: exec, target_glob: ["cp *", "mv *"]}
    decision: ask
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: "**/held*"}
    decision: ask
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
  - match: {action: net_egress}
    decision: ask
"""


@pytest.fixture
def room(desk: Desk) -> Desk:
    desk.policy.write_text(POLICY)
    return desk


async def ended(desk: Desk, name: str) -> int:
    event = await desk.heard(lambda event: isinstance(event, AgentEnded) and event.agent == name)
    assert isinstance(event, AgentEnded)
    return event.status


def warden(run: AgentRun) -> int:
    return run.backend._process.pid  # type: ignore[union-attr]


async def test_two_agents_one_queue_one_record(room: Desk) -> None:
    """Both are held, each question says whose it is, and so does each line of the record."""
    async with room.running("cp policy.yaml a; echo x > one; sleep 1000") as session:
        first = await room.asked()
        second = await room.add(session, "cp policy.yaml b; echo x > two; exit 3")
        other = await room.asked()
        assert [run.name for run in session.agents] == ["test", "test-2"] and second.name == "test-2"
        assert (first.agent, other.agent) == ("test", "test-2") and first.number < other.number
        assert not (room.project / "a").exists() and not (room.project / "b").exists()
        session.gate.answer(other.number, Verdict.ALLOW)
        assert await ended(room, "test-2") == 3
        assert (room.project / "b").exists() and not (room.project / "a").exists()
        session.gate.answer(first.number, Verdict.DENY)
        await until((room.project / "one").exists)
    rows = [(row["agent"], row["target"]) for row in room.record()]
    for name, file in (("test", "one"), ("test-2", "two")):
        assert (name, str(room.project / file)) in rows
    assert ("test", "cp policy.yaml a") in rows and ("test-2", "cp policy.yaml b") in rows
    assert {name for name, _ in rows} == {"test", "test-2"}
    assert [row["id"] for row in room.record()] == list(range(1, len(rows) + 1))
    started = [event.agent for event in room.all_events() if isinstance(event, AgentStarted)]
    assert started == ["test", "test-2"]


async def test_what_one_was_allowed_the_other_is_asked_about(room: Desk) -> None:
    script = "for n in 1 2; do echo $n >> held; done; sleep 1000"
    async with room.running(script) as session:
        ask = await room.asked()
        session.gate.answer(ask.number, Verdict.ALLOW)
        held = room.project / "held"
        await until(lambda: held.exists() and held.read_text() == "1\n2\n")
        await room.add(session, script)
        again = await room.asked()
        assert (again.agent, again.action.target) == ("test-2", ask.action.target)
        assert held.read_text() == "1\n2\n"


async def test_an_answer_for_the_session_holds_for_all_agents_also_later_ones(room: Desk) -> None:
    script = "until test -e go; do sleep 0.05; done; cp policy.yaml NAME; sleep 1000"
    async with room.running("cp policy.yaml first; sleep 1000") as session:
        ask = await room.asked()
        await room.add(session, script.replace("NAME", "second"))
        draft = replace(session.draft(ask), targets=("cp policy.yaml *",))
        session.answering.give(ask, draft, Span.SESSION)
        (room.project / "go").touch()
        await until((room.project / "second").exists)
        await room.add(session, script.replace("NAME", "third"))
        await until((room.project / "third").exists)
        assert room.asks() == ["cp policy.yaml first"]


async def test_with_its_warden_one_agent_ends_and_the_other_goes_on(room: Desk) -> None:
    """The lost one's questions are denied, its tree ends - what has left its session too - and the other is
    held and answered as before."""
    script = "(setsid sh -c 'echo $$ > NAME.away; sleep 1000' &); cp policy.yaml NAME; sleep 1000"
    async with room.running(script.replace("NAME", "first")) as session:
        kept = await room.asked()
        lost = await room.add(session, script.replace("NAME", "second"))
        gone = await room.asked()
        await until(lambda: all((room.project / f"{name}.away").exists() for name in ("first", "second")))
        away = {name: int((room.project / f"{name}.away").read_text()) for name in ("first", "second")}
        os.kill(warden(lost), signal.SIGKILL)
        event = await room.heard(lambda event: isinstance(event, GateLost))
        assert isinstance(event, GateLost) and event.agent == "test-2"
        assert await ended(room, "test-2") == 128 + signal.SIGKILL
        assert not alive(away["second"]) and not alive(gone.action.pid)
        assert alive(away["first"]) and alive(kept.action.pid)
        assert [ask.number for ask in session.gate] == [kept.number]
        assert session.gate.answer(kept.number, Verdict.ALLOW)
        await until((room.project / "first").exists)
        assert not (room.project / "second").exists()
    (row,) = [row for row in room.record() if row["target"] == "cp policy.yaml second"]
    assert (row["agent"], row["verdict"], row["source"]) == ("test-2", "deny", "gate")


async def test_the_end_of_the_first_is_not_the_end_of_the_second(room: Desk) -> None:
    async with room.running("exit 4") as session:
        assert await ended(room, "test") == 4
        second = await room.add(session, "cp policy.yaml b; sleep 1000")
        ask = await room.asked()
        await session.remove("test")
        assert [run.name for run in session.agents] == ["test-2"]
        assert alive(ask.action.pid) and session.gate_kind == "kernel"
        session.gate.answer(ask.number, Verdict.ALLOW)
        await until((room.project / "b").exists)
        assert await session.wait() == 4  # the session's status stays the first one's
        await session.remove("test-2")
        assert not session.agents and not alive(warden(second))


async def test_closing_ends_all_and_leaves_nothing(room: Desk) -> None:
    before, files = children(), open_files()
    family = "trap '' TERM HUP INT; (setsid sleep 1000 & echo $! > pid$1); echo $$ > me$1; cp policy.yaml x$1"
    async with room.running(family.replace("$1", "1")) as session:
        for number in "23":
            await room.add(session, family.replace("$1", number))
        asks = [await room.asked() for _ in range(3)]
        assert {ask.agent for ask in asks} == {"test", "test-2", "test-3"}
        paths = [room.project / f"{what}{number}" for what in ("pid", "me") for number in "123"]
        await until(lambda: all(path.exists() and path.read_text().strip() for path in paths))
        pids = [int(path.read_text()) for path in paths]
        assert all(map(alive, pids))
        await asyncio.wait_for(session.close(), PATIENCE)
        assert [pid for pid in pids if alive(pid)] == [] and len(session.gate) == 0
        ports = [run.proxy.port for run in session.agents if run.proxy]
    assert len(ports) == 3
    for port in ports:
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=2)
    await until(lambda: children() <= before and open_files() <= files)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    denied = [row["agent"] for row in room.record() if row["target"].startswith("cp ")]
    assert sorted(denied) == ["test", "test-2", "test-3"]
    with pytest.raises(GateUnavailable, match="the session ended"):
        await room.add(session, "true")


@pytest.mark.parametrize("command", [("no-such-agent", "-x"), ("./policy.yaml",)])
async def test_a_start_that_fails_leaves_the_first_untouched(room: Desk, command: tuple[str, ...]) -> None:
    async with room.running("cp policy.yaml a; sleep 1000") as session:
        ask = await room.asked()
        before, files = children(), open_files()
        with pytest.raises(OSError) as caught:
            await room.add(session, *command)
        assert command[0] in str(caught.value) and "\n" not in str(caught.value)
        await until(lambda: children() <= before and open_files() <= files)
        assert [run.name for run in session.agents] == ["test"] and alive(ask.action.pid)
        assert session.gate.answer(ask.number, Verdict.ALLOW)
        await until((room.project / "a").exists)


@pytest.mark.parametrize("gate", [GateChoice.KERNEL, GateChoice.SHIM])
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1, 0.2])
async def test_a_session_closed_while_one_more_starts_leaves_nothing(
    room: Desk, seconds: float, gate: GateChoice
) -> None:
    before, files = children(), open_files()
    async with room.running("exec sleep 1000", gate=gate) as session:
        starting = asyncio.create_task(room.add(session, "exec sleep 1000"))
        await asyncio.sleep(seconds)
        await asyncio.wait_for(session.close(), PATIENCE)
        with contextlib.suppress(GateUnavailable, OSError):
            await starting
        await asyncio.wait_for(session.close(), PATIENCE)
    await until(lambda: children() <= before and open_files() <= files)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_agent_is_started_that_could_not_be_recorded(room: Desk) -> None:
    async with room.running("sleep 1000") as session:
        session._recording("no space left on device", False)
        with pytest.raises(GateUnavailable, match=r"no agent is started: .*no space left on device"):
            await room.add(session, "true")
        session._recording("", False)
        run = await room.add(session, "exit 5")
        assert await asyncio.wait_for(run.wait(), PATIENCE) == 5


async def test_a_new_policy_is_in_force_for_all(room: Desk) -> None:
    script = "echo > NAME.up; until test -e go; do sleep 0.05; done; mv NAME.up NAME.moved; sleep 1000"
    async with room.running(script.replace("NAME", "first")) as session:
        await room.add(session, script.replace("NAME", "second"))
        await until(lambda: (room.project / "second.up").exists() and (room.project / "first.up").exists())
        room.policy.write_text("default: allow\n")
        session.use(Policy(rules=(), default=session.policy.default))  # refused below: everything is denied
        session.use(session.policy_file.load())
        (room.project / "go").touch()
        await until(lambda: all((room.project / f"{name}.moved").exists() for name in ("first", "second")))
        assert room.asks() == []


async def test_the_terminal_of_one_is_guarded_from_the_other(room: Desk) -> None:
    """Whatever the policy allows. Its own is no question, nor is one that it makes."""
    room.policy.write_text("default: allow\n")
    session = room.session("sh", "-c", "echo mine > $(tty); sleep 1000")
    master, slave = os.openpty()
    try:
        await session.start((slave, slave, slave), controlling=True)
        await until(lambda: select.select([master], [], [], 0)[0])
        assert os.read(master, 100) == b"mine\r\n"
        name = os.ttyname(slave)
        await room.add(
            session, f"script -qc 'echo new > $(tty)' /dev/null; echo x > {name} || echo > refused"
        )
        ask = await room.asked()
        assert (ask.agent, ask.action.target, ask.ruling.guard) == ("test-2", name, "gate")
        session.gate.answer(ask.number, Verdict.DENY)
        await until((room.project / "refused").exists)
        assert not select.select([master], [], [], 0)[0] and room.asks() == [name]
    finally:
        await asyncio.wait_for(session.close(), PATIENCE)
        os.close(master)
        os.close(slave)


PEER = """
import os, signal, socket, sys
def tried(what, *given):
    try:
        what(*given)
        return "done"
    except OSError as error:
        return type(error).__name__
pid, port, name = int(sys.argv[1]), int(sys.argv[2]), "\\0" + sys.argv[3]
unix = socket.socket(socket.AF_UNIX)
said = {
    "kill": tried(os.kill, pid, signal.SIGTERM),
    "nothing": tried(os.kill, pid, 0),
    "queue": tried(signal.pidfd_send_signal, os.pidfd_open(pid), signal.SIGTERM),
    "memory": tried(open, f"/proc/{pid}/mem", "r+b"),
    "abstract": tried(unix.connect, name),
    "loopback": tried(socket.create_connection, ("127.0.0.1", port)),
}
import json
open("said", "w").write(json.dumps(said))
"""

HOST = """
import os, signal, socket
unix, tcp = socket.socket(socket.AF_UNIX), socket.create_server(("127.0.0.1", 0))
unix.bind("\\0agentgate-test-%d" % os.getpid())
unix.listen()
open("host.new", "w").write("%d %d agentgate-test-%d" % (os.getpid(), tcp.getsockname()[1], os.getpid()))
os.rename("host.new", "host")
signal.pause()
"""


async def test_agents_are_strangers_to_each_other(room: Desk) -> None:
    """No signal, no memory, no socket of one tree is the other's: a listener of the first is asked about
    like anybody's, and its processes cannot be touched."""
    (room.project / "peer.py").write_text(PEER)
    (room.project / "host.py").write_text(HOST)
    async with room.running("exec python3 host.py") as session:
        await until((room.project / "host").exists)
        pid, port, name = (room.project / "host").read_text().split()
        await room.add(session, f"exec python3 peer.py {pid} {port} {name}")
        asked = []
        while not (room.project / "said").exists():
            try:
                ask = await asyncio.wait_for(room.asked(), 0.2)
            except TimeoutError:
                continue
            asked.append((ask.agent, ask.action.target))
            session.gate.answer(ask.number, Verdict.DENY)
        await until(lambda: (room.project / "said").read_text())
        said = json.loads((room.project / "said").read_text())
        assert set(said.values()) == {"PermissionError"}, said
        assert ("test-2", f"127.0.0.1:{port}") in asked
        assert {agent for agent, _ in asked} == {"test-2"}
        assert alive(int(pid))
