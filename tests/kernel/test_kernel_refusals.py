"""Every refusal is an ordinary error and one line that says what and why, and never a wait: whatever refused,
whatever the process has for a standard error."""

from __future__ import annotations

import os
import re
import shutil
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest
from harness import Ask, World, wait

RULES = """\
default: %s
rules:
  - match: {action: exec, target_glob: "*python*"}
    decision: allow
  - match: {action: exec, target_glob: "touch *"}
    decision: deny
    reason: "no touching"
  - match: {action: fs_write, target_glob: "$PWD/denied*"}
    decision: deny
    reason: "not this one"
  - match: {action: fs_write, target_glob: "$PWD/asked"}
    decision: ask
    reason: "looked at"
  - match: {action: fs_write, target_glob: "**/scoped"}
    decision: allow
    scope: "$PWD"
  - match: {action: net_egress, target_glob: "127.0.0.1:PORT"}
    decision: deny
    reason: "no such port"
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""


@dataclass(frozen=True)
class Refusal:
    """``action`` on ``target``, which the line calls ``what``, and why it is refused. ``options`` of the
    session, the policy's ``default``, the operator's ``note``; ``root``: others could not anyway."""

    action: str
    target: str
    why: str
    what: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    default: str = "ask"
    note: str = ""
    root: bool = False


# Somebody must listen: a connection that nobody would take is not decided but refused as by the kernel.
LISTENER = socket.create_server(("127.0.0.1", 0))
PORT = str(LISTENER.getsockname()[1])
TOUCH = os.path.realpath(shutil.which("touch") or "/usr/bin/touch")
STARTUP = "guard shell-startup: runs at every login or new shell"
REFUSALS = {
    "rule, exec": Refusal("run", TOUCH, "rule 2 (line 5): no touching", "exec touch made"),
    "rule, write": Refusal("write", "{p}/denied", "rule 3 (line 8): not this one"),
    "rule, of one end": Refusal(
        "rename", "{p}/denied", "rule 3 (line 8): not this one", "fs_write {p}/denied2"
    ),
    "rule, connection": Refusal(
        "connect", "{port}", "rule 6 (line 17): no such port", "net_egress 127.0.0.1:{port}"
    ),
    "default": Refusal("write", "{o}/x", "default", default="deny"),
    "scope": Refusal("write", "{o}/scoped", "outside the scope of rule 5: outside $PWD"),
    "operator": Refusal("write", "{p}/asked", "operator; asked by rule 4 (line 11): looked at"),
    "operator, by default": Refusal("remove", "{o}/f", "operator; asked by default"),
    "operator, exec": Refusal("run", "/bin/true", "operator; asked by default", "exec true made"),
    "operator's note": Refusal("write", "{p}/asked", "operator: to ./b \\x1b[31m", note="to ./b \x1b[31m"),
    "guard": Refusal("write", "{h}/.bashrc", f"operator; asked by {STARTUP}"),
    "enforce": Refusal(
        "write", "{p}/asked", "enforce: rule 4 (line 11): looked at", options={"enforce": True}
    ),
    "enforce, guard": Refusal("write", "{h}/.bashrc", f"enforce: {STARTUP}", options={"enforce": True}),
    "gate, a device node": Refusal(
        "node", "{p}/node", "gate: a device node would reach the hardware around the gate", root=True
    ),
    "gate, the kernel's files": Refusal(
        "write", "/proc/self/attr/current", "gate: files below /proc change the kernel or other processes",
        "fs_write /proc/PID/attr/current",
    ),
    "no connections": Refusal(
        "connect", "{port}", "gate: --no-net: no connections in this session", "net_egress 127.0.0.1:{port}",
        options={"network": False},
    ),
}  # fmt: skip


def tried(world: World, refusal: Refusal, stderr: str) -> tuple[list[Any], str]:
    """What the refused process reports, and what the standard error of the session got."""
    world.file(world.outside / "f")
    world.file(world.project / "denied")
    command = world.python("refused", stderr, refusal.action, spelled(world, refusal.target))
    with world.start(
        *command, policy=RULES.replace("PORT", PORT) % refusal.default, operator=wait, **refusal.options
    ) as run:  # fmt: skip

        def answer(ask: Ask) -> None:
            run.answer(ask, "deny", refusal.note)

        run.operator = answer
        for ask in run.asks:
            answer(ask)
        result = run.finish()
    assert result.records[-1]["verdict"] == "deny"
    return result.json, result.err


def spelled(world: World, text: str) -> str:
    return text.format(p=world.project, o=world.outside, h=world.home, port=PORT)


def says(world: World, refusal: Refusal, heard: str) -> bool:
    """Whether ``heard`` is the one line that is due."""
    what = spelled(world, refusal.what or f"fs_write {refusal.target}")
    line = re.escape(f"agentgate: denied {what} ({refusal.why})\n").replace("PID", r"\d+")
    return re.fullmatch(line, heard) is not None


@pytest.mark.parametrize("kind", REFUSALS)
def test_an_error_and_a_line(worlds: World, kind: str) -> None:
    refusal = REFUSALS[kind]
    if refusal.root and worlds.uid:
        pytest.skip("not here: the right to make a device node, which root has")
    (said, heard, took), err = tried(worlds, refusal, "pipe")
    assert said == "EACCES" and says(worlds, refusal, heard), heard
    assert err == "" and took < 5
    (said, _, took), err = tried(worlds, refusal, "file")
    assert said == "EACCES" and says(worlds, refusal, err) and took < 5


STDERRS = ["closed", "read-only", "full pipe", "slow pipe", "broken pipe", "socket"]


@pytest.mark.parametrize("stderr", STDERRS)
@pytest.mark.parametrize("kind", ["rule, write", "operator", "gate, the kernel's files", "rule, exec"])
def test_a_standard_error_that_takes_nothing(worlds: World, kind: str, stderr: str) -> None:
    """Nothing waits for it, nothing is killed by it (SIGPIPE), and the error is the same."""
    (said, heard, took), err = tried(worlds, REFUSALS[kind], stderr)
    assert said == "EACCES" and err == "" and took < 5
    assert bool(heard) is (stderr == "socket")
