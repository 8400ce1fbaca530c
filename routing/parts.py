"""What the observations of a post are merged by, without its text: content, metrics, existence.

The stored form of `stream.merge.PostState`, with the same orders; a test holds the two together.
The order of observations does not matter, nor does seeing one twice. A delete wins over any content and metrics
whatever their times; only an explicit restore with a later time lifts it. `forgotten` is never lifted. What expired, or
went along with its author's account, is there again once it is seen later than that.
"""

from __future__ import annotations

import msgspec

from stream.merge import content_key
from stream.records import MentionState, Metrics, Millis, Post, encode


class Parts(msgspec.Struct, array_like=True, gc=False):
    """The parts as stored; times are 0 where nothing was observed."""

    revision: int = 0
    written_at: Millis = 0
    seen_at: Millis = 0
    """When the newest content was seen."""
    content_hash: str = ""
    """Empty: no content was seen."""
    metrics_at: Millis = 0
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    views: int | None = None
    gone_at: Millis = 0
    back_at: Millis = 0
    expired_at: Millis = 0
    forgotten_at: Millis = 0
    away_at: Millis = 0
    """When its author's account went away: takes along what was seen until then."""

    @property
    def state(self) -> MentionState:
        """What the post is now, as a mention of it would be."""
        if self.forgotten_at:
            return "forgotten"
        if (self.gone_at and self.gone_at >= self.back_at) or (self.away_at and self.away_at >= self.seen_at):
            return "deleted"
        return "expired" if self.expired_at and self.expired_at >= self.seen_at else "live"

    def metrics(self) -> Metrics | None:
        if not self.metrics_at:
            return None
        return Metrics(likes=self.likes, reposts=self.reposts, replies=self.replies, views=self.views)

    def take_content(self, post: Post, content_hash: str) -> bool:
        """Whether this version is the newest, or the held one seen again."""
        key = content_key(post, content_hash)
        # Earlier programs stored times ahead of the sight, and 0 where no edit was named: then the sights decide.
        written_at = min(self.written_at or key[1], self.seen_at)
        if key < (self.revision, written_at, self.seen_at, self.content_hash):
            return content_hash == self.content_hash
        self.revision, self.written_at, self.seen_at, self.content_hash = key
        return True

    def take_metrics(self, metrics: Metrics, at: Millis) -> bool:
        """Whether they are newer than those held (of one time, the greater as written)."""
        if at < self.metrics_at:
            return False
        held = self.metrics()
        if at == self.metrics_at and held is not None and encode(metrics) <= encode(held):
            return False
        self.metrics_at = at
        self.likes, self.reposts = metrics.likes, metrics.reposts
        self.replies, self.views = metrics.replies, metrics.views
        return True

    def take_existence(self, kind: str, at: Millis) -> None:
        """A record of kind deleted, restored, expired or forgotten."""
        if kind == "deleted":
            self.gone_at = max(self.gone_at, at)
        elif kind == "restored":
            self.back_at = max(self.back_at, at)
        elif kind == "expired":
            self.expired_at = max(self.expired_at, at)
        elif kind == "forgotten":
            self.forgotten_at = max(self.forgotten_at, at)

    def take_absence(self, at: Millis) -> None:
        """The author's account went away: a post that is seen later than that is there again."""
        self.away_at = max(self.away_at, at)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Parts).decode


def stored(parts: Parts) -> bytes:
    return _encode(parts)


def held(raw: bytes) -> Parts:
    return _decode(raw)
