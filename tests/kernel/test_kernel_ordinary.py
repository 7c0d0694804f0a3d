# ruff: noqa: E501  (the scripts are data)
"""Ordinary work behind the gate under an allowing policy: the same output, the same status, the same tree as
without it. What a script prints must not depend on the moment. More of them are in test_kernel_tools.py."""

from __future__ import annotations

import shutil

import pytest
from harness import SYSTEM_PATH, World, allow
from ordinary import compare

# What the scripts leave is compared too: names, kinds, modes, and what is in small files.
SCRIPTS: dict[str, tuple[str, str]] = {
    "pipelines": ("bash", r"""
        printf '%s\n' c a b | sort | tee sorted | tac | tr a-z A-Z
        diff <(echo one) <(echo two); cat <<< "here string"; cat <<END
here $((1 + 2))
END
        exec 3> third; echo three >&3; exec 3>&-; cat third
        { echo out; echo err >&2; } 2>&1 | cat; echo ${PIPESTATUS[@]}
        coproc cat; echo through >&${COPROC[1]}; read -u ${COPROC[0]} line; echo $line
        kill $COPROC_PID; wait $COPROC_PID 2> /dev/null; echo "status $?"
        yes | head -1000 | wc -l; set -o pipefail; false | true; echo $?
    """),
    "jobs and signals": ("bash", r"""
        sleep 100 & first=$!; kill -STOP $first; kill -CONT $first; kill $first; wait $first; echo $?
        trap 'echo caught' USR1; kill -USR1 $$; (trap 'kill $!; exit 3' TERM; sleep 9 & wait) & sleep 0.2
        kill -TERM $!; wait $!; echo $?; timeout 0.1 sleep 10; echo $?
        setsid sh -c 'echo session > s'; nohup sh -c 'echo nohup' 2> /dev/null; cat s
        (ulimit -n 100; ulimit -n); (ulimit -f 1; head -c 100000 /dev/zero > big; echo $?) 2> /dev/null
        nice -n 3 nice; for i in 1 2 3 4 5 6 7 8; do (echo $i > j$i) & done; wait; cat j*
    """),
    "coreutils": ("cp", r"""
        umask 027; mkdir -p a/b/c; echo text > a/f; echo more >> a/f; chmod 4750 a/f; ln -s ../f a/b/link
        ln a/f a/hard; touch -d @1000 a/f; mkfifo a/fifo; cp -a a copy; cp -p a/f kept; mv a/b/c a/moved
        cp -r --preserve=mode a/b second; install -m 711 a/f installed; rm -rf a/moved; truncate -s 10 t
        sed -i s/text/TEXT/ kept; sort -o kept kept; split -b 3 kept part; dd if=a/f of=d bs=1 count=3 status=none
        find . -name 'part*' -delete; stat -c '%n %a %s %h %Y' a/f a/hard copy/f; ls -R copy; cat kept
        mktemp -d tmpXXXX | wc -c; rmdir tmp*; ln -sfn elsewhere link; readlink link
        mv -T copy moved; comm -12 <(ls a) <(ls moved); chgrp $(id -g) kept; tee x y < kept; shred -u x
    """),
    "tar and friends": ("tar", r"""
        mkdir -p src/deep; for i in $(seq 60); do echo $i > src/deep/f$i; done; chmod 640 src/deep/f7
        ln -s deep/f1 src/link; touch -d @5000 src/deep/f2 src/deep/f7; tar cf a.tar --sort=name src
        mkdir out; tar xpf a.tar -C out; diff -r src out/src && echo same; stat -c '%a %Y' out/src/deep/f[27]
        tar czf - src | tar tzf - | wc -l; rm -r src; tar xf a.tar; ls src/deep | wc -l; rm a.tar
        gzip -nk src/deep/f1; gunzip -c src/deep/f1.gz
    """),
    "git": ("git", r"""
        export GIT_AUTHOR_DATE=@1000000000 GIT_COMMITTER_DATE=@1000000000
        git init -q -b main .; for i in 1 2 3 4 5; do echo $i > f$i; git add f$i; git commit -qm c$i; done
        git checkout -qb side HEAD~2; echo side > s; git add s; git commit -qm side; git rebase -q main
        git log --format=%s; git clone -q . clone; git -C clone log --format=%s | head -1
        git worktree add -q tree main; ls tree; git worktree remove tree; git stash list; echo x >> f1
        git stash -q; git stash pop -q; git diff --stat; git reset -q --hard; git tag v1; git gc -q
        git mv f1 g1; git commit -qm moved; git show --stat --format=%s; git fsck 2>&1; git status -s
        git config user.name me; git config user.name; rm -rf .git clone
    """),
    "make and gcc": ("gcc", r"""
        for i in 1 2 3 4 5 6; do echo "int f$i(void) { return $i; }" > f$i.c; done
        echo 'int f1(void); int f6(void); int main(void) { return f1() + f6(); }' > main.c
        printf 'OBJ = main.o f1.o f2.o f3.o f4.o f5.o f6.o\nprog: $(OBJ)\n\tgcc -o $@ $^\n' > Makefile
        printf '%%.o: %%.c\n\tgcc -c -o $@ $<\nclean:\n\trm -f *.o\n' >> Makefile
        make -s -j2; ./prog; echo $?; make -s clean; ls; rm prog
    """),
    "sqlite": ("python3", r"""
        cat > work.py <<'END'
import sqlite3, sys
base = sqlite3.connect('base.db', timeout=20)
for n in range(20):
    with base: base.execute('insert into t values (?)', (n,))
END
        python3 -c "import sqlite3; b = sqlite3.connect('base.db'); b.execute('pragma journal_mode=wal'); b.execute('create table t (n)')"
        python3 work.py & python3 work.py & wait
        python3 -c "import sqlite3; print(sqlite3.connect('base.db').execute('select count(*), sum(n) from t').fetchone())"
        rm base.db*
    """),
    "python": ("python3", r"""
        python3 -m venv --without-pip env; env/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'
        cat > work.py <<'END'
import asyncio, concurrent.futures, fcntl, mmap, multiprocessing, os, socket, subprocess, tempfile, threading
def square(n): return n * n
def main():
    with multiprocessing.Pool(2) as pool: print(pool.map(square, range(8)))
    with concurrent.futures.ProcessPoolExecutor(2) as pool: print(sum(pool.map(square, range(8))))
    context = multiprocessing.get_context('forkserver')
    process = context.Process(target=square, args=(2,)); process.start(); process.join(); print(process.exitcode)
    with multiprocessing.Manager() as manager: print(manager.list([1, 2])[:])
    with open('mapped', 'wb') as file: file.write(bytes(4096))
    with open('mapped', 'r+b') as file, mmap.mmap(file.fileno(), 0) as memory: memory[:5] = b'mmap!'
    print(open('mapped', 'rb').read(5))
    threads = [threading.Thread(target=lambda n=n: open(f'thread{n}', 'w').write(str(n))) for n in range(16)]
    [t.start() for t in threads]; [t.join() for t in threads]
    with open('lock', 'w') as one, open('lock', 'w') as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        try: fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError: print('locked')
        fcntl.lockf(one, fcntl.LOCK_EX)
    with tempfile.TemporaryDirectory(dir='.') as place, tempfile.NamedTemporaryFile(dir=place) as file:
        file.write(b'x'); os.fsync(file.fileno())
    with tempfile.TemporaryFile(dir='.') as file: file.write(b'unnamed'); file.seek(0); print(file.read())
    async def serve():
        async def echo(reader, writer):
            writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
        for start, connect in ((lambda: asyncio.start_unix_server(echo, 's'), lambda s: asyncio.open_unix_connection('s')),
                               (lambda: asyncio.start_server(echo, '127.0.0.1', 0), lambda s: asyncio.open_connection(*s.sockets[0].getsockname()))):
            async with await start() as server:
                reader, writer = await connect(server)
                writer.write(b'hello\n'); print(await reader.readline()); writer.close()
        process = await asyncio.create_subprocess_shell('echo child; exit 5', stdout=-1)
        print(await process.communicate(), process.returncode)
    asyncio.run(serve())
    files = [open(f'many/{n}', 'w') for n in range(900)]
    print(len(files), len(os.listdir('many'))); [f.close() for f in files]
    read, write = os.pipe(); os.write(write, b'p'); print(os.read(read, 1))
    one, two = socket.socketpair(); one.send(b'pair'); print(two.recv(9))
    with open('shared', 'ab', 0) as file:
        pids = []
        for n in range(4):
            pid = os.fork()
            if not pid:
                for _ in range(50): file.write(b'line\n')
                os._exit(0)
            pids.append(pid)
        [os.waitpid(pid, 0) for pid in pids]
    print(os.path.getsize('shared'))
    print(subprocess.run(['sh', '-c', 'echo $0 "$@"', 'a', 'b c'], capture_output=True, text=True).stdout)
if __name__ == '__main__': main()
END
        mkdir many; python3 work.py; rm -rf many env
    """),
    "fifos and watches": ("mkfifo", r"""
        mkfifo pipe; (echo through the pipe > pipe) & cat pipe; wait; (cat pipe > got) & echo again > pipe; wait; cat got
        python3 -c "
import ctypes, os, struct
libc = ctypes.CDLL(None); fd = libc.inotify_init1(0); libc.inotify_add_watch(fd, b'.', 0x3c2)
open('watched', 'w').write('x'); os.rename('watched', 'renamed'); os.mkdir('made'); os.unlink('renamed')
data = os.read(fd, 4096); names = []
while data:
    wd, mask, cookie, size = struct.unpack('iIII', data[:16]); names.append((hex(mask), data[16:16 + size].rstrip(b'\0').decode()))
    data = data[16 + size:]
print(names)"
    """),
    "deep paths": ("python3", r"""
        python3 -c "
import os
path = '/'.join(['d' * 100] * 30)
os.makedirs(path); open(path + '/f', 'w').write('deep'); print(open(path + '/f').read(), len(os.path.abspath(path)) > 3000)
os.chdir(path); open('g', 'w').close(); print(sorted(os.listdir('.')))"
        find . -type f | wc -l; rm -rf ddd*
    """),
    "terminals inside": ("script", r"""
        script -qec 'test -t 0 && test -t 1 && echo on a terminal; stty size > /dev/null && echo sized' /dev/null | tr -d '\r'
        python3 -c "
import pty
def read(fd):
    import os
    return os.read(fd, 1024)
print(pty.spawn(['sh', '-c', 'tty > /dev/null && echo spawned'], read))" | tr -d '\r'
    """),
    "vim": ("vim", r"""
        printf 'one\ntwo\n' > text; vim -Nu NONE -es -c '%s/two/2/' -c wq text; cat text
        vim -Nu NONE -es -c 'call writefile(["by vim"], "new")' -c 'qa!'; cat new
    """),
    "node": ("node", r"""
        cat > work.js <<'END'
const fs = require('fs'), cp = require('child_process'), os = require('os'), net = require('net')
const { Worker, isMainThread, parentPort } = require('worker_threads')
if (!isMainThread) { fs.writeFileSync('by-worker', 'w'); parentPort.postMessage('worker') } else {
  fs.mkdirSync('n/m', { recursive: true }); fs.writeFileSync('n/f', 'x'); fs.appendFileSync('n/f', 'y')
  fs.copyFileSync('n/f', 'n/g'); fs.renameSync('n/g', 'n/h'); fs.symlinkSync('f', 'n/l'); fs.chmodSync('n/h', 0o600)
  console.log(fs.readdirSync('n').join(), fs.readFileSync('n/l', 'utf8'))
  console.log(cp.execFileSync('sh', ['-c', 'echo child']).toString().trim(), cp.spawnSync('false').status)
  const child = cp.fork(__filename + '.child.js'); child.on('message', m => { console.log(m); child.kill() })
  child.on('exit', () => new Worker(__filename).on('message', m => {
    console.log(m)
    const server = net.createServer(s => s.end('net')).listen(0, '127.0.0.1', () =>
      net.connect(server.address().port, '127.0.0.1').on('data', d => { console.log(d.toString()); server.close()
        fs.rmSync('n', { recursive: true }) }))
  }))
}
END
        echo "process.send('forked')" > work.js.child.js; node work.js
    """),
    "user namespaces": ("unshare", r"""
        unshare -Ur sh -c 'id -u; echo in > inside; chown 0:0 inside; cat inside'
        unshare -Urpf --mount-proc true 2> /dev/null; unshare -Urpf sh -c 'echo $$; exit 4'; echo $?
    """),
    "strace and gdb": ("strace", r"""
        strace -f -e trace=openat -o trace sh -c 'echo x > traced'; grep -c traced trace; rm trace
        strace -qq -e trace=none -e status=all true; echo $?
    """),
    "keys": ("ssh-keygen", r"""
        ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -y -f key | cut -c1-11; stat -c %a key; rm key key.pub
    """),
    "perl": ("perl", r"""
        perl -e 'open F, ">p" or die; print F "perl\n"; close F; rename "p", "q"; unlink "none"; print -s "q", "\n"; utime 5, 5, "q"'
        perl -i -pe s/perl/PERL/ q; cat q; perl -e 'if (fork) { wait; print $? >> 8, "\n" } else { exit 6 }'
    """),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_ordinary_work(worlds: World, name: str) -> None:
    compare(worlds, *SCRIPTS[name])


def test_an_interactive_shell(worlds: World) -> None:
    """Job control at a terminal: background, stop, foreground, interrupt."""
    command = ("bash", "--norc", "--noprofile", "-i")
    with worlds.start(*command, operator=allow, pty=True, env={"PS1": "$ "}) as run:
        run.says("$ ")
        run.type("sleep 100 &\n")
        run.says("[1]")
        run.type("sleep 200\n")
        run.serve(0.3)
        run.type("\x1a")  # ctrl+z
        run.says("Stopped")
        run.type("jobs | wc -l\n")
        run.says("\n2\n")
        run.type("fg %2\n")
        run.serve(0.3)
        run.type("\x03")  # ctrl+c
        run.serve(0.2)
        run.type("kill %1; wait; echo all-$((40 + 2)); exit 9\n")
        run.says("all-42")
        assert run.finish().status == 9


def test_a_multiplexer_inside(world: World) -> None:
    if not shutil.which("tmux", path=SYSTEM_PATH):
        pytest.skip("not here: tmux")
    script = (
        "tmux -L gate -f /dev/null new-session -d -x 80 -y 24 'echo inside > made; sleep 30'\n"
        "for i in $(seq 100); do [ -s made ] && break; sleep 0.05; done\n"
        "tmux -L gate list-sessions | wc -l; tmux -L gate kill-server; cat made\n"
    )
    result = world.run("sh", "-c", script, operator=allow, env={"TMUX_TMPDIR": str(world.project)})
    assert result.out == "1\ninside\n", result.err
    assert result.asks == []
