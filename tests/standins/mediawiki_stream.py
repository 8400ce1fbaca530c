"""Wikimedia's EventStreams, the part of the wiki's stand-in that is an unending answer.

By https://wikitech.wikimedia.org/wiki/Event_Platform/EventStreams_HTTP_Service (paths, `since`, `Last-Event-ID`, the
form of an event and its id, canary events, no filter of the server's), and where that is silent by the service's own
source: github.com/wikimedia/mediawiki-services-eventstreams, routes/stream.js (400 for a stream that there is not,
times in ids), and github.com/wikimedia/KafkaSSE, lib/KafkaSSE.js and lib/utils.js (`:ok`; `Last-Event-ID` alone says
what is read; 400 for one that is no list, 404 for a topic that there is not; `offset` of what nothing came of; a time
from before what is kept is its beginning). Events by the schemas mediawiki/recentchange, page/delete, page/undelete and
revision/visibility-change of schema.wikimedia.org. The form of events and ids was compared with some that others keep
in public repositories. Not modelled: the end of a connection after 15 minutes, the two connections of an address.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.standins.server import Request, Response, StandIn, oddly

STREAMS = (
    "mediawiki.recentchange", "mediawiki.page-delete", "mediawiki.page-undelete", "mediawiki.revision-visibility-change"
)  # fmt: skip
CENTERS = ("eqiad", "codfw")


class Told(NamedTuple):
    topic: str
    at: int
    offset: int
    data: dict[str, Any]


class Topics:
    """What the streams hold, whoever listens. Its methods are called with the stand-in's lock held."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin
        self._change = threading.Condition(standin.lock)
        self.told: list[Told] = []
        self.streams = list(STREAMS)
        self.center = CENTERS[0]
        """Where events are made at the moment."""
        self.chatter = 0.05
        """Seconds between two changes of other wikis, where nothing else comes; 0: there are none."""
        self._last = 0

    def tell(self, stream: str, domain: str, event: dict[str, Any]) -> None:
        self.told.append(self._event(stream, domain, event))
        self._change.notify_all()

    def forget(self, before: int) -> None:
        """What is older is not kept any more."""
        self.told = [one for one in self.told if one.at >= before]

    def answer(self, request: Request) -> Response:
        streams = request.path.removeprefix("/v2/stream/").split(",")
        unknown = [one for one in streams if one not in self.streams]
        if unknown:
            return Response.of(
                {"status": 400, "title": "Stream Not Found", "detail": f"Invalid streams: {','.join(unknown)}"}, 400
            )
        topics = [f"{center}.{stream}" for center in CENTERS for stream in streams]
        begin: dict[str, int] = dict.fromkeys(topics, -1)
        if "since" in request.params:
            since = datetime.fromisoformat(request.params["since"])
            begin = dict.fromkeys(topics, round(since.timestamp() * 1_000))
        if "last-event-id" in request.headers:
            try:
                entries = json.loads(request.headers["last-event-id"])
                begin = {one["topic"]: int(one["timestamp"]) for one in entries}
            except (ValueError, TypeError, KeyError) as wrong:
                return Response.of({"name": "InvalidAssignmentError", "message": str(wrong)}, 400)
            if not begin.keys() <= set(topics):
                return Response.of({"name": "TopicNotAvailableError"}, 404)
        return Response(200, self._events(begin), {"Content-Type": "text/event-stream; charset=utf-8"})

    def _events(self, begin: dict[str, int]) -> Iterator[bytes]:
        with self._standin.lock:
            read = len(self.told)
            backlog = [one for one in self.told if begin.get(one.topic, -1) >= 0 and one.at >= begin[one.topic]]
            first = {one.topic: one.offset for one in reversed(backlog)}
        id: dict[str, dict[str, Any]] = {
            topic: {"topic": topic, "partition": 0, "offset": first.get(topic, -1)} for topic in begin
        }
        yield b":ok\n\n"
        yield from (self._raw(one, id) for one in backlog)
        while not self._standin.over:
            with self._standin.lock:
                if len(self.told) == read:
                    self._change.wait(self.chatter or 0.05)
                some, read = self.told[read:], len(self.told)
                if not some and self.chatter:
                    some = [self._event(STREAMS[0], "elsewhere.example", {"type": "edit", "title": "Elsewhere"})]
            while self._standin.frozen and not self._standin.over:
                time.sleep(0.01)
            parts = [self._raw(one, id) for one in some if one.topic in begin]
            if parts:
                yield b"".join(parts)

    def _event(self, stream: str, domain: str, event: dict[str, Any]) -> Told:
        now = time.time_ns() // 1_000_000
        topic = f"{self.center}.{stream}"
        self._last += 1
        stamp = datetime.fromtimestamp(now / 1_000, UTC)
        meta = {
            "domain": domain, "stream": stream, "topic": topic, "partition": 0, "offset": self._last,
            "dt": f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1_000:03d}Z", "id": f"event-{self._last}",
        }  # fmt: skip
        return Told(topic, now, self._last, {"$schema": f"/{stream.replace('.', '/')}/1.0.0", "meta": meta} | event)

    def _raw(self, one: Told, id: dict[str, dict[str, Any]]) -> bytes:
        """`id` is what stands in the event's: it moves."""
        id[one.topic] = {"topic": one.topic, "partition": 0, "timestamp": one.at + 1}
        data = oddly(one.data) if self._standin.odd else one.data
        told = json.dumps(list(id.values()), separators=(",", ":"))
        return f"event: message\nid: {told}\ndata: {json.dumps(data)}\n\n".encode()
