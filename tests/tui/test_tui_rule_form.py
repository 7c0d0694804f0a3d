"""The form of a rule: what is typed, as a rule or a mistake; what it would change; written with ctrl+s."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from room_kit import INSTALL, POLICY, ask, install, make_session, room, text_of, until
from test_tui_policy import has, in_panel
from textual.pilot import Pilot

from agentgate.actions import Decision, Kind, Verdict
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.policy.suggest import Draft
from agentgate.tui.app import ControlRoom
from agentgate.tui.modes import Cover
from agentgate.tui.policy.fields import Fields, with_draft
from agentgate.tui.widgets.rule_form import RuleForm

NOON = dt.datetime(2026, 11, 26, 12)


# The fields


def test_fields_and_rules_are_the_same_thing() -> None:
    draft = Draft(
        Kind.FS_WRITE, ("/a", "/b/**"), Decision.ALLOW, "why", "make *", "$PWD", dt.date(2027, 1, 31), True
    )
    assert Fields.of(draft).draft() == draft
    nothing = Draft(None, (), Decision.ASK)
    assert Fields.of(nothing).draft() == nothing == Fields().draft()
    assert Fields(targets=" a\n\n b ", reason=" two\tlines ", within=" ").draft() == Draft(
        None, ("a", "b"), Decision.ASK, "two lines"
    )


@pytest.mark.parametrize(
    ("typed", "until"),
    [
        ("2027-01-31", dt.date(2027, 1, 31)),
        ("2027-01-31T18:00", dt.datetime(2027, 1, 31, 18)),
        ("7d", dt.date(2026, 12, 3)),
        ("2 w", dt.date(2026, 12, 10)),
        ("1h", NOON.astimezone() + dt.timedelta(hours=1)),
        ("30m", NOON.astimezone() + dt.timedelta(minutes=30)),
    ],
)
def test_until_is_a_day_or_a_moment_or_so_long_from_now(typed: str, until: dt.date) -> None:
    assert Fields(until=typed).draft(lambda: NOON).until == until


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (Fields(until="soon"), "until 'soon' is no date"),
        (Fields(until="2027-13-01"), "until '2027-13-01' is no date"),
        (Fields("net_egress", "https://x.org/y"), "write 'x.org' or 'x.org:443'"),
        (Fields("exec", "a", scope="/x"), "scope is for files"),
        (Fields("fs_write", "src/*"), "perhaps '$PWD/src/*'"),
        (Fields("exec", "a["), "'[' is never closed"),
    ],
)
def test_a_mistake_is_one_line(fields: Fields, says: str) -> None:
    with pytest.raises(PolicyError) as error:
        fields.draft(lambda: NOON)
    assert says in error.value.message and "\n" not in error.value.message


def test_the_policy_as_it_will_be_has_its_numbers() -> None:
    policy = load_text(POLICY, "p")
    draft = Draft(Kind.EXEC, ("x",), Decision.DENY)
    for number, new, targets in (
        (2, False, ["git status*", "x", None]),
        (2, True, ["git status*", "x", "npm install*", None]),
        (4, True, ["git status*", "npm install*", None, "x"]),
    ):
        after = with_draft(policy, draft, number, new=new)
        assert [rule.targets[0] if rule.targets else None for rule in after.rules] == targets
        assert [rule.number for rule in after.rules] == list(range(1, len(targets) + 1))


# The form


async def form_of(app: ControlRoom, pilot: Pilot[int]) -> RuleForm:
    await until(lambda: app.state.cover is Cover.RULE_FORM and app.screen.is_mounted, pilot)
    form = app.screen
    assert isinstance(form, RuleForm)
    await until(lambda: form.focused is not None, pilot)
    return form


async def past(session_app: ControlRoom, pilot: Pilot[int], *names: str) -> None:
    """Give the record something to hold: installs that were asked about and denied."""
    app = session_app
    questions = [ask(app.session, install(name, 4000 + n), INSTALL) for n, name in enumerate(names)]
    await until(lambda: len(app.state.asks) == len(names), pilot)
    for asked in app.state.asks:
        app.session.gate.answer(asked.number, Verdict.DENY)
    for question in questions:
        await question
    log = app.session.settings.audit
    await until(lambda: log.exists() and log.read_bytes().count(b"npm install") >= len(names), pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_rule_is_edited_with_what_it_would_change_in_sight(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    text = POLICY + "tests:\n  - {action: exec, target: npm install chalk, expect: ask}\n"
    session = make_session(tmp_path, policy=text)
    file = tmp_path / "policy.yaml"
    async with room(session, size) as (app, pilot):
        await past(app, pilot, "chalk", "left-pad")
        await in_panel(app, pilot)
        await pilot.press("j", "e")
        form = await form_of(app, pilot)
        await until(lambda: has(app, "rule 2 of policy.yaml", "✓ a rule"), pilot)
        assert has(app, '│     target_glob: "npm install*"')
        await until(lambda: has(app, "✓ 1 test of the file hold", "decided otherwise"), pilot)
        await pilot.press("tab", "a")  # the decision, by its first letter
        assert form.fields.decision == "allow"
        await until(
            lambda: has(app, "exec npm install chalk: expected ask,", "~ 2 of", "ask → ✓ allow"),
            pilot,
        )
        assert file.read_text() == text and app.state.cover is Cover.RULE_FORM
        await pilot.press("shift+tab", "end", "a", "d", "q", "1")  # letters are letters
        assert form.fields.targets == "npm install*adq1"
        await pilot.press("ctrl+s")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert session.policy.rules[1].targets == ("npm install*adq1",)
        assert session.policy.rules[1].decision is Decision.ALLOW
        assert "# installs are looked at\n" in file.read_text()
        await until(lambda: has(app, "rule 2 written, and in force; u takes it back"), pilot)


async def test_a_new_rule_goes_in_front_of_the_chosen_one(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("j", "n")
        form = await form_of(app, pilot)
        await pilot.press(*"make *", "enter", *"ninja")
        assert form.fields.targets == "make *\nninja"
        await pilot.press("tab", "d", "tab", *"ctl", "tab", "tab", *"no builds", "tab", *"7d")
        await until(lambda: form.draft is not None and form.draft.until is not None, pilot)
        await pilot.press("ctrl+s")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        rule = session.policy.rules[1]
        assert (rule.targets, rule.decision, rule.within, rule.reason) == (
            ("make *", "ninja"),
            Decision.DENY,
            "ctl",
            "no builds",
        )
        assert rule.until == dt.date.today() + dt.timedelta(days=7)
        assert app._room.policy.chosen == rule
        await pilot.press("G", "n")
        await form_of(app, pilot)
        await pilot.press(*"last", "ctrl+s")
        await until(lambda: session.policy.rules[-1].targets == ("last",), pilot)


async def test_a_mistake_is_said_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("e")
        form = await form_of(app, pilot)
        await pilot.press("end", "[")
        await until(lambda: has(app, "✗ glob 'git status*[': '[' is never closed"), pilot)
        await pilot.press("backspace", *" | ls")
        await until(lambda: has(app, "! '|' in 'git status* | ls'"), pilot)  # no mistake of the language
        await pilot.press(*["backspace"] * 5, "[")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.state.cover is Cover.RULE_FORM and (tmp_path / "policy.yaml").read_text() == POLICY
        await pilot.press("escape")
        await until(lambda: has(app, "esc again drops it"), pilot)
        assert app.state.cover is Cover.RULE_FORM
        await pilot.press("backspace")
        assert form.draft is not None
        await pilot.press("escape")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert (tmp_path / "policy.yaml").read_text() == POLICY


async def test_what_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("e")
        form = await form_of(app, pilot)
        (tmp_path / "policy.yaml").write_text("default: deny\n")
        await until(lambda: not session.policy.rules, pilot)
        await pilot.press("x", "ctrl+s")
        await until(lambda: "changed meanwhile" in form.error, pilot)
        assert (tmp_path / "policy.yaml").read_text() == "default: deny\n"


async def test_a_question_that_comes_while_one_types_is_counted_and_waits(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("e")
        await form_of(app, pilot)
        question = ask(session, install("chalk"), INSTALL)
        await until(lambda: "1 waiting · ctrl+s" in text_of(app), pilot)
        await pilot.press("a", "d", "escape", "escape")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert not question.done()
        question.cancel()


async def test_the_end_of_the_agent_waits_for_who_is_typing(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "until test -e go; do sleep 0.05; done; exit 3")
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("e")
        await form_of(app, pilot)
        await pilot.press("x")
        (tmp_path / "go").touch()
        await until(lambda: app.state.status == 3, pilot)
        await pilot.pause(0.3)
        assert app.return_value is None
        await pilot.press("ctrl+s")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 3
        assert session.policy.rules[0].targets == ("xgit status*",)


async def test_a_form_of_an_agent_that_goes_on_leaves_the_room_as_it_was(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        await in_panel(app, pilot)
        for key in ("e", "n", "E"):
            await pilot.press(key)
            await until(lambda: app.state.cover is not Cover.NONE and app.screen.is_mounted, pilot)
            await pilot.press("escape")
            await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert len(app.screen_stack) == 1 and app.return_value is None
        await until(lambda: app.focused is app._room.policy.list, pilot)
        await pilot.press("G", "e")
        await until(lambda: has(app, "the default is no rule"), pilot)
        assert app.state.cover is Cover.NONE


async def test_the_form_takes_the_mouse_and_other_sizes_and_is_found_in_the_palette(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (120, 36)) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("colon", *"edit the chosen rule", "enter")
        form = await form_of(app, pilot)
        await pilot.click(form._inputs["decision"], offset=(9, 0))
        await until(lambda: form.fields.decision == "deny", pilot)
        await pilot.resize_terminal(80, 24)
        await until(lambda: not form.has_class("wide") and has(app, "decision", "esc closes"), pilot)
        await pilot.resize_terminal(200, 60)
        await until(lambda: form.has_class("wide"), pilot)
        await pilot.press("escape", "escape")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        assert len(app.screen_stack) == 1 and app.state.width == 200
        assert session.policy.rules[0].decision is Decision.ALLOW
