"""Who is at the other end of a unix socket, in the kernel's words."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass

__all__ = ["Peer", "peer_of"]


@dataclass(frozen=True, slots=True)
class Peer:
    """As it was when it connected. ``pid`` is 0 where the system does not tell it."""

    uid: int
    pid: int


def peer_of(connection: socket.socket) -> Peer:
    """Raises OSError when the system does not tell (unix(7), SO_PEERCRED; on macOS sys/un.h's
    LOCAL_PEERCRED with ``struct xucred`` and LOCAL_PEERPID)."""
    if sys.platform == "linux":
        pid, uid, _ = struct.unpack(
            "iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
        )
        return Peer(uid, pid)
    if sys.platform == "darwin":
        _, uid = struct.unpack_from("II", connection.getsockopt(0, 1, 76))
        (pid,) = struct.unpack("i", connection.getsockopt(0, 2, 4))
        return Peer(uid, pid)
    raise OSError(f"{os.uname().sysname} does not tell who connects to a socket")
