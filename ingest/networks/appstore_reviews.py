"""What a page of an App Store feed says, as reviews.

Nobody documents the feed; this is what programs that read it for years know of it, and sample payloads in their tests
(see the stand-in): its first entry may be the app itself, a single entry is no list, and an app that the store does not
have is an answer without a link to itself.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ingest.collector import Draft, Interrupted
from ingest.dates import credible, iso_millis
from ingest.loose import each_of
from ingest.networks.review_lists import Page, Review
from ingest.stars import rated, starred
from ingest.web import Answer
from stream.records import Author, Metrics

PAGE = 50
_ACCOUNT = re.compile(r"/id(\d{1,20})\Z")


class Label(msgspec.Struct, frozen=True):
    label: str


class Writer(msgspec.Struct, frozen=True):
    name: Label
    uri: Label = Label("")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    id: Label
    updated: Label
    rating: Label = msgspec.field(name="im:rating")
    author: Writer
    title: Label = Label("")
    content: Label = Label("")
    version: Label = msgspec.field(name="im:version", default=Label(""))
    helpful: Label = msgspec.field(name="im:voteSum", default=Label(""))


class Content(msgspec.Struct, frozen=True):
    entry: Any = None
    link: Any = None


class Feed(msgspec.Struct, frozen=True):
    feed: Content


def read_page(answer: Answer, country: str, app: str, brands: tuple[str, ...]) -> tuple[Page, bool]:
    """(its reviews; whether the store has the app). Raises Interrupted where it is no feed."""
    feed = answer.decoded(Feed).feed
    entries = _listed(feed.entry)
    others = [one for one in entries if not _is_the_app(one)]
    reviews, malformed = each_of(
        others, lambda one: _review(msgspec.convert(one, Entry), country, app, brands), f"{country}/{app}", "review"
    )
    if feed.link is None and not entries:
        raise Interrupted("what the App Store answered is no feed")
    listed = bool(entries) or any(_rel(one) == "self" for one in _listed(feed.link))
    return Page(reviews=reviews, malformed=malformed, short=len(entries) < PAGE), listed


def _review(entry: Entry, country: str, app: str, brands: tuple[str, ...]) -> Review:
    """Raises ValueError where it is none."""
    written = iso_millis(entry.updated.label)
    if written is None:
        raise ValueError("it names no time")
    account = _ACCOUNT.search(entry.author.uri.label)
    name = entry.author.name.label.strip()
    version = entry.version.label.strip()
    title = f"{entry.title.label.strip()} ({version})" if version else entry.title.label
    helpful = int(entry.helpful.label) if entry.helpful.label.isdecimal() else None
    draft = Draft(
        native_id=entry.id.label,
        text=entry.content.label,
        title=starred(int(entry.rating.label), title),
        rating=rated(int(entry.rating.label)),
        author=Author(id=account[1] if account else f"{country}/{entry.id.label}", name=name or None),
        country=country.upper(),
        claimed_at=written,
        link=f"https://apps.apple.com/{country}/app/id{app}",
        metrics=None if helpful is None else Metrics(likes=helpful),
        brands=brands,
    )
    return Review(credible(written), draft)


def _listed(held: Any) -> list[Any]:
    """One alone is shown without a list."""
    return held if isinstance(held, list) else [] if held is None else [held]


def _is_the_app(one: Any) -> bool:
    return isinstance(one, dict) and "im:rating" not in one and "im:name" in one


def _rel(link: Any) -> Any:
    attributes = link.get("attributes") if isinstance(link, dict) else None
    return attributes.get("rel") if isinstance(attributes, dict) else None
