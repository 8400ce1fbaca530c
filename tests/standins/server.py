"""A network on a socket of this machine: speaks its documented protocol, keeps its own truth, misbehaves on command.

A stand-in is one file in this folder: a subclass of `StandIn` with `answer`, whose docstring names the pages of
documentation that it follows and what of it was compared with a real reply stored in public.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

Kind = Literal["status", "hang", "cut", "half", "garbage"]


class Fault(NamedTuple):
    """`status`: that answer with that Retry-After. `hang`: no answer for `seconds`. `cut`: the connection ends without
    one. `half`: half of the right answer, or of a stream's first part, then the end. `garbage`: 200 and a page of
    HTML."""

    kind: Kind
    times: int = 1
    only: str = ""
    """Only requests whose path begins so."""
    status: int = 503
    headers: Mapping[str, str] = {}
    body: bytes = b""
    seconds: float = 5.0


class Request(NamedTuple):
    method: str
    path: str
    params: Mapping[str, str]
    """Of the query; of a doubled name the last."""
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    at: float
    """time.monotonic()"""
    query: str = ""
    """As it was sent."""

    def all(self, name: str) -> list[str]:
        """Of a doubled name every value."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [])

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        return json.loads(self.body)


class Response(NamedTuple):
    status: int = 200
    body: bytes | Iterable[bytes] = b""
    """An iterable is streamed, chunk by chunk (Transfer-Encoding: chunked); it is closed when the client goes."""
    headers: Mapping[str, str] = {}

    @classmethod
    def of(cls, held: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return cls(status, json.dumps(held).encode(), {"Content-Type": "application/json", **(headers or {})})


def oddly(held: Any) -> Any:
    """The same JSON value, each object in it with fields that nobody knows, but for tables of objects by name."""
    if isinstance(held, list):
        return [oddly(one) for one in held]
    if not isinstance(held, dict):
        return held
    table = held and all(isinstance(one, dict) for one in held.values())
    more = {} if table else {"x_not_yet_known": {"since": [1, None, "\u2603"]}, "xNew": None}
    return {**{name: oddly(one) for name, one in held.items()}, **more}


def _odd(response: Response) -> Response:
    if not isinstance(response.body, bytes) or not response.body.startswith((b"{", b"[")):
        return response
    return response._replace(body=json.dumps(oddly(json.loads(response.body))).encode())


class StandIn(ABC):
    """Use as a context manager; `url` is where it listens."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        """Held while a request is answered (not while a stream is written): change the truth under it."""
        self.odd = False
        """Every object in JSON that is answered whole has fields that no documentation names; streams and XML add them
        by themselves when they see it (`oddly`)."""
        self.frozen = False
        """Streams stay open and say nothing, not even that they live, as behind a router that forgot them."""
        self._faults: list[Fault] = []
        self._streams: set[socket.socket] = set()
        self._severed: set[socket.socket] = set()
        """Of these, those that were cut and whose threads may not know it yet."""
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    # --- to be given by each network ---

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """What the network answers when nothing goes wrong. `lock` is held."""

    # --- for tests ---

    def misbehave(self, *faults: Fault) -> None:
        """The next requests that they fit go wrong, in this order."""
        with self.lock:
            self._faults.extend(faults)

    @property
    def to_go_wrong(self) -> int:
        """Kinds of faults that have not happened yet, or not as often as they were to."""
        with self.lock:
            return len(self._faults)

    def recover(self) -> None:
        """Whatever was still to go wrong does not."""
        with self.lock:
            self._faults.clear()

    def cut_streams(self) -> None:
        """Every open connection ends, in the middle of whatever it says."""
        with self.lock:
            streams = list(self._streams)
            self._severed.update(streams)
        for stream in streams:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def cut_and(self, *faults: Fault) -> None:
        """Every open connection ends, and the next requests go wrong: no request that was under way takes a fault."""
        with self.lock:
            self.cut_streams()
            self.misbehave(*faults)

    def asked(self, path: str) -> int:
        """How many requests there were whose path begins so."""
        with self.lock:
            return sum(one.path.startswith(path) for one in self.requests)

    @property
    def over(self) -> bool:
        """Streams end when it is."""
        return self._over.is_set()

    # --- its life ---

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True, name="stand-in").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self.cut_streams()
        self._server.server_close()

    def next_fault(self, path: str) -> Fault | None:
        with self.lock:
            for place, fault in enumerate(self._faults):
                if path.startswith(fault.only):
                    if fault.times > 1:
                        self._faults[place] = fault._replace(times=fault.times - 1)
                    else:
                        del self._faults[place]
                    return fault
        return None

    def opened(self, connection: socket.socket) -> None:
        with self.lock:
            self._streams.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self.lock:
            self._streams.discard(connection)
            self._severed.discard(connection)

    def received(self, request: Request, connection: socket.socket) -> Fault | None:
        """What is to go wrong with it."""
        with self.lock:
            if connection in self._severed:
                return Fault("cut")
            self.requests.append(request)
            return self.next_fault(request.path)


def _handler(standin: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        disable_nagle_algorithm = True
        """Headers and body are two writes: the second would wait until the other side has acknowledged the first."""

        def setup(self) -> None:
            super().setup()
            standin.opened(self.connection)

        def finish(self) -> None:
            standin.closed(self.connection)
            with suppress(OSError):
                super().finish()

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            """A test says by itself what went wrong."""

        def _do(self) -> None:
            split = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            params = dict(parse_qsl(split.query, keep_blank_values=True))
            request = Request(self.command, split.path, params, headers, body, time.monotonic(), split.query)
            fault = standin.received(request, self.connection)
            if fault is not None and fault.kind == "cut":
                self._cut()
            elif fault is not None and fault.kind == "hang":
                standin._over.wait(fault.seconds)
                self._cut()
            elif fault is not None and fault.kind == "status":
                self._send(Response(fault.status, fault.body, fault.headers))
            elif fault is not None and fault.kind == "garbage":
                self._send(
                    Response(200, b"<html><body>We'll be right back</body></html>", {"Content-Type": "text/html"})
                )
            else:
                with standin.lock:
                    response = standin.answer(request)
                self._send(_odd(response) if standin.odd else response, half=fault is not None)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _do

        def _send(self, response: Response, half: bool = False) -> None:
            try:
                self._sent(response, half)
            finally:
                # A client that goes before the first byte leaves no stream behind that counts as listened to.
                close: Callable[[], None] = getattr(response.body, "close", lambda: None)
                close()

        def _sent(self, response: Response, half: bool) -> None:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if isinstance(response.body, bytes):
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(response.body[: len(response.body) // 2] if half else response.body)
                if half:
                    self._cut()
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in response.body:
                if half:
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk[: len(chunk) // 2])
                    self._cut()
                    return
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def _cut(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    return Handler
