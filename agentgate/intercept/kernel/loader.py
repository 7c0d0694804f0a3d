"""The dynamic loader as a command: ``ld.so [OPTION...] PROGRAM [ARGUMENT...]`` runs PROGRAM, and there is no
execve(2) of it (ld.so(8), and musl's). It is the one program of a system that does so; what it is asked to
run is shown in its command line, and a rule that denies PROGRAM holds for it. Pure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

__all__ = ["is_loader", "launched"]

_NAME = re.compile(rb"ld(?:-linux|-musl|64|-[0-9]|\.)[^/]*\.so[.0-9]*|ld\.so")
_WITH_VALUE = frozenset(
    f"--{option}".encode()
    for option in (
        "library-path", "preload", "argv0", "audit", "inhibit-rpath", "glibc-hwcaps-prepend",
        "glibc-hwcaps-mask",
    )
)  # fmt: skip


def is_loader(path: bytes) -> bool:
    """Whether the file at the real ``path`` is the loader, by its name."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def launched(arguments: Sequence[bytes]) -> list[bytes]:
    """The program and its arguments in the loader's own ``arguments`` (without argv[0]); empty for none."""
    rest = list(arguments)
    while rest and rest[0].startswith(b"-"):
        option = rest.pop(0)
        if option == b"--":
            break
        if option in _WITH_VALUE:
            del rest[:1]
    return rest
