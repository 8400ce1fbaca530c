"""A server of Mastodon: its public and hashtag timelines and streams, single statuses and their context.

Follows docs.joinmastodon.org: methods/timelines (public, tag: limit, min_id, max_id), methods/streaming (public,
hashtag; events `update`, `status.update`, `delete`; `:thump`), methods/statuses (GET one, GET its context),
methods/instance (v2), entities/Status, entities/Account, entities/Error; and of Mastodon's source streaming/index.js (a
`:thump` each 15 seconds) and lib/mastodon/snowflake.rb (ids). Frames and statuses were compared with the samples of
methods/streaming, which hold posts of real servers, a tag's timeline and the beginning of a stream with those that
Mastodon.py keeps of a server of version 4.0.2 (tests/cassettes). Not compared: refusals, a post's context. Not
modelled: boosts, local and remote streams, the multiplexed websocket, the limit of 300 requests with `min_id` or
`max_id` in 15 minutes (config/initializers/rack_attack.rb).
"""

from __future__ import annotations

import html
import json
import queue
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.standins.server import Request, Response, StandIn, oddly

MOST = 40
TAG = re.compile(r"#(\w+)")


class Listener:
    """One open stream."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()


class MastodonStandIn(StandIn):
    def __init__(self, heartbeat: float = 0.1, token: str = "") -> None:
        """`heartbeat`: seconds between two `:thump`; `token`: without it nothing is streamed."""
        super().__init__()
        self.heartbeat, self.token = heartbeat, token
        self.streaming_url: str | None = None
        """What it says of where it streams; None: nothing, as old servers do."""
        self.listeners: list[Listener] = []
        self.accounts: dict[str, dict[str, Any]] = {}
        """What is told of an account, by its name here."""
        self.statuses: dict[int, dict[str, Any]] = {}
        self.texts: dict[str, str] = {}
        """By URI, of those that stand."""
        self._ids: list[int] = []
        self._numbers: dict[str, int] = {}
        self._last = 0
        self._edited = 0.0

    def post(self, text: str, author: str = "ana", at: float | None = None, **more: Any) -> str:
        with self.lock:
            now = time.time() if at is None else at
            id = more.pop("number", None)
            if id is None:
                self._last = max(self._last + 1, int(time.time() * 1_000) << 16)
                id = self._last
            uri = more.get("uri") or f"{self.url}/users/{author}/statuses/{id}"
            self.statuses[id] = {
                "id": str(id),
                "uri": uri,
                "url": f"{self.url}/@{author}/{id}",
                "account": {"id": author, "acct": author, "display_name": author.title(), "followers_count": 7},
                "created_at": iso(now),
                "content": marked(text),
                "visibility": "public",
                "language": "en",
                "in_reply_to_id": None,
                "reblog": None,
                "spoiler_text": "",
                "media_attachments": [],
                "edited_at": None,
                "favourites_count": 0,
                "reblogs_count": 0,
                "replies_count": 0,
                **more,
            }
            self._ids.insert(self._behind(id), id)
            self._numbers[uri] = id
            self.texts[uri] = text
            self._tell("update", self.statuses[id])
            return uri

    def remote(self, text: str, host: str = "far.example", late: float = 0.0, **more: Any) -> str:
        """A post of another server that has just arrived, `late` seconds after it was written."""
        with self.lock:
            made = round((time.time() - late) * 1_000)
            id = made << 16
            while id in self.statuses:
                id += 1
            uri = f"https://{host}/users/bo/statuses/{made}{id & 0xFFFF}"
            self.post(text, "bo", at=made / 1_000, uri=uri, url=uri, number=id, **more)
            return uri

    def edit(self, uri: str, text: str) -> None:
        with self.lock:
            held = self.statuses[self._numbers[uri]]
            # Nobody edits twice in a millisecond.
            self._edited = max(self._edited + 0.001, time.time())
            held |= {"content": marked(text), "edited_at": iso(self._edited)}
            self.texts[uri] = text
            self._tell("status.update", held)

    def delete(self, uri: str) -> None:
        with self.lock:
            id = self._numbers.pop(uri)
            held = self.statuses.pop(id)
            del self.texts[uri]
            self._ids.remove(id)
            self._tell("delete", held)

    def say(self, raw: bytes) -> None:
        """On every stream, as it stands."""
        with self.lock:
            for listener in self.listeners:
                listener.queue.put(raw)

    def end_streams(self) -> None:
        """As a server does that is restarted."""
        with self.lock:
            for listener in self.listeners:
                listener.queue.put(None)

    def answer(self, request: Request) -> Response:
        if request.path == "/api/v2/instance":
            urls = {} if self.streaming_url is None else {"urls": {"streaming": self.streaming_url}}
            return Response.of({"domain": "social.example", "configuration": urls})
        parts = request.path.removeprefix("/api/v1/").split("/")
        if parts[0] == "streaming":
            return self._stream(request.params.get("tag", "").lower() if parts[1] == "hashtag" else "", request)
        if parts[0] == "timelines":
            return self._timeline(parts[2].lower() if parts[1] == "tag" else "", request)
        if parts[:2] == ["accounts", "lookup"]:
            found = self.accounts.get(request.params["acct"])
            return Response.of({"error": "Record not found"}, 404) if found is None else Response.of(found)
        id = int(parts[1]) if parts[0] == "statuses" and parts[1].isdecimal() else 0
        if id not in self.statuses:
            return Response.of({"error": "Record not found"}, 404)
        return Response.of(self.statuses[id] if len(parts) == 2 else self._context(id))

    # --- streams ---

    def _stream(self, tag: str, request: Request) -> Response:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return Response.of({"error": "Missing access token"}, 401)
        listener = Listener(tag)
        self.listeners.append(listener)
        return Response(200, self._events(listener), {"Content-Type": "text/event-stream"})

    def _events(self, listener: Listener) -> Iterator[bytes]:
        try:
            yield b":)\n"
            while not self.over:
                try:
                    said = listener.queue.get(timeout=self.heartbeat)
                except queue.Empty:
                    said = b":thump\n"
                if said is None:
                    return
                while self.frozen and not self.over:
                    time.sleep(0.01)
                yield said
        finally:
            with self.lock:
                self.listeners.remove(listener)

    def _tell(self, name: str, status: dict[str, Any]) -> None:
        held = oddly(status) if self.odd else status
        payload = status["id"] if name == "delete" else json.dumps(held)
        raw = f"event: {name}\ndata: {payload}\n\n".encode()
        tags = TAG.findall(status["content"].lower())
        for listener in self.listeners:
            if status["visibility"] == "public" and (not listener.tag or listener.tag in tags):
                listener.queue.put(raw)

    # --- timelines ---

    def _timeline(self, tag: str, request: Request) -> Response:
        limit = min(int(request.params.get("limit", "20")), MOST)
        least, most = int(request.params.get("min_id", "0")), int(request.params.get("max_id", str(2**63)))
        newest_first = "min_id" not in request.params
        found: list[int] = []
        for id in reversed(self._ids) if newest_first else self._ids[self._behind(least) :]:
            if least < id < most and (not tag or tag in TAG.findall(self.statuses[id]["content"].lower())):
                found.append(id)
                if len(found) == limit:
                    break
        return Response.of([self.statuses[id] for id in sorted(found, reverse=True)])

    def _behind(self, id: int) -> int:
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._ids[middle] <= id else (low, middle)
        return low

    def _context(self, id: int) -> dict[str, Any]:
        above: list[dict[str, Any]] = []
        parent = self.statuses[id]["in_reply_to_id"]
        while parent is not None:
            above.insert(0, self.statuses[int(parent)])
            parent = self.statuses[int(parent)]["in_reply_to_id"]
        below = [one for one in self.statuses.values() if one["in_reply_to_id"] == str(id)]
        return {"ancestors": above, "descendants": below}


def marked(text: str) -> str:
    return f"<p>{html.escape(text, quote=False)}</p>"


def iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z"
