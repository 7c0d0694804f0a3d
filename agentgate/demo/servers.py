"""The two servers of the demo, on loopback, in threads of the app: outside the agent's tree."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["Docs", "Thief"]

_HOST = "127.0.0.1"
_PATIENCE = 5.0  # seconds without a byte after which a visitor is let go


class Docs:
    """A site with one page, which is served at every path."""

    def __init__(self, page: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: object) -> None:
                pass  # the screen is the control room's

        self._server = ThreadingHTTPServer((_HOST, 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo docs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Thief:
    """Takes whatever it is sent and counts it. ``log`` always holds both numbers, so that they can be
    read by who cannot ask this process."""

    def __init__(self, log: Path) -> None:
        self.connections = 0
        self.bytes = 0
        self._log = log
        self._write()
        self._server = socket.create_server((_HOST, 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="demo thief", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._write()
            visitor.settimeout(_PATIENCE)
            with visitor, contextlib.suppress(OSError):
                while data := visitor.recv(65536):
                    self.bytes += len(data)
                    self._write()

    def _write(self) -> None:
        beside = self._log.with_suffix(".new")
        beside.write_text(f"{self.connections} {self.bytes}\n")
        os.replace(beside, self._log)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept (Linux)
        self._server.close()
        self._thread.join(1.0)
