"""What was appended of each post last, so that the same does not come twice.

Whoever fills a hole asks for more than the hole, and whoever is started anew reads again what it had read.

Only what is word for word the same as what this source's process appended last is left out; a post of which anything
else was appended since counts as new. What is forgotten comes twice, and is one post.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import lru_cache

from msgspec.structs import replace

from stream.clock import MINUTE
from stream.ports import POSTS, Log
from stream.records import Millis, Post, decode, encode

MOST = 10_000
"""Posts of each of two generations: about 3 MB together."""
KEPT: Millis = 10 * MINUTE
"""A generation lasts so long at most; what it held is remembered as long again."""
_AT_ONCE = 1_000
_CONTENT = frozenset({"created", "edited"})
"""A restore is told of again whenever it was seen: one too few would do harm."""
_OF_AUTHORS = frozenset({"author_gone", "author_back"})
_WHENEVER_SEEN = {
    "seen_at": 0, "event_time": 0, "clock_doubted": False, "origin": "live", "query_ids": (), "brands": (),
}  # fmt: skip


class Lately:
    """Of one source, in the only process that appends for it. `alone` is held from the first `knows` to the `note` of a
    batch: what is remembered has to be what is last in the log."""

    def __init__(self) -> None:
        self.alone = threading.Lock()
        self._young: dict[int, tuple[int, frozenset[str]]] = {}
        self._old: dict[int, tuple[int, frozenset[str]]] = {}
        self._since: Millis = 0

    def knows(self, post: Post) -> bool:
        """Whether it says nothing that its last record does not say; who asked for it included."""
        if post.kind not in _CONTENT:
            return False
        key = hash(post.id)
        known = self._young.get(key) or self._old.get(key)
        return known is not None and known[0] == _version(post) and _asked(post) <= known[1]

    def note(self, posts: Iterable[Post], now: Millis) -> None:
        """They are durable."""
        if len(self._young) >= MOST or not 0 <= now - self._since < KEPT:
            self._old, self._young, self._since = self._young, {}, now
        for post in posts:
            if post.kind in _OF_AUTHORS:
                self._old, self._young = {}, {}
            elif post.kind in _CONTENT:
                key, version = hash(post.id), _version(post)
                known = self._young.get(key) or self._old.get(key)
                asked = known[1] if known is not None and known[0] == version else frozenset()
                self._young[key] = (version, _one_of_each(asked | _asked(post)))
            else:
                self._young.pop(hash(post.id), None)
                self._old.pop(hash(post.id), None)

    def recall(self, log: Log, network: str, now: Millis) -> None:
        """What the end of the log holds, whoever appended it. Raises Transient."""
        with self.alone:
            self._old, self._young, self._since = {}, {}, now
            for partition, (low, high) in log.bounds(POSTS).items():
                at = max(low, high - MOST)
                while at < high and (records := log.read(POSTS, partition, at, _AT_ONCE)):
                    at = records[-1].offset + 1
                    own = [one.value for one in records if one.key.startswith(f"{network}:") and one.value]
                    self.note([decode(Post, value) for value in own], now)


def _version(post: Post) -> int:
    return hash(encode(replace(post, **_WHENEVER_SEEN)))


def _asked(post: Post) -> frozenset[str]:
    return _one_of_each(frozenset((*post.query_ids, *post.brands)))


@lru_cache(1_000)
def _one_of_each(asked: frozenset[str]) -> frozenset[str]:
    """An equal set is the same one: there are few, and each has the weight of three posts."""
    return asked
