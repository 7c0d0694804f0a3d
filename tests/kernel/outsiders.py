"""Programs of the same user that the agent has no say over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness import World


@contextmanager
def outsider(world: World, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user outside the session that reads its standard input."""
    process = world.worker.spawn(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=world.environment()
    )
    try:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


READER = "import sys\nprint('ready', flush=True)\nprint(sys.stdin.readline(), end='', flush=True)\n"
