# ruff: noqa: E501  (the scripts are data)
"""More ordinary work, by the tools that not every machine has: the same with the gate as without it."""

from __future__ import annotations

import pytest
from harness import World, deny
from ordinary import compare

from agentgate.policy.store import default_text

# The programs that a script needs, and the script.
SCRIPTS: dict[str, tuple[str, str]] = {
    "attributes": ("setfattr setfacl getfacl", r"""
        exec 2>&1; echo x > a; setfattr -n user.one -v 1 a; cp -a a b; getfattr -d b; setfattr -x user.one b; getfattr -d b
        setfacl -m u:1234:rw a; getfacl a; cp -a a c; getfacl -c c; mkdir d; setfacl -d -m u:1234:rwx d; touch d/f; getfacl d/f
        tar --xattrs --acls -cf t.tar a c d; mkdir o; tar --xattrs --acls -xpf t.tar -C o; getfacl -R o; getfattr -d o/a
        setfacl -b a; getfacl -c a; rm t.tar
    """),
    "sparse and direct": ("fallocate", r"""
        truncate -s 10M sparse; fallocate -l 64K full; fallocate -p -o 4096 -l 4096 full; stat -c '%s %b' sparse full
        cp --sparse=always sparse again; stat -c '%s %b' again; cp --reflink=auto full copy; cmp full copy && echo same
        dd if=/dev/zero of=direct bs=4096 count=4 oflag=direct status=none; echo $?
        dd if=direct of=/dev/null iflag=direct bs=4096 status=none; echo $?; sync; sync direct; sync -f direct; echo $?
    """),
    "errors": ("bash", r"""
        exec 2>&1; mkdir -p src/a; touch x; mkdir x; rmdir src; rm nonex; mv nonex y; ln x src/a/l; ln x src; mv src src/a
        cp x x; mkdir q/b/c; : > src; rmdir x; ln -s x x; truncate -s -1 x; chmod 999 x; touch none/x; cat > x/y
        ln -P src none/x; ln -sf x s; readlink s; unlink src; mv -n x s; mv -T src s; mkdir -m 1777 st; stat -c %A st
        cd src; rmdir ../src/a ../src 2>&1 | sed 's/[^ ]*rc/rc/'; cd ..; install -D -m 4755 x inst/x/y; stat -c %A inst/x/y
    """),
    "directories of one's own": ("python3", r"""
        cat > work.py <<'END'
import ctypes, os, threading
libc = ctypes.CDLL(None)
os.mkdir('d'); os.mkdir('e'); os.umask(0o022); open('first', 'w').close()
apart, back = threading.Event(), threading.Event()
def thread():  # one that shares its working directory and umask with no other
    libc.unshare(0x200); os.chdir('d'); os.umask(0o077); open('a', 'w').close(); apart.set(); back.wait(); open('b', 'w').close()
other = threading.Thread(target=thread); other.start(); apart.wait()
open('c', 'w').close(); os.mkdir('f'); os.chdir('e'); os.umask(0o002); open('g', 'w').close(); back.set(); other.join()
open('h', 'w').close(); os.chdir('..'); open('i', 'w').close()
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
def child(_):  # a process that shares them with this one
    os.chdir('d'); os.umask(0o027); return 0
stack = ctypes.create_string_buffer(1 << 20)
os.waitpid(libc.clone(child, ctypes.c_void_p(ctypes.addressof(stack) + (1 << 20)), 0x200 | 0x100 | 0x4000 | 17, None), 0)
open('j', 'w').close(); print(os.getcwd()[-2:])
END
        python3 work.py; find . -printf '%p %m
' | sort
    """),
    "rsync": ("rsync setfattr", r"""
        mkdir -p src/a; echo 1 > src/a/1; ln src/a/1 src/a/2; ln -s 1 src/a/l; setfattr -n user.z -v 9 src/a/1; touch -d @12345 src/a/1
        rsync -aHAXS src/ dst/; stat -c '%n %Y %h %a' dst/a/1 dst/a/2; getfattr -d dst/a/1; rsync -ac src/ dst/; rm src/a/2
        rsync -a --delete src/ dst/; ls dst/a; echo 22 > src/a/1; rsync -a --inplace src/ dst/; rsync -ac --partial --temp-dir=. src/ dst/; cat dst/a/1
    """),
    "zip": ("zip unzip", r"""
        mkdir -p src/deep; echo 1 > src/deep/f; ln -s f src/deep/l; chmod 750 src/deep/f; zip -qry z.zip src; mkdir out; cd out
        unzip -q ../z.zip; ls -lR | awk '{print $1, $9}'; cd ..; echo 2 > src/deep/f; touch -d 2030-01-01 src/deep/f; zip -qu z.zip src/deep/f; unzip -p z.zip src/deep/f; rm z.zip
    """),
    "priorities": ("ionice taskset chrt prlimit", r"""
        exec 2>&1; nice -n 3 nice; renice -n 7 $$ > /dev/null; nice; ionice -c 3 true; echo $?; ionice -p $$; chrt -b 0 true; echo $?
        taskset -c 0 taskset -p $$ | sed 's/pid [0-9]*/pid/'; sleep 9 & renice -n 9 $! | sed 's/^[0-9]*//'; ionice -c 2 -n 7 -p $!; echo $?
        chrt -b -p 0 $!; echo $?; prlimit --nofile=100:100 -p $!; prlimit --pid $! --nofile -o SOFT --noheadings; taskset -pc 0 $! > /dev/null; kill $!
        (ulimit -u 500; ulimit -u); (ulimit -n 64; exec 70> x); ulimit -c; (ulimit -c 0; sh -c 'kill -SEGV $$'; echo $?) 2>&1 | tail -1
        kill -0 $$; echo $?; setsid -w sh -c 'trap : TERM; kill -TERM 0; echo alive'; timeout 0.1 sleep 5; echo $?
    """),
    "devices": ("bash", r"""
        echo x > /dev/null; (echo x > /dev/stderr; echo y > /dev/stdout) 2>&1 | cat; echo x 2>&1 > /dev/full; cat < /dev/stdin < /dev/null
        exec 7> seven; echo seven > /dev/fd/7; echo more >> /proc/self/fd/7; cat seven; head -c 4 /dev/urandom | wc -c
        echo 500 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj; printf name > /proc/self/comm; cat /proc/$$/comm
        f=$(mktemp -p /dev/shm); rm $f; d=$(mktemp -d); touch $d/x; rm -r $d; dd if=/dev/zero of=/dev/null count=1 status=none; echo $?
    """),
    "more git": ("git", r"""
        export GIT_AUTHOR_DATE=@1000000000 GIT_COMMITTER_DATE=@1000000000; exec 2>&1
        git init -q -b main p; cd p; echo 1 > f; git add .; git commit -qm one; git init -q --bare ../bare.git
        git remote add origin ../bare.git; git push -q -u origin main; git fetch -q; git pull -q; git clone -q --depth 1 file://$PWD/../bare.git ../c2
        git -c protocol.file.allow=always submodule --quiet add ../bare.git sub; git commit -qm sub; git submodule status | cut -c1-8
        for i in $(seq 12); do echo $i > g; git add g; git commit -qm g$i; done; git -c pack.threads=4 repack -adq; git gc -q; git fsck
        GIT_SEQUENCE_EDITOR=true git rebase -q -i HEAD~3; git bisect start -q HEAD HEAD~8 > /dev/null; git bisect reset -q
        git tag -a v1 -m v1; git archive HEAD | tar t | wc -l; git bundle create -q b.bundle HEAD; git format-patch -q -1; git clean -fdq
        git maintenance run --quiet; git sparse-checkout set sub; git sparse-checkout disable; git config --get user.email; cd ..; rm -rf p bare.git c2
    """),
    "screen": ("screen", r"""
        getent passwd $(id -u) > /dev/null || exit 0  # screen wants to know who it is for
        export SCREENDIR=$PWD/sd; mkdir -m 700 sd; screen -dmS x sh -c 'echo in > made; sleep 20'
        for i in $(seq 60); do [ -s made ] && break; sleep .1; done; cat made; screen -ls | grep -c '\.x'; screen -S x -X quit > /dev/null
        for i in $(seq 60); do screen -ls > /dev/null; [ -z "$(ls sd)" ] && break; sleep .1; done; ls sd
    """),
    "gpg": ("gpg gpg-agent gpgconf", r"""
        export GNUPGHOME=$PWD/gh; mkdir -m 700 gh; echo secret > t; exec 2> /dev/null
        gpg --batch -q --passphrase '' --quick-gen-key me@x default default never; echo $?; gpg -q --batch -o t.gpg -r me@x -e t
        gpg -q --batch -d t.gpg; gpg -q --batch --clearsign -o t.asc t; gpg -q --batch --verify t.asc; echo $?; gpgconf --kill all; rm -rf gh t.*
    """),
    "ssh-agent": ("ssh-agent ssh-add", r"""
        ssh-keygen -q -t ed25519 -N '' -f k; eval $(ssh-agent -a $PWD/agent) > /dev/null; ssh-add -q k; ssh-add -l | wc -l; ssh-agent -k > /dev/null; rm k k.pub
        for i in $(seq 60); do [ -e agent ] || break; sleep .05; done
    """),
    "gdb": ("gdb gcc", r"""
        printf '#include <stdio.h>\nint f(int a) { return a + 1; }\nint main(void) { printf("%%d\\n", f(2)); return 0; }\n' > d.c; gcc -g -o d d.c
        gdb -q -batch -nx -ex 'break f' -ex run -ex 'print a' -ex 'print a = 8' -ex continue ./d 2>&1 | grep -E '^([$]|Breakpoint 1,|[0-9])' | sed 's/0x[0-9a-f]*//'
        gdb -q -batch -nx -ex run -ex 'call (int)creat("by-gdb", 0600)' ./d > /dev/null 2>&1
        python3 -c 'import time; time.sleep(5)' & sleep .3; gdb -q -batch -nx -p $! -ex 'print (int)getpid() > 1' -ex kill 2>&1 | grep '^[$]1'; wait; rm d
    """),
    "cmake": ("cmake ninja gcc", r"""
        printf 'cmake_minimum_required(VERSION 3.10)\nproject(x C)\nadd_executable(x x.c)\n' > CMakeLists.txt; echo 'int main(){return 3;}' > x.c
        cmake -S . -B b -G Ninja > /dev/null; ninja -C b | grep -c Link; b/x; echo $?; rm -r b
    """),
    "java": ("javac java", r"""
        echo 'public class A { public static void main(String[] a) throws Exception { java.nio.file.Files.writeString(java.nio.file.Path.of("made"), "x");
        new ProcessBuilder("echo", "child").inheritIO().start().waitFor(); var s = new java.net.ServerSocket(0, 1, java.net.InetAddress.getLoopbackAddress());
        System.out.println(new java.net.Socket("127.0.0.1", s.getLocalPort()).isConnected()); } }' > A.java; javac A.java; java -Xmx64m A; rm *.class
    """),
    "npm": ("npm node", r"""
        mkdir lib p; cd lib; echo '{"name": "lib", "version": "1.0.0", "bin": "bin.js", "scripts": {"prepare": "echo > prepared"}}' > package.json
        echo 'module.exports = 42' > index.js; printf '#!/usr/bin/env node\nconsole.log(require("lib"))\n' > bin.js; chmod 755 bin.js
        cd ../p; echo '{"name": "p", "scripts": {"test": "node_modules/.bin/lib && echo tested > out"}}' > package.json
        npm install --silent --install-links --offline ../lib; npm test --silent; cat out; npm uninstall --silent lib; ls; cd ..; rm -rf lib p
    """),
    "browser": ("chromium", r"""
        chromium --headless --disable-gpu --no-first-run $([ $(id -u) = 0 ] && echo --no-sandbox) --user-data-dir=$PWD/data \
            --dump-dom 'data:text/html,<script>document.write(6*7)</script>' 2> /dev/null | grep -o '>42<'; rm -rf data org.chromium*
    """),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_ordinary_work(worlds: World, name: str) -> None:
    compare(worlds, *SCRIPTS[name])


# Within the built-in rules, for an operator who would refuse whatever he is asked.
SILENT: dict[str, tuple[str, str]] = {
    "git": ("git", r"""
        export GIT_AUTHOR_DATE=@1000000000 GIT_COMMITTER_DATE=@1000000000
        git init -q -b main; git config user.email me@example.com; echo 1 > f; git add f; git commit -qm one; git switch -qc side
        echo 2 > f; git commit -qam two; git switch -q main; git merge -q side; git stash list; git log --format=%s; git gc -q; git status -s; rm -rf .git
    """),
    "make": ("gcc make", r"""
        echo 'int main(void) { return 3; }' > m.c; printf 'm: m.c\n\tgcc -o m m.c\n' > Makefile; make -s; ./m; echo $?; rm m
    """),
    "python": ("python3", r"""
        echo 'print(2, file=open("out", "w"))' > s.py; python3 s.py; cat out; python3 -m venv --without-pip env; env/bin/python s.py; rm -r env
    """),
    "an environment is removed": ("python3", r"""
        mkdir -p env/lib/site-packages; cd env/lib/site-packages; touch six.py; cd ../../..; rm -r env
    """),
    "vim": ("vim", r"""
        echo one > f; vim -es -c '%s/one/two/' -c wq f; cat f
    """),
    "node": ("node npm", r"""
        echo '{"scripts": {"test": "node t.js"}}' > package.json; echo 'require("fs").writeFileSync("out", "x")' > t.js
        node t.js; npm test --silent; cat out
    """),
    "a server that is not up yet": ("curl python3", r"""
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        curl -s http://127.0.0.1:$port/; echo $?; (sleep .5; exec python3 -m http.server -b 127.0.0.1 $port > /dev/null 2>&1) & echo up > page
        for i in $(seq 80); do curl -s http://127.0.0.1:$port/page && break; sleep .1; done; kill $!
    """),
    "keys and agents": ("ssh-keygen gpg-agent gpg", SCRIPTS["gpg"][1]),
    "screen": SCRIPTS["screen"],
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_the_built_in_rules_ask_nothing_about(worlds: World, name: str) -> None:
    programs, script = SILENT[name]
    result = compare(worlds, programs, script, operator=deny, policy=default_text())
    assert result.targets == []
