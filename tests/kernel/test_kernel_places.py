"""Tricky places: names and links that mean something else to the gate than to the caller, places that change
while a question waits, and what belongs to other processes."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from harness import OPEN_POLICY, World, allow, deny, wait
from outsiders import READER, outsider

# -- what "self" means

SELF = """\
import os, sys
from raw import CWD, call
os.symlink('/proc/self/fd/1', 'by-self')
os.symlink('/proc/thread-self/fd/1', 'by-thread')
os.symlink('/dev/stdout', 'by-dev')
os.symlink('/proc/self/fd', 'fds')
os.symlink('by-dev', 'twice')
proc = os.open('/proc', os.O_RDONLY)
for number, (directory, path) in enumerate((
    (CWD, '/proc/self/fd/1'), (CWD, 'by-self'), (CWD, 'by-thread'), (CWD, 'by-dev'), (CWD, 'fds/1'),
    (CWD, 'twice'), (proc, 'self/fd/1'), (CWD, '/tmp/../proc/self/fd/1'), (CWD, '/dev/fd/../fd/1'),
    (CWD, f'{os.getcwd()}/fds/1'),
)):
    try:
        fd = call('openat', directory, path.encode(), os.O_WRONLY | os.O_APPEND)
        os.write(fd, f'{number} arrived\\n'.encode())
    except OSError as error:
        os.write(1, f'{number} {path}: {error.strerror}\\n'.encode())
os.chdir('/proc')
with open('self/fd/1', 'a') as file: file.write('10 arrived\\n')
"""


def test_self_is_the_caller(worlds: World) -> None:
    """A link to /dev/stdout in the project (log files of servers) leads to the caller's own output."""
    expected = "".join(f"{number} arrived\n" for number in range(11))
    world = worlds
    for name in ("by-self", "by-thread", "by-dev", "fds", "twice"):
        (world.project / name).unlink(missing_ok=True)
    result = world.run(sys.executable, "-c", SELF, operator=allow)
    assert result.out == expected
    for name in ("by-self", "by-thread", "by-dev", "fds", "twice"):
        (world.project / name).unlink()
    with_pipe = world.run("sh", "-c", f"exec '{sys.executable}' -c \"$SELF\" | cat", env={"SELF": SELF})
    assert with_pipe.out == expected


STEAL = """\
import os, sys
os.symlink('/proc/self/fd', 'fds')
own = set(os.listdir('/proc/self/fd'))
for number in range(3, 64):
    for how in (os.O_WRONLY, os.O_RDWR):
        try:
            fd = os.open(f'fds/{number}', how | os.O_NONBLOCK)
        except OSError:
            continue
        print('got', number, os.readlink(f'/proc/self/fd/{fd}'))
"""


def test_links_do_not_lead_into_the_gate(worlds: World) -> None:
    result = worlds.run(sys.executable, "-c", STEAL, operator=deny)
    assert (result.status, result.out) == (0, "")


PIPE = """\
import os, sys
read, write = os.pipe()
os.dup2(read, 0)
print('ready', flush=True)
print(os.read(0, 100).decode(), end='', flush=True)
"""


@pytest.mark.parametrize(
    "path", ["/proc/{pid}/fd/0", "link", "/proc/{pid}/task/{pid}/fd/0", "proc/{pid}/fd/0"]
)
def test_pipes_of_others(worlds: World, path: str) -> None:
    """Somebody else's standard input can be opened through /proc: a way to type into it."""
    with outsider(worlds, PIPE) as process:
        os.symlink(f"/proc/{process.pid}/fd/0", worlds.project / "link")
        os.symlink("/proc", worlds.project / "proc")
        where = path.format(pid=process.pid)
        result = worlds.run("sh", "-c", f"echo typed > {where}", operator=deny)
        assert result.status != 0
        assert process.stdout and not select.select([process.stdout], [], [], 0.2)[0]
        assert worlds.bare("sh", "-c", f"echo typed > {where}").status == 0  # the control
        assert process.stdout.readline() == b"typed\n"


def test_memory_files_of_others(worlds: World) -> None:
    """A memfd has no path to decide on: emptied by truncate(2) and changed in mode through /proc."""
    script = (
        "import os, sys\nfd = os.memfd_create('m')\nos.write(fd, b'kept')\nprint('ready', flush=True)\n"
        "sys.stdin.readline()\nprint(fd, os.fstat(fd).st_size, os.fstat(fd).st_mode & 0o777, flush=True)\n"
    )
    attack = "import os, sys\npath = sys.argv[1]\nos.chmod(path, 0)\n"
    for way in ("os.chmod(path, 0)", "os.truncate(path, 0)", "open(path, 'w')", "os.utime(path)"):
        with outsider(worlds, script) as process:
            [name] = [
                entry for entry in Path(f"/proc/{process.pid}/fd").iterdir()
                if "memfd" in os.readlink(entry)
            ]  # fmt: skip
            attack = f"import os, sys\npath = sys.argv[1]\n{way}\n"
            result = worlds.run(sys.executable, "-c", attack, name, operator=deny)
            assert result.status == 1 and "Permission denied" in result.err, way
            assert process.stdin and process.stdout
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline().split()[1:] in ([b"4", b"511"], [b"4", b"438"])


def test_memory_and_knobs_of_others(worlds: World) -> None:
    files = ("mem", "oom_score_adj", "comm", "clear_refs", "coredump_filter", "timerslack_ns")
    script = (
        "import sys\n"
        "for name in sys.argv[2:]:\n"
        "    try: open(f'/proc/{sys.argv[1]}/{name}', 'r+b', buffering=0); print(name, 'opened')\n"
        "    except OSError as error: print(name, error.strerror)\n"
    )
    with outsider(worlds, READER) as process:
        result = worlds.run(sys.executable, "-c", script, process.pid, *files, operator=allow)
        assert "opened" not in result.out and result.out.count("\n") == len(files)
        warden = worlds.run("sh", "-c", "echo 1 > /proc/$PPID/oom_score_adj; echo 0 > /proc/1/oom_score_adj")
        assert warden.status != 0
    own = worlds.run(sys.executable, "-c", script, "self", "mem", "comm", "oom_score_adj", operator=deny)
    assert own.out.count("opened") == 3


def test_the_kernel_is_not_set_up(worlds: World) -> None:
    for path in ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern"):
        before = Path(path).read_bytes() if "sysrq" not in path else b""
        result = worlds.run("sh", "-c", f"printf x > {path}", policy=OPEN_POLICY, operator=allow)
        assert result.status != 0
        if "sysrq" not in path:
            assert Path(path).read_bytes() == before


def test_own_memory_is_own(world: World) -> None:
    """Debuggers and some runtimes write their own /proc/self/mem."""
    script = (
        "import ctypes\nbox = ctypes.create_string_buffer(b'before')\n"
        "with open('/proc/self/mem', 'r+b', buffering=0) as file:\n"
        "    file.seek(ctypes.addressof(box)); file.write(b'behind')\n"
        "print(box.value.decode())"
    )
    assert world.run(sys.executable, "-c", script, operator=deny).out == "behind\n"


OTHERS = """\
import ctypes, os, resource, signal, sys
from raw import call, outcome, report
pid = int(sys.argv[1])
def lift():
    descriptor = os.pidfd_open(pid)
    return call('pidfd_getfd', descriptor, 0, 0)
word = ctypes.create_string_buffer(8)
vector = (ctypes.c_void_p * 2)(ctypes.addressof(word), 8)
report({
    'kill': outcome(lambda: os.kill(pid, signal.SIGTERM)),
    'probe': outcome(lambda: call('tgkill', pid, pid, signal.SIGTERM)),
    'queue': outcome(lambda: call('pidfd_send_signal', os.pidfd_open(pid), signal.SIGTERM, 0, 0)),
    'limit': outcome(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3))),
    'nice': outcome(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)),
    'schedule': outcome(lambda: os.sched_setaffinity(pid, {0})),
    'io': outcome(lambda: call('ioprio_set', 1, pid, (3 << 13))),
    'trace': outcome(lambda: call('ptrace', 16, pid, 0, 0)),
    'seize': outcome(lambda: call('ptrace', 0x4206, pid, 0, 0)),
    'lift': outcome(lift),
    'write': outcome(lambda: call('process_vm_writev', pid, ctypes.addressof(vector), 1,
                                  ctypes.addressof(vector), 1, 0)),
})
"""


def test_other_processes_are_left_alone(worlds: World) -> None:
    with outsider(worlds, READER) as process:
        found = worlds.run(sys.executable, "-c", OTHERS, process.pid, operator=allow).json
        assert {name: said for name, said in found.items() if said not in ("EPERM", "EACCES")} == {}
        assert process.poll() is None
        control = worlds.bare(sys.executable, "-c", OTHERS, process.pid).json
        assert control["kill"] == control["nice"] == control["limit"] == "ok"


WHOLE = """\
import os, sys
from raw import call, outcome, report
report([
    outcome(lambda: os.setpriority(os.PRIO_USER, 0, 7)), outcome(lambda: os.setpriority(os.PRIO_PGRP, 0, 7)),
    outcome(lambda: call('ioprio_set', 3, 0, 3 << 13)), outcome(lambda: call('ioprio_set', 2, 0, 3 << 13)),
    outcome(lambda: os.setpriority(os.PRIO_PROCESS, 0, 7)),
    outcome(lambda: call('ioprio_set', 1, 0, 3 << 13)),
])
"""


def test_priorities_of_all_are_not_its_to_set(worlds: World) -> None:
    """ "All my user's" and "my group's" processes are also the operator's and the gate's own."""
    with outsider(worlds, READER) as process, worlds.start("sleep", "60") as run:
        others = (process.pid, run.started["app"], run.started["warden"])
        before = [os.getpriority(os.PRIO_PROCESS, pid) for pid in others]
        run.close()
        with worlds.start(sys.executable, "-c", WHOLE, operator=allow) as attempt:
            result = attempt.finish()
        assert result.json == ["EPERM"] * 4 + ["ok"] * 2
        assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in others[:2]] == before[:2]


SYSV = """\
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
what, number = sys.argv[1], int(sys.argv[2])
message = ctypes.create_string_buffer(b'\\x01' + bytes(7) + b'hi')
def attached(how):
    at = libc.shmat(number, None, how)
    return None if at == ctypes.c_void_p(-1).value else at
def write():
    at = attached(0)
    if at is None: return -1
    ctypes.memmove(at, b'CHANGED', 7)
    return 0
print({
    'write': write, 'read': lambda: -1 if attached(0o10000) is None else 0,
    'remove memory': lambda: libc.shmctl(number, 0, None),
    'remove queue': lambda: libc.msgctl(number, 0, None),
    'send': lambda: libc.msgsnd(number, message, 2, 0o4000),
    'receive': lambda: libc.msgrcv(number, message, 2, 0, 0o4000),
    'remove semaphores': lambda: libc.semctl(number, 0, 0), 'set': lambda: libc.semctl(number, 0, 16, 5),
}[what]())
"""
OWN_SYSV = """\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
memory, queue, semaphores = libc.shmget(0, 4096, 0o600), libc.msgget(0, 0o600), libc.semget(0, 2, 0o600)
again = [libc.shmget(4711, 4096, flags) for flags in (0o1600, 0o600, 0o3600)]
at = libc.shmat(memory, None, 0)
if not os.fork():
    ctypes.memmove(at, b'child', 5)
    libc.msgsnd(queue, ctypes.create_string_buffer(b'\\x01' + bytes(7) + b'hi'), 2, 0)
    os._exit(0)
message = ctypes.create_string_buffer(10)
print(libc.msgrcv(queue, message, 2, 0, 0), message.raw[8:], ctypes.string_at(at, 5))
print(again[0] == again[1], again[2], libc.semctl(semaphores, 1, 16, 5), libc.semctl(semaphores, 1, 12))
operation = ctypes.create_string_buffer(b'\\x01\\0\\xff\\xff\\0\\0')
print(libc.semop(semaphores, operation, 1), libc.semctl(semaphores, 1, 12))
print(libc.shmctl(memory, 0, None), libc.msgctl(queue, 0, None), libc.semctl(semaphores, 0, 0),
      libc.shmctl(again[0], 0, None))
"""
THEIR_SYSV = """\
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
memory, queue, sems = libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600)
at = libc.shmat(memory, None, 0)
ctypes.memmove(at, b'as made', 7)
libc.msgsnd(queue, ctypes.create_string_buffer(b'\\x01' + bytes(7) + b'ho'), 2, 0)
print('ready', flush=True)
print(memory, queue, sems, flush=True)
sys.stdin.readline()
message = ctypes.create_string_buffer(10)
print(ctypes.string_at(at, 7), libc.msgrcv(queue, message, 2, 0, 0o4000), message.raw[8:],
      libc.semctl(sems, 0, 12), libc.shmctl(memory, 0, None), libc.msgctl(queue, 0, None),
      libc.semctl(sems, 0, 0), flush=True)
"""


def test_memory_and_queues_without_a_path(worlds: World) -> None:
    """System V IPC belongs to the user, not to a place: others' is neither written nor removed."""
    with outsider(worlds, THEIR_SYSV) as process:
        assert process.stdin and process.stdout
        memory, queue, semaphores = process.stdout.readline().split()
        for what, number in (
            ("write", memory), ("remove memory", memory), ("send", queue), ("receive", queue),
            ("remove queue", queue), ("set", semaphores), ("remove semaphores", semaphores),
        ):  # fmt: skip
            result = worlds.run(sys.executable, "-c", SYSV, what, number.decode(), operator=allow)
            assert result.out == "-1\n" and "agentgate: denied" in result.err, what
        result = worlds.run(sys.executable, "-c", SYSV, "read", memory.decode())
        assert result.out == "0\n"
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"b'as made' 2 b'ho' 0 0 0 0\n"
    bare = worlds.bare(sys.executable, "-c", OWN_SYSV)
    assert bare.out == "2 b'hi' b'child'\nTrue -1 0 5\n0 4\n0 0 0 0\n"
    assert worlds.run(sys.executable, "-c", OWN_SYSV).out == bare.out


def test_sticky_directories(world: World) -> None:
    """Files of others in a directory like /tmp: the same may be done to them as without the gate."""
    if os.geteuid() != 0:
        pytest.skip("not here: the right to make files of another user")
    shared = world.project / "shared"
    said = []
    for gated in (False, True):
        shared.mkdir()
        shared.chmod(0o1777)
        for name in ("file", "other"):
            (shared / name).write_text("x")
            (shared / name).chmod(0o666)
        os.symlink(shared / "file", shared / "link")
        os.symlink(shared / "made", shared / "dangling")
        for path in (shared, *shared.iterdir()):
            os.chown(path, 12345, 12345, follow_symlinks=False)
        script = (
            "cd shared; echo a > file; echo a >> other; echo a > link; echo a > dangling; rm -f other\n"
            "mv file x; chmod 600 file; touch -d @5 file; ls; cat x file 2>&1"
        )
        result = world.run("sh", "-c", script, operator=allow) if gated else world.bare("sh", "-c", script)
        said.append((result.out, result.err))
        shutil.rmtree(shared)
    assert said[0] == said[1]


ELSEWHERE = """\
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
user, group, place = os.getuid(), os.getgid(), sys.argv[1]
made = libc.unshare(0x10020000) == 0  # a user and a mount namespace
if made:
    for name, line in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {group} 1')):
        with open(f'/proc/self/{name}', 'w') as file: file.write(line)
    made = libc.mount(b'none', b'/', None, 0x44000, None) == 0
    made = made and libc.mount(b'tmpfs', place.encode(), b'tmpfs', 0, None) == 0
print('ready' if made else 'no namespaces', flush=True)
os.mkdir(f'{place}/directory')
for name in ('target', 'directory/target'):
    with open(f'{place}/{name}', 'w') as file: file.write('theirs')
opened = os.open(place, os.O_RDONLY)
print(opened, flush=True)
sys.stdin.readline()
print(*sorted(os.listdir(place)), os.listdir(f'{place}/directory'),
      *[open(f'{place}/{name}').read() for name in ('target', 'directory/target')], flush=True)
"""


def test_other_mount_namespaces(worlds: World) -> None:
    """In a container the project's path may be something else. /proc/PID/root leads there."""
    process = worlds.worker.spawn(
        [sys.executable, "-c", ELSEWHERE, str(worlds.project)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=worlds.environment(), cwd="/",
    )  # fmt: skip
    try:
        assert process.stdin and process.stdout
        if process.stdout.readline() != b"ready\n":
            pytest.skip("not here: user and mount namespaces")
        opened = int(process.stdout.readline())
        base = f"/proc/{process.pid}/root{worlds.project}"
        os.symlink(base, worlds.project / "away")
        script = (
            f"for base in {base} away /proc/{process.pid}/fd/{opened}; do\n"
            "for what in 'echo CHANGED > $base/target' 'echo CHANGED > $base/directory/target' \\\n"
            " 'rm $base/target' 'mv $base/target $base/moved' 'chmod 600 $base/target' \\\n"
            " 'truncate -s 1 $base/target' \\\n"
            " 'echo > $base/new' 'mkdir $base/made' 'ln -s x $base/link' 'touch -d @5 $base/directory'; do\n"
            'eval "$what" 2>/dev/null && echo "done: $what"; done; done; true'
        )
        result = worlds.run("sh", "-c", script, operator=allow)
        assert (result.out, result.targets) == ("", [])
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"directory target ['target'] theirs theirs\n"
    finally:
        process.kill()
        process.communicate()


# -- places that change


def test_a_link_swapped_in_a_race(worlds: World) -> None:
    """While one thread turns a link between project and outside, writes through it never land outside."""
    target = worlds.file(worlds.outside / "target", "untouched")
    script = (
        "import os, sys, threading, time\n"
        "stop = False\n"
        "def turn():\n"
        "    while not stop:\n"
        "        for to in ('inside', sys.argv[1]):\n"
        "            os.symlink(to, 'next'); os.rename('next', 'link')\n"
        "os.symlink('inside', 'link'); open('inside', 'w').close()\n"
        "thread = threading.Thread(target=turn); thread.start()\n"
        "done = refused = 0\n"
        "end = time.monotonic() + float(sys.argv[2])\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        with open('link', 'a') as file: file.write('x')\n"
        "        done += 1\n"
        "    except PermissionError: refused += 1\n"
        "stop = True; thread.join(); print(done, refused)\n"
    )
    result = worlds.run(sys.executable, "-c", script, target, 1.0, operator=deny)
    done, refused = map(int, result.out.split())
    assert done and refused and target.read_text() == "untouched"
    (worlds.project / "link").unlink()
    worlds.bare(sys.executable, "-c", script, target, 0.3)
    assert target.read_text() != "untouched"  # the control


def test_a_directory_moved_while_it_is_asked(worlds: World) -> None:
    """What was asked about lies elsewhere when the answer comes: it is asked anew, about where it lies."""
    first, second = worlds.outside / "first", worlds.outside / "second"
    first.mkdir()
    worlds.give(first)
    with worlds.start("sh", "-c", "echo x > ../outside/first/f", operator=wait) as run:
        ask = run.asked(f"fs_write {first}/f")
        first.rename(second)
        first.mkdir()
        worlds.give(first)
        run.answer(ask, "allow")
        run.until(lambda: len(run.asks) == 2, "a second question")
        assert run.asks[1].target == f"{first}/f"
        run.answer(run.asks[1], "deny")
        run.finish()
    assert not (second / "f").exists() and not (first / "f").exists()


def test_a_link_put_in_place_while_it_is_asked(worlds: World) -> None:
    """Allowed was a new file outside; a link that somebody puts there meanwhile is not followed."""
    secret = worlds.file(worlds.home / "secret", "untouched")
    with worlds.start("sh", "-c", "echo x > ../outside/new", operator=wait) as run:
        ask = run.asked(f"fs_write {worlds.outside}/new")
        (worlds.outside / "new").symlink_to(secret)
        run.answer(ask, "allow")
        run.finish()
    assert secret.read_text() == "untouched"


def test_a_fifo_put_in_place_while_it_is_asked(world: World) -> None:
    """Opening a fifo waits for a reader. The caller may wait; the gate may not."""
    script = (
        "(echo x > ../outside/new) & slow=$!\n"
        "while ! [ -e go ]; do sleep 0.02; done\n"
        "for i in 1 2 3; do echo $i > file$i; done; echo all; kill -9 $slow\n"
    )
    with world.start("sh", "-c", script, operator=wait) as run:
        ask = run.asked(f"fs_write {world.outside}/new")
        os.mkfifo(world.outside / "new")
        run.answer(ask, "allow")
        run.serve(0.2)
        world.file(world.project / "go")
        run.says("all", 5)
        run.finish()


def test_a_lease_holds_up_its_own_opener_only(world: World) -> None:
    """open(2) of a file under a lease (fcntl(2)) waits until its holder gives way, or 45 s."""
    leased = world.file(world.project / "leased", "x")
    descriptor = os.open(leased, os.O_RDONLY)
    try:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        script = (
            "(echo x > leased) & slow=$!; sleep 0.3\n"
            "for i in 1 2 3; do echo $i > file$i; done; echo all; kill -9 $slow\n"
        )
        with world.start("sh", "-c", script) as run:
            run.says("all", 5)
            run.finish()
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        os.close(descriptor)


FULL_TERMINAL = """\
import os, pty, sys, termios, time
master, slave = pty.openpty()
os.set_blocking(slave, False)
try:
    while True: os.write(slave, b'x' * 64)
except BlockingIOError: pass
try:
    while True: os.write(slave, b'x')
except BlockingIOError: pass
os.read(master, 10)
os.set_blocking(slave, True)
if not os.fork():
    os.dup2(slave, 2)
    try: open('../outside/x', 'w')
    except OSError: pass
    os._exit(0)
time.sleep(0.3)
for number in range(3): open(f'file{number}', 'w').close()
print('all', flush=True)
os._exit(0)
"""


def test_a_full_terminal_does_not_stop_the_gate(world: World) -> None:
    """The line on a refused process' stderr is not waited for."""
    with world.start(sys.executable, "-c", FULL_TERMINAL, operator=deny) as run:
        run.says("all", 6)
        run.finish()


# -- names

NAMES = {
    "newline": b"new\nline", "not text": b"\xff\xfe\x80", "escape": b"\x1b[2J", "spaces": b"  ",
    "dash": b"-rf",
    "longest": b"n" * 255, "quote": b"'\"`$(x)", "dots": b"...", "bidi": "a\u202egnp.exe".encode(),
    "deleted": b"x (deleted)", "backslash": b"a\\nb",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind(world: World, name: str) -> None:
    """Asked under exactly this name, done under exactly this name; shown so that nothing can hide."""
    raw = NAMES[name]
    path = os.fsencode(world.outside) + b"/" + raw
    script = "import os, sys; os.close(os.open(os.fsencode(sys.argv[1]), os.O_CREAT | os.O_WRONLY))"
    command = (sys.executable, "-c", script, os.fsdecode(path))
    refused = world.run(*command, operator=deny)
    [ask] = refused.asks
    assert os.fsencode(ask.target) == path and not os.path.lexists(path)
    line = next(line for line in refused.err.split("\n") if line.startswith("agentgate: denied"))
    assert "\x1b" not in line and "\u202e" not in line and "\udcff" not in line
    assert world.run(*command, operator=allow).status == 0
    assert os.listdir(os.fsencode(world.outside)) == [raw]


def test_long_paths(world: World) -> None:
    """Names of 256 bytes are nobody's, paths of up to 4,095 bytes are anybody's, also relative ones."""
    script = (
        "import os, sys\n"
        "from raw import outcome, report\n"
        "def make(path): os.close(os.open(path, os.O_CREAT | os.O_WRONLY))\n"
        "report([outcome(lambda: make('n' * 256)), outcome(lambda: make('x' * 300 + '/y')),\n"
        "  outcome(lambda: make('./' * 2040 + 'made1')), outcome(lambda: make('./' * 2045 + 'made')),\n"
        "  outcome(lambda: make('./' * 2046 + 'mad')), outcome(lambda: make('./' * 2048)),\n"
        "  outcome(lambda: make('/' * 2000 + os.getcwd() + '/made4')), outcome(lambda: make(''))])"
    )
    bare = world.bare(sys.executable, "-c", script)
    assert bare.json.count("ok") == 4, bare.json
    for path in world.project.glob("mad*"):
        path.unlink()
    result = world.run(sys.executable, "-c", script, operator=deny)
    assert result.json == bare.json and result.asks == []
    assert len(list(world.project.glob("mad*"))) == 4


def test_a_tree_deeper_than_any_path(world: World) -> None:
    """mkdir and chdir go as deep as one likes. What has no whole path cannot be decided, so it is refused."""
    script = (
        "import os\n"
        "try:\n"
        "    for depth in range(30):\n"
        "        os.mkdir('d' * 200); os.chdir('d' * 200)\n"
        "except OSError as error: print(depth, error.strerror)\n"
        "for _ in range(depth):\n"
        "    os.chdir('..'); os.rmdir('d' * 200)\n"
    )
    result = world.run(sys.executable, "-c", script, operator=allow)
    assert (result.status, result.asks) == (0, []) and result.out.endswith(" File name too long\n")
    assert list(world.project.iterdir()) == []


# -- guards

GUARDED = [
    (".git/hooks/pre-commit", "git-hooks"), (".git/config", "git-config"), (".envrc", "envrc"),
    (".vscode/tasks.json", "editor-tasks"), (".claude/settings.json", "agent-config"),
    ("site-packages/x.pth", "python-startup"),
    (".github/workflows/ci.yml", "ci-workflows"), ("policy.yaml", "gate"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "guard"), GUARDED)
def test_guards_stand_above_the_rules(world: World, place: str, guard: str) -> None:
    path = world.project / place
    path.parent.mkdir(parents=True, exist_ok=True)
    for directory in path.parents:
        if directory.is_relative_to(world.project) and directory != world.project:
            world.give(directory)
    for script in (f"echo x > {place}", f"echo x > other; mv other {place}", f"ln -s other {place}"):
        result = world.run("sh", "-c", script, operator=deny, policy=OPEN_POLICY)
        assert {ask.guard for ask in result.asks} == {guard}, script
        assert not path.exists(), script
    assert world.run("sh", "-c", f"echo x > {place}", operator=allow, policy=OPEN_POLICY).status == 0
    assert path.read_text() == "x\n"


@pytest.mark.parametrize(
    "place", [".bashrc", ".ssh/authorized_keys", ".config/autostart/x.desktop", ".profile"]
)
def test_guards_of_the_home_directory(worlds: World, place: str) -> None:
    path = worlds.home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    for directory in (path.parent, path.parent.parent):
        if directory.is_relative_to(worlds.home):
            worlds.give(directory)
    result = worlds.run("sh", "-c", f"echo x >> ~/{place}", operator=deny, policy=OPEN_POLICY)
    assert result.targets == [f"fs_write {path}"] and result.asks[0].source == "guard"
    assert not path.exists()


def test_guarded_files_behind_a_renamed_directory(world: World) -> None:
    """The hooks are built under another name, and the directory then gets the right one."""
    script = "mkdir -p x/hooks; echo evil > x/hooks/pre-commit; mv x .git"
    result = world.run("sh", "-c", script, operator=deny, policy=OPEN_POLICY)
    assert [ask.guard for ask in result.asks] == ["git-hooks"]
    assert not (world.project / ".git").exists()


# -- devices, terminals


def test_device_nodes_are_never_made(worlds: World) -> None:
    script = "import os, stat\nos.mknod('device', 0o600 | stat.S_IFCHR, os.makedev(1, 3))"
    result = worlds.run(sys.executable, "-c", script, policy=OPEN_POLICY, operator=allow)
    assert result.status == 1 and not (worlds.project / "device").exists()
    if worlds.uid == 0:
        [record] = [r for r in result.records if r["action"] == "fs_write"]
        assert (record["verdict"], record["source"]) == ("deny", "gate")


def test_raw_devices_are_files_like_any(world: World) -> None:
    disks = [path for path in Path("/dev").iterdir() if path.is_block_device() and os.access(path, os.W_OK)]
    if not disks:
        pytest.skip("not here: a block device that this user may write")
    result = world.run("sh", "-c", f": >> {disks[0]}", operator=deny)
    assert result.targets == [f"fs_write {disks[0]}"] and result.status != 0


def test_harmless_devices_are_free(worlds: World) -> None:
    script = "for d in null zero full random urandom ptmx; do echo > /dev/$d 2>/dev/null && echo $d; done"
    result = worlds.run("sh", "-c", script, operator=deny)
    assert result.asks == [] and {"null", "zero", "random", "urandom"} <= set(result.out.split())


def test_a_terminal_of_others_is_asked(worlds: World) -> None:
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave)
        if worlds.worker.uid is not None:
            os.chown(name, worlds.worker.uid, -1)
        result = worlds.run("sh", "-c", f"echo fake > {name}", operator=deny)
        assert result.targets == [f"fs_write {name}"]
        assert not select.select([master], [], [], 0.1)[0]
    finally:
        os.close(master)
        os.close(slave)


TERMINAL = """\
import fcntl, os, sys, termios
from raw import outcome, report
tty = os.open('/dev/tty', os.O_RDWR)
def push(command, data): fcntl.ioctl(tty, command, data)
reader = os.open(os.ttyname(0), os.O_RDONLY | os.O_NOCTTY)
print(os.isatty(0), os.isatty(tty), outcome(lambda: push(0x5401, bytes(60))),
      outcome(lambda: fcntl.ioctl(reader, 0x5401, bytes(60))),
      outcome(lambda: push(termios.TIOCSTI, b'x')), outcome(lambda: push(0x541C, b'\\x03')),
      outcome(lambda: push(0x5423, b'\\0\\0\\0\\0')), flush=True)
os.write(tty, b'to the terminal\\n')
master, slave = os.openpty()
own = os.open(os.ttyname(slave), os.O_RDWR | os.O_NOCTTY)
os.write(own, b'own')
print(os.read(master, 3).decode(), outcome(lambda: fcntl.ioctl(own, termios.TIOCSTI, b'x')))
"""


def test_the_own_terminal(worlds: World) -> None:
    """The agent's terminal and those it makes are its own to use, but not to type into."""
    with worlds.start(sys.executable, "-c", TERMINAL, operator=deny, pty=True) as run:
        result = run.finish()
    assert result.out.replace("\r", "").split("\n")[:3] == [
        "True True ok ok EPERM EPERM EPERM", "to the terminal", "own EPERM",
    ]  # fmt: skip
    assert result.asks == []


def test_descriptors_from_outside_are_what_was_given(world: World) -> None:
    """A descriptor passed over a unix socket: the connection was asked about, and that was the decision."""
    path = world.outside / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        script = (
            "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
            "socket.recv_fds(s, 1, 1)\n"
        )
        result = world.run(sys.executable, "-c", script, path, operator=deny)
        assert result.targets == [f"net_egress unix:{path}"] and result.status == 1
