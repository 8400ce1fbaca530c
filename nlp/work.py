"""The stage's work: posts in, Understood out, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from nlp import priors
from nlp.classifier import Classifier
from nlp.language import Languages
from nlp.reading import Reader, Reading
from stream.merge import content_hash
from stream.ports import MENTIONS, POSTS, Append, Commit, InForce, LogRecord, Refused, Registry
from stream.records import CONTENT_KINDS, Millis, Post, Understood, decode, encode

log = structlog.get_logger(__name__)


class UnderstandWork:
    """Reads content; everything else (deletes, new reach, reposts) passes unclassified, with its post's key."""

    name = "nlp"
    topic = POSTS
    group = "nlp"
    owns_offsets = False

    def __init__(self, classifier: Classifier, languages: Languages, registry: Registry) -> None:
        self._classifier, self._languages, self._registry = classifier, languages, registry
        self._adopt(registry.current())

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> list[Append]:
        """One Understood for each record, in order. Raises Refused for those that are no posts, UnknownMajor for a
        post of a newer schema (the stage pauses)."""
        posts = _decoded(records)
        content = [number for number, post in enumerate(posts) if is_content(post)]
        read = self._reader.read([posts[number] for number in content])
        readings: dict[int, Reading] = dict(zip(content, read, strict=True))
        return [
            Append(MENTIONS, post.id, encode(self._understood(record, post, readings.get(number), now)))
            for number, (record, post) in enumerate(zip(records, posts, strict=True))
        ]

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        """None: the log keeps this group's offsets."""
        return {}

    def idle(self, now: Millis) -> None:
        """Adopts the brands and aspects in force."""
        current = self._registry.current()
        if current.generation != self._generation:
            self._adopt(current)

    def close(self) -> None:
        """Holds nothing open."""

    def _adopt(self, current: InForce) -> None:
        self._generation = current.generation
        self._reader = Reader(self._classifier, self._languages, current.brands, current.aspects, current.filters)
        for brand, head in priors.silent(current.brands, self._classifier.priors):
            log.warning("prior_has_no_effect", brand=brand, head=head, model=self._classifier.model)

    def _understood(self, record: LogRecord, post: Post, reading: Reading | None, now: Millis) -> Understood:
        if reading is None:
            return Understood(
                post=post,
                appended_at=record.time,
                understood_at=now,
                content_hash=content_hash(post) if post.kind in CONTENT_KINDS else "",
                generation=self._generation,
                tier=self._classifier.tier,
                model=self._classifier.model,
            )
        return Understood(
            post=post,
            appended_at=record.time,
            understood_at=now,
            content_hash=content_hash(post),
            lang=reading.lang,
            lang_confidence=reading.lang_confidence,
            fingerprint=reading.fingerprint,
            generation=self._generation,
            tier=self._classifier.tier,
            model=self._classifier.model,
            mentions=reading.mentions,
            unnamed=reading.unnamed,
        )


def is_content(post: Post) -> bool:
    """Whether there is something to read: neither a delete nor a new reach, nor a pure repost."""
    return post.kind in CONTENT_KINDS and post.repost_of is None


def _decoded(records: Sequence[LogRecord]) -> list[Post]:
    posts, refused = [], []
    for record in records:
        try:
            posts.append(decode(Post, record.value))
        except msgspec.MsgspecError as error:
            refused.append((record, f"not a post: {_reason(error)}", type(error).__name__))
    if refused:
        raise Refused(refused)
    return posts


def _reason(error: msgspec.MsgspecError) -> str:
    """msgspec names types and places, never values: no text of a post."""
    return str(error)[:300]
