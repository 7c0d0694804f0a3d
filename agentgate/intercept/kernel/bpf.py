"""A small assembler for classic BPF as seccomp takes it (seccomp(2), linux/bpf_common.h).

Conditional jumps reach 255 instructions; programs here are longer, so every jump to a label is spelled
as a conditional over one unconditional ``ja``, which reaches everywhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

__all__ = ["ALLOW", "ARCH", "NOTIFY", "NUMBER", "Assembler", "argument", "refuse"]

_LD_ABS, _AND, _JA, _JEQ, _JGE, _JSET, _RET = 0x20, 0x54, 0x05, 0x15, 0x35, 0x45, 0x06

ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000

# offsets in struct seccomp_data
NUMBER = 0
ARCH = 4


def argument(index: int, *, high: bool = False) -> int:
    """Offset of the low (or high) 32 bits of system call argument ``index``, little endian."""
    return 16 + 8 * index + (4 if high else 0)


def refuse(error: int) -> int:
    """The return value that fails the call with errno ``error`` (0: succeeds and does nothing)."""
    return 0x00050000 | error


@dataclass
class Assembler:
    """Collects instructions; ``assemble`` resolves labels and returns struct sock_filter[]."""

    _code: list[tuple[int, int, int, int | str]] = field(default_factory=list)
    _labels: dict[str, int] = field(default_factory=dict)
    _fresh: int = 0

    def label(self) -> str:
        self._fresh += 1
        return f"L{self._fresh}"

    def mark(self, label: str) -> None:
        self._labels[label] = len(self._code)

    def load(self, offset: int) -> None:
        self._code.append((_LD_ABS, 0, 0, offset))

    def mask(self, bits: int) -> None:
        self._code.append((_AND, 0, 0, bits))

    def ret(self, value: int) -> None:
        self._code.append((_RET, 0, 0, value))

    def jump(self, label: str) -> None:
        self._code.append((_JA, 0, 0, label))

    def if_equal(self, value: int, label: str) -> None:
        self._branch(_JEQ, value, label)

    def if_at_least(self, value: int, label: str) -> None:
        self._branch(_JGE, value, label)

    def if_any_bit(self, bits: int, label: str) -> None:
        self._branch(_JSET, bits, label)

    def unless_equal(self, value: int, label: str) -> None:
        self._code.append((_JEQ, 1, 0, value))
        self.jump(label)

    def _branch(self, code: int, value: int, label: str) -> None:
        self._code.append((code, 0, 1, value))
        self.jump(label)

    def assemble(self) -> bytes:
        out = bytearray()
        for index, (code, yes, no, value) in enumerate(self._code):
            if isinstance(value, str):
                value = self._labels[value] - index - 1
            out += struct.pack("=HBBI", code, yes, no, value & 0xFFFFFFFF)
        if len(out) // 8 > 4096:
            raise ValueError("the filter is longer than BPF_MAXINSNS")
        return bytes(out)
