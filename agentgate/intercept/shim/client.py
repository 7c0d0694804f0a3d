"""One shim: asks the gate whether this command may run, then becomes the real program.

``install.py`` writes this file under the names of other programs, with a ``#!`` line of its own. It is
started once per command, so it uses built-in modules only: ``os``, ``json`` and ``socket`` would double
the start-up time. Anything unexpected ends in a refusal, exit status 126; a program that is not there
is 127, as in a shell (POSIX, 2.8.2).
"""

import _signal  # type: ignore[import-not-found]
import posix
import sys

TYPE_CHECKING = False  # importing typing costs as much as all the rest of this file
if TYPE_CHECKING:
    from typing import NoReturn

BROKEN = "the gate cannot be reached"
ALLOW = b'{"verdict": "allow"}\n'


def refuse(message: str, status: int = 126) -> "NoReturn":
    """Say why on stderr, in one line, and end."""
    try:
        posix.write(2, message.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        pass
    posix._exit(status)


def quote(text: str) -> str:
    """``text`` as a JSON string in ASCII; lone surrogates (bytes that are not UTF-8) as ``\\udcXX``."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return '"' + text + '"'
    from json.encoder import encode_basestring_ascii

    return encode_basestring_ascii(text)


def find(name: bytes, shims: bytes, path: bytes) -> "bytes | None":
    """The real program's path: PATH from behind the shims' directory on, then what stands before it.

    In this order two sets of shims, one inside the other, follow each other and never go in circles.
    """
    own = posix.stat(shims)
    before: list[bytes] = []
    after: list[bytes] = []
    current = before
    for directory in path.split(b":"):
        try:
            found = posix.stat(directory or b".")
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino):
            current = after
        else:
            current.append(directory or b".")
    for directory in after + before:
        program = directory + b"/" + name
        try:
            regular = posix.stat(program).st_mode & 0o170000 == 0o100000
        except OSError:
            continue
        if regular and posix.access(program, 1):
            return program if program.startswith(b"/") else posix.getcwdb() + b"/" + program
    return None


def ask(program: bytes, arguments: "list[bytes]", environ: "dict[bytes, bytes]") -> None:
    """Return when the gate allows; every other way out is ``refuse``."""
    import _socket

    words = [word.decode("utf-8", "surrogateescape") for word in [program, *arguments]]
    shown = "agentgate: denied exec " + " ".join(words)[:400].encode("unicode_escape").decode("ascii")
    address = environ.get(b"AGENTGATE_SOCKET")
    token = environ.get(b"AGENTGATE_TOKEN")
    if not address or not token:
        refuse(shown + " (" + BROKEN + ": AGENTGATE_SOCKET and AGENTGATE_TOKEN are not set)")
    try:
        cwd = posix.getcwdb().decode("utf-8", "surrogateescape")
    except OSError:
        cwd = ""
    request = '{"token":%s,"kind":"exec","program":%s,"argv":[%s],"cwd":%s}\n' % (  # noqa: UP031
        quote(token.decode("utf-8", "surrogateescape")),
        quote(words[0]),
        ",".join(map(quote, words)),
        quote(cwd),
    )
    reply = b""
    try:
        link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        link.connect(address)
        try:
            link.sendall(request.encode("ascii"))
        except OSError:
            pass  # refused before all of it was read: the reply says why
        while not reply.endswith(b"\n") and len(reply) < 65536:
            chunk = link.recv(65536)
            if not chunk:
                break
            reply += chunk
        link.close()
    except OSError as error:
        refuse(shown + " (" + BROKEN + ": " + str(error.strerror) + ")")
    if reply == ALLOW:
        return
    if not reply.endswith(b"\n"):
        refuse(shown + " (the gate went away)")
    import json

    refuse(str(json.loads(reply)["message"]))


def restore(environ: "dict[bytes, bytes]") -> None:
    """Undo what Python's start-up changed for the program that follows: two ignored signals, and the
    LC_CTYPE that it sets in the C locale (PEP 538)."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    if b"LC_CTYPE" in environ:
        try:
            descriptor = posix.open("/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
            original = b""
            while chunk := posix.read(descriptor, 1 << 20):
                original += chunk
            posix.close(descriptor)
        except OSError:
            return
        if not original.startswith(b"LC_CTYPE=") and b"\0LC_CTYPE=" not in original:
            del environ[b"LC_CTYPE"]


def main() -> "NoReturn":
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # ^C ends a waiting command like any other
    coding = sys.getfilesystemencoding()
    script, *arguments = (word.encode(coding, "surrogateescape") for word in sys.argv)
    shims, _, name = script.rpartition(b"/")
    environ: dict[bytes, bytes] = dict(posix.environ)
    program = find(name, shims or b".", environ.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin"))
    if program is None:
        refuse("agentgate: " + name.decode("utf-8", "backslashreplace") + ": command not found", 127)
    ask(program, arguments, environ)
    restore(environ)
    # argv[0] is the real path: the one that was typed is lost behind "#!", and a Python or a compiler
    # that looks itself up on PATH by a bare name would find this shim.
    try:
        posix.execve(program, [program, *arguments], environ)
    except OSError as error:
        if error.errno == 8:  # ENOEXEC: a script without "#!" is the shell's (POSIX, execvp)
            posix.execve(b"/bin/sh", [b"/bin/sh", program, *arguments], environ)
        refuse("agentgate: " + program.decode("utf-8", "backslashreplace") + ": " + str(error.strerror))


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:
        refuse("agentgate: denied exec " + ascii(sys.argv)[:400] + " (" + ascii(error) + ")")
