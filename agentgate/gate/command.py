"""A command in the policy's language, and when a command is the continuation of one already decided.

Pure but for ``interpreter``, which reads the first line of a script.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Approved", "Places", "interpreter"]

# Where packages of the system and of the machine's administrator live. An ordinary user cannot write here.
_SYSTEM = ("/usr", "/bin", "/sbin", "/opt", "/snap", "/nix/store", "/System", "/Library", "/Applications")


def _beneath(path: str, roots: Iterable[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


@dataclass(frozen=True, slots=True)
class Places:
    """Whose program is meant by a bare name. ``tools`` are directories of the operator's PATH, ``writable``
    those where the agent works (project, temporary files); all resolved (``Places.of`` does that)."""

    tools: frozenset[str] = frozenset()
    writable: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str, writable: Iterable[str]) -> Places:
        """From a PATH (relative entries are left out) and writable directories as they are written."""
        return cls(
            frozenset(os.path.realpath(entry) for entry in path.split(os.pathsep) if os.path.isabs(entry)),
            tuple(os.path.realpath(entry) for entry in writable),
        )

    def word(self, program: str) -> str:
        """The first word of a command's target: the bare name if ``program`` (an absolute path) lives in
        a directory of the system or of the operator's tools, else its path."""
        home = os.path.realpath(os.path.dirname(program))
        path = os.path.join(home, os.path.basename(program))
        return os.path.basename(program) if self.vouch(path, os.path.realpath(program)) else path

    def vouch(self, path: str, real: str) -> bool:
        """Whether a bare name may stand for ``path`` (its directory resolved), which leads to ``real``."""
        if _beneath(path, self.writable) or _beneath(real, self.writable):
            return False
        return os.path.dirname(path) in self.tools or self.system(path)

    @staticmethod
    def system(path: str) -> bool:
        """Whether ``path`` lies where the system's packages live."""
        return _beneath(path, _SYSTEM)

    def words(self, program: str, argv: Sequence[str]) -> tuple[str, ...]:
        """The command as it is decided and shown. argv[0] never counts: anybody can claim to be anything."""
        return self.word(program), *argv[1:]

    def target(self, program: str, argv: Sequence[str]) -> str:
        """The command as policy sees it: ``npm install chalk``."""
        return " ".join(self.words(program, argv))


def interpreter(program: str) -> str:
    """The name that a script looks up on PATH by ``#!/usr/bin/env NAME``, or an empty string."""
    try:
        with open(program, "rb") as script:
            head = script.read(256)
    except OSError:
        return ""
    if not head.startswith(b"#!"):
        return ""
    words = os.fsdecode(head[2:].split(b"\n", 1)[0]).split()
    if not words or os.path.basename(words[0]) != "env":
        return ""
    named = (word for word in words[1:] if not word.startswith("-") and "=" not in word)
    return os.path.basename(next(named, ""))


@dataclass(frozen=True, slots=True)
class Approved:
    """A command that a process was allowed to run: ``program`` is an absolute path."""

    program: str
    argv: tuple[str, ...]

    def continues_as(self, program: str, argv: Sequence[str]) -> bool:
        """Whether the same process running ``program`` is still this command: the kernel ran the approved
        script's ``env NAME``, and env now looks NAME up on PATH with the script and its arguments."""
        tail = (self.program, *self.argv[1:])
        return (
            len(argv) > len(tail)
            and tuple(argv[-len(tail) :]) == tail
            and os.path.basename(program) == interpreter(self.program)
        )
