"""``agentgate doctor`` as a program: on this machine as it is, and on what this machine becomes when a filter
above takes something away, as old kernels, container profiles and supervisors do."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_kit import World

from agentgate.intercept.kernel import notify
from agentgate.intercept.kernel.backend import missing

pytestmark = pytest.mark.timeout(120)
kernel_gate = pytest.mark.skipif(bool(missing()), reason=f"not here: the kernel gate: {missing()}")

# Runs a command under a filter: for each [call, test, argument, value, answer], a call whose argument has one
# of the value's bits (test "bits") or is the value ("is"), or every call of that name ("any") gets the
# answer: an errno, or KILL.
WITHOUT = """\
import ctypes, json, os, sys
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.abi import number_of
from agentgate.intercept.kernel.bpf import ALLOW, NUMBER, Assembler, argument, refuse
from agentgate.intercept.kernel.notify import _Program

asm = Assembler()
for name, test, index, value, answer in json.loads(sys.argv[1]):
    this, other = asm.label(), asm.label()
    asm.load(NUMBER)
    asm.unless_equal(number_of(name), other)
    if test != "any":
        asm.load(argument(index))
        (asm.if_equal if test == "is" else asm.if_any_bit)(value, this)
        asm.jump(other)
    asm.mark(this)
    asm.ret(0x80000000 if answer == "KILL" else refuse(answer))
    asm.mark(other)
asm.ret(ALLOW)
code = asm.assemble()
memory = ctypes.create_string_buffer(code, len(code))
libc.prctl(38, 1)
libc.call(number_of("seccomp"), 1, 0, ctypes.byref(_Program(len(code) // 8, ctypes.addressof(memory))))
os.execv(sys.argv[2], sys.argv[2:])
"""
EPERM, EINVAL, ENOSYS, EOPNOTSUPP = 1, 22, 38, 95
ANY = "any", 0, 0
LISTENER, KILLABLE = ("bits", 1, 1 << 3), ("bits", 1, 1 << 5)  # flags of seccomp(2)
SYNC = "is", 1, notify._SET_FLAGS


def doctor(world: World, *words: str, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*under, *world.command("doctor", *words)]
    return subprocess.run(
        command, cwd=world.project, env=world.env, capture_output=True, text=True, timeout=100,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def without(*hindrances: tuple[Any, ...]) -> tuple[str, ...]:
    return (sys.executable, "-c", WITHOUT, json.dumps(hindrances))


def told(world: World, *, under: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    done = doctor(world, "--json", under=under)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def grades(data: dict[str, Any]) -> dict[str, str]:
    return {row["promise"]: row["grade"] for row in data["rows"]}


@kernel_gate
def test_on_this_machine_the_kernel_gate_holds(world: World) -> None:
    status, data = told(world)
    assert (status, data["ok"]) == (0, True), data["verdict"]
    assert {name for name, one in data["facts"]["drill"].items() if not one["ok"]} <= {"reads"}
    assert grades(data)["No file changes undecided"] == "holds"
    assert list(world.project.iterdir()) == []  # it leaves nothing here
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if release and tuple(map(int, release.groups())) >= (6, 6):  # it came with that one
        assert data["facts"]["probes"]["sync_wake_up"]["ok"]


@kernel_gate
def test_it_prints_one_table_and_a_verdict(world: World) -> None:
    done = doctor(world)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("linux ") and "promise" in lines[2] and "what to do" in lines[2]
    assert lines[-1].startswith("The kernel gate runs here")
    assert max(map(len, lines[:-1])) <= 120 and "\x1b" not in done.stdout


@kernel_gate
@pytest.mark.parametrize(
    ("hindrance", "why", "todo"),
    [
        (("seccomp", *ANY, EPERM), "seccomp(2) is refused", "seccomp=unconfined"),
        (("seccomp", *ANY, ENOSYS), "seccomp(2) is not there", "seccomp=unconfined"),
        (("seccomp", *LISTENER, EINVAL), "the kernel knows no seccomp listener", "Linux 5.13"),
        (("seccomp", *LISTENER, "KILL"), "the process that installed the filter died", "another"),
        (("pidfd_getfd", *ANY, EPERM), "take the listener of a child: Operation not permitted", "profile"),
        (("process_vm_readv", *ANY, ENOSYS), "read the memory of a held process", "Linux 5.6"),
        (("process_vm_readv", *ANY, "KILL"), "was killed (SIGSYS)", ""),
        (("landlock_create_ruleset", *ANY, EOPNOTSUPP), "Landlock is built into the kernel", "lsm="),
        (("landlock_create_ruleset", *ANY, ENOSYS), "the kernel has no Landlock", "Linux 5.13"),
        (("landlock_create_ruleset", *ANY, EPERM), "Landlock is refused here", "docker run"),
        (("landlock_restrict_self", *ANY, EPERM), "Landlock domain", ""),
    ],
)  # fmt: skip
def test_a_machine_without_says_what_it_lacks(
    world: World, hindrance: tuple[Any, ...], why: str, todo: str
) -> None:
    status, data = told(world, under=without(hindrance))
    assert (status, data["ok"]) == (1, False)
    assert why in data["verdict"] and "--gate shim" in data["verdict"]
    assert set(grades(data).values()) <= {"does not", "holds", "holds partly"}
    first = data["rows"][0]
    assert first["grade"] == "does not" and why in first["why"] and todo in first["todo"]


@kernel_gate
@pytest.mark.parametrize(
    ("hindrance", "promise", "why"),
    [
        (("seccomp", *KILLABLE, EINVAL), "One action is one question", "WAIT_KILLABLE_RECV"),
        (("seccomp", *KILLABLE, "KILL"), "One action is one question", "so dies"),
        (("ioctl", *SYNC, EINVAL), "Held calls are cheap", "Invalid argument"),
        (("unshare", *ANY, "KILL"), "No datagram or name lookup leaves undecided", "its helper ended"),
        (("unshare", *ANY, EPERM), "No datagram or name lookup leaves undecided", "no UDP at all"),
    ],
)
def test_a_machine_with_less_says_what_holds_partly(
    world: World, hindrance: tuple[Any, ...], promise: str, why: str
) -> None:
    status, data = told(world, under=without(hindrance))
    assert (status, data["ok"]) == (0, True), data["verdict"]
    assert promise in data["verdict"]
    [row] = [row for row in data["rows"] if row["grade"] == "holds partly" and row["promise"] == promise]
    assert why in row["why"] and row["todo"]


@kernel_gate
def test_started_by_who_ignores_its_children(world: World) -> None:
    script = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    status, data = told(world, under=(sys.executable, "-c", script))
    assert (status, data["ok"]) == (0, True), data["verdict"]


@kernel_gate
def test_within_a_session_it_says_so(world: World) -> None:
    policy = "default: allow\n"
    done = world.with_policy(policy).agentgate(
        "run", "--gate", "kernel", "--", sys.executable, "-m", "agentgate", "doctor", "--json"
    )
    data = json.loads(done.stdout)
    assert (done.returncode, data["ok"]) == (1, False)
    assert "another seccomp listener is already here: this is inside an agentgate session" in data["verdict"]
    assert "an agentgate session" in data["facts"]["surroundings"]


@kernel_gate
def test_without_user_namespaces(world: World) -> None:
    script = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    under = ("unshare", "-Ur", "sh", "-c", script, "sh")
    env = {"PATH": os.environ["PATH"]}
    if not shutil.which("unshare") or subprocess.run([*under, "true"], env=env, check=False).returncode:
        pytest.skip("not here: unshare, or user namespaces")
    status, data = told(world, under=(shutil.which("unshare") or "", *under[1:]))
    assert status == 0
    [row] = [row for row in data["rows"] if "datagram" in row["promise"]]
    assert row["grade"] == "holds partly" and row["todo"] == "sysctl -w user.max_net_namespaces=1000"
    assert "a user namespace" in data["facts"]["surroundings"]


def test_a_gate_that_cannot_start_points_here(world: World) -> None:
    done = subprocess.run(
        [*without(("landlock_create_ruleset", *ANY, ENOSYS)), *world.command("run", "--", "true")],
        cwd=world.project, env=world.env, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.count("\n") == 1 and "agentgate doctor says what holds here" in done.stderr


@kernel_gate
def test_a_second_gate_points_here_too(world: World) -> None:
    inner = [sys.executable, "-m", "agentgate", "run", "--audit", "inner.jsonl", "--", "true"]
    done = world.with_policy("default: allow\n").agentgate("run", "--gate", "kernel", "--", *inner)
    assert done.returncode == 69
    assert "another seccomp listener is already here" in done.stderr
    assert "agentgate doctor says what holds here" in done.stderr


def test_nothing_is_left_in_the_temporary_directory(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    world.env["TMPDIR"] = str(folder)
    told(world)
    told(world, under=without(("pidfd_getfd", *ANY, "KILL")))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [("--wat",), ("now",), ("--json", "--promises")])
def test_a_mistake_is_one_line(world: World, words: tuple[str, ...]) -> None:
    done = doctor(world, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("agentgate: ") and done.stderr.count("\n") == 1


def test_it_loads_nothing_heavy_itself(world: World) -> None:
    """What the probes need is loaded in their own processes."""
    command = [sys.executable, "-X", "importtime", "-m", "agentgate", "doctor", "--json"]
    done = subprocess.run(
        command, cwd=world.project, env=world.env, capture_output=True, text=True, timeout=60
    )
    own = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip() for line in own}
    assert "agentgate.doctor.collect" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in ("textual", "rich")}
