"""Whether a program runs as itself: environment variables put somebody else's code into it.

``LD_PRELOAD=./x.so git status`` is git by its file and its words, and x.so by what it does. So the programs
that may read their own credentials (gate/secrets.py) may not while one of these is set. Read before the
new program's first instruction of its own; ld.so(8), node(1), python(1).
"""

from __future__ import annotations

import posixpath
import re

__all__ = ["slipped"]

# By what runs: of any program, of interpreters.
_ANY = frozenset(
    (b"LD_PRELOAD", b"LD_AUDIT", b"LD_LIBRARY_PATH", b"GCONV_PATH", b"OPENSSL_CONF", b"OPENSSL_MODULES")
)
_OF = {
    "python": (
        b"PYTHONPATH",
        b"PYTHONHOME",
        b"PYTHONSTARTUP",
        b"PYTHONUSERBASE",
        b"PYTHONPLATLIBDIR",
        b"PYTHONBREAKPOINT",
    ),
    "perl": (b"PERL5LIB", b"PERL5OPT", b"PERL5DB", b"PERLLIB"),
    "ruby": (b"RUBYLIB", b"RUBYOPT"),
    "node": (b"NODE_PATH",),
    "java": (b"JAVA_TOOL_OPTIONS", b"JDK_JAVA_OPTIONS"),
    "bash": (b"BASH_ENV", b"ENV"),
    "sh": (b"ENV",),
    "dash": (b"ENV",),
}
# many set NODE_OPTIONS for the sake of memory; these words of it run code
_NODE = re.compile(rb"NODE_OPTIONS=.*(?:-r|require|import|loader|inspect|eval|env-file|conf)", re.DOTALL)
_LIMIT = 1 << 21  # of all arguments and variables together (execve(2))


def slipped(pid: int, program: str) -> bool:
    """Whether the environment that ``pid`` was started with may bring other code into ``program``, the file
    that it runs; also when that cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            variables = environ.read(_LIMIT).split(b"\0")
    except OSError:
        return True
    name = posixpath.basename(program).rstrip(".0123456789")
    names = _ANY.union(_OF.get(name, ()))
    for variable in variables:
        word, _, value = variable.partition(b"=")
        if value and (word in names or (name == "node" and _NODE.match(variable))):
            return True
    return False
