"""The seccomp filter: which calls run, which are held for the warden, which are refused.

A list of what is known, never of what is bad: a number that is not in ``abi.py`` gets ENOSYS. Calls that
are always allowed cost nothing, because the kernel caches them in a bitmap (seccomp_cache_prepare); the
others run the program below once, the frequent ones first.
"""

from __future__ import annotations

import errno
import os
import socket

from agentgate.intercept.kernel import abi as classes
from agentgate.intercept.kernel.abi import Abi
from agentgate.intercept.kernel.bpf import ALLOW, ARCH, NOTIFY, NUMBER, Assembler, argument, refuse

__all__ = ["build"]

# Opens that can change something. O_PATH|these is held too; the warden lets it go.
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Opens that yield no file's content: O_PATH (what is opened anew through it is another open), and
# O_DIRECTORY, which fails on everything else.
_NO_CONTENT = os.O_PATH | os.O_DIRECTORY
_MSG_FASTOPEN = 0x20000000
CLONE_FS, CLONE_THREAD, _CLONE_NEWNS = 0x200, 0x10000, 0x20000  # clone(2)

# ioctl(2) commands that push input into a terminal, or change a file through a read-only descriptor.
_TIOCSTI, _TIOCLINUX, _TIOCSETD, _TIOCCONS = 0x5412, 0x541C, 0x5423, 0x541D
# Families (bits 8-15 of the command) in which only the named, harmless commands are allowed:
# 'f' inode flags and verity, 'v' versions, 'X' xfs and freezing, 0x94 btrfs, 'r' fat, 0xf5 f2fs.
_IOCTL_FAMILIES = {
    0x66: (0x80086601, 0xC020660B),  # FS_IOC_GETFLAGS, FS_IOC_FIEMAP
    0x76: (0x80087601,),  # FS_IOC_GETVERSION
    0x58: (0x801C581F,),  # FS_IOC_FSGETXATTR
    0x94: (0x40049409, 0x4020940D, 0xC0189436),  # FICLONE, FICLONERANGE, FIDEDUPERANGE
    # VFAT_IOCTL_READDIR_BOTH, ..._SHORT, FAT_IOCTL_GET_ATTRIBUTES, ..._GET_VOLUME_ID
    0x72: (0x82307201, 0x82307202, 0x80047210, 0x80047213),
    # F2FS_IOC_START_ATOMIC_WRITE to ..._ABORT_ATOMIC_WRITE, which need one that may write; ..._GET_FEATURES
    0xF5: (0xF501, 0xF502, 0xF503, 0xF504, 0xF505, 0x8004F50C),
}
# Socket options by level that send packets to other hosts than the socket is connected to: source routes
# (ip(7), IP_OPTIONS) and routing headers (ipv6(7), RFC 3542 6 and 7; RFC 8754), by their old numbers too.
_DETOURS = {0: (4,), 41: (3, 4, 5, 6, 54, 55, 57, 59)}
_NETLINK = (0, 4, 15)  # ROUTE, SOCK_DIAG, KOBJECT_UEVENT (netlink(7))
_PR_SET_DUMPABLE, _PR_SET_MM = 4, 35
# The signal that a descriptor sends when it is ready goes to whom these name (fcntl(2)).
_F_SETOWN, _F_SETOWN_EX, _FIOSETOWN, _SIOCSPGRP = 8, 15, 0x8901, 0x8902
# Calls that name another process in argument 0 and change how it runs: fine on oneself (0).
_ON_PROCESS = ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr")
# The same with (which, who), where "which" must say "a process": PRIO_PROCESS, IOPRIO_WHO_PROCESS. The
# caller's whole group or user would be the operator's processes too.
_ON_WHO = {"setpriority": 0, "ioprio_set": 1}


def build(abi: Abi, *, hold_signals: bool, hold_reads: bool) -> bytes:
    """The filter as struct sock_filter[]. ``hold_signals`` where Landlock cannot scope them (ABI < 6);
    ``hold_reads`` for opens that only read: they cost nothing without it."""
    asm = Assembler()
    asm.load(ARCH)
    native = asm.label()
    asm.if_equal(abi.audit, native)
    asm.ret(refuse(errno.ENOSYS))
    asm.mark(native)
    asm.load(NUMBER)
    if abi.x32:
        foreign = asm.label()
        asm.if_at_least(0x40000000, foreign)
    by_argument = _Conditional(asm, abi, hold_signals=hold_signals, hold_reads=hold_reads)
    by_argument.dispatch()
    _by_number(asm, abi, hold_signals=hold_signals)
    by_argument.bodies()
    if abi.x32:
        asm.mark(foreign)
        asm.ret(refuse(errno.ENOSYS))
    return asm.assemble()


def _by_number(asm: Assembler, abi: Abi, *, hold_signals: bool) -> None:
    """A binary search over the ranges of numbers that share an answer."""
    hold = classes.HOLD | (classes.SIGNALS if hold_signals else frozenset())
    free = classes.ALLOW | (frozenset() if hold_signals else classes.SIGNALS)
    answers = dict.fromkeys(abi.known(free), ALLOW)
    answers |= dict.fromkeys(abi.known(hold), NOTIFY)
    answers |= {
        abi.numbers[name]: refuse(code) for name, code in classes.REFUSE.items() if name in abi.numbers
    }
    unknown = refuse(errno.ENOSYS)
    ranges: list[tuple[int, int]] = []
    for number in range(max(answers) + 2):
        answer = answers.get(number, unknown)
        if not ranges or ranges[-1][1] != answer:
            ranges.append((number, answer))
    _search(asm, ranges)


def _search(asm: Assembler, ranges: list[tuple[int, int]]) -> None:
    if len(ranges) == 1:
        asm.ret(ranges[0][1])
        return
    middle = len(ranges) // 2
    upper = asm.label()
    asm.if_at_least(ranges[middle][0], upper)
    _search(asm, ranges[:middle])
    asm.mark(upper)
    _search(asm, ranges[middle:])


class _Conditional:
    """The calls whose answer depends on their arguments. Arguments by value cannot be changed by another
    thread after the filter saw them; memory behind a pointer can, so nothing here looks at it."""

    def __init__(self, asm: Assembler, abi: Abi, *, hold_signals: bool, hold_reads: bool) -> None:
        self._asm = asm
        self._hold_reads = hold_reads
        self._abi = abi
        self._labels: dict[str, str] = {}
        self._names = [
            "openat", "open", "ioctl", "socket", "sendto", "sendmsg", "sendmmsg", "socketpair",
            "setsockopt", "prctl", "openat2", "io_uring_setup", "clone", "unshare", *_ON_PROCESS, *_ON_WHO,
        ]  # fmt: skip
        self._hold_signals = hold_signals
        if hold_signals:
            self._names.append("fcntl")

    def dispatch(self) -> None:
        for name in self._names:
            if name in self._abi.numbers:
                self._labels[name] = self._asm.label()
                self._asm.if_equal(self._abi.numbers[name], self._labels[name])

    def bodies(self) -> None:
        for name, label in self._labels.items():
            self._asm.mark(label)
            if name in _ON_PROCESS:
                self._unless_zero(0)
            elif name in _ON_WHO:
                self._on_itself(_ON_WHO[name])
            else:
                getattr(self, f"_{name}")()

    def _any_bit(self, index: int, bits: int, then: int, otherwise: int = ALLOW) -> None:
        found = self._asm.label()
        self._asm.load(argument(index))
        self._asm.if_any_bit(bits, found)
        self._asm.ret(otherwise)
        self._asm.mark(found)
        self._asm.ret(then)

    def _unless_zero(self, index: int) -> None:
        self._asm.load(argument(index))
        zero = self._asm.label()
        self._asm.if_equal(0, zero)
        self._asm.ret(NOTIFY)
        self._asm.mark(zero)
        self._asm.ret(ALLOW)

    def _on_itself(self, process: int) -> None:
        one = self._asm.label()
        self._asm.load(argument(0))
        self._asm.if_equal(process, one)
        self._asm.ret(NOTIFY)
        self._asm.mark(one)
        self._unless_zero(1)

    def _openat(self) -> None:
        self._opens(2)

    def _open(self) -> None:
        self._opens(1)

    def _opens(self, flags: int) -> None:
        if not self._hold_reads:
            self._any_bit(flags, WRITING, NOTIFY)
            return
        hold, free = self._asm.label(), self._asm.label()
        self._asm.load(argument(flags))
        self._asm.if_any_bit(WRITING, hold)
        self._asm.if_any_bit(_NO_CONTENT, free)
        self._asm.mark(hold)
        self._asm.ret(NOTIFY)
        self._asm.mark(free)
        self._asm.ret(ALLOW)

    def _clone(self) -> None:
        """Held when a process other than this will share its working directory and umask; a thread always
        does. clone3's flags lie in memory, but libc asks that of it for threads only."""
        thread = self._asm.label()
        self._asm.load(argument(0))
        self._asm.if_any_bit(CLONE_THREAD, thread)
        self._any_bit(0, CLONE_FS, NOTIFY)
        self._asm.mark(thread)
        self._asm.ret(ALLOW)

    def _unshare(self) -> None:
        """Held when a thread leaves what it shares with the others: its own working directory and umask."""
        self._any_bit(0, CLONE_FS | _CLONE_NEWNS, NOTIFY)

    def _openat2(self) -> None:
        self._asm.ret(refuse(errno.ENOSYS))  # its flags lie in memory; everybody falls back to openat

    def _io_uring_setup(self) -> None:
        self._asm.ret(refuse(errno.ENOSYS))  # a ring's calls pass no filter

    def _sendto(self) -> None:
        self._any_bit(3, _MSG_FASTOPEN, refuse(errno.EOPNOTSUPP))

    def _sendmsg(self) -> None:
        self._any_bit(2, _MSG_FASTOPEN, refuse(errno.EOPNOTSUPP))

    def _sendmmsg(self) -> None:
        self._any_bit(3, _MSG_FASTOPEN, refuse(errno.EOPNOTSUPP))

    def _setsockopt(self) -> None:
        """What was decided about a connection holds for where its packets go."""
        asm, refused = self._asm, self._asm.label()
        for level, options in _DETOURS.items():
            other = asm.label()
            asm.load(argument(1))
            asm.unless_equal(level, other)
            asm.load(argument(2))
            for option in options:
                asm.if_equal(option, refused)
            asm.ret(ALLOW)
            asm.mark(other)
        asm.ret(ALLOW)
        asm.mark(refused)
        asm.ret(refuse(errno.EPERM))

    def _prctl(self) -> None:
        """A process that makes itself undumpable could not be read, and so only be refused; the wish is
        acknowledged and not carried out. Whoever runs the gate may read the agent anyway. PR_SET_MM gives
        /proc/PID/exe and cmdline, by which the gate knows what runs, another content."""
        asm, allow, denied = self._asm, self._asm.label(), self._asm.label()
        asm.load(argument(0))
        asm.if_equal(_PR_SET_MM, denied)
        asm.unless_equal(_PR_SET_DUMPABLE, allow)
        asm.load(argument(1))
        asm.unless_equal(0, allow)
        asm.ret(refuse(0))
        asm.mark(allow)
        asm.ret(ALLOW)
        asm.mark(denied)
        asm.ret(refuse(errno.EPERM))

    def _fcntl(self) -> None:
        """Only where signals are held: a descriptor can send them too."""
        asm = self._asm
        hold, denied = asm.label(), asm.label()
        asm.load(argument(1))
        asm.if_equal(_F_SETOWN, hold)
        asm.if_equal(_F_SETOWN_EX, denied)  # names the process in memory, where it can change
        asm.ret(ALLOW)
        asm.mark(hold)
        asm.ret(NOTIFY)
        asm.mark(denied)
        asm.ret(refuse(errno.EPERM))

    def _ioctl(self) -> None:
        asm = self._asm
        denied, allowed = asm.label(), asm.label()
        asm.load(argument(1))
        signals = (_FIOSETOWN, _SIOCSPGRP) if self._hold_signals else ()
        for command in (_TIOCSTI, _TIOCLINUX, _TIOCSETD, _TIOCCONS, *signals):
            asm.if_equal(command, denied)
        for commands in _IOCTL_FAMILIES.values():
            for command in commands:
                asm.if_equal(command, allowed)
        asm.mask(0xFF00)
        for family in _IOCTL_FAMILIES:
            asm.if_equal(family << 8, denied)
        asm.mark(allowed)
        asm.ret(ALLOW)
        asm.mark(denied)
        asm.ret(refuse(errno.EPERM))

    def _socket(self) -> None:
        """Free: unix stream and seqpacket, TCP, and the netlink families that only read without
        CAP_NET_ADMIN. Everything else is the warden's: UDP it makes elsewhere (netns.py), the others it
        refuses and records. A datagram socket of this network could send to an address that nobody has
        decided, in a call that cannot be held without races."""
        asm = self._asm
        hold, unix, inet, netlink, free = (asm.label() for _ in range(5))
        asm.load(argument(0))
        asm.if_equal(socket.AF_UNIX, unix)
        asm.if_equal(socket.AF_INET, inet)
        asm.if_equal(socket.AF_INET6, inet)
        asm.if_equal(16, netlink)  # AF_NETLINK
        asm.jump(hold)
        asm.mark(unix)
        self._stream_type(hold, free)
        asm.mark(inet)
        asm.load(argument(1))
        asm.mask(0xF)
        asm.unless_equal(socket.SOCK_STREAM, hold)
        asm.load(argument(2))
        asm.if_equal(0, free)
        asm.if_equal(socket.IPPROTO_TCP, free)
        asm.jump(hold)
        asm.mark(netlink)
        asm.load(argument(2))
        for protocol in _NETLINK:
            asm.if_equal(protocol, free)
        asm.jump(hold)
        asm.mark(free)
        asm.ret(ALLOW)
        asm.mark(hold)
        asm.ret(NOTIFY)

    def _socketpair(self) -> None:
        hold, free = self._asm.label(), self._asm.label()
        self._asm.load(argument(0))
        self._asm.unless_equal(socket.AF_UNIX, hold)
        self._stream_type(hold, free)
        self._asm.mark(free)
        self._asm.ret(ALLOW)
        self._asm.mark(hold)
        self._asm.ret(NOTIFY)

    def _stream_type(self, hold: str, free: str) -> None:
        asm = self._asm
        asm.load(argument(1))
        asm.mask(0xF)
        asm.if_equal(socket.SOCK_STREAM, free)
        asm.if_equal(socket.SOCK_SEQPACKET, free)
        asm.jump(hold)
