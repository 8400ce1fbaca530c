"""Which listings of Reddit a source reads, and what it knows of each: how far back a round has to read, what is new.

A listing shows its newest things first, a hundred a page, and ends after about a thousand, however many there are.
Where reading stopped is remembered as many fullnames, not one: any of them may be deleted, things come late (approved
by a moderator, found by the search) below newer ones, and an old one may stand for a moment at the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from config.sources.reddit import RedditSource
from ingest.cursors import closed, opened
from ingest.networks.reddit_posts import COMMENT, POST, Thing
from ingest.wanted import Wanted

REMEMBERED = 200
"""Newest ids known of a listing: two pages."""
RUN = 5
"""So many things in a row that are no news, at the end of a page, say that reading has arrived at what is known."""
ENDS_EARLY = 100
"""A listing that ends after fewer things, less than a page, has shown all there are. A search is cut at a few hundred,
and its end moves up while new things come."""
TOGETHER = 20
"""Subreddits in one question."""
LONGEST_QUERY = 512
"""Characters of a search (https://www.reddit.com/dev/api/#GET_search)."""
_NAME = re.compile(r"[A-Za-z0-9_-]{3,20}")
POSTS_LANE, COMMENTS_LANE = "subreddits/posts", "subreddits/comments"
"""Names of the ledger's rows; those of searches are the brands' ids."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    """Stands in the cursor."""
    query: str
    """Its rows in the ledger."""
    path: str
    params: Mapping[str, str] = {}
    kind: str = POST
    subreddits: frozenset[str] = frozenset()
    """In small letters."""
    terms: tuple[str, ...] = ()
    """Of a search, folded: what a post of it has to hold."""
    brand: str = ""
    open_only: bool = False
    """What stands in a subreddit that not everybody may read is left out."""
    parts: tuple[Listing, ...] = ()
    """Narrower listings, each with an end of its own, which together show at least the same."""

    def holds(self, one: Thing) -> bool:
        """Whether a thing that was found elsewhere belongs to it."""
        if self.subreddits:
            return one.subreddit in self.subreddits
        said = " ".join(str(one.data.get(field) or "") for field in ("title", "selftext", "url", "author")).casefold()
        return any(term in said for term in self.terms)


class Known(msgspec.Struct, frozen=True):
    """Of a listing: the newest numbers that were read, and below which one nothing is looked for."""

    floor: int = 0
    numbers: tuple[int, ...] = ()
    """Newest first."""
    owed: tuple[tuple[int, int], ...] = ()
    """First and last number of what is still to be looked up one by one: an interruption does not begin it anew."""

    @property
    def newest(self) -> int:
        return self.numbers[0] if self.numbers else self.floor

    def news(self, found: Iterable[Thing]) -> list[Thing]:
        known = set(self.numbers)
        return [one for one in found if one.number > self.floor and one.number not in known]

    def arrived(self, page: Sequence[Thing]) -> bool:
        """Whether nothing new is to be found behind this page."""
        return bool(page) and self.newest > 0 and all(one.number <= self.newest for one in page[-RUN:])

    def with_these(self, found: Iterable[Thing]) -> Known:
        numbers = sorted({*self.numbers, *(one.number for one in found if one.number > self.floor)}, reverse=True)
        kept = tuple(numbers[:REMEMBERED])
        return Known(kept[-1] - 1 if len(numbers) > REMEMBERED else self.floor, kept, self.owed)


class _Cursor(msgspec.Struct, frozen=True):
    listings: dict[str, Known]


def encode(known: Mapping[str, Known]) -> str:
    return closed(_Cursor(dict(known)))


def decode(cursor: str | None) -> dict[str, Known]:
    """Raises CursorLost."""
    return {} if cursor is None else opened(cursor, _Cursor, "Reddit's").listings


def carried(listing: Listing, known: Mapping[str, Known]) -> Known | None:
    """What is known of a listing. Of one that was asked for otherwise before (subreddits in other company, a brand with
    another alias): as far as all that it was then had been read."""
    if listing.key in known:
        return known[listing.key]
    lane = listing.key.partition(":")[0]
    former = [
        held
        for key, held in known.items()
        if key.startswith(f"{lane}:")
        and (
            key.startswith(f"{lane}:{listing.brand}:")
            if listing.brand
            else listing.subreddits.intersection(key.partition(":")[2].split("+"))
        )
    ]
    return min(former, key=lambda held: held.newest, default=None)


def listings(settings: RedditSource, wanted: Sequence[Wanted]) -> tuple[Listing, ...]:
    """Every listing that the source reads, searches by urgency of their brands."""
    names = sorted({name.lower() for name in settings.subreddits})
    groups = [names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER)]
    found = [_of_subreddits("posts", group) for group in groups]
    if settings.comments:
        found += [_of_subreddits("comments", group) for group in groups]
    if settings.search:
        found += [search for one in wanted for search in searches(one)]
    return tuple(_open_only(one) for one in found) if settings.open_only else tuple(found)


def _open_only(listing: Listing) -> Listing:
    return msgspec.structs.replace(listing, open_only=True, parts=tuple(map(_open_only, listing.parts)))


def _of_subreddits(what: str, names: Sequence[str]) -> Listing:
    joined = "+".join(names)
    return Listing(
        key=f"{what}:{joined}",
        query=POSTS_LANE if what == "posts" else COMMENTS_LANE,
        path=f"/r/{joined}/{'new' if what == 'posts' else 'comments'}",
        kind=POST if what == "posts" else COMMENT,
        subreddits=frozenset(names),
        parts=tuple(_of_subreddits(what, [name]) for name in names) if len(names) > 1 else (),
    )


def searches(wanted: Wanted) -> list[Listing]:
    """A brand's searches: as few as its terms fit into."""
    terms = _terms(wanted)
    packed: list[list[str]] = []
    for term in terms:
        if packed and len(_joined([*packed[-1], term])) <= LONGEST_QUERY:
            packed[-1].append(term)
        elif len(term) <= LONGEST_QUERY:
            packed.append([term])
    return [_search(wanted, terms) for terms in packed]


def _search(wanted: Wanted, terms: Sequence[str]) -> Listing:
    said = (*wanted.phrases, *wanted.handles, *wanted.hashtags, *map(_account, wanted.accounts))
    folded = [_bare(one).casefold() for one in said]
    return Listing(
        key=f"search:{wanted.brand}:{_joined(terms)}",
        query=wanted.brand,
        path="/search",
        params={"q": _joined(terms), "sort": "new", "t": "all", "type": "link", "include_over_18": "on"},
        terms=tuple(one for one in folded if one),
        brand=wanted.brand,
        parts=tuple(_search(wanted, [term]) for term in terms) if len(terms) > 1 else (),
    )


def _terms(wanted: Wanted) -> list[str]:
    """In Reddit's query language: quoted phrases, OR, AND, round brackets, `author:`."""
    beside = _joined([f'"{_bare(one)}"' for one in wanted.require if _bare(one)])
    names = [f'"{_bare(one)}"' for one in wanted.phrases if _bare(one)]
    terms = [f"({name} AND ({beside}))" if beside else name for name in names]
    terms += [f'"{_bare(one)}"' for one in (*wanted.handles, *wanted.hashtags) if _bare(one).strip("@#")]
    terms += [f"author:{name}" for name in map(_account, wanted.accounts) if name]
    return list(dict.fromkeys(terms))


def _joined(terms: Sequence[str]) -> str:
    return " OR ".join(terms)


def _bare(phrase: str) -> str:
    """Without what would end a quotation."""
    return " ".join(phrase.replace('"', " ").replace("\\", " ").split())


def _account(account: str) -> str:
    """The name of an account on Reddit; empty: it is elsewhere."""
    network, _, handle = account.partition(":")
    name = handle.lstrip("@")
    return name if network == "reddit" and _NAME.fullmatch(name) else ""
