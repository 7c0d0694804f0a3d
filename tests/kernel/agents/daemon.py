"""``daemon.py STATUS STEP...``: ends with STATUS and leaves a daemon, forked twice, in its own session,
that waits for the file go1, opens the first STEP for writing, waits for go2, and so on. Prints its pid."""

from __future__ import annotations

import os
import sys
import time

status, *steps = sys.argv[1:]
if os.fork():
    os.wait()
    sys.exit(int(status))
os.setsid()
if os.fork():
    os._exit(0)
print("daemon", os.getpid(), flush=True)
for number, step in enumerate(steps, 1):
    while not os.path.exists(f"go{number}"):
        time.sleep(0.01)
    try:
        open(step, "w").close()
        print("opened", step, flush=True)
    except OSError as error:
        print("not opened", step, error.strerror, flush=True)
