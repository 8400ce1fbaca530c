"""The stage's work: posts in, Understood out, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from nlp import priors
from nlp.classifier import Classifier
from nlp.language import Languages
from nlp.reading import Reader, Reading
from nlp.valve import Valve
from stream.merge import content_hash
from stream.ports import MENTIONS, POSTS, Append, Commit, InForce, LogRecord, Refused, Registry
from stream.records import CONTENT_KINDS, WAKING_ORIGINS, Millis, Post, Understood, decode, encode
from stream.timing import Timer, Timing

log = structlog.get_logger(__name__)


class UnderstandWork:
    """Reads content; everything else (deletes, new reach, reposts) passes unclassified, with its post's key."""

    name = "nlp"
    topic = POSTS
    group = "nlp"
    owns_offsets = False

    def __init__(
        self, classifier: Classifier, languages: Languages, registry: Registry, valve: Valve | None = None
    ) -> None:
        """Without a `valve`, everything is read by `classifier`, however long it has waited."""
        self._classifier, self._languages, self._registry = classifier, languages, registry
        self._valve = valve
        self._model_time = Timer()
        self._adopt(registry.current())

    @property
    def generation(self) -> int:
        """That what is read now is stamped with."""
        return self._generation

    def overloaded(self) -> bool:
        """Whether the valve is open."""
        return self._valve is not None and self._valve.is_open

    def model_time(self) -> Timing:
        """How long the models took, the valve's included."""
        return self._model_time.timing()

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> list[Append]:
        """One Understood for each record, in order. Raises Refused for those that are no posts, UnknownMajor for a
        post of a newer schema (the stage pauses)."""
        posts = _decoded(records)
        news = [number for number, post in enumerate(posts) if is_content(post) and post.origin in WAKING_ORIGINS]
        hasty = frozenset[int]()
        if news and self._valve is not None and self._valve.look(now - min(records[number].time for number in news)):
            hasty = frozenset(news)
        return self._all_understood(records, posts, hasty, now)

    def reread(self, records: Sequence[LogRecord], now: Millis) -> list[Append]:
        """What `run` returns, all read by the model in force, however long it has waited."""
        return self._all_understood(records, _decoded(records), frozenset(), now)

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        """None: the log keeps this group's offsets."""
        return {}

    def at_rest(self) -> None:
        """Nothing waits: an overload is over."""
        if self._valve is not None:
            self._valve.look(0)

    def idle(self, now: Millis) -> None:
        """Adopts the brands, aspects and filters in force. They may change without a new generation: a process with an
        older model keeps to its own last one."""
        current = self._registry.current()
        if _bears_on_reading(current) != self._reads_by:
            self._adopt(current)

    def close(self) -> None:
        """Holds nothing open."""

    def _adopt(self, current: InForce) -> None:
        self._generation, self._reads_by = current.generation, _bears_on_reading(current)
        self._reader = Reader(
            self._classifier, self._languages, current.brands, current.aspects, current.filters,
            model_time=self._model_time,
        )  # fmt: skip
        for brand, head in priors.silent(current.brands, self._classifier.priors):
            log.warning("prior_has_no_effect", brand=brand, head=head, model=self._classifier.model)

    def _all_understood(
        self, records: Sequence[LogRecord], posts: Sequence[Post], hasty: frozenset[int], now: Millis
    ) -> list[Append]:
        """`hasty`: numbers of the posts that the valve's model reads."""
        content = [number for number, post in enumerate(posts) if is_content(post)]
        readings: dict[int, Reading] = {}
        by_valve = self._valve.classifier if self._valve is not None else None
        for numbers, by in (
            ([number for number in content if number not in hasty], self._classifier),
            ([number for number in content if number in hasty], by_valve),
        ):
            if numbers:
                readings |= zip(numbers, self._reader.read([posts[n] for n in numbers], by), strict=True)
        return [
            Append(MENTIONS, post.id, encode(self._understood(record, post, readings.get(n), now, hasty=n in hasty)))
            for n, (record, post) in enumerate(zip(records, posts, strict=True))
        ]

    def _understood(
        self, record: LogRecord, post: Post, reading: Reading | None, now: Millis, *, hasty: bool
    ) -> Understood:
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
        # About no brand, and no reply: no model was asked, and no other would say more.
        provisional = hasty and (bool(reading.mentions) or reading.unnamed is not None)
        model = self._valve.classifier if provisional and self._valve is not None else self._classifier
        return Understood(
            post=post,
            appended_at=record.time,
            understood_at=now,
            content_hash=content_hash(post),
            lang=reading.lang,
            lang_confidence=reading.lang_confidence,
            fingerprint=reading.fingerprint,
            generation=self._generation,
            tier=model.tier,
            model=model.model,
            provisional=provisional,
            mentions=reading.mentions,
            unnamed=reading.unnamed,
        )


def _bears_on_reading(current: InForce) -> tuple[object, ...]:
    """The rest (the rules) may change without a new Reader."""
    return current.generation, current.brands, current.aspects, current.filters


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
