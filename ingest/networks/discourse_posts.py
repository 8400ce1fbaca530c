"""Drafts of what Discourse shows of a post: the same fields in its lists, by itself, and in what its webhook sends.

Fields as in Discourse's PostSerializer and WebHookPostSerializer
(https://github.com/discourse/discourse/tree/main/app/serializers) and on https://docs.discourse.org/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from config.sources import DiscourseSource
from ingest.collector import Draft, Malformed
from ingest.dates import datetime_millis
from ingest.loose import each_of
from ingest.markup import Piece, pieces
from stream.records import Author, Metrics, PostKind

REGULAR = 1
"""post_type of what people write; the others are moderators' notes, small actions and whispers."""
MODERATOR = 2
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "hr", "details"}
)
_SILENT = frozenset({"script", "style"})


class Post(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    topic_id: int
    post_number: int
    created_at: datetime
    updated_at: datetime | None = None
    username: str = ""
    user_id: int | None = None
    name: str | None = None
    cooked: str | None = None
    raw: str | None = None
    version: int | None = None
    post_type: int = REGULAR
    reply_to_post_number: int | None = None
    reply_count: int | None = None
    reads: int | None = None
    like_count: int | None = None
    actions_summary: list[dict[str, object]] = []
    topic_title: str | None = None
    topic_slug: str | None = None
    topic_archetype: str | None = None
    category_id: int | None = None
    deleted_at: datetime | None = None
    user_deleted: bool = False
    hidden: bool = False

    @property
    def gone(self) -> bool:
        """Nobody but moderators is shown what was written."""
        return self.deleted_at is not None or self.user_deleted or self.hidden

    @property
    def likes(self) -> int | None:
        """Of a list: the action with id 2."""
        if self.like_count is not None:
            return self.like_count
        counts = [one.get("count") for one in self.actions_summary if one.get("id") == 2]
        return counts[0] if counts and isinstance(counts[0], int) else None


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """As a webhook tells of it."""

    id: int
    title: str | None = None
    slug: str | None = None
    category_id: int | None = None
    archetype: str | None = None
    highest_post_number: int = 1


class Access:
    """Who may read the posts of a category. What is not known to be public is private."""

    def __init__(self, settings: DiscourseSource, restricted: Mapping[int, bool]) -> None:
        """`restricted`: of each category that is known, whether not everybody may read it."""
        self._settings, self._restricted = settings, restricted

    @property
    def known(self) -> frozenset[int]:
        return frozenset(self._restricted)

    def label(self, category: int | None) -> str | None:
        """None: its posts are left out."""
        settings = self._settings
        if category is None or (settings.categories and str(category) not in settings.categories):
            return None
        named = settings.private.get(str(category))
        if named is not None:
            return named
        return settings.access if self._restricted.get(category) is False else None


def community(url: str) -> str:
    """What the ids of its posts begin with."""
    split = urlsplit(url)
    return f"{split.netloc.lower()}{split.path.rstrip('/')}"


def native_id(place: str, topic: int, number: int) -> str:
    return f"{place}/t/{topic}/{number}"


def numbers(native: str) -> tuple[int, int] | None:
    """(topic, post) of an id."""
    parts = native.rsplit("/", 3)
    if len(parts) != 4 or parts[1] != "t" or not (parts[2].isdecimal() and parts[3].isdecimal()):
        return None
    return int(parts[2]), int(parts[3])


def draft(post: Post, settings: DiscourseSource, label: str, kind: PostKind = "created") -> Draft:
    """`deleted` where nobody is shown it any more, whatever `kind` says."""
    place = community(settings.url)
    id = native_id(place, post.topic_id, post.post_number)
    if post.gone or kind == "deleted":
        return Draft(native_id=id, kind="deleted", access=label)
    answered = post.reply_to_post_number
    first = native_id(place, post.topic_id, 1)
    return Draft(
        native_id=id,
        kind=kind,
        text=plain(post.cooked) if post.cooked is not None else post.raw or "",
        title=post.topic_title if post.post_number == 1 else None,
        author=Author(id=f"{place}/{post.user_id if post.user_id is not None else post.username}",
                      handle=post.username or None, name=post.name or None),
        claimed_at=datetime_millis(post.created_at),
        edited_at=datetime_millis(post.updated_at) if post.updated_at and (post.version or 1) > 1 else None,
        revision=post.version,
        conversation=first,
        reply_to=None if post.post_number == 1 else native_id(place, post.topic_id, answered) if answered else first,
        link=f"{settings.url.rstrip('/')}/t/{post.topic_slug or '-'}/{post.topic_id}/{post.post_number}",
        metrics=Metrics(likes=post.likes, replies=post.reply_count, views=post.reads),
        access=label,
    )  # fmt: skip


def plain(cooked: str) -> str:
    """The text that its author wrote: without tags, and without what is quoted of others."""
    parts: list[str] = []
    left_out: list[str] = []
    """The tag whose inside is left out, so often as it stands in itself."""
    for piece in pieces(cooked):
        if piece.kind == "text":
            parts += [] if left_out else [piece.said]
        elif piece.kind == "start" and not piece.closed and (_left_out(piece) or piece.said in left_out[:1]):
            left_out.append(piece.said)
        elif piece.kind == "end" and piece.said in left_out[-1:]:
            left_out.pop()
        elif not left_out and piece.said == "img" and "emoji" in piece.attribute("class").split():
            parts.append(piece.attribute("alt") or piece.attribute("title"))
        elif piece.said in _BLOCKS:
            parts.append("\n")
    lines = [" ".join(line.split()) for line in "".join(parts).split("\n")]
    return "\n".join(line for line in lines if line)


def _left_out(piece: Piece) -> bool:
    return piece.said in _SILENT or (piece.said == "aside" and "quote" in piece.attribute("class").split())


def drafted(post: Post, settings: DiscourseSource, access: Access, kind: PostKind) -> Draft | None:
    """None where nobody here may read it. One that was public, and was moved to where nobody may, is taken away; so is
    what was deleted there, wherever."""
    label = access.label(post.category_id)
    shown = post.topic_archetype != "private_message" and post.post_type in (REGULAR, MODERATOR)
    if kind != "deleted" and label is not None and shown:
        return draft(post, settings, label, kind)
    return None if kind == "created" else draft(post, settings, label or settings.access, "deleted")


def posts_of(listed: Sequence[object], place: str) -> tuple[list[Post], list[Malformed]]:
    return each_of(listed, lambda one: msgspec.convert(one, Post), place, "post")
