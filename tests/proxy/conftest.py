"""Every test of the proxy also checks that it leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pytest
from proxy_tools import Gate


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture(autouse=True)
def no_descriptor_left() -> Iterator[None]:
    """The process has no more sockets and pipes open after a test than before it."""
    before = _open_files()
    yield
    left = {fd: name for fd, name in _open_files().items() if before.get(fd) != name}
    assert not left, f"left open: {left}"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("proxy pump")]


def _open_files() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            name = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if name.startswith(("socket:", "pipe:")):
            found[fd] = name
    return found


@pytest.fixture(autouse=True)
def no_error_unnoticed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task of the proxy ends with an error that nobody saw; asyncio tells of it in its log."""
    yield
    gc.collect()
    told = [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"]
    assert not told, told
