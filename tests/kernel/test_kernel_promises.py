"""The threat model names modules and tests; all of them exist, and are what the page says they are for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import agentgate
from agentgate.intercept import kernel

PACKAGE = Path(agentgate.__file__).parent
TESTS = Path(__file__).resolve().parent.parent
TEXT = kernel.__doc__ or ""
NAMED = re.findall(r"^ +(test_\w+\.py)::(test_\w+)$", TEXT, re.MULTILINE)


def test_every_test_that_it_names_exists() -> None:
    assert len(NAMED) > 25
    files = {path.name: path for path in TESTS.glob("*/test_*.py")}
    for file, name in NAMED:
        tree = ast.parse(files[file].read_text())
        found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in found, f"{file}::{name}"


def test_every_module_that_it_names_exists() -> None:
    here = set(re.findall(r"(?<![\w/])(?!test_)(\w+\.py)\b", TEXT))
    assert len(here) > 8
    assert {name for name in here if not (PACKAGE / "intercept" / "kernel" / name).is_file()} == set()
    others = set(re.findall(r"\bagentgate/[\w/.]*\w", TEXT))
    assert others and {name for name in others if not (PACKAGE.parent / name).exists()} == set()


def test_every_promise_names_what_shows_it() -> None:
    promised = TEXT.partition("shown where\n")[2].partition("What is not promised\n")[0]
    parts = re.split(r"^\d+\. ", promised, flags=re.MULTILINE)[1:]
    assert len(parts) == 11
    assert [part.partition("\n")[0] for part in parts if "::test_" not in part] == []


def test_it_fits_a_terminal() -> None:
    assert max(map(len, TEXT.splitlines())) <= 80 and TEXT.isascii()
