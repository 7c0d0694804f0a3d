"""What belongs to others: files that the kernel writes, memory that others share, places where others stand,
signals to them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import World, allow, deny
from outsiders import READER, outsider

from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import LET_GO
from agentgate.intercept.kernel.others import HANDLERS
from agentgate.intercept.kernel.procs import Procs

CORES = """\
import os, resource, signal, sys
where, way = sys.argv[1:]
most, hard = resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_CORE)[1]
try:
    if way == 'soft': resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if way == 'hard': resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    if way == 'prlimit': resource.prlimit(0, resource.RLIMIT_CORE, (most, most))
    if way == 'of the parent':
        pid = os.fork()
        if not pid:
            resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (most, most))
            os._exit(0)
        os.wait()
except (OSError, ValueError): pass
os.chdir(where)
pid = os.fork()
if not pid: os.kill(os.getpid(), signal.SIGSEGV)
os.wait()
"""


@pytest.mark.parametrize("way", ["soft", "hard", "prlimit", "of the parent", "ulimit"])
def test_no_core_files(worlds: World, way: str) -> None:
    """The kernel itself would write them, past every gate."""
    if way == "ulimit":
        script = "ulimit -c unlimited 2>/dev/null; cd ../outside; sh -c 'kill -SEGV $$'; true"
        command: tuple[object, ...] = ("sh", "-c", script)
    else:
        command = (sys.executable, "-c", CORES, worlds.outside, way)
    worlds.run(*command, operator=deny)
    assert list(worlds.outside.iterdir()) == []
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    if way != "soft" and not pattern.startswith(("|", "/")):
        worlds.bare(*command)
        assert len(list(worlds.outside.iterdir())) == 1  # the control


def test_shared_memory_is_files(worlds: World) -> None:
    """shm_open(3) makes files in /dev/shm."""
    path = Path("/dev/shm") / f"agentgate-test-{os.getpid()}-{worlds.uid}"
    script = (
        "import _posixshmem, os, sys\nflags = os.O_CREAT | os.O_EXCL | os.O_RDWR\n"
        "os.ftruncate(_posixshmem.shm_open(sys.argv[1], flags, mode=0o600), 64)\n"
    )
    made = (sys.executable, "-c", script, f"/{path.name}")
    try:
        result = worlds.run(*made, operator=deny)
        assert result.targets == [f"fs_write {path}"] and result.status == 1 and not path.exists()
        worlds.bare(*made)
        assert path.exists()
        for change in (f"echo x > {path}", f"rm {path}", f"chmod 644 {path}", f"mv {path} {path}2"):
            result = worlds.run("sh", "-c", change, operator=deny)
            assert result.status != 0 and f"fs_write {path}" in result.err
        assert path.stat().st_size == 64 and path.stat().st_mode & 0o777 == 0o600
    finally:
        path.unlink(missing_ok=True)


STANDING = """\
import os, sys
os.chdir(sys.argv[1])
print('ready', flush=True)
print(os.open('.', os.O_RDONLY), flush=True)
sys.stdin.readline()
"""
CHANGES = """\
import os, sys
from raw import CWD, call, outcome, report
f, new = (os.fsencode(f'{sys.argv[1]}/{name}') for name in ('f', 'new'))
report([outcome(change) for change in (
    lambda: os.write(call('openat', CWD, f, os.O_WRONLY | os.O_TRUNC), b'CHANGED'),
    lambda: call('truncate', f, 1), lambda: call('fchmodat', CWD, f, 0o600),
    lambda: call('linkat', CWD, f, CWD, b'here', 0), lambda: call('renameat2', CWD, f, CWD, new, 0),
    lambda: call('unlinkat', CWD, f, 0), lambda: call('mkdirat', CWD, new, 0o755),
)])
"""


@pytest.mark.parametrize("base", ["cwd", "root{outside}", "fd/{fd}", "task/{pid}/cwd"])
@pytest.mark.parametrize("by_link", [False, True])
def test_places_of_others_are_asked_by_their_real_path(worlds: World, base: str, by_link: bool) -> None:
    """/proc leads to where another program of the user's stands, and to what it has open."""
    target, new = worlds.file(worlds.outside / "f", "content"), worlds.outside / "new"
    process = worlds.worker.spawn(
        [sys.executable, "-c", STANDING, str(worlds.outside)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=worlds.environment(),
    )  # fmt: skip
    try:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        fd = int(process.stdout.readline())
        place = f"/proc/{process.pid}/" + base.format(outside=worlds.outside, fd=fd, pid=process.pid)
        if by_link:
            (worlds.project / "way").symlink_to(place)
            place = "way"
        result = worlds.run(sys.executable, "-c", CHANGES, place, operator=deny)
        assert result.json == ["EACCES"] * 7
        ends = [{ask.target, ask.origin} - {""} for ask in result.asks]
        f, here = str(target), str(worlds.project / "here")
        assert ends == [{f}, {f}, {f}, {f, here}, {f, str(new)}, {f}, {str(new)}]
        assert target.read_text() == "content" and target.stat().st_mode & 0o777 == 0o644
        bare = worlds.bare(sys.executable, "-c", CHANGES, place)  # the control
        assert bare.json[:5] == ["ok"] * 5 and new.stat().st_mode & 0o777 == 0o600
    finally:
        process.kill()
        process.communicate()


SENDERS = """\
import fcntl, os, signal, socket, struct, sys, time
pid, way = int(sys.argv[1]), sys.argv[2]
read, write = socket.socketpair()
try:
    if way == 'its owner': fcntl.fcntl(read, fcntl.F_SETOWN, pid)
    if way == 'its group': fcntl.fcntl(read, fcntl.F_SETOWN, -pid)
    if way == 'by thread': fcntl.fcntl(read, 15, struct.pack('=ii', 0, pid))
    if way == 'a socket': fcntl.ioctl(read, 0x8901, struct.pack('=i', pid))
    fcntl.fcntl(read, 10, signal.SIGTERM)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    write.send(b'x')
except OSError as error: print(error.strerror)
time.sleep(0.2)
"""


@pytest.mark.parametrize("way", ["its owner", "its group", "by thread", "a socket"])
def test_signals_that_a_descriptor_sends(worlds: World, way: str) -> None:
    """fcntl(2): F_SETOWN and F_SETSIG have the kernel send any signal, when there is something to read."""
    for gated in (True, False):
        with outsider(worlds, f"import os\nos.setsid()\n{READER}") as process:
            attack = (sys.executable, "-c", SENDERS, process.pid, way)
            if gated:
                worlds.run(*attack, operator=allow)
                assert process.poll() is None
            else:
                worlds.bare(*attack)
                assert process.wait(5) == -signal.SIGTERM


TERMINALS = """\
import os, sys
pairs = [os.openpty() for _ in range(8)]
for _, slave in pairs: os.close(os.open(os.ttyname(slave), os.O_WRONLY | os.O_NOCTTY))
names = [os.ttyname(slave) for _, slave in pairs]
for pair in pairs:
    for descriptor in pair: os.close(descriptor)
print(*names, flush=True)
while not os.path.exists('go'): pass
name = open('go').read()
with open(name, 'w') as terminal: terminal.write('fake')
"""


def test_a_terminal_that_was_ones_own_is_not_for_ever(worlds: World) -> None:
    """The numbers of pseudo-terminals are used again: the next one is the operator's."""
    with worlds.start(sys.executable, "-c", TERMINALS, operator=deny) as run:
        run.says("\n")
        mine = [os.openpty() for _ in range(8)]
        try:
            [(master, name), *_] = [
                (master, os.ttyname(slave)) for master, slave in mine if os.ttyname(slave) in run.out.split()
            ]
            if worlds.worker.uid is not None:
                os.chown(name, worlds.worker.uid, -1)
            worlds.file(worlds.root / "run" / "name", name).rename(worlds.project / "go")
            result = run.finish()
            assert result.targets == [f"fs_write {name}"] and result.status == 1
            assert not select.select([master], [], [], 0.1)[0]
        finally:
            for pair in mine:
                for descriptor in pair:
                    os.close(descriptor)


@pytest.mark.parametrize("session", [False, True], ids=["the gate's group", "a group of its own"])
def test_a_signal_to_the_own_group(session: bool) -> None:
    """Held where Landlock does not confine signals: real processes, the handler alone, as no kernel of that
    age is here."""
    child = subprocess.Popen(["sleep", "60"], start_new_session=session)
    try:
        caller = Procs(child.pid).of(child.pid)
        kill = HANDLERS["kill"]
        if session:
            assert kill(Caller(child.pid, caller), (0, signal.SIGTERM, 0, 0, 0, 0)) is LET_GO
        else:
            with pytest.raises(PermissionError):
                kill(Caller(child.pid, caller), (0, signal.SIGTERM, 0, 0, 0, 0))
    finally:
        child.kill()
        child.wait(10)
