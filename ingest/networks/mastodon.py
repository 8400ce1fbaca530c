"""Mastodon: hashtags and public posts of several servers, by their streams or, where they have none, their timelines.

A stream brings posts, edits and deletes as they come; what a cut missed is asked for by timelines, which page forward
by `min_id`, so that nothing between two pages is skipped. Ids begin with the time of a post's creation, and posts of
other servers arrive late: each reading begins some minutes earlier. Follows docs.joinmastodon.org: methods/streaming,
methods/timelines, methods/statuses, entities/Status.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from threading import Event, Lock
from urllib.parse import quote, urlsplit

import msgspec

from config.sources.mastodon import MastodonSource
from ingest.collector import (
    AccountState,
    Delivery,
    Denied,
    Draft,
    Existence,
    Found,
    Hole,
    Interrupted,
    Malformed,
    Sample,
    Span,
    Style,
    Unfillable,
    by_hour,
)
from ingest.cursors import closed, opened
from ingest.dates import iso_millis
from ingest.markup import words_of
from ingest.names import Names
from ingest.networks.mastodon_ids import Ids
from ingest.networks.mastodon_lanes import Lanes, Waits
from ingest.networks.mastodon_posts import (
    Context,
    Page,
    Standing,
    Status,
    Timeline,
    draft_of,
    page_of,
)
from ingest.networks.mastodon_stream import Stream, streaming_address
from ingest.server_sent import Event as StreamEvent
from ingest.setting import Setting
from ingest.wanted import Wanted
from ingest.web import Unending, Web, told_time
from query.text import analyse
from stream.clock import HOUR
from stream.records import Millis, PostKind

PAGE = 40
"""Posts of a page, the most that a server gives."""
MOST_PAGES = 1_000
"""Of one timeline and round."""
REMEMBERED = 50_000
TIME_BITS = 16
"""Bits of an id below its time in milliseconds (Mastodon::Snowflake)."""
LATE: Millis = 5_000
"""What a stream brings was written so much earlier at most, and a server's clock is known no better."""
LEFT_OUT_EVERY: Millis = 60_000
SAMPLED_PAGES, SAMPLED_HOURS = 10, 24
NOTHING_ASKED = "give the brands hashtags, or set `hashtags` or `public` of the source"
Places = dict[str, int]
"""Highest id seen, by timeline."""
_POSTS = frozenset({"update", "status.update"})


def collector(settings: MastodonSource, setting: Setting) -> Mastodon:
    return Mastodon(settings, setting)


class Mastodon:
    most_looked_up = 10

    def __init__(self, settings: MastodonSource, setting: Setting) -> None:
        self.source = msgspec.structs.replace(setting.source, firehose=True)
        self.style: Style = "stream" if settings.streaming else "poll"
        self.resumes = not settings.streaming
        self.interval = settings.interval
        self._settings, self._setting = settings, setting
        self._webs = {instance: self._web(instance) for instance in settings.instances}
        self._seen: OrderedDict[str, str] = OrderedDict()
        """When the version was edited that came last, by address."""
        self._ids = Ids(settings.instances, settings.remember, setting.notes, setting.clock)
        self._waits = Waits(setting.clock)
        self._turns = {instance: Lock() for instance in settings.instances}
        self._skew: dict[str, Millis] = {}
        """How far a server's clock is ahead of ours."""
        self._gone: list[tuple[str, str, str]] = []
        self._addresses: dict[str, str] = dict(settings.streaming_urls)

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        return self._streamed() if self._settings.streaming else self._polled(cursor)

    def close(self) -> None:
        for web in self._webs.values():
            web.close()

    def _timelines(self) -> Iterator[Timeline]:
        return self._shown_to(self._setting.wanted())

    def _shown_to(self, asked: Sequence[Wanted]) -> Iterator[Timeline]:
        for instance in self._settings.instances:
            if self._settings.public:
                yield Timeline(instance)
            for tag in self._settings.hashtags:
                yield Timeline(instance, _tag(tag))
            for one in asked:
                for tag in one.hashtags:
                    yield Timeline(instance, _tag(tag), one.brand)

    # --- streams ---

    def _streamed(self) -> Iterator[Delivery]:
        self._seen.clear()
        clock, stop = self._setting.clock, self._setting.stop
        lanes = Lanes(
            self._affordable, self._connect, self._understood, clock, stop, patience=3 * self._settings.timeout
        )
        told = clock.steady() - LEFT_OUT_EVERY
        with closing(lanes):
            for delivery in lanes.deliveries():
                yield delivery
                if clock.steady() - told >= LEFT_OUT_EVERY:
                    told = clock.steady()
                    yield from self._left_out()

    def _left_out(self) -> Iterator[Delivery]:
        for one in self._setting.wanted():
            if one.hashtags and not self._setting.allowed(one.brand):
                yield Delivery(query=one.brand, asked=0, missed=None, reason="spend cap")

    def _affordable(self) -> list[Timeline]:
        return [one for one in self._timelines() if not one.brand or self._setting.allowed(one.brand)]

    def _connect(self, timeline: Timeline, leave: Event) -> Stream:
        """Called from the lane's thread. A server is asked for one stream after the other: when it wants to be left
        alone, that counts for all of its lanes."""
        instance = timeline.instance
        with self._turns[instance]:
            if leave.is_set():
                raise Interrupted("it was stopped")
            self._waits.check(instance)
            try:
                answer, web = self._opened(timeline)
            except (Interrupted, Denied) as fault:
                self._waits.heed(instance, fault)
                raise
        self._note_clock(instance, answer.headers)
        return Stream(web, answer)

    def _opened(self, timeline: Timeline) -> tuple[Unending, Web]:
        instance = timeline.instance
        if instance not in self._addresses:
            with self._web(instance) as web:
                self._addresses[instance] = streaming_address(instance, web)
        web = self._web(instance, self._addresses[instance])
        try:
            path, params = timeline.stream
            answer = web.listen(path, params, silence=self._settings.silence / 1_000)
            if "text/event-stream" not in answer.headers.get("content-type", ""):
                answer.close()
                raise Interrupted(f"{timeline.name} answers with no stream")
        except BaseException:
            web.close()
            raise
        return answer, web

    def _understood(self, timeline: Timeline, events: Sequence[StreamEvent]) -> Delivery:
        """What a lane brought."""
        statuses: list[Status] = []
        malformed: list[Malformed] = []
        gone: list[str] = []
        for event in events:
            if event.overlong:
                malformed.append(Malformed(timeline.name, "an event of the stream that is too long", b""))
            elif event.name in _POSTS:
                try:
                    status = msgspec.json.decode(event.data, type=Status)
                    int(status.id)
                    statuses.append(status)
                except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as fault:
                    malformed.append(Malformed(timeline.name, f"no status: {fault}"[:300], event.data))
            elif event.name == "delete":
                gone.append(event.data.decode("utf-8", "replace").strip().strip('"')[:40])
        drafts = self._fresh(timeline.instance, statuses)
        self._keep(drafts)
        drafts += self._deleted(timeline.instance, gone)
        return Delivery(drafts=drafts, malformed=malformed, query=timeline.name, asked=0, payer=timeline.brand)

    def _deleted(self, instance: str, ids: Sequence[str]) -> list[Draft]:
        """A post that nobody here ever saw needs no delete."""
        for before in self._gone:
            self._ids.drop(*before)
        self._gone.clear()
        if not ids:
            return []
        known = self._ids.uris(instance, ids)
        # Forgotten once the delete is durable, which it is when the next delivery is made.
        self._gone += [(instance, id, uri) for id, uri in known.items()]
        for uri in known.values():
            self._seen.pop(uri, None)
        return [Draft(native_id=uri, kind="deleted") for uri in known.values()]

    # --- timelines ---

    def _polled(self, cursor: str | None) -> Iterator[Delivery]:
        places = opened(cursor, Places, "Mastodon's")
        for timeline in self._timelines():
            if timeline.brand and not self._setting.allowed(timeline.brand):
                yield Delivery(query=timeline.brand, asked=0, missed=None, reason="spend cap")
                continue
            if timeline.name not in places:
                newest = self._page(self._webs[timeline.instance], timeline, {"limit": 1})
                places[timeline.name] = newest.last
                yield Delivery(cursor=closed(places), query=timeline.name, payer=timeline.brand)
                continue
            yield from self._forward(timeline, places)

    def _forward(self, timeline: Timeline, places: dict[str, int]) -> Iterator[Delivery]:
        """What came since; the cursor moves page by page, from the oldest on."""
        known = places[timeline.name]
        again = self._settings.look_back if timeline.tag else 0
        begin = max(known - (again << TIME_BITS), 0)
        for number, page in enumerate(self._pages(self._webs[timeline.instance], timeline, begin)):
            places[timeline.name] = max(known, page.last)
            drafts = self._fresh(timeline.instance, page.statuses)
            self._keep(drafts)
            yield Delivery(
                drafts=drafts,
                malformed=page.malformed,
                query=timeline.name,
                cursor=closed(places),
                payer=timeline.brand,
            )
            if number >= MOST_PAGES or self._setting.stop.is_set():
                return

    def _pages(self, web: Web, timeline: Timeline, begin: int) -> Iterator[Page]:
        while True:
            page = self._page(web, timeline, {"limit": PAGE, "min_id": str(begin)})
            yield page
            if page.size == 0 or page.last <= begin:
                return
            begin = page.last

    def _page(self, web: Web, timeline: Timeline, params: Mapping[str, str | int]) -> Page:
        answer = web.get(timeline.path, params)
        self._note_clock(timeline.instance, answer.headers)
        return page_of(answer, timeline)

    def _fresh(self, instance: str, statuses: Sequence[Status]) -> list[Draft]:
        """Of what everybody may see, the versions that were not seen before, oldest first."""
        drafts: list[Draft] = []
        for status in sorted(statuses, key=lambda status: int(status.id)):
            self._ids.see(instance, status)
            edited = status.edited_at or ""
            if status.shown and not (status.uri in self._seen and edited <= self._seen[status.uri]):
                self._seen[status.uri] = edited
                drafts.append(draft_of(instance, status, self._ids.seen(instance)))
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return drafts

    def _keep(self, drafts: Sequence[Draft]) -> None:
        """Which post is meant by an id is kept of those that may be about a brand."""
        wanted = self._setting.prefilter
        self._ids.keep([draft.native_id for draft in drafts if wanted is None or wanted(_words(draft))])

    # --- what was missed ---

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        """By the timelines, the oldest first. A server that does not answer keeps the others from nothing: what it
        misses becomes a hole of its own."""
        timelines = {one.name: one for one in self._affordable() if query in ("", one.name, one.brand)}
        if query and not timelines:
            raise Unfillable("this is not asked for any more")
        places, failed = opened(cursor, Places, "Mastodon's"), dict[str, Interrupted]()
        for timeline in timelines.values():
            try:
                with self._web(timeline.instance) as web:
                    yield from self._filled(web, timeline, span, places, query)
            except Interrupted as fault:
                self._waits.heed(timeline.instance, fault)
                if query or self._setting.stop.is_set():
                    raise
                failed[timeline.name] = fault
        if failed and len(failed) == len(timelines):
            raise next(iter(failed.values()))
        for name, why in failed.items():
            yield Delivery(query=name, asked=0, hole=Hole(span.since, span.until, why.reason))
        yield from self._left_out()

    def _filled(
        self, web: Web, timeline: Timeline, span: Span, places: dict[str, int], query: str
    ) -> Iterator[Delivery]:
        """The span in the server's time, and what is late in it."""
        instance = timeline.instance
        self._waits.check(instance)
        if instance not in self._skew:
            self._page(web, timeline, {"limit": 1})
        skew = self._skew.get(instance, 0)
        since = max(span.since + min(0, skew) - self._settings.look_back - LATE, 0)
        until = span.until + max(0, skew) + LATE
        begin = places.get(timeline.name, since << TIME_BITS)
        for page in self._pages(web, timeline, begin):
            places[timeline.name] = max(page.last, begin)
            for status in page.statuses:
                self._ids.see(instance, status)
            drafts = [draft_of(instance, one, self._ids.seen(instance)) for one in page.statuses if one.shown]
            self._keep(drafts)
            yield Delivery(
                drafts=drafts, malformed=page.malformed, query=query, cursor=closed(places), payer=timeline.brand
            )
            if page.last >> TIME_BITS >= until:
                return
            if self._setting.stop.is_set():
                raise Interrupted("it was stopped")

    # --- single posts ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        """One request each; of a post whose server is not asked, nothing is learnt."""
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        asked = 0
        for native_id in native_ids:
            place = self._ids.place(native_id)
            existence[native_id] = "there"
            if place is None:
                continue
            with self._web(place[0]) as web:
                answer = web.get(f"/api/v1/statuses/{quote(place[1], safe='')}")
            asked += 1
            if answer.status in (404, 410):
                existence[native_id] = "gone"
                continue
            status = answer.decoded(Status)
            kind: PostKind = "metrics" if status.edited_at is None else "edited"
            draft = draft_of(place[0], status, self._ids.seen(place[0]))
            drafts.append(msgspec.structs.replace(draft, kind=kind))
        return Found(existence=existence, drafts=drafts, asked=asked)

    def context(self, native_id: str) -> Iterator[Delivery]:
        place = self._ids.place(native_id)
        if place is None:
            return
        with self._web(place[0]) as web:
            answer = web.get(f"/api/v1/statuses/{quote(place[1], safe='')}/context")
        if answer.status in (404, 410):
            return
        found = answer.decoded(Context)
        for status in (*found.ancestors, *found.descendants):
            self._ids.see(place[0], status)
        shown = [one for one in (*reversed(found.ancestors), *found.descendants) if one.shown]
        yield Delivery(drafts=[draft_of(place[0], status, self._ids.seen(place[0])) for status in shown])

    # --- before it is switched on ---

    def check(self) -> str:
        for timeline in self._timelines():
            with self._web(timeline.instance) as web:
                self._page(web, timeline, {"limit": 1})
            if not self._settings.streaming:
                return f"{timeline.host} shows its timelines"
            self._connect(timeline, self._setting.stop).close()
            return f"{timeline.host} shows its timelines and streams them"
        raise Denied(f"nothing is asked for: {NOTHING_ASKED}")

    def sample(self, wanted: Wanted) -> Sample:
        """Of the last day: what the brand's hashtags brought, and what names it below the source's own."""
        now, names = self._setting.clock.now(), Names(wanted)
        times: dict[str, Millis] = {}
        asked, capped = 0, False
        for timeline in self._shown_to((wanted,)):
            before: dict[str, str | int] = {}
            for _ in range(SAMPLED_PAGES):
                with self._web(timeline.instance) as web:
                    page = self._page(web, timeline, {"limit": PAGE, **before})
                asked += 1
                written = {one.uri: iso_millis(one.created_at) or now for one in page.statuses}
                times |= {
                    one.uri: written[one.uri]
                    for one in page.statuses
                    if timeline.brand or names.hold(analyse(words_of(one.content)).surfaces)
                }
                if not written or min(written.values()) <= now - SAMPLED_HOURS * HOUR:
                    break
                before = {"max_id": min(page.statuses, key=lambda one: int(one.id)).id}
            else:
                capped = True
        if not asked:
            raise Denied(f"{wanted.brand} is not asked for here: {NOTHING_ASKED}")
        return Sample(by_hour(times.values(), now, SAMPLED_HOURS), asked=asked, capped=capped)

    def account(self, handle: str) -> AccountState:
        """By `accounts/lookup` of its own server where that is asked, else of the first one."""
        name, _, host = handle.partition("@")
        own = [one for one in self._settings.instances if urlsplit(one).netloc == host]
        with self._web((own or list(self._settings.instances))[0]) as web:
            answer = web.get("/api/v1/accounts/lookup", {"acct": name if own or not host else handle})
        if answer.status in (404, 410):
            return "gone"
        found = answer.decoded(Standing)
        return "suspended" if found.suspended else "limited" if found.limited else "there"

    def _web(self, instance: str, address: str = "") -> Web:
        """`address`: where it streams, if that is elsewhere."""
        name = self._settings.token_envs.get(instance)
        token = None if name is None else self._setting.secret(name)
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return Web(address or instance, headers, timeout=self._settings.timeout / 1_000)

    def _note_clock(self, instance: str, headers: Mapping[str, str]) -> None:
        there = told_time(headers)
        if there is not None:
            self._skew[instance] = there - self._setting.clock.now()


def _words(draft: Draft) -> str:
    who = draft.author.handle if draft.author is not None else None
    return "\n".join((draft.title or "", draft.text, who or ""))


def _tag(tag: str) -> str:
    return tag.lstrip("#").casefold()
