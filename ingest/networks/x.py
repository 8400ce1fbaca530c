"""X: the filtered stream, its rules kept as the brands are, with search for what a cut missed and for history.

One connection, one set of rules: each rule's tag ends with the brand that it asks for. Rules change while the stream
runs. Search finds the newest first and is asked a day at a time, so that what is oldest comes first all the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from config.sources.x import XSource
from ingest.collector import AccountState, Delivery, Found, Interrupted, Malformed, Sample, Span, Unfillable
from ingest.networks import x_sweep
from ingest.networks.x_api import (
    NOISE,
    Access,
    Lines,
    Posts,
    Problem,
    Rejected,
    decoded,
    problem_of,
    unrejected,
    whole,
)
from ingest.networks.x_compliance import Compliance
from ingest.networks.x_plan import plan
from ingest.networks.x_posts import FIELDS, read, reply_to, time_of
from ingest.networks.x_rules import asked
from ingest.networks.x_standing import SPEND_CAP, Standing, shape
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, MINUTE, SECOND
from stream.ports import Transient
from stream.records import Millis

TICK = 0.25
"""Seconds after which a quiet stream looks whether it is to stop."""
LATE: Millis = MINUTE
"""The stream brings a post some seconds after it was written: a hole begins so much earlier, where it is not known how
late they were here."""
LEAST_LATE: Millis = 20 * SECOND
"""Three times what X names as the 99th percentile ("Consuming streaming data": 6 to 7 s). The stream has no order, so
that no id of a post received says where a hole begins."""
LATE_NOTE = "late"
LATENESSES = 500
"""So many of the last posts say how late they come; from a tenth of them on it is believed."""
REACH: Millis = 7 * DAY - MINUTE
"""Of recent search."""
PAGE, ARCHIVE_PAGE = 100, 500
ARCHIVE_PAUSE = 1.0
"""Seconds between two questions to the full archive, which takes one a second."""
MOST_ABOVE = 20
"""Posts above one in its thread that are fetched."""
REFUSED = "X refused the query"
REPEATED = "X gave the same page again"
TOO_OLD = "older than the seven days that recent search reaches"


def collector(settings: XSource, setting: Setting) -> XCollector:
    return XCollector(settings, setting)


class _Place(msgspec.Struct, frozen=True):
    """Where a filling stands: the day, the query of that day, the page of that query; `of`: of which queries."""

    day: Millis
    query: int = 0
    token: str | None = None
    of: str = ""


class _Query(NamedTuple):
    brand: str
    value: str


class XCollector:
    """One token's stream. `collect` is for one thread; each other method may be called from a thread of its own."""

    style: Literal["stream", "poll"] = "stream"
    resumes = False
    interval: Millis = SECOND

    def __init__(self, settings: XSource, setting: Setting) -> None:
        self.settings, self.setting = settings, setting
        # Compliance streams tell of all of X: what concerns nothing that is here is left out, as of a firehose.
        self.source = msgspec.structs.replace(setting.source, firehose=settings.compliance)
        self._batch = settings.documented().most
        """Posts of a delivery: so many are reserved of the budget for each."""
        self.most_looked_up = x_sweep.MOST[settings.sweep]
        self.access = Access(settings, setting.secret, setting.clock.wall)
        self._rules = Standing(settings, setting, self.access)
        self._late: deque[Millis] = deque(maxlen=LATENESSES)
        """How long after they were written the last posts of the stream came."""
        self._late_noted: Millis | None = None
        self._listened_since: Millis | None = None
        self._reached: Millis = 0
        """Up to when the stream was read, as far as is known: there may be more in hand."""
        self._compliance: Compliance | None = None

    # --- the stream ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        """Without a cursor: the stream is always of now."""
        if self.settings.compliance:
            # By an access of its own: how often one of eight parts is refused says nothing of the filtered stream.
            access = Access(self.settings, self.setting.secret, self.setting.clock.wall)
            self._compliance = Compliance(self.settings, access, self.setting.clock, self.setting.stop)
        try:
            while not self.setting.stop.is_set():
                kept = self._rules.keep(first=True)
                if self._rules.any:
                    yield from self._connected(kept.asked)
                else:
                    yield kept
                    yield from self._rules.left_out()
                    yield from self._idle()
        finally:
            if self._compliance is not None:
                self._compliance.close()

    def _complied(self) -> Iterator[Delivery]:
        """What X told of posts that are gone. It says nothing of how far the stream was read."""
        if self._compliance is not None and any(told := self._compliance.take()):
            yield Delivery(drafts=told.drafts, malformed=told.malformed, asked=told.asked, reached=self._reached)

    def _idle(self) -> Iterator[Delivery]:
        """Nobody is to be asked for: X refuses a stream without rules."""
        clock, stop = self.setting.clock, self.setting.stop
        until = clock.steady() + self.settings.rules_every
        while not stop.wait(min(self.interval, self.settings.rules_every) / 1000) and clock.steady() < until:
            self._reached = clock.now()
            yield Delivery(asked=0)
            yield from self._complied()

    def _connected(self, asked: int) -> Iterator[Delivery]:
        """Until the connection is cut, or there is nothing more to ask for."""
        clock, stop = self.setting.clock, self.setting.stop
        with unrejected():
            lines = Lines(self.access, clock.now)
        self._listened_since = self._listened_since or clock.now()
        with closing(lines):
            self._reached = clock.now()
            yield Delivery(asked=asked + 1)
            yield from self._rules.left_out()
            told = kept = clock.steady()
            while not stop.is_set():
                yield from self._complied()
                taken = lines.take(self._batch, TICK)
                if not taken:
                    self._reached = clock.now()
                if taken or clock.steady() - told >= self.interval:
                    told = clock.steady()
                    delivery, problem = self._understood(taken)
                    yield delivery
                    if problem is not None:
                        raise Interrupted(f"X ended the stream: {problem.words}", since=lines.heard_at)
                if clock.steady() - kept >= self.settings.rules_every:
                    kept = clock.steady()
                    yield msgspec.structs.replace(self._rules.keep(), reached=self._reached)
                    yield from self._rules.left_out()
                    if not self._rules.any:
                        return

    def _understood(self, lines: Sequence[bytes]) -> tuple[Delivery, Problem | None]:
        drafts, malformed, cost = [], [], 0
        problem = None
        for line in lines:
            held = decoded(line)
            if not held:
                malformed.append(
                    Malformed(f"{self.source.id}:stream", "a line of the stream that is no JSON object", line)
                )
            elif "data" in held:
                cost += 1
                self._came(held["data"])
                brands = self._rules.asked_for(held)
                if brands:
                    found = read(held, brands, f"{self.source.id}:stream")
                    drafts += found.drafts
                    malformed += found.malformed
            elif "errors" in held:
                problem = problem_of(held)
        return Delivery(drafts=drafts, malformed=malformed, asked=0, cost=cost, reached=self._reached), problem

    def _came(self, post: object) -> None:
        written = time_of(str(post.get("id"))) if isinstance(post, dict) else None
        if written is not None:
            late = max(self.setting.clock.now() + self.access.skew - written, 0)
            self._late.append(late)
            self._reached = max(self._reached, self.setting.clock.now() - late)
        steady = self.setting.clock.steady()
        if len(self._late) >= LATENESSES // 10 and (self._late_noted is None or steady - self._late_noted >= MINUTE):
            self._late_noted = steady
            with suppress(Transient):
                self.setting.notes.put_all({LATE_NOTE: str(max(self._late))})

    # --- what was missed ---

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """A day at a time, the oldest first; within a day the newest first, as X gives them."""
        span, too_old = self._reachable(span)
        wanted = [one for one in self.setting.wanted() if query in ("", one.brand)]
        for one in wanted:
            if not self.setting.allowed(one.brand):
                yield Delivery(query=query, asked=0, missed=None, reason=SPEND_CAP)
        queries = [found for one in wanted if self.setting.allowed(one.brand) for found in self._queries(one)]
        of = hashlib.sha256(msgspec.json.encode(queries)).hexdigest()[:16]
        place = _place(cursor) or _Place(span.since, of=of)
        if place.of != of:
            place = _Place(place.day, of=of)
        if not self.settings.full_archive and place.day < span.since:
            place = _Place(span.since, of=of)
        if too_old:
            yield Delivery(query=query, asked=0, missed=None, reason=TOO_OLD)
        seen = set[_Place]()
        with self._posts() as api:
            while place.day < span.until and queries:
                seen.add(place)
                day = Span(place.day, min(place.day + DAY, span.until))
                try:
                    answer = self._page(api, queries[place.query].value, day, place.token)
                except Rejected as fault:
                    if not _of_query(fault):
                        raise Interrupted(str(fault)) from None
                    # One that X cannot read must not keep the others from being asked for.
                    place = _next(place, {}, day, len(queries))
                    yield Delivery(query=query, missed=None, reason=REFUSED, cursor=_text(place))
                    continue
                found = read(answer, (queries[place.query].brand,), f"{self.source.id}:search")
                following = _next(place, answer, day, len(queries))
                again = following in seen
                place = _next(place, {}, day, len(queries)) if again else following
                yield Delivery(
                    drafts=found.drafts, malformed=found.malformed, query=query, cost=_returned(answer),
                    cursor=_text(place), missed=None if again else 0, reason=REPEATED if again else "",
                )  # fmt: skip
                self._pace(api, more=place.day < span.until)

    def _reachable(self, span: Span) -> tuple[Span, bool]:
        """The span in X's time, with room for what the stream had not yet brought; whether it began earlier than search
        reaches. Raises Unfillable, Interrupted."""
        skew = self.access.skew
        there = self.setting.clock.now() + skew
        known = there - self.settings.search_lag
        since, until = span.since + skew - self._lateness(span.since), span.until + skew
        fresh = until - known
        if fresh > 0:
            raise Interrupted("the search of X does not know posts so young", retry_after=fresh)
        until = min(until + NOISE, known)
        if self.settings.full_archive:
            return Span(since, until), False
        if span.until + skew <= there - REACH:
            raise Unfillable("recent search reaches seven days back; `full_archive: true` where the plan has it")
        return Span(max(since, there - REACH), until), span.since + skew < there - REACH

    def _lateness(self, since: Millis) -> Millis:
        """How much of what was written before a hole the stream had not brought yet: twice as much as the latest of its
        last posts was late. Each post of that time is paid for once more."""
        late = list(self._late)
        if self._listened_since is None or since < self._listened_since or len(late) < LATENESSES // 10:
            # Of the process before.
            noted = self.setting.notes.get(LATE_NOTE)
            late = [int(noted)] if noted else [LATE]
        return min(LATE, max(LEAST_LATE, 2 * max(late)))

    def _page(self, api: Posts, value: str, day: Span, token: str | None) -> Mapping[str, Any]:
        """Raises Rejected, Interrupted, Denied."""
        search, size = (
            (api.search_all_tweets, ARCHIVE_PAGE) if self.settings.full_archive else (api.search_recent_tweets, PAGE)
        )
        asked = {
            "start_time": _second(day.since), "end_time": _second(day.until + 999), "max_results": size, **FIELDS
        }  # fmt: skip
        try:
            return whole(search(value, **asked, **({"next_token": token} if token else {})))
        except Rejected as fault:
            if token is None or fault.status != 400:
                raise
            # A page that X no longer knows: the day is asked for anew, and what came already is one post still.
            return whole(search(value, **asked))

    def _pace(self, api: Posts, more: bool) -> None:
        wait = api.until_reset()
        if more and wait is not None:
            raise Interrupted("the requests of this quarter of an hour are used up at X", retry_after=wait)
        if more and self.settings.full_archive:
            self.setting.stop.wait(ARCHIVE_PAUSE)

    def _queries(self, one: Wanted) -> list[_Query]:
        values = asked(one, shape(self.settings, self.settings.query_length, accents=False)).values
        return [_Query(one.brand, value) for value in values]

    # --- single posts ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        with self._posts() as api:
            if self.settings.sweep == "batch":
                return x_sweep.by_batch(api, native_ids, self.setting.stop, self.source.id)
            return x_sweep.by_look_up(api, native_ids, self.settings.withheld_in)

    def show(self, native_id: str) -> Found:
        with self._posts() as api:
            return x_sweep.by_look_up(api, [native_id], self.settings.withheld_in, texts=True)

    def context(self, native_id: str) -> Iterator[Delivery]:
        with self._posts() as api:
            id, above = native_id, 0
            while above < MOST_ABOVE:
                with unrejected():
                    answer = whole(api.get_tweets([id], **FIELDS))
                posts = answer.get("data")
                parent = (
                    reply_to(posts[0]) if isinstance(posts, list) and posts and isinstance(posts[0], dict) else None
                )
                found = read(answer, (), f"{self.source.id}:thread")
                yield Delivery(
                    drafts=found.drafts if id != native_id else (), malformed=found.malformed, cost=_returned(answer)
                )
                if parent is None:
                    return
                id, above = parent, above + 1

    # --- own accounts ---

    def account(self, handle: str) -> AccountState:
        """X's word of a suspended account stands in no list of its errors; its sentences say it."""
        with self._posts() as api, unrejected():
            answer = whole(api.request("GET", "/2/users/by", params={"usernames": handle}).json())
        if answer.get("data"):
            return "there"
        problem = problem_of(answer)
        if "suspend" in problem.words.lower():
            return "suspended"
        if problem.kind in x_sweep.GONE:
            return "gone"
        raise Interrupted(f"X does not say how an account stands: {problem.words}")

    # --- before it runs ---

    def sample(self, wanted: Wanted) -> Sample:
        """By the counts of seven days, which cost a request and no posts."""
        hours: Counter[str] = Counter()
        queries = self._queries(wanted)
        with self._posts() as api:
            for query in queries:
                with unrejected():
                    answer = whole(api.get_recent_tweets_count(query.value, granularity="hour"))
                for row in answer.get("data") or ():
                    hours[str(row["start"])] += int(row["tweet_count"])
        return Sample(tuple(hours[hour] for hour in sorted(hours)), asked=len(queries), cost=len(queries))

    check_used = (0, 0)

    def check(self) -> str:
        with self.access.web() as web:
            try:
                return plan(self.settings, self.access, web, self._rules.tag, self.setting.clock.now)
            finally:
                self.check_used = (web.asked + (2 if self.settings.compliance else 0), 0)

    def close(self) -> None:
        """Whatever is open belongs to a running call, which closes it."""

    @contextmanager
    def _posts(self) -> Iterator[Posts]:
        with self.access.web() as web:
            yield Posts(self.access, web)


def _place(cursor: str | None) -> _Place | None:
    try:
        return msgspec.json.decode(cursor, type=_Place) if cursor else None
    except msgspec.MsgspecError:
        return None


def _next(place: _Place, answer: Mapping[str, Any], day: Span, queries: int) -> _Place:
    token = (answer.get("meta") or {}).get("next_token")
    if token:
        return _Place(place.day, place.query, str(token), place.of)
    if place.query + 1 < queries:
        return _Place(place.day, place.query + 1, None, place.of)
    return _Place(day.until, 0, None, place.of)


def _text(place: _Place) -> str:
    return msgspec.json.encode(place).decode()


def _of_query(fault: Rejected) -> bool:
    """Whether X says that it is the query which is wrong, and not the time asked for."""
    errors = fault.body.get("errors")
    named = {
        name
        for one in (errors if isinstance(errors, list) else [])
        if isinstance(one, dict) and isinstance(one.get("parameters"), dict)
        for name in one["parameters"]
    }
    said = fault.problem.words
    return fault.status == 400 and (named == {"query"} if named else "query" in said and "_time" not in said)


def _returned(answer: Mapping[str, Any]) -> int:
    """Posts that are paid for."""
    data = answer.get("data")
    return len(data) if isinstance(data, list) else int(data is not None)


def _second(time: Millis) -> str:
    return datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
