"""Opens the editors of the policy, and writes what was edited: a rule, the text, or what a program made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentgate.actions import Decision
from agentgate.gate.events import Notice
from agentgate.policy.errors import PolicyError
from agentgate.policy.model import Policy
from agentgate.policy.store import Check, PolicyFile
from agentgate.policy.suggest import Draft
from agentgate.tui.inputs import Effect
from agentgate.tui.modes import Cover
from agentgate.tui.policy.verbs import CloseEditor, EditorClosed, EditorOpened, OpenEditor, SaveEditor
from agentgate.tui.widgets.editor import Editor
from agentgate.tui.widgets.policy_text import PolicyText
from agentgate.tui.widgets.program import Program, editor_command
from agentgate.tui.widgets.rule_form import RuleForm

if TYPE_CHECKING:
    from agentgate.tui.performing import Handler, Performing

__all__ = ["HANDLERS", "program_ended"]


def _open(to: Performing, effect: OpenEditor) -> None:
    try:
        editor = {Cover.RULE_FORM: _form, Cover.POLICY_TEXT: _text, Cover.PROGRAM: _program}[effect.cover](
            to, effect
        )
    except (PolicyError, OSError, ValueError) as error:
        to.desk.tell(Notice(str(error), urgent=True))
        return
    if editor is not None:
        to.overlay.open(editor)
        to.desk.tell(EditorOpened(effect.cover))


def _form(to: Performing, effect: OpenEditor) -> Editor | None:
    rule, policy = to.room.policy.chosen, to.session.policy
    label, mark = to.session.policy_file.label, to.session.mark
    if effect.new:
        number = rule.number if rule else len(policy.rules) + 1
        draft = Draft(rule.action if rule else None, (), Decision.ASK)
        title = f"new rule {number} of {label} · {mark}"
    elif rule is None:
        to.desk.tell(Notice("the default is no rule: E edits the text of the file, n makes a rule"))
        return None
    else:
        number, draft, title = rule.number, Draft.of(rule), f"rule {rule.number} of {label} · {mark}"
    return RuleForm(title, draft, policy, number, to.overlay.trying(), new=effect.new)


def _text(to: Performing, effect: OpenEditor) -> Editor:
    file, rule = to.session.policy_file, to.room.policy.chosen
    line = rule.line if rule else 1
    name = file.label if file.path else f"{file.label}, written to a new {file.new_path.name}"
    return PolicyText(f"{name} · {to.session.mark}", file.text(), line, to.overlay.trying())


def _program(to: Performing, effect: OpenEditor) -> Editor:
    """On the file itself; of the built-in default a copy is made first."""
    command = editor_command(os.environ)
    if to.session.policy_file.path is None:
        to.session.edit_policy(lambda file, check: file.write(file.text(), check))
    path = to.session.policy_file.path
    assert path is not None
    return Program(f"{command[0]} {to.session.policy_file.label} · {to.session.mark}", [*command, str(path)])


def _save(to: Performing, effect: SaveEditor) -> None:
    editor = to.overlay.editor
    if isinstance(editor, RuleForm):
        _save_rule(to, editor)
    elif isinstance(editor, PolicyText):
        _save_text(to, editor)


def _save_rule(to: Performing, form: RuleForm) -> None:
    draft, number = form.draft, form.number
    if draft is None:
        return  # the form says why
    if to.session.policy is not form.policy:
        form.refuse("the policy was changed meanwhile: close the form and open it again")
        return

    def edit(file: PolicyFile, check: Check) -> Policy:
        if form.new:
            return file.add(draft, number if number <= len(form.policy.rules) else None, check)
        return file.replace(number, draft, check)

    try:
        to.session.edit_policy(edit)
    except (PolicyError, OSError) as error:
        form.refuse(str(error))
        return
    _close(to)
    to.desk.show()
    to.room.policy.choose(number)
    to.session.hub.post(Notice(f"rule {number} written, and in force; u takes it back"))


def _save_text(to: Performing, editor: PolicyText) -> None:
    text = editor.area.text
    try:
        to.session.edit_policy(lambda file, check: file.write(text, check, editor.base))
    except PolicyError as error:
        editor.refuse(str(error), error.line, error.column)
    except OSError as error:
        editor.refuse(str(error))
    else:
        editor.written(text)
        to.desk.show()


def _close_asked(to: Performing, effect: CloseEditor) -> None:
    editor = to.overlay.editor
    if isinstance(editor, Program):
        editor.end()  # its end closes it
    elif editor is None or editor.may_close():
        _close(to)


def _close(to: Performing) -> None:
    to.overlay.close_editor()
    to.desk.tell(EditorClosed())


def program_ended(to: Performing, status: int) -> None:
    """The operator's editor ended; what it made of the file is loaded by whoever watches that."""
    if isinstance(to.overlay.editor, Program):
        _close(to)
        if status:
            to.desk.tell(Notice(f"the editor ended with status {status}", urgent=True))


HANDLERS: dict[type[Effect], Handler] = {OpenEditor: _open, SaveEditor: _save, CloseEditor: _close_asked}
