"""The warden's link to the app: messages over a stream socket, each a JSON object behind its length.

Both ends use ``pack`` and ``Unpacker``. ``ensure_ascii`` keeps bytes that are not UTF-8 (lone surrogates)
intact. A message longer than LIMIT is a broken peer.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["LIMIT", "LinkError", "Unpacker", "pack"]

LIMIT = 64 << 20
_LENGTH = struct.Struct("=I")


class LinkError(RuntimeError):
    """The other end sent what is no message."""


def pack(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Feed it bytes, get whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Every message that is complete now. Raises LinkError."""
        self._buffer += data
        while len(self._buffer) >= 4:
            (size,) = _LENGTH.unpack_from(self._buffer)
            if size > LIMIT:
                raise LinkError(f"a message of {size} bytes")
            if len(self._buffer) < 4 + size:
                return
            body = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            try:
                message = json.loads(body)
            except ValueError as error:
                raise LinkError(str(error)) from None
            if not isinstance(message, dict):
                raise LinkError("not an object")
            yield message
