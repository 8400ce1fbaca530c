"""Drafts of what Hacker News shows of a story or comment: as its search has it, and as its API has it.

The two name the same things differently: https://hn.algolia.com/api and https://github.com/HackerNews/API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ingest.collector import Draft, Interrupted, Malformed
from ingest.links import web_address
from ingest.loose import each_of
from ingest.markup import words_of
from stream.clock import SECOND
from stream.records import Author, Metrics, Millis, PostKind

LINK = "https://news.ycombinator.com/item?id="
Number = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """What the search shows of one."""

    objectID: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,15}$")]
    created_at_i: Seconds
    author: str | None = None
    title: str | None = None
    url: str | None = None
    story_text: str | None = None
    comment_text: str | None = None
    points: int | None = None
    num_comments: int | None = None
    story_id: int | None = None
    parent_id: int | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What the API shows of one."""

    id: Number
    type: str = ""
    by: str | None = None
    time: Seconds | None = None
    title: str | None = None
    url: str | None = None
    text: str | None = None
    score: int | None = None
    descendants: int | None = None
    parent: int | None = None
    deleted: bool = False
    dead: bool = False

    @property
    def gone(self) -> bool:
        """Whether readers are shown nothing of it: taken back by its writer, or killed."""
        return self.deleted or self.dead


def of_hit(hit: Hit, brand: str) -> Draft:
    story = str(hit.story_id) if hit.story_id is not None else None
    answers = str(hit.parent_id) if hit.parent_id is not None else None
    return _draft(
        hit.objectID, "created", hit.author, hit.created_at_i, hit.title, hit.url,
        hit.comment_text if hit.comment_text is not None else hit.story_text,
        Metrics(likes=_count(hit.points), replies=_count(hit.num_comments)),
        conversation=story if answers is not None else hit.objectID, reply_to=answers, brand=brand,
    )  # fmt: skip


def of_item(item: Item, conversation: str | None, brand: str = "", kind: PostKind = "created") -> Draft:
    """`conversation`: the story that it stands below; of a story its own number."""
    return _draft(
        str(item.id), kind, item.by, item.time, item.title, item.url, item.text,
        Metrics(likes=_count(item.score), replies=_count(item.descendants)),
        conversation=conversation, reply_to=str(item.parent) if item.parent is not None else None, brand=brand,
    )  # fmt: skip


def hits_of(listed: Sequence[object]) -> tuple[list[Hit], list[Malformed]]:
    return each_of(listed, lambda one: msgspec.convert(one, Hit), "search_by_date", "post")


def item_of(answer: Any) -> Item | None:
    """None: there is no such item, or nobody is shown it yet. Raises Interrupted: what is no item says nothing of one
    that may be there."""
    if answer is None:
        return None
    try:
        return msgspec.convert(answer, Item)
    except msgspec.ValidationError as wrong:
        raise Interrupted(f"the answer is no item of Hacker News: {wrong}"[:300]) from None


def _draft(
    id: str, kind: PostKind, by: str | None, at: int | None, title: str | None, url: str | None, markup: str | None,
    metrics: Metrics, *, conversation: str | None, reply_to: str | None, brand: str,
) -> Draft:  # fmt: skip
    # A story may have a link, a text, or both.
    text = words_of(markup or "")
    address = web_address(url) if url else None
    return Draft(
        native_id=id,
        kind=kind,
        text="\n".join(part for part in (address, text) if part),
        title=words_of(title) if title else None,
        author=Author(id=by, handle=by) if by else None,
        claimed_at=None if at is None else millis(at),
        conversation=conversation,
        reply_to=reply_to,
        link=f"{LINK}{id}",
        metrics=metrics,
        query_ids=(brand,) if brand else (),
    )


def millis(seconds: int) -> Millis:
    return seconds * SECOND


def _count(number: int | None) -> int | None:
    """Points may be below nought."""
    return None if number is None else max(number, 0)
