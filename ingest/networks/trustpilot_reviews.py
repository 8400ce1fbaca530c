"""Drafts of what Trustpilot shows of a review: the same fields in its lists, by itself, and in what its webhook sends.

Fields as on https://developers.trustpilot.com/business-units-api and https://developers.trustpilot.com/service-reviews-api.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ingest.collector import Draft, Malformed
from ingest.dates import credible, datetime_millis
from ingest.loose import each_of
from ingest.stars import rated, starred
from ingest.told import REPLY
from stream.records import Author, Metrics, Millis, PostKind

SITE = "https://www.trustpilot.com"
HIDDEN = "hidden"


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    displayName: str | None = None
    name: str | None = None
    """In place of `displayName` in what the webhook sends."""
    countryCode: str | None = None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    identifyingName: str | None = None
    """Its domain."""
    displayName: str | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    text: str | None = None
    createdAt: datetime | None = None
    updatedAt: datetime | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    reviewVisibility: str | None = None


class Review(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    createdAt: datetime
    consumer: Consumer
    stars: int | None = None
    title: str | None = None
    text: str | None = None
    language: str | None = None
    updatedAt: datetime | None = None
    isVerified: bool | None = None
    numberOfLikes: int | None = None
    companyReply: Reply | None = None
    businessUnit: Unit | None = None
    reportData: Report | None = None

    @property
    def at(self) -> Millis:
        return datetime_millis(self.createdAt)

    @property
    def hidden(self) -> bool:
        """It was reported, and nobody but the company is shown it meanwhile."""
        return self.reportData is not None and self.reportData.reviewVisibility == HIDDEN


def drafts_of(review: Review, kind: PostKind = "created") -> list[Draft]:
    """The review and, where there is one, its company's answer."""
    own = _review(review, kind)
    answer = _reply(review, kind)
    return [own] if answer is None else [own, answer]


def _review(review: Review, kind: PostKind) -> Draft:
    who, changed = review.consumer, review.updatedAt
    text = review.text or ""
    return Draft(
        native_id=review.id,
        kind=kind,
        text=text,
        title=starred(review.stars, _own_title(review.title or "", text)),
        rating=rated(review.stars),
        author=Author(id=who.id, name=who.displayName or who.name, verified=review.isVerified),
        lang=review.language,
        country=who.countryCode.upper() if who.countryCode and len(who.countryCode) == 2 else None,
        claimed_at=review.at,
        edited_at=datetime_millis(changed) if changed is not None and datetime_millis(changed) > review.at else None,
        conversation=review.id,
        link=f"{SITE}/reviews/{review.id}",
        metrics=None if review.numberOfLikes is None else Metrics(likes=review.numberOfLikes),
    )


def _reply(review: Review, kind: PostKind) -> Draft | None:
    reply, unit = review.companyReply, review.businessUnit
    if reply is None or not reply.text:
        return None
    at = datetime_millis(reply.createdAt) if reply.createdAt else None
    changed = datetime_millis(reply.updatedAt) if reply.updatedAt else None
    return Draft(
        native_id=review.id + REPLY,
        kind=kind,
        text=reply.text,
        author=None if unit is None else Author(id=unit.id, handle=unit.identifyingName, name=unit.displayName),
        claimed_at=at,
        edited_at=changed if changed is not None and at is not None and changed > at else None,
        conversation=review.id,
        reply_to=review.id,
        link=f"{SITE}/reviews/{review.id}",
    )


def reviews_of(listed: Sequence[object], place: str) -> tuple[list[Review], list[Malformed]]:
    return each_of(listed, _read, place, "review")


def _read(one: object) -> Review:
    review = msgspec.convert(one, Review)
    credible(review.at)
    return review


def _own_title(title: str, text: str) -> str:
    """Trustpilot makes a title of a text's beginning where its writer gave none: it is not told twice."""
    return "" if text.startswith(title.rstrip(" .…")) else title
