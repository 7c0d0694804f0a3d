"""Runs a program in one of the many ways there are: ``runs.py WAY PROGRAM ARGUMENT``. Exits with its status,
126 when it could not be run."""

from __future__ import annotations

import ctypes
import glob
import os
import subprocess
import sys

from raw import CWD, EMPTY, NUMBERS

way, program, argument = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)


def vector(*words: str) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None)


def execveat(directory: int, path: str, flags: int, name: str | None = None) -> None:
    argv = vector(program if name is None else name, argument)
    environment = vector(*(f"{key}={value}" for key, value in os.environ.items()))
    number, folder = ctypes.c_long(NUMBERS["execveat"]), ctypes.c_int(directory)
    libc.syscall(number, folder, os.fsencode(path), argv, environment, ctypes.c_int(flags))
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def memfd() -> int:
    descriptor = os.memfd_create("copy", 0)
    with open(program, "rb") as file:
        os.write(descriptor, file.read())
    return descriptor


def loader() -> str:
    return glob.glob("/lib64/ld-linux-*.so.2")[0]


def replace() -> None:
    """Become the program."""
    head, _, tail = program.rpartition("/")
    match way:
        case "execve":
            os.execve(program, [program, argument], os.environ)
        case "relative":
            os.chdir(head)
            os.execve(f"./{tail}", [tail, os.path.join(project, argument)], os.environ)
        case "no environment":
            os.execve(program, [program, argument], {})
        case "claims to be ls":
            os.execve(program, ["ls", argument], os.environ)
        case "claims to be nothing":
            execveat(CWD, program, 0, "")
        case "dirfd":
            execveat(os.open(head, os.O_PATH), tail, 0)
        case "empty path":
            execveat(os.open(program, os.O_PATH), "", EMPTY)
        case "at path":
            execveat(CWD, program, 0)
        case "proc fd":
            descriptor = os.open(program, os.O_RDONLY)
            os.execve(f"/proc/self/fd/{descriptor}", [program, argument], os.environ)
        case "fexecve":
            os.execve(os.open(program, os.O_RDONLY), [program, argument], os.environ)
        case "memfd":
            os.execve(memfd(), [program, argument], os.environ)
        case "memfd by proc":
            os.execve(f"/proc/self/fd/{memfd()}", [program, argument], os.environ)
        case "dev fd":
            descriptor = os.open(program, os.O_RDONLY)
            os.execve(f"/dev/fd/{descriptor}", [program, argument], os.environ)
        case "proc fd that only names":
            descriptor = os.open(program, os.O_PATH)
            os.execve(f"/proc/thread-self/fd/{descriptor}", [program, argument], os.environ)
        case "proc dirfd":
            directory = os.open(head, os.O_PATH)
            os.execve(f"/proc/self/fd/{directory}/{tail}", [program, argument], os.environ)
        case "no PATH":  # libc has one of its own
            os.environ.pop("PATH")
            os.execvp(tail, [tail, argument])
        case "an emptied PATH":
            os.chdir(head)
            os.environ["PATH"] = ""
            os.execvp(f"./{tail}", [tail, os.path.join(project, argument)])
        case "loader":
            os.execve(loader(), ["ld.so", program, argument], os.environ)
        case "from a thread":
            import threading

            thread = threading.Thread(target=os.execve, args=(program, [program, argument], os.environ))
            thread.start()
            thread.join()
            sys.exit(126)


project = os.getcwd()
try:
    match way:
        case "posix_spawn":
            pid = os.posix_spawn(program, [program, argument], os.environ)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        case "vfork":
            sys.exit(subprocess.run([program, argument]).returncode)
        case "clone3":
            arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)  # struct clone_args: SIGCHLD at its end
            if not (pid := libc.syscall(ctypes.c_long(435), arguments, ctypes.c_size_t(88))):
                way = "execve"
                try:
                    replace()
                except OSError as error:
                    os.write(2, f"{error.strerror}\n".encode())
                    os._exit(126)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        case "double fork":
            read, write = os.pipe()
            if not os.fork():
                os.setsid()
                if os.fork():
                    os._exit(0)
                status = os.fsencode(str(subprocess.run([program, argument]).returncode))
                os.write(write, status)
                os._exit(0)
            os.close(write)
            sys.exit(int(os.read(read, 10) or 126))
        case "fork":
            if not (pid := os.fork()):
                way = "execve"
                try:
                    replace()
                except OSError as error:
                    os.write(2, f"{error.strerror}\n".encode())
                    os._exit(126)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        case _:
            replace()
except OSError as error:
    sys.stderr.write(f"{error.strerror}\n")
    sys.exit(126)
