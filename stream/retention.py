"""What the embedded log lets go of, who is about to lose something by it, and what was lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from sqlite3 import Connection

import msgspec

from stream.embedded import EmbeddedLog, Topic, bounds_of, first_where
from stream.losses import Laggard, Loss, level_of
from stream.records import Millis

CHUNK_SECONDS = 0.015
BREATH_SECONDS = 0.004


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    records: int
    losses: tuple[Loss, ...]
    overwritten: bool
    """The write-ahead log was emptied as well; false where a reader stood in the way: the next sweep tries again."""


def sweep(log: EmbeddedLog, now: Millis) -> Swept:
    """Removes what is older than its topic's retention or above its size, in short transactions.

    `now` is the log's clock. Groups that had not done with it are moved on, in the same transactions, and what they
    lost is returned, to be recorded as coverage: the limit on how long a text is kept wins over a stopped group.
    """
    removed, losses = 0, list[Loss]()
    for topic in log.topics():
        for partition in range(topic.partitions):
            horizon = _horizon(log, topic, partition, now)
            for count, lost in _remove(log, topic, partition, horizon):
                removed += count
                losses += lost
    overwritten = log.writer.truncate_wal() if removed else True
    return Swept(records=removed, losses=tuple(_joined(losses)), overwritten=overwritten)


def laggards(log: EmbeddedLog, now: Millis) -> list[Laggard]:
    """Groups that stand still for so long that they come near to losing records, the worst first."""
    found = []
    for topic in log.topics():
        for group in log.groups(topic.name):
            for partition, offset in log.committed(group, topic.name).items():
                laggard = _laggard(log, topic, group, partition, offset, now)
                if laggard is not None:
                    found.append(laggard)
    return sorted(found, key=lambda laggard: -laggard.percent)


def _laggard(log: EmbeddedLog, topic: Topic, group: str, partition: int, offset: int, now: Millis) -> Laggard | None:
    with log.reading() as connection:
        table = topic.table(partition)
        pending = connection.execute(
            f"SELECT id, time, total FROM {table} WHERE id >= ? ORDER BY id LIMIT 1", (offset,)
        ).fetchone()
        if pending is None:
            return None
        last = connection.execute(f"SELECT id, total FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
    percent = 100 * (now - pending[1]) // topic.retention
    if topic.retention_bytes:
        share = _share(topic)
        percent = max(percent, 100 * (last[1] - pending[2]) // share)
    level = level_of(percent)
    if level is None:
        return None
    return Laggard(
        group=group,
        topic=topic.name,
        partition=partition,
        percent=percent,
        level=level,
        behind=last[0] + 1 - pending[0],
        since=pending[1],
    )


def _horizon(log: EmbeddedLog, topic: Topic, partition: int, now: Millis) -> int:
    """First offset to keep."""
    with log.reading() as connection:
        table = topic.table(partition)
        horizon = first_where(connection, table, "time", now - topic.retention)
        if topic.retention_bytes:
            last = connection.execute(f"SELECT total FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
            if last is not None:
                horizon = max(horizon, first_where(connection, table, "total", last[0] - _share(topic)))
    return horizon


def _share(topic: Topic) -> int:
    """Bytes that one partition may keep: keys spread evenly over them."""
    return max(1, (topic.retention_bytes or 0) // topic.partitions)


def _remove(log: EmbeddedLog, topic: Topic, partition: int, horizon: int) -> Iterator[tuple[int, list[Loss]]]:
    """Chunk by chunk, so large that a transaction takes about CHUNK_SECONDS."""
    table, size = topic.table(partition), 200
    while True:
        with log.reading() as connection:
            low, _ = bounds_of(connection, table)
        if low >= horizon:
            return
        until = min(horizon, low + size)
        began = time.perf_counter()
        with log.writer.transaction("remove old records") as connection:
            low, _ = bounds_of(connection, table)
            if low >= until:
                # Another process sweeps as well.
                return
            losses = _move_on(connection, topic, partition, low, until)
            count = connection.execute(f"DELETE FROM {table} WHERE id < ?", (until,)).rowcount
        took = time.perf_counter() - began
        size = max(50, min(20_000, int(size * CHUNK_SECONDS / took) if took > CHUNK_SECONDS else size * 2))
        yield count, losses
        # Longer than a waiting writer sleeps between two tries, so that each gets its turn.
        time.sleep(BREATH_SECONDS)


def _move_on(connection: Connection, topic: Topic, partition: int, low: int, until: int) -> list[Loss]:
    losses = []
    for group, offset in connection.execute(
        "SELECT grp, next FROM progress WHERE topic = ? AND partition = ? AND next < ?", (topic.id, partition, until)
    ).fetchall():
        first = max(offset, low)
        times = connection.execute(
            f"SELECT time FROM {topic.table(partition)} WHERE id IN (?, ?) ORDER BY id", (first, until - 1)
        ).fetchall()
        losses.append(
            Loss(
                group=group,
                topic=topic.name,
                partition=partition,
                first=first,
                records=until - first,
                since=times[0][0],
                until=times[-1][0],
            )
        )
    connection.execute(
        "UPDATE progress SET next = ? WHERE topic = ? AND partition = ? AND next < ?",
        (until, topic.id, partition, until),
    )
    return losses


def _joined(losses: list[Loss]) -> list[Loss]:
    """One loss a group and partition, of the chunks' losses in their order."""
    joined: dict[tuple[str, str, int], Loss] = {}
    for loss in losses:
        place = (loss.group, loss.topic, loss.partition)
        before = joined.get(place)
        if before is not None:
            loss = msgspec.structs.replace(
                before, records=before.records + loss.records, until=max(before.until, loss.until)
            )
        joined[place] = loss
    return list(joined.values())
