"""What every Log must do, written against the port alone.

An implementation's tests subclass `LogContract` and give it a fixture `place`; nothing in here may be changed for one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Protocol
from uuid import uuid4

import pytest

from stream.ports import Append, Commit, Consumer, Log, LogRecord, OffsetConflict, RecordTooLarge, TopicSpec

PARTITIONS = 4
DAY = 86_400_000
PATIENCE = 40.0
"""Seconds that something slow, like a group's re-division, may take before a test gives up."""


class Place(Protocol):
    """Where a log is kept: it can be opened any number of times, also by other processes."""

    opener: str
    """`module:function` that opens the log in another process, given `argument`. The module lies beside this file."""
    argument: str

    def open(self) -> Log: ...

    def remove_all(self, log: Log, topic: str) -> None:
        """Make retention remove every record of the topic."""


class LogContract:
    @pytest.fixture
    def log(self, place: Place) -> Iterator[Log]:
        log = place.open()
        yield log
        log.close()

    @pytest.fixture
    def topic(self, log: Log) -> str:
        name = f"t-{uuid4().hex[:8]}"
        log.ensure([TopicSpec(name, PARTITIONS, DAY)])
        return name

    # --- topics, keys, offsets ------------------------------------------------------------------------------------

    def test_ensure_may_be_repeated(self, log: Log, topic: str) -> None:
        log.append([Append(topic, "a", b"1")])
        log.ensure([TopicSpec(topic, PARTITIONS, 2 * DAY)])
        assert log.partitions(topic) == PARTITIONS
        assert len(everything(log, topic)) == 1

    def test_a_topic_that_was_not_made_is_refused(self, log: Log) -> None:
        with pytest.raises(ValueError, match="nowhere"):
            log.append([Append("nowhere", "a", b"")])

    def test_append_says_where_each_record_went(self, log: Log, topic: str) -> None:
        records = [Append(topic, f"k{n % 7}", str(n).encode()) for n in range(50)]
        places = log.append(records)
        for record, (partition, offset) in zip(records, places, strict=True):
            found = log.read(topic, partition, offset, 1)[0]
            assert (found.key, found.value, found.offset) == (record.key, record.value, offset)

    def test_a_key_keeps_its_partition_and_its_order(self, log: Log, topic: str, place: Place) -> None:
        for n in range(20):
            log.append([Append(topic, key, str(n).encode()) for key in ("x:1", "x:2", "ñandú", "")])
        partitions = defaultdict(set)
        values = defaultdict(list)
        for record in everything(log, topic):
            partitions[record.key].add(record.partition)
            values[record.key].append(int(record.value))
        assert all(len(found) == 1 for found in partitions.values())
        assert all(found == list(range(20)) for found in values.values())
        other = place.open()
        assert {(key, other.append([Append(topic, key, b"20")])[0][0]) for key in partitions} == {
            (key, *found) for key, found in partitions.items()
        }
        other.close()

    def test_keys_use_all_partitions(self, log: Log, topic: str) -> None:
        places = log.append([Append(topic, f"network:{n}", b"") for n in range(400)])
        used = Counter(partition for partition, _ in places)
        assert set(used) == set(range(PARTITIONS))
        assert min(used.values()) > 40

    def test_one_call_may_serve_several_topics(self, log: Log, topic: str) -> None:
        other = f"{topic}-other"
        log.ensure([TopicSpec(other, 1, DAY)])
        log.append([Append(topic, "a", b"1"), Append(other, "a", b"2"), Append(topic, "a", b"3")])
        assert [r.value for r in everything(log, topic)] == [b"1", b"3"]
        assert [r.value for r in everything(log, other)] == [b"2"]

    def test_a_record_above_the_bound_is_refused_with_the_whole_call(self, log: Log, topic: str) -> None:
        with pytest.raises(RecordTooLarge, match="bytes"):
            log.append([Append(topic, "small", b"1"), Append(topic, "large", bytes(1_100_000))])
        assert everything(log, topic) == []

    def test_offsets_grow_and_are_never_given_twice(self, place: Place, log: Log, topic: str) -> None:
        used = set(log.append([Append(topic, f"k{n}", b"") for n in range(40)]))
        before = log.bounds(topic)
        place.remove_all(log, topic)
        assert everything(log, topic) == []
        assert all(low == high == before[p][1] for p, (low, high) in log.bounds(topic).items())
        reopened = place.open()
        again = reopened.append([Append(topic, f"k{n}", b"") for n in range(40)])
        assert not used & set(again)
        assert all(offset >= before[partition][1] for partition, offset in again)
        reopened.close()

    def test_the_epoch_is_the_same_for_all_who_open_it(self, place: Place, log: Log) -> None:
        other = place.open()
        assert other.epoch() == log.epoch() != ""
        other.close()

    # --- reading without a group --------------------------------------------------------------------------------

    def test_read_starts_at_an_offset(self, log: Log, topic: str) -> None:
        places = log.append([Append(topic, "a", str(n).encode()) for n in range(10)])
        partition, middle = places[5]
        assert [r.value for r in log.read(topic, partition, middle, 3)] == [b"5", b"6", b"7"]
        assert log.read(topic, partition, places[-1][1] + 1, 3) == []

    def test_read_starts_at_a_time(self, log: Log, topic: str) -> None:
        for n in range(6):
            log.append([Append(topic, "a", str(n).encode())])
            pass_a_millisecond()
        records = everything(log, topic)
        partition = records[0].partition
        for record in records:
            assert log.offset_at(topic, partition, record.time) == record.offset
        assert log.offset_at(topic, partition, 0) == records[0].offset
        assert log.offset_at(topic, partition, records[-1].time + DAY) == log.bounds(topic)[partition][1]

    def test_times_are_append_times_and_do_not_run_back(self, log: Log, topic: str) -> None:
        before = time.time_ns() // 1_000_000
        log.append([Append(topic, "a", b"")] * 3)
        log.append([Append(topic, "a", b"")])
        times = [record.time for record in everything(log, topic)]
        assert times == sorted(times)
        assert before <= times[0] <= times[-1] <= time.time_ns() // 1_000_000

    # --- groups -------------------------------------------------------------------------------------------------

    def test_poll_gives_a_partition_in_offset_order_and_no_more_than_asked(self, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(50)])
        consumer = log.consumer("g", topic)
        records, largest = list[LogRecord](), 0
        while len(records) < 50:
            batch = consumer.poll(7, PATIENCE)
            largest = max(largest, len(batch))
            records += batch
        assert largest <= 7
        for partition in range(PARTITIONS):
            offsets = [r.offset for r in records if r.partition == partition]
            assert offsets == sorted(set(offsets))
        assert consumer.poll(7, 0.05) == []

    def test_poll_wakes_when_another_thread_appends(self, place: Place, log: Log, topic: str) -> None:
        consumer = joined(log.consumer("g", topic))
        thread = threading.Thread(target=lambda: log.append([Append(topic, "a", b"now")]))
        thread.start()
        assert [r.value for r in take(consumer, 1)] == [b"now"]
        thread.join()

    def test_poll_wakes_when_another_process_appends(self, place: Place, log: Log, topic: str) -> None:
        consumer = joined(log.consumer("g", topic))
        with worker(place, "append", topic, "1", "1") as process:
            assert len(take(consumer, 1)) == 1
            assert process.wait(PATIENCE) == 0

    def test_a_new_group_starts_at_the_oldest_record(self, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(10)])
        assert len(take(log.consumer("first", topic), 10)) == 10
        assert len(take(log.consumer("second", topic), 10)) == 10

    def test_what_was_committed_is_where_the_next_member_starts(self, place: Place, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(30)])
        consumer = log.consumer("g", topic)
        first = take(consumer, 10, at_most=10)
        commit_all(log, consumer, "g", first)
        consumer.close()
        assert log.lag("g", topic) == 20
        reopened = place.open()
        rest = take(reopened.consumer("g", topic), 20)
        assert {(r.partition, r.offset) for r in first} & {(r.partition, r.offset) for r in rest} == set()
        assert {r.key for r in first + rest} == {f"k{n}" for n in range(30)}
        reopened.close()

    def test_what_was_not_committed_comes_again(self, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(10)])
        consumer = log.consumer("g", topic)
        take(consumer, 10)
        consumer.close()
        assert log.lag("g", topic) == 10
        assert len(take(log.consumer("g", topic), 10)) == 10

    def test_commit_is_compare_and_set(self, log: Log, topic: str) -> None:
        log.append([Append(topic, "a", b"") for _ in range(10)])
        consumer = log.consumer("g", topic)
        records = take(consumer, 10)
        partition, following = records[0].partition, records[4].offset + 1
        consumer.commit([Commit(topic, partition, 0, following)])
        assert log.committed("g", topic)[partition] == following
        with pytest.raises(OffsetConflict):
            consumer.commit([Commit(topic, partition, 0, records[-1].offset + 1)])
        assert log.committed("g", topic)[partition] == following
        consumer.commit([Commit(topic, partition, following, records[-1].offset + 1)])
        assert log.lag("g", topic) == 0

    def test_a_commit_of_several_partitions_is_all_or_nothing(self, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        consumer = log.consumer("g", topic)
        records = take(consumer, 40)
        ends = {r.partition: r.offset + 1 for r in records}
        wrong = [Commit(topic, p, 0 if p < PARTITIONS - 1 else 3, end) for p, end in sorted(ends.items())]
        with pytest.raises(OffsetConflict):
            consumer.commit(wrong)
        assert log.lag("g", topic) == 40

    def test_seek_and_position(self, log: Log, topic: str) -> None:
        log.append([Append(topic, "a", str(n).encode()) for n in range(5)])
        consumer = log.consumer("g", topic)
        records = take(consumer, 5)
        partition = records[0].partition
        assert consumer.position(partition) == records[-1].offset + 1
        consumer.seek(partition, records[2].offset)
        assert consumer.position(partition) == records[2].offset
        assert [r.value for r in take(consumer, 3)] == [b"2", b"3", b"4"]

    def test_a_paused_partition_waits(self, log: Log, topic: str) -> None:
        consumer = joined(log.consumer("g", topic))
        (partition, _), *_ = log.append([Append(topic, "a", b"")])
        consumer.pause(partition)
        assert consumer.poll(10, 0.2) == []
        consumer.resume(partition)
        assert len(take(consumer, 1)) == 1

    def test_offsets_kept_elsewhere_are_where_it_starts(self, log: Log, topic: str) -> None:
        places = log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        start = {p: sorted(o for q, o in places if q == p)[2] for p in range(PARTITIONS)}
        asked = list[frozenset[int]]()

        def assigned(partitions: frozenset[int]) -> dict[int, int]:
            asked.append(partitions)
            return {p: start[p] for p in partitions}

        consumer = log.consumer("g", topic, on_assigned=assigned)
        records = take(consumer, 40 - 2 * PARTITIONS)
        assert frozenset().union(*asked) == frozenset(range(PARTITIONS))
        assert all(record.offset >= start[record.partition] for record in records)

    def test_a_fault_while_offsets_are_looked_up_is_asked_again(self, log: Log, topic: str) -> None:
        log.append([Append(topic, "a", b"")])
        faults = [RuntimeError("not yet")]

        def assigned(partitions: frozenset[int]) -> None:
            if faults:
                raise faults.pop()

        consumer = log.consumer("g", topic, on_assigned=assigned)
        with pytest.raises(RuntimeError, match="not yet"):
            take(consumer, 1)
        assert len(take(consumer, 1)) == 1

    def test_members_share_the_partitions(self, place: Place, log: Log, topic: str) -> None:
        other = place.open()
        revoked = list[frozenset[int]]()
        first = joined(log.consumer("g", topic, on_revoked=revoked.append))
        assert first.assignment() == frozenset(range(PARTITIONS))
        second = other.consumer("g", topic)
        settle([first, second], lambda: sorted(len(c.assignment()) for c in (first, second)) == [2, 2])
        assert not first.assignment() & second.assignment()
        assert len(frozenset().union(*revoked)) >= 2
        places = log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        records = list[LogRecord]()
        settle([first, second], lambda: len(records) >= 40, records)
        assert sorted((r.partition, r.offset) for r in records) == sorted(places)
        second.close()
        settle([first], lambda: len(first.assignment()) == PARTITIONS)
        other.close()

    def test_more_members_than_partitions_is_no_fault(self, log: Log) -> None:
        single = f"t-{uuid4().hex[:8]}"
        log.ensure([TopicSpec(single, 1, DAY)])
        members = [log.consumer("g", single) for _ in range(3)]
        settle(members, lambda: sum(len(c.assignment()) for c in members) == 1)
        log.append([Append(single, "a", b"")])
        records = list[LogRecord]()
        settle(members, lambda: len(records) == 1, records)

    def test_who_stays_gets_no_record_and_misses_none(self, log: Log, topic: str) -> None:
        consumer = joined(log.consumer("g", topic))
        log.append([Append(topic, f"k{n}", b"") for n in range(10)])
        before = {partition: consumer.position(partition) for partition in range(PARTITIONS)}
        assert consumer.stay(0.3)
        assert {partition: consumer.position(partition) for partition in range(PARTITIONS)} == before
        records = take(consumer, 10)
        consumer.stay(0.1)
        commit_all(log, consumer, "g", records)
        assert log.lag("g", topic) == 0

    def test_who_stays_with_records_lets_others_have_their_share(self, place: Place, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        revoked = list[frozenset[int]]()
        first = log.consumer("g", topic, on_revoked=revoked.append)
        batch = take(first, 40)
        other = place.open()
        second = other.consumer("g", topic)
        records, deadline = list[LogRecord](), time.monotonic() + PATIENCE
        while not first.stay(0.05) or len(second.assignment()) < PARTITIONS // 2:
            assert time.monotonic() < deadline, "the group did not settle"
            records += second.poll(500, 0.05)
        gone = frozenset().union(*revoked)
        assert gone == second.assignment()
        taken = {(record.partition, record.offset) for record in batch if record.partition in gone}
        with pytest.raises(OffsetConflict):
            first.commit([Commit(topic, partition, 0, 1) for partition in gone])
        commit_all(log, first, "g", [record for record in batch if record.partition not in gone])
        settle([second], lambda: len(records) >= len(taken), records)
        assert sorted((record.partition, record.offset) for record in records) == sorted(taken)
        other.close()

    def test_groups_do_not_know_one_another(self, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(10)])
        one, two = log.consumer("one", topic), log.consumer("two", topic)
        commit_all(log, one, "one", take(one, 10))
        assert (log.lag("one", topic), log.lag("two", topic)) == (0, 10)
        assert len(take(two, 10)) == 10

    # --- several processes, and their end ------------------------------------------------------------------------

    def test_several_processes_append_at_once(self, place: Place, log: Log, topic: str) -> None:
        processes = [worker(place, "append", topic, "40", "5", f"p{n}") for n in range(3)]
        assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0]
        values = defaultdict(list)
        for record in everything(log, topic):
            values[record.key].append(int(record.value))
        assert all(found == sorted(set(found)) for found in values.values())
        assert sum(map(len, values.values())) == 3 * 40 * 5
        for process in processes:
            process.stdout.close()

    def test_what_append_returned_for_survives_the_end_of_its_process(self, place: Place, log: Log, topic: str) -> None:
        with worker(place, "append", topic, "1000000", "3", "k") as process:
            acknowledged = [process.stdout.readline().split() for _ in range(30)]
            process.send_signal(SIGKILL)
            process.wait(PATIENCE)
            acknowledged += [line.split() for line in process.stdout if line.endswith("\n")]
        kept = {(r.partition, r.offset): int(r.value) for r in everything(log, topic)}
        for first, *places in acknowledged:
            for n, place_of in enumerate(places):
                partition, offset = map(int, place_of.split(":"))
                assert kept[partition, offset] == int(first) + n
        assert sorted(kept.values()) == list(range(len(kept)))

    def test_partitions_of_a_killed_member_are_taken_over(self, place: Place, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        with worker(place, "consume", topic, "g", "5") as process:
            done = {tuple(map(int, p.split(":"))) for _ in range(4) for p in process.stdout.readline().split()}
            process.send_signal(SIGKILL)
            process.wait(PATIENCE)
        log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        lag = log.lag("g", topic)
        assert lag <= 80 - len(done)
        rest = take(log.consumer("g", topic), lag)
        assert not done & {(r.partition, r.offset) for r in rest}

    def test_a_member_that_was_taken_for_dead_cannot_commit(self, place: Place, log: Log, topic: str) -> None:
        log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        with worker(place, "hold", topic, "g", "40") as process:
            assert process.stdout.readline() == "holds 40\n"
            process.send_signal(SIGSTOP)
            heir = log.consumer("g", topic)
            records = take(heir, 40)
            process.send_signal(SIGCONT)
            process.stdin.write("commit\n")
            process.stdin.flush()
            assert process.stdout.readline() == "conflict\n"
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
            commit_all(log, heir, "g", records)
        assert log.lag("g", topic) == 0


# --- what the tests are written with -------------------------------------------------------------------------------


def everything(log: Log, topic: str) -> list[LogRecord]:
    """All records, partition by partition."""
    records = list[LogRecord]()
    for partition, (low, high) in sorted(log.bounds(topic).items()):
        while low < high and (found := log.read(topic, partition, low, 1_000)):
            records += found
            low = found[-1].offset + 1
    return records


def take(consumer: Consumer, count: int, at_most: int = 500) -> list[LogRecord]:
    """Polls until `count` records came; fails where more come, or fewer."""
    records = list[LogRecord]()
    deadline = time.monotonic() + PATIENCE
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
        records += consumer.poll(min(at_most, 500), 0.2)
    assert len(records) == count
    return records


def joined(consumer: Consumer) -> Consumer:
    """Polled until it holds all partitions."""
    settle([consumer], lambda: len(consumer.assignment()) == PARTITIONS)
    return consumer


def settle(consumers: Sequence[Consumer], until: Callable[[], bool], records: list[LogRecord] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "the group did not settle"
        for consumer in consumers:
            found = consumer.poll(500, 0.02)
            if records is not None:
                records += found


def commit_all(log: Log, consumer: Consumer, group: str, records: Sequence[LogRecord]) -> None:
    stored = log.committed(group, records[0].topic)
    ends = {record.partition: record.offset + 1 for record in records}
    consumer.commit([Commit(records[0].topic, p, stored.get(p, 0), end) for p, end in ends.items()])


def worker(place: Place, *task: str) -> subprocess.Popen[str]:
    """`log_worker.py` in a process of its own."""
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, str(here / "log_worker.py"), place.opener, place.argument, *task],
        env={**os.environ, "PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here}"},
        stdin=subprocess.PIPE if task[0] == "hold" else None,
        stdout=subprocess.PIPE,
        text=True,
    )


def pass_a_millisecond() -> None:
    now = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == now:
        pass
