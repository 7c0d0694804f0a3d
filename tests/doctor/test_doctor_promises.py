"""From facts to promises: what each finding makes of the table, through the real functions."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from typing import Any

import pytest

from agentgate.doctor.facts import Facts, Finding, Terminal
from agentgate.doctor.obstacles import obstacle
from agentgate.doctor.promises import Grade, Row, outlook
from agentgate.doctor.report import as_json, machine, table
from agentgate.doctor.rights import lacking
from agentgate.doctor.surroundings import surroundings, terminal_of

YES = Finding(True)
PROBES = dict.fromkeys(("listener", "take", "memory", "inject", "wait_killable", "sync_wake_up", "network",
                        "session"), YES)  # fmt: skip
FLOOR = ["write", "create", "move", "connect", "abstract", "signal"]
DRILL = dict.fromkeys(
    ("files", "performed", "connections", "connected", "unix", "programs", "udp", "names", "signals",
     "memory", "io_uring", "openat2", "root", "lost", "record"), YES)  # fmt: skip
BEST = Facts(
    "linux", "x86_64", "6.18", landlock=7, yama=1, uid=1000,
    probes={**PROBES, "floor": Finding(True, value=FLOOR)}, drill=DRILL,
    terminal=Terminal("xterm-256color", True, True, True),
)  # fmt: skip


def but(
    probes: dict[str, Finding] | None = None, drill: dict[str, Finding] | None = None, **more: Any
) -> Facts:
    """The best machine, with this and that another way."""
    return replace(
        BEST, probes={**BEST.probes, **(probes or {})}, drill={**BEST.drill, **(drill or {})}, **more
    )


def row(facts: Facts, word: str) -> Row:
    [found] = [row for row in outlook(facts).rows if word in row.promise]
    return found


def test_the_best_machine_holds_everything_but_reads() -> None:
    found = outlook(BEST)
    assert (found.ok, found.verdict) == (True, "The kernel gate runs here and holds what it promises.")
    assert [row.promise for row in found.rows if row.grade is not Grade.HOLDS] == [
        "No secret is read undecided"
    ]
    assert all(row.why for row in found.rows)


def test_reads_hold_once_the_drill_sees_them_held() -> None:
    assert row(BEST, "secret").grade is Grade.NOT
    assert row(but(drill={"reads": Finding(False, "it was not asked about")}), "secret").grade is Grade.NOT
    assert row(but(drill={"reads": YES}), "secret").grade is Grade.HOLDS


@pytest.mark.parametrize("name", sorted(set(DRILL) - {"names", "performed", "connected"}))
def test_whatever_the_drill_saw_pass_makes_the_gate_unfit(name: str) -> None:
    uid = 0 if name == "root" else 1000
    found = outlook(but(drill={name: Finding(False, "it had its effect though it was denied")}, uid=uid))
    assert not found.ok and found.verdict.startswith("The kernel gate runs here and does not hold: ")
    [broken] = [row for row in found.rows if row.grade is Grade.NOT and "secret" not in row.promise]
    assert broken.promise in found.verdict and broken.why == "it had its effect though it was denied"
    assert broken.todo


@pytest.mark.parametrize("name", sorted(DRILL))
def test_what_was_not_tried_does_not_hold(name: str) -> None:
    facts = but(uid=0)
    facts = replace(facts, drill={key: value for key, value in facts.drill.items() if key != name})
    assert len([row for row in outlook(facts).rows if row.grade is not Grade.HOLDS]) == 2


@pytest.mark.parametrize(
    ("probe", "code", "more", "why", "todo"),
    [
        ("listener", errno.EBUSY, {}, "another seccomp listener", "outside"),
        ("listener", errno.EBUSY, {"surroundings": ("an agentgate session",)}, "inside an agentgate session",
         "outside"),
        ("listener", errno.EINVAL, {}, "EINVAL", "Linux 5.13"),
        ("listener", errno.ENOSYS, {}, "ENOSYS", "profile"),
        ("listener", errno.EPERM, {}, "refused", "profile"),
        ("listener", 0, {}, "no seccomp listener", "another kernel"),
        ("take", errno.EPERM, {"yama": 2}, "ptrace_scope is 2", "sysctl -w kernel.yama.ptrace_scope=1"),
        ("memory", errno.EPERM, {"yama": 3}, "ptrace_scope is 3", "boot"),
        ("memory", errno.EPERM, {"yama": 1}, "as it said", "profile"),
        ("take", errno.ENOSYS, {}, "as it said", "Linux 5.6"),
        ("inject", errno.EINVAL, {}, "as it said", "Linux 5.9"),
        ("floor", errno.E2BIG, {}, "as it said", "report"),
        ("session", 0, {}, "as it said", "report"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_named_with_a_way_out(
    probe: str, code: int, more: dict[str, Any], why: str, todo: str
) -> None:
    facts = but({probe: Finding(False, "as it said", code)}, **more)
    found = outlook(facts)
    first = found.rows[0]
    assert not found.ok and found.verdict.startswith("The kernel gate cannot run here")
    assert why in first.why and todo in first.todo and why in found.verdict
    assert {row.grade for row in found.rows[:12]} == {Grade.NOT}


@pytest.mark.parametrize(
    ("missing", "more", "todo"),
    [
        ("darwin has no seccomp", {"system": "darwin"}, "virtual machine"),
        ("no system call table for riscv64", {"machine": "riscv64"}, "x86_64 or aarch64"),
        ("the kernel has no Landlock (5.13 or later)", {}, "Linux 5.13"),
        ("Landlock is built into the kernel and switched off (add 'landlock' to lsm= at boot)", {}, "lsm="),
        ("Landlock is refused here: x (a container's seccomp profile does that)", {}, "docker run"),
        ("/proc/sys/kernel/seccomp is not there", {"surroundings": ("gVisor",)}, "kernel of its own"),
        ("the kernel has no Landlock (5.13 or later)", {"surroundings": ("WSL 1",)}, "wsl --set-version"),
    ],
)
def test_what_is_missing_at_first_sight(missing: str, more: dict[str, Any], todo: str) -> None:
    facts = replace(BEST, missing=missing, **more)
    why = obstacle(facts)
    assert why and why.why.startswith(missing) and todo in why.todo
    assert "--gate shim" in outlook(facts).verdict


@pytest.mark.parametrize(
    ("abi", "lacks", "kernel"),
    [
        (1, ("REFER", "TCP", "IOCTL_DEV", "scopes"), "6.12"),
        (2, ("TCP", "IOCTL_DEV", "scopes"), "6.12"),
        (3, ("TCP", "IOCTL_DEV", "scopes"), "6.12"),
        (4, ("IOCTL_DEV", "scopes"), "6.12"),
        (5, ("scopes",), "6.12"),
        (6, (), ""),
        (9, (), ""),
    ],
)
def test_each_landlock_abi_says_what_it_lacks_and_what_the_gate_does_instead(
    abi: int, lacks: tuple[str, ...], kernel: str
) -> None:
    tried = FLOOR[: 3 if abi < 4 else 4 if abi < 6 else 6]
    found = row(but({"floor": Finding(True, value=tried)}, landlock=abi), "slips past")
    assert found.grade is (Grade.PARTLY if lacks else Grade.HOLDS)
    for right in lacking(abi):
        assert right.adds in found.why and right.instead in found.why
    assert len(lacking(abi)) == len(lacks) and all(word in found.why for word in lacks)
    assert kernel in found.todo and "TRUNCATE" not in found.why and "unix sockets by path" in found.why


@pytest.mark.parametrize("leak", FLOOR)
def test_a_domain_that_holds_less_than_its_abi_says_is_no_floor(leak: str) -> None:
    tried = [name for name in FLOOR if name != leak]
    found = row(but({"floor": Finding(True, value=tried)}), "slips past")
    assert found.grade is Grade.NOT and leak in found.why


@pytest.mark.parametrize(
    ("switches", "todo"),
    [
        ({"kernel/unprivileged_userns_clone": "0"}, "sysctl -w kernel.unprivileged_userns_clone=1"),
        ({"kernel/apparmor_restrict_unprivileged_userns": "1"}, "AppArmor"),
        ({"user/max_user_namespaces": "0"}, "sysctl -w user.max_user_namespaces=1000"),
        ({"user/max_net_namespaces": "0", "user/max_user_namespaces": "9"}, "user.max_net_namespaces"),
        ({}, "seccomp profile"),
    ],
)
def test_without_namespaces_there_is_no_udp_and_why(switches: dict[str, str], todo: str) -> None:
    facts = but({"network": Finding(False, "Operation not permitted", 0)}, switches=switches)
    found = row(facts, "datagram")
    assert found.grade is Grade.PARTLY and "no UDP at all" in found.why and todo in found.todo
    whole = outlook(facts)
    assert whole.ok and "less than everything" in whole.verdict and found.promise in whole.verdict


def test_what_the_kernel_makes_slower_or_noisier_holds_partly() -> None:
    facts = but({"wait_killable": Finding(False, "a process that is held so dies")})
    assert (
        row(facts, "one question").grade is Grade.PARTLY and "Linux 5.19" in row(facts, "one question").todo
    )
    facts = but({"sync_wake_up": Finding(False, "Invalid argument (EINVAL)", 22)})
    assert row(facts, "cheap").grade is Grade.PARTLY and outlook(facts).ok


@pytest.mark.parametrize(
    ("env", "grade"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}, Grade.HOLDS),
        ({"TERM": "screen", "LC_ALL": "de_DE.utf8"}, Grade.HOLDS),
        ({"TERM": "xterm", "LANG": "C"}, Grade.PARTLY),
        ({"TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C"}, Grade.PARTLY),
        ({"TERM": "dumb", "LANG": "C.UTF-8"}, Grade.NOT),
        ({"LANG": "C.UTF-8"}, Grade.NOT),
    ],
)
def test_the_terminal(env: dict[str, str], grade: Grade) -> None:
    facts = replace(BEST, terminal=terminal_of(env, True))
    assert row(facts, "control room").grade is grade
    assert outlook(facts).ok


@pytest.mark.parametrize(
    ("files", "env", "found"),
    [
        ({"/proc/version": "Linux version 6.18"}, {}, ()),
        ({"/proc/version": "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016"}, {}, ("gVisor",)),
        ({"/proc/version": "Linux version 5.15.153.1-microsoft-standard-WSL2"}, {}, ("WSL 2",)),
        ({"/proc/version": "Linux version 4.4.0-19041-Microsoft"}, {}, ("WSL 1",)),
        ({"/.dockerenv": ""}, {}, ("a Docker container",)),
        ({"/run/.containerenv": ""}, {}, ("a Podman container",)),
        ({"/proc/1/cgroup": "12:pids:/docker/4a0b\n"}, {}, ("a Docker container",)),
        ({"/proc/1/cgroup": "0::/kubepods/besteffort\n"}, {}, ("a Kubernetes container",)),
        ({}, {"container": "lxc"}, ("a container (lxc)",)),
        ({"/proc/self/uid_map": "         0          0 4294967295\n"}, {}, ()),
        ({"/proc/self/uid_map": "         0       1000          1\n"}, {}, ("a user namespace",)),
        ({}, {"AGENTGATE": "0badcafe"}, ("an agentgate session",)),
    ],
)
def test_where_we_are(files: dict[str, str], env: dict[str, str], found: tuple[str, ...]) -> None:
    assert surroundings(files, env) == found
    assert all(word in machine(replace(BEST, surroundings=found)) for word in found)


def test_facts_survive_the_way_through_a_pipe() -> None:
    facts = but({"floor": Finding(False, "no", 7, [1])}, surroundings=("gVisor",), switches={"a": "1"})
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("width", [20, 60, 80, 120, 300])
def test_the_table_fits_and_says_everything(width: int) -> None:
    found = outlook(but({"listener": Finding(False, "busy", errno.EBUSY)}))
    lines = table(found, width)
    assert max(map(len, lines[:-1])) <= max(width, 60) and lines[-1] == found.verdict
    text = " ".join(" ".join(lines).split())
    for word in {word for row in found.rows for word in f"{row.promise} {row.why} {row.todo}".split()}:
        assert word in text
    painted = table(found, width, colour=True)
    assert "\x1b[31m" in painted[2] and len(painted) == len(lines)


def test_nothing_in_it_can_reach_the_terminal() -> None:
    found = outlook(but(drill={"files": Finding(False, "a\x1b[2Jb\u202e")}))
    assert all(line.isprintable() for line in table(found, 120))


def test_json_says_the_same() -> None:
    found = outlook(BEST)
    data = json.loads(json.dumps(as_json(BEST, found)))
    assert data["ok"] is True and data["verdict"] == found.verdict
    assert [row["promise"] for row in data["rows"]] == [row.promise for row in found.rows]
    assert Facts.from_json(data["facts"]) == BEST
