"""News and blogs: RSS and Atom feeds, each looked at politely, edits told from what is new, lost entries admitted.

A feed shows its last entries only. Those of the last look are remembered; when none of them is shown any more, some
were missed in between, and the ledger says so. Feeds fail on their own: one that answers badly waits by itself, and
only when none answers the source counts as cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec
import structlog

from config.sources.feeds import FeedsSource
from ingest.collector import Collector, Delivery, Denied, Draft, Interrupted, Sample, Span, Unfillable
from ingest.cursors import closed, opened
from ingest.last_week import LastWeek
from ingest.networks.feeds_entries import LONGEST_FRESH, Entry, Feed, Unreadable, read_feed
from ingest.networks.feeds_hub import FeedsPush, Hub, Hubs, feed_key, hub_of
from ingest.networks.feeds_pages import Pages, Unread, Waiting, wants_page
from ingest.networks.feeds_seen import Seen, dated, remembered, short, unread_of
from ingest.patience import Backoff
from ingest.push import Push
from ingest.setting import Setting
from ingest.wanted import Wanted
from ingest.web import Answer, Refused, Web
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Millis

MOST_BYTES = 10_000_000
MOST_HOPS = 5
NEWEST = 5
"""Entries by which the next look knows that it follows on: one of them has to be there. Not all that was shown, since
some feeds pin an old entry."""
CURSOR_EVERY: Millis = SECOND
GONE_AGAIN: Millis = DAY
LONGEST_BACKOFF: Millis = HOUR
ROUND: Millis = MINUTE
ROUND_OF_PAGES: Millis = 5 * SECOND
LONGEST_READING: Millis = 30 * SECOND
"""What a round reads pages for, at most, unless a feed is due before."""
SHORTEST_READING: Millis = 3 * SECOND
"""And at least, should feeds be due all the time."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})")
_MOVED = frozenset({301, 302, 303, 307, 308})
_FOR_GOOD = frozenset({301, 308})
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"

_log = structlog.get_logger(__name__)


class Feeds:
    """Keeps `Collector`, `Estimable`, `Checkable`."""

    style: Literal["stream", "poll"] = "poll"
    resumes = True

    def __init__(self, settings: FeedsSource, setting: Setting) -> None:
        self.source = msgspec.structs.replace(setting.source, network=settings.network, firehose=not settings.brands)
        self.interval = min(settings.every, ROUND_OF_PAGES if settings.full_text else ROUND)
        self._settings, self._setting = settings, setting
        self._web = self._new_web()
        self._pages = Pages(settings, setting, self.source) if settings.full_text else None
        self._week = LastWeek(self._shown, self.source, setting.clock)
        self._due: dict[str, Millis] = dict.fromkeys(settings.urls, 0)
        """By `clock.steady()`."""
        self._backoff: dict[str, Backoff] = {}
        self._down: dict[str, Interrupted | Denied] = {}
        """What each feed said at its last look, where that was no answer."""
        self._told: set[tuple[str, str]] = set()
        self._hubs = Hubs(settings, setting)
        self._discovered: set[str] = set()
        """Feeds of which it is known whether they name a hub."""
        self._crowded: set[str] = set()
        """Feeds that show too few entries to be looked at seldom."""

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        """A look at each feed that is due, then some pages of entries. Raises what a feed raised while none answers,
        due or not."""
        seen = self._left(opened(cursor, dict[str, Seen], "feeds'"))
        if self._pages is not None:
            self._pages.check()
        if self._settings.websub and not self._hubs.used:
            self._tell("", "websub", "websub needs a public_url under api, and a secret of 16 characters (secret_env)")
        self._look_at_what_was_pushed()
        faults: dict[str, Interrupted | Denied] = {}
        answered, written = False, self._setting.clock.steady()
        for url in self._settings.urls:
            if self._setting.stop.is_set():
                return
            if self._due[url] > self._setting.clock.steady():
                continue
            try:
                found = self._look(url, seen)
            except (Interrupted, Denied) as fault:
                faults[url] = self._down[url] = fault
                self._wait_for(url, fault)
                continue
            answered = True
            self._down.pop(url, None)
            yield from found
            if self._setting.clock.steady() - written >= CURSOR_EVERY:
                written = self._setting.clock.steady()
                yield Delivery(asked=0, cursor=closed(seen))
        if len(self._down) == len(self._settings.urls):
            raise self._nobody_answers(asked=bool(faults))
        for url, missing in faults.items():
            yield self._missing(url, seen, missing)
        if answered or faults:
            yield Delivery(asked=0, cursor=closed(seen))
        if self._pages is not None:
            yield from self._read_pages(self._pages, seen)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        raise Unfillable("a feed shows its last entries only")

    def sample(self, wanted: Wanted) -> Sample:
        """Of the last week's entries, as far as the feeds show them."""
        return self._week.sample(wanted)

    def _shown(self, span: Span) -> Iterator[Delivery]:
        """All entries of each feed. Raises Interrupted, Denied where none answers."""
        fault: Interrupted | Denied | None = None
        answered = False
        with self._new_web() as web:
            for url in self._settings.urls:
                try:
                    feed = self._read(*self._ask(web, url, Seen()))
                except (Interrupted, Denied) as passing:
                    fault = passing
                    yield Delivery(asked=web.used(), missed=None)
                    continue
                answered = True
                short = min(map(_when, feed.entries), default=0) > span.since or feed.left_out
                drafts = [entry.draft for entry in feed.entries]
                yield Delivery(drafts=drafts, asked=web.used(), missed=None if short else 0)
        if fault is not None and not answered:
            raise fault

    def check(self) -> str:
        """Looks at the first feed."""
        if self._pages is not None:
            self._pages.check()
        with self._new_web() as web:
            feed = self._read(*self._ask(web, self._settings.urls[0], Seen()))
        return f"{_name(self._settings.urls[0])} answers with {len(feed.entries)} entries"

    def close(self) -> None:
        self._web.close()
        if self._pages is not None:
            self._pages.close()

    # --- one feed ---

    def _look(self, url: str, seen: dict[str, Seen]) -> list[Delivery]:
        """What is new of one feed; `seen` is brought up to date. Raises Interrupted, Denied."""
        before = seen.get(_key(url), Seen())
        known = not self._hubs.used or bool(before.hub) or url in self._discovered
        if self._pages is not None:
            # After a restart its entries are needed once more.
            known = known and all(self._pages.waits(_key(url), key) for key in before.unread)
        answer, place = self._ask(self._web, url, before if known else Seen())
        self._backoff.pop(url, None)
        now = self._setting.clock.now()
        if answer.status == 304:
            seen[_key(url)] = self._pushed(url, place, msgspec.structs.replace(before, at=now, failing=0))
            self._fresh_for(url, answer, 0)
            return [Delivery(), *_answers_again(url, before, now, missed=0)]
        feed = self._read(answer, place)
        malformed = [one for key, one in feed.malformed if key not in before.entries]
        drafts, unread = self._news(url, feed, before, now)
        lost = bool(before.newest and feed.entries) and set(before.newest).isdisjoint(e.key for e in feed.entries)
        self._discovered.add(url)
        hub = hub_of(url, place, answer.headers, feed) if self._settings.websub else None
        found = Seen(
            etag=short(answer.headers.get("etag", "")),
            modified=short(answer.headers.get("last-modified", "")),
            at=now,
            entries=remembered(before, feed),
            newest=[entry.key for entry in sorted(feed.entries, key=_when)[-NEWEST:]],
            hub=hub.address if hub else "",
            topic=hub.topic if hub else "",
            asked=before.asked if hub == Hub(before.hub, before.topic) else 0,
            unread=unread,
        )
        seen[_key(url)] = self._pushed(url, place, found)
        if lost:
            self._crowded.add(url)
        self._fresh_for(url, answer, feed.fresh_for)
        if lost or feed.left_out:
            # A row of its own, for the time since the last look: what other feeds brought meanwhile is whole.
            span = Span(before.at, now) if 0 < before.at < now else None
            brought = Delivery(drafts=drafts, malformed=malformed, span=span, missed=None, reason="feed window")
        else:
            brought = Delivery(drafts=drafts, malformed=malformed)
        return [brought, *_answers_again(url, before, now, missed=None if lost else 0)]

    def _ask(self, web: Web, url: str, seen: Seen) -> tuple[Answer, str]:
        """The answer and where it came from, redirects followed one by one. Raises Interrupted, Denied."""
        headers = {"Accept": _ACCEPT}
        if seen.etag:
            headers["If-None-Match"] = seen.etag
        if seen.modified:
            headers["If-Modified-Since"] = seen.modified
        place = url
        for _ in range(MOST_HOPS):
            try:
                answer = web.ask("GET", place, headers=headers, good=(304, 404, 410, *_MOVED))
            except Refused as refused:
                raise Interrupted(str(refused)) from None
            if answer.status not in _MOVED:
                return self._told_gone(url, answer), place
            place = _moved(url, place, answer.headers.get("location", ""))
            if answer.status in _FOR_GOOD:
                self._tell(url, "moved", f"feed {_name(url)} has moved for good to {_name(place)}: change `urls`")
        raise Interrupted(f"feed {_name(url)} redirects in a circle")

    def _told_gone(self, url: str, answer: Answer) -> Answer:
        if answer.status == 410:
            raise Denied(f"feed {_name(url)} is gone for good (410): take it out of `urls`")
        if answer.status == 404:
            raise Interrupted(f"feed {_name(url)} is not there (404): is its address right?")
        return answer

    def _read(self, answer: Answer, place: str) -> Feed:
        try:
            return read_feed(answer.body, place, answer.headers.get("content-type", ""))
        except Unreadable as fault:
            raise Interrupted(f"{_name(place)}: {fault}") from None

    # --- pages of entries ---

    def _news(self, url: str, feed: Feed, before: Seen, now: Millis) -> tuple[list[Draft], dict[str, Unread]]:
        """(what is new or changed since the last look, oldest first; entries whose pages are to be read). What was
        changed is told when its page was read, or its feed's few words would take the place of a whole text."""
        news = {e.key: dated(e, before, now) for e in feed.entries if before.entries.get(e.key) != e.content}
        if self._pages is None:
            late = {e.key: dated(e, before, now) for e in feed.entries if e.key in before.unread and e.key not in news}
            return [*late.values(), *news.values()], {}
        told: list[Draft] = []
        unread = dict(before.unread)
        for entry in feed.entries:
            draft = news.get(entry.key)
            if draft is not None and not wants_page(entry):
                self._pages.drop(_key(url), entry.key)
                told.append(draft)
            elif draft is not None:
                unread[entry.key] = unread_of(draft)
                self._pages.want(Waiting(_key(url), entry, unread[entry.key]))
                told += [] if draft.kind == "edited" else [draft]
            elif entry.key in unread and not self._pages.waits(_key(url), entry.key):
                self._pages.want(Waiting(_key(url), entry, unread[entry.key]))
        return told, {key: one for key, one in unread.items() if self._pages.waits(_key(url), key)}

    def _read_pages(self, pages: Pages, seen: dict[str, Seen]) -> Iterator[Delivery]:
        """Each page by itself, until a feed is due."""
        written = now = self._setting.clock.steady()
        least = min(SHORTEST_READING, self._settings.every)
        until = now + min(max(min(self._due.values()) - now, least), LONGEST_READING)
        some = False
        while (read := pages.next(until)) is not None:
            some = True
            if read.feed in seen:
                seen[read.feed].unread.pop(read.key, None)
                yield Delivery(drafts=[read.draft] if read.draft is not None else [], asked=pages.used())
            if self._setting.clock.steady() - written >= CURSOR_EVERY:
                written = self._setting.clock.steady()
                yield Delivery(asked=0, cursor=closed(seen))
        asked = pages.used()
        if some or asked:
            yield Delivery(asked=asked, cursor=closed(seen))

    # --- hubs ---

    def _look_at_what_was_pushed(self) -> None:
        """A hub's push brings an entry in its feed's words; its page is known by the look that follows."""
        if self._pages is not None:
            pushed = self._hubs.pushed()
            self._due |= {url: 0 for url in self._settings.urls if _key(url) in pushed}

    def _pushed(self, url: str, place: str, seen: Seen) -> Seen:
        if not seen.hub:
            return seen
        asked = self._hubs.ask(self._web, url, place, Hub(seen.hub, seen.topic), seen.asked)
        return msgspec.structs.replace(seen, asked=asked)

    def _left(self, seen: dict[str, Seen]) -> dict[str, Seen]:
        """Without feeds that are not listened to any more; hubs are told."""
        keys = set(map(_key, self._settings.urls))
        for key, one in seen.items():
            if one.asked and (key not in keys or not self._settings.websub):
                self._hubs.leave(self._web, key, Hub(one.hub, one.topic))
        kept = {key: one for key, one in seen.items() if key in keys}
        if self._settings.websub:
            return kept
        return {key: msgspec.structs.replace(one, hub="", topic="", asked=0) for key, one in kept.items()}

    # --- when to ask again ---

    def _fresh_for(self, url: str, answer: Answer, ttl: Millis) -> None:
        age = _MAX_AGE.search(answer.headers.get("cache-control", "").lower())
        fresh = min(int(age[1]) * SECOND if age else 0, LONGEST_FRESH)
        wait = max(self._settings.every, ttl, fresh)
        lease = self._hubs.lease(url) if url not in self._crowded else None
        if lease is not None:
            wait = max(wait, min(self._settings.every_pushed, lease.renew_at - self._setting.clock.wall()))
        # A little sooner than a whole number of rounds, or each look would wait for one more.
        self._due[url] = self._setting.clock.steady() + wait - min(self.interval, wait) // 2

    def _wait_for(self, url: str, fault: Interrupted | Denied) -> None:
        """A feed that fails waits by itself, unless it is the only one: then the runner does."""
        if len(self._settings.urls) == 1:
            return
        if isinstance(fault, Denied):
            wait = GONE_AGAIN
            self._tell(url, "denied", str(fault))
        elif fault.retry_after is not None:
            wait = fault.retry_after
        else:
            wait = self._backoff.setdefault(url, Backoff(max(self._settings.every, SECOND), LONGEST_BACKOFF)).next()
        self._due[url] = self._setting.clock.steady() + wait

    def _nobody_answers(self, *, asked: bool) -> Interrupted | Denied:
        """The fault of one feed, an outage before a refusal. Where nobody was asked now: until one is due."""
        faults = list(self._down.values())
        fault = next((one for one in faults if isinstance(one, Interrupted)), faults[0])
        if asked or isinstance(fault, Denied):
            return fault
        wait = min(self._due.values()) - self._setting.clock.steady()
        return Interrupted(fault.reason, retry_after=max(wait, SECOND))

    def _missing(self, url: str, seen: dict[str, Seen], fault: Interrupted | Denied) -> Delivery:
        """What one feed of several could not tell: a row that grows until it answers again."""
        now = self._setting.clock.now()
        known = seen.get(_key(url), Seen())
        since = known.failing or known.at or now - self._settings.every
        seen[_key(url)] = msgspec.structs.replace(known, failing=since)
        return Delivery(
            query=_name(url), span=Span(since, now), page=f"feed:{since}", missed=None, reason=str(fault)[:300]
        )

    def _tell(self, url: str, what: str, words: str) -> None:
        """Once for as long as the process lives."""
        if (url, what) not in self._told:
            self._told.add((url, what))
            _log.warning("feeds.needs_somebody", source=self.source.id, why=words)

    def _new_web(self) -> Web:
        return Web(
            timeout=self._settings.timeout / 1000,
            max_bytes=MOST_BYTES,
            public_only=not self._settings.private_addresses,
        )


def _moved(url: str, place: str, location: str) -> str:
    """Where a redirect leads. Raises Interrupted."""
    try:
        found = urljoin(place, location)
        _name(found)
    except ValueError:
        raise Interrupted(f"feed {_name(url)} redirects to what is no address") from None
    return found


def _answers_again(url: str, before: Seen, now: Millis, missed: int | None) -> Iterator[Delivery]:
    """The row of a feed that failed, closed: what its window shows came after all."""
    if before.failing:
        span, page = Span(before.failing, now), f"feed:{before.failing}"
        yield Delivery(
            query=_name(url), span=span, page=page, asked=0, missed=missed, reason="" if missed == 0 else "feed window"
        )


def _when(entry: Entry) -> Millis:
    return entry.draft.claimed_at or 0


_key = feed_key


def _name(url: str) -> str:
    """An address without its query, which may hold a key."""
    parts = urlsplit(url)
    return f"{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"[:150]


def collector(settings: FeedsSource, setting: Setting) -> Collector:
    return Feeds(settings, setting)


def push(settings: FeedsSource, setting: Setting) -> Push:
    return FeedsPush(settings, setting)
