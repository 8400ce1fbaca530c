"""A server that answers as a cluster does, by rote: for what no node can be brought to say when a test wants it.

It speaks HTTP over a socket, with the headers that the client looks for, and keeps what it was asked.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple


class Asked(NamedTuple):
    method: str
    path: str
    authorization: str | None


class Answer(NamedTuple):
    status: int = 200
    body: Any = None
    """Text is sent as it is, as a proxy's page; anything else as JSON."""


class Answering:
    """`reply` says what is answered to (method, path)."""

    def __init__(self, reply: Callable[[str, str], Answer], files: tuple[Path, Path] | None) -> None:
        self.asked: list[Asked] = []
        answering = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answering.asked.append(Asked(self.command, self.path, self.headers.get("Authorization")))
                status, body = reply(self.command, self.path)
                page = isinstance(body, str)
                raw = body.encode() if page else json.dumps({} if body is None else body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if page else "application/json")
                if not page:
                    self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(raw)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if files is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*files)
            # Handshakes are made in the threads that answer: one that fails must not end the server.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.port: int = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def answering(reply: Callable[[str, str], Answer], files: tuple[Path, Path] | None = None) -> Iterator[Answering]:
    server = Answering(reply, files)
    try:
        yield server
    finally:
        server.close()
