"""What Landlock alone refuses at each of its ABIs, with real domains."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from agentgate.doctor import floor
from agentgate.doctor.attempt import attempt
from agentgate.intercept.kernel import landlock, libc

HERE = landlock.abi_version()
EXPECTED = {
    1: ["write", "create", "move"],
    2: ["write", "create", "move"],
    3: ["write", "create", "move"],
    4: ["write", "create", "move", "connect"],
    5: ["write", "create", "move", "connect"],
    6: ["write", "create", "move", "connect", "abstract", "signal"],
}


@pytest.mark.parametrize("abi", EXPECTED)
def test_each_abi_refuses_what_the_table_says(abi: int, tmp_path: Path) -> None:
    if abi > HERE:
        pytest.skip(f"not here: Landlock ABI {abi}")
    found = attempt(lambda: floor.refused(str(tmp_path), abi))
    assert found.ok, found.why
    assert found.value == EXPECTED[abi]


def test_what_is_the_filters_alone(tmp_path: Path) -> None:
    """In the fullest domain these still work: a mistake of the filter in one of them would be an escape."""
    path = tmp_path / "file"
    path.write_text("text")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    server.listen()

    def inside() -> int:
        libc.prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
        landlock.restrict(HERE)
        with pytest.raises(PermissionError):
            path.write_text("other")
        os.truncate(path, 2)
        os.utime(path, (1, 1))
        os.chmod(path, 0o400)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "socket"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return sock.sendto(b"x", ("127.0.0.1", 9))

    found = attempt(inside)
    server.close()
    assert found.value == 1, found.why
    status = path.stat()
    assert (status.st_mode & 0o777, status.st_size) == (0o400, 2)


def test_without_a_domain_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same attempts, with no domain entered."""
    monkeypatch.setattr(landlock, "restrict", lambda abi: None)
    assert attempt(lambda: floor.refused(str(tmp_path), HERE)).value == []
    assert sorted(os.listdir(tmp_path)) == ["here", "kept", "there"]
