"""Wikis: each change that writes a brand's name into a page is a post, and so is each change of a watched page.

A round reads the recent changes from where the last one stood, oldest first, asks for the texts of those that are new,
fifty at a time, and for what they replaced only where a brand's name stands in them. A revision never changes; it is
deleted or hidden, which sweeps learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from config.sources.mediawiki import MediawikiSource
from ingest.buried import Buried
from ingest.collector import CursorLost, Delivery, Draft, Existence, Found, Sample, Span, Style, Unfillable, by_hour
from ingest.dates import iso_millis
from ingest.names import Names
from ingest.networks.mediawiki_api import BATCH, Api, Change, Revision, added
from ingest.setting import Setting
from ingest.wanted import Wanted
from query.text import analyse
from stream.clock import HOUR
from stream.records import Author, Millis

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
    style: Style = "poll"
    resumes = True
    most_looked_up = BATCH

    def __init__(self, settings: MediawikiSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self._api = Api(settings)
        self._place = urlsplit(settings.url).netloc.lower()
        self._known: dict[int, Millis] = {}
        self._buried = Buried()

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        held = _opened(cursor)
        if held is None:
            held = self._newest()
            yield Delivery(cursor=_closed(held), asked=self._api.used())
        start = max(held.at - self._settings.look_back, 0)
        asked: dict[str, str | int] = {"rcdir": "newer", **({"rcstart": _iso(start)} if start else {})}
        for changes, malformed in self._api.changes(**asked):
            fresh = [one for one in changes if one.rcid > held.begun and one.rcid not in self._known]
            told = self._buried.unknown(malformed)
            for begin in range(0, max(len(fresh), 1), BATCH):
                batch = fresh[begin : begin + BATCH]
                drafts, left_out = self._drafts(self._api, batch)
                yield Delivery(drafts=drafts, malformed=told, filtered=left_out, asked=self._api.used())
                self._buried.note(told)
                told = []
                self._known |= {one.rcid: _millis(one.timestamp) for one in batch}
            held = Cursor(held.begun, max([held.at, *(_millis(one.timestamp) for one in changes)]))
            yield Delivery(cursor=_closed(held), asked=0)
        oldest = held.at - 2 * self._settings.look_back
        self._known = dict([(id, at) for id, at in self._known.items() if at >= oldest][-MOST_KNOWN:])

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(Api(self._settings)) as api:
            oldest = next((one for page, _ in api.changes(rcdir="newer", rclimit=1) for one in page), None)
            kept_since = _millis(oldest.timestamp) if oldest is not None else span.until
            if kept_since >= span.until:
                raise Unfillable("the wiki does not list changes from so long ago any more")
            if kept_since > span.since:
                yield Delivery(query=query, missed=None, reason="history ends", asked=api.used())
            asked: dict[str, str | int] = {"rcdir": "newer", "rcstart": _iso(span.since), "rcend": _iso(span.until)}
            for changes, malformed in api.changes(**asked):
                within = [one for one in changes if span.since <= _millis(one.timestamp) < span.until]
                for begin in range(0, len(within), BATCH):
                    drafts, left_out = self._drafts(api, within[begin : begin + BATCH])
                    yield Delivery(drafts=drafts, filtered=left_out, asked=api.used())
                yield Delivery(malformed=malformed, asked=api.used())

    def close(self) -> None:
        self._api.close()

    def look_up(self, native_ids: Sequence[str]) -> Found:
        """A revision that is not there any more was deleted with its page; one whose text is hidden was suppressed."""
        numbers = {native: _number(native, self._place) for native in native_ids}
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
                    drafts.append(self._without_author(revision, before.get(revision.parentid)))
            return Found(existence=existence, drafts=drafts, asked=api.used())

    def sample(self, wanted: Wanted) -> Sample:
        """What of the last day's changes adds a name of the brand."""
        written, capped = list[Millis](), False
        with closing(Api(self._settings)) as api:
            now: Millis | None = None
            for number, (changes, _) in enumerate(api.changes(rcdir="older"), 1):
                times = [_millis(one.timestamp) for one in changes]
                now = max(times, default=0) if now is None else now
                for begin in range(0, len(changes), BATCH):
                    drafts, _ = self._drafts(api, changes[begin : begin + BATCH], (wanted,))
                    written += [draft.claimed_at or 0 for draft in drafts]
                if times and min(times) < now - SAMPLED * HOUR:
                    break
                if number == SAMPLED_PAGES:
                    capped = True
                    break
            return Sample(by_hour(written, now or 0, SAMPLED), asked=api.used(), capped=capped)

    def check(self) -> str:
        with closing(Api(self._settings)) as api:
            changes, _ = next(api.changes(rcdir="older"))
        return f"{self._place} answers anybody; its newest change is {changes[0].timestamp if changes else 'none'}"

    def _newest(self) -> Cursor:
        changes, _ = next(self._api.changes(rcdir="older"))
        times = [_millis(one.timestamp) for one in changes]
        return Cursor(max((one.rcid for one in changes), default=0), max(times, default=0))

    def _drafts(
        self, api: Api, changes: Sequence[Change], wanted: Sequence[Wanted] | None = None
    ) -> tuple[list[Draft], int]:
        """(what is about a brand, how many are not)."""
        named = [(one.brand, Names(one)) for one in (self._setting.wanted() if wanted is None else wanted)]
        watched = self._settings.titles
        asked = [one for one in changes if self._settings.words or one.title in watched]
        new, _ = api.revisions([one.revid for one in asked])
        texts = {one.revid: new[one.revid].text for one in asked if one.revid in new}
        candidates = [
            one
            for one in asked
            if (text := texts.get(one.revid)) is not None
            and (one.title in watched or _any_holds((names for _, names in named), _read(one, text)))
        ]
        old, _ = api.revisions([one.old_revid for one in candidates])
        drafts: list[Draft] = []
        for one in candidates:
            before = old[one.old_revid].text if one.old_revid in old else None
            if one.old_revid and before is None:
                # What it replaced is hidden or gone: nobody can say which of its words are new.
                more, less = "", ""
            else:
                more, less = added(texts[one.revid] or "", before or "")
            new_words, old_words = analyse(_read(one, more)).surfaces, analyse(less).surfaces
            brands = tuple(brand for brand, names in named if names.times(new_words) > names.times(old_words))
            if brands or one.title in watched:
                drafts.append(self._draft(one, more, brands))
        return drafts, len(changes) - len(drafts)

    def _draft(self, change: Change, text: str, brands: tuple[str, ...]) -> Draft:
        user = change.user
        return Draft(
            native_id=f"{self._place}/{change.revid}",
            text=text or change.comment or "",
            title=change.title,
            author=Author(id=f"{self._place}/{user}", handle=user) if user else None,
            claimed_at=_millis(change.timestamp),
            link=self._link(change.revid),
            query_ids=brands,
            brands=self._settings.titles.get(change.title, ()),
        )

    def _without_author(self, revision: Revision, before: Revision | None) -> Draft:
        text, _ = added(revision.text or "", (before.text if before else "") or "")
        return Draft(
            native_id=f"{self._place}/{revision.revid}",
            kind="edited",
            text=text,
            title=revision.title,
            claimed_at=_millis(revision.timestamp) or None,
            link=self._link(revision.revid),
        )

    def _link(self, revid: int) -> str:
        return f"{self._settings.url.removesuffix('api.php')}index.php?diff={revid}"


def _read(change: Change, text: str | None) -> str:
    """A new page says its title as well."""
    return (text or "") if change.old_revid or not text else f"{change.title}\n{text}"


def _any_holds(brands: Iterable[Names], text: str) -> bool:
    surfaces = analyse(text).surfaces
    return any(names.hold(surfaces) for names in brands)


def _number(native: str, place: str) -> int | None:
    number = native.removeprefix(f"{place}/")
    return int(number) if number != native and number.isdecimal() and len(number) < 16 else None


def _millis(stamp: str) -> Millis:
    return iso_millis(stamp) or 0


def _iso(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _opened(cursor: str | None) -> Cursor | None:
    try:
        return None if cursor is None else msgspec.json.decode(cursor, type=Cursor)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CursorLost("the cursor of this source is not one of a wiki's") from None


def _closed(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()
