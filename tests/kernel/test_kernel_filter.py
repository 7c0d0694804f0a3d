"""The table of system calls against the kernel's headers, and the filter against the table: every number has
the answer it should have, and what is not known does not exist."""

from __future__ import annotations

import errno
import os
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from harness import OPEN_POLICY, World, allow, deny

from agentgate.intercept.kernel import abi, filter
from agentgate.intercept.kernel.bpf import ALLOW, NOTIFY, refuse

ENOSYS = refuse(errno.ENOSYS)
CONDITIONAL = {
    "openat", "open", "ioctl", "socket", "sendto", "sendmsg", "sendmmsg", "socketpair", "setsockopt", "prctl",
    "openat2", "io_uring_setup", "prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity",
    "sched_setattr", "setpriority", "ioprio_set", "clone", "unshare",
}  # fmt: skip
HEADERS = {
    "x86_64": ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h"),
    "aarch64": ("asm-generic/unistd.h",),
}


def run(program: bytes, number: int, *args: int, arch: int) -> int:
    """What the kernel would make of ``program`` (struct sock_filter[]) for this call: classic BPF."""
    data = struct.pack(
        "=iIQ6Q", number if number < 1 << 31 else number - (1 << 32), arch, 0, *(*args, *[0] * 6)[:6]
    )
    code = list(struct.iter_unpack("=HBBI", program))
    at = word = 0
    for _ in range(len(code)):
        kind, yes, no, value = code[at]
        at += 1
        match kind:
            case 0x20:  # load a word
                (word,) = struct.unpack_from("=I", data, value)
            case 0x54:  # and
                word &= value
            case 0x05:  # jump
                at += value
            case 0x15:
                at += yes if word == value else no
            case 0x35:
                at += yes if word >= value else no
            case 0x45:
                at += yes if word & value else no
            case 0x06:
                return value
            case _:
                raise AssertionError(f"instruction {kind:#x}")
    raise AssertionError("the program does not end")


@pytest.fixture(params=sorted(abi.ABIS))
def machine(request: pytest.FixtureRequest) -> abi.Abi:
    return abi.ABIS[request.param]


@pytest.fixture
def program(machine: abi.Abi) -> bytes:
    return filter.build(machine, hold_signals=False, hold_reads=False)


def test_numbers_are_the_kernels(machine: abi.Abi) -> None:
    """Every number in the header that the table has is the same, and the table knows the old ones all."""
    for name in HEADERS[machine.machine]:
        header = Path("/usr/include") / name
        if header.exists():
            break
    else:
        pytest.skip(f"not here: the kernel's headers for {machine.machine}")
    found = re.findall(r"^#define __NR_(\w+)\s+(\d+)\s*$", header.read_text(), re.MULTILINE)
    numbers = {
        name: int(number) for name, number in found if name not in ("syscalls", "arch_specific_syscall")
    }
    assert len(numbers) > 250
    known = machine.numbers
    assert {name: (known[name], number) for name, number in numbers.items()
            if name in known and known[name] != number} == {}  # fmt: skip
    if machine.machine == "x86_64":
        assert {name for name, number in numbers.items() if name not in known and number < 335} == set()


def test_numbers_are_used_once(machine: abi.Abi) -> None:
    assert len(set(machine.numbers.values())) == len(machine.numbers)


def test_every_call_has_one_class() -> None:
    classes = [abi.ALLOW, abi.HOLD, abi.SIGNALS, frozenset(abi.REFUSE), frozenset(CONDITIONAL)]
    for index, one in enumerate(classes):
        for other in classes[index + 1 :]:
            assert one & other == frozenset()
    known = set().union(*(machine.numbers for machine in abi.ABIS.values()))
    assert set().union(*classes) - known == set()  # no misspelt name


def test_every_number_has_its_answer(machine: abi.Abi, program: bytes) -> None:
    names = {number: name for name, number in machine.numbers.items()}
    for number in [*range(max(names) + 200), 1 << 20, 0x3FFFFFFF]:
        name = names.get(number, "")
        if name in CONDITIONAL:
            continue
        if name in abi.ALLOW or name in abi.SIGNALS:
            expected = ALLOW
        elif name in abi.HOLD:
            expected = NOTIFY
        else:
            expected = refuse(abi.REFUSE[name]) if name in abi.REFUSE else ENOSYS
        assert run(program, number, arch=machine.audit) == expected, (number, name)


def test_signals_are_held_where_nothing_else_holds_them(machine: abi.Abi) -> None:
    held = filter.build(machine, hold_signals=True, hold_reads=False)
    for name in abi.SIGNALS & set(machine.numbers):
        assert run(held, machine.numbers[name], arch=machine.audit) == NOTIFY
    # a descriptor sends signals too, to whom F_SETOWN, F_SETOWN_EX, FIOSETOWN and SIOCSPGRP name
    for name, command, expected in (
        ("fcntl", 8, NOTIFY), ("fcntl", 15, refuse(errno.EPERM)), ("fcntl", 4, ALLOW),
        ("ioctl", 0x8901, refuse(errno.EPERM)), ("ioctl", 0x8902, refuse(errno.EPERM)),
    ):  # fmt: skip
        assert run(held, machine.numbers[name], 3, command, arch=machine.audit) == expected
        free = filter.build(machine, hold_signals=False, hold_reads=False)
        assert run(free, machine.numbers[name], 3, command, arch=machine.audit) == ALLOW


def test_reads_are_held_only_where_they_yield_content(machine: abi.Abi) -> None:
    for hold in (False, True):
        program = filter.build(machine, hold_signals=False, hold_reads=hold)
        for flags, held in (
            (os.O_RDONLY, hold), (os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, hold), (1 << 30, hold),
            (os.O_DIRECTORY | os.O_CLOEXEC, False), (os.O_PATH, False), (os.O_PATH | os.O_NOFOLLOW, False),
            (os.O_TMPFILE | os.O_RDWR, True), (os.O_RDWR | os.O_PATH, True), (os.O_CREAT, True),
            (os.O_TRUNC, True), (os.O_WRONLY, True),
        ):  # fmt: skip
            answer = NOTIFY if held else ALLOW
            assert run(program, machine.numbers["openat"], 0, 0, flags, arch=machine.audit) == answer
            if "open" in machine.numbers:
                assert run(program, machine.numbers["open"], 0, flags, arch=machine.audit) == answer


def test_other_abis_do_not_exist(machine: abi.Abi, program: bytes) -> None:
    for arch in {0x40000003, 0xC000003E, 0xC00000B7, 0x40000028, 0} - {machine.audit}:
        for number in range(500):
            assert run(program, number, arch=arch) == ENOSYS
    for number in (*range(600), 0x3FFFFFFF, 0x7FFFFFFF):
        for bit in (1 << 30, 1 << 31, 3 << 30):
            assert run(program, number | bit, arch=machine.audit) == ENOSYS


def test_opens_that_only_read_cost_nothing(machine: abi.Abi, program: bytes) -> None:
    number, arch = machine.numbers["openat"], machine.audit
    for flags in (0, os.O_CLOEXEC, os.O_DIRECTORY, os.O_NONBLOCK | os.O_NOFOLLOW, os.O_PATH, os.O_APPEND):
        assert run(program, number, -100 & 0xFFFFFFFF, 0, flags, arch=arch) == ALLOW
    for flags in (os.O_WRONLY, os.O_RDWR, 3, os.O_CREAT, os.O_TRUNC, os.O_TMPFILE, os.O_TMPFILE | os.O_RDWR):
        if flags == os.O_TMPFILE:
            continue  # without a writing mode it is an error
        assert run(program, number, -100 & 0xFFFFFFFF, 0, flags, arch=arch) == NOTIFY
        assert run(program, number, 0, 0, flags | 7 << 40, arch=arch) == NOTIFY  # high bits do not hide it


def test_conditional_calls(machine: abi.Abi, program: bytes) -> None:
    numbers, arch = machine.numbers, machine.audit

    def answer(name: str, *args: int) -> int:
        return run(program, numbers[name], *args, arch=arch)

    for flags, expected in (
        (17, ALLOW),
        (0x4111, ALLOW),
        (0x3D0F00, ALLOW),
        (0x211, NOTIFY),
        (0x4311, NOTIFY),
    ):
        assert answer("clone", flags) == answer("clone", flags | 5 << 40) == expected, hex(flags)
    for flags, expected in ((0x400, ALLOW), (0x10000000, ALLOW), (0x200, NOTIFY), (0x20000, NOTIFY)):
        assert answer("unshare", flags) == expected, hex(flags)
    denied = refuse(errno.EPERM)
    for command in (
        0x5412,
        0x541C,
        0x5423,
        0x541D,
        0x40086602,
        0x401C5820,
        0x40046602,
        0x5000940E,
        0x40087602,
        0x40047211,
        0x4004F50D,
    ):
        assert answer("ioctl", 3, command) == denied, hex(command)
        assert answer("ioctl", 3, command | 1 << 32) == denied  # the kernel takes the low 32 bits
    for command in (
        0x5401,
        0x5413,
        0x80086601,
        0x801C581F,
        0x40049409,
        0xC020660B,
        0x5421,
        0x80047210,
        0xF501,
    ):
        assert answer("ioctl", 3, command) == ALLOW, hex(command)
    assert (
        answer("socket", 2, 1 | 0o2004000, 0) == answer("socket", 10, 1, 6) == answer("socket", 1, 1) == ALLOW
    )
    others = (
        (2, 2, 0), (10, 2, 0), (2, 3, 1), (2, 1, 132), (2, 1, 262), (1, 2, 0), (17, 3, 0), (40, 1, 0),
        (38, 5, 0), (16, 3, 9), (2, 5, 0), (1, 3, 0), (45, 1, 0),
    )  # fmt: skip
    for family, kind, protocol in others:
        assert answer("socket", family, kind, protocol) == NOTIFY, (family, kind, protocol)
    fastopen = 0x20000000
    assert answer("sendto", 3, 0, 0, fastopen) == answer("sendmsg", 3, 0, fastopen) != ALLOW
    assert answer("sendmmsg", 3, 0, 1, fastopen) != ALLOW and answer("sendto", 3, 0, 0, 0x4000) == ALLOW
    for level, option in ((0, 4), (41, 57), (41, 5), (41, 6), (41, 59)):  # source routes, routing headers
        assert answer("setsockopt", 3, level, option) == refuse(errno.EPERM), (level, option)
        assert answer("setsockopt", 3, level | 1 << 32, option | 1 << 32) == refuse(errno.EPERM)
    for level, option in ((1, 4), (0, 1), (41, 26), (6, 4), (1, 6), (0, 57)):
        assert answer("setsockopt", 3, level, option) == ALLOW, (level, option)
    assert answer("socketpair", 1, 1) == answer("socketpair", 1, 5) == ALLOW
    assert answer("socketpair", 30, 1) == answer("socketpair", 1, 2) == NOTIFY
    assert answer("prctl", 4, 0) == refuse(0) and answer("prctl", 4, 1) == answer("prctl", 15, 0) == ALLOW
    assert answer("prctl", 35, 13) == denied
    assert answer("prlimit64", 0) == ALLOW and answer("prlimit64", 1) == NOTIFY
    assert answer("setpriority", 0, 0) == answer("ioprio_set", 1, 0) == ALLOW
    for which, who in ((0, 1), (1, 0), (2, 0), (3, 0)):
        assert answer("setpriority", which, who) == NOTIFY
    for which, who in ((1, 1), (2, 0), (3, 0)):
        assert answer("ioprio_set", which, who) == NOTIFY
    assert answer("openat2") == answer("io_uring_setup") == ENOSYS


CALLS = """\
import json, sys
from raw import call, outcome, report
report({str(n): outcome(lambda: call(n, *([0] * 6))) for n in map(int, sys.argv[1:])})
"""


def test_the_kernel_agrees(worlds: World) -> None:
    """The same, asked of the real filter: numbers that nobody knows, and calls that are never allowed."""
    native = abi.native()
    assert native
    unknown = [*range(max(native.numbers.values()) + 1, 560), 1000, 100_000]
    if native.x32:
        unknown += [0x40000000 | 1, 0x40000000 | 512, 0x40000000 | 545]
    names = {number: name for name, number in native.numbers.items()}
    refused = [number for number, name in names.items() if name in abi.REFUSE]
    gone = [
        native.numbers[name] for name in ("openat2", "io_uring_setup", "io_uring_enter", "io_uring_register")
    ]
    result = worlds.run(
        sys.executable, "-c", CALLS, *unknown, *refused, *gone, policy=OPEN_POLICY, operator=allow
    )
    found = {int(number): said for number, said in result.json.items()}
    assert {n: found[n] for n in [*unknown, *gone] if found[n] != "ENOSYS"} == {}
    wanted = {n: errno.errorcode[abi.REFUSE[names[n]]] for n in refused}
    assert {names[n]: found[n] for n in refused if found[n] != wanted[n]} == {}


NEWER = """\
import ctypes, mmap, os, struct, sys
from raw import CWD, call, outcome, report
path = sys.argv[1].encode()
value = ctypes.create_string_buffer(b'v')
arguments = struct.pack('=QII', ctypes.addressof(value), 1, 0)
attributes = ctypes.create_string_buffer(24)
def own_tree(call_):  # in a mount namespace of its own, so that nothing is left of it
    ctypes.CDLL(None).unshare(0x20000 | (0x10000000 if os.getuid() else 0))
    return call_()
def file_setattr():
    call('file_getattr', CWD, path, ctypes.addressof(attributes), 24, 0)
    flags, *rest = struct.unpack('=QIIII', attributes.raw)
    call('file_setattr', CWD, path, struct.pack('=QIIII', flags ^ 0x40, *rest), 24, 0)
def ring():
    os.close(call('io_uring_setup', 4, bytes(120)))
how = struct.pack('=QQQ', os.O_CREAT | os.O_WRONLY, 0o600, 0)
report(outcome({
    'openat2': lambda: call('openat2', CWD, path + b'.made', how, 24),
    'setxattrat': lambda: call('setxattrat', CWD, path, 0, b'user.new', arguments, 16),
    'removexattrat': lambda: call('removexattrat', CWD, path, 0, b'user.old'),
    'file_setattr': file_setattr,
    'io_uring_setup': ring,
    'open_tree': lambda: own_tree(lambda: call('open_tree', CWD, b'/', 0x8001)),
    'open_tree_attr': lambda: own_tree(lambda: call('open_tree_attr', CWD, b'/', 0x8001, bytes(32), 32)),
    'fsopen': lambda: own_tree(lambda: call('fsopen', b'tmpfs', 0)),
    'mount_setattr': lambda: own_tree(lambda: call('mount_setattr', CWD, b'/', 0, bytes(32), 32)),
    'fchmodat2': lambda: call('fchmodat2', CWD, path, 0o604, 0x100),
}[sys.argv[2]]))
"""


@pytest.mark.parametrize("name", [
    "openat2", "setxattrat", "removexattrat", "file_setattr", "io_uring_setup", "open_tree", "open_tree_attr",
    "fsopen", "mount_setattr", "fchmodat2",
])  # fmt: skip
def test_newer_calls_by_effect(worlds: World, name: str) -> None:
    """What has an effect without the gate has none behind it, though every rule would allow it."""

    def told(gated: bool) -> tuple[str, list[str], tuple[object, ...]]:
        for path in worlds.outside.iterdir():
            path.unlink()
        path = worlds.file(worlds.outside / "f", "x", 0o644)
        os.setxattr(path, "user.old", b"1")
        command = (sys.executable, "-c", NEWER, path, name)
        if not gated:
            result = worlds.bare(*command)
        elif name == "fchmodat2":  # a held one: the object is decided
            result = worlds.run(*command, operator=deny)
        else:
            result = worlds.run(*command, policy=OPEN_POLICY, operator=allow)
        flags = subprocess.run(["lsattr", "-d", path], capture_output=True, check=False).stdout
        names = sorted(entry.name for entry in worlds.outside.iterdir())
        return result.json, names, (os.listxattr(path), flags, path.stat().st_mode)

    bare = told(gated=False)
    if bare[0] != "ok":
        pytest.skip(f"not here: {name} ({bare[0]})")
    said, *effect = told(gated=True)
    assert said == {"openat2": "ENOSYS", "io_uring_setup": "ENOSYS", "fchmodat2": "EACCES"}.get(name, "EPERM")
    assert effect[0] == ["f"] and effect[1][0] == ["user.old"] and effect[1][2] == 0o100644
    if name in ("openat2", "setxattrat", "removexattrat", "file_setattr", "fchmodat2"):
        assert list(bare[1:]) != effect


FLAGS = """\
import fcntl, os, struct, sys
from raw import outcome, report
fd = os.open(sys.argv[1], os.O_RDONLY)
get, put, xget, xput = 0x80086601, 0x40086602, 0x801C581F, 0x401C5820
flags = fcntl.ioctl(fd, get, bytes(8))
more = struct.pack('=q', struct.unpack('=q', flags)[0] | 0x80)  # no access times
same = fcntl.ioctl(fd, xget, bytes(28))
report([outcome(lambda: fcntl.ioctl(fd, put, more)), outcome(lambda: fcntl.ioctl(fd, xput, same))])
"""


def test_inode_flags_through_a_reading_descriptor(worlds: World) -> None:
    path = worlds.file(worlds.outside / "f")
    control = worlds.bare(sys.executable, "-c", FLAGS, path)
    if control.status or control.json[0] != "ok":
        pytest.skip("not here: inode flags in the temporary directory")
    assert worlds.run(sys.executable, "-c", FLAGS, path, operator=allow).json == ["EPERM", "EPERM"]


def test_handles_open_nothing(world: World) -> None:
    """open_by_handle_at passes by every path; root could open anything on the file system with it."""
    script = (
        "import ctypes, os, sys\nfrom raw import CWD, call, outcome, report\n"
        "handle = ctypes.create_string_buffer(b'\\x80' + bytes(200))\n"
        "at, mount = ctypes.addressof(handle), ctypes.create_string_buffer(8)\n"
        "path = sys.argv[1].encode()\n"
        "call('name_to_handle_at', CWD, path, at, ctypes.addressof(mount), 0)\n"
        "fd = os.open(os.path.dirname(path), os.O_RDONLY)\n"
        "report(outcome(lambda: call('open_by_handle_at', fd, at, os.O_WRONLY)))\n"
    )
    path = world.file(world.outside / "f")
    control = world.bare(sys.executable, "-c", script, path)
    if control.status or control.json != "ok":
        pytest.skip("not here: file handles, or the right to open by them")
    assert world.run(sys.executable, "-c", script, path, operator=allow).json == "EPERM"


def test_this_machine_has_a_table() -> None:
    assert platform.machine() in abi.ABIS
