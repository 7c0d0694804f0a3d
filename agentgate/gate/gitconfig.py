"""Whether a new ``.git/config`` says only what git itself notes down, so that its guard has nothing to ask.

The guard is for keys that name programs (``core.fsmonitor``, ``alias.x``, ``filter.y.clean``, an include of
another file) and for a remote that is turned elsewhere behind the operator's back. ``git init``, ``git
clone``, ``git config user.email`` and ``git branch -u`` change neither, but write the file each time. The
reading is stricter than git's own (git-config(1)): one key a line, spelled as git spells it. Whatever is not
understood must stand in the old file too, in the same order; else the guard asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["SIZE_MAX", "harmless"]

SIZE_MAX = 1 << 16

_BOOLEAN = "true|false"
_NAME = r"[\w.][\w./-]*"
_URL = r"(?!.*::)[\w./~][\w./~@:+%=-]*"  # `ext::sh -c` is a program
_HEADS = r"refs/(?:heads|tags|remotes|pull|notes)/[\w.*/-]+"
_SAFE = {
    "core.repositoryformatversion": "[01]",
    **dict.fromkeys(
        ("core.filemode", "core.bare", "core.logallrefupdates", "core.ignorecase", "core.symlinks",
         "core.precomposeunicode", "extensions.worktreeconfig", "pull.rebase", "push.autosetupremote"),
        _BOOLEAN,
    ),
    "core.autocrlf": f"{_BOOLEAN}|input",
    "extensions.objectformat": "sha1|sha256",
    "extensions.refstorage": "files|reftable",
    "init.defaultbranch": _NAME,
    "pull.ff": f"{_BOOLEAN}|only",
    "push.default": "nothing|current|upstream|simple|matching",
    "user.name": r"[^\"\\#;]+",
    "user.email": r"[^\"\\#;\s]+",
    "remote.*.fetch": rf"\+?{_HEADS}:{_HEADS}",
    "remote.*.url": _URL,
    "branch.*.remote": rf"\.|{_NAME}",
    "branch.*.merge": _HEADS,
    "branch.*.rebase": _BOOLEAN,
}  # fmt: skip
_SAFE_VALUE = {key: re.compile(value, re.ASCII) for key, value in _SAFE.items()}
_SECTION = re.compile(r'\[([a-z]+)(?: "([^"\\]+)")?\]')
_ENTRY = re.compile(r"\t([A-Za-z][A-Za-z0-9-]*) = (\S(?:.*\S)?)")


@dataclass
class _Config:
    """``known`` values by key, of those that have a meaning here; ``rest``, in order, is all else."""

    known: dict[str, list[str]] = field(default_factory=dict)
    rest: list[tuple[str, str]] = field(default_factory=list)


def harmless(new: bytes, old: bytes = b"", *, empty: bool) -> bool:
    """Whether ``new`` in place of ``old`` needs no question. ``empty``: the repository holds nothing yet, as
    when it is just being cloned, so there is nothing to fetch into or to push."""
    after, before = _read(new), _read(old)
    if after is None or before is None or after.rest != before.rest:
        return False
    return empty or all(_kept(key, values, before.known) for key, values in after.known.items())


def _kept(key: str, values: list[str], before: dict[str, list[str]]) -> bool:
    """Whether an existing repository still fetches from, and pushes to, where it did."""
    section, _, rest = key.partition(".")
    was = before.get(key)
    if section == "remote" and rest.endswith(".url"):
        return values == was
    if section == "branch" and rest.endswith(".remote"):
        named = all(value == "." or f"remote.{value}.url" in before for value in values)
        return values == was or (was is None and named)
    return True


def _read(text: bytes) -> _Config | None:
    """None for what git may read as something else than it looks like here."""
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError:
        return None
    config = _Config()
    section = ""
    for line in lines:
        if line.endswith("\\") or not line.replace("\t", "").isprintable():
            return None  # goes on in the next line; or holds a carriage return, a NUL...
        header, entry = _SECTION.fullmatch(line), _ENTRY.fullmatch(line)
        if header:
            section = header[1] if header[2] is None else f"{header[1]}.{header[2]}"
            continue
        kind, key = _key(section, entry[1].lower()) if entry else ("", "")
        if entry and kind in _SAFE_VALUE and _SAFE_VALUE[kind].fullmatch(entry[2]):
            config.known.setdefault(key, []).append(entry[2])
        elif line.strip() and line.strip()[0] not in "#;":
            if line.lstrip().startswith("["):
                section = line  # of no meaning here: all below it is to stay as it is
            config.rest.append((section, line))
    return config


def _key(section: str, name: str) -> tuple[str, str]:
    """How ``name`` is called in the table above, and in full."""
    head, _, middle = section.partition(".")
    return (f"{head}.*.{name}" if middle else f"{head}.{name}"), f"{section}.{name}"
