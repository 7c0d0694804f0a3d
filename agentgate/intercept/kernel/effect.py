"""A held call, understood: what it is decided on, and how it is done when it is allowed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from agentgate.actions import GuardName, Kind

if TYPE_CHECKING:
    from agentgate.intercept.kernel.moves import Moved

__all__ = ["LET_GO", "Descriptor", "Effect", "LetGo", "NotYet", "Reply"]


class LetGo:
    """The kernel may carry the call out itself: nothing that was decided depends on memory."""


LET_GO = LetGo()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor to be given to the caller, and closed here."""

    fd: int
    cloexec: bool


class NotYet(Exception):
    """Cannot be done without waiting (a fifo that nobody reads): to be tried again soon, and when
    ``descriptor`` (-1: nothing tells) is ready for writing."""

    def __init__(self, descriptor: int = -1) -> None:
        super().__init__()
        self.descriptor = descriptor


Reply = int | Descriptor | LetGo


class Held(Protocol):
    """Something the effect keeps open until it is done or refused."""

    def moved(self) -> bool: ...

    def close(self) -> None: ...


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Effect:
    """``perform`` does the call and gives what it returns, or raises OSError as the kernel would.

    ``kind`` None: nothing to decide, the caller only uses what it already holds. ``check`` raises the
    error that the kernel would give anyway, so that nobody is asked about the impossible; it is called
    only when the answer is not an allow. ``refused`` is why the gate itself never does this; ``code`` the
    error that a refused caller gets, ``quiet`` whether it gets no line on its standard error. ``goes_on``:
    an execve that is the command that was approved, one step on. ``interpreters``: the command lines that the
    kernel makes of an execve of a script. ``renames``: what gets another name by this. ``cleared``: whether a
    guard has nothing to ask about it, to be called only right before perform. ``done`` runs afterwards,
    before the caller hears. ``then``: what is decided next, once this was allowed, instead of ``perform``.
    """

    syscall: str
    perform: Callable[[], Reply]
    kind: Kind | None = None
    target: str = ""
    origin: str = ""
    argv: tuple[str, ...] | None = None
    check: Callable[[], None] = _nothing
    refused: str = ""
    code: int = errno.EACCES
    quiet: bool = False
    goes_on: bool = False
    interpreters: tuple[tuple[str, ...], ...] = ()
    renames: tuple[Moved, ...] = ()
    cleared: Callable[[GuardName], bool] | None = None
    done: Callable[[], None] = _nothing
    keeps: list[Held] = field(default_factory=list)
    then: Effect | None = None

    def moved(self) -> bool:
        """Whether something that was decided on is now elsewhere: then it is decided anew."""
        return any(held.moved() for held in self.keeps)

    def close(self) -> None:
        for held in self.keeps:
            try:
                held.close()
            except OSError:  # nothing is left to be done about it
                pass
        self.keeps.clear()
