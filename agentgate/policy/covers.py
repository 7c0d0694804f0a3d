"""Whether one glob matches everything that another matches, told from the two globs alone.

Pure and conservative: True is certain, False means no more than "not for certain". A star of the wide glob
may stand for anything that the narrow one says at its place, stars too; everything else must be met sign by
sign. (Where the narrow glob has a star, it may stand for a character that occurs in neither, which only a
star can match: so little is missed.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from agentgate.actions import Kind
from agentgate.policy.glob import GlobError, Lookup, command_tokens, path_tokens
from agentgate.policy.hosts import covers_host, socket_glob

__all__ = ["covers"]

_Sign = TypeVar("_Sign")
_Segment = tuple[str, ...]
_DEPTH = ("**",)


def covers(kind: Kind, wide: str, narrow: str, lookup: Lookup) -> bool:
    """Whether ``wide`` matches, for actions of ``kind``, whatever ``narrow`` matches."""
    if wide == narrow:
        return True
    try:
        if kind is Kind.EXEC:
            return _command(command_tokens(wide, lookup), command_tokens(narrow, lookup))
        if kind is not Kind.NET_EGRESS:
            return _path(path_tokens(wide, lookup), path_tokens(narrow, lookup))
        socket, its_socket = socket_glob(wide), socket_glob(narrow)
        if its_socket is None or socket is None:
            return wide == "*" if its_socket is not None else covers_host(wide, narrow, lookup)
        if socket == "*":
            return True
        if its_socket == "*" or socket.startswith("@") != its_socket.startswith("@"):
            return False
        if socket.startswith("@"):
            return _command(command_tokens(socket, lookup), command_tokens(its_socket, lookup))
        return _path(path_tokens(socket, lookup), path_tokens(its_socket, lookup))
    except GlobError:
        return False


def _command(wide: _Segment, narrow: _Segment) -> bool:
    return _takes(wide, narrow, "*", _one)


def _path(wide: tuple[_Segment, ...], narrow: tuple[_Segment, ...]) -> bool:
    return _takes(wide, narrow, _DEPTH, _segment)


@lru_cache(1024)
def _segment(wide: _Segment, narrow: _Segment) -> bool:
    return narrow != _DEPTH and _takes(wide, narrow, "*", _one)


def _one(wide: str, narrow: str) -> bool:
    """Whether one sign of a name or command stands for all that another stands for."""
    return narrow != "*" and (wide in ("?", narrow))


def _takes(
    wide: Sequence[_Sign], narrow: Sequence[_Sign], star: _Sign, same: Callable[[_Sign, _Sign], bool]
) -> bool:
    """Walk along ``narrow`` through every place of ``wide`` that it can have reached."""
    end = len(wide)

    def on(places: set[int]) -> set[int]:
        for place in sorted(places):
            while place < end and wide[place] == star:
                place += 1
                places.add(place)
        return places

    places = on({0})
    for sign in narrow:
        places = on(
            {
                place if wide[place] == star else place + 1
                for place in places
                if place < end and (wide[place] == star or same(wide[place], sign))
            }
        )
        if not places:
            return False
    return end in places
