"""Searching Hacker News by name, newest first, through as many answers as it takes.

https://hn.algolia.com/api: an answer has at most 1,000 results, and there is no second one behind it
(https://github.com/algolia/hn-search/issues/230). So the next question ends where the last answer did; a second in
which more was written than an answer shows is read from the items themselves, whose numbers are given out in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import NamedTuple

import msgspec

from config.sources.hackernews import HackernewsSource
from ingest.collector import Interrupted, Malformed
from ingest.names import Names
from ingest.networks.hackernews_items import Hit, Item, hits_of, item_of
from ingest.web import Web
from query.text import analyse
from stream.records import Millis

PAGE = 1_000
MOST_PAGES = 1_000
TAGS = "(story,comment,poll)"
MOST_SCANS = 100
"""Seconds that were read item by item, remembered."""
LATER = 20
"""So many items in a row that were written after a second end the search for those of it: numbers and times are not in
quite the same order."""
_HOW: dict[str, str | int] = {
    "tags": TAGS,
    "typoTolerance": "false",
    "queryType": "prefixNone",
    "advancedSyntax": "true",
    "restrictSearchableAttributes": "title,url,story_text,comment_text",
    "attributesToHighlight": "[]",
}


class Page(NamedTuple):
    hits: list[Hit]
    items: list[Item]
    """What was read one by one."""
    malformed: list[Malformed]
    before: int
    """Second before which the next page ends."""
    missed: bool = False


class Search:
    """One thread's way to the search and to the items."""

    def __init__(self, settings: HackernewsSource, stop: Event) -> None:
        self._settings, self._stop = settings, stop
        seconds = settings.timeout / 1000
        self._web, self._items = Web(settings.url, timeout=seconds), Web(settings.items_url, timeout=seconds)
        self._scans: dict[tuple[str, int], Scan] = {}

    def used(self) -> int:
        """Requests since this was asked last."""
        return self._web.used() + self._items.used()

    def close(self) -> None:
        self._web.close()
        self._items.close()

    def newest(self, before: int | None = None) -> Hit | None:
        """Of all of Hacker News, that the search knows; None: there is none."""
        filters = {} if before is None else {"numericFilters": f"created_at_i<{before}"}
        hits, _, _ = self._ask({"query": "", "hitsPerPage": 1, **filters})
        return hits[0] if hits else None

    def back(self, query: str, names: Names, since: int, before: int | None) -> Iterator[Page]:
        """What was written from second `since` on and earlier than second `before` (None: up to now), newest first."""
        for _ in range(MOST_PAGES):
            filters = f"created_at_i>={since}" + ("" if before is None else f",created_at_i<{before}")
            hits, malformed, full = self._ask({"query": query, "hitsPerPage": PAGE, "numericFilters": filters})
            if not full:
                yield Page(hits, [], malformed, since)
                return
            if not hits:
                yield Page([], [], malformed, since, missed=True)
                return
            oldest = min(hit.created_at_i for hit in hits)
            if max(hit.created_at_i for hit in hits) > oldest:
                # Of the oldest second only a part may have been shown: it is asked for again.
                before = oldest + 1
                yield Page(hits, [], malformed, before)
            else:
                scan = self._second(query, oldest, names, {hit.objectID for hit in hits})
                before = oldest
                yield Page(hits, scan.found, malformed, before, missed=scan.cut)
            if before <= since:
                return
        yield Page([], [], [], since, missed=True)

    def item(self, native_id: str) -> Item | None:
        return item_of(self._items.get(f"/item/{native_id}.json").json())

    def _ask(self, params: dict[str, str | int]) -> tuple[list[Hit], list[Malformed], bool]:
        """(results, what is none, whether there are more than an answer shows)."""
        answer = self._web.get("/search_by_date", {**_HOW, **params}).json()
        listed = answer.get("hits") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise Interrupted("what Hacker News' search answered is no list of results")
        hits, malformed = hits_of(listed)
        allowed = answer.get("hitsPerPage")
        most = min(PAGE, allowed) if isinstance(allowed, int) and allowed > 0 else PAGE
        return hits, malformed, len(listed) >= most

    def _second(self, query: str, second: int, names: Names, shown: set[str]) -> Scan:
        """All that was written in it and names the brand, but for `shown`. It goes on where it was left, so that no
        round and no fault makes it ask for the same items again."""
        last = msgspec.convert(self._items.get("/maxitem.json").json(), int, strict=False)
        scan = self._scans.get((query, second))
        if scan is None:
            earlier = self.newest(second)
            scan = Scan(int(earlier.objectID) + 1 if earlier else min(map(int, shown)))
            self._scans[query, second] = scan
            while len(self._scans) > MOST_SCANS:
                del self._scans[next(iter(self._scans))]
        scan.cut = False
        while scan.following <= last and scan.later < LATER and not scan.cut:
            if str(scan.following) not in shown:
                if scan.asked >= self._settings.most_scanned:
                    scan.cut = True
                    break
                if self._stop.is_set():
                    raise Interrupted("it was stopped")
                scan.add(self.item(str(scan.following)), second, names)
            scan.following += 1
        return scan


class Scan:
    """One second being read item by item, from number `following` on."""

    def __init__(self, following: int) -> None:
        self.following = following
        self.found: list[Item] = []
        self.asked = self.later = 0
        """Items asked for; how many of the last ones in a row were written after the second."""
        self.cut = False
        """There is more than may be asked for."""

    def add(self, item: Item | None, second: int, names: Names) -> None:
        self.asked += 1
        if item is None or item.time is None:
            return
        self.later = self.later + 1 if item.time > second else 0
        if item.time == second and not item.gone:
            said = f"{item.title}\n{item.url}\n{item.text}"
            self.found += [item] if names.hold(analyse(said).surfaces) else []


def seconds(millis: Millis) -> int:
    return millis // 1000
