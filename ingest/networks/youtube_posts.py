"""Drafts of what the YouTube Data API shows: videos, comment threads, comments.

Fields by https://developers.google.com/youtube/v3/docs/comments, …/commentThreads and …/videos.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from ingest.collector import Draft, Malformed
from ingest.dates import datetime_millis
from ingest.loose import each_of
from stream.records import Author, Metrics, Millis

WATCH = "https://www.youtube.com/watch?v="


class _Named(msgspec.Struct, frozen=True):
    value: str = ""


class CommentSnippet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    published_at: datetime
    updated_at: datetime | None = None
    text_display: str = ""
    text_original: str | None = None
    author_display_name: str = ""
    author_channel_id: _Named | None = None
    parent_id: str | None = None
    video_id: str | None = None
    like_count: int | None = None


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    snippet: CommentSnippet

    @property
    def published(self) -> Millis:
        return datetime_millis(self.snippet.published_at)

    @property
    def updated(self) -> Millis:
        return datetime_millis(self.snippet.updated_at) if self.snippet.updated_at else self.published

    @property
    def print(self) -> int:
        """Differs where the text may differ."""
        return hash((self.snippet.text_display, self.snippet.text_original, self.updated))


class _ThreadSnippet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    top_level_comment: Comment
    video_id: str | None = None
    total_reply_count: int = 0


class _Replies(msgspec.Struct, frozen=True):
    comments: list[Any] = []


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    snippet: _ThreadSnippet
    replies: _Replies | None = None

    @property
    def top(self) -> Comment:
        return self.snippet.top_level_comment


class _VideoSnippet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    published_at: datetime
    title: str = ""
    description: str = ""
    channel_id: str = ""
    channel_title: str = ""
    default_language: str | None = None
    default_audio_language: str | None = None


class _Statistics(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    view_count: int | None = None
    like_count: int | None = None
    comment_count: int | None = None


class Video(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    snippet: _VideoSnippet
    statistics: _Statistics = _Statistics()

    @property
    def published(self) -> Millis:
        return datetime_millis(self.snippet.published_at)


class Read(NamedTuple):
    """A page's items of one kind, and what of it was none."""

    items: list[Any]
    malformed: list[Malformed]


def read(items: object, kind: type[Any], place: str) -> Read:
    """Each item by itself: one that YouTube sends in another form costs only itself."""
    listed = items if isinstance(items, list) else []
    good, bad = each_of(listed, lambda item: msgspec.convert(item, kind, strict=False), place, kind.__name__.lower())
    return Read(good, bad)


def comment_draft(comment: Comment, video: str | None, *, edited: bool = False) -> Draft:
    """`video`: whose conversation it is part of. A comment of the first level answers the video."""
    said = comment.snippet
    video = video or said.video_id
    top = said.parent_id or comment.id
    return Draft(
        native_id=comment.id,
        kind="edited" if edited else "created",
        text=said.text_display if said.text_original is None else said.text_original,
        author=_author(said),
        claimed_at=comment.published,
        edited_at=comment.updated if comment.updated > comment.published else None,
        conversation=video or top,
        reply_to=said.parent_id or video,
        link=f"{WATCH}{video}&lc={comment.id}" if video else None,
        metrics=None if said.like_count is None else Metrics(likes=said.like_count),
    )


def thread_draft(thread: Thread, *, edited: bool = False) -> Draft:
    """The comment that began it; answers come as comments of their own, by `replies`."""
    draft = comment_draft(thread.top, thread.snippet.video_id, edited=edited)
    reach = Metrics(likes=thread.top.snippet.like_count, replies=thread.snippet.total_reply_count)
    return msgspec.structs.replace(draft, metrics=reach)


def replies(thread: Thread) -> Read:
    """The answers that came with it: not all of them, where it has many."""
    return read(thread.replies.comments if thread.replies else [], Comment, f"replies of {thread.id}"[:200])


def video_draft(video: Video, *, edited: bool = False, query_ids: tuple[str, ...] = ()) -> Draft:
    said = video.snippet
    return Draft(
        native_id=video.id,
        kind="edited" if edited else "created",
        title=said.title or None,
        text=said.description,
        author=Author(id=said.channel_id, name=said.channel_title or None) if said.channel_id else None,
        lang=said.default_audio_language or said.default_language,
        claimed_at=video.published,
        conversation=video.id,
        link=WATCH + video.id,
        metrics=reach(video),
        query_ids=query_ids,
    )


def reach(video: Video) -> Metrics:
    counted = video.statistics
    return Metrics(likes=counted.like_count, replies=counted.comment_count, views=counted.view_count)


def only_metrics(draft: Draft) -> Draft:
    """How far it reached, and nothing of what it says."""
    return Draft(native_id=draft.native_id, kind="metrics", metrics=draft.metrics)


def rfc3339(time: Millis) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _author(said: CommentSnippet) -> Author | None:
    """Since 2023 the shown name is the handle, with `@`."""
    shown = said.author_display_name
    id = said.author_channel_id.value if said.author_channel_id else ""
    if not id and not shown:
        return None
    handle = shown.removeprefix("@") if shown.startswith("@") else None
    return Author(id=id or shown, handle=handle or None, name=shown or None)
