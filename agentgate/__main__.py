"""``agentgate`` and ``python -m agentgate``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def _distrust_current_directory() -> None:
    """Take the current directory off ``sys.path``: with ``python -m`` it comes first, and a ``yaml.py``
    that an agent has left in its project would run as the gate. Where our own package lies in it, it goes
    to the end, behind every other place: processes that we start look there too."""
    try:
        current = os.path.realpath(os.getcwd())
    except OSError:
        current = ""
    kept = [entry for entry in sys.path if entry and os.path.realpath(entry) != current]
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.realpath(home) == current:
        kept.append(home)
    sys.path[:] = kept


def main() -> int:
    """The console script; returns the exit status."""
    _distrust_current_directory()
    from agentgate.cli.main import main as cli_main

    return cli_main()


if __name__ == "__main__":
    sys.exit(main())
