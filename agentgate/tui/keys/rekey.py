"""A keymap of the operator's own: their keys in place of the table's, and what would be in conflict. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentgate.tui.keys.commands import COMMANDS, PANELS, Command, Context, key_label
from agentgate.tui.keys.keymap import Keymap

__all__ = ["Conflict", "rekey", "sections"]


_NEEDED = frozenset({"agent", "close", "close-text", "confirm", "control", "enter-text", "quit"})


class Conflict(ValueError):
    """What is wrong with the keys of ``command`` (below ``section``, "" for all; no command: the leader)."""

    def __init__(self, section: str, command: str, why: str) -> None:
        super().__init__(why)
        self.section, self.command = section, command


def sections() -> dict[str, Context]:
    """The contexts that have commands, by the names that a configuration calls them by."""
    return {
        context.name.lower(): context for context in Context if any(c.context is context for c in COMMANDS)
    }


def rekey(leaders: tuple[str, ...], chosen: Mapping[tuple[str, str], tuple[str, ...]]) -> Keymap:
    """``chosen``: keys by section ("" for wherever the command stands) and command. Raises Conflict."""
    known = sections()
    made: list[Command] = []
    set_by: dict[tuple[Context, str], tuple[str, str]] = {}
    for section, name in chosen:
        here = [c for c in COMMANDS if c.id == name and (not section or c.context is known[section])]
        if not here:
            where = f" in keys.{section}" if section else ""
            raise Conflict(
                section, name, f"unknown command {name!r}{where} (agentgate tui --print-config lists all)"
            )
    for command in COMMANDS:
        keys = command.keys
        for section in ("", command.context.name.lower()):
            if (section, command.id) in chosen:
                keys = chosen[section, command.id]
                if keys != command.keys:  # what says the same as the table has set nothing
                    set_by[command.context, command.id] = (section, command.id)
                if not keys and command.id in _NEEDED:
                    raise Conflict(
                        section, command.id, f"{command.id!r} must have a key: nothing else leads out"
                    )
        made.append(replace(command, keys=keys))
    keymap = Keymap(leaders, tuple(made))
    _no_conflicts(keymap, set_by)
    return keymap


def _no_conflicts(keymap: Keymap, set_by: Mapping[tuple[Context, str], tuple[str, str]]) -> None:
    """Each key means one thing in its context; and no key that was set hides one of CONTROL in a panel, or
    is hidden there, unless the other has another key."""
    taken: dict[tuple[Context, str], Command] = {}
    for command in keymap.commands:
        for key in command.keys:
            other = taken.setdefault((command.context, key), command)
            if other is not command:
                _blame(command, other, key, set_by)
    for context in PANELS.values():
        for own in keymap.of(context):
            for below in keymap.of(Context.CONTROL):
                hidden = set(own.keys) & set(below.keys)
                ours = (context, own.id) in set_by or (Context.CONTROL, below.id) in set_by
                if ours and hidden and not set(below.keys) - set(own.keys):
                    _blame(below, own, hidden.pop(), set_by)


def _blame(
    one: Command, other: Command, key: str, set_by: Mapping[tuple[Context, str], tuple[str, str]]
) -> None:
    """Raise the conflict, at the one that the operator has set."""
    blamed, rest = (one, other) if (one.context, one.id) in set_by else (other, one)
    section, command = set_by.get((blamed.context, blamed.id), ("", ""))
    where = rest.context.name.lower()
    raise Conflict(
        section, command, f"{key_label(key)} is {rest.id!r} in {where} already: give one of them another key"
    )
