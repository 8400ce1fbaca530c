"""Bluesky: every public post as it is written, by Jetstream; those kept that may be about a brand.

Deletes and account changes come in the stream, and it is rewound after a cut. Reach, threads and authors' handles are
looked up at the AppView (`app.bsky.*` of public.api.bsky.app), which needs no account. `searchPosts` wants a login and
is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from urllib.parse import urlencode

import msgspec

from config.brands import Brand
from config.sources.bluesky import BlueskySource
from ingest.collector import (
    AccountState,
    CursorLost,
    Delivery,
    Denied,
    Draft,
    Existence,
    Found,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
    Unfillable,
)
from ingest.networks.bluesky_people import People
from ingest.networks.bluesky_posts import (
    Content,
    Record,
    Thread,
    View,
    around,
    content,
    own_brands,
    post_draft,
    uri,
    view_draft,
)
from ingest.networks.bluesky_stream import Connection, Cursor, Dictionary, Event, Instance, dictionary
from ingest.setting import Setting
from ingest.wanted import Wanted
from ingest.web import Refused, Web
from query.prefilter import compile_prefilter
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import CONTENT_KINDS, Author, Millis, PostKind

EVERY: Millis = SECOND // 2
"""A delivery comes at least so often."""
MOST_EVENTS = 5_000
"""Of one delivery."""
SLICE = 0.1
"""Seconds that are waited for an event before anything else is looked at."""
TIP: Millis = 10 * SECOND
"""A stream that was silent for so long has nothing older to bring."""
SLACK: Millis = 10 * MINUTE
"""A first event so much later than was asked for: an instance of version 1 does not reach back."""
HOURS = 24
SAMPLED: Millis = MINUTE
"""Of each of these hours, for an estimate."""
ABOVE, BELOW = 80, 6
"""Posts of a thread over the one asked for, and levels under it."""
_GONE = frozenset({"deleted", "takendown", "suspended", "deactivated"})


def collector(settings: BlueskySource, setting: Setting) -> Bluesky:
    return Bluesky(settings, setting)


class Bluesky:
    style: Style = "stream"
    resumes = True
    interval: Millis = EVERY
    most_looked_up = 25

    def __init__(self, settings: BlueskySource, setting: Setting) -> None:
        self.source = msgspec.structs.replace(setting.source, firehose=True)
        self._settings, self._setting, self._clock = settings, setting, setting.clock
        self._instances = [Instance.at(address) for address in settings.hosts]
        self._turn = self._failed = 0
        self._seconds = settings.timeout / 1_000
        self._dictionaries: dict[str, Dictionary | None] = {}
        self._people = People(
            Web(settings.api, timeout=min(5.0, settings.timeout / 1_000)),
            setting.clock,
            setting.wanted,
            settings.profiles_per_minute,
        )

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        at = None if cursor is None else Cursor.read(cursor)
        with self._open(at) as stream:
            self._failed = 0
            here = Cursor(stream.instance.version, stream.instance.host, 0, self._clock.wall() * 1_000)
            # Whoever is killed before the first event goes on from here, not from when it is started again.
            yield Delivery(cursor=str(at or here), reached=None if at is None else at.time_us // 1_000)
            yield from self._listen(stream, at)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """By an instance's own memory, which is a day to a day and a half."""
        since = int(cursor) if cursor is not None and cursor.isdecimal() else span.since * 1_000
        with self._open(_at_time(since)) as stream:
            yield from self._between(stream, since, span)

    def close(self) -> None:
        self._people.close()

    # --- a connection ---

    @contextmanager
    def _open(self, at: Cursor | None) -> Iterator[Connection]:
        """To the instance whose turn it is; it is the next one's after any fault."""
        instance = self._instances[self._turn % len(self._instances)]
        try:
            if self._settings.compress and instance.version == 2 and instance.host not in self._dictionaries:
                self._dictionaries[instance.host] = dictionary(instance, self._seconds)
            with closing(Connection(instance, at, self._dictionaries.get(instance.host), self._seconds)) as stream:
                yield stream
        except (Interrupted, Denied) as fault:
            self._dictionaries.pop(instance.host, None)
            self._turn += 1
            self._failed += 1
            if isinstance(fault, Denied) and self._failed < len(self._instances):
                raise Interrupted(str(fault)) from None
            raise

    def _listen(self, stream: Connection, at: Cursor | None) -> Iterator[Delivery]:
        heard = self._clock.steady()
        batch = Batch(heard, self._people.own())
        reached = None if at is None else at.time_us
        asked_from = reached if stream.instance.version == 1 else None
        while True:
            event = self._next(stream, batch)
            now = self._clock.steady()
            if event is not None:
                if event.kind == "outdated" or (
                    asked_from is not None and event.time_us - asked_from > SLACK * 1_000 and event.time_us
                ):
                    raise CursorLost(f"{stream.instance.host} does not reach back to the cursor any more")
                heard, asked_from = now, None
                reached = self._take(event, batch, stream.instance) or reached
            elif now - heard > self._settings.silence:
                since = None if reached is None else reached // 1_000
                raise Interrupted(f"{stream.instance.host} fell silent", since=since)
            stopped = self._setting.stop.is_set()
            if stopped or now - batch.began >= EVERY or batch.events >= MOST_EVENTS:
                yield self._delivery(batch, reached if now - heard < TIP else None)
                batch = Batch(now, self._people.own())
            if stopped:
                return

    def _between(self, stream: Connection, since: int, span: Span) -> Iterator[Delivery]:
        """What an instance has of a span, from `since` (microseconds) on."""
        heard = self._clock.steady()
        batch, reached = Batch(heard, self._people.own()), since
        slack = SLACK * 1_000 if stream.instance.version == 1 else None
        first, over = True, False
        while not over:
            event = self._next(stream, batch)
            now = self._clock.steady()
            if event is None:
                over = now - heard > TIP or self._setting.stop.is_set()
                if over and (first or not stream.answers(self._seconds)):
                    raise Interrupted(f"{stream.instance.host} is silent")
            elif event.kind == "outdated":
                slack = 0
            else:
                heard, over = now, event.time_us >= span.until * 1_000
                if first and slack is not None and event.time_us - since > slack:
                    if over:
                        raise Unfillable(f"{stream.instance.host} keeps nothing that old")
                    yield Delivery(asked=0, missed=None, reason="the instance keeps nothing that old")
                first = False
                if not over:
                    reached = self._take(event, batch, stream.instance) or reached
            if over or now - batch.began >= EVERY or batch.events >= MOST_EVENTS:
                yield self._delivery(batch, None, cursor=str(reached))
                batch = Batch(now, self._people.own())

    def _next(self, stream: Connection, batch: Batch) -> Event | None:
        """What is no event is kept for the dead letters where it may name a brand: anyone can write anything here."""
        frame = b""
        try:
            frame = stream.next(SLICE) or b""
            return stream.read(frame) if frame else None
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as fault:
            batch.events += 1
            wanted = self._setting.prefilter
            if wanted is None or wanted(frame.decode("utf-8", "replace")):
                place = f"{self.source.id}:{stream.instance.host}"
                batch.malformed.append(Malformed(place, f"no event of Jetstream: {fault}"[:300], frame))
            return None

    # --- an event ---

    def _take(self, event: Event, batch: Batch, instance: Instance) -> int | None:
        """The event's time, in microseconds, where it has one that can be gone on from."""
        batch.events += 1
        draft = self._draft(event, batch)
        if draft is not None:
            batch.drafts.append(draft)
        if not event.time_us:
            return None
        time_us = min(event.time_us, (self._clock.wall() + DAY) * 1_000)
        batch.cursor = Cursor(instance.version, instance.host, event.seq, time_us)
        return time_us

    def _draft(self, event: Event, batch: Batch) -> Draft | None:
        seen_at = event.time_us // 1_000 or None
        if event.kind == "identity":
            self._people.renamed(event.did)
            return None
        if event.kind == "account":
            if not event.active and event.status not in _GONE:
                return None
            what: PostKind = "author_back" if event.active else "author_gone"
            return Draft(native_id=event.did, kind=what, author=Author(id=event.did), seen_at=seen_at)
        if event.operation == "delete":
            return Draft(native_id=uri(event.did, event.rkey), kind="deleted", seen_at=seen_at)
        if event.operation not in ("create", "update") or event.record is None:
            return None
        return self._post(event, event.record, batch, seen_at)

    def _post(self, event: Event, record: Record, batch: Batch, seen_at: Millis | None) -> Draft | None:
        said = content(record)
        brands = own_brands(record, batch.own)
        edited = event.operation == "update"
        if not (brands or edited or event.did in batch.own or self._passes(said)):
            batch.filtered += 1
            return None
        kind: PostKind = "edited" if edited else "created"
        return post_draft(event.did, event.rkey, record, said, kind=kind, seen_at=seen_at, brands=brands)

    def _passes(self, said: Content) -> bool:
        wanted = self._setting.prefilter
        return wanted is None or wanted(said.text if said.title is None else f"{said.title}\n{said.text}")

    def _delivery(self, batch: Batch, reached: int | None, cursor: str | None = None) -> Delivery:
        if cursor is None and batch.cursor is not None:
            cursor = str(batch.cursor)
        return Delivery(
            drafts=self._named(batch.drafts),
            malformed=batch.malformed,
            cursor=cursor,
            asked=0,
            filtered=batch.filtered,
            reached=None if reached is None else reached // 1_000,
        )

    def _named(self, drafts: Sequence[Draft]) -> list[Draft]:
        """With the authors' handles, names and reach, as far as they can be looked up now."""
        posts = {draft.native_id: draft.author.id for draft in drafts if draft.author and draft.kind in CONTENT_KINDS}
        found = self._people.authors(posts.values()) if posts else {}
        return [
            msgspec.structs.replace(draft, author=author)
            if draft.kind in CONTENT_KINDS and (author := found.get(posts.get(draft.native_id, "")))
            else draft
            for draft in drafts
        ]

    # --- single posts ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        with self._web() as web:
            query = urlencode([("uris", native_id) for native_id in native_ids])
            views = web.get(f"/xrpc/app.bsky.feed.getPosts?{query}").decoded(_Posts).posts
        now = self._clock.now()
        existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
        existence.update({view.uri: "there" for view in views if view.uri in existence})
        return Found(existence=existence, drafts=[view_draft(view, "metrics", now) for view in views])

    def context(self, native_id: str) -> Iterator[Delivery]:
        with self._web() as web:
            asked: dict[str, str | int] = {"uri": native_id, "parentHeight": ABOVE, "depth": BELOW}
            try:
                answer = web.get("/xrpc/app.bsky.feed.getPostThread", asked)
            except Refused as refusal:
                if "NotFound" in refusal.said:
                    return
                raise
        yield Delivery(drafts=[view_draft(view) for view in around(answer.decoded(_Threads).thread)])

    # --- an account ---

    def account(self, handle: str) -> AccountState:
        """By `app.bsky.actor.getProfile`, which names the reason where it shows no profile."""
        name = handle if "." in handle or handle.startswith("did:") else f"{handle}.bsky.social"
        with self._web() as web:
            try:
                answer = web.get("/xrpc/app.bsky.actor.getProfile", {"actor": name})
            except Refused as refusal:
                if "AccountTakedown" in refusal.said:
                    return "suspended"
                if "AccountDeactivated" in refusal.said or "not found" in refusal.said.lower():
                    return "gone"
                raise
        profile = answer.decoded(_Profile)
        return "limited" if any(label.val in _HIDDEN for label in profile.labels) else "there"

    # --- before it is switched on ---

    def check(self) -> str:
        with self._open(None) as stream:
            for _ in range(round(10 / SLICE)):
                if self._next(stream, Batch(0, {})) is not None:
                    return (
                        f"{stream.instance.host} sends posts (Jetstream version {stream.instance.version}); "
                        "no account is needed"
                    )
        raise Interrupted(f"{stream.instance.host} was reached and sent nothing in 10 seconds")

    def sample(self, wanted: Wanted) -> Sample:
        """A minute of each of the last 24 hours, as far as an instance keeps them, times 60."""
        matches = compile_prefilter([_brand(wanted)])
        now = self._clock.wall()
        found: list[int] = []
        for ago in range(HOURS, 0, -1):
            since = now - ago * HOUR
            with self._open(_at_time(since * 1_000)) as stream:
                count = self._count(stream, Span(since, since + SAMPLED), matches)
            if count is not None or found:
                found.append(60 * (count or 0))
        return Sample(tuple(found), asked=HOURS)

    def _count(self, stream: Connection, span: Span, matches: Callable[[str], bool]) -> int | None:
        """New posts of a span that match; None where the instance does not reach back to it."""
        count, heard, first = 0, self._clock.steady(), True
        while not self._setting.stop.is_set():
            event = self._next(stream, Batch(0, {}))
            now = self._clock.steady()
            if event is None:
                if now - heard > TIP:
                    break
                continue
            heard, at = now, event.time_us // 1_000
            if event.kind == "outdated" or (first and at - span.since > HOUR):
                return None
            if at >= span.until:
                break
            first = False
            if at >= span.since and event.operation == "create" and event.record is not None:
                count += matches("\n".join(filter(None, content(event.record))))
        return count

    def _web(self) -> Web:
        return Web(self._settings.api, timeout=self._seconds)


class Batch:
    """What came since the last delivery."""

    def __init__(self, began: Millis, own: Mapping[str, Sequence[str]]) -> None:
        """`own`: brands by the DIDs of their accounts."""
        self.began, self.own = began, own
        self.drafts: list[Draft] = []
        self.malformed: list[Malformed] = []
        self.events = self.filtered = 0
        self.cursor: Cursor | None = None


class _Posts(msgspec.Struct, frozen=True):
    posts: list[View] = []


class _Threads(msgspec.Struct, frozen=True):
    thread: Thread


class _Label(msgspec.Struct, frozen=True):
    val: str = ""


class _Profile(msgspec.Struct, frozen=True):
    did: str
    labels: list[_Label] = []


_HIDDEN = frozenset({"!hide", "!takedown", "!suspend"})
"""Labels by which a moderator takes an account out of sight."""


def _at_time(time_us: int) -> Cursor:
    return Cursor(0, "", 0, time_us)


def _brand(wanted: Wanted) -> Brand:
    name, *aliases = wanted.phrases or (wanted.brand,)
    return Brand(
        id=wanted.brand, name=name, aliases=tuple(aliases), handles=wanted.handles, hashtags=wanted.hashtags,
        accounts=wanted.accounts,
    )  # fmt: skip
