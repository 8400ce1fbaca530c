"""A connection to EventStreams, where Wikimedia tells of the changes of all its wikis as they are made.

Where a connection goes on is told by the times of its topics, one for each data center and stream: an event's `id` has
them all. Three things make that harder than it looks:

- A topic of which nothing came on this connection has no time, but `offset: -1`: taken at its word it is gone on with
  from its end, and what the other data center said meanwhile is lost. Here it keeps the time that it had.
- Events of one millisecond, and those that were written down a little late, lie on both sides of a time: each
  connection begins some seconds earlier.
- Of a time from before what is kept nothing is said: the stream silently begins at the oldest that there is.

So the place here names a time for each topic. Where it was not made of the same streams, all of them are asked from the
time of the one furthest behind.

Follows wikitech.wikimedia.org/wiki/Event_Platform/EventStreams_HTTP_Service, and the service's own source, where that
is silent: github.com/wikimedia/mediawiki-services-eventstreams (routes/stream.js), github.com/wikimedia/KafkaSSE
(lib/KafkaSSE.js, lib/utils.js).
"""

from __future__ import annotations

import re
from contextlib import closing

import msgspec
import structlog

from config.sources.mediawiki import MediawikiSource
from ingest.collector import CursorLost, Denied, Interrupted
from ingest.cursors import closed, opened
from ingest.networks.mediawiki_posts import iso
from ingest.read_ahead import ReadAhead
from ingest.server_sent import Event, Framing
from ingest.web import Refused, Unending, Web, told_time, user_agent
from stream.clock import MINUTE, SECOND, Clock
from stream.records import Millis

CHANGES = "mediawiki.recentchange"
STREAMS = (
    CHANGES, "mediawiki.page-delete", "mediawiki.page-undelete", "mediawiki.revision-visibility-change"
)  # fmt: skip
REWIND: Millis = 10 * SECOND
SLACK: Millis = 10 * MINUTE
"""A first change so much later than was asked for: what lies between is not kept any more. All wikis together are never
silent for long."""
MOST_EVENTS = 1_000
"""Taken together."""
MOST_HELD = 16_000_000
"""Bytes that wait to be taken; the stream is not read meanwhile."""
MOST_TOPICS = 100
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
_AHEAD: Millis = MINUTE
"""No topic is gone on with from a time so far ahead of the stream's clock."""

_log = structlog.get_logger(__name__)


class _Entry(msgspec.Struct, frozen=True):
    topic: str
    partition: int = 0
    timestamp: int | None = None
    offset: int | None = None


_entries = msgspec.json.Decoder(list[_Entry])


class Place(msgspec.Struct, frozen=True):
    """Behind an event. As text it is the source's cursor."""

    streams: str
    """Names of those that it is a place in, parted by commas."""
    since: Millis
    """For topics of which nothing came yet, by the stream's clock."""
    at: dict[str, Millis] = {}
    """Time of the next event of each topic and partition, as `topic/partition`."""

    def __str__(self) -> str:
        return closed(self)

    @classmethod
    def read(cls, text: str) -> Place:
        """Raises CursorLost for what is none, such as the cursor of a wiki that was polled."""
        return opened(text, cls, "Wikimedia's stream")

    def moved(self, id: bytes, latest: Millis) -> Place:
        """Behind the event with this id; no time is later than `latest`. An id that is none moves nothing."""
        try:
            entries = _entries.decode(id)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self
        at = dict(self.at)
        told = [one.timestamp for one in entries if one.timestamp is not None]
        newest = min(max(told, default=self.since), latest)
        for one in entries[:MOST_TOPICS]:
            name = f"{one.topic}/{one.partition}"
            if not _TOPIC.fullmatch(one.topic):
                continue
            if one.timestamp is not None:
                at[name] = min(max(one.timestamp, 0), latest)
            elif name not in at:
                # At its end when this came, or somewhere behind `since`.
                at[name] = newest if one.offset == -1 else self.since
        return Place(self.streams, self.since, at)

    def of(self, stream: str) -> Millis:
        """How far a stream was read, in the data center that is ahead."""
        times = [time for name, time in self.at.items() if _stream_of(name) == stream]
        return max(times, default=self.since)

    def asked(self, streams: str) -> tuple[dict[str, str], dict[str, str]]:
        """(headers, query) by which these streams are gone on with from here."""
        if self.at and self.streams == streams:
            entries = [
                _Entry(topic, int(partition), max(time - REWIND, 0))
                for name, time in self.at.items()
                for topic, _, partition in [name.rpartition("/")]
            ]
            told = [{"topic": one.topic, "partition": one.partition, "timestamp": one.timestamp} for one in entries]
            return {"Last-Event-ID": msgspec.json.encode(told).decode()}, {}
        return {}, {"since": iso(max(self.of(CHANGES) - REWIND, 0))}


class Line:
    """An open connection, read in a thread of its own: the stream does not wait for the questions about its changes."""

    def __init__(self, settings: MediawikiSource, place: Place | None, clock: Clock) -> None:
        """Connects. `place`: where to go on; None: from now. Raises Interrupted, Denied, CursorLost."""
        self.asked = 0
        """Requests that it took."""
        self._settings, self._clock = settings, clock
        self._host = settings.streaming_url
        self.streams, self._web, answer = self._opened(place)
        there = told_time(answer.headers)
        self.skew: Millis = 0 if there is None else clock.now() - there
        """How far our clock is ahead of the stream's."""
        framing = Framing()
        self._ahead = ReadAhead(
            answer,
            lambda part: (event for event in framing.feed(part) if event.data or event.overlong),
            lambda event: event.data,
            clock.now,
            most=MOST_HELD,
            whose=self._host,
        )

    def there(self) -> Millis:
        """What time it is by the stream's clock, to the second."""
        return self._clock.now() - self.skew

    def take(self, seconds: float) -> list[Event]:
        """As `ReadAhead.take`."""
        return self._ahead.take(MOST_EVENTS, seconds)

    def close(self) -> None:
        self._ahead.close()
        self._web.close()

    def _opened(self, place: Place | None) -> tuple[str, Web, Unending]:
        try:
            return self._asked(",".join(STREAMS), place)
        except Refused as fault:
            if fault.status != 400 or "Stream Not Found" not in fault.said:
                raise self._meant(fault, place) from None
        _log.warning("ingest.streams_missing", host=self._host, asked=",".join(STREAMS))
        try:
            # Without the others, deletes are learnt by sweeps alone.
            return self._asked(CHANGES, place)
        except Refused as fault:
            raise self._meant(fault, place) from None

    def _asked(self, streams: str, place: Place | None) -> tuple[str, Web, Unending]:
        headers, query = ({}, {}) if place is None else place.asked(streams)
        agent = {"User-Agent": f"{user_agent()} ({self._settings.contact})", "Accept": "text/event-stream"}
        web = Web(self._host, {**agent, **headers}, timeout=self._settings.timeout / 1_000)
        self.asked += 1
        try:
            answer = web.listen(f"/v2/stream/{streams}", query, silence=self._settings.silence / 1_000)
            if "text/event-stream" not in answer.headers.get("content-type", ""):
                with closing(answer):
                    raise Interrupted(f"{self._host} answers with no stream")
        except BaseException:
            web.close()
            raise
        return streams, web, answer

    def _meant(self, fault: Refused, place: Place | None) -> Exception:
        if place is not None and fault.status in (400, 404):
            return CursorLost(f"the stream does not go on from where it was: {fault}")
        if fault.status == 404:
            return Denied(f"there is no stream at {self._host}: see `streaming_url` of the source")
        return Interrupted(str(fault))


def latest(line: Line) -> Millis:
    return line.there() + _AHEAD


def _stream_of(name: str) -> str:
    """Of a topic, whose first part is its data center."""
    return name.rpartition("/")[0].partition(".")[2]
