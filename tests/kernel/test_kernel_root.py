"""What an agent run as root, or in a user namespace of its own where it is root, has no right to."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from pathlib import Path

import pytest
from harness import OPEN_POLICY, World, allow

from agentgate.intercept.kernel.caps import KEPT

STATUS = """\
from raw import report
lines = dict(line.split(':', 1) for line in open('/proc/self/status'))
report({name: int(lines[name], 16) for name in
        ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')})
"""


def test_capabilities(worlds: World) -> None:
    sets = worlds.run(sys.executable, "-c", STATUS).json
    kept = sum(1 << number for number in KEPT) if worlds.uid == 0 else 0
    assert sets["NoNewPrivs"] == 1
    assert sets["CapPrm"] == sets["CapEff"] == kept and sets["CapInh"] == sets["CapAmb"] == 0
    assert worlds.uid or sets["CapBnd"] == kept
    if worlds.uid == 0:
        # raw devices and memory, modules, mounts, tracing, other users, raw packets, limits, the clock
        for number in (2, 6, 7, 8, 9, 12, 13, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 38, 39, 40):
            assert not kept >> number & 1


REGAIN = """\
import ctypes, os
from raw import call, outcome, report
libc = ctypes.CDLL(None, use_errno=True)
def prctl(*args):
    if libc.prctl(*args) < 0: raise OSError(ctypes.get_errno(), '')
def capset():
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    call('capset', ctypes.addressof(header), ctypes.addressof(data))
report([
    outcome(capset), outcome(lambda: prctl(47, 2, 21, 0, 0)), outcome(lambda: prctl(38, 0, 0, 0, 0)),
    outcome(lambda: prctl(28, 1, 0, 0, 0)), outcome(lambda: os.setuid(12345)),
    outcome(lambda: os.setgroups([0, 1, 2, 3])),
])
"""


def test_nothing_is_regained(worlds: World) -> None:
    """capset, the ambient set, PR_SET_NO_NEW_PRIVS back to 0, SECBIT_*, another user, more groups."""
    found = worlds.run(sys.executable, "-c", REGAIN).json
    assert found == ["EPERM", "EPERM", "EINVAL", "EPERM", "EPERM", "EPERM"]


@pytest.mark.skipif(os.geteuid() != 0, reason="not here: the right to make a setuid program")
@pytest.mark.parametrize("how", ["setuid", "file capabilities"])
def test_programs_that_give_rights_give_none(worlds: World, how: str) -> None:
    cat = Path(shutil.copy(os.path.realpath(shutil.which("cat") or ""), worlds.outside / "cat"))
    if how == "setuid":
        cat.chmod(0o4755)
        os.chown(cat, 0 if worlds.uid else 1, -1)
        cat.chmod(0o4755)
    else:
        cat.chmod(0o755)
        some = 1 << 2 | 1 << 13 | 1 << 21  # CAP_DAC_READ_SEARCH, CAP_NET_RAW, CAP_SYS_ADMIN
        os.setxattr(cat, "security.capability", struct.pack("=5I", 0x02000001, some, 0, 0, 0))

    def told(out: str) -> tuple[list[str], int]:
        lines = dict(line.split(":", 1) for line in out.splitlines())
        return lines["Uid"].split(), int(lines["CapEff"], 16)

    bare = told(worlds.bare(cat, "/proc/self/status").out)
    result = worlds.run("sh", "-c", f"{cat} /proc/self/status")
    if how == "file capabilities" and worlds.uid == 0:  # not even run, without them in the bounding set
        assert (result.out, result.status) == ("", 126) and bare[1]
        return
    users, rights = told(result.out)
    if how == "setuid" and bare[0][1] == str(worlds.uid):
        pytest.skip("not here: setuid programs in the temporary directory")
    assert users == [str(worlds.uid)] * 4
    assert rights & ~sum(1 << number for number in KEPT) == 0 and (rights == 0 or worlds.uid == 0)
    assert bare[0] != users or bare[1] != rights  # the control


CALLS = """\
import ctypes, os, socket, sys
from raw import CWD, call, outcome, report
libc = ctypes.CDLL(None, use_errno=True)
where = sys.argv[1].encode()
def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def apart():
    \"\"\"Mounts of one's own, so that the control leaves nothing behind.\"\"\"
    user, group = os.getuid(), os.getgid()
    checked(libc.unshare(0x20000 | (0x10000000 if user else 0)))
    if user:
        for name, line in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {group} 1')):
            with open(f'/proc/self/{name}', 'w') as file: file.write(line)
    call('mount', b'none', b'/', 0, 0x44000, 0)
def mount():
    apart()
    call('mount', b'none', where, b'tmpfs', 0, 0)
def bind():
    apart()
    call('mount', where, b'/mnt', 0, 0x1000, 0)
def pivot():
    apart()
    call('mount', b'none', where, b'tmpfs', 0, 0)
    os.mkdir(where + b'/old')
    call('pivot_root', where, where + b'/old')
def root():
    apart()
    call('chroot', where)
def enter():
    apart()
    call('setns', os.open('/proc/self/ns/mnt', os.O_RDONLY), 0x20000)
def suspended():
    child = os.fork()
    if not child:
        call('ptrace', 0, 0, 0, 0)
        os.kill(os.getpid(), 19)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try: call('ptrace', 0x4200, child, 0, 0x200000)
    finally: os.kill(child, 9)
def exe():
    size = ctypes.c_uint()
    checked(libc.prctl(35, 14, ctypes.byref(size), 0, 0))
table = {
    'mount': mount, 'bind mount': bind, 'pivot_root': pivot, 'chroot': root, 'setns': enter,
    'bpf': lambda: os.close(call('bpf', 0, (ctypes.c_uint32 * 18)(2, 4, 8, 1), 72)),
    'userfaultfd': lambda: os.close(call('userfaultfd', 1)),
    'perf_event_open': lambda: call('perf_event_open', bytes(112), 0, -1, -1, 0),
    'fanotify_init': lambda: call('fanotify_init', 0x200, 0),
    'keyctl': lambda: call('keyctl', 0, -3, 1),
    'add_key': lambda: call('add_key', b'user', b'n', b'v', 1, -3),
    'ptrace without seccomp': suspended, 'exe': exe,
    # by errno alone: these could harm the machine that the tests run on
    'init_module': lambda: call('init_module', b'x', 1, b''),
    'finit_module': lambda: call('finit_module', 0, b'', 0),
    'delete_module': lambda: call('delete_module', b'x', 0),
    'kexec_load': lambda: call('kexec_load', 0, 1, b'x' * 32, 0),
    'kexec_file_load': lambda: call('kexec_file_load', 0, -1, 1, b'', 4),
    'swapon': lambda: call('swapon', where, 0), 'swapoff': lambda: call('swapoff', where),
    'reboot': lambda: call('reboot', 0xfee1dead, 672274793, 0, 0),  # only ctrl-alt-del, should it pass
    'acct': lambda: call('acct', where + b'/log'),
    'quotactl': lambda: call('quotactl', 0x80000100, b'/dev/x', 0, 0),
    'settimeofday': lambda: call('settimeofday', 0, 0), 'clock_settime': lambda: call('clock_settime', 99, 0),
    'adjtime': lambda: call('clock_adjtime', 0, bytes([2]) + bytes(300)),
    'sethostname': lambda: call('sethostname', b'x', 1),
    'setdomainname': lambda: call('setdomainname', b'x', 1),
    'umount': lambda: call('umount2', where, 2), 'vhangup': lambda: call('vhangup'),
    'syslog': lambda: call('syslog', 5, 0, 0),  # clear
}
if 'iopl' in __import__('raw').NUMBERS:
    table |= {'iopl': lambda: call('iopl', 3), 'ioperm': lambda: call('ioperm', 0x80, 1, 1)}
report({name: outcome(table[name]) for name in sys.argv[2:] or table})
"""
HARMLESS = ["mount", "bind mount", "pivot_root", "chroot", "setns", "bpf", "userfaultfd", "perf_event_open",
            "fanotify_init", "keyctl", "add_key", "exe"]  # fmt: skip


def test_calls_that_change_the_machine(worlds: World) -> None:
    """In one process, whatever the rules say."""
    result = worlds.run(sys.executable, "-c", CALLS, worlds.outside, policy=OPEN_POLICY, operator=allow)
    assert {name: said for name, said in result.json.items() if said != "EPERM"} == {}
    assert len(result.json) > 25


def test_calls_that_change_the_machine_would_do_so(worlds: World) -> None:
    """The control, of those that leave nothing behind. Each in a process of its own."""
    done = [
        name for name in HARMLESS
        if worlds.bare(sys.executable, "-c", CALLS, worlds.outside, name).json[name] == "ok"
    ]  # fmt: skip
    assert {"mount", "chroot"} <= set(done), done
    assert worlds.uid or {"bind mount", "setns", "bpf", "userfaultfd"} <= set(done), done


def test_devices_are_asked_about(world: World) -> None:
    """Disks, memory, the kernel's log, virtual machines, tunnels: a file each, and no harmless one."""
    script = (
        "import os, stat, sys\n"
        "for folder, _, names in os.walk('/dev'):\n"
        "    for name in names:\n"
        "        path = os.path.join(folder, name)\n"
        "        mode = os.lstat(path).st_mode\n"
        "        if not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)): continue\n"
        "        try: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))\n"
        "        except OSError: continue\n"
        "        print(path)\n"
    )
    result = world.run(sys.executable, "-c", script, operator=lambda ask: "deny")
    assert set(result.out.split()) <= {
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/pts/ptmx",
    }  # fmt: skip
    if world.uid == 0:
        assert any(target.startswith("fs_write /dev/") for target in result.targets)


COMMANDS = """\
import fcntl, os, sys
from raw import outcome, report
def command(path, number):
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try: fcntl.ioctl(descriptor, number, 0)
    finally: os.close(descriptor)
report({path: outcome(lambda: command(path, number)) for path, number in (
    ('/dev/userfaultfd', 0xAA00), ('/dev/kvm', 0xAE00), ('/dev/loop-control', 0x4C82),
) if os.access(path, os.R_OK)})
"""


def test_devices_that_were_opened_to_read_take_no_commands(world: World) -> None:
    bare = world.bare(sys.executable, "-c", COMMANDS).json
    there = [path for path, said in bare.items() if said == "ok"]
    if not there:
        pytest.skip("not here: a device that takes commands from this user")
    found = world.run(sys.executable, "-c", COMMANDS, policy=OPEN_POLICY, operator=allow).json
    assert {path: found[path] for path in there} == dict.fromkeys(there, "EACCES")
