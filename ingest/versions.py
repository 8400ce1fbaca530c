"""Which of the posts that are pushed were taken already: a post is a duplicate only of the version taken last.

Whatever else was taken in between, the sender says that it is so again: an edit that goes back to an earlier text,
likes that fall, a post that is back after it was deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from ingest.taken import Last
from stream.clock import MINUTE
from stream.records import CONTENT_KINDS, Millis, Post, encode

_SAME_WHENEVER_SEEN = CONTENT_KINDS - {"restored"} | {"metrics"}
_BARE = {"seen_at": 0, "event_time": 0, "clock_doubted": False, "origin": "live", "source_id": "", "max_lateness": 0}


class Fresh(msgspec.Struct, frozen=True):
    """What of a push is to be appended, and what is to be remembered of it."""

    posts: list[Post]
    taken: dict[str, Last]
    """By item (see `items`)."""
    again: list[str]
    """Ids of the posts that came again just as they were."""


def items(posts: Iterable[Post]) -> list[str]:
    """What has to be known of earlier pushes: of the posts and of the accounts that wrote them."""
    found: dict[str, None] = {}
    for post in posts:
        found[of_post(post)] = None
        account = of_account(post)
        if account is not None:
            found[account] = None
    return list(found)


def fresh(posts: Iterable[Post], known: dict[str, Last], now: Millis) -> Fresh:
    """Those of `posts`, observed at `now`, that are no duplicates, in their order.

    Versions of one post that were observed at one moment get times of their own, in the order in which they came.
    """
    known = dict(known)
    taken: dict[str, Last] = {}
    kept: list[Post] = []
    again: list[str] = []
    for post in posts:
        item, account = of_post(post), of_account(post)
        version, before = _version(post, known.get(account or "")), known.get(item)
        if before is not None and before.version == version:
            again.append(post.id)
            continue
        post = _behind(post, before, now)
        kept.append(post)
        last = Last(version, max(now, post.seen_at))
        known[item] = taken[item] = last
        if account is not None and post.kind == "author_back":
            known[account] = taken[account] = last
    return Fresh(kept, taken, again)


def of_post(post: Post) -> str:
    return hashed("post", post.id)


def of_account(post: Post) -> str | None:
    return None if post.author is None else hashed("account", post.network, post.author.id)


def hashed(*parts: str | bytes | int) -> str:
    return hashlib.blake2b(repr(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _version(post: Post, account: Last | None) -> str:
    """A delete or a restore is another one whenever it was seen: one too many does no harm, one too few does. What an
    account wrote is new again once the account came back, and not because it went: a push that is tried again after
    that, and names no time, would bring back what the going took along."""
    bare = replace(post, **_BARE)
    seen = 0 if post.kind in _SAME_WHENEVER_SEEN else post.seen_at
    return hashed(encode(bare), seen, account.version if account is not None else "")


def _behind(post: Post, before: Last | None, now: Millis) -> Post:
    """After what was taken last, where both were observed at the same moment or the clock went back by little."""
    if before is None or post.seen_at != now or not now <= before.at < now + MINUTE:
        return post
    return replace(post, seen_at=before.at + 1)
