"""``agentgate`` and ``python -m agentgate``."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def _distrust_current_directory() -> None:
    """Take the current directory, and what is below it, off ``sys.path``: with ``python -m`` it comes first,
    PYTHONPATH may name it or its ``src``, and a ``yaml.py`` that an agent has left there would run as the
    gate. Python's own places stay, should they be below it. Where our own package lies in it, it goes to
    the end, behind every other place: processes that we start look there too."""
    try:
        current = os.path.realpath(os.getcwd())
    except OSError:
        current = ""
    python = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, _user_base()}

    def planted(entry: str) -> bool:
        place = os.path.realpath(entry)
        if any(_below(place, os.path.realpath(own)) for own in python if own):
            return place == current
        return bool(current) and _below(place, current)

    kept = [entry for entry in sys.path if entry and not planted(entry)]
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if planted(home):
        kept.append(home)
    sys.path[:] = kept


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _user_base() -> str:
    """Where ``pip install --user`` puts things; empty when this Python does not look there."""
    site = sys.modules.get("site")
    return (getattr(site, "USER_BASE", None) or "") if getattr(site, "ENABLE_USER_SITE", None) else ""


def main() -> int:
    """The console script; returns the exit status."""
    _distrust_current_directory()
    from agentgate.cli.main import main as cli_main

    return cli_main()


if __name__ == "__main__":
    sys.exit(main())
