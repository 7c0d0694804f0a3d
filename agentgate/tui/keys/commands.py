"""The one table of what the operator can do: keys, hint line, help and (later) the palette come from here.

A command has a context: the same key may mean different things after the leader, in CONTROL, and on a
sheet. In CONTROL the panel that has the keys has a context of its own, whose commands come before the ones
of CONTROL. Keys are named as Textual names them. In AGENT mode there is no command at all but the leader
itself: every other key belongs to the agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agentgate.policy.spans import Span
from agentgate.tui.modes import Panel

__all__ = ["COMMANDS", "LEADER", "PANELS", "Command", "Context", "key_label", "keys_label", "of"]

LEADER = "ctrl+right_square_bracket"
"""``ctrl+]``, the key by which telnet and virsh consoles are left."""


class Context(StrEnum):
    """Where a command can be given; the value is its heading in the help."""

    LEADER = "In AGENT mode, after ctrl+]"
    SCROLL = "When reading in the agent's terminal"
    CONTROL = "In CONTROL mode"
    QUEUE = "In the queue"
    DETAIL = "In the shown action"
    AUDIT = "In the audit view"
    POLICY = "In the policy panel"
    FILES = "In the files panel"
    SHEET = "On the sheet of a rule"
    QUIT = "When asked about quitting"
    CHECK = "When asked about a paste or a link"
    BACK = "When asked about taking back"
    END = "When asked about ending the agent"
    ANSWERS = "In the list of the answers that hold"
    READ = "When reading this help, an action, a rule or what holds"
    PROMPT = "When typing a text into the bottom line"
    FORM = "In an editor or a form"
    PROGRAM = "In your own editor"


PANELS = {
    Panel.QUEUE: Context.QUEUE,
    Panel.DETAIL: Context.DETAIL,
    Panel.AUDIT: Context.AUDIT,
    Panel.POLICY: Context.POLICY,
    Panel.FILES: Context.FILES,
}
"""The context of each panel; what it does not know is looked up in CONTROL."""


@dataclass(frozen=True, slots=True)
class Command:
    """``label`` is for the hint line (empty: not shown there), ``help`` one sentence for the help.
    ``verdict``: it answers, writes a rule or ends a process, so it counts for what was shown long enough."""

    id: str
    context: Context
    keys: tuple[str, ...]
    help: str
    label: str = ""
    verdict: bool = False


_L, _C, _S, _Q, _R = Context.LEADER, Context.CONTROL, Context.SHEET, Context.QUIT, Context.READ
_T, _V, _K = Context.PROMPT, Context.SCROLL, Context.CHECK
_P, _F, _B = Context.POLICY, Context.FILES, Context.BACK
_U, _D = Context.QUEUE, Context.DETAIL
_A = Context.AUDIT

COMMANDS: tuple[Command, ...] = (
    Command("allow", _L, ("a",), "Allow the oldest waiting action once", "allow", True),
    Command("deny", _L, ("d",), "Deny the oldest waiting action", "deny", True),
    Command("control", _L, ("tab",), "Go to CONTROL mode: keys act on the panels", "control"),
    Command("send-leader", _L, (LEADER,), "Send ctrl+] to the agent", "send it"),
    Command("zoom", _L, ("z",), "The agent on the whole screen, and back", "zoom"),
    Command("read", _L, ("left_square_bracket",), "Read in the terminal: scroll, search, copy", "read"),
    Command("palette", _L, ("colon",), "All commands, by a few letters of what they do", "all"),
    Command("cancel", _L, ("escape",), "Back to the agent", "cancel"),
    Command("quit", _L, ("q",), "Leave; asks first while the agent runs or something waits", "quit"),
    Command("new-agent", _L, ("c",), "Start one more agent, in a terminal of its own", "new agent"),
    Command("to-agent", _L, tuple("123456789"), "To the terminal of the agent with this number"),
    Command("next-agent", _L, ("n",), "To the next agent's terminal", "next agent"),
    Command("previous-agent", _L, ("p",), "To the previous agent's terminal"),
    Command("close-agent", _L, ("k",), "Close the terminal in view, once its agent has ended"),
    Command("read-up", _V, ("k", "up"), "Up: further back", "move"),
    Command("read-down", _V, ("j", "down"), "Down"),
    Command("read-left", _V, ("h", "left"), "Left"),
    Command("read-right", _V, ("l", "right"), "Right"),
    Command("read-line-start", _V, ("0", "home"), "To the begin of the line"),
    Command("read-line-end", _V, ("dollar_sign", "end"), "To the end of the line"),
    Command("read-page-up", _V, ("pageup", "ctrl+b"), "One page up", "page"),
    Command("read-page-down", _V, ("pagedown", "ctrl+f"), "One page down"),
    Command("read-first", _V, ("g",), "To the first line that is kept"),
    Command("read-last", _V, ("G",), "To the last line"),
    Command("read-search", _V, ("slash",), "Search, from the last line back", "search"),
    Command("read-older-match", _V, ("n",), "Next match, further back", "next"),
    Command("read-newer-match", _V, ("N",), "Previous match"),
    Command("read-select", _V, ("v", "space"), "Begin to select here, or stop", "select"),
    Command("read-copy", _V, ("y",), "Copy what is selected", "copy"),
    Command("read-open", _V, ("enter", "o"), "Open the link under the cursor; shows the address first"),
    Command("read-leader", _V, (LEADER,), "Then a key of AGENT mode, as ever"),
    Command("read-back", _V, ("escape",), "End the selection, or go back to the agent", "back"),
    Command("read-quit", _V, ("q",), "Back to the agent"),
    Command("allow", _C, ("a",), "Allow the shown action once", "allow", True),
    Command("deny", _C, ("d",), "Deny the shown action", "deny", True),
    Command("session", _C, ("s",), "Allow it, and what is like it, for this session", "session", True),
    Command("process", _C, ("t",), "Allow it to this process and what it starts", "process", True),
    Command(
        "always", _C, ("A",), "Allow it for longer: shows how far, how long, and the rule", "always", True
    ),
    Command("deny-always", _C, ("D",), "Deny it for longer: likewise", "", True),
    Command("undo", _C, ("u",), "Take the last rule or answer of this session back"),
    Command("note", _U, ("n",), "Deny it with a note that the agent reads", "note", True),
    Command("end", _U, ("x",), "Deny it and end the process that wants it", "end", True),
    Command("mark", _U, ("space",), "Mark it, or not: a, d, n go to all marked (a: low risks only)", "mark"),
    Command("filter", _U, ("slash",), "Show what has a text, kind:net, program:curl; !: has not", "filter"),
    Command("filter-not", _U, ("exclamation_mark",), "Hide what has a text"),
    Command("fold", _U, ("left",), "Fold the actions of one command into its header"),
    Command("unfold", _U, ("right",), "Show them again"),
    Command("clear", _U, ("escape",), "Take back the marks, then the filter, then go back to AGENT mode"),
    Command("note", _D, ("n",), "Deny it with a note that the agent reads", "note", True),
    Command("end", _D, ("x",), "Deny it and end the process that wants it", "end", True),
    Command("filter", _D, ("slash",), "Show what has a text, kind:net, program:curl; !: has not"),
    Command("clear", _D, ("escape",), "Take back the marks, then the filter, then go back to AGENT mode"),
    Command("answers", _C, ("S",), "The answers that hold without a rule, to take them back"),
    Command("next", _C, ("j", "down"), "Down: next action, record, rule or line", "move"),
    Command("previous", _C, ("k", "up"), "Up: previous action, record, rule or line"),
    Command("page-down", _C, ("pagedown", "space"), "One page down"),
    Command("page-up", _C, ("pageup",), "One page up"),
    Command("first", _C, ("g", "home"), "To the first"),
    Command("last", _C, ("G", "end"), "To the last; the audit view follows again"),
    Command("full", _C, ("enter",), "Read in full: the action, the chosen rule, how the chosen file differs"),
    Command("next-panel", _C, ("tab",), "Next panel", "panel"),
    Command("previous-panel", _C, ("shift+tab",), "Previous panel"),
    Command("panel-1", _C, ("1",), "Queue: the actions that wait"),
    Command("panel-2", _C, ("2",), "Action: the shown one in full"),
    Command("panel-3", _C, ("3",), "Audit: every decision, as it is made"),
    Command("panel-4", _C, ("4",), "Policy: the rules in force"),
    Command("panel-5", _C, ("5",), "Files: what the session changed on disk"),
    Command("agent", _C, ("escape", LEADER), "Back to AGENT mode: keys go to the agent", "agent"),
    Command("zoom", _C, ("z",), "The panel that has the keys on the whole screen, and back", "zoom"),
    Command("health", _C, ("h",), "What holds on this machine: tries it, as agentgate doctor does"),
    Command("palette", _C, ("colon",), "All commands, by a few letters of what they do", "all"),
    Command("help", _C, ("question_mark", "f1"), "This help", "help"),
    Command("quit", _C, ("q",), "Leave; asks first while the agent runs or something waits", "quit"),
    Command("rule-edit", _P, ("e",), "Edit the chosen rule in a form", "edit"),
    Command("rule-new", _P, ("n",), "A new rule in front of the chosen one", "new"),
    Command("policy-text", _P, ("E",), "Edit the text of the policy file", "text"),
    Command("policy-program", _P, ("o",), "Open the policy file in $VISUAL, $EDITOR or vi"),
    Command("save-editor", Context.FORM, ("ctrl+s",), "Write it, and put it in force", "write"),
    Command("close-editor", Context.FORM, ("escape",), "Close; asks first when something would be lost"),
    Command("close-editor", Context.PROGRAM, ("f12",), "End the program, as if its window was closed"),
    Command("rule-down", _P, ("J",), "Move the chosen rule down", "move rule"),
    Command("rule-up", _P, ("K",), "Move the chosen rule up"),
    Command("rule-switch", _P, ("space",), "Switch the chosen rule off, or on again", "on/off"),
    Command("rule-remove", _P, ("x", "delete"), "Remove the chosen rule from the file", "remove"),
    Command("rule-undo", _P, ("u",), "Take back the last change of the file made from here", "undo"),
    Command("audit-filter", _A, ("slash",), "Filter: deny, host:X, path:X, by:X, text, !not", "filter"),
    Command("audit-open", _A, ("enter",), "The record in full, or what belongs to the call", "open"),
    Command("audit-follow", _A, ("f",), "Follow what comes, or stay", "follow"),
    Command("audit-group", _A, ("t",), "One after the other, or by what the agent called", "by call"),
    Command("audit-whole", _A, ("w",), "The whole log file, or this session alone", "whole log"),
    Command(
        "audit-rule",
        _A,
        ("r",),
        "A rule that allows the chosen record; shows it first",
        "rule",
    ),
    Command("audit-rule-deny", _A, ("R",), "A rule that denies it, likewise"),
    Command("audit-export", _A, ("e",), "Write what the filter leaves into a new file", "export"),
    Command(
        "write", _S, ("enter",), "Answer as shown; a rule is written into the policy file", "write", True
    ),
    Command("wider", _S, ("j", "down"), "Next scope: it reaches further"),
    Command("narrower", _S, ("k", "up"), "Previous scope"),
    Command("longer", _S, ("right", "l", "tab"), "For longer"),
    Command("shorter", _S, ("left", "h", "shift+tab"), "For shorter"),
    *(Command(f"span-{at}", _S, (str(at),), f"For how long: {span}") for at, span in enumerate(Span, 1)),
    Command("edit-glob", _S, ("e",), "Type the glob; what is wrong with it is said at once", "edit"),
    Command("page-down", _S, ("pagedown",), "One page down"),
    Command("page-up", _S, ("pageup",), "One page up"),
    Command("close", _S, ("escape", "q"), "Close; the action still waits", "close"),
    *(
        Command(id, Context.ANSWERS, keys, help)
        for id, keys, help in (
            ("next-answer", ("j", "down"), "Down"),
            ("previous-answer", ("k", "up"), "Up"),
            ("take-back", ("x", "delete"), "It holds no more: what is like it is asked about again"),
            ("close", ("escape", "q", "S"), "Close"),
        )
    ),
    Command("confirm", _Q, ("y",), "End the agent, deny what waits, leave", "quit"),
    Command("close", _Q, ("escape", "n"), "Stay", "stay"),
    Command("check-yes", _K, ("y",), "Paste it, or open it", "yes"),
    Command("check-no", _K, ("escape", "n", "q"), "Do not", "no"),
    Command("next", _K, ("j", "down"), "Down"),
    Command("previous", _K, ("k", "up"), "Up"),
    Command("page-down", _K, ("pagedown", "space"), "One page down"),
    Command("page-up", _K, ("pageup",), "One page up"),
    Command("full", _F, ("enter",), "How the chosen file differs from what it was before", "diff"),
    Command("file-back", _F, ("r",), "Take it back, or all in a directory; asks first", "take back"),
    Command("files-back", _F, ("R",), "Take every change back; asks first", "all back"),
    Command("check-yes", _B, ("y",), "Take it back", "take back"),
    Command("next", _B, ("j", "down"), "Down"),
    Command("previous", _B, ("k", "up"), "Up"),
    Command("check-no", _B, ("escape", "n", "q"), "Leave it as it is", "leave it"),
    Command("confirm-end", Context.END, ("y",), "Deny the action and end the agent's own process", "end it"),
    Command("close", Context.END, ("escape", "n"), "Close; the action still waits", "close"),
    Command("next", _R, ("j", "down"), "Down"),
    Command("previous", _R, ("k", "up"), "Up"),
    Command("page-down", _R, ("pagedown", "space"), "One page down"),
    Command("page-up", _R, ("pageup",), "One page up"),
    Command("find-in-help", _R, ("slash",), "Show what of this help has some letters"),
    Command("close", _R, ("escape", "q", "enter", "question_mark", "f1"), "Close", "close"),
    Command("enter-text", _T, ("enter",), "Take the text", "ok"),
    Command("close-text", _T, ("escape",), "Close it", "cancel"),
)

_LABELS = {
    LEADER: "ctrl+]",
    "question_mark": "?",
    "escape": "esc",
    "slash": "/",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "delete": "del",
    "backspace": "bksp",
    "colon": ":",
    "exclamation_mark": "!",
    "dollar_sign": "$",
    "left_square_bracket": "[",
}


def of(context: Context) -> list[Command]:
    """All commands of a context alone, in the table's order."""
    return [command for command in COMMANDS if command.context is context]


def key_label(key: str) -> str:
    """A key as the operator knows it: ``ctrl+]``, ``?``, ``esc``, ``F12``."""
    if key in _LABELS:
        return _LABELS[key]
    mods, _, last = key.rpartition("+")
    if last[:1] == "f" and last[1:].isdigit():
        last = last.upper()
    return f"{mods}+{_LABELS.get(last, last)}" if mods else last


def keys_label(keys: Sequence[str]) -> str:
    """All keys of a command: ``j, ↓``; digits in a row as ``1-9``."""
    if len(keys) > 2 and "".join(keys) in "123456789":
        return f"{keys[0]}-{keys[-1]}"
    return ", ".join(map(key_label, keys))
