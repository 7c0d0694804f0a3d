"""The text of the policy, edited as it stands; and the operator's own editor in a pane."""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

import pytest
from room_kit import POLICY, make_session, room, text_of, until
from test_tui_policy import has, in_panel
from test_tui_rule_form import past
from textual.pilot import Pilot

from agentgate.policy.store import default_text
from agentgate.tui.app import ControlRoom
from agentgate.tui.ink import Ink
from agentgate.tui.modes import Cover
from agentgate.tui.policy.yaml_ink import spans
from agentgate.tui.widgets.policy_text import PolicyText
from agentgate.tui.widgets.program import Program, editor_command


def test_what_stands_out_on_a_line() -> None:
    def inks(line: str) -> dict[str, Ink]:
        return {line[start:end]: ink for start, end, ink in spans(line)}

    assert inks("  - match: {action: exec}  # c") == {
        "-": Ink.DIM, "match": Ink.STRONG, ":": Ink.DIM, "{": Ink.DIM, "action": Ink.STRONG, "}": Ink.DIM,
        "# c": Ink.DIM,
    }  # fmt: skip
    assert inks("decision: deny") == {"decision": Ink.STRONG, ":": Ink.DIM, "deny": Ink.DENY}
    assert inks('x: "a # b"')['"a # b"'] is Ink.CLAIM
    assert list(spans("")) == []


async def text_editor(app: ControlRoom, pilot: Pilot[int]) -> PolicyText:
    await until(lambda: app.state.cover is Cover.POLICY_TEXT and app.screen.is_mounted, pilot)
    editor = app.screen
    assert isinstance(editor, PolicyText)
    await until(lambda: editor.focused is editor.area, pilot)
    return editor


async def test_the_text_is_edited_tried_and_written(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    file = tmp_path / "policy.yaml"
    async with room(session) as (app, pilot):
        await past(app, pilot, "chalk", "left-pad")
        await in_panel(app, pilot)
        await pilot.press("j", "E")
        editor = await text_editor(app, pilot)
        assert editor.area.cursor_location == (7, 0)  # the chosen rule
        await until(lambda: has(app, "would be decided otherwise"), pilot)
        await pilot.press("down", "end", *["backspace"] * 3, *"deny")
        await until(lambda: has(app, "~ 2 of", "ask → ✗ deny"), pilot)
        assert file.read_text() == POLICY
        await pilot.press("ctrl+s")
        await until(lambda: has(app, "✓ written, and in force"), pilot)
        assert file.read_text() == POLICY.replace("decision: ask\n", "decision: deny\n")
        assert session.policy.rules[1].decision == "deny"
        assert app.state.cover is Cover.POLICY_TEXT
        await pilot.press("escape")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        await until(lambda: app._room.policy.undo_armed(time.monotonic(), app.state.arm), pilot)
        await pilot.press("u")
        await until(lambda: file.read_text() == POLICY, pilot)


async def test_a_mistake_is_shown_at_its_line_and_the_old_policy_stays(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        await in_panel(app, pilot)
        before = session.policy
        await pilot.press("E")
        editor = await text_editor(app, pilot)
        await pilot.press("pageup", "down", "end", "x", "pagedown")
        await until(lambda: has(app, "policy.yaml:2:10: unknown default 'askx'"), pilot)
        assert editor.area.error_line == 2
        await pilot.press("ctrl+s")
        await until(lambda: has(app, "not written, the old policy stays in force"), pilot)
        assert editor.area.cursor_location == (1, 9)
        assert session.policy is before and (tmp_path / "policy.yaml").read_text() == POLICY
        await pilot.press("end", "backspace")
        await until(lambda: editor.area.error_line is None, pilot)
        await pilot.press("end", "a", "escape", "z", "escape")  # asked once, then dropped
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert (tmp_path / "policy.yaml").read_text() == POLICY


async def test_line_ends_stay_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    session = make_session(tmp_path, policy="")
    old = POLICY.replace("\n", "\r\n").encode()
    file.write_bytes(old)
    async with room(session) as (app, pilot):
        await until(lambda: len(session.policy.rules) == 3, pilot)
        await in_panel(app, pilot)
        await pilot.press("E")
        editor = await text_editor(app, pilot)
        assert not editor.dirty
        await pilot.press("end", *"  # mine", "ctrl+s")
        await until(lambda: file.read_bytes() != old, pilot)
        assert file.read_bytes() == old.replace(b"rules\r\n", b"rules  # mine\r\n", 1)


async def test_a_file_that_was_spoilt_outside_is_mended_here(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    file = tmp_path / "policy.yaml"
    async with room(session) as (app, pilot):
        file.write_text(POLICY.replace("default: ask", "default: askk"))
        await in_panel(app, pilot)
        await until(lambda: app.state.policy_error, pilot)
        await pilot.press("E")
        editor = await text_editor(app, pilot)
        await until(lambda: editor.area.error_line == 2, pilot)
        await pilot.press("pageup", "down", "end", "backspace", "ctrl+s")
        await until(lambda: file.read_text() == POLICY and not app.state.policy_error, pilot)


async def test_text_that_was_changed_outside_is_not_overwritten(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("E")
        await text_editor(app, pilot)
        (tmp_path / "policy.yaml").write_text("default: deny\n")
        await until(lambda: not session.policy.rules, pilot)  # loaded: only what is shown here is old
        await pilot.press("space", "ctrl+s")
        await until(lambda: has(app, "changed meanwhile"), pilot)
        assert (tmp_path / "policy.yaml").read_text() == "default: deny\n"


async def test_typing_in_a_long_policy_stays_smooth(tmp_path: Path) -> None:
    """The default policy has 440 lines; trying it anew goes on meanwhile."""
    session = make_session(tmp_path, policy=default_text())
    async with room(session, (120, 36)) as (app, pilot):
        await past(app, pilot, *(f"p{n}" for n in range(40)))
        await in_panel(app, pilot)
        await pilot.press("E")
        editor = await text_editor(app, pilot)
        editor.area.move_cursor((0, 30))  # in a comment
        taken = []
        for letter in "# a comment that is typed while all of it is tried " * 2:
            start = time.perf_counter()
            editor.area.insert(letter)
            taken.append(time.perf_counter() - start)
            await pilot.pause(0.01)
        assert statistics.quantiles(taken, n=20)[-1] < 0.05
        await until(lambda: has(app, "would be decided otherwise"), pilot)


# The operator's own editor


@pytest.mark.parametrize(
    ("env", "command"),
    [
        ({"VISUAL": "cat -A", "EDITOR": "ls"}, ["cat", "-A"]),
        ({"VISUAL": " ", "EDITOR": "ls"}, ["ls"]),
        ({"EDITOR": "'cat' 'a b'"}, ["cat", "a b"]),
    ],
)
def test_the_editor_is_the_operators(env: dict[str, str], command: list[str]) -> None:
    assert editor_command({**env, "PATH": "/usr/bin:/bin"}) == command


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"EDITOR": "no-such-editor"}, r"no editor: no-such-editor is not found \(\$EDITOR\)"),
        ({"VISUAL": "'"}, r"\$VISUAL cannot be understood"),
        ({"PATH": "/nowhere"}, "no editor: vi is not found"),
    ],
)
def test_an_editor_that_is_not_there_is_said(env: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        editor_command({"PATH": "/usr/bin:/bin", **env})


SCRIPT = """\
#!/bin/sh
stty raw -echo
echo "editing $1 on $(tty)"
read_key() { dd bs=1 count=1 2>/dev/null; }
key=$(read_key)
sed "s/decision: ask/decision: $(echo $key | sed s/d/deny/)/" "$1" > "$1.new"
cat "$1.new" > "$1"
rm "$1.new"
exit ${STATUS:-0}
"""


async def test_the_operators_editor_runs_in_a_pane_and_what_it_wrote_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "my-editor"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("o")
        await until(lambda: has(app, "editing " + str(tmp_path)[:30], "on /dev/pts/"), pilot)
        assert app.state.cover is Cover.PROGRAM
        await pilot.press("d")  # the editor's, no verdict
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        await until(lambda: session.policy.rules[1].decision == "deny", pilot)
        assert app._room.pane.input_enabled is False and app.state.status is None


async def test_an_editor_can_be_ended_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "sh -c 'echo my pid is $$; exec sleep 60' x")
    session = make_session(tmp_path, policy=None)
    async with room(session, (80, 24)) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("o")
        await until(lambda: "my pid is" in text_of(app), pilot)
        assert (tmp_path / "policy.yaml").read_text() == default_text()  # it needs a file to edit
        editor = app.screen
        assert isinstance(editor, Program) and editor._process is not None
        await pilot.press("escape", "f12")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert editor._process.poll() is not None
        await until(lambda: has(app, "the editor ended with status 129"), pilot)


async def test_vim_is_at_home_in_the_pane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("vim") is None:
        pytest.skip("vim is not installed here")
    monkeypatch.setenv("VISUAL", "vim -u NONE")
    session = make_session(tmp_path)
    async with room(session, (120, 36)) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("o")
        await until(lambda: has(app, "─ vim policy.yaml · ", "# the project's rules"), pilot)
        await pilot.press(*"/every", "enter", *"ccmine", "escape", "colon", *"wq", "enter")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert "\nmine\n" in (tmp_path / "policy.yaml").read_text()
        await until(lambda: has(app, "not loaded"), pilot)  # and refused, with its reason
        assert len(session.policy.rules) == 3
