"""Becomes the agent: takes the terminal, waits for the word, runs the command.

``backend.py`` runs ``python -I -S launch.py READY GO PARENT CONTROLLING LOCALE PROGRAM ARGV...`` with
standard input and output in place. READY and GO are pipe ends. Nothing is run before a byte came through
GO. READY is at its end when the program runs; a number in it is the errno of what failed. LOCALE is 0
when the agent's environment has no LC_CTYPE: Python sets it in the C locale (PEP 538).
"""

import fcntl
import os
import signal
import sys
import termios

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when the control room is gone (prctl(2); Linux only)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(126)


def main() -> None:
    ready, go, parent = (int(word) for word in sys.argv[1:4])
    controlling, locale = (word == "1" for word in sys.argv[4:6])
    program, argv = sys.argv[6], sys.argv[7:]
    if not locale:
        os.environ.pop("LC_CTYPE", None)
    os.set_inheritable(ready, False)
    os.set_inheritable(go, False)
    try:
        if controlling:  # as login_tty(3)
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        end_with_parent(parent)
        if not os.read(go, 1):
            os._exit(126)
        for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them; the agent must not inherit that
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.execve(program, argv, os.environ)
    except OSError as error:
        os.write(ready, str(error.errno or 5).encode())
    os._exit(126)


if __name__ == "__main__":
    main()
