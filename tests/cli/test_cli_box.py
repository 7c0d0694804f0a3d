"""The pure parts of a question: its lines, its keys, what the agent's output did to the terminal."""

from __future__ import annotations

import asyncio
import unicodedata
from pathlib import Path

import pytest
from cli_kit import World
from hypothesis import given
from hypothesis import strategies as st

from agentgate.actions import Action, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.cli import box, keys
from agentgate.cli.output import Output
from agentgate.cli.questions import HOLD, Questions
from agentgate.gate.events import Ask
from agentgate.session import Session
from agentgate.settings import Settings

RULING = Ruling(Decision.ASK, Source.RULE, 3, 12, "every install is looked at")


def ask(target: str = "npm install chalk", **facts: object) -> Ask:
    return Ask(1, Action(Kind.EXEC, target, **facts), RULING, 0.0, "kernel")  # type: ignore[arg-type]


def cells(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in ("Mn", "Me") for char in text)


def test_the_question_says_what_why_who_and_which_keys() -> None:
    chain = (Process(7, ("npm", "install", "chalk")), Process(5, ("bash",)), Process(1, (), "/bin/init"))
    question = ask(argv=("npm", "install", "chalk"), cwd="/p", chain=chain)
    assert box.lines(question, mark="3f9a", waiting=2, size=(24, 80)) == [
        " agentgate 3f9a: exec  (1 of 2) ",
        "  npm install chalk",
        "  intent   install the npm package chalk and run its install scripts",
        "  in       /p",
        "  who      npm install chalk (7) < bash (5) < init (1)",
        "  asked by rule 3 (line 12): every install is looked at",
        "  [a]llow  [d]eny  [A]lways",
    ]


@given(
    st.text(max_size=3000),
    st.text(max_size=100),
    st.integers(4, 60),
    st.integers(20, 200),
    st.booleans(),
    st.text(max_size=200),
)
def test_no_question_is_wider_or_higher_than_the_terminal(target, cwd, rows, columns, rule, note) -> None:
    shown = box.lines(
        ask(target or "x", cwd=cwd),
        mark="3f9a",
        waiting=1,
        size=(rows, columns),
        rule=["- match:", "x" * 300] if rule else (),
        note=note,
    )
    assert not any(unicodedata.category(char)[0] == "C" for line in shown for char in line)
    assert max(map(cells, shown)) < max(columns, 25)
    assert len(shown) < max(rows, 5)
    assert shown[-1].startswith("  [")


def test_both_ends_of_a_long_command_are_readable() -> None:
    shown = "\n".join(box.lines(ask("start " + "x" * 9000 + " finish"), mark="m", waiting=1, size=(20, 80)))
    assert "start" in shown and "finish" in shown and "more characters" in shown


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"a", "a"),
        (b"A", "A"),
        (b"\r", "enter"),
        (b"\n", "enter"),
        (b"\x1b", "escape"),
        (b"\x1b[97u", "a"),  # kitty: all keys as escape codes
        (b"\x1b[97;1u", "a"),
        (b"\x1b[97;1:1u", "a"),
        (b"\x1b[97;2u", "A"),
        (b"\x1b[97:65;2u", "A"),
        (b"\x1b[97;65u", "a"),  # caps lock
        (b"\x1b[97;1:3u", ""),  # released
        (b"\x1b[97;5u", ""),  # ctrl+a
        (b"\x1b[13u", "enter"),
        (b"\x1b[27u", "escape"),
        (b"\x1b[27;2;65~", "A"),  # xterm's modifyOtherKeys
        (b"\x1b[27;5;97~", ""),
        (b"aa", ""),
        (b"d\r", ""),
        (b"\x1b[A", ""),  # arrow up
        (b"\x1bOA", ""),
        (b"\x1ba", ""),
        (b"\x1b[<0;10;10M", ""),  # mouse
        (b"\x1b[200~a\x1b[201~", ""),  # pasted
        (b"\xc3\xa4", ""),
        (b"\x00", ""),
        (b"\x03", "interrupt"),
        (b"\x1c", "interrupt"),
        (b"\x1b[99;5u", "interrupt"),
        (b"\x1b[27;5;99~", "interrupt"),
        (b"", ""),
    ],
)
def test_one_key_is_a_key_and_nothing_else(data: bytes, key: str) -> None:
    assert keys.name(data) == key


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"\x1b[12;40R", True),
        (b"\x1b[0n", True),
        (b"\x1b[?62;22c", True),
        (b"\x1b[>1;4000;0c", True),
        (b"\x1b[?2026;2$y", True),
        (b"\x1b[?1u", True),
        (b"\x1b[I", True),
        (b"\x1b]11;rgb:0000/0000/0000\x1b\\", True),
        (b"\x1b]11;rgb:0000/0000/0000\x07\x1b[1;1R", True),
        (b"\x1bP>|xterm(390)\x1b\\", True),
        (b"a", False),
        (b"\x1b", False),
        (b"\x1b[A", False),
        (b"\x1b[97u", False),
        (b"\x1b[0na", False),
    ],
)
def test_the_terminals_own_words_are_told_from_keys(data: bytes, reply: bool) -> None:
    assert keys.is_reply(data) is reply


def test_output_is_followed_across_any_cut() -> None:
    text = b"hi\x1b[31mred\x1b[?1049h\x1b[2;20r\x1b]0;title\x07x\x1bPq#\x1b\\y\x1b(0z\x1b[?1;47l\x1b[rend"
    whole = Output()
    states = []
    for index in range(len(text)):
        whole.feed(text[index : index + 1])
        states.append((whole.alternate, whole.margins))
    assert (True, None) in states and (True, (2, 20)) in states
    assert (whole.alternate, whole.margins, whole.unfinished) == (False, None, False)
    for cut in range(len(text)):
        halves = Output()
        halves.feed(text[:cut])
        halves.feed(text[cut:])
        assert (halves.alternate, halves.margins, halves.unfinished) == (False, None, False)


@pytest.mark.parametrize(
    "open_end", [b"\x1b", b"\x1b[", b"\x1b[1;2", b"\x1b]0;x", b"\x1bPq", b"\x1b(", b"\x1b]0;x\x1b"]
)
def test_an_open_sequence_is_seen(open_end: bytes) -> None:
    output = Output()
    output.feed(b"text " + open_end)
    assert output.unfinished
    output.feed(b"\x1b\\")
    assert not output.unfinished


class Paper:
    """A screen that keeps what is put on it."""

    can_ask = True
    size = (24, 80)

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outcome = ""
        self.said: list[str] = []

    async def open(self) -> None:
        self.outcome = ""

    def draw(self, lines: list[str]) -> None:
        self.lines = lines

    def close(self, outcome: str) -> None:
        self.lines, self.outcome = [], outcome

    def say(self, text: str) -> None:
        self.said.append(text)


class Desk:
    """Real questions of a real session's gate on paper, with a clock that is set by hand."""

    def __init__(self, world: World) -> None:
        settings = Settings(("true",), "test", world.project, world.audit, env=world.env)
        self.session = Session(settings)
        self.paper = Paper()
        self.now = 1000.0
        self.questions = Questions(self.session, self.paper, clock=lambda: self.now)
        self.follower = asyncio.create_task(self.questions.follow(self.session.hub.subscribe()))
        self.waiting: list[asyncio.Task[object]] = []

    async def put(self, action: Action, ruling: Ruling = RULING) -> asyncio.Task[object]:
        task = asyncio.create_task(self.session.gate.ask(action, ruling, "shim"))
        self.waiting.append(task)
        await self.settle()
        return task

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def press(self, data: bytes, after: float = HOLD + 0.01) -> None:
        self.now += after
        self.questions.typed(data)
        await self.settle()

    async def end(self) -> None:
        for task in (self.follower, *self.waiting):
            task.cancel()
        await asyncio.wait({self.follower, *self.waiting})


@pytest.fixture
async def desk(world: World):
    desk = Desk(world.with_policy())
    yield desk
    await desk.end()


INSTALL = Action(Kind.EXEC, "npm install chalk", ("npm", "install", "chalk"), "/p")


async def test_a_key_counts_after_half_a_second_only(desk: Desk) -> None:
    answer = await desk.put(INSTALL)
    await desk.press(b"a", after=HOLD - 0.01)
    assert not answer.done()
    await desk.press(b"a", after=HOLD - 0.01)  # still typing: the half second begins again
    assert not answer.done()
    await desk.press(b"a")
    assert (await answer).verdict is Verdict.ALLOW
    assert desk.paper.outcome == "allowed" and desk.paper.lines == []


async def test_the_next_question_has_its_own_half_second(desk: Desk) -> None:
    first = await desk.put(INSTALL)
    second = await desk.put(Action(Kind.EXEC, "npm install evil", cwd="/p"))
    await desk.press(b"a")
    assert (await first).verdict is Verdict.ALLOW
    assert any("npm install evil" in line for line in desk.paper.lines)
    await desk.press(b"a", after=0.1)
    assert not second.done()
    await desk.press(b"d")
    assert (await second).verdict is Verdict.DENY


async def test_a_paste_is_no_answer_and_begins_the_half_second_again(desk: Desk) -> None:
    answer = await desk.put(INSTALL)
    await desk.press(b"some pasted text")
    await desk.press(b"a", after=0.01)  # its last byte, in a read of its own
    assert not answer.done()


async def test_the_mouse_and_arrows_neither_answer_nor_hold_up(desk: Desk) -> None:
    answer = await desk.put(INSTALL)
    await desk.press(b"\x1b[<35;10;10M", after=HOLD)
    await desk.press(b"\x1b[A", after=0.0)
    assert not answer.done()
    await desk.press(b"d", after=0.01)
    assert (await answer).verdict is Verdict.DENY


async def test_an_interrupt_is_a_no_at_once(desk: Desk) -> None:
    answer = await desk.put(INSTALL)
    await desk.press(b"\x03", after=0.0)
    assert ((await answer).verdict, (await answer).note) == (Verdict.DENY, "interrupted")


async def test_a_guard_is_never_always(desk: Desk) -> None:
    ruling = Ruling(Decision.ASK, Source.GUARD, None, None, "runs at the next git command", "git-hooks")
    answer = await desk.put(Action(Kind.FS_WRITE, "/p/.git/hooks/x", syscall="openat"), ruling)
    await desk.press(b"A")
    assert any(line.startswith("  ! guard git-hooks") for line in desk.paper.lines)
    await desk.press(b"\r")
    assert not answer.done()


async def test_a_rule_that_cannot_be_written_leaves_the_question(desk: Desk, world: World) -> None:
    answer = await desk.put(INSTALL, Ruling(Decision.ASK, Source.RULE, 1, 4, "looked at"))
    await desk.press(b"A")
    assert desk.paper.lines[-1].startswith("  [enter]")
    Path(world.policy).write_text("default: allow\n# changed meanwhile\n")
    await desk.press(b"\r")
    assert not answer.done() and any("  ! policy.yaml" in line for line in desk.paper.lines)
    assert "changed meanwhile" in world.policy.read_text()
    await desk.press(b"a")
    assert (await answer).verdict is Verdict.ALLOW
