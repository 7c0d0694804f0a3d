"""Sandboxes that a program of the agent's makes for itself: those that hold go on, the others are told at
once that they cannot be had. Never does one seem to hold that does not."""

from __future__ import annotations

import errno

import pytest
from harness import World, allow
from ordinary import clean, needs

# Landlock of its own, and whether what it forbids happens.
LANDLOCK = """\
import ctypes, errno, json, struct
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    result = libc.syscall(number, *args)
    return result if result >= 0 else errno.errorcode[ctypes.get_errno()]
version = call(444, None, 0, 1)
ruleset = call(444, struct.pack("=QQQ", 1 << 1, 0, 0), 24, 0)
libc.prctl(38, 1, 0, 0, 0)
restricted = call(446, ruleset, 0) if isinstance(ruleset, int) else ruleset
try:
    open("written", "w").close()
    happened = True
except OSError:
    happened = False
print(json.dumps([restricted, happened]))
"""
# A listener, and a filter that refuses mkdir with an errno of its own.
SECCOMP = """\
import ctypes, errno, json, os, struct
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
seccomp = 317 if os.uname().machine == "x86_64" else 277
mkdirs = (83, 258) if os.uname().machine == "x86_64" else (34, 34)
def install(flags, answer):
    code = [(0x20, 0, 0, 0), (0x15, 1, 0, mkdirs[0]), (0x15, 0, 1, mkdirs[1])]
    code += [(6, 0, 0, answer), (6, 0, 0, 0x7FFF0000)]
    data = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in code))
    program = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(code), ctypes.addressof(data)))
    result = libc.syscall(seccomp, 1, flags, program)
    return result if result == 0 else errno.errorcode[ctypes.get_errno()] if result < 0 else "a listener"
listener = os.fork()
if not listener:
    print(json.dumps(install(8, 0x7FC00000)), flush=True)
    os._exit(0)
os.wait()
found = [install(0, 0x00050000 | errno.EMLINK)]
try:
    os.mkdir("made")
    found.append("made")
except OSError as error:
    found.append(errno.errorcode[error.errno])
print(json.dumps(found))
"""
# A user namespace in a user namespace, as a browser makes one, and in it the end of the file system.
GIVEN_UP = """\
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
uid, gid = os.getuid(), os.getgid()
for _ in range(2):
    if libc.unshare(0x10000000):
        raise SystemExit("not here: user namespaces")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        open(f"/proc/self/{name}", "w").write(text)
os.mkdir("room"); os.mkdir("beside")
here = os.open(".", os.O_RDONLY)
file = open("before", "w")
os.chroot("room")
def tried(do):
    try:
        do()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
flags = os.O_CREAT | os.O_WRONLY
print(json.dumps([tried(do) for do in (
    lambda: os.open("beside/x", flags), lambda: os.open("/x", flags), lambda: os.open("/tmp/x/x", flags),
    lambda: os.open("y", flags, dir_fd=here), lambda: os.mkdir("../z"), lambda: os.rename("beside", "moved"),
    lambda: os.symlink("a", "b"), lambda: os.chmod("beside", 0o700), lambda: os.execv("/bin/true", ["true"]),
    lambda: file.write("still") and file.flush(), lambda: os.fchmod(file.fileno(), 0o640),
)]))
"""


def test_landlock_is_not_to_be_had_inside(worlds: World) -> None:
    """What the warden does on behalf is done outside any domain; so a program must not believe in one."""
    assert worlds.bare("python3", "-c", LANDLOCK).json == [0, False]
    result = worlds.run("python3", "-c", LANDLOCK, operator=allow)
    assert result.json == [errno.errorcode[errno.EOPNOTSUPP], True]


def test_filters_nest_and_listeners_do_not(worlds: World) -> None:
    bare = worlds.bare("python3", "-c", SECCOMP).out.splitlines()
    assert bare == ['"a listener"', '[0, "EMLINK"]']
    result = worlds.run("python3", "-c", SECCOMP, operator=allow)
    assert result.out.splitlines() == ['"EBUSY"', '[0, "EMLINK"]'] and result.status == 0
    assert not (worlds.project / "made").exists()


def test_who_gives_up_the_file_system_has_no_paths(worlds: World) -> None:
    """The warden sees another root than such a process does: no path of it is looked up, none runs."""
    bare = worlds.bare("python3", "-c", GIVEN_UP)
    if bare.status:
        pytest.skip(bare.err)
    assert bare.json[:2] == ["done", "done"] and (worlds.project / "room/x").exists()
    clean(worlds.project)
    result = worlds.run("python3", "-c", GIVEN_UP, operator=allow)
    assert result.json == ["EACCES"] * 9 + ["done", "done"], result.err
    assert {path.name for path in worlds.project.iterdir()} == {"room", "beside", "before"}
    assert (worlds.project / "before").read_text() == "still"


def test_mounts_are_not_to_be_had_inside(worlds: World) -> None:
    """bubblewrap, and with it the sandboxes of codex and claude, ends before it runs anything."""
    needs("bwrap")
    command = ("bwrap", "--ro-bind", "/", "/", "sh", "-c", "echo ran")
    if worlds.bare(*command).out != "ran\n":
        pytest.skip("not here: user namespaces")
    result = worlds.run(*command, operator=allow)
    assert (result.status, result.out) == (1, "")
    said = "Creating new namespace failed" if worlds.uid == 0 else "Failed to make / slave"
    assert result.err.endswith(f"bwrap: {said}: Operation not permitted\n")
