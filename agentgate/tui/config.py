"""The room's configuration: ``config.toml`` in $XDG_CONFIG_HOME/agentgate, or what --config names.

Everything in it may be left out; `default_text` is the whole of it with what holds then. What is unknown,
wrong or in conflict is an error with file and line, and the room does not start: a key that does not do what
its owner thinks is no small thing here.

The lines are found by a scan of our own, because tomllib tells none: a key at the beginning of a line below
the head of its table, which is how everybody writes them. Where it is written otherwise the file alone is
named.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentgate.configdir import ConfigError
from agentgate.tui import theme
from agentgate.tui.keys.commands import key_label
from agentgate.tui.keys.keymap import DEFAULT_KEYS, Keymap
from agentgate.tui.keys.keynames import key_name, leads
from agentgate.tui.keys.rekey import Conflict, rekey, sections

__all__ = ["Config", "Notifications", "default_text", "load"]

LEAST_ARM, MOST_ARM = 0.3, 10.0


@dataclass(frozen=True, slots=True)
class Notifications:
    """``bell`` and ``osc9`` (a desktop notification) when something waits and the terminal has not the focus,
    at most one in ``seconds``; ``title`` of the window says how many wait."""

    bell: bool = True
    osc9: bool = True
    title: bool = True
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Config:
    """``arm_seconds``: how long something must have been shown before a verdict key counts for it.
    ``agent_clipboard``: whether the agent's programs may set the operator's clipboard (OSC 52)."""

    keys: Keymap = DEFAULT_KEYS
    theme: str = theme.DARK.name
    arm_seconds: float = 0.5
    notifications: Notifications = field(default_factory=Notifications)
    agent_clipboard: bool = False


def load(path: Path, *, must: bool = False) -> Config:
    """The configuration in ``path``; the default one when there is no such file, unless it ``must`` be there.
    Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must:
            raise ConfigError(f"{path}: no such file (agentgate tui --print-config writes one)") from None
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {why}") from None
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise ConfigError(
            f"{path}:{line[1] if line else max(len(text.splitlines()), 1)}: no TOML: {error}"
        ) from None
    return _Reader(path, text).config(given)


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = _lines(text)

    def fail(self, where: tuple[str, ...], why: str) -> ConfigError:
        line = self._lines.get(where)
        return ConfigError(f"{self._path}{f':{line}' if line else ''}: {why}")

    def config(self, given: Mapping[str, Any]) -> Config:
        self._known((), given, ("leader", "theme", "arm_seconds", "agent_clipboard", "keys", "notifications"))
        chosen = given.get("theme", theme.DARK.name)
        if chosen not in theme.NAMES:
            raise self.fail(("theme",), f"unknown theme {chosen!r} ({', '.join(theme.NAMES)})")
        arm = self._number(("arm_seconds",), given, 0.5, LEAST_ARM, MOST_ARM)
        clipboard = "agent_clipboard" in given and self._switch(("agent_clipboard",), given)
        told = self._table(("notifications",), given)
        self._known(("notifications",), told, ("bell", "osc9", "title", "seconds"))
        switches = {
            name: self._switch(("notifications", name), told)
            for name in ("bell", "osc9", "title")
            if name in told
        }
        seconds = self._number(("notifications", "seconds"), told, 30.0, 1.0, 3600.0)
        notifications = Notifications(seconds=seconds, **switches)
        return Config(self._keys(given), chosen, arm, notifications, clipboard)

    def _keys(self, given: Mapping[str, Any]) -> Keymap:
        leaders = DEFAULT_KEYS.leaders
        if "leader" in given:
            leaders = self._key_list(("leader",), given["leader"])
            for key in leaders:
                if not leads(key):
                    raise self.fail(
                        ("leader",),
                        f"{key!r} is a key that the agent needs: take one with ctrl, or F1 to F24",
                    )
            if not leaders:
                raise self.fail(("leader",), "there must be a leader: no other key leaves the agent")
        chosen: dict[tuple[str, str], tuple[str, ...]] = {}
        table = self._table(("keys",), given)
        known = sections()
        for name, value in table.items():
            if isinstance(value, dict):
                if name not in known:
                    raise self.fail(("keys", name), f"unknown table keys.{name} ({', '.join(known)})")
                for command, keys in value.items():
                    chosen[name, command] = self._key_list(("keys", name, command), keys)
            else:
                chosen["", name] = self._key_list(("keys", name), value)
        try:
            return rekey(leaders, chosen)
        except Conflict as error:
            where = ("keys", error.section, error.command) if error.section else ("keys", error.command)
            raise self.fail(where if error.command else ("leader",), str(error)) from None

    def _key_list(self, where: tuple[str, ...], value: object) -> tuple[str, ...]:
        keys = [value] if isinstance(value, str) else value
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise self.fail(where, f'{where[-1]} takes a key or a list of keys, like "ctrl+g"')
        try:
            return tuple(dict.fromkeys(key_name(key) for key in keys))
        except ValueError as error:
            raise self.fail(where, str(error)) from None

    def _known(self, where: tuple[str, ...], given: Mapping[str, Any], names: tuple[str, ...]) -> None:
        for name in given:
            if name not in names:
                raise self.fail((*where, name), f"unknown key {name!r} ({', '.join(names)})")

    def _table(self, where: tuple[str, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
        table = given.get(where[-1], {})
        if not isinstance(table, dict):
            raise self.fail(where, f"{where[-1]} is a table: write [{where[-1]}]")
        return table

    def _switch(self, where: tuple[str, ...], given: Mapping[str, Any]) -> bool:
        value = given[where[-1]]
        if not isinstance(value, bool):
            raise self.fail(where, f"{where[-1]} is true or false")
        return value

    def _number(
        self, where: tuple[str, ...], given: Mapping[str, Any], default: float, least: float, most: float
    ) -> float:
        value = given.get(where[-1], default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.fail(where, f"{where[-1]} is a number of seconds from {least:g} to {most:g}")
        return float(value)


_HEAD = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')((?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=""")


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table and key, from 1."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            table = _parts(head[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1] + key[2])), number)
    return found


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def default_text() -> str:
    """A whole configuration that says what holds without one, every line of it a comment but the heads."""
    told = Notifications()
    say: Callable[[bool], str] = lambda value: "true" if value else "false"  # noqa: E731
    lines = [
        "# agentgate's control room. Each line says what holds when it is left out.",
        "",
        f"# leader = {_toml(DEFAULT_KEYS.leaders)}    # hints name the first; doubled it is the agent's",
        f'# theme = "{theme.DARK.name}"',
        *_comment("themes: " + ", ".join(theme.NAMES)),
        "# arm_seconds = 0.5    # how long an action is shown before a key decides on it: 0.3 to 10",
        "# agent_clipboard = false    # whether the agent's programs may set your clipboard; none reads it",
        "",
        "[notifications]        # when something waits",
        f"# title = {say(told.title)}         # (2) waiting, in the window's title",
        f"# bell = {say(told.bell)}          # while the terminal has not the focus",
        f"# osc9 = {say(told.osc9)}          # a desktop notification then, where the terminal knows OSC 9",
        f"# seconds = {told.seconds:g}         # at most one in this time",
        "",
        "# Keys: a command and its key, or a list of them; [] is none. Below [keys] for wherever it stands,",
        "# below [keys.control] and so on for there alone.",
        "[keys]",
    ]
    for section, context in sections().items():
        lines += ["", f"[keys.{section}]    # {DEFAULT_KEYS.said(context.value)}"]
        for command in DEFAULT_KEYS.of(context):
            chosen = f"{command.id} = {_toml(command.keys)}"
            lines.append(f"# {chosen:<36} # {DEFAULT_KEYS.said(command.help)}")
    return "\n".join(lines) + "\n"


def _toml(keys: tuple[str, ...]) -> str:
    quoted = [f'"{key_label(key)}"' for key in keys]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


def _comment(text: str) -> list[str]:
    lines = ["#"]
    for word in text.split():
        if len(lines[-1]) + len(word) > 100:
            lines.append("#")
        lines[-1] += f" {word}"
    return lines
