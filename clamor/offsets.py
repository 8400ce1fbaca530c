"""Where each group stands in the log, and where it goes on when its offsets belong to another log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from clamor.opening import Opened
from database.engine import many, read, rows, write
from stream.ports import DECIDED, MENTIONS, POSTS, Brokered

Where = Literal["earliest", "latest"]
GROUPS = {"nlp": POSTS, "routing": MENTIONS, "index": DECIDED}


class Place(NamedTuple):
    """One group in one partition."""

    group: str
    topic: str
    partition: int
    next: int | None
    """The next record it takes; None where it has not begun."""
    low: int
    """Oldest offset that the log keeps."""
    end: int
    """Offset that the next record will get."""
    epoch: str
    """Log that `next` belongs to; empty where it has not begun."""
    ours: bool
    """It is this log, and `next` lies in it."""

    @property
    def lost(self) -> int:
        """Records that retention has taken before the group had them."""
        return max(0, self.low - self.next) if self.next is not None and self.ours else 0


def places(opened: Opened) -> list[Place]:
    """Every group in every partition. The log itself keeps those of nlp, SQL routing's, the index its own. On Kafka the
    log is told of those as well, for whoever looks there: what counts is here."""
    epoch, log = opened.log.epoch(), opened.log
    with read(opened.engine) as connection:
        sql = "SELECT part, epoch, next FROM stored_offset WHERE consumer_group = 'routing' AND topic = ?"
        routing = {part: (of, following) for part, of, following in rows(connection, sql, (MENTIONS,))}
    index = opened.store.standing()
    kept = {
        "nlp": {part: (epoch, following) for part, following in log.committed("nlp", POSTS).items() if following},
        "routing": routing,
        "index": {part: (index.log or "", next) for (topic, part), next in index.offsets.items() if topic == DECIDED},
    }
    return [
        _place(group, topic, partition, kept[group].get(partition), bounds, epoch)
        for group, topic in GROUPS.items()
        for partition, bounds in sorted(log.bounds(topic).items())
    ]


def adopt(opened: Opened, group: str, where: Where) -> list[Place]:
    """Let `group` go on at the oldest record that is kept, or behind the newest; its places before.

    Its stage must not run. Raises ValueError for a group whose offsets the log keeps itself in a file: they always fit.
    """
    before = [place for place in places(opened) if place.group == group]
    chosen = {place.partition: place.low if where == "earliest" else place.end for place in before}
    epoch, topic = opened.log.epoch(), GROUPS[group]
    if group == "routing":
        with write(opened.engine) as connection:
            many(connection, "DELETE FROM stored_offset WHERE consumer_group = ? AND topic = ?", [(group, topic)])
            values = [(group, topic, part, epoch, following) for part, following in chosen.items()]
            many(connection, _STORE, values)
    elif group == "index":
        opened.store.adopt(epoch, {(topic, part): following for part, following in chosen.items()})
    elif isinstance(opened.log, Brokered):
        # Kept by the brokers, which may have lost records that this group had done.
        opened.log.move(group, topic, chosen)
    else:
        raise ValueError(f"the log itself keeps the offsets of {group}: there is nothing to decide")
    return before


def stray(found: Sequence[Place]) -> list[str]:
    """Groups that stand in another log, or outside this one."""
    return sorted({place.group for place in found if not place.ours})


def _place(
    group: str, topic: str, partition: int, kept: tuple[str, int] | None, bounds: tuple[int, int], epoch: str
) -> Place:
    low, end = bounds
    if kept is None:
        return Place(group, topic, partition, None, low, end, "", True)
    of, following = kept
    return Place(group, topic, partition, following, low, end, of, of == epoch and following <= end)


_STORE = "INSERT INTO stored_offset (consumer_group, topic, part, epoch, next) VALUES (?, ?, ?, ?, ?)"
