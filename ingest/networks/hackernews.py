"""Hacker News: stories and comments that name a brand, found by its search, looked up again by their numbers.

A round asks for each brand what is newer than the last round's newest, and once more for `look_back` before that: the
search learns some late, and edits show. All times are Hacker News' own, so that our clock decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from threading import Lock
from typing import NamedTuple

import msgspec

from config.sources.hackernews import HackernewsSource
from ingest.buried import Buried
from ingest.collector import (
    PAGE_CAP,
    Delivery,
    Draft,
    Existence,
    Found,
    Malformed,
    Sample,
    Span,
    Style,
    Unfillable,
    left_out,
)
from ingest.cursors import closed, opened
from ingest.names import Names
from ingest.networks.hackernews_items import Hit, Item, millis, of_hit, of_item
from ingest.networks.hackernews_search import Page, Search, seconds
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import HOUR, passed
from stream.records import Metrics, Millis, PostKind

MOST_KNOWN = 100_000
"""Posts remembered, of all brands, to tell of each once."""
MOST_ABOVE = 50
"""Posts above another that are looked up."""
MOST_ROOTS = 10_000
"""Posts of which it is remembered below which story they stand."""
SAMPLED = 7 * 24
"""Hours that an estimate looks at."""
SAMPLED_PAGES = 5
_EDITED = "edited:"


def collector(settings: HackernewsSource, setting: Setting) -> Hackernews:
    return Hackernews(settings, setting)


class Reach(msgspec.Struct, frozen=True):
    """How far a brand was asked for, in seconds since 1970 of Hacker News' clock."""

    begun: int
    """When asking for it began: what was written earlier is not told of."""
    until: int


Cursor = dict[str, Reach]


class _Known(NamedTuple):
    """What was told of a post last."""

    at: Millis
    words: int
    """Differs where title or text differ."""
    metrics: Metrics | None


class Hackernews:
    style: Style = "poll"
    resumes = True
    most_looked_up = 20

    def __init__(self, settings: HackernewsSource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        self._search = self._new_search()
        self._known: dict[tuple[str, str], _Known] = {}
        self._buried = Buried()
        self._tidied: Millis | None = None
        self._roots: dict[str, str] = {}
        self._lock = Lock()

    # --- Collector ---

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        reaches = opened(cursor, Cursor, "Hacker News'")
        newest = self._search.newest()
        now = newest.created_at_i if newest else 0
        for wanted in self._setting.wanted():
            brand = wanted.brand
            if not self._setting.allowed(brand):
                yield Delivery(query=brand, asked=self._search.used(), missed=None, reason="spend cap")
                continue
            before = reaches.get(brand)
            if before is None:
                # It has begun: what is written from here on is news, also where the next question fails.
                reaches = {**reaches, brand: Reach(now, now)}
                yield Delivery(query=brand, cursor=closed(reaches), asked=self._search.used())
            for page in self._pages(self._search, wanted, self._since(before, now)):
                delivery, told = self._news(page, brand, before, newest)
                yield delivery
                # Until it was taken it may have to be brought once more.
                self._buried.note(delivery.malformed)
                for key, one in told.items():
                    self._known.pop(key, None)
                    self._known[key] = one
            reach = Reach(before.begun, max(before.until, now)) if before else Reach(now, now)
            reaches = {**reaches, brand: reach}
            yield Delivery(query=brand, cursor=closed(reaches), asked=self._search.used())
        self._forget(now)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        chosen = [one for one in self._setting.wanted() if query in ("", one.brand)]
        if not chosen:
            raise Unfillable(f"{query} is not asked for here any more")
        since, until = seconds(span.since), seconds(span.until + 999)
        with closing(self._new_search()) as search:
            for wanted in chosen:
                for page in self._pages(search, wanted, since, until):
                    drafts = [one for one in self._drafts(page, wanted.brand) if _in(span, one)]
                    yield self._delivery(search, wanted.brand, page, drafts, page.malformed)

    def close(self) -> None:
        self._search.close()

    # --- Sweepable, Contextual, Estimable, Checkable ---

    def look_up(self, native_ids: Sequence[str]) -> Found:
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        with closing(self._new_search()) as search:
            for native in native_ids:
                item = search.item(native) if native.isdecimal() else None
                existence[native] = "absent" if item is None else "gone" if item.gone else "there"
                if item is not None and not item.gone:
                    drafts.append(of_item(item, self._root(search, item), kind="edited"))
            return Found(existence=existence, drafts=drafts, asked=search.used())

    def context(self, native_id: str) -> Iterator[Delivery]:
        """What it answers, one by one, up to the story."""
        with closing(self._new_search()) as search:
            own = search.item(native_id) if native_id.isdecimal() else None
            if own is None or own.parent is None:
                return
            root = self._root(search, own)
            for item in _above(search, own):
                drafts = [] if item.gone else [of_item(item, root)]
                yield Delivery(drafts=drafts, asked=search.used())

    def sample(self, wanted: Wanted) -> Sample:
        """The last week, back from the newest post of all."""
        counts, seen, capped = [0] * SAMPLED, set[str](), False
        with closing(self._new_search()) as search:
            newest = search.newest()
            now = newest.created_at_i if newest else 0
            for number, page in enumerate(self._pages(search, wanted, max(now - SAMPLED * 3600, 0)), 1):
                for draft in self._drafts(page, wanted.brand):
                    hours = (millis(now) - (draft.claimed_at or 0)) // HOUR
                    if draft.native_id not in seen and hours < SAMPLED:
                        counts[SAMPLED - 1 - max(hours, 0)] += 1
                        seen.add(draft.native_id)
                capped |= page.missed
                if number == SAMPLED_PAGES:
                    capped = True
                    break
            return Sample(tuple(counts), asked=search.used(), capped=capped)

    def check(self) -> str:
        with closing(self._new_search()) as search:
            newest = search.newest()
            if newest is None:
                return "Hacker News answers, but its search knows of no post"
            search.item(newest.objectID)
        return f"Hacker News answers, search and items, to everybody; its newest post is number {newest.objectID}"

    # --- a round ---

    def _new_search(self) -> Search:
        return Search(self._settings, self._setting.stop)

    def _since(self, before: Reach | None, now: int) -> int:
        return max((before.until if before else now) - seconds(self._settings.look_back), 0)

    def _pages(self, search: Search, wanted: Wanted, since: int, until: int | None = None) -> Iterator[Page]:
        names = Names(wanted)
        for query in names.queries:
            yield from search.back(query, names, since, until)

    def _news(
        self, page: Page, brand: str, before: Reach | None, newest: Hit | None
    ) -> tuple[Delivery, dict[tuple[str, str], _Known]]:
        """What of a page was not told of, and what is known of all of it once that was taken."""
        drafts: list[Draft] = []
        told: dict[tuple[str, str], _Known] = {}
        found = self._drafts(page, brand)
        edited = self._edited_before([one.native_id for one in found if (brand, one.native_id) not in self._known])
        for draft in found:
            key, at = (brand, draft.native_id), draft.claimed_at or 0
            now = _Known(at, hash((draft.title, draft.text)), draft.metrics)
            known, told[key] = told.get(key, self._known.get(key)), now
            if known is None:
                kind: PostKind = "edited" if draft.native_id in edited else "created"
                drafts += [msgspec.structs.replace(draft, kind=kind)] if _is_news(draft, before, newest) else []
            elif known.words != now.words:
                drafts.append(msgspec.structs.replace(draft, kind="edited"))
            elif known.metrics != now.metrics:
                drafts.append(
                    Draft(native_id=draft.native_id, kind="metrics", claimed_at=at, metrics=draft.metrics,
                          query_ids=draft.query_ids)
                )  # fmt: skip
        if edits := {_EDITED + one.native_id: "told" for one in drafts if one.kind == "edited"}:
            self._setting.notes.put_all(edits)
        return self._delivery(self._search, brand, page, drafts, self._buried.unknown(page.malformed)), told

    def _edited_before(self, ids: Collection[str]) -> Collection[str]:
        """Those of which an edit was told, by whichever process: told of as created again, a later edit would count as
        older than that one, for Hacker News does not say when a post was edited."""
        found = self._setting.notes.all([_EDITED + id for id in ids]) if ids else {}
        return {name.removeprefix(_EDITED) for name in found}

    def _drafts(self, page: Page, brand: str) -> list[Draft]:
        read = [of_item(item, self._known_root(item), brand) for item in page.items]
        return [*(of_hit(hit, brand) for hit in page.hits), *read]

    def _delivery(
        self, search: Search, brand: str, page: Page, drafts: list[Draft], malformed: list[Malformed]
    ) -> Delivery:
        return Delivery(
            query=brand,
            drafts=drafts,
            malformed=malformed,
            asked=search.used(),
            **left_out(PAGE_CAP if page.missed else ""),
        )

    def _forget(self, now: int) -> None:
        """What no round reads any more."""
        oldest = millis(now) - 2 * self._settings.look_back
        kept = [(key, one) for key, one in self._known.items() if one.at >= oldest]
        self._known = dict(kept[-MOST_KNOWN:])
        wall = self._setting.clock.wall()
        if self._tidied is None or passed(self._tidied, wall, self._settings.look_back):
            self._tidied = wall
            self._setting.notes.forget(wall - 2 * self._settings.look_back)

    # --- threads ---

    def _known_root(self, item: Item) -> str | None:
        if item.parent is None:
            return str(item.id)
        with self._lock:
            return self._roots.get(str(item.parent))

    def _root(self, search: Search, item: Item) -> str | None:
        """The story that it stands below; None where that is too far above."""
        passed, root = [str(item.id)], self._known_root(item)
        if root is None:
            for above in _above(search, item):
                passed.append(str(above.id))
                if (root := self._known_root(above)) is not None:
                    break
        if root is not None:
            with self._lock:
                self._roots = dict(list({**self._roots, **dict.fromkeys(passed, root)}.items())[-MOST_ROOTS:])
        return root


def _above(search: Search, item: Item) -> Iterator[Item]:
    """Those above it, nearest first, also those that nobody is shown any more."""
    above: Item | None = item
    for _ in range(MOST_ABOVE):
        if above is None or above.parent is None:
            return
        above = search.item(str(above.parent))
        if above is not None:
            yield above


def _in(span: Span, draft: Draft) -> bool:
    return draft.claimed_at is not None and span.since <= draft.claimed_at < span.until


def _is_news(draft: Draft, before: Reach | None, newest: Hit | None) -> bool:
    """Of a first round only what came behind the newest post of when it began: the rest was there before anybody
    listened."""
    at = draft.claimed_at or 0
    if before is not None:
        return at >= millis(before.begun)
    return newest is None or (at, int(draft.native_id)) > (millis(newest.created_at_i), int(newest.objectID))
