"""Every number that the gate tells the kernel, against the kernel's headers of each architecture it has a
table for: what the headers say is asked of the preprocessor and the compiler, so that it is what a program
compiled there would use."""

from __future__ import annotations

import ast
import os
import platform
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from agentgate.intercept.kernel import (
    abi,
    bpf,
    caps,
    devices,
    files,
    filter,
    ipc,
    landlock,
    libc,
    listeners,
    netns,
    notify,
)

_FOLDER = tempfile.TemporaryDirectory(prefix="agentgate-headers-")
KERNEL = Path(filter.__file__).parent
# Where the headers of an architecture lie: its own, or those of Debian's linux-libc-dev-arm64-cross.
INCLUDE = {
    "x86_64": ("/usr/include/x86_64-linux-gnu", "/usr/x86_64-linux-gnu/include"),
    "aarch64": ("/usr/include/aarch64-linux-gnu", "/usr/aarch64-linux-gnu/include"),
}
HEADERS = (
    "asm/unistd.h", "asm/fcntl.h", "asm/ioctls.h", "asm/socket.h", "linux/audit.h", "linux/bpf_common.h",
    "linux/capability.h", "linux/fcntl.h", "linux/fiemap.h", "linux/filter.h", "linux/fs.h", "linux/in.h",
    "linux/in6.h", "linux/inet_diag.h", "linux/ioprio.h", "linux/ipc.h", "linux/landlock.h", "linux/msg.h",
    "linux/netlink.h", "linux/prctl.h", "linux/resource.h", "linux/rtnetlink.h", "linux/sched.h",
    "linux/seccomp.h", "linux/sem.h", "linux/shm.h", "linux/sock_diag.h", "linux/sockios.h", "linux/stat.h",
)  # fmt: skip

ENUMERATORS = {"LANDLOCK_RULE_PATH_BENEATH"}
FILTER = {
    "O_WRONLY | O_RDWR | O_CREAT | O_TRUNC": filter.WRITING,
    "TIOCSTI": filter._TIOCSTI, "TIOCLINUX": filter._TIOCLINUX, "TIOCSETD": filter._TIOCSETD,
    "TIOCCONS": filter._TIOCCONS,
    "FS_IOC_GETFLAGS": filter._IOCTL_FAMILIES[0x66][0], "FS_IOC_FIEMAP": filter._IOCTL_FAMILIES[0x66][1],
    "FS_IOC_GETVERSION": filter._IOCTL_FAMILIES[0x76][0],
    "FS_IOC_FSGETXATTR": filter._IOCTL_FAMILIES[0x58][0],
    "FICLONE": filter._IOCTL_FAMILIES[0x94][0], "FICLONERANGE": filter._IOCTL_FAMILIES[0x94][1],
    "FIDEDUPERANGE": filter._IOCTL_FAMILIES[0x94][2],
    "NETLINK_ROUTE": filter._NETLINK[0], "NETLINK_SOCK_DIAG": filter._NETLINK[1],
    "NETLINK_KOBJECT_UEVENT": filter._NETLINK[2],
    "PR_SET_DUMPABLE": filter._PR_SET_DUMPABLE,
    "PRIO_PROCESS": filter._ON_WHO["setpriority"],
}  # fmt: skip
SECCOMP = {
    "SECCOMP_RET_ALLOW": bpf.ALLOW, "SECCOMP_RET_USER_NOTIF": bpf.NOTIFY,
    "SECCOMP_RET_ERRNO": bpf.refuse(0),
    "__builtin_offsetof(struct seccomp_data, nr)": bpf.NUMBER,
    "__builtin_offsetof(struct seccomp_data, arch)": bpf.ARCH,
    "__builtin_offsetof(struct seccomp_data, args[5])": bpf.argument(5),
    "BPF_LD | BPF_W | BPF_ABS": bpf._LD_ABS, "BPF_ALU | BPF_AND | BPF_K": bpf._AND,
    "BPF_JMP | BPF_JA": bpf._JA, "BPF_JMP | BPF_JEQ | BPF_K": bpf._JEQ, "BPF_RET | BPF_K": bpf._RET,
    "BPF_JMP | BPF_JGE | BPF_K": bpf._JGE, "BPF_JMP | BPF_JSET | BPF_K": bpf._JSET,
    "sizeof(struct sock_filter)": struct.calcsize("=HBBI"),
    "SECCOMP_SET_MODE_FILTER": notify._SET_MODE_FILTER,
    "SECCOMP_FILTER_FLAG_NEW_LISTENER": notify._NEW_LISTENER,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": notify._WAIT_KILLABLE,
    "SECCOMP_IOCTL_NOTIF_RECV": notify._RECV, "SECCOMP_IOCTL_NOTIF_SEND": notify._SEND,
    "SECCOMP_IOCTL_NOTIF_ID_VALID": notify._ID_VALID, "SECCOMP_IOCTL_NOTIF_ADDFD": notify._ADDFD,
    "SECCOMP_IOCTL_NOTIF_SET_FLAGS": notify._SET_FLAGS,
    "SECCOMP_USER_NOTIF_FLAG_CONTINUE": notify._CONTINUE,
    "SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP": notify._SYNC_WAKE_UP,
    "sizeof(struct seccomp_notif)": notify._NOTIFICATION.size,
    "sizeof(struct seccomp_notif_resp)": notify._RESPONSE.size,
    "sizeof(struct seccomp_notif_addfd)": notify._ADD.size,
}  # fmt: skip
_FS = "LANDLOCK_ACCESS_FS_"
LANDLOCK = {
    f"{_FS}WRITE_FILE": landlock._WRITE_FILE, f"{_FS}IOCTL_DEV": landlock._IOCTL_DEV,
    f"{_FS}REFER": landlock._REFER,
    " | ".join(_FS + name for name in (
        "REMOVE_DIR", "REMOVE_FILE", "MAKE_CHAR", "MAKE_DIR", "MAKE_REG", "MAKE_SOCK", "MAKE_FIFO",
        "MAKE_BLOCK", "MAKE_SYM")): landlock._CHANGES,
    "LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP": landlock._TCP,
    "LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL": landlock._SCOPES,
    "LANDLOCK_CREATE_RULESET_VERSION": 1, "LANDLOCK_RULE_PATH_BENEATH": 1,
    "sizeof(struct landlock_path_beneath_attr)": struct.calcsize("=Qi"),
}  # fmt: skip
CALLS = {
    "AT_FDCWD": libc.AT_FDCWD, "AT_SYMLINK_NOFOLLOW": libc.AT_SYMLINK_NOFOLLOW,
    "AT_SYMLINK_FOLLOW": libc.AT_SYMLINK_FOLLOW, "AT_EMPTY_PATH": libc.AT_EMPTY_PATH,
    "AT_REMOVEDIR": files._REMOVEDIR, "RENAME_NOREPLACE": files._NOREPLACE,
    "RENAME_EXCHANGE": files._EXCHANGE, "RENAME_WHITEOUT": files._WHITEOUT,
    "_LINUX_CAPABILITY_VERSION_3": 0x20080522,
    "CAP_CHOWN": caps._CHOWN, "CAP_DAC_OVERRIDE": caps._DAC_OVERRIDE, "CAP_FOWNER": caps._FOWNER,
    "CAP_FSETID": caps._FSETID, "CAP_KILL": caps._KILL, "CAP_NET_BIND_SERVICE": caps._NET_BIND_SERVICE,
    "PR_CAPBSET_READ": caps._PR_CAPBSET_READ, "PR_CAPBSET_DROP": caps._PR_CAPBSET_DROP,
    "PR_CAP_AMBIENT": caps._PR_CAP_AMBIENT, "PR_CAP_AMBIENT_CLEAR_ALL": caps._CLEAR_ALL,
    "CLONE_NEWUSER": netns._CLONE_NEWUSER, "CLONE_NEWNET": netns._CLONE_NEWNET,
    "PR_SET_PDEATHSIG": netns._PR_SET_PDEATHSIG, "PR_SET_NAME": netns._PR_SET_NAME,
    "PR_SET_NO_NEW_PRIVS": netns._PR_SET_NO_NEW_PRIVS, "SO_NETNS_COOKIE": netns._SO_NETNS_COOKIE,
    "IP_PKTINFO": netns._IP_PKTINFO, "IPV6_RECVPKTINFO": netns._IPV6_RECVPKTINFO,
    "IPV6_FREEBIND": netns._IPV6_FREEBIND, "SIOCSIFFLAGS": 0x8914, "RTM_NEWROUTE": 24,
    "IPC_CREAT": ipc._CREATE, "IPC_EXCL": ipc._EXCLUSIVE, "SHM_RDONLY": ipc._READ_ONLY,
    "IPC_RMID": 0, "IPC_SET": 1, "SHM_LOCK": 11, "SHM_UNLOCK": 12, "SETVAL": 16, "SETALL": 17,
    "TIOCGPTN": devices._TIOCGPTN, "NLM_F_REQUEST": listeners._REQUEST,
    "SOCK_DIAG_BY_FAMILY": listeners._BY_FAMILY,
    "sizeof(struct nlmsghdr)": listeners._HEADER.size,
    "sizeof(struct inet_diag_sockid)": listeners._ID.size,
    "sizeof(struct inet_diag_req_v2)": listeners._QUESTION.size + listeners._ID.size,
}  # fmt: skip
OPEN_FLAGS = (
    "O_ACCMODE", "O_RDONLY", "O_WRONLY", "O_RDWR", "O_CREAT", "O_EXCL", "O_NOCTTY", "O_TRUNC", "O_APPEND",
    "O_NONBLOCK", "O_DSYNC", "O_DIRECT", "O_LARGEFILE", "O_DIRECTORY", "O_NOFOLLOW", "O_NOATIME", "O_CLOEXEC",
    "O_PATH", "__O_TMPFILE | O_DIRECTORY",
)  # fmt: skip
WRITE_MODES = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_ACCMODE"}


@pytest.fixture(params=sorted(abi.ABIS))
def machine(request: pytest.FixtureRequest) -> abi.Abi:
    return abi.ABIS[request.param]


def headers(machine: str) -> list[str]:
    """The compiler's options to see the headers of ``machine``, and no others. Skips without them."""
    if not shutil.which("gcc"):
        pytest.skip("not here: gcc")
    for own in INCLUDE[machine]:
        if Path(own, "asm", "unistd.h").exists():
            folder = Path(tempfile.mkdtemp(dir=_FOLDER.name))  # the kernel's alone, not the C library's
            for part in ("asm", "asm-generic", "linux"):
                found = Path(own, part)
                (folder / part).symlink_to(found if found.exists() else Path("/usr/include", part))
            (folder / "unistd.h").touch()  # linux/shm.h asks for it, for a function
            return ["-nostdinc", f"-I{folder}"]
    pytest.skip(f"not here: the kernel's headers for {machine}")


def compiled(machine: str, expressions: Iterable[str]) -> dict[str, int]:
    """The values, 64 bits unsigned, of those expressions whose macros these headers have."""
    options = headers(machine)
    includes = "".join(f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in HEADERS)
    text = ["typedef unsigned long size_t;\n", includes, "unsigned long long values[] = {\n"]
    asked = list(expressions)
    absent = 0x7E57AB5E7E57AB5E
    for expression in asked:
        macros = re.findall(r"\b(?:__NR_\w+|_*[A-Z][A-Z0-9_]{2,})\b", expression)
        guard = " && ".join(f"defined({name})" for name in macros if name not in ENUMERATORS) or "1"
        if expression.startswith("SECCOMP_IOCTL"):  # said in terms of struct and _IOC()
            guard = f"defined({expression})"
        text.append(f"#if {guard}\n(unsigned long long)({expression}),\n#else\n{absent}ULL,\n#endif\n")
    text.append("};\n")
    # the compiler is this machine's; neither layout nor macros of these headers depend on it but __ILP32__
    done = subprocess.run(
        ["gcc", "-x", "c", "-w", "-S", "-o", "-", *options, "-"],
        input="".join(text), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [int(word, 0) & (1 << 64) - 1 for word in re.findall(r"\.(?:quad|xword)\s+(\S+)", done.stdout)]
    assert len(found) == len(asked), done.stdout[:2000]
    return {name: value for name, value in zip(asked, found, strict=True) if value != absent}


@pytest.mark.parametrize(
    "table", [FILTER, SECCOMP, LANDLOCK, CALLS], ids=["filter", "seccomp", "landlock", "calls"]
)
def test_constants_are_the_kernels(machine: abi.Abi, table: dict[str, int]) -> None:
    found = compiled(machine.machine, table)
    wrong = {
        name: (hex(table[name] & (1 << 64) - 1), hex(value))
        for name, value in found.items()
        if value & 0xFFFFFFFF != table[name] & 0xFFFFFFFF
    }
    assert wrong == {}
    assert len(found) > len(table) // 2  # those of Linux 6.1 lack a few


def test_the_arch_value_is_the_kernels(machine: abi.Abi) -> None:
    name = f"AUDIT_ARCH_{machine.machine.upper()}"
    assert compiled(machine.machine, [name]) == {name: machine.audit}


def test_every_call_has_the_headers_number(machine: abi.Abi) -> None:
    """As the headers resolve them, behind every condition and alias of theirs."""
    names = sorted(machine.numbers)
    found = compiled(machine.machine, [f"__NR_{name}" for name in names])
    assert {name: number for name, number in found.items() if machine.numbers[name[5:]] != number} == {}
    assert len(found) > 300


def test_the_table_misses_no_call(machine: abi.Abi) -> None:
    """A call that the headers have and the table has not would be refused though the gate knows its name."""
    listing = subprocess.run(
        ["gcc", "-E", "-dM", "-x", "c", *headers(machine.machine), "-include", "asm/unistd.h", "/dev/null"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    names = set(re.findall(r"^#define __NR_([a-z]\w*) ", listing, re.MULTILINE))
    names -= {"syscalls", "arch_specific_syscall"}
    assert len(names) > 250
    numbers = compiled(machine.machine, [f"__NR_{name}" for name in names])
    newest = max(machine.numbers.values())  # what is newer is meant not to be known
    missing = {name[5:] for name, number in numbers.items() if number <= newest} - set(machine.numbers)
    assert missing <= {"uretprobe"}  # the kernel's own code makes that one, no program


def test_open_flags_that_differ_are_told_apart(machine: abi.Abi) -> None:
    """O_DIRECTORY of one architecture is O_DIRECT of the other: only writing modes may decide."""
    flags = compiled(machine.machine, OPEN_FLAGS)
    assert len(flags) == len(OPEN_FLAGS)
    program = filter.build(machine, hold_signals=False, hold_reads=False)
    from test_kernel_filter import run

    for name, value in flags.items():
        answer = run(program, machine.numbers["openat"], 0, 0, value, arch=machine.audit)
        assert answer == (bpf.NOTIFY if name in WRITE_MODES else bpf.ALLOW), name


def test_python_has_the_flags_of_this_machine() -> None:
    """Handlers use the ``os`` module's flags, which are this machine's."""
    flags = compiled(platform.machine(), OPEN_FLAGS)
    for name, value in flags.items():
        known = getattr(os, name, None)
        if name == "O_LARGEFILE":  # 0 to the C library where every file is large; it adds the kernel's
            continue
        if known is not None:
            assert known == value, name
    assert flags["__O_TMPFILE | O_DIRECTORY"] == os.O_TMPFILE


def test_only_one_module_asks_which_machine_this_is() -> None:
    """A number that is right on one architecture only would hide behind such a question."""
    asking = {
        path.name
        for path in KERNEL.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("uname", "machine") and _of_a_module(node)
    }
    assert asking <= {"abi.py", "probe.py", "support.py"}  # the last two say that there is no table for it


def _of_a_module(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("os", "platform")
