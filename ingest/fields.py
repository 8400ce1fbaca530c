"""What a post's fields are called in people's files: the targets of `--map`, and the names known without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

KNOWN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": (
            "text", "full_text", "body", "content", "message", "comment", "caption", "tweet", "tweet_text", "post_text",
            "review", "review_text", "mention_content", "hit_sentence", "snippet", "texto", "mensaje", "comentario",
        ),
        "id": (
            "id", "id_str", "native_id", "post_id", "tweet_id", "status_id", "comment_id", "message_id", "review_id",
            "mention_id", "uri", "guid",
        ),
        "created_at": (
            "created_at", "created", "created_utc", "tweet_created", "published_at", "published", "publish_date",
            "published_date", "post_date", "posted_at", "date", "datetime", "date_time", "timestamp", "time",
            "claimed_at", "fecha",
        ),
        "title": ("title", "headline", "subject", "titulo"),
        "author_id": ("author_id", "user_id", "author.id", "user.id_str", "user.id", "account.id", "from.id"),
        "author": (
            "author_handle", "author", "author_username", "username", "user_name", "screen_name", "handle", "user",
            "author.handle", "author.username", "user.screen_name", "user.username", "account.acct",
            "from.username", "autor", "usuario",
        ),
        "author_name": (
            "author_name", "display_name", "author_full_name", "full_name", "name", "author.name", "user.name",
            "account.display_name", "from.name",
        ),
        "followers": (
            "followers", "followers_count", "author_followers", "author.followers", "user.followers_count",
            "author.public_metrics.followers_count", "account.followers_count", "seguidores",
        ),
        "verified": ("verified", "author_verified", "author.verified", "user.verified"),
        "lang": ("lang", "language", "iso_language_code", "idioma"),
        "country": ("country", "country_code", "place.country_code", "pais"),
        "network": ("network", "platform", "red"),
        "kind": ("kind",),
        "reply_to": (
            "reply_to", "in_reply_to", "in_reply_to_id", "in_reply_to_status_id_str", "in_reply_to_status_id",
            "in_reply_to_tweet_id", "in_response_to_tweet_id", "parent_id",
        ),
        "conversation": ("conversation", "conversation_id", "thread_id", "root_id"),
        "quote_of": ("quote_of", "quoted_status_id_str", "quoted_status_id"),
        "repost_of": ("repost_of", "retweeted_status_id_str", "retweeted_status_id"),
        "link": ("link", "url", "permalink", "enlace"),
        "media": ("media", "media_urls"),
        "likes": (
            "likes", "like_count", "likes_count", "favorite_count", "favourites_count", "favorites", "metrics.likes",
            "public_metrics.like_count",
        ),
        "reposts": (
            "reposts", "repost_count", "retweet_count", "retweets", "share_count", "shares", "metrics.reposts",
            "public_metrics.retweet_count",
        ),
        "replies": (
            "reply_count", "replies_count", "comment_count", "num_comments", "replies", "metrics.replies",
            "public_metrics.reply_count",
        ),
        "views": (
            "views", "view_count", "impressions", "impression_count", "metrics.views",
            "public_metrics.impression_count",
        ),
        "seen_at": ("seen_at", "collected_at", "observed_at", "received_at", "retrieved_at"),
        "edited_at": ("edited_at",),
        "revision": ("revision",),
    }
)  # fmt: skip
"""For each field of a post, the names that are taken for it without being told, first found first."""

UNASKED = ("rating", "brands", "query_ids", "access")
"""Fields that a file fills only where it is Clamor's own or `--map` says so."""

TARGETS: tuple[str, ...] = (*KNOWN, *UNASKED)
REQUIRED = ("text", "created_at")

_OWN = frozenset({"id", "network", "seen_at", "event_time"})


def recognised(columns: Collection[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Field of a post → column, for the columns that are known by name; `taken` are the fields already mapped.

    Case, spaces, `_` and `-` do not matter.
    """
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(_folded(column), column)
    found: dict[str, str] = {}
    for target, names in KNOWN.items():
        if target not in taken:
            present = [by_name[folded] for name in names if (folded := _folded(name)) in by_name]
            if present:
                found[target] = present[0]
    if is_own(columns):
        found.update({target: target for target in UNASKED if target in columns and target not in taken})
    return found


def is_own(columns: Collection[str]) -> bool:
    """Whether rows with these columns are Clamor's own posts (`stream.records.Post` as JSON)."""
    return _OWN.issubset(columns)


def suggested(missing: Iterable[str], columns: Collection[str]) -> dict[str, str]:
    """For each missing field, the column that comes nearest by name, or `COLUMN`."""
    folded = {_folded(column): column for column in columns}
    answer: dict[str, str] = {}
    for target in missing:
        near = ""
        for name in KNOWN.get(target, (target,)):
            inside = [key for key in folded if len(name) > 3 and _folded(name) in key]
            close = inside or get_close_matches(_folded(name), folded, 1, 0.75)
            if close and folded[close[0]] not in answer.values():
                near = folded[close[0]]
                break
        answer[target] = near or "COLUMN"
    return answer


def _folded(name: str) -> str:
    return name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")
