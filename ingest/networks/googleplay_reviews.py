"""What Google Play's developer API says of a review, as posts: the review, and what the developer answered.

https://developers.google.com/android-publisher/api-ref/rest/v3/reviews. An id is the package and Google's id, so that a
single review can be asked for; an answer has its review's and `/reply`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from ingest.collector import Draft
from ingest.dates import credible
from ingest.loose import each_of
from ingest.networks.review_lists import Page, Review
from ingest.stars import rated, starred
from ingest.told import REPLY
from stream.records import Author, Metrics, Millis


class Moment(msgspec.Struct, frozen=True):
    """`seconds` is a number, or one as text: 64 bits."""

    seconds: int | str
    nanos: int = 0

    def millis(self) -> Millis:
        """Raises ValueError."""
        return credible(int(self.seconds) * 1_000 + self.nanos // 1_000_000)


class UserComment(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    last_modified: Moment
    text: str = ""
    original_text: str | None = None
    star_rating: int | None = None
    reviewer_language: str | None = None
    app_version_name: str | None = None
    thumbs_up_count: int | None = None


class DeveloperComment(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    last_modified: Moment
    text: str = ""


class Comment(msgspec.Struct, frozen=True, rename="camel"):
    user_comment: UserComment | None = None
    developer_comment: DeveloperComment | None = None


class Shown(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    review_id: str
    author_name: str | None = None
    comments: list[Comment]


def page_of(listed: Sequence[Any], package: str, brands: tuple[str, ...], *, last: bool) -> Page:
    found, malformed = each_of(listed, lambda one: read_review(one, package, brands), package, "review")
    answers = [answer for _, answer in found if answer is not None]
    return Page(reviews=[review for review, _ in found], answers=answers, malformed=malformed, short=last)


def read_review(listed: Any, package: str, brands: tuple[str, ...]) -> tuple[Review, Review | None]:
    """(the review; the answer to it, if any). Raises msgspec.ValidationError, ValueError where it is none."""
    held = msgspec.convert(listed, Shown)
    said = next((one.user_comment for one in reversed(held.comments) if one.user_comment is not None), None)
    answer = next((one.developer_comment for one in reversed(held.comments) if one.developer_comment), None)
    if said is None or not held.review_id:
        raise ValueError("it has no words of a user, or no id")
    native, written = f"{package}/{held.review_id}", said.last_modified.millis()
    title, text = _parted(said.original_text or said.text)
    version = (said.app_version_name or "").strip()
    link = f"https://play.google.com/store/apps/details?id={package}&reviewId={quote(held.review_id, safe='')}"
    draft = Draft(
        native_id=native,
        text=text,
        title=starred(said.star_rating, f"{title} ({version})" if version else title),
        rating=rated(said.star_rating),
        author=Author(id=native, name=held.author_name or None),
        lang=said.reviewer_language,
        claimed_at=written,
        conversation=native,
        link=link,
        metrics=Metrics(likes=said.thumbs_up_count, replies=int(answer is not None)),
        brands=brands,
    )
    review = Review(written, draft)
    return review, None if answer is None else _answered(answer, draft, package)


def _answered(answer: DeveloperComment, review: Draft, package: str) -> Review:
    """Its author is the app: an account that a brand can name as its own. Raises ValueError."""
    written = answer.last_modified.millis()
    draft = Draft(
        native_id=f"{review.native_id}{REPLY}",
        text=answer.text,
        author=Author(id=package, handle=package),
        claimed_at=written,
        conversation=review.native_id,
        reply_to=review.native_id,
        link=review.link,
        brands=review.brands,
    )
    return Review(written, draft)


def _parted(text: str) -> tuple[str, str]:
    """Title and body stand in one text with a tab between, where there were two."""
    title, tab, body = text.partition("\t")
    return (title.strip(), body) if tab else ("", text)
