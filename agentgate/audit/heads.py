"""Signed heads: how far each session's record went, kept apart from it.

    $XDG_STATE_HOME/agentgate/audit.key         32 random bytes, this user's alone
                              heads/SESSION     {"v", "session", "log", "id", "hash", "time", "sig"}

``sig`` is HMAC-SHA-256 (RFC 2104) of the other members. The agent may write neither without being asked, and
reading the key is asked about, too. Who has the whole account has the key: against the operator's own hands
this proves nothing, against whatever changes the log later and has not been here it does.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Head", "Heads"]

KEPT = 5000  # heads, the newest; about 300 bytes each


@dataclass(frozen=True, slots=True)
class Head:
    """Record ``number`` of ``session`` was the last of ``log`` when this was written, and had ``hash``
    (hexadecimal). ``time`` in Unix seconds."""

    session: str
    log: str
    number: int
    hash: str
    time: float

    def to_json(self) -> dict[str, Any]:
        return {
            "v": 1, "session": self.session, "log": self.log, "id": self.number, "hash": self.hash,
            "time": round(self.time, 3),
        }  # fmt: skip


class Heads:
    """The heads in ``state``, which need not be there yet."""

    def __init__(self, state: Path) -> None:
        self._key_path = state / "audit.key"
        self.folder = state / "heads"
        self._key = b""

    def _secret(self, *, make: bool) -> bytes:
        """The key. Raises OSError, FileNotFoundError when there is none and none is to be made."""
        if self._key:
            return self._key
        if make:
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self._write(self._key_path, os.urandom(32), new=True)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        with open(os.open(self._key_path, flags), "rb") as file:
            key = file.read(64)
        if len(key) != 32:
            raise OSError(0, "not a key of 32 bytes")
        self._key = key
        return key

    @staticmethod
    def _write(path: Path, data: bytes, *, new: bool = False) -> None:
        """The whole file or none of it. With ``new`` FileExistsError when it is there."""
        other = path.with_name(f".{path.name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(other, flags, 0o600), "wb") as file:
            file.write(data)
        try:
            if new:
                os.link(other, path)
            else:
                os.rename(other, path)
        finally:
            if new:
                os.unlink(other)

    def _sign(self, data: dict[str, Any], key: bytes) -> str:
        return hmac.digest(key, json.dumps(data, sort_keys=True).encode(), "sha256").hex()

    def write(self, head: Head) -> None:
        """Put ``head`` in the place of the session's last one. Raises OSError."""
        data = head.to_json()
        data["sig"] = self._sign(data, self._secret(make=True))
        self._write(self.folder / head.session, json.dumps(data).encode() + b"\n")

    def prune(self) -> None:
        """Remove the oldest of too many heads. Raises OSError."""
        with os.scandir(self.folder) as entries:
            known = sorted((entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries)
        for _, path in known[:-KEPT]:
            os.unlink(path)

    def of(self, log: Path) -> Iterator[tuple[str, Head | None]]:
        """The heads of ``log``, by session; None for one whose signature is wrong or that cannot be read.
        Raises OSError when there are heads but no key to check them with."""
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return
        wanted = str(log)
        for name in names:
            if name.startswith("."):
                continue
            head, there = self._read(name)
            if there == wanted or (head is None and not there):
                yield name, head

    def _read(self, name: str) -> tuple[Head | None, str]:
        """The head, if it is good, and the log that it claims to be of."""
        try:
            data = json.loads((self.folder / name).read_bytes())
            log = str(data["log"])
        except (ValueError, KeyError, TypeError, OSError):
            return None, ""
        try:
            signature = data.pop("sig")
            right = hmac.compare_digest(signature, self._sign(data, self._secret(make=False)))
            head = Head(str(data["session"]), log, int(data["id"]), str(data["hash"]), float(data["time"]))
        except (ValueError, KeyError, TypeError):
            return None, log
        return (head if right and head.session == name else None), log
