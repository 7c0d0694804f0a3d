"""Agents that flood the gate, all bounded.

threads N DIR     N threads, each in one held mkdir; says when all have begun
bomb N DIR        2 ** N processes, most of them in one held mkdir, many of them orphans
loop DIR          makes and removes a directory with a long name for ever; says every hundred how many
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time


def make(name: str) -> None:
    with contextlib.suppress(OSError):
        os.mkdir(name)


def threads(count: int, where: str) -> None:
    threading.stack_size(65536)
    running = [threading.Thread(target=make, args=(f"{where}/d{n}",)) for n in range(count)]
    for thread in running:
        thread.start()
    print("begun", flush=True)
    for thread in running:
        thread.join()
    print("all answered", flush=True)


def bomb(levels: int, where: str) -> None:
    """Every process forks at every level, so that there are 2 ** ``levels``; a third of them then goes and
    leaves orphans, some in sessions of their own."""
    root = os.getpid()
    for _ in range(levels):
        os.fork()
    if os.getpid() != root:
        if os.getpid() % 3 == 0:
            time.sleep(0.5)
            return
        if os.getpid() % 3 == 1:
            os.setsid()
    make(f"{where}/d{os.getpid()}")
    time.sleep(300)


def loop(where: str) -> None:
    name = f"{where}/{'x' * 200}"
    count = 0
    while True:
        os.mkdir(name)
        os.rmdir(name)
        count += 2
        if count % 100 == 0:
            print(count, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "loop":
        loop(sys.argv[2])
    else:
        {"threads": threads, "bomb": bomb}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
