"""TikTok's posts and comments, and what names an account elsewhere, as drafts.

Ids: `VIDEO` is a post of the account, `VIDEO/COMMENT` what is said below it, `mention/VIDEO` and
`mention/VIDEO/COMMENT` what others said elsewhere. A comment cannot be asked for without its post's number.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ingest.collector import Draft
from ingest.dates import EARLIEST, LATEST
from ingest.links import web_address
from ingest.loose import count_of, list_of, text_of
from stream.clock import SECOND
from stream.records import Author, Metrics, Millis

MENTION = "mention/"
HANDLE = "handle"
"""Note with the account's name, for whoever has a comment and not its post."""
VIDEO = (
    "item_id", "create_time", "share_url", "caption", "likes", "comments", "shares", "video_views",
)  # fmt: skip
MENTIONED_VIDEO = (
    "item_id", "create_time", "video_link", "caption", "likes", "comments", "shares", "views", "creator_handle_name",
)  # fmt: skip
TAGGED_VIDEO = ("item_id", "create_time", "video_link", "caption", "likes", "comments", "shares")
MENTIONED_COMMENT = (
    "item_id", "video_link", "caption", "comment_id", "comment_type", "comment_text", "comment_create_time",
    "comment_likes",
)  # fmt: skip
BY_NAME, BY_HANDLE = "commenter_display_name", "commenter_handle_name"
"""Whom the list of comments names, and the question about one."""
_NUMBER = re.compile(r"[1-9]\d{0,24}", re.ASCII)
_HANDLE = re.compile(r"https?://(?:[a-z]+\.)?tiktok\.com/@([A-Za-z0-9_.]{1,64})(?:[/?#].*)?", re.ASCII)


class Video(NamedTuple):
    """A post of the account, as far as its comments need to know it."""

    id: str
    at: Millis
    link: str | None
    handle: str
    draft: Draft | None
    """None: it says nothing that could be read."""


class Comment(NamedTuple):
    id: str
    """`VIDEO/COMMENT`"""
    at: Millis
    draft: Draft | None
    pinned: bool = False
    hidden: bool = False
    replies: int = 0
    answers: tuple[Any, ...] = ()
    """Those that came with it: three at most."""


class Mentioned(NamedTuple):
    id: str
    at: Millis
    draft: Draft | None
    handle: str
    """Of the account below whose post it stands."""


def video_of(one: Any, account: str) -> Video | None:
    id, at = number_of(one, "item_id"), seconds_of(one, "create_time")
    if id is None or at is None:
        return None
    link = _link(one, "share_url")
    handle = handle_of(link)
    author = Author(id=account, handle=handle or None)
    return Video(id, at, link, handle, _video_draft(one, id, at, link, author, "video_views"))


def comment_of(one: Any, video: str, link: str | None, above: str = "") -> Comment | None:
    """`above`: number of the comment that it was listed below."""
    id, at = number_of(one, "comment_id"), seconds_of(one, "create_time")
    if id is None or at is None:
        return None
    text, picture = text_of(one, "text"), web_address(text_of(one, "image_url"))
    above, replies = number_of(one, "parent_comment_id") or above, count_of(one, "replies")
    said = None if not text and not picture else Draft(
        native_id=f"{video}/{id}",
        text=text,
        author=_commenter(one),
        claimed_at=at,
        conversation=video,
        reply_to=f"{video}/{above}" if above else video,
        link=link,
        media=(picture,) if picture else (),
        metrics=Metrics(likes=count_of(one, "likes"), replies=replies),
    )  # fmt: skip
    return Comment(
        f"{video}/{id}", at, said, one.get("pinned") is True, one.get("status") == "HIDDEN", replies or 0,
        tuple(list_of(one, "reply_list")),
    )  # fmt: skip


def mentioned_video(one: Any) -> Mentioned | None:
    id, at = number_of(one, "item_id"), seconds_of(one, "create_time")
    if id is None or at is None:
        return None
    link = _link(one, "video_link")
    handle = text_of(one, "creator_handle_name") or handle_of(link)
    author = Author(id=handle, handle=handle) if handle else None
    return Mentioned(MENTION + id, at, _video_draft(one, MENTION + id, at, link, author, "views"), handle)


def mentioned_comment(one: Any) -> Mentioned | None:
    video, id = number_of(one, "item_id"), number_of(one, "comment_id")
    at = seconds_of(one, "comment_create_time")
    if video is None or id is None or at is None:
        return None
    link, text = _link(one, "video_link"), text_of(one, "comment_text")
    handle, name = text_of(one, BY_HANDLE), text_of(one, BY_NAME)
    said = None if not text else Draft(
        native_id=f"{MENTION}{video}/{id}",
        text=text,
        author=Author(id=handle or name, handle=handle or None, name=name or None) if handle or name else None,
        claimed_at=at,
        conversation=MENTION + video,
        reply_to=MENTION + video if text_of(one, "comment_type") != "REPLY" else None,
        link=link,
        metrics=Metrics(likes=count_of(one, "comment_likes")),
    )  # fmt: skip
    return Mentioned(f"{MENTION}{video}/{id}", at, said, handle_of(link))


def above_mentioned(one: Any) -> Draft | None:
    """The post below which a comment stands, as far as the comment tells of it."""
    video, caption, link = number_of(one, "item_id"), text_of(one, "caption"), _link(one, "video_link")
    if video is None or not caption:
        return None
    handle = handle_of(link)
    return Draft(
        native_id=MENTION + video,
        text=caption,
        author=Author(id=handle, handle=handle) if handle else None,
        conversation=MENTION + video,
        link=link,
        metrics=Metrics(likes=count_of(one, "video_likes")),
    )


def handle_of(link: str | None) -> str:
    found = _HANDLE.fullmatch(link or "")
    return found[1] if found else ""


def link_of(handle: str | None, video: str) -> str | None:
    """Where a post of an account stands, as the lists of its posts write it."""
    return f"https://www.tiktok.com/@{handle}/video/{video}" if handle else None


def number_of(one: Any, name: str) -> str | None:
    """An id: lists write it as a string, pushes as a number."""
    held = one.get(name) if isinstance(one, dict) else None
    text = str(held) if isinstance(held, int | str) and not isinstance(held, bool) else ""
    return text if _NUMBER.fullmatch(text) else None


def seconds_of(one: Any, name: str) -> Millis | None:
    found = number_of(one, name)
    return at if found is not None and EARLIEST <= (at := int(found) * SECOND) < LATEST else None


def _video_draft(one: Any, id: str, at: Millis, link: str | None, author: Author | None, views: str) -> Draft | None:
    """None without a caption: its pictures' addresses end after a while, and nothing else of it is told."""
    caption = text_of(one, "caption")
    if not caption:
        return None
    return Draft(
        native_id=id,
        text=caption,
        author=author,
        claimed_at=at,
        conversation=id,
        link=link,
        metrics=Metrics(
            likes=count_of(one, "likes"),
            reposts=count_of(one, "shares"),
            replies=count_of(one, "comments"),
            views=count_of(one, views),
        ),
    )


def _commenter(one: Any) -> Author | None:
    handle = text_of(one, "username")
    id = text_of(one, "unique_identifier") or handle
    return Author(id=id, handle=handle or None, name=text_of(one, "display_name") or None) if id else None


def _link(one: Any, name: str) -> str | None:
    """Without what it says of the app that asked."""
    return web_address(text_of(one, name).partition("?")[0])
