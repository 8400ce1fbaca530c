"""Groups on a real Kafka: a new division in the middle of a batch, members that fall out, ends in order, forks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from signal import SIGCONT, SIGKILL, SIGSTOP
from uuid import uuid4

from tests.services.needs import library

library("kafka", "kafka")

import pytest  # noqa: E402
from kafka_place import KafkaPlace, settings_for  # noqa: E402
from log_contract import PARTITIONS, commit_all, joined, settle, take, worker  # noqa: E402
from msgspec.structs import replace  # noqa: E402
from structlog.testing import capture_logs  # noqa: E402

from stream.clock import DAY, MINUTE, SECOND  # noqa: E402
from stream.kafka import KafkaLog  # noqa: E402
from stream.ports import Append, Commit, Consumer, LogRecord, OffsetConflict, OffsetOutside, TopicSpec  # noqa: E402


@pytest.fixture
def log(place: KafkaPlace) -> Iterator[KafkaLog]:
    log = place.open()
    yield log
    log.close()


@pytest.fixture
def topic(log: KafkaLog) -> str:
    name = f"t-{uuid4().hex[:8]}"
    log.ensure([TopicSpec(name, PARTITIONS, DAY)])
    return name


class Beside:
    """Another member, in a thread and with a log of its own, that commits all it gets."""

    def __init__(self, place: KafkaPlace, topic: str) -> None:
        self._log = place.open()
        self._consumer = self._log.consumer("g", topic)
        self._topic = topic
        self._stop = threading.Event()
        self.records: list[LogRecord] = []
        self.held: frozenset[int] = frozenset()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                found = self._consumer.poll(100, 0.1)
                self.held = self._consumer.assignment()
                if found:
                    commit_all(self._log, self._consumer, "g", found)
                    self.records += found
        except BaseException as error:
            self.error = error

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._log.close()
        assert self.error is None, self.error


def test_a_new_division_in_the_middle_of_a_batch_waits_for_its_commit(
    place: KafkaPlace, log: KafkaLog, topic: str
) -> None:
    log.append([Append(topic, f"k{n}", b"") for n in range(40)])
    revoked = list[frozenset[int]]()
    first = log.consumer("g", topic, on_revoked=revoked.append)
    batch = take(first, 40)
    other = Beside(place, topic)
    time.sleep(3)
    assert other.held == frozenset(), "it has been waiting: what this member works on is not given away"
    commit_all(log, first, "g", batch)
    settle([first], lambda: len(first.assignment()) == PARTITIONS // 2 == len(other.held))
    gone = frozenset().union(*revoked)
    assert gone == other.held
    end = max(record.offset for record in batch if record.partition in gone) + 1
    partition = next(record.partition for record in batch if record.partition in gone and record.offset == end - 1)
    with pytest.raises(OffsetConflict, match="took the partition over"):
        first.commit([Commit(topic, partition, end, end)])
    places = log.append([Append(topic, f"k{n}", b"") for n in range(40)])
    mine: list[LogRecord] = []
    settle([first], lambda: len(mine) + len(other.records) >= 40, mine)
    other.close()
    assert sorted((r.partition, r.offset) for r in mine + other.records) == sorted(places), "each once"


def test_a_member_that_is_gone_too_long_with_a_batch_is_fenced(place: KafkaPlace, log: KafkaLog, topic: str) -> None:
    log.append([Append(topic, f"k{n}", b"") for n in range(20)])
    hasty = KafkaLog(replace(settings_for(place.argument), batch_limit=3 * SECOND))
    slow = hasty.consumer("g", topic)
    batch = take(slow, 20)
    other = Beside(place, topic)
    deadline = time.monotonic() + 30
    while len(other.records) < 20 and time.monotonic() < deadline:
        time.sleep(0.1)
    with pytest.raises(OffsetConflict):
        slow.commit([Commit(topic, batch[0].partition, 0, batch[0].offset + 1)])
    other.close()
    assert log.lag("g", topic) == 0, "what the fenced member held was done by the other, and was not moved back"
    log.append([Append(topic, "new", b"")])
    with capture_logs() as told:
        assert [record.key for record in take(slow, 1)] == ["new"], "it takes part again, from where the other stood"
    assert [line["partitions"] for line in told if line["event"] == "partitions_lost"] == [[*range(PARTITIONS)]]
    hasty.close()


def test_members_that_come_and_go_lose_no_record_and_move_nothing_back(
    place: KafkaPlace, log: KafkaLog, topic: str
) -> None:
    done: list[LogRecord] = []
    stay = Beside(place, topic)
    places = []
    for round in range(4):
        guest = Beside(place, topic)
        for n in range(10):
            places += log.append([Append(topic, f"{round}:{n}:{m}", b"") for m in range(5)])
            time.sleep(0.2)
        guest.close()
        done += guest.records
    deadline = time.monotonic() + 60
    while log.lag("g", topic) and time.monotonic() < deadline:
        time.sleep(0.2)
    stay.close()
    done += stay.records
    assert {(r.partition, r.offset) for r in done} == set(places)
    assert len(done) == len(places), "each batch was committed before its partitions moved"


def test_a_division_that_ends_between_two_polls_is_taken_up_by_the_next(
    place: KafkaPlace, log: KafkaLog, topic: str
) -> None:
    """What the brokers answer to a member that joins comes while it does something else."""
    log.append([Append(topic, f"k{n}", b"") for n in range(20)])
    consumer = log.consumer("g", topic)
    records, deadline = list[LogRecord](), time.monotonic() + 30
    while len(records) < 20:
        assert time.monotonic() < deadline, "it joins within 30 s"
        time.sleep(0.3)
        records += consumer.poll(100, 0.0)
    commit_all(log, consumer, "g", records)


def test_who_only_waits_takes_over_what_a_dead_member_held(place: KafkaPlace, log: KafkaLog, topic: str) -> None:
    """Also where a batch may take minutes: a member that is not in one is waited for by nobody."""
    patient = KafkaLog(replace(settings_for(place.argument), batch_limit=5 * MINUTE))
    waiting = patient.consumer("g", topic)
    settle([waiting], lambda: len(waiting.assignment()) == PARTITIONS)
    with worker(place, "consume", topic, "g", "5") as process:
        stay_until_it_holds(waiting, PARTITIONS // 2)
        process.send_signal(SIGKILL)
        process.wait(30)
        stay_until_it_holds(waiting, PARTITIONS)
    patient.close()


def test_who_is_put_out_while_it_joins_comes_back_as_another_and_moves_nothing(
    place: KafkaPlace, log: KafkaLog, topic: str
) -> None:
    """The library tells nothing of that: it goes on as if nobody could have held its partitions meanwhile."""
    busy = log.consumer("g", topic)
    done: list[LogRecord] = []
    with worker(place, "consume", topic, "g", "100") as stopped:
        settle([busy], lambda: len(busy.assignment()) == PARTITIONS // 2)
        places = log.append([Append(topic, f"k{n}", b"") for n in range(40)])
        batch = take(busy, sum(partition in busy.assignment() for partition, _ in places))
        wait_for_lag(log, topic, len(batch))
        third = Beside(place, topic)
        # Time for `stopped` to hear of the division and to ask to join: it then waits for the batch of `busy`.
        time.sleep(3)
        stopped.send_signal(SIGSTOP)
        commit_all(log, busy, "g", batch)
        settle([busy], lambda: len(busy.assignment()) + len(third.held) == PARTITIONS)
        places += append_and_wait(log, topic, busy, done)
        stopped.send_signal(SIGCONT)
        settle([busy], lambda: len(busy.assignment()) + len(third.held) < PARTITIONS)
        places += append_and_wait(log, topic, busy, done)
        third.close()
        assert stopped.poll() is None
        stopped.send_signal(SIGKILL)
        its = [tuple(map(int, each.split(":"))) for each in stopped.stdout.read().split()]
    found = [(record.partition, record.offset) for record in batch + done + third.records]
    assert sorted(found + its) == sorted(places), "each once"


def wait_for_lag(log: KafkaLog, topic: str, lag: int) -> None:
    deadline = time.monotonic() + 30
    while log.lag("g", topic) != lag:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def append_and_wait(log: KafkaLog, topic: str, member: Consumer, done: list[LogRecord]) -> list[tuple[int, int]]:
    """Where; `member` does its share, as others do theirs."""
    places = log.append([Append(topic, f"k{n}", b"") for n in range(40)])
    deadline = time.monotonic() + 30
    while log.lag("g", topic):
        assert time.monotonic() < deadline
        found = member.poll(100, 0.1)
        if found:
            commit_all(log, member, "g", found)
            done += found
    return places


def stay_until_it_holds(member: Consumer, partitions: int) -> None:
    deadline = time.monotonic() + 30
    while len(member.assignment()) != partitions:
        assert time.monotonic() < deadline, "what others held is taken over within 30 s"
        member.stay(0.1)


def test_what_is_committed_while_a_member_leaves_counts(place: KafkaPlace, log: KafkaLog, topic: str) -> None:
    log.append([Append(topic, "a", b"")])
    told: list[Consumer] = []
    ends: list[Commit] = []

    def revoked(partitions: frozenset[int]) -> None:
        told[0].commit(ends)

    told.append(log.consumer("g", topic, on_revoked=revoked))
    (record,) = take(told[0], 1)
    ends.append(Commit(topic, record.partition, 0, record.offset + 1))
    told[0].close()
    assert log.lag("g", topic) == 0


def test_offsets_of_another_log_are_refused(log: KafkaLog, topic: str) -> None:
    consumer = log.consumer("g", topic, on_assigned=lambda held: dict.fromkeys(held, 1_000))
    with pytest.raises(OffsetOutside, match="clamor offsets"):
        take(consumer, 1)


def test_offsets_kept_elsewhere_are_told_to_kafka(log: KafkaLog, topic: str) -> None:
    places = log.append([Append(topic, f"k{n}", b"") for n in range(40)])
    start = {p: sorted(o for q, o in places if q == p)[2] for p in range(PARTITIONS)}
    joined(log.consumer("g", topic, on_assigned=lambda held: {p: start[p] for p in held}))
    assert log.committed("g", topic) == start


def test_a_log_is_not_carried_over_a_fork(log: KafkaLog, topic: str) -> None:
    consumer = log.consumer("g", topic)
    log.append([Append(topic, "a", b"1")])
    take(consumer, 1)
    uses = (
        lambda: log.append([Append(topic, "a", b"")]),
        lambda: log.bounds(topic),
        lambda: log.epoch(),
        lambda: consumer.poll(1, 0.1),
        lambda: consumer.commit([]),
    )
    child = os.fork()
    if child == 0:
        refused = 0
        for use in uses:
            try:
                use()
            except RuntimeError as error:
                refused += "fork" in str(error)
        log.close()
        os._exit(0 if refused == len(uses) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.append([Append(topic, "a", b"2")])
    assert [record.value for record in take(consumer, 1)] == [b"2"], "the parent goes on"
