"""Re-scoring: what the linear model read under overload is read anew by the model in force, when there is room.

The mark stands in SQL, on the post, and is taken away by routing with the better reading: so a process may die at any
point, and whatever is still marked is found again. A reading that is sent twice changes nothing the second time. Texts
come from SQL, as `clamor reprocess` reads them; a reading goes the way of every other, by topic `mentions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import structlog
from msgspec.structs import replace

from clamor.backlog import stored_in_sql, waiting_for_routing
from clamor.opening import Opened
from database.engine import read, rows
from database.tenure import Tenure
from routing.decide import may_wake
from stream.clock import SECOND
from stream.ports import POSTS, LogRecord, Transient
from stream.records import Mention, Millis, Post, Understood, decode, encode

if TYPE_CHECKING:
    from nlp.work import UnderstandWork

log = structlog.get_logger(__name__)

CHUNK = 50
"""Posts at a time: what is live waits no longer than they take."""
ROOM_NLP, ROOM_ROUTING = 100, 1_000
"""There is room while fewer records wait for these stages."""
LOOK: Millis = 2 * SECOND
"""How often it is looked whether there is something, where there was nothing."""
LEASE = "rescoring"
"""One process does it at a time."""


class Marked(NamedTuple):
    """A post that is to be read anew."""

    n: int
    post: Post
    appended_at: Millis


class Rescoring:
    """The spare-time work of one stage nlp. Use as a context manager: what it holds, others wait for."""

    def __init__(self, opened: Opened, work: UnderstandWork) -> None:
        self.work = work
        self._opened = opened
        self._tenure = Tenure(opened.engine, LEASE, opened.clock)
        self._look_at: Millis = 0
        self._after = 0
        self._sent: dict[int, int] = {}
        """By partition of `mentions`: the last offset that was sent in this round."""

    def step(self) -> bool:
        """Read a few anew; whether there is more to do at once. Called when nothing waits for this process."""
        self.work.at_rest()
        steady = self._opened.clock.steady()
        if steady < self._look_at:
            return False
        if not self._has_room() or not (found := marked(self._opened, self._after, self.work.generation, CHUNK)):
            return self._rest(steady)
        if not self._tenure.hold():
            return self._rest(steady)
        if not self._after:
            self._sent = {}
            log.info("re-scoring what was read under overload")
        self._send(found)
        self._after = found[-1].n
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with suppress(Transient):
            self._tenure.leave()

    def _rest(self, steady: Millis) -> bool:
        self._look_at = steady + LOOK
        self._after = 0
        self._tenure.leave()
        return False

    def _has_room(self) -> bool:
        """Little waits anywhere, and what was sent in the last round is decided, so that nothing is sent twice."""
        opened = self._opened
        if not self._after and not _all_decided(self._sent, stored_in_sql(opened)):
            return False
        return opened.log.lag("nlp", POSTS) < ROOM_NLP and waiting_for_routing(opened) < ROOM_ROUTING

    def _send(self, found: list[Marked]) -> None:
        now = self._opened.clock.now()
        records = [
            LogRecord(POSTS, 0, 0, one.post.id, encode(as_reread(one.post, now)), one.appended_at) for one in found
        ]
        self._sent |= dict(self._opened.log.append(self.work.reread(records, now)))


def as_reread(post: Post, now: Millis) -> Post:
    """The post as it goes to routing again: while it is young enough to wake people it stays news, later it is history
    that is read anew and wakes nobody."""
    return post if may_wake(post, now) else replace(post, origin="reprocess")


def marked(opened: Opened, after: int, generation: int, most: int) -> list[Marked]:
    """Up to `most` posts whose reading is provisional, by number, beyond `after`: those with mentions, and replies that
    wait for the post that they answer. Those of a later `generation` than ours are another process's to read."""
    asked = (after, generation, most)
    with read(opened.engine) as connection:
        mentions = rows(connection, _MENTIONS, asked)
        replies = rows(connection, _REPLIES, asked)
    found: dict[int, Marked] = {}
    for n, body in mentions:
        mention = decode(Mention, body)
        if mention.post is not None:
            found[n] = Marked(n, mention.post, mention.appended_at)
    for n, body in replies:
        reply = decode(Understood, body)
        found[n] = Marked(n, reply.post, reply.appended_at)
    upto = min([full[-1][0] for full in (mentions, replies) if len(full) == most], default=max(found, default=0))
    return [found[n] for n in sorted(found) if n <= upto][:most]


def count_marked(opened: Opened) -> int:
    """Posts whose reading is provisional."""
    with read(opened.engine) as connection:
        found: int = rows(connection, _COUNT)[0][0]
    return found


def _all_decided(sent: Mapping[int, int], done: Mapping[int, int]) -> bool:
    return all(done.get(partition, 0) > offset for partition, offset in sent.items())


_MENTIONS = (
    "SELECT p.n, m.body FROM post p JOIN mention m ON m.post = p.n WHERE p.provisional = 1 AND p.n > ? "
    "AND p.generation <= ? AND p.state = 'live' AND m.state = 'live' ORDER BY p.n LIMIT ?"
)
_REPLIES = (
    "SELECT p.n, w.body FROM post p JOIN waiting w ON w.post = p.n WHERE p.provisional = 1 AND p.n > ? "
    "AND p.generation <= ? AND p.state = 'live' ORDER BY p.n LIMIT ?"
)
_COUNT = (
    "SELECT count(*) FROM post p WHERE p.provisional = 1 AND p.state = 'live' AND (EXISTS (SELECT 1 FROM mention m "
    "WHERE m.post = p.n AND m.state = 'live') OR EXISTS (SELECT 1 FROM waiting w WHERE w.post = p.n))"
)
