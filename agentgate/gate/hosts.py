"""The hosts that were reached before, from the record."""

from __future__ import annotations

import os
import time
from pathlib import Path

from agentgate.audit.read import parse
from agentgate.gate.risk import reached
from agentgate.regular import open_regular

__all__ = ["BYTES", "recorded_hosts"]

BYTES = 32 << 20
"""Bytes of the record's end that are read: what is older counts as never reached."""

_TURN = 256  # lines looked at before other threads get their turn


def recorded_hosts(record: Path) -> frozenset[str]:
    """Empty when there is no record that can be read. Blocks, and belongs into a thread."""
    hosts: set[str] = set()
    try:
        with open_regular(record) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - BYTES))
            for count, line in enumerate(file):
                if b'"net_egress"' in line and b'"allow"' in line:
                    entry = parse(line)
                    if entry is not None:
                        hosts |= reached((entry.record,))
                if count % _TURN == 0:
                    time.sleep(0)
    except OSError:
        return frozenset()
    return frozenset(hosts)
