"""How the observations of one post become one state, in whatever order and however often they arrive.

A post is merged by parts, and each part is the greatest of what was observed under a total order: so `merge` is
commutative, associative and idempotent. Delete wins over content and metrics whatever their times; only an explicit
restore that was seen later lifts it, and text from before the delete does not come back with it. `forgotten` is never
lifted.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from stream.records import CONTENT_KINDS, TIERS, Metrics, Millis, Post, Tier, Understanding, Understood, encode

ContentKey: TypeAlias = tuple[int, int, Millis, str]
"""(the network's revision or 0, when it was written, seen_at, content hash), compared in this order."""

NEVER: Millis = -1


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was understood of one content, without the post: the fields of Understood by the same names."""

    content_hash: str
    generation: int
    tier: Tier
    mentions: tuple[Understanding, ...]
    unnamed: Understanding | None = None
    lang: str = ""
    lang_confidence: float = 0.0
    fingerprint: int = 0
    model: str = ""
    appended_at: Millis = 0
    understood_at: Millis = 0


class PostState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of one post. Times are milliseconds UTC, NEVER where nothing of the kind was seen."""

    id: str
    key: ContentKey | None = None
    """Of the newest content; None while only deletes or metrics were seen."""
    content: Post | None = None
    """That content as it was observed; None (a husk) once a delete or expiry as late as it has taken its text."""
    happened: tuple[Millis, bool] | None = None
    """Earliest (event_time, clock_doubted) of any content: an edit or a second look does not move a post in time."""
    metrics: tuple[Millis, Metrics] | None = None
    """(observation time, the newest metrics)."""
    deleted_at: Millis = NEVER
    restored_at: Millis = NEVER
    expired_at: Millis = NEVER
    forgotten: bool = False
    readings: tuple[Reading, ...] = ()
    """The best reading of each content seen, by content hash."""

    @property
    def deleted(self) -> bool:
        return self.deleted_at != NEVER and self.deleted_at >= self.restored_at

    @property
    def expired(self) -> bool:
        """Whether the newest content was seen no later than the expiry."""
        return self.expired_at != NEVER and (self.key is None or self.key[2] <= self.expired_at)

    @property
    def exists(self) -> bool:
        """Whether it counts as published: content was seen, and neither a delete nor `forgotten` holds."""
        return self.key is not None and not self.deleted and not self.forgotten

    @property
    def text_visible(self) -> bool:
        """Whether text and author may be stored, shown, searched, mailed."""
        return self.exists and self.content is not None

    @property
    def visible(self) -> Post | None:
        """The post as it may be shown: newest content, newest metrics, earliest event time. None where it may not."""
        if self.content is None or not self.exists:
            return None
        post = self.content
        metrics = self.metrics[1] if self.metrics else None
        happened = self.happened or (post.event_time, post.clock_doubted)
        if post.metrics == metrics and (post.event_time, post.clock_doubted) == happened:
            return post
        return replace(post, metrics=metrics, event_time=happened[0], clock_doubted=happened[1])

    @property
    def content_hash(self) -> str:
        """Of the newest content, also where its text is gone; empty where none was seen."""
        return self.key[3] if self.key else ""

    @property
    def understanding(self) -> Reading | None:
        """The best reading of the newest content; None where it was not read yet."""
        for reading in self.readings:
            if reading.content_hash == self.content_hash:
                return reading
        return None

    def at_rest(self) -> PostState:
        """The state as it may be stored: without text that is not visible, and with the present reading only.

        A state that went through this shows less than the whole history might (a text that arrived after a delete
        does not appear should an earlier restore turn up), never more.
        """
        reading = self.understanding
        return replace(
            self,
            content=self.content if self.exists else None,
            readings=(reading,) if reading else (),
        )


def content_hash(post: Post) -> str:
    """16 hex digits of BLAKE2b over what makes a post's content: title, text, media, the post it quotes, its rating.

    Not its link, reach, times or author; of a medium's address not the query, where networks put signatures that
    change with every look.
    """
    digest = blake2b(digest_size=8)
    for part in (post.title or "", post.text, post.quote_of or "", *map(steady_address, post.media)):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    if post.rating is not None:
        digest.update(b"r%d" % post.rating)
    return digest.hexdigest()


def content_key(post: Post, found: str) -> ContentKey:
    """By what a content whose hash is `found` is newer than another.

    A content was written when it was edited, and the first one when the post was created; where the network names
    neither, when it was seen. Nothing was written after it was seen, whatever a clock says.
    """
    written = post.edited_at
    if written is None and post.kind == "created":
        written = post.claimed_at
    seen = post.seen_at
    return (post.revision or 0, seen if written is None else min(written, seen), seen, found)


def is_bare_restore(post: Post) -> bool:
    """The network only said that the post is back: that is no content, and must not pass for an edit to nothing."""
    return post.kind == "restored" and not (post.text or post.title or post.media)


def state_of(record: Post | Understood) -> PostState:
    """What one observation tells. An author's coming and going tells nothing of the post itself."""
    if isinstance(record, Understood):
        post, known_hash = record.post, record.content_hash
    else:
        post, known_hash = record, ""
    kind = post.kind
    if kind in CONTENT_KINDS:
        return _content_state(record, post, known_hash)
    if kind == "metrics" and post.metrics is not None:
        return PostState(id=post.id, metrics=(post.seen_at, post.metrics))
    if kind == "deleted":
        return PostState(id=post.id, deleted_at=post.seen_at)
    if kind == "expired":
        return PostState(id=post.id, expired_at=post.seen_at)
    if kind == "forgotten":
        return PostState(id=post.id, forgotten=True)
    return PostState(id=post.id)


def merge(a: PostState, b: PostState) -> PostState:
    """Both together. Raises ValueError where they are of two posts."""
    if a.id != b.id:
        raise ValueError(f"states of two posts cannot be merged: {a.id!r} and {b.id!r}")
    if a.forgotten or b.forgotten:
        return PostState(id=a.id, forgotten=True)
    key, content = _newer_content(a, b)
    deleted_at, expired_at = max(a.deleted_at, b.deleted_at), max(a.expired_at, b.expired_at)
    if key is not None and key[2] <= max(deleted_at, expired_at):
        content = None
    return PostState(
        id=a.id,
        key=key,
        content=content,
        happened=_earlier(a.happened, b.happened),
        metrics=_newer_metrics(a.metrics, b.metrics),
        deleted_at=deleted_at,
        restored_at=max(a.restored_at, b.restored_at),
        expired_at=expired_at,
        readings=_best_readings(a.readings, b.readings),
    )


def _content_state(record: Post | Understood, post: Post, known_hash: str) -> PostState:
    restored_at = post.seen_at if post.kind == "restored" else NEVER
    if is_bare_restore(post):
        return PostState(id=post.id, restored_at=restored_at)
    found = known_hash or content_hash(post)
    return PostState(
        id=post.id,
        key=content_key(post, found),
        content=post,
        happened=(post.event_time, post.clock_doubted),
        metrics=None if post.metrics is None else (post.seen_at, post.metrics),
        restored_at=restored_at,
        readings=_reading(record, found) if isinstance(record, Understood) else (),
    )


def _reading(record: Understood, found: str) -> tuple[Reading, ...]:
    if record.mentions is None:
        return ()
    return (
        Reading(
            content_hash=found,
            generation=record.generation,
            tier=record.tier,
            mentions=record.mentions,
            unnamed=record.unnamed,
            lang=record.lang,
            lang_confidence=record.lang_confidence,
            fingerprint=record.fingerprint,
            model=record.model,
            appended_at=record.appended_at,
            understood_at=record.understood_at,
        ),
    )


def _newer_content(a: PostState, b: PostState) -> tuple[ContentKey | None, Post | None]:
    if a.key is None or b.key is None:
        side = b if a.key is None else a
        return side.key, side.content
    if a.key != b.key:
        side = a if a.key > b.key else b
        return side.key, side.content
    if a.content is None or b.content is None or a.content == b.content:
        return a.key, a.content or b.content
    return a.key, max(a.content, b.content, key=encode)


def _newer_metrics(a: tuple[Millis, Metrics] | None, b: tuple[Millis, Metrics] | None) -> tuple[Millis, Metrics] | None:
    if a is None or b is None:
        return a or b
    if a[0] != b[0]:
        return max(a, b, key=lambda seen: seen[0])
    return max(a, b, key=lambda seen: encode(seen[1]))


def _earlier(a: tuple[Millis, bool] | None, b: tuple[Millis, bool] | None) -> tuple[Millis, bool] | None:
    if a is None or b is None:
        return a or b
    return min(a, b)


def _best_readings(a: tuple[Reading, ...], b: tuple[Reading, ...]) -> tuple[Reading, ...]:
    if not a or not b or a == b:
        return a or b
    best = {reading.content_hash: reading for reading in a}
    for reading in b:
        other = best.get(reading.content_hash)
        if other is None or _worth(reading) > _worth(other):
            best[reading.content_hash] = reading
    return tuple(best[found] for found in sorted(best))


def _worth(reading: Reading) -> tuple[int, int, int, bytes]:
    """Generation, tier, and of equals the one that found more brands: a source's own brand is not lost to a look by
    another source. The rest only makes the order total."""
    return (
        reading.generation,
        TIERS.index(reading.tier),
        len(reading.mentions),
        msgspec.json.encode(reading),
    )


def steady_address(address: str) -> str:
    """Of a medium: without what may change with every look though it is the same one."""
    return address.partition("?")[0].partition("#")[0]
