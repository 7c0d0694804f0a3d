"""``agentgate`` and ``python -m agentgate``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def _forget_current_directory() -> None:
    """Take the current directory off ``sys.path``: with ``python -m`` it comes first, and a ``yaml.py``
    that an agent has left in its project would run as the gate. Our own modules do not need it: they are
    found through the package, wherever that lies."""
    try:
        current = os.path.realpath(os.getcwd())
    except OSError:
        current = ""
    sys.path[:] = [entry for entry in sys.path if entry and os.path.realpath(entry) != current]


def main() -> int:
    """The console script; returns the exit status."""
    _forget_current_directory()
    from agentgate.cli.main import main as cli_main

    return cli_main()


if __name__ == "__main__":
    sys.exit(main())
