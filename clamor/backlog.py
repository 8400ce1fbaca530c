"""How much still waits between a post's arrival and its being searchable: what `--drain` waits for."""

from __future__ import annotations

from dataclasses import dataclass

from clamor.clocks import pace_of
from clamor.opening import Opened
from clamor.stores import index_file
from database.engine import read, rows
from routing import absence
from stream.ports import DECIDED, MENTIONS, POSTS, Transient, Unusable


@dataclass(frozen=True)
class Backlog:
    """Records (outbox: rows) that wait for each part; at routing also accounts that went away with posts to take
    along."""

    nlp: int
    routing: int
    outbox: int
    index: int

    @property
    def drained(self) -> bool:
        return not (self.nlp or self.routing or self.outbox or self.index)

    @property
    def by_stage(self) -> dict[str, int]:
        return {"nlp": self.nlp, "routing": self.routing, "index": self.index}


def backlog(opened: Opened) -> Backlog:
    """Asked in the order in which posts go, so that what moves on meanwhile is counted once more rather than missed."""
    nlp = opened.log.lag("nlp", POSTS)
    routing = waiting_for_routing(opened)
    with read(opened.engine) as connection:
        routing += absence.waiting(connection)
    with read(opened.engine) as connection:
        outbox = rows(connection, "SELECT COUNT(*) FROM outbox")[0][0]
    index = _left(opened, DECIDED, stored_in_index(opened))
    return Backlog(nlp, routing, outbox, index)


def told(opened: Opened) -> bool:
    """Whether all mails of simulated time have left that can: a try that failed, and a summary that gathers, wait for
    that time to go on, and it does not for ever. Of real time there is no end to wait for."""
    pace = pace_of(opened.home)
    if pace is None:
        return True
    over = pace.until is not None and opened.clock.now() >= pace.until
    with read(opened.engine) as connection:
        alerts = rows(connection, "SELECT count(*) FROM alert WHERE state = 'pending'")[0][0]
        waiting, in_vain, gathering = rows(connection, _MAILS)[0]
    return not alerts and (not waiting or (over and in_vain > 0)) and (not gathering or over)


_MAILS = (
    "SELECT count(CASE WHEN state IN ('pending', 'sending') THEN 1 END), "
    "count(CASE WHEN state = 'pending' AND reason != '' THEN 1 END), count(CASE WHEN state = 'gathering' THEN 1 END) "
    "FROM mail"
)


def settled(opened: Opened) -> bool:
    """Everything that was appended before this call is decided and searchable (asked twice, since it moves on)."""
    return backlog(opened).drained and backlog(opened).drained


def waiting_for_routing(opened: Opened) -> int:
    """Records of `mentions` that are not decided, by what SQL says."""
    return _left(opened, MENTIONS, stored_in_sql(opened))


def _left(opened: Opened, topic: str, done: dict[int, int]) -> int:
    return sum(max(0, high - max(low, done.get(p, 0))) for p, (low, high) in opened.log.bounds(topic).items())


def stored_in_sql(opened: Opened) -> dict[int, int]:
    """Where routing stands on `mentions`, by partition; those that it never read are missing."""
    sql = "SELECT part, next FROM stored_offset WHERE consumer_group = ? AND topic = ?"
    with read(opened.engine) as connection:
        return dict(rows(connection, sql, ("routing", MENTIONS)))


def stored_in_index(opened: Opened) -> dict[int, int]:
    """Where the index stands on `decided`, by partition; those that it never read are missing.

    While a cluster cannot be asked: what the log was last told of it, which is no more than that.
    """
    path = index_file(opened.configuration)
    if path is not None and not path.exists():
        return {}
    partitions = frozenset(range(opened.log.partitions(DECIDED)))
    try:
        return dict(opened.store.offsets(DECIDED, partitions, opened.log.epoch()))
    except (Transient, Unusable):
        if path is not None:
            raise
        return opened.log.committed("index", DECIDED)
