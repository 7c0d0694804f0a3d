"""What a unix socket is called by the program that listens at it.

A hard link, a bind mount or a second name leads to the same listener as the name it was bound to; what it
is, and what a rule says of it, goes by that one. The kernel tells it over sock_diag(7).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct

__all__ = ["bound_name"]

_SOCK_DIAG, _BY_FAMILY, _DONE, _ERROR = 4, 20, 3, 2
_REQUEST_DUMP = 1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
_LISTEN, _NAME, _VFS = 1 << 10, 1, 2  # states; UDIAG_SHOW_NAME, UDIAG_SHOW_VFS
_ATTRIBUTE_NAME, _ATTRIBUTE_VFS = 0, 1
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_QUESTION = struct.Struct("=BBHIIIII")  # struct unix_diag_req
_ANSWER = 16  # bytes of struct unix_diag_msg, before its attributes
_PAIR = struct.Struct("=HH")


def bound_name(status: os.stat_result) -> bytes:
    """The path that the listener at the socket with this ``status`` gave to bind(2), resolved; empty when
    nobody listens there, or by that path there is another file now."""
    found = b""
    with contextlib.suppress(OSError, struct.error):
        for name, inode in _listening():
            if inode == status.st_ino & 0xFFFFFFFF and name[:1] == b"/":
                path = os.path.realpath(name.rstrip(b"\0"))
                with contextlib.suppress(OSError):
                    if os.path.samestat(os.stat(path), status):
                        found = path
    return found


def _listening() -> list[tuple[bytes, int]]:
    """Name and inode of every unix socket of this network namespace that listens at a path."""
    out: list[tuple[bytes, int]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as link:
        link.settimeout(1.0)
        body = _QUESTION.pack(socket.AF_UNIX, 0, 0, _LISTEN, 0, _NAME | _VFS, 0, 0)
        link.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + body)
        while True:
            data = link.recv(1 << 16)
            while data:
                size, kind, *_ = _HEADER.unpack_from(data)
                if kind in (_DONE, _ERROR):
                    return out
                found = _attributes(data[_HEADER.size + _ANSWER : size])
                if _ATTRIBUTE_VFS in found and _ATTRIBUTE_NAME in found:
                    out.append((found[_ATTRIBUTE_NAME], struct.unpack_from("=I", found[_ATTRIBUTE_VFS])[0]))
                data = data[size + 3 & ~3 :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _PAIR.size:
        size, kind = _PAIR.unpack_from(data)
        if size < _PAIR.size:
            break
        found[kind] = data[_PAIR.size : size]
        data = data[size + 3 & ~3 :]
    return found
