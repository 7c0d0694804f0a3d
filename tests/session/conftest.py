from __future__ import annotations

from pathlib import Path

import pytest
from session_kit import Desk

from agentgate.intercept.kernel.backend import missing


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    lacking = missing()
    if lacking:
        pytest.skip(f"not here: the kernel gate: {lacking}")
    return Desk(tmp_path)
