"""What a shim says to the gate and what it is told: one JSON object a line, either way."""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import dataclass
from typing import Any

from agentgate.actions import Kind

__all__ = ["LIMIT", "BadRequest", "Request", "allow", "deny", "parse"]

LIMIT = 2 << 20  # bytes of one request: as long as a command line can be (execve(2), ARG_MAX)


class BadRequest(ValueError):
    """Not a request of ours; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Request:
    """``program`` is the absolute path of what would run, ``cwd`` the client's word for where."""

    program: str
    argv: tuple[str, ...]
    cwd: str


def parse(line: bytes, token: str) -> Request:
    """Raises BadRequest for anything but a well-formed request that carries ``token``."""
    try:
        data: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest("the request is not JSON") from None
    if not isinstance(data, dict):
        raise BadRequest("the request is not a JSON object")
    given = data.get("token")
    if not isinstance(given, str) or not hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), token.encode()
    ):
        raise BadRequest("the request does not carry this session's token")
    program, argv, cwd = data.get("program"), data.get("argv"), data.get("cwd", "")
    if data.get("kind") != Kind.EXEC:
        raise BadRequest("the kind of the request is not 'exec'")
    if not isinstance(program, str) or not os.path.isabs(program):
        raise BadRequest("the program is not an absolute path")
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise BadRequest("argv is not a list of strings")
    if not isinstance(cwd, str):
        raise BadRequest("cwd is not a string")
    if not all(_possible(word) for word in (program, cwd, *argv)):
        raise BadRequest("a string holds what no argument can: a NUL or a lone surrogate")
    return Request(program, tuple(argv), cwd)


def _possible(text: str) -> bool:
    """Whether ``text`` is what os.fsdecode can give."""
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def allow() -> bytes:
    """Clients compare with exactly these bytes."""
    return b'{"verdict": "allow"}\n'


def deny(why: str, command: str = "") -> bytes:
    """``message`` is the line for the refused process' stderr. Both texts must be safe to show."""
    message = f"agentgate: denied exec {command} ({why})" if command else f"agentgate: denied ({why})"
    return json.dumps({"verdict": "deny", "why": why, "message": message}).encode() + b"\n"
