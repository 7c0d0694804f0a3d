"""Where there can be no network namespaces: no UDP, and the session says so; all else as ever."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import OPEN_POLICY, Worker, World
from names_kit import program, serving

WORKER = Path(__file__).resolve().parent / "names_worker.py"
WITHOUT = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'


class Without(Worker):
    """A worker in a user namespace that may have no network namespaces below it."""

    def spawn(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return super().spawn(["unshare", "-Ur", "sh", "-c", WITHOUT, "sh", *command], **options)


def test_without_user_namespaces_udp_is_refused_and_said() -> None:
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-Ur", "sh", "-c", WITHOUT, "sh", "true"]).returncode
    ):
        pytest.skip("not here: unshare, or user namespaces")
    worker = Without(None, WORKER)
    world = World(worker)
    try:
        with serving("127.0.0.2") as server:
            sent = world.run(*program(world, "send", "sendto", "127.0.0.1", server.port), policy=OPEN_POLICY)
            assert sent.json == "EACCES"
            [refused] = [r for r in sent.records if r["verdict"] == "deny"]
            assert refused["target"] == "socket:inet:datagram"
            [said] = sent.notices
            assert said.startswith("no UDP, and names only through the proxy")
            reached = world.run(*program(world, "talk", "127.0.0.2", server.port), policy=OPEN_POLICY)
            assert reached.json == "hello you"
    finally:
        worker.end()
        world.remove()
