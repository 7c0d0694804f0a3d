"""Links that the agent's programs put behind a text (OSC 8): the operator alone opens one, of the web alone.

The address is shown in full before it is opened: the text before it may say anything. It is given to the
desktop's own opener, as one argument, without a terminal, and not waited for.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from typing import Final
from urllib.parse import urlsplit

__all__ = ["LONGEST", "refusal", "show"]

LONGEST: Final = 4096
_SECONDS: Final = 5.0
"""How long an opener is given to say that it cannot; browsers stay."""


def refusal(address: str) -> str:
    """Why ``address`` is not opened; empty when it may be, if the operator says so."""
    if not address.isascii() or not address.isprintable() or " " in address:
        return "its address holds characters that an address has not"
    if len(address) > LONGEST:
        return "its address is too long"
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return "its address is none"
    if parts.scheme.lower() not in ("http", "https"):
        return "only http and https links are"
    return "" if host else "its address names no host"


async def show(address: str) -> str:
    """Open ``address``, which `refusal` has nothing against. Returns why that failed, empty if it did not."""
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    argv = [opener] if opener else [sys.executable, "-m", "webbrowser"]
    null = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, address, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        status = await asyncio.wait_for(process.wait(), _SECONDS)
    except OSError as error:
        return error.strerror or str(error)
    except TimeoutError:
        return ""
    return "" if status == 0 else "there is no program for it here"
