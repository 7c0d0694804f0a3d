"""Which key gives which command: the table of ``commands.py`` with the operator's own choice of keys. Pure.

The state carries one, so whoever shows or looks up keys asks it there and never the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from agentgate.tui.keys.commands import COMMANDS, LEADER, PANELS, Command, Context, key_label

__all__ = ["DEFAULT_KEYS", "LEADERS", "Keymap"]

LEADERS = (LEADER, "f12")
"""The keys that are not the agent's, unless configured; hints name the first."""

_IN_PANEL = frozenset(PANELS.values())


@dataclass(frozen=True, slots=True, eq=False)
class Keymap:
    """``commands`` with the keys they have; where the table says `LEADER` they have every one of
    ``leaders``."""

    leaders: tuple[str, ...] = LEADERS
    commands: tuple[Command, ...] = COMMANDS
    _by_key: dict[tuple[Context, str], Command] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        led = tuple(
            replace(command, keys=tuple(dict.fromkeys(_led(command.keys, self.leaders))))
            if LEADER in command.keys
            else command
            for command in self.commands
        )
        by_key = {(command.context, key): command for command in led for key in command.keys}
        object.__setattr__(self, "commands", led)
        object.__setattr__(self, "_by_key", by_key)

    @property
    def lead(self) -> str:
        """The leader as hints name it."""
        return key_label(self.leaders[0])

    def find(self, context: Context, key: str) -> Command | None:
        """The command of ``key`` in ``context``; in a panel its own before CONTROL's."""
        found = self._by_key.get((context, key))
        if found is None and context in _IN_PANEL:
            return self._by_key.get((Context.CONTROL, key))
        return found

    def of(self, context: Context) -> list[Command]:
        """All commands of a context alone, in the table's order."""
        return [command for command in self.commands if command.context is context]

    def offered(self, context: Context) -> list[Command]:
        """What keys do in a panel: its own commands, then those of CONTROL that these do not hide."""
        own = self.of(context)
        if context not in _IN_PANEL:
            return own
        hidden = {key for command in own for key in command.keys}
        return own + [command for command in self.of(Context.CONTROL) if not hidden.issuperset(command.keys)]

    def key_of(self, context: Context, command: str) -> str:
        """The first key of a command, as hints name it; empty when it has none there."""
        for known in self.offered(context):
            if known.id == command and known.keys:
                return key_label(known.keys[0])
        return ""

    def said(self, text: str) -> str:
        """A text of the table, with the leader that is in force."""
        return text.replace(key_label(LEADER), self.lead)


def _led(keys: Iterable[str], leaders: tuple[str, ...]) -> Iterable[str]:
    for key in keys:
        yield from leaders if key == LEADER else (key,)


DEFAULT_KEYS = Keymap()
