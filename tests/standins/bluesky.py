"""Bluesky: two versions of Jetstream on one port, and the AppView on another.

Follows github.com/bluesky-social/jetstream, docs/README.md sections 5.1 (`/subscribe`) and 5.2 and the lexicons
network.bsky.jetstream.subscribeEvents and getZstdDictionary; of the AppView, the lexicons app.bsky.actor.getProfiles,
app.bsky.feed.getPosts, app.bsky.feed.getPostThread and app.bsky.feed.defs. The frames of version 1 (a post, a delete,
an identity, an account) were compared with those stored in that repository (internal/subscribe/testdata/
golden_v1.jsonl), the frames of version 2 with the example in its section 5.2. Not modelled: resync rows, imported
timestamps, options of version 1 that are sent by the client, labels.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

import zstandard
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response as Refusal
from websockets.sync.server import ServerConnection, serve

from tests.standins.server import Fault, Request, Response, StandIn, oddly

POSTS = "app.bsky.feed.post"
V1 = "/subscribe"
V2 = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"
SEQ_BELOW = 10**15
"""A smaller cursor is a number, any other a time (docs/README.md, 5.1)."""
CID = "bafyreib6z3nsp4m4k3qkxyvhzc6e3rkyy4pqr3o7g2h5r3v4m4k3qkxyvh"


class Happened(NamedTuple):
    seq: int
    time_us: int
    did: str
    kind: str
    said: Mapping[str, Any]
    """Of a commit: operation, rkey, record; of an account: active, status."""


class BlueskyStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[Happened] = []
        self.posts: dict[str, dict[str, Any]] = {}
        """By AT-URI: did, record, indexedAt, the counts."""
        self.names: dict[str, str] = {}
        """Handles, by DID."""
        self.unseen: dict[str, str] = {}
        """Handles whose profile is not shown, and the error that says why."""
        self.retired_dictionaries = False
        self._floor = 0
        """Place of the oldest event that is kept."""
        self._more = threading.Condition(self.lock)
        self._listening: set[ServerConnection] = set()
        self._half: set[ServerConnection] = set()
        self._places: dict[ServerConnection, tuple[int, bool]] = {}
        """From where on each is sent events: fixed when it is let in, so that it misses none published since."""
        self._dictionary: zstandard.ZstdCompressionDict | None = None
        self._sockets = serve(self._listen, "127.0.0.1", 0, process_request=self._handshake, compression=None)
        self.stream = f"ws://127.0.0.1:{self._sockets.socket.getsockname()[1]}"

    # --- what happens on the network ---

    def post(self, record: Mapping[str, Any], author: str = "ana") -> str:
        with self.lock:
            did = self.account(author)
            rkey = f"3l{len(self.events):011d}"
            uri = f"at://{did}/{POSTS}/{rkey}"
            self.posts[uri] = {"did": did, "record": dict(record), "indexedAt": iso(time.time())}
            self._happened(did, "commit", {"operation": "create", "rkey": rkey, "record": record})
            return uri

    def edit(self, uri: str, text: str) -> None:
        with self.lock:
            held = self.posts[uri]
            held["record"] = {**held["record"], "text": text}
            rkey = uri.rpartition("/")[2]
            self._happened(held["did"], "commit", {"operation": "update", "rkey": rkey, "record": held["record"]})

    def delete(self, uri: str) -> None:
        with self.lock:
            held = self.posts.pop(uri)
            self._happened(held["did"], "commit", {"operation": "delete", "rkey": uri.rpartition("/")[2]})

    def account(self, author: str) -> str:
        did = f"did:plc:{author}"
        self.names.setdefault(did, f"{author}.bsky.example")
        return did

    def change_account(self, author: str, active: bool, status: str | None = None) -> None:
        with self.lock:
            said = {"active": active, **({} if status is None else {"status": status})}
            self._happened(self.account(author), "account", said)

    def rename(self, author: str, handle: str) -> None:
        with self.lock:
            did = self.account(author)
            self.names[did] = handle
            self._happened(did, "identity", {"handle": handle})

    def raw(self, record: Any) -> None:
        """A commit with any record at all."""
        with self.lock:
            self._happened(self.account("odd"), "commit", {"operation": "create", "rkey": "3lodd", "record": record})

    def forget(self) -> None:
        """What has happened so far is kept no longer."""
        with self.lock:
            self._floor = len(self.events)

    def age(self, hours: float) -> None:
        """All that has happened so far happened so much earlier."""
        with self.lock:
            by = round(hours * 3_600_000_000)
            self.events = [one._replace(time_us=one.time_us - by) for one in self.events]

    def _happened(self, did: str, kind: str, said: Mapping[str, Any]) -> None:
        at = max(time.time_ns() // 1_000, self.events[-1].time_us + 1 if self.events else 0)
        self.events.append(Happened(len(self.events) + 1, at, did, kind, said))
        self._more.notify_all()

    # --- its life ---

    def __enter__(self) -> Self:
        threading.Thread(target=self._sockets.serve_forever, daemon=True, name="jetstream").start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self.lock:
            self._more.notify_all()
        self.cut_streams()
        self._sockets.shutdown()
        super().__exit__(kind, error, trace)

    def cut_streams(self) -> None:
        with self.lock:
            listening = list(self._listening)
        for one in listening:
            with suppress(OSError):
                one.socket.shutdown(socket.SHUT_RDWR)
        super().cut_streams()

    # --- Jetstream ---

    def _handshake(self, connection: ServerConnection, handshake: Handshake) -> Refusal | None:
        split = urlsplit(handshake.path)
        params = dict(parse_qsl(split.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in handshake.headers.raw_items()}
        with self.lock:
            self.requests.append(Request("GET", split.path, params, headers, b"", time.monotonic(), split.query))
        fault = self.next_fault(split.path)
        if fault is not None and fault.kind != "half":
            return self._wrong(connection, fault)
        if fault is not None:
            self._half.add(connection)
        if split.path == DICTIONARY:
            return _answer(200, self._dictionary_now().as_bytes(), "application/octet-stream")
        if split.path not in (V1, V2):
            return _answer(404, b"404 page not found\n", "text/plain")
        with self.lock:
            refusal = self._refusal(params) if split.path == V2 else None
            if refusal is None:
                self._places[connection] = self._place(params.get("cursor"))
                self._listening.add(connection)
            return refusal

    def _wrong(self, connection: ServerConnection, fault: Fault) -> Refusal:
        if fault.kind == "status":
            return _answer(fault.status, fault.body, "application/json", fault.headers)
        if fault.kind == "garbage":
            return _answer(200, b"<html><body>We'll be right back</body></html>", "text/html")
        if fault.kind == "hang":
            self._over.wait(fault.seconds)
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        return _answer(500, b"", "text/plain")

    def _refusal(self, params: Mapping[str, str]) -> Refusal | None:
        for name in ("wantedCollections", "wantedDids", "compress", "requireHello"):
            if name in params:
                return _error("InvalidRequest", f"{name} is not a parameter of this version")
        chosen = params.get("zstdDictionary")
        if chosen is not None and (self.retired_dictionaries or int(chosen) != self._dictionary_now().dict_id()):
            return _error("UnknownZstdDictionary", "the dictionary is unknown or retired")
        cursor = int(params.get("cursor", SEQ_BELOW))
        if cursor < SEQ_BELOW and cursor <= self._floor and self._floor:
            return _error("CursorTooOld", f"cursor {cursor} below lookback floor {self._floor + 1}")
        return None

    def _listen(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        split = urlsplit(connection.request.path)
        asked = parse_qs(split.query)
        with self.lock:
            place, clamped = self._places.pop(connection)
        try:
            for frame in self._frames(split.path, asked, place, clamped):
                if connection in self._half:
                    self._half.discard(connection)
                    connection.socket.sendall(b"\x81\x7e" + len(frame).to_bytes(2, "big") + frame[: len(frame) // 2])
                    connection.socket.shutdown(socket.SHUT_RDWR)
                    return
                connection.send(frame, text=not frame.startswith(zstandard.FRAME_HEADER))
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self.lock:
                self._listening.discard(connection)

    def _frames(self, path: str, asked: Mapping[str, list[str]], place: int, clamped: bool) -> Iterator[bytes]:
        packed = path == V2 and "zstdDictionary" in asked
        packer = zstandard.ZstdCompressor(dict_data=self._dictionary_now()) if packed else None
        most = int(asked.get("maxMessageSizeBytes", ["0"])[0])
        kinds = asked.get("kinds", ["commit", "identity", "account"])
        if clamped and path == V2:
            yield dumped({"$type": "message", "payload": {"$type": _type("info"), "name": "OutdatedCursor"}})
        while not self.over:
            with self.lock:
                if place >= len(self.events):
                    self._more.wait(0.5)
                events = self.events[place : place + 500]
            while self.frozen and not self.over:
                time.sleep(0.01)
            place += len(events)
            for event in events:
                if event.kind not in kinds:
                    continue
                held = frame_1(event) if path == V1 else frame_2(event)
                frame = dumped(oddly(held) if self.odd else held)
                if not most or len(frame) <= most:
                    yield frame if packer is None else packer.compress(frame)

    def _place(self, cursor: str | None) -> tuple[int, bool]:
        """(place of the first event to send, whether it is later than was asked for)."""
        with self.lock:
            if cursor is None:
                return len(self.events), False
            asked = int(cursor)
            if asked < SEQ_BELOW:
                return min(max(asked - 1, self._floor), len(self.events)), False
            if asked > time.time_ns() // 1_000:
                return len(self.events), False
            low = next((n for n, event in enumerate(self.events) if event.time_us >= asked), len(self.events))
            return max(low, self._floor), low < self._floor

    def _dictionary_now(self) -> zstandard.ZstdCompressionDict:
        with self.lock:
            if self._dictionary is None:
                samples = [
                    dumped(frame_2(Happened(n, n * 7_919, f"did:plc:{n:024d}", "commit", _sample(n))))
                    for n in range(400)
                ]
                self._dictionary = zstandard.train_dictionary(16_384, samples)
            return self._dictionary

    # --- the AppView ---

    def answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/xrpc/")
        if name == "app.bsky.actor.getProfiles":
            return Response.of({"profiles": [self._profile(did) for did in self._found(request.all("actors"))]})
        if name == "app.bsky.actor.getProfile":
            return self._one_profile(request.params["actor"])
        if name == "app.bsky.feed.getPosts":
            uris = request.all("uris")
            if len(uris) > 25:
                return Response.of({"error": "InvalidRequest", "message": "uris must not have more than 25"}, 400)
            return Response.of({"posts": [self._view(uri) for uri in uris if uri in self.posts]})
        if name == "app.bsky.feed.getPostThread":
            return self._thread(request.params["uri"])
        return Response.of({"error": "MethodNotImplemented", "message": "Method Not Implemented"}, 501)

    def _found(self, actors: list[str]) -> Iterator[str]:
        dids = {handle: did for did, handle in self.names.items()}
        for actor in actors:
            did = dids.get(actor, actor)
            if did in self.names:
                yield did

    def _one_profile(self, actor: str) -> Response:
        if actor in self.unseen:
            return Response.of({"error": self.unseen[actor], "message": "Account is not shown"}, 400)
        for did in self._found([actor]):
            return Response.of(self._profile(did))
        return Response.of({"error": "InvalidRequest", "message": "Profile not found"}, 400)

    def _profile(self, did: str) -> dict[str, Any]:
        name = did.rpartition(":")[2]
        return {"did": did, "handle": self.names[did], "displayName": name.title(), "followersCount": 7, "labels": []}

    def _view(self, uri: str) -> dict[str, Any]:
        held = self.posts[uri]
        counts = {name: held.get(name, 0) for name in ("replyCount", "repostCount", "likeCount", "quoteCount")}
        author = {"did": held["did"], "handle": self.names[held["did"]], "displayName": "", "labels": []}
        return {
            "uri": uri,
            "cid": CID,
            "author": author,
            "record": held["record"],
            "indexedAt": held["indexedAt"],
            **counts,
        }

    def _thread(self, uri: str) -> Response:
        if uri not in self.posts:
            return Response.of({"error": "NotFound", "message": f"Post not found: {uri}"}, 400)
        replies = [
            {"$type": "app.bsky.feed.defs#threadViewPost", "post": self._view(one), "replies": []}
            for one, held in self.posts.items()
            if held["record"].get("reply", {}).get("parent", {}).get("uri") == uri
        ]
        return Response.of({"thread": {**self._above(uri), "replies": replies}})

    def _above(self, uri: str) -> dict[str, Any]:
        if uri not in self.posts:
            return {"$type": "app.bsky.feed.defs#notFoundPost", "uri": uri, "notFound": True}
        parent = self.posts[uri]["record"].get("reply", {}).get("parent", {}).get("uri")
        more = {} if parent is None else {"parent": self._above(parent)}
        return {"$type": "app.bsky.feed.defs#threadViewPost", "post": self._view(uri), **more}


def frame_1(event: Happened) -> dict[str, Any]:
    said = dict(event.said)
    if event.kind == "commit":
        said = {"rev": "3lrev", "collection": POSTS, "cid": CID, **said}
    else:
        said = {"did": event.did, "seq": 30_000_000_000 + event.seq, "time": iso(event.time_us / 1e6), **said}
    return {"did": event.did, "time_us": event.time_us, "kind": event.kind, event.kind: said}


def frame_2(event: Happened) -> dict[str, Any]:
    when = iso(event.time_us / 1e6, event.time_us % 1_000_000)
    payload = {"$type": _type(event.kind), "seq": event.seq, "did": event.did, "time": when}
    if event.kind == "commit":
        payload |= {"rev": "3lrev", "collection": POSTS, "cid": CID, **event.said}
    else:
        upstream = {"did": event.did, "seq": 30_000_000_000 + event.seq, "time": when, **event.said}
        payload[event.kind] = upstream
    return {"$type": "message", "payload": payload}


def dumped(held: Any) -> bytes:
    return json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode()


def iso(seconds: float, microseconds: int | None = None) -> str:
    moment = datetime.fromtimestamp(int(seconds), UTC)
    millis = int(seconds * 1_000) % 1_000
    part = f"{millis:03d}" if microseconds is None else f"{microseconds:06d}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{part}Z"


def _type(kind: str) -> str:
    return f"network.bsky.jetstream.subscribeEvents#{kind}"


def _sample(n: int) -> dict[str, Any]:
    words = ("the parcel", "a train", "my order", "this phone", "their shop")
    text = f"{words[n % 5]} was late again, {n * 31 % 97} minutes, {words[n % 3]} too"
    record = {"$type": POSTS, "createdAt": iso(1_790_000_000 + n), "langs": ["en"], "text": text}
    return {"operation": "create", "rkey": f"3l{n:011d}", "record": record}


def _answer(status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> Refusal:
    sent = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **(headers or {})})
    return Refusal(status, "Answer", sent, body)


def _error(name: str, message: str) -> Refusal:
    return _answer(400, dumped({"error": name, "message": message}), "application/json")
