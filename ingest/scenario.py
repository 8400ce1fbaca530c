"""Days that never were, played on a clock: the posts of a scenario file go the way of real ones, outages included.

A scenario is JSON Lines. Its first line describes it, each other line is a post or a control:

    {"scenario": "A week in autumn", "start": "2026-11-16T00:00:00Z",
     "sources": [{"id": "x-search", "network": "x"}, {"id": "forum", "network": "discourse", "brands": ["acme"]}]}
    {"at": "09:15:30", "source": "x-search", "id": "101", "author": "ana_m", "text": "…"}
    {"at": "1d 10:00", "source": "x-search", "id": "101", "kind": "edited", "text": "…"}
    {"at": "2d 08:00", "source": "x-search", "id": "101", "kind": "deleted"}
    {"control": "outage", "source": "x-search", "from": "3d 10:00", "until": "3d 13:30", "reason": "HTTP 503"}

`at`, `from` and `until` count from the scenario's start: `[DAYSd ]HH:MM[:SS]`, or a number of seconds. Lines may
stand in any order. A post has the fields of a webhook's post (`ingest.webhook.Item`); its `created_at` is `at`, unless
it has one, an offset too, that is earlier (a post that is found late). `network` is the source's unless given. A source
takes `id`, `network`, `brands`, `access`, `max_lateness` (milliseconds) and `firehose`.

During an outage the source's connection is down; its posts of that time are fetched afterwards, as from a network that
can be searched: the ledger has a gap, the posts come with origin `gapfill`, and the gap is back-filled.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal, NamedTuple

import msgspec

from ingest.collector import Delivery, Draft, Exhausted, Interrupted, Source, Span
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.dates import NoDate, millis_reader
from ingest.intake import Prefilter, Unacceptable, stamped
from ingest.patience import Backoff, Hold
from ingest.runner import Runner
from ingest.webhook import Item, drafted
from stream.clock import DAY, HOUR, MINUTE, SECOND, Clock
from stream.ports import Log
from stream.records import Millis

BATCH = 200
MAX_LINE = 1_048_576
MOST_LINES = 1_000_000
SHORTEST_WAIT = 0.02
LONGEST_WAIT = 0.25

MOST_FAULTS = 50

_OFFSET = re.compile(r"(?:(\d{1,4})d)?\s*(?:(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,3})?))?)?\Z", re.ASCII)


class BadScenario(ValueError):
    """A scenario that cannot be played; the message has a line for each fault, with place and way out."""


class Outage(NamedTuple):
    span: Span
    reason: str


class Timed(NamedTuple):
    time: Millis
    draft: Draft


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one source brings: posts and outages in order of time."""

    source: Source
    posts: tuple[Timed, ...]
    outages: tuple[Outage, ...]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    start: Millis
    end: Millis
    """Time of the last thing that happens."""
    parts: tuple[Part, ...]

    @property
    def posts(self) -> int:
        return sum(len(part.posts) for part in self.parts)


def load(path: Path, start: Millis | None = None) -> Scenario:
    """The scenario in a file; `start` moves it to another time. Raises BadScenario with all its faults at once."""
    return _Reader(path, start).scenario()


class ScenarioCollector:
    """One source of a scenario as if it were a network: a stream that outages cut, with a search to fill the holes."""

    style: Literal["stream", "poll"] = "stream"
    resumes = False

    def __init__(self, part: Part, clock: Clock, stop: Event, end: Millis) -> None:
        self.source, self.part, self.clock, self.stop = part.source, part, clock, stop
        self.interval = MINUTE
        self._times = [one.time for one in part.posts]
        self._to_come = list(part.outages)
        self._end = max([end, *(outage.span.until for outage in part.outages)])

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        """Posts as their time comes, on the first connection from the scenario's beginning. Raises Interrupted in an
        outage, Exhausted after the end."""
        now = self.clock.now()
        self._refuse_in_outage(now)
        place = 0 if cursor is None else bisect_left(self._times, now)
        yield Delivery(cursor=str(place))
        while place < len(self._times) or self.clock.now() < self._end:
            now = self.clock.now()
            cut = self._to_come[0].span.since if self._to_come else now + 1
            upto = bisect_left(self._times, min(now + 1, cut), place)
            for begin in range(place, upto, BATCH) if upto > place else (place,):
                some = self.part.posts[begin : min(begin + BATCH, upto)]
                place = begin + len(some)
                yield Delivery(drafts=[one.draft for one in some], cursor=str(place))
            if cut <= now:
                outage = self._to_come.pop(0)
                raise Interrupted(outage.reason, since=outage.span.since)
            if self.stop.is_set():
                return
            self._wait_until(min(self._times[place] if place < len(self._times) else self._end, now + self.interval))
        raise Exhausted

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        self._refuse_in_outage(self.clock.now())
        first, last = bisect_left(self._times, span.since), bisect_left(self._times, span.until)
        for begin in range(int(cursor or first), last, BATCH):
            upto = min(begin + BATCH, last)
            yield Delivery(drafts=[one.draft for one in self.part.posts[begin:upto]], cursor=str(upto))

    def close(self) -> None:
        """Nothing is open."""

    def _refuse_in_outage(self, now: Millis) -> None:
        for outage in self.part.outages:
            if outage.span.since <= now < outage.span.until:
                self._to_come = [one for one in self._to_come if one is not outage]
                raise Interrupted(outage.reason, since=outage.span.since)

    def _wait_until(self, time: Millis) -> None:
        speed = getattr(self.clock, "speed", 1.0)
        self.stop.wait(min(LONGEST_WAIT, max(SHORTEST_WAIT, (time - self.clock.now()) / speed / SECOND)))


class Played(NamedTuple):
    source_id: str
    appended: int
    dead: int
    trouble: str


def play(
    scenario: Scenario,
    log: Log,
    clock: Clock,
    cursors: Cursors,
    ledger: Ledger,
    *,
    prefilter: Prefilter | None = None,
    hold: Hold | None = None,
    stop: Event | None = None,
) -> list[Played]:
    """Play every source, each in a thread of its own; returns when the scenario is over or `stop` was set."""
    stop = stop or Event()
    running = [
        Runner(
            ScenarioCollector(part, clock, stop, scenario.end), log, cursors, ledger, clock,
            prefilter=prefilter, hold=hold, backoff=Backoff(first=100, most=500), stop=stop,
        )
        for part in scenario.parts
    ]  # fmt: skip
    threads = [Thread(target=runner.run, name=f"play-{runner.source.id}") for runner in running]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [
        Played(runner.source.id, runner.appended + runner.filled, runner.dead, runner.trouble) for runner in running
    ]


# --- reading ---


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    scenario: str
    sources: list[Source]
    start: str | None = None


class _Outage(msgspec.Struct, forbid_unknown_fields=True, rename={"since": "from"}):
    control: Literal["outage"]
    source: str
    since: str | float
    until: str | float
    reason: str = "the network did not answer"


class _Reader:
    """Reads all of a file before it gives up, so that every fault is told at once."""

    def __init__(self, path: Path, start: Millis | None) -> None:
        self.path, self.asked_start = path, start
        self.faults: list[str] = []
        self.posts: dict[str, list[Timed]] = {}
        self.outages: dict[str, list[Outage]] = {}
        self.sources: dict[str, Source] = {}
        self.start: Millis = 0

    def scenario(self) -> Scenario:
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError as fault:
            raise BadScenario(f"{self.path}: {fault.strerror or fault}; name a scenario file") from None
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if not numbered or len(numbered) > MOST_LINES:
            raise BadScenario(f"{self.path} has {len(numbered):,} lines; a scenario has 1 to {MOST_LINES:,}")
        name = self._head(*numbered[0])
        for number, line in numbered[1:]:
            try:
                self._line(line)
            except (msgspec.MsgspecError, NoDate, Unacceptable, ValueError, RecursionError) as fault:
                self._fault(number, str(fault))
        if self.faults:
            raise BadScenario("\n".join(self.faults[:MOST_FAULTS]))
        times = [one.time for posts in self.posts.values() for one in posts]
        parts = [
            Part(
                source=source,
                posts=tuple(sorted(self.posts[source.id], key=lambda one: one.time)),
                outages=tuple(sorted(self.outages[source.id])),
            )
            for source in self.sources.values()
        ]
        return Scenario(name=name, start=self.start, end=max(times, default=self.start) + 1, parts=tuple(parts))

    def _head(self, number: int, line: bytes) -> str:
        try:
            head = msgspec.json.decode(line, type=_Head)
            start = self.asked_start if self.asked_start is not None else _when(head.start) if head.start else None
        except (msgspec.MsgspecError, NoDate) as fault:
            raise BadScenario(
                f"{self.path}:{number}: {fault}; the first line is "
                '{"scenario": "NAME", "start": "2026-11-16T00:00:00Z", "sources": [{"id": …, "network": …}]}'
            ) from None
        if start is None or not head.sources:
            raise BadScenario(f"{self.path}:{number}: the first line needs `start` and at least one of `sources`")
        self.start = start
        for source in head.sources:
            if source.id in self.sources:
                self._fault(number, f"source {source.id!r} stands twice; give each an id of its own")
            self.sources[source.id] = source
            self.posts[source.id], self.outages[source.id] = [], []
        return head.scenario

    def _line(self, line: bytes) -> None:
        if len(line) > MAX_LINE:
            raise Unacceptable(f"the line has more than {MAX_LINE:,} bytes")
        row = msgspec.json.decode(line, type=dict[str, Any])
        source = self.sources.get(str(row.get("source")))
        if source is None:
            known = ", ".join(self.sources)
            raise Unacceptable(f"source {row.get('source')!r} is none of those in the first line ({known})")
        if "control" in row:
            self._control(msgspec.convert(row, _Outage))
            return
        if "at" not in row:
            raise Unacceptable('a post needs "at", its time from the start on, such as "1d 09:30"')
        at = self.start + offset(row.pop("at"))
        del row["source"]
        kind = row.get("kind", "created")
        row["seen_at"] = at
        if "created_at" in row:
            row["created_at"] = self.start + offset(row["created_at"])
        elif kind == "created":
            row["created_at"] = at
        if kind == "edited":
            row.setdefault("edited_at", at)
        draft = drafted(msgspec.convert(row, Item))
        stamped(draft, source, at, "live")
        self.posts[source.id].append(Timed(at, draft))

    def _control(self, control: _Outage) -> None:
        span = Span(self.start + offset(control.since), self.start + offset(control.until))
        if span.since >= span.until:
            raise Unacceptable("the outage ends before it begins: `from` is earlier than `until`")
        if any(one.span.since < span.until and span.since < one.span.until for one in self.outages[control.source]):
            raise Unacceptable(f"source {control.source!r} has another outage at that time: make them one")
        self.outages[control.source].append(Outage(span, control.reason))

    def _fault(self, number: int, words: str) -> None:
        self.faults.append(f"{self.path}:{number}: {words[:400]}")


def offset(value: object) -> Millis:
    """Milliseconds of `[DAYSd ]HH:MM[:SS]`, `DAYSd` or a number of seconds. Raises Unacceptable."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return round(value * SECOND)
    match = _OFFSET.match(value.strip()) if isinstance(value, str) and value.strip() else None
    if match is None:
        raise Unacceptable(f'{str(value)[:40]!r} is no time from the start on; write "1d 09:30", "09:30:15" or seconds')
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if hours > 23 or minutes > 59 or seconds >= 60:
        raise Unacceptable(f"{str(value)[:40]!r} has more than 23 hours, 59 minutes or 59 seconds")
    return round(days * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND)


_when = millis_reader()
