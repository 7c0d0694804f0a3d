"""``kernel_worker.py`` in a world of its own: four names, whose lookups are told as notices.

127.0.0.2 and 127.0.0.3 stand for hosts that are far away, because tests may only reach this machine; every
other loopback address is one of this machine, as always.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "kernel"))

import kernel_worker

from agentgate.intercept.proxy import dial
from agentgate.session import Session

WORLD = {"allowed.test": "127.0.0.2", "denied.test": "127.0.0.3", "rebound.test": "127.0.0.1"}
_really_local = dial.local_address


async def resolve(name: str) -> list[str]:
    kernel_worker.say(ev="notice", text=f"lookup {name}", urgent=False)
    if name not in WORLD:
        raise OSError(errno.ENOENT, "Name or service not known")
    return [WORLD[name]]


def local_address(text: str) -> bool:
    return text not in ("127.0.0.2", "127.0.0.3") and _really_local(text)


if __name__ == "__main__":
    dial.local_address = local_address
    kernel_worker.Session = functools.partial(Session, resolve=resolve)  # type: ignore[misc,assignment]
    asyncio.run(kernel_worker.main())
