"""Drafts of what Yelp's Private Reviews API shows of a review.

Fields as on https://docs.developer.yelp.com/docs/private-reviews-api: `time_created` of a review without a zone, in
Yelp's own (Pacific) time; that of an answer with one. Its example has no `id`, which its table of fields has: then the
one in the review's address counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from ingest.collector import Draft, Malformed
from ingest.dates import credible, datetime_millis
from ingest.loose import each_of
from ingest.stars import rated, starred
from ingest.told import REPLY
from stream.records import Author, Millis

PACIFIC = ZoneInfo("America/Los_Angeles")


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: str | None = None
    name: str | None = None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    text: str | None = None
    time_created: datetime | None = None
    business_user: User | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True):
    time_created: datetime
    url: str = ""
    id: str | None = None
    rating: float | None = None
    text: str | None = None
    user: User | None = None
    public_response: Response | None = None

    @property
    def at(self) -> Millis:
        said = self.time_created
        return datetime_millis(said if said.tzinfo else said.replace(tzinfo=PACIFIC))

    @property
    def key(self) -> str:
        """Empty: it has none."""
        return self.id or next(iter(parse_qs(urlsplit(self.url).query).get("hrid", [])), "")


def drafts_of(review: Review, business: str, locale: str) -> list[Draft]:
    """The review and, where there is one, its business's answer."""
    id, who, answer = review.key, review.user, review.public_response
    name = who.name if who is not None else None
    stars = round(review.rating) if review.rating is not None else None
    own = Draft(
        native_id=id,
        text=review.text or "",
        title=starred(stars),
        rating=rated(stars),
        # Of the writer Yelp shows a name that many share: two reviews are never taken for one person's by it.
        author=Author(id=who.id if who is not None and who.id else f"of/{id}", name=name),
        lang=locale.partition("_")[0],
        claimed_at=review.at,
        conversation=id,
        link=_address(review.url),
    )
    if answer is None or not answer.text:
        return [own]
    said_by = answer.business_user.name if answer.business_user is not None else None
    reply = Draft(
        native_id=id + REPLY,
        text=answer.text,
        author=Author(id=f"business/{business}", handle=business, name=said_by),
        claimed_at=datetime_millis(answer.time_created) if answer.time_created else None,
        conversation=id,
        reply_to=id,
        link=_address(review.url),
    )
    return [own, reply]


def reviews_of(listed: Sequence[object], place: str) -> tuple[list[Review], list[Malformed]]:
    return each_of(listed, _read, place, "review")


def _read(one: object) -> Review:
    review = msgspec.convert(one, Review)
    if not review.key:
        raise ValueError("it has no id, and none in its address")
    credible(review.at)
    # What cannot be a post is none here, where it costs itself alone.
    drafts_of(review, "", "")
    return review


def _address(url: str) -> str | None:
    """Without what tells Yelp whose app was used: the review's own number stays."""
    split = urlsplit(url)
    own = parse_qs(split.query).get("hrid", [])
    return split._replace(query=f"hrid={own[0]}" if own else "", fragment="").geturl() or None
