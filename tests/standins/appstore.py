"""Apple's App Store on a socket: GET /COUNTRY/rss/customerreviews/page=N/id=APP/sortby=mostrecent/json.

Apple publishes no documentation of this feed. What it answers is taken from programs that read it: the path, the ten
pages of fifty and the answer for an app that is not there from https://github.com/futurice/app-store-web-scraper
(`_entry.py`, README), the app itself as the first entry from https://github.com/tema4p/AppStoreReview
(`src/app/pages/app-info/app-info.ts`), the fields of an entry from that and from the sample payload in
https://github.com/DayBySay/Reviewer (`Tests/ReviewerTests/Fixture.swift`), a single entry that is no list from
https://github.com/bbyojjok/review-scraper-backend (`src/lib/appStoreReview.js`). The entry's fields were compared with
those payloads; that an edit keeps its id and gets a new `updated` at the top of the list, and that a page is empty or
old now and then, is what others tell, and was compared with nothing. Persons and texts are invented.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.standins.server import Request, Response, StandIn

PAGE, PAGES = 50, 10
PACIFIC = timezone(timedelta(hours=-7))
_PATH = re.compile(r"/([a-z]{2})/rss/customerreviews/page=(\d+)/id=(\d+)/sortby=mostrecent/json")


class AppstoreStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.app_first = False
        """The feed's first entry is the app."""
        self.page = PAGE
        """Reviews on a page."""
        self.emptied: set[int] = set()
        """Pages that show nothing, whatever there is."""
        self.gone: set[str] = set()
        """`COUNTRY/APP` that the store does not have."""
        self._feeds: dict[str, list[Any]] = {}
        """Oldest first."""
        self._next = 6_000_000_000

    def publish(
        self, text: str, *, feed: str = "us/1234567890", at: int | None = None, author: str = "ana", stars: int = 4,
        title: str = "A title", version: str = "3.4.1", helpful: int = 0,
    ) -> str:  # fmt: skip
        with self.lock:
            self._next += 1
            country, _, app = feed.partition("/")
            entry = {
                "author": {"uri": _label(f"https://itunes.apple.com/{country}/reviews/id{sum(author.encode())}"),
                           "name": _label(author), "label": ""},
                "updated": _label(_stamp(self.wall() if at is None else at)),
                "im:rating": _label(str(stars)), "im:version": _label(version), "id": _label(str(self._next)),
                "title": _label(title), "content": {"label": text, "attributes": {"type": "text"}},
                "link": {"attributes": {"rel": "related",
                                        "href": f"https://itunes.apple.com/{country}/review?id={app}&type=Software"}},
                "im:voteSum": _label(str(helpful)), "im:voteCount": _label(str(helpful)),
                "im:contentType": {"attributes": {"term": "Application", "label": "Application"}},
            }  # fmt: skip
            self._feeds.setdefault(feed, []).append(entry)
            return str(self._next)

    def edit(self, id: str, text: str | None = None, *, stars: int | None = None) -> None:
        with self.lock:
            feed, entry = self._found(id)
            feed.remove(entry)
            entry = {**entry, "updated": _label(_stamp(self.wall()))}
            if text is not None:
                entry["content"] = {**entry["content"], "label": text}
            if stars is not None:
                entry["im:rating"] = _label(str(stars))
            feed.append(entry)

    def vote(self, id: str, helpful: int) -> None:
        with self.lock:
            self._found(id)[1]["im:voteSum"] = _label(str(helpful))

    def remove(self, id: str) -> None:
        with self.lock:
            feed, entry = self._found(id)
            feed.remove(entry)

    def broken(self, feed: str = "us/1234567890") -> None:
        with self.lock:
            self._feeds.setdefault(feed, []).append({"im:rating": _label("5"), "title": _label("no id")})

    def truth(self) -> dict[str, str]:
        with self.lock:
            shown = [entry for feed in self._feeds.values() for entry in feed if "id" in entry]
            return {entry["id"]["label"]: entry["content"]["label"] for entry in shown}

    def answer(self, request: Request) -> Response:
        asked = _PATH.fullmatch(request.path)
        if asked is None:
            return Response(404)
        country, page, app = asked[1], int(asked[2]), asked[3]
        if page > PAGES:
            return Response(400, b"CustomerReviews RSS page depth is limited to 10", {"Content-Type": "text/plain"})
        feed = f"{country}/{app}"
        entries = self._feeds.get(feed, [])[::-1][self.page * (page - 1) : self.page * page]
        if self.app_first and page == 1:
            entries = [_app(feed), *entries[: self.page - 1]]
        if feed in self.gone or page in self.emptied:
            entries = []
        held: dict[str, Any] = {
            "author": {"name": _label("iTunes Store"), "uri": _label("http://www.apple.com/itunes/")},
            "updated": _label(_stamp(self.wall())), "rights": _label("Copyright"), "title": _label("Customer Reviews"),
            "link": [] if feed in self.gone else [_link(rel, feed) for rel in ("alternate", "self", "first", "last")],
            "id": _label(f"{self.url}{request.path}"),
        }  # fmt: skip
        if entries:
            held["entry"] = entries[0] if len(entries) == 1 else entries
        return Response.of({"feed": held}, headers={"Content-Type": "text/javascript; charset=utf-8"})

    def _found(self, id: str) -> tuple[list[Any], Any]:
        for feed in self._feeds.values():
            for entry in feed:
                if entry.get("id") == _label(id):
                    return feed, entry
        raise KeyError(id)


def _label(text: str) -> dict[str, str]:
    return {"label": text}


def _link(rel: str, feed: str) -> dict[str, Any]:
    return {"attributes": {"rel": rel, "href": f"https://itunes.apple.com/{feed}"}}


def _app(feed: str) -> dict[str, Any]:
    return {"im:name": _label("An app"), "title": _label("An app"), "id": _label(f"https://itunes.apple.com/{feed}"),
            "im:artist": _label("A company"), "im:price": _label("Get")}  # fmt: skip


def _stamp(at: int) -> str:
    """To the second, in California's time."""
    return datetime.fromtimestamp(at // 1000, PACIFIC).isoformat()
