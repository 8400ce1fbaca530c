"""Drafts of what LinkedIn shows of a post, a comment and a mention.

Fields as on https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api,
…/shares/comments-api, …/shares/little-text-format and
…/organizations/organization-social-action-notifications.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from ingest.collector import Draft
from ingest.dates import EARLIEST, LATEST
from ingest.links import web_address
from ingest.loose import count_of, list_of, table, text_of
from ingest.networks.linkedin_api import encoded
from stream.records import Author, Metrics, Millis

_POST = re.compile(r"urn:li:(?:share|ugcPost|activity|groupPost):\d{1,30}\Z", re.ASCII)
_COMMENT = re.compile(
    r"urn:li:comment:\((?:urn:li:)?((?:activity|share|ugcPost|groupPost|article):\d{1,30}),(\d{1,30})\)\Z", re.ASCII
)
_ACTOR = re.compile(r"urn:li:(person|organization|organizationBrand|member):([\w-]{1,100})\Z")
_LITTLE = re.compile(
    r"\\(?P<sign>[\\|{}@\[\]()<>#*_~])"
    r"|@\[(?P<name>(?:\\.|[^\]\\])*)\] ?\(urn:li:[^)\s]*\)"
    r"|\{hashtag\|\\?#\|(?P<tag>(?:\\.|[^}\\])*)\}"
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Item(NamedTuple):
    """A post or comment, as far as asking needs to know it."""

    id: str
    at: Millis
    draft: Draft | None
    """None: it says nothing that could be read."""
    modified: Millis = 0
    answers: int | None = 0
    """Of a comment: how many there are below it; None: not said."""
    about: str = ""
    """Of a comment: what LinkedIn calls the post that it is below."""


def post_item(one: Any) -> Item | None:
    """None: it is no post. Drafts of what is not published are None."""
    id, at = text_of(one, "id"), time_of(one, "publishedAt") or time_of(one, "createdAt")
    if not _POST.match(id) or at is None:
        return None
    modified = time_of(one, "lastModifiedAt") or at
    published = text_of(one, "lifecycleState") in ("", "PUBLISHED")
    return Item(id, at, _post_draft(one, id, at, modified) if published else None, modified)


def comment_item(one: Any, post: str) -> Item | None:
    """`post`: below which it stands, as its list is called; empty where that is not known."""
    id, at = comment_id(one), time_of(table(one, "created"), "time")
    if not id or at is None:
        return None
    summary = table(one, "commentsSummary")
    answers = count_of(summary, "aggregatedTotalComments")
    answers = count_of(summary, "totalFirstLevelComments") if answers is None else answers
    return Item(id, at, _comment_draft(one, id, at, post), answers=answers, about=text_of(one, "object"))


def comment_id(one: Any) -> str:
    """Of a comment as it is called in lists; empty: it has none."""
    said = text_of(one, "commentUrn") or text_of(one, "$URN")
    return comment_urn(said or f"urn:li:comment:({text_of(one, 'object')},{text_of(one, 'id')})")


def comment_urn(said: str) -> str:
    """In its long form; empty: it is none."""
    parts = _COMMENT.match(said)
    return f"urn:li:comment:(urn:li:{parts[1]},{parts[2]})" if parts else ""


def parts_of(comment: str) -> tuple[str, str] | None:
    """(what it is about, its number)."""
    parts = _COMMENT.match(comment)
    return (f"urn:li:{parts[1]}", parts[2]) if parts else None


def is_post(urn: str) -> bool:
    return _POST.match(urn) is not None


def mention_draft(one: Any, organization: str) -> tuple[str, Millis, Draft | None] | None:
    """(id of the post that mentions the page, when, itself where the notification holds it) of a notification; None: it
    is none."""
    at = time_of(one, "lastModifiedAt")
    shared = table(table(one, "decoratedGeneratedActivity"), "share") or table(one, "decoratedSourcePost")
    names = [text_of(shared, "entity"), text_of(one, "generatedActivity"), text_of(one, "sourcePost")]
    id = next((name for name in names if is_post(name)), "")
    if at is None or not id:
        return None
    text, owner = text_of(shared, "text"), text_of(shared, "owner")
    if not text or id != names[0] or owner == organization:
        return id, at, None
    return id, at, Draft(
        native_id=id, text=text, author=author(owner), claimed_at=at, conversation=id, link=link_of(id)
    )  # fmt: skip


def reach(id: str, reactions: int | None, comments: int) -> Draft:
    return Draft(native_id=id, kind="metrics", metrics=Metrics(likes=reactions, replies=comments))


def edited(draft: Draft) -> Draft:
    return msgspec.structs.replace(draft, kind="edited")


def _post_draft(one: Any, id: str, at: Millis, modified: Millis) -> Draft | None:
    article = table(table(one, "content"), "article")
    text = plain(text_of(one, "commentary")) or text_of(article, "title")
    if not text:
        return None
    above = text_of(table(one, "reshareContext"), "parent")
    changed = table(one, "lifecycleStateInfo").get("isEditedByAuthor") is True
    return Draft(
        native_id=id,
        text=text,
        author=author(text_of(one, "author")),
        claimed_at=at,
        edited_at=modified if changed and modified > at else None,
        conversation=id,
        quote_of=above if is_post(above) else None,
        link=link_of(id),
    )


def _comment_draft(one: Any, id: str, at: Millis, post: str) -> Draft | None:
    text = text_of(table(one, "message"), "text")
    pictures = [web_address(text_of(held, "url")) for held in list_of(one, "content")]
    media = tuple(picture for picture in pictures if picture)
    if not text and not media:
        return None
    changed = time_of(table(one, "lastModified"), "time")
    return Draft(
        native_id=id,
        text=text,
        author=author(text_of(one, "actor")),
        claimed_at=at,
        edited_at=changed if changed is not None and changed > at else None,
        conversation=post or None,
        reply_to=comment_urn(text_of(one, "parentComment")) or post or None,
        link=link_of(post or text_of(one, "object"), id),
        media=media,
        metrics=Metrics(
            likes=count_of(table(one, "likesSummary"), "totalLikes"),
            replies=count_of(table(one, "commentsSummary"), "totalFirstLevelComments"),
        ),
    )


def author(urn: str) -> Author | None:
    """LinkedIn tells no names, and of some comments not even who wrote them
    (https://github.com/MicrosoftDocs/feedback/issues/971)."""
    parts = _ACTOR.match(urn)
    if parts is None:
        return None
    return Author(id=urn, handle=parts[2] if parts[1] == "organization" else None)


def link_of(post: str, comment: str = "") -> str | None:
    if not is_post(post):
        return None
    parts = _COMMENT.match(comment)
    below = f"?commentUrn={encoded(f'urn:li:comment:({parts[1]},{parts[2]})')}" if parts else ""
    return f"https://www.linkedin.com/feed/update/{post}/{below}"


def plain(little: str) -> str:
    """Of text in LinkedIn's "little" format: mentions and hashtags as people read them, signs as they are."""
    return _LITTLE.sub(_shown, little)


def _shown(match: re.Match[str]) -> str:
    if match["sign"] is not None:
        return match["sign"]
    if match["name"] is not None:
        return _ESCAPED.sub(r"\1", match["name"])
    return "#" + _ESCAPED.sub(r"\1", match["tag"])


def time_of(one: Any, name: str) -> Millis | None:
    held = count_of(one, name)
    return held if held is not None and EARLIEST <= held < LATEST else None
