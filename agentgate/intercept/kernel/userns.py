"""Opening a file as a process of the caller's user namespace would.

Whose ids a user namespace maps is written into ``/proc/PID/uid_map`` & co., and there the kernel asks who
opened the file: it must be one of that namespace or of the one above it (user_namespaces(7)). The warden is
neither when namespaces nest, as a browser's do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from typing import NoReturn

from agentgate.intercept.kernel import libc

__all__ = ["MAPS", "open_within"]

MAPS = (b"uid_map", b"gid_map", b"projid_map", b"setgroups")
_READING = os.O_RDONLY | os.O_CLOEXEC
_CLONE_NEWUSER = 0x10000000
_NS_GET_PARENT = 0xB702  # ioctl_ns(2)


def open_within(tid: int, path: bytes, real: bytes, how: int) -> int:
    """Open ``path``, which is ``real`` (``/proc/PID/uid_map`` & co.), here where that will do, else in the
    user namespace of ``tid``. Raises OSError as the kernel would there."""
    if _near(real):
        return os.open(path, how)
    there = os.open(f"/proc/{tid}/ns/user", _READING)
    try:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            pid = os.fork()
            if pid == 0:
                _helper(there, theirs, path, how)
            theirs.close()
            said, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
            os.waitpid(pid, 0)
    finally:
        os.close(there)
    if not descriptors:
        code = said[0] if said else errno.EPERM
        raise OSError(code, os.strerror(code))
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]


def _near(real: bytes) -> bool:
    """Whether the process' user namespace is the warden's, or one right below it."""
    here = os.stat("/proc/self/ns/user")
    namespace = os.open(real.rpartition(b"/")[0] + b"/ns/user", _READING)
    try:
        if os.path.samestat(os.fstat(namespace), here):
            return True
        above = fcntl.ioctl(namespace, _NS_GET_PARENT)
        try:
            return os.path.samestat(os.fstat(above), here)
        finally:
            os.close(above)
    finally:
        os.close(namespace)


def _helper(namespace: int, link: socket.socket, path: bytes, how: int) -> NoReturn:
    try:
        libc.setns(namespace, _CLONE_NEWUSER)
        socket.send_fds(link, [b"\0"], [os.open(path, how)])
    except OSError as error:
        link.send(bytes([error.errno or errno.EPERM]))
    finally:
        os._exit(0)
