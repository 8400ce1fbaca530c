"""One reading of a listing of Reddit: what of its pages is new, when enough was read, whether it showed all.

Nothing is asked here: pages come in, drafts and decisions go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ingest.collector import Delivery, Interrupted, Malformed, Span
from ingest.loose import list_of, table
from ingest.networks.reddit_listings import ENDS_EARLY, RUN, Known, Listing
from ingest.networks.reddit_posts import Thing, draft, stands, things
from stream.records import Millis


class Reading:
    """A listing being read back to what is known of it. Of one of which nothing is known all that it shows is old."""

    def __init__(self, listing: Listing, known: Known | None) -> None:
        self.listing, self.first = listing, known is None
        self.before = self.known = known or Known()
        self.overflowed = self.done = False
        self.new = self.lowest = 0
        """Things that were new; the number of the oldest of them that the listing showed."""
        self._read = 0
        self._given: set[str] = set()

    def add(self, page: Sequence[Thing], *, ended: bool, cut: bool = False) -> None:
        """`cut`: the page before promised more than this one has."""
        self._read += len(page)
        self.known = self.known.with_these(page)
        if self.first:
            self.done = True
            return
        numbers = [one.number for one in self.before.news(page)]
        self.lowest = min([*numbers, self.lowest] if self.lowest else numbers, default=0)
        arrived = self.before.arrived(page)
        self.done = arrived or ended
        self.overflowed = ended and not arrived and (cut or self._read >= ENDS_EARLY)

    def delivery(self, found: Sequence[Thing], malformed: Sequence[Malformed]) -> Delivery:
        """What of this is new, once."""
        fresh = [] if self.first else [one for one in self.before.news(found) if one.name not in self._given]
        self._given.update(one.name for one in fresh)
        self.new += len(fresh)
        return _brought(fresh, self.listing, malformed)

    def owes(self, first: int, last: int) -> None:
        """What it did not show has these numbers."""
        self.known = msgspec.structs.replace(self.known, owed=(*self.known.owed, (first, last)))

    def paid(self, found: Sequence[Thing], malformed: Sequence[Malformed], last: int) -> Delivery:
        """What of a look-up by number belongs to it, all up to `last`."""
        held = [one for one in found if self.listing.holds(one) and one.name not in self._given]
        (_, end), *others = self.known.owed
        left = [(last + 1, end), *others] if last < end else others
        self.known = msgspec.structs.replace(self.known, owed=tuple(left))
        return _brought(held, self.listing, malformed)


class Back:
    """A listing being read back through a span of time."""

    def __init__(self, listing: Listing, span: Span) -> None:
        self.listing, self.span = listing, span
        self.done = self.overflowed = self.whole = False
        """`whole`: it showed all of the span."""
        self.reached: Millis = span.until
        """Time of the oldest thing read so far."""
        self._read = 0

    def add(self, page: Sequence[Thing], *, ended: bool, cut: bool = False) -> None:
        self._read += len(page)
        times = [one.created_at for one in page]
        self.reached = min([self.reached, *times])
        arrived = bool(times) and max(times[-RUN:]) < self.span.since
        self.done = arrived or ended
        self.overflowed = ended and not arrived and (cut or self._read >= ENDS_EARLY)
        self.whole = self.done and not self.overflowed

    def delivery(self, found: Sequence[Thing], malformed: Sequence[Malformed]) -> Delivery:
        within = [one for one in found if self.span.since <= one.created_at < self.span.until]
        return _brought(within, self.listing, malformed)

    def in_parts(self, parts: Sequence[Back]) -> None:
        """What it did not show its parts were asked for: now each of them has to have reached back."""
        self.overflowed = any(one.overflowed for one in parts)
        self.reached = max(one.reached for one in parts)
        self.whole = not self.overflowed


def _brought(found: Sequence[Thing], listing: Listing, malformed: Sequence[Malformed]) -> Delivery:
    """Of a search it is told how many were left out; a subreddit that is listened to is told of by its name."""
    query_ids = (listing.brand,) if listing.brand else ()
    held = [one for one in found if stands(one) == "there"]
    shown = [one for one in held if one.open or not listing.open_only]
    drafts = [draft(one, query_ids) for one in shown]
    refused = len(held) - len(shown) if listing.brand else 0
    return Delivery(
        drafts=drafts,
        malformed=malformed,
        query=listing.query,
        missed=refused,
        reason="in subreddits that not everybody may read" if refused else "",
    )


def page(answer: Any) -> tuple[list[Any], str]:
    """(children, fullname after which the next page begins; empty: there is none). Raises Interrupted: to take what is
    no page for the last one would hide what lies behind it."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("children"), list):
        raise Interrupted("what Reddit answered is no listing")
    after = data.get("after")
    return data["children"], after if isinstance(after, str) else ""


def children(answer: Any) -> list[Any]:
    return list_of(table(answer, "data"), "children")


def thread(answer: Any) -> tuple[list[Thing], list[Malformed]]:
    """A post and its comments, whatever hangs below what."""
    found: list[Thing] = []
    malformed: list[Malformed] = []
    waiting: list[Any] = list(reversed(answer)) if isinstance(answer, list) else []
    while waiting:
        here, wrong = things(children(waiting.pop()), "/comments")
        found += here
        malformed += wrong
        waiting += [one.data["replies"] for one in reversed(here) if isinstance(one.data.get("replies"), Mapping)]
    return found, malformed


def nearest_first(own: Thing, found: Sequence[Thing]) -> list[Thing]:
    """Those above it, from the one that it answers up to the post, then the others."""
    by_name = {one.name: one for one in found}
    above: list[Thing] = []
    parent = own.data.get("parent_id")
    while isinstance(parent, str) and parent in by_name and by_name[parent] not in above:
        above.append(by_name[parent])
        parent = above[-1].data.get("parent_id")
    root = by_name.get(str(own.data.get("link_id")))
    if root is not None and root not in above:
        above.append(root)
    names = {own.name, *(one.name for one in above)}
    return above + [one for one in found if one.name not in names]
