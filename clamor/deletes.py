"""Deletes that overtake what waits, while the disk is too full for anything else to be written.

The stages are held then, and a delete may lie behind thousands of posts in its partition. So it is looked for ahead of
the stages, in everything that waits for them, and done at once: in SQL, then (by the relay) in the index. No offset
moves for it. When the stages go on they do the same delete once more, in its place, which changes nothing: the merge of
a post is commutative and idempotent, a delete that comes before its post is remembered and wins, and of a mention the
index keeps the highest revision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import structlog

from clamor.backlog import stored_in_index, stored_in_sql
from clamor.opening import Opened
from routing import erasure
from routing.desk import Desk
from routing.unreachable import Unreachable
from stream.ahead import Ahead
from stream.away import decided_goes, post_goes, understood_goes
from stream.ports import DECIDED, MENTIONS, POSTS, LogRecord, OffsetOutside, Transient, Unusable
from stream.records import Decided, Millis, Post, Struct, Understood, UnknownMajor, decode

log = structlog.get_logger(__name__)

R = TypeVar("R", bound=Struct)

SQL_AT_ONCE = 100
"""Records of a partition looked at for one transaction of SQL."""


class RoutedDeletes:
    """A chore of the process that owns SQL; `held` says whether the stages stand still for want of disk."""

    def __init__(self, opened: Opened, held: Callable[[], bool]) -> None:
        self._opened, self._held = opened, held
        self._desk = Desk(opened.registry.current())
        self._unreachable = Unreachable(opened.clock)
        log = opened.log
        self._posts = Ahead(log, POSTS, lambda: log.committed("nlp", POSTS), post_goes, SQL_AT_ONCE)
        self._mentions = Ahead(log, MENTIONS, lambda: stored_in_sql(opened), understood_goes, SQL_AT_ONCE)

    def step(self) -> bool:
        """One look ahead of nlp and of routing; true while there is more to look at."""
        if not self._held():
            return False
        self._desk.keep_up(self._opened.registry.current())
        posts, mentions = self._posts.look(), self._mentions.look()
        now = self._opened.clock.now()
        found = [
            *_read(Understood, mentions.wanted),
            *(
                Understood(post=post, appended_at=record.time, understood_at=now)
                for record in posts.wanted
                for post in _read(Post, [record])
            ),
        ]
        _each(found, lambda some: self._take_away(some, now))
        self._unreachable.tidy(self._opened.engine)
        self._posts.done(posts)
        self._mentions.done(mentions)
        return posts.more or mentions.more

    def _take_away(self, some: Sequence[Understood], now: Millis) -> None:
        self._unreachable.note(erasure.take_away(self._opened.engine, self._desk, some, now).gone)


class IndexedDeletes:
    """A chore of the process that owns the index."""

    def __init__(self, opened: Opened, held: Callable[[], bool]) -> None:
        self._opened, self._held = opened, held
        self._decided = Ahead(opened.log, DECIDED, lambda: stored_in_index(opened), decided_goes)

    def step(self) -> bool:
        """One look ahead of the index; true while there is more to look at."""
        if not self._held():
            return False
        store, epoch, now = self._opened.store, self._opened.log.epoch(), self._opened.clock.now()
        seen = self._decided.look()
        _each(_read(Decided, seen.wanted), lambda some: store.apply(some, (), epoch, now))
        self._decided.done(seen)
        return seen.more


def _read(kind: type[R], records: Sequence[LogRecord]) -> list[R]:
    """Those that can be read: what cannot is the stage's to put aside, or to wait for a person with."""
    found = []
    for record in records:
        try:
            found.append(decode(kind, record.value))
        except (msgspec.MsgspecError, UnicodeDecodeError, UnknownMajor) as error:
            log.warning("delete not understood ahead of its stage", key=record.key, fault=type(error).__name__)
    return found


def _each(found: Sequence[R], do: Callable[[Sequence[R]], object]) -> None:
    """All at once, or one by one where something is wrong with one of them: it must not keep the others waiting."""
    if not found:
        return
    try:
        do(found)
    except (Transient, Unusable, OffsetOutside):
        raise
    except Exception as error:
        if len(found) == 1:
            log.error("delete not done ahead of its stage", fault=type(error).__name__)
            return
        for one in found:
            _each([one], do)
