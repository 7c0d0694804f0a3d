"""The journal of a session's changes: one line of JSON for each thing that was about to be changed.

An `Entry` says what was at a path before the session first changed it. A `Move` says that something which is
not kept - a directory, a file too large - got another name; what is said of paths before it holds for the new
names from then on (``now.py``). A `Stamp` says what the session left at a path, written once at its end. All
are written in the order in which things happened, so that undoing them backwards leads to the beginning.

Paths are absolute and real, with lone surrogates for bytes that are no UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from json.encoder import encode_basestring_ascii
from typing import Any, get_origin, get_type_hints

__all__ = ["Entry", "Item", "Move", "Note", "Stamp", "Was", "absent", "line", "parse"]


class Was(StrEnum):
    NONE = "none"
    FILE = "file"
    LINK = "link"
    DIR = "dir"
    OTHER = "other"  # a fifo, a socket, a device


@dataclass(frozen=True, slots=True)
class Entry:
    """``kept`` names the copy of a file's content in the session's store. Without one ``why`` says why not;
    empty too, only mode, owner, times or attributes were about to change. ``mtime`` and ``atime`` in
    nanoseconds; ``target`` a link's; ``attributes`` by name, as hexadecimal digits."""

    path: str
    was: Was
    kept: str = ""
    why: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    atime: int = 0
    inode: int = 0
    links: int = 1
    target: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """What was called ``before`` is called ``after`` now; ``swapped``: and the other way round."""

    before: str
    after: str
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the session left at ``path``: changed since when one of these differs (``inode`` 0: nothing)."""

    path: str
    inode: int = 0
    size: int = 0
    mtime: int = 0
    ctime: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """``word``: "full" when changes were made that are not in the journal, "sealed" when the session ended
    in order and every stamp was written, "back" when ``path`` was taken back (``time``: Unix seconds)."""

    word: str
    path: str = ""
    time: float = 0.0


Item = Entry | Move | Stamp | Note

_KINDS: dict[str, type[Item]] = {"was": Entry, "moved": Move, "left": Stamp, "note": Note}
_NAMES = {kind: (name, tuple(each.name for each in fields(kind))) for name, kind in _KINDS.items()}
_TYPES: dict[type[Item], dict[str, Any]] = {
    kind: {
        name: get_origin(hint) or {Was: str, float: (int, float)}.get(hint, hint)
        for name, hint in get_type_hints(kind).items()
    }
    for kind in _NAMES
}
_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one at each call


def line(item: Item) -> bytes:
    """``item`` as a line. What is empty is left out."""
    kind, names = _NAMES[type(item)]
    data: dict[str, object] = {"k": kind}
    for name in names:  # asdict() copies everything, and takes four times as long
        value = getattr(item, name)
        if value:
            data[name] = value
    return _encode(data).encode("ascii") + b"\n"


def absent(path: str) -> bytes:
    """The line for what was not there, which is what nearly every line says."""
    return f'{{"k":"was","path":{encode_basestring_ascii(path)},"was":"none"}}\n'.encode("ascii")


def parse(lines: Iterable[bytes]) -> Iterator[Item]:
    """The items. A line that is none (torn by a crash, or of a later version) is left out."""
    for text in lines:
        try:
            item = _item(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if item is not None:
            yield item


def _item(data: dict[str, Any]) -> Item | None:
    kind = _KINDS[data.pop("k")]
    if any(not isinstance(value, _TYPES[kind][name]) for name, value in data.items()):
        return None
    item = kind(**data)
    if isinstance(item, Entry):
        if not _plain(item.path) or (item.kept and not item.kept.isascii()) or "/" in item.kept:
            return None
        return Entry(**{**data, "was": Was(item.was)})
    paths = (item.before, item.after) if isinstance(item, Move) else (item.path,)
    return item if all(_plain(path) for path in paths if path or not isinstance(item, Note)) else None


def _plain(path: str) -> bool:
    """Whether ``path`` is absolute and without names that lead elsewhere."""
    return path[:1] == "/" and "\0" not in path and not {"", ".", ".."} & set(path[1:].split("/"))
