"""``exchange.py ONE OTHER``: each gets the other's name (renameat2 with RENAME_EXCHANGE)."""

import os
import sys

from raw import CWD, call

call("renameat2", CWD, os.fsencode(sys.argv[1]), CWD, os.fsencode(sys.argv[2]), 2)
