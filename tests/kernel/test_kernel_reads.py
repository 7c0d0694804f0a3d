"""Secrets are read only by whom they were given to: every way to a file's content, each with its control,
and ordinary reading as it ever was."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from harness import OPEN_POLICY, Ask, World, allow, deny, only

CANARY = "canary-4711"


def lay_out(world: World, names: list[str], where: Path | None = None) -> None:
    for name in names:
        for base in (where or world.outside, world.project):
            shutil.rmtree(base / name, ignore_errors=True)
            (base / name).mkdir()
            world.give(base / name)
        spot = (where or world.outside) / name
        world.file(spot / ".env", CANARY)
        (spot / "dir").mkdir()
        world.give(spot / "dir")
        world.file(world.project / name / "x", "nothing")


def labels(world: World) -> list[str]:
    return world.bare(*world.python("peek", "labels")).json


def reads(asks: list[Ask]) -> list[str]:
    return [ask.target for ask in asks if ask.kind == "fs_read"]


# -- every way


def test_every_way_to_a_secret_is_asked_about_and_a_deny_holds(worlds: World) -> None:
    """Under a policy that allows everything else, from within the project and from outside."""
    names = labels(worlds)
    command = worlds.python("peek", worlds.outside, worlds.project)
    lay_out(worlds, names)
    bare = worlds.bare(*command, seconds=60).json
    assert not {name for name in names if CANARY not in bare[name]}, bare

    lay_out(worlds, names)
    gated = worlds.run(*command, policy=OPEN_POLICY, operator=deny, seconds=60)
    leaks = {name: said for name, said in gated.json.items() if CANARY in said}
    assert not leaks
    assert CANARY not in gated.err and CANARY not in gated.out
    asked = {Path(target).parent.name for target in reads(gated.asks)}
    assert set(names) - asked <= {"openat2", "handle"}, gated.json
    assert {ask.guard for ask in gated.asks} == {"read-env"}

    lay_out(worlds, names)
    allowed = worlds.run(*command, policy=OPEN_POLICY, operator=allow, seconds=60).json
    assert {name for name in names if CANARY not in allowed[name]} <= {"openat2", "handle"}, allowed

    lay_out(worlds, names)
    free = worlds.run(*command, policy=OPEN_POLICY, secrets="open", operator=deny, seconds=60)
    assert not free.asks
    assert {name for name in names if CANARY not in free.json[name]} <= {"openat2", "handle"}


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_a_program_without_a_library(worlds: World, gcc: str, kind: str) -> None:
    program = worlds.compiled("peek", *(["-static"] if kind == "static" else []))
    secret = worlds.file(worlds.project / ".env", CANARY)
    assert worlds.bare(program, secret).out == CANARY
    refused = worlds.run(program, secret, policy=OPEN_POLICY, operator=deny)
    assert (refused.status, refused.out, reads(refused.asks)) == (1, "", [str(secret)])
    assert f"agentgate: denied fs_read {secret} (operator; asked by guard read-env: holds " in refused.err


@pytest.mark.parametrize("what", ["path", "link"])
def test_what_is_swapped_while_it_is_looked_at(worlds: World, gcc: str, what: str) -> None:
    program = worlds.compiled("peekswap")
    secret = worlds.file(worlds.outside / ".env", CANARY)
    plain = worlds.file(worlds.outside / ".env.example", "plain")
    os.utime(plain, (1, 1))
    time.sleep(1.1)  # so that it is one of the files whose name is not looked at again
    assert CANARY in worlds.bare(program, what, plain, secret, 2000).out
    (worlds.project / "swapped").unlink(missing_ok=True)
    command = (program, what, plain, secret, 500)  # each of which swaps a link in two held calls more
    gated = worlds.run(*command, policy=OPEN_POLICY, enforce=True, seconds=90)
    assert CANARY not in gated.out
    plainly, refused = map(int, gated.out.split()[::2])
    assert refused and plainly + refused == 500
    assert {row["target"] for row in gated.records if row["action"] == "fs_read"} == {str(secret)}


# -- other names for what lies in the home directory


MOVES = [
    (".aws", "elsewhere", "elsewhere/credentials"),
    (".aws/credentials", "elsewhere", "elsewhere"),
    (".aws/sso", "elsewhere", "elsewhere/token"),
    (".config", "elsewhere", "elsewhere/gcloud/adc.json"),
    (".config/gcloud", ".config/other", ".config/other/adc.json"),
    (".npmrc", "work/.npmrc", "work/.npmrc"),
]


@pytest.mark.parametrize(("old", "new", "then"), MOVES)
def test_moving_a_secret_away_is_reading_it(worlds: World, old: str, new: str, then: str) -> None:
    def lay_out_home() -> None:
        shutil.rmtree(worlds.home)
        for folder in ("", ".aws", ".aws/sso", ".config", ".config/gcloud", "work"):
            (worlds.home / folder).mkdir()
            worlds.give(worlds.home / folder)
        for name in (".aws/credentials", ".aws/sso/token", ".config/gcloud/adc.json", ".npmrc"):
            worlds.file(worlds.home / name, CANARY)

    script = f"mv ~/{old} ~/{new}; cat ~/{then}"
    lay_out_home()
    assert CANARY in worlds.bare("sh", "-c", script).out
    lay_out_home()
    denied = worlds.run("sh", "-c", script, policy=OPEN_POLICY, operator=deny)
    assert CANARY not in denied.out and (worlds.home / old).exists() and not (worlds.home / new).is_file()
    assert reads(denied.asks)[0] == str(worlds.home / old)
    lay_out_home()
    allowed = worlds.run("sh", "-c", script, policy=OPEN_POLICY, operator=allow)
    assert CANARY in allowed.out and not (worlds.home / old).exists()


def test_what_stays_a_secret_may_be_moved(world: World) -> None:
    world.file(world.project / ".env", CANARY)
    (world.project / "folder").mkdir()
    world.file(world.project / "folder" / ".env", CANARY)
    script = "mv .env .env.bak && mv .env.bak folder/.env.local && mv folder other && cat other/.env"
    result = world.run("sh", "-c", script, policy=OPEN_POLICY, operator=deny)
    assert CANARY not in result.out
    assert reads(result.asks) == [str(world.project / "other/.env")]
    assert (world.project / "other" / ".env.local").read_text() == CANARY


def test_to_write_and_to_read_are_two_questions(world: World) -> None:
    secret = world.file(world.outside / ".env", CANARY)
    code = f"f = open({str(secret)!r}, 'r+'); print(f.read()); f.write('!')"
    command = (sys.executable, "-c", code)
    first = world.run(*command, operator=only("fs_read *"))
    assert first.targets == [f"fs_read {secret}", f"fs_write {secret}"] and CANARY not in first.out
    second = world.run(*command, operator=only("fs_write *"))
    assert second.targets == [f"fs_read {secret}"] and CANARY not in second.out
    both = world.run(*command, operator=allow)
    assert both.out == f"{CANARY}\n" and secret.read_text() == f"{CANARY}!"
    cut = world.run("sh", "-c", f"echo new > {secret}; echo more >> {secret}", operator=only("fs_write *"))
    assert not reads(cut.asks) and secret.read_text() == "new\nmore\n"


# -- whose it is


def store(world: World) -> tuple[str, Path]:
    """git's own store of passwords, and a command that has git look into it."""
    secret = world.file(world.home / ".git-credentials", f"https://me:{CANARY}@example.com\n", 0o600)
    return "printf 'protocol=https\\nhost=example.com\\n\\n' | git credential-store get", secret


def test_a_program_reads_its_own_secret(worlds: World) -> None:
    script, secret = store(worlds)
    assert CANARY in worlds.bare("sh", "-c", script).out
    result = worlds.run("sh", "-c", script, policy=OPEN_POLICY, operator=deny)
    assert CANARY in result.out and not result.asks
    [record] = [row for row in result.records if row["action"] == "fs_read"]
    assert (record["verdict"], record["source"], record["target"]) == ("allow", "guard", str(secret))
    assert record["intent"] == "git credential-store get: read your git passwords"


def test_and_nobody_else_under_its_name(worlds: World, gcc: str) -> None:
    _, secret = store(worlds)
    (worlds.project / "bin").mkdir()
    worlds.give(worlds.project / "bin")
    shutil.copy(shutil.which("cat") or "cat", worlds.project / "bin" / "git")
    library = worlds.project / "slip.so"
    source = worlds.file(
        worlds.project / "slip.c",
        "#include <fcntl.h>\n#include <unistd.h>\n"
        "__attribute__((constructor)) static void slip(void) { char b[99]; "
        f'int f = open("{secret}", 0); if (f >= 0) write(1, b, read(f, b, 99)); }}\n',
    )
    assert os.system(f"gcc -shared -fPIC -o {library} {source}") == 0
    for other in (
        f"cat {secret}",
        f"bin/git {secret}",
        f"exec -a git cat {secret}",
        f"PATH={worlds.project}/bin:$PATH git {secret}",
        f"git -c alias.x='!cat {secret}' x",
        f"LD_PRELOAD={library} git version",
        f'{sys.executable} -c \'import sys; sys.argv[0] = "git"; print(open("{secret}").read())\'',
    ):
        assert CANARY in worlds.bare("bash", "-c", other).out, other
        result = worlds.run("bash", "-c", other, policy=OPEN_POLICY, operator=deny)
        assert CANARY not in result.out and reads(result.asks)[:1] == [str(secret)], other


def test_npm_is_npm_though_node_runs_it(world: World) -> None:
    if not shutil.which("npm"):
        pytest.skip("not here: npm")
    secret = world.file(world.home / ".npmrc", f"canary={CANARY}\n")
    assert CANARY in world.bare("npm", "config", "get", "canary").out
    result = world.run("npm", "config", "get", "canary", policy=OPEN_POLICY, operator=deny, seconds=60)
    assert CANARY in result.out and not result.asks
    code = f"console.log(require('fs').readFileSync('{secret}', 'utf8'))"
    for env in ({}, {"NODE_OPTIONS": f"--require {world.file(world.project / 'r.js', code)}"}):
        command = ("npm", "config", "get", "canary") if env else ("node", "-e", code)
        assert CANARY in world.bare(*command, env=env).out
        other = world.run(*command, env=env, policy=OPEN_POLICY, operator=deny, seconds=60)
        assert CANARY not in other.out and reads(other.asks)[:1] == [str(secret)]


# -- what the rules say


def test_rules_that_name_reads(worlds: World) -> None:
    policy = """\
default: allow
rules:
  - match: {action: fs_read, target_glob: "$PWD/.env"}
    decision: allow
  - match: {action: fs_read, target_glob: "$PWD/private/**"}
    decision: deny
    reason: not for agents
"""
    worlds.file(worlds.project / ".env", CANARY)
    (worlds.project / "private").mkdir()
    worlds.give(worlds.project / "private")
    closed = worlds.file(worlds.project / "private" / "plan.txt", "plan")
    script = "cat .env; cat private/plan.txt; ls private; mv private public; cat public/plan.txt"
    bare = worlds.bare("sh", "-c", "cat .env; cat private/plan.txt")
    assert bare.out == f"{CANARY}plan"
    result = worlds.run("sh", "-c", script, policy=policy, operator=deny)
    assert result.out == f"{CANARY}plan.txt\n" and not result.asks
    assert f"agentgate: denied fs_read {closed} (rule 2 (line 5): not for agents)" in result.err


def test_a_new_rule_holds_for_what_was_read_before(world: World) -> None:
    plain = world.file(world.project / "plain", "plain")
    os.utime(plain, (1, 1))
    time.sleep(1.1)
    script = "cat plain; cat plain; echo; read x; cat plain; echo over"
    with world.start("sh", "-c", script, policy=OPEN_POLICY, pty=True) as run:
        run.says("plainplain")
        run.policy(
            "default: allow\nrules: [{match: {action: fs_read, target_glob: '**/plain'}, decision: deny}]\n"
        )
        run.serve(0.3)
        run.type("\n")
        run.says("over")
        assert run.out.count("plain") == 2 + run.out.count("/plain") + run.out.count("cat: plain")
        run.finish()


def test_once_is_for_one_process(world: World) -> None:
    secret = world.file(world.project / ".env", CANARY)
    code = f"[open({str(secret)!r}).read() for _ in range(5)]; print(open({str(secret)!r}).read())"
    result = world.run(sys.executable, "-c", code, policy=OPEN_POLICY, operator=allow)
    assert CANARY in result.out and len(result.asks) == 1
    twice = world.run("sh", "-c", "cat .env; cat .env", policy=OPEN_POLICY, operator=allow)
    assert len(twice.asks) == 2


def test_the_question_says_who_and_what(world: World) -> None:
    (world.home / ".aws").mkdir()
    world.file(world.home / ".aws" / "credentials", CANARY)
    result = world.run("sh", "-c", "cat ~/.aws/credentials; true", policy=OPEN_POLICY, operator=deny)
    [ask] = result.asks
    assert [command for _, command in ask.chain] == [
        f"cat {world.home}/.aws/credentials", "sh -c cat ~/.aws/credentials; true",
    ]  # fmt: skip
    [record] = [row for row in result.records if row["action"] == "fs_read"]
    assert record["intent"] == f"cat {world.home}/.aws/credentials: read your AWS credentials"[:200]
    assert (record["verdict"], record["guard"]) == ("deny", "read-cloud")


def test_enforced_it_is_denied(world: World) -> None:
    world.file(world.project / ".env", CANARY)
    result = world.run("cat", ".env", policy=OPEN_POLICY, enforce=True)
    assert not result.asks and not result.out and "denied fs_read" in result.err


# -- ordinary reading


def test_what_is_no_secret_leaves_no_trace(worlds: World) -> None:
    (worlds.home / ".ssh").mkdir()
    worlds.give(worlds.home / ".ssh")
    worlds.file(worlds.home / ".ssh" / "known_hosts", "hosts")
    worlds.file(worlds.project / ".env.example", "KEY=")
    script = "ls -lA ~/.ssh; cat ~/.ssh/known_hosts .env.example; test -r ~/.ssh/id; head -c1 /etc/passwd"
    bare = worlds.bare("sh", "-c", script)
    gated = worlds.run("sh", "-c", script, policy=OPEN_POLICY, operator=deny)
    assert (gated.status, gated.out) == (bare.status, bare.out) and not gated.asks
    assert {row["action"] for row in gated.records} == {"exec"}


def test_with_the_switch_open_reads_are_not_even_held(world: World) -> None:
    world.file(world.project / ".env", CANARY)
    code = "[open('.env').close() for _ in range(500)]"
    ask = world.run(sys.executable, "-c", "[open('/etc/passwd').close() for _ in range(500)]")
    free = world.run(sys.executable, "-c", code, secrets="open")
    assert ask.held > 500 > free.held and not free.asks


VIEWS = """\
import os, sys, threading
def read(path):
    try:
        with open(path, "rb") as file: return file.read(64)
    except OSError as error: return error.errno
def opened(path, flags=os.O_RDONLY): return os.open(path, flags)
pid = str(os.getpid())
r, w = os.pipe(); os.write(w, b"through"); os.close(w)
print(read(f"/dev/fd/{r}"))
print(read("/proc/self/comm"), read("/proc/thread-self/comm"))
print(read("/proc/self/cmdline") == read(f"/proc/{pid}/cmdline"))
out = []
thread = threading.Thread(target=lambda: out.append(read("/proc/self/stat").split()[0] == pid.encode()))
thread.start(); thread.join(); print(out)
print(type(read("/proc/meminfo")), type(read("/proc/net/dev")), read("/proc//self/./comm"))
print(read("/proc/self/environ")[:1] != b"", read("/proc/1/stat")[:2], read("/dev/null"))
print(len(read("/dev/urandom")))
m = os.memfd_create("x"); os.write(m, b"in memory"); print(read(f"/proc/self/fd/{m}"))
f = os.open(".", os.O_TMPFILE | os.O_RDWR); os.write(f, b"no name"); print(read(f"/proc/self/fd/{f}"))
os.symlink("/proc/self/comm", "mine"); print(read("mine")); os.unlink("mine")
os.symlink("/dev/fd/0", "zero"); print(read("zero")); os.unlink("zero")
print(read(""), read("nothing/x"), read("/etc/passwd/x"), read("/dev/tty"), read("/etc/passwd/"))
print(read("x" * 300), read("x/" * 3000), read("/proc/self/nothing"), read("/proc/self/fd/77"))
print(opened("/proc/self/ns/user") > 2, opened(".") > 2, opened("/proc") > 2, opened("/proc/self/") > 2)
d = opened("/proc/self"); print(os.readlink("exe", dir_fd=d) == os.readlink("/proc/self/exe"))
print(os.get_blocking(opened("/etc/passwd")), os.get_blocking(opened("/etc/passwd", os.O_NONBLOCK)))
try: os.open("/etc/passwd", os.O_RDONLY, dir_fd=999); os.open("passwd", os.O_RDONLY, dir_fd=999)
except OSError as error: print(error.errno)
"""


def test_each_process_sees_itself(worlds: World) -> None:
    command = (sys.executable, "-c", VIEWS)
    bare = worlds.bare(*command)
    assert bare.status == 0, bare.err
    gated = worlds.run(*command, operator=deny, policy=OPEN_POLICY)
    assert (gated.out, gated.err) == (bare.out, "") and not gated.asks


OUTSIDE = """\
import os, sys
pid, *names = sys.argv[1:]
for name in names:
    os.symlink(f"/proc/{pid}/{name}", "way")
    for path in (f"/proc/{pid}/{name}", f"/proc/./{pid}/{name}", "way"):
        try: os.open(path, os.O_RDONLY)
        except OSError: continue
        print(path)
    os.unlink("way")
"""


def test_processes_outside_are_not_read_through_the_warden(worlds: World) -> None:
    """The kernel would not let the agent trace them, but it lets the warden."""
    worlds.run("true")  # so that there is an app
    outside = worlds.worker.pid
    command = (sys.executable, "-c", OUTSIDE, outside, "environ", "maps", "mem", "auxv", "fd/1", "smaps")
    assert len(worlds.bare(*command).out.split()) >= 12
    gated = worlds.run(*command, policy=OPEN_POLICY)
    assert (gated.status, gated.out) == (0, "")


def test_the_warden_is_not_taken_for_oneself(worlds: World) -> None:
    code = "import os; print(open(f'/proc/{os.getppid()}/environ').read())"
    gated = worlds.run(sys.executable, "-c", code, policy=OPEN_POLICY)
    assert gated.status == 1 and "Permission denied" in gated.err


def test_a_fifo_waits_for_its_writer(worlds: World) -> None:
    script = (
        "mkfifo f g; (sleep 0.3; echo one > f) & cat f; (echo two > f) & sleep 0.3; cat f; "
        "(sleep 0.2; exec 3> f; cat g; echo three >&3) & exec 4< f; echo go > g; cat <&4; "
        "dd if=f iflag=nonblock status=none; echo over"
    )
    bare = worlds.bare("bash", "-c", script)
    gated = worlds.run("bash", "-c", script, policy=OPEN_POLICY, operator=deny)
    assert gated.out == bare.out == "one\ntwo\ngo\nthree\nover\n" and not gated.asks


def test_a_secret_fifo(world: World) -> None:
    """Password managers offer a project's .env so."""
    script = f"mkfifo .env; (echo {CANARY} > .env) & cat .env; wait"
    assert CANARY in world.bare("bash", "-c", script).out
    (world.project / ".env").unlink()
    with world.start("bash", "-c", script, policy=OPEN_POLICY, operator=deny) as run:
        run.asked("fs_read *")
        run.until(lambda: "denied fs_read" in run.err, "the refusal")
        assert CANARY not in run.out
        run.close()


def test_the_terminal_is_read_by_its_own_name(world: World) -> None:
    script = "head -n1 /dev/tty; head -n1 < /dev/stdin; tty < /dev/tty; ps -o tty= -p $$"
    with world.start("sh", "-c", script, policy=OPEN_POLICY, pty=True) as run:
        run.type("typed\n")
        run.until(lambda: run.out.count("typed") >= 2, "the echo and the line")
        run.type("again\n")
        result = run.finish()
    assert result.out.count("again") == 2 and "/dev/pts/" in result.out and not result.asks


def test_another_terminal_is_a_secret(world: World) -> None:
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave)
        world.give(Path(name))
        code = f"import os; os.open({name!r}, os.O_RDONLY | os.O_NOCTTY); print('open')"
        assert world.bare(sys.executable, "-c", code).out == "open\n"
        refused = world.run(sys.executable, "-c", code, policy=OPEN_POLICY, operator=deny)
        assert reads(refused.asks) == [name] and not refused.out
    finally:
        os.close(master)
        os.close(slave)


def test_one_question_does_not_hold_the_others(world: World) -> None:
    world.file(world.project / ".env", CANARY)
    script = "cat .env & for i in 1 2 3; do cat /etc/hostname >/dev/null && echo step $i; done; wait"
    with world.start("sh", "-c", script, policy=OPEN_POLICY, operator=lambda ask: None) as run:
        ask = run.asked("fs_read *")
        run.says("step 3")
        run.answer(ask, "allow")
        assert CANARY in run.finish().out
