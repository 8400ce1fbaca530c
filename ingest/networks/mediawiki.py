"""Wikis: each change that writes a brand's name into a page is a post, and so is each change of a watched page.

A round reads the recent changes from where the last one stood, oldest first, and asks for the texts of those that are
new. Wikimedia's wikis may be listened to as well: see `mediawiki_live`. A revision never changes; it is deleted or
hidden, which sweeps learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import msgspec

from config.sources.mediawiki import MediawikiSource
from ingest.buried import Buried
from ingest.collector import Delivery, Draft, Existence, Found, Sample, Span, Style, Unfillable, by_hour
from ingest.cursors import closed, opened
from ingest.networks.mediawiki_api import BATCH, Api
from ingest.networks.mediawiki_live import Live
from ingest.networks.mediawiki_pages import Pages
from ingest.networks.mediawiki_posts import Read, Reading, iso, millis
from ingest.networks.mediawiki_stream import Line
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import HOUR, SECOND
from stream.records import Millis

MOST_KNOWN = 100_000
SAMPLED = 24
SAMPLED_PAGES = 10


def collector(settings: MediawikiSource, setting: Setting) -> Mediawiki:
    return Mediawiki(settings, setting)


class Cursor(msgspec.Struct):
    begun: int
    """The newest change when listening began."""
    at: Millis
    """Time of the newest change that was read, by the wiki's clock."""


class Mediawiki:
    resumes = True
    most_looked_up = BATCH

    def __init__(self, settings: MediawikiSource, setting: Setting) -> None:
        self.source = setting.source
        self.style: Style = "stream" if settings.streaming else "poll"
        self.interval = settings.gather if settings.streaming else settings.interval
        self.check_used = (1, 0)
        self._settings, self._setting = settings, setting
        self._api = Api(settings)
        self._reading = Reading(settings, setting.wanted)
        self._pages = Pages(setting.notes, settings.remember, setting.clock)
        self._live = Live(settings, setting, self._reading, self._pages, self._api)
        self._known: dict[int, Millis] = {}
        self._buried = Buried()

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        return self._live.deliveries(cursor) if self._settings.streaming else self._polled(cursor)

    def _polled(self, cursor: str | None) -> Iterator[Delivery]:
        held = None if cursor is None else opened(cursor, Cursor, "a wiki's")
        if held is None:
            held = self._newest()
            yield Delivery(cursor=closed(held), asked=self._api.used())
        start = max(held.at - self._settings.look_back, 0)
        asked: dict[str, str | int] = {"rcdir": "newer", **({"rcstart": iso(start)} if start else {})}
        for changes, malformed in self._api.changes(**asked):
            fresh = [one for one in changes if one.rcid > held.begun and one.rcid not in self._known]
            told = self._buried.unknown(malformed)
            for begin in range(0, max(len(fresh), 1), BATCH):
                batch = fresh[begin : begin + BATCH]
                read = self._reading.read(self._api, batch)
                yield msgspec.structs.replace(_delivery(read, self._api), malformed=told)
                self._buried.note(told)
                told = []
                self._known |= {one.rcid: millis(one.timestamp) for one in batch}
            held = Cursor(held.begun, max([held.at, *(millis(one.timestamp) for one in changes)]))
            yield Delivery(cursor=closed(held), asked=0)
        oldest = held.at - 2 * self._settings.look_back
        self._known = dict([(id, at) for id, at in self._known.items() if at >= oldest][-MOST_KNOWN:])

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(Api(self._settings)) as api:
            oldest = next((one for page, _ in api.changes(rcdir="newer", rclimit=1) for one in page), None)
            kept_since = millis(oldest.timestamp) if oldest is not None else span.until
            if kept_since >= span.until:
                raise Unfillable("the wiki does not list changes from so long ago any more")
            if kept_since > span.since:
                yield Delivery(query=query, missed=None, reason="history ends", asked=api.used())
            # Times of changes are whole seconds, of the wiki's clock, and changes do not appear in their order.
            since, until = max(span.since - self._settings.look_back, 0), span.until + SECOND
            asked: dict[str, str | int] = {"rcdir": "newer", "rcstart": iso(since), "rcend": iso(until)}
            for changes, malformed in api.changes(**asked):
                within = [one for one in changes if since - SECOND < millis(one.timestamp) < until]
                for begin in range(0, len(within), BATCH):
                    read = self._reading.read(api, within[begin : begin + BATCH])
                    if self._settings.streaming:
                        self._live.keep(read)
                    yield _delivery(read, api)
                yield Delivery(malformed=malformed, asked=api.used())

    def close(self) -> None:
        self._api.close()

    def look_up(self, native_ids: Sequence[str]) -> Found:
        """A revision that is not there any more was deleted with its page; one whose text is hidden was suppressed."""
        numbers = {native: self._reading.number(native) for native in native_ids}
        existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
        drafts: list[Draft] = []
        with closing(Api(self._settings)) as api:
            found, bad = api.revisions([number for number in numbers.values() if number is not None])
            for native, number in numbers.items():
                revision = found.get(number or 0)
                if revision is None:
                    existence[native] = "gone" if number in bad else "absent"
                    continue
                existence[native] = "gone" if revision.hidden else "there"
                if revision.userhidden and revision.text is not None:
                    before, _ = api.revisions([revision.parentid])
                    drafts.append(self._reading.without_author(revision, before.get(revision.parentid)))
            return Found(existence=existence, drafts=drafts, asked=api.used())

    def sample(self, wanted: Wanted) -> Sample:
        """What of the last day's changes adds a name of the brand."""
        written, capped = list[Millis](), False
        with closing(Api(self._settings)) as api:
            now: Millis | None = None
            for number, (changes, _) in enumerate(api.changes(rcdir="older"), 1):
                times = [millis(one.timestamp) for one in changes]
                now = max(times, default=0) if now is None else now
                for begin in range(0, len(changes), BATCH):
                    read = self._reading.read(api, changes[begin : begin + BATCH], (wanted,))
                    written += [draft.claimed_at or 0 for draft in read.drafts]
                if times and min(times) < now - SAMPLED * HOUR:
                    break
                if number == SAMPLED_PAGES:
                    capped = True
                    break
            return Sample(by_hour(written, now or 0, SAMPLED), asked=api.used(), capped=capped)

    def check(self) -> str:
        with closing(Api(self._settings)) as api:
            changes, _ = next(api.changes(rcdir="older"))
        newest = f"its newest change is {changes[0].timestamp if changes else 'none'}"
        said = f"{self._reading.place} answers anybody; {newest}"
        if not self._settings.streaming:
            return said
        with closing(Line(self._settings, None, self._setting.clock)) as line:
            self.check_used = (1 + line.asked, 0)
        return f"{said}; Wikimedia's stream answers"

    def _newest(self) -> Cursor:
        changes, _ = next(self._api.changes(rcdir="older"))
        times = [millis(one.timestamp) for one in changes]
        return Cursor(max((one.rcid for one in changes), default=0), max(times, default=0))


def _delivery(read: Read, api: Api) -> Delivery:
    """Of changes that were listed: what is not there any more is about nobody."""
    return Delivery(drafts=read.drafts, filtered=read.left_out + len(read.unseen), asked=api.used())
