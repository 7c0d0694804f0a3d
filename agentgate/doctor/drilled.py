"""What the drill's session runs: tries what the gate should hold, says what came of it.

Run by its path with one argument, a JSON object (see ``drill.py``); imports nothing of the gate's. Prints
one JSON object, then tries a last write, during which the gate is ended.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any


def outcome(act: Callable[[], object]) -> str:
    """``ok``, or the errno's name."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


def write(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, b"written")
    os.close(descriptor)


def connect(address: Any, family: int = socket.AF_INET) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(address)
        sock.sendall(b"connected")


def datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"sent", ("127.0.0.1", port))


def look_up(name: str) -> str:
    """The address that port 53 says for ``name`` (RFC 1035)."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", 4711, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect(("127.0.0.1", 53))
        sock.send(question)
        answer = sock.recv(512)
    return socket.inet_ntoa(answer[-4:]) if answer[7] else "no address"


def raw(number: int) -> None:
    call = ctypes.CDLL(None, use_errno=True).syscall
    if call(ctypes.c_long(number), 0, 0, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "")


def capabilities() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))


def main(order: dict[str, Any]) -> None:
    found: dict[str, Any] = {
        "files": outcome(lambda: write(order["outside"])),
        "performed": outcome(lambda: write(order["inside"])),
        "connections": outcome(lambda: connect(("127.0.0.1", order["port"]))),
        "connected": outcome(lambda: connect(("127.0.0.1", order["open_port"]))),
        "unix": outcome(lambda: connect(order["socket"], socket.AF_UNIX)),
        "reads": outcome(lambda: os.close(os.open(order["secret"], os.O_RDONLY))),
        "programs": outcome(lambda: os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})),
        "udp": outcome(lambda: datagram(order["udp_port"])),
        "signals": outcome(lambda: os.kill(order["pid"], 0)),
        "memory": outcome(lambda: os.close(os.open(f"/proc/{order['pid']}/mem", os.O_RDONLY))),
        "io_uring": outcome(lambda: raw(order["io_uring_setup"])),
        "openat2": outcome(lambda: raw(order["openat2"])),
        "root": capabilities(),
    }
    try:
        found["names"] = look_up("example.org")
    except OSError as error:
        found["names"] = errno.errorcode.get(error.errno or 0, "no answer")
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    write(order["late"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
