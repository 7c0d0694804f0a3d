"""What each Landlock ABI added (landlock(7), linux/landlock.h), and what the gate does without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ABSENT", "RIGHTS", "SCOPES", "Right", "lacking"]


@dataclass(frozen=True, slots=True)
class Right:
    """``adds`` is what ABI ``abi`` brought; ``instead`` what the gate relies on where it is not there;
    ``left_out`` says that it is not used where it is there either."""

    abi: int
    adds: str
    instead: str
    left_out: bool = False


SCOPES: Final = 6

RIGHTS: Final = (
    Right(2, "moves between directories (REFER)", "the domain refuses all of them; the warden makes them"),
    Right(3, "truncation (TRUNCATE)", "left out, it slows every read; such calls are held", True),
    Right(4, "TCP", "connect, bind and listen are the filter's alone"),
    Right(5, "device commands (IOCTL_DEV)", "the filter refuses the known dangerous ones"),
    Right(6, "signals and abstract sockets (scopes)", "the warden decides signals, the filter sockets"),
)  # fmt: skip

ABSENT: Final = {1: "5.13", 2: "5.19", 3: "6.2", 4: "6.7", 5: "6.10", 6: "6.12"}
"""The kernel release that brought each ABI."""


def lacking(abi: int) -> tuple[Right, ...]:
    """What the gate would use, and ``abi`` has not."""
    return tuple(right for right in RIGHTS if right.abi > abi and not right.left_out)
