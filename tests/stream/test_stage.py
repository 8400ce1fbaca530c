"""The loop: nothing lost, nothing done twice, bad input stops nobody, and people hear of what needs them."""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stream.clock import HOUR, SECOND, ManualClock, WallClock
from stream.embedded import EmbeddedLog, LogSettings
from stream.groups import EmbeddedConsumer
from stream.ports import (
    ALERTS,
    DEAD_LETTER,
    Append,
    Commit,
    LogRecord,
    OffsetConflict,
    OffsetOutside,
    Refused,
    TopicSpec,
    Transient,
    Unusable,
)
from stream.records import Alert, DeadLetter, UnknownMajor, decode
from stream.stage import Stage, StageOptions
from stream.status import StageStatus

DAY = 86_400_000
PROMPT = StageOptions(pace=0, poll=20, retry_first=1, retry_longest=5, first_batch=50, report=10)


class Toy:
    """Copies records to topic `out`; does first what the test says."""

    name, topic, group = "toy", "posts", "toy"
    owns_offsets = False

    def __init__(self, before: Callable[[Sequence[LogRecord]], None] = lambda records: None) -> None:
        self.before = before
        self.batches: list[list[str]] = []
        self.idled = 0
        self.closed = False

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: int) -> Sequence[Append]:
        self.before(records)
        self.batches.append([record.key for record in records])
        return [Append("out", record.key, record.value) for record in records]

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        return {}

    def idle(self, now: int) -> None:
        self.idled += 1

    def close(self) -> None:
        self.closed = True


class Owner(Toy):
    """Keeps its offsets itself, in memory."""

    owns_offsets = True

    def __init__(self, before: Callable[[Sequence[LogRecord]], None] = lambda records: None) -> None:
        super().__init__(before)
        self.stored = dict[int, int]()

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: int) -> Sequence[Append]:
        self.before(records)
        for commit in commits:
            if self.stored.get(commit.partition, 0) != commit.expected:
                raise OffsetConflict("moved")
        self.stored |= {commit.partition: commit.next for commit in commits}
        self.batches.append([record.key for record in records])
        return ()

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        return {p: self.stored[p] for p in partitions if p in self.stored}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(tmp_path / "log.db", WallClock(), LogSettings(rebalance=20))
    log.ensure([TopicSpec(topic, 2, DAY) for topic in ("posts", "out", ALERTS, DEAD_LETTER)])
    yield log
    log.close()


def fill(log: EmbeddedLog, count: int) -> list[str]:
    keys = [f"x:{n}" for n in range(count)]
    log.append([Append("posts", key, b"text of " + key.encode()) for key in keys])
    return keys


def keys(log: EmbeddedLog, topic: str) -> list[str]:
    return [record.key for partition in (0, 1) for record in log.read(topic, partition, 0, 10_000)]


def letters(log: EmbeddedLog) -> list[DeadLetter]:
    return [decode(DeadLetter, r.value) for partition in (0, 1) for r in log.read(DEAD_LETTER, partition, 0, 10_000)]


def drain(stage: Stage, log: EmbeddedLog) -> None:
    for _ in range(500):
        stage.step()
        if log.lag("toy", "posts") == 0:
            return
    raise AssertionError(f"{log.lag('toy', 'posts')} records are left: {stage.status()}")


@pytest.mark.parametrize("work", [Toy, Owner])
def test_every_record_is_worked_off_and_committed(log: EmbeddedLog, work: type[Toy]) -> None:
    expected = fill(log, 300)
    toy = work()
    stage = Stage(log, toy, WallClock(), options=PROMPT)
    thread = threading.Thread(target=stage.run)
    thread.start()
    while stage.status().records < 300:
        thread.join(0.01)
    stage.stop()
    thread.join()
    assert sorted(key for batch in toy.batches for key in batch) == sorted(expected)
    assert log.lag("toy", "posts") == 0
    assert toy.closed
    assert stage.status().state == "stopped"
    assert work is Owner or sorted(keys(log, "out")) == sorted(expected)


def test_nothing_is_committed_before_its_effect(log: EmbeddedLog) -> None:
    fill(log, 10)
    committed = list[dict[int, int]]()
    toy = Toy(lambda records: committed.append(log.committed("toy", "posts")))
    stage = Stage(log, toy, WallClock(), options=PROMPT)
    stage.step()
    assert set(committed[0].values()) == {0}
    assert len(keys(log, "out")) == 10
    assert log.lag("toy", "posts") == 0
    stage.close()


def test_a_passing_fault_is_tried_again_until_it_passes(log: EmbeddedLog) -> None:
    expected = fill(log, 20)
    faults = [Transient("busy"), OSError("no route"), sqlite3.OperationalError("locked"), Transient("busy")]

    def fail(records: Sequence[LogRecord]) -> None:
        if faults:
            raise faults.pop()

    stage = Stage(log, Toy(fail), WallClock(), options=PROMPT)
    stage.step()
    assert stage.status().state == "retrying"
    assert "Transient: busy" in stage.status().error
    assert log.lag("toy", "posts") == 20
    drain(stage, log)
    assert sorted(keys(log, "out")) == sorted(expected)
    assert stage.status().retries == 4
    assert stage.status().error == ""
    assert letters(log) == []
    stage.close()


@pytest.mark.parametrize("work", [Toy, Owner])
def test_refused_records_become_dead_letters_and_the_rest_goes_on(log: EmbeddedLog, work: type[Toy]) -> None:
    expected = fill(log, 100)
    once = [Transient("after the letters were written")]

    def refuse(records: Sequence[LogRecord]) -> None:
        bad = [record for record in records if record.key.endswith("7")]
        if bad:
            raise Refused([(record, "no such language", "LanguageError") for record in bad])
        if once:
            raise once.pop()

    toy = work(refuse)
    stage = Stage(log, toy, WallClock(), options=PROMPT)
    drain(stage, log)
    bad = [key for key in expected if key.endswith("7")]
    found = letters(log)
    assert sorted(letter.key for letter in found) == sorted(bad)
    assert {(letter.stage, letter.topic, letter.reason, letter.error) for letter in found} == {
        ("toy", "posts", "no such language", "LanguageError")
    }
    assert all(base64.b64decode(letter.payload) == b"text of " + letter.key.encode() for letter in found)
    assert sorted(key for batch in toy.batches for key in batch) == sorted(set(expected) - set(bad))
    assert stage.status().dead_letters == len(bad)
    stage.close()


@pytest.mark.parametrize("work", [Toy, Owner])
def test_the_one_record_that_breaks_the_work_is_found(log: EmbeddedLog, work: type[Toy]) -> None:
    expected = fill(log, 100)

    def break_down(records: Sequence[LogRecord]) -> None:
        for record in records:
            if record.key == "x:42":
                raise KeyError(record.value.decode())

    toy = work(break_down)
    stage = Stage(log, toy, WallClock(), options=PROMPT)
    drain(stage, log)
    (letter,) = letters(log)
    assert (letter.key, letter.error) == ("x:42", "KeyError")
    assert "text of" not in letter.reason
    assert "test_stage.py" in letter.reason
    assert sorted(key for batch in toy.batches for key in batch) == sorted(set(expected) - {"x:42"})
    stage.close()


def test_what_a_server_will_not_store_is_its_record_s_fault_whatever_the_driver_calls_it(log: EmbeddedLog) -> None:
    class OperationalError(Exception):
        """As psycopg's, for an id that is too long to be indexed (SQLSTATE 54000)."""

        sqlstate = "54000"

    def break_down(records: Sequence[LogRecord]) -> None:
        if any(record.key == "x:3" for record in records):
            raise RuntimeError("wrapped") from OperationalError()

    fill(log, 6)
    stage = Stage(log, Toy(break_down), WallClock(), options=PROMPT)
    drain(stage, log)
    assert [letter.key for letter in letters(log)] == ["x:3"]
    stage.close()


def test_a_work_that_breaks_on_every_record_does_not_bury_the_stream(log: EmbeddedLog) -> None:
    expected = fill(log, 200)
    broken = [True]

    def fail(records: Sequence[LogRecord]) -> None:
        if broken and records:
            raise AttributeError("a release with a fault")

    stage = Stage(log, Toy(fail), WallClock(), options=PROMPT)
    for _ in range(6):
        stage.step()
    assert stage.status().state == "retrying"
    assert "records in a row failed" in stage.status().error
    buried = len(letters(log))
    assert PROMPT.suspicion <= buried < PROMPT.suspicion + 6
    broken.clear()
    drain(stage, log)
    assert len(letters(log)) == buried
    assert len(keys(log, "out")) == len(expected) - buried
    stage.close()


def test_what_a_person_has_to_mend_pauses_the_stage(log: EmbeddedLog) -> None:
    fill(log, 5)

    def fail(records: Sequence[LogRecord]) -> None:
        raise Unusable("index.db is damaged: `clamor reindex`")

    stage = Stage(log, Toy(fail), WallClock(), options=PROMPT)
    stage.step()
    assert (stage.status().state, log.lag("toy", "posts"), letters(log)) == ("paused", 5, [])
    assert "clamor reindex" in stage.status().error
    stage.close()


def test_an_output_that_the_log_does_not_take_is_its_records_fault(log: EmbeddedLog) -> None:
    fill(log, 10)

    class Swells(Toy):
        def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: int) -> Sequence[Append]:
            return [Append("out", r.key, bytes(2_000_000) if r.key == "x:3" else b"") for r in records]

    stage = Stage(log, Swells(), WallClock(), options=PROMPT)
    drain(stage, log)
    assert [(letter.key, letter.error) for letter in letters(log)] == [("x:3", "RecordTooLarge")]
    assert len(keys(log, "out")) == 9
    stage.close()


def test_spare_work_is_done_when_nothing_waits_and_records_come_first(log: EmbeddedLog) -> None:
    fill(log, 60)
    toy, done, left = Toy(), list[int](), [3]

    def spare() -> bool:
        done.append(len(toy.batches))
        left[0] -= 1
        if left[0] == 1:
            fill(log, 1)
        return left[0] > 0

    stage = Stage(log, toy, WallClock(), options=PROMPT, spare=spare, overloaded=lambda: left[0] > 0)
    assert stage.status().overloaded
    drain(stage, log)
    assert done == []
    worked = len(toy.batches)
    while left[0]:
        stage.step()
    assert done == [worked, worked, worked + 1]
    assert not stage.status().overloaded
    stage.close()


def test_spare_work_that_fails_is_tried_again_and_holds_no_record_up(log: EmbeddedLog) -> None:
    def spare() -> bool:
        raise ValueError("a text that must not be told")

    stage = Stage(log, Toy(), WallClock(), options=PROMPT, spare=spare)
    while stage.status().state != "retrying":
        stage.step()
    assert stage.status().error.startswith("Transient: in spare time: unexpected ValueError")
    assert "a text" not in stage.status().error
    fill(log, 10)
    drain(stage, log)
    assert len(keys(log, "out")) == 10
    stage.close()


def test_a_work_that_breaks_without_any_record_loses_none(log: EmbeddedLog) -> None:
    fill(log, 5)
    broken = [True]

    def fail(records: Sequence[LogRecord]) -> None:
        if broken and not records:
            raise RuntimeError("broken")
        if broken:
            raise Refused([(record, "bad", "E") for record in records])

    stage = Stage(log, Toy(fail), WallClock(), options=PROMPT)
    for _ in range(10):
        stage.step()
    assert stage.status().state == "retrying"
    assert len(letters(log)) == 5
    broken.clear()
    drain(stage, log)
    assert len(letters(log)) == 5
    stage.close()


def test_a_refusal_that_names_no_record_is_a_fault_not_an_endless_loop(log: EmbeddedLog) -> None:
    fill(log, 5)

    def refuse(records: Sequence[LogRecord]) -> None:
        raise Refused([])

    stage = Stage(log, Toy(refuse), WallClock(), options=PROMPT)
    stage.step()
    assert stage.status().state == "retrying"
    assert log.lag("toy", "posts") == 5
    stage.close()


def test_a_newer_record_pauses_the_stage_with_one_alert(log: EmbeddedLog) -> None:
    fill(log, 5)

    def refuse(records: Sequence[LogRecord]) -> None:
        raise UnknownMajor("Post", 2)

    stage = Stage(log, Toy(refuse), WallClock(), options=PROMPT)
    for _ in range(5):
        stage.step()
    assert stage.status().state == "paused"
    assert "version 2" in stage.status().error
    (alert,) = [decode(Alert, r.value) for p in (0, 1) for r in log.read(ALERTS, p, 0, 10)]
    assert alert.kind == "stage"
    assert "toy" in alert.why
    assert log.lag("toy", "posts") == 5
    assert letters(log) == []
    upgraded = Stage(log, Toy(), WallClock(), options=PROMPT)
    drain(upgraded, log)
    upgraded.close()
    stage.close()


def test_offsets_of_another_log_pause_the_stage(log: EmbeddedLog) -> None:
    class Elsewhere(Owner):
        def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
            raise OffsetOutside("decide with `clamor offsets`")

    stage = Stage(log, Elsewhere(), WallClock(), options=PROMPT)
    stage.step()
    assert stage.status().state == "paused"
    assert "clamor offsets" in stage.status().error
    stage.close()


def test_a_partition_that_somebody_else_moved_is_read_again_from_there(log: EmbeddedLog) -> None:
    fill(log, 20)
    owner = Owner()
    stage = Stage(log, owner, WallClock(), options=PROMPT)
    drain(stage, log)
    ahead = {p: owner.stored[p] + 3 for p in owner.stored}
    log.append([Append("posts", f"x:{n}", b"") for n in range(20, 60)])
    owner.stored |= ahead
    drain(stage, log)
    assert len([key for batch in owner.batches for key in batch]) == 60 - 2 * 3
    assert stage.status().retries == 1
    stage.close()


def test_back_pressure_holds_the_stage(log: EmbeddedLog) -> None:
    fill(log, 20)
    full = [True]
    toy = Toy()
    stage = Stage(log, toy, WallClock(), options=PROMPT, pressure=lambda: "waiting" if full else None)
    stage.step()
    assert stage.status().state == "waiting"
    assert (toy.batches, toy.idled) == ([], 1)
    full.clear()
    drain(stage, log)
    stage.close()


def test_the_work_is_told_when_nothing_comes(log: EmbeddedLog) -> None:
    toy = Toy()
    stage = Stage(log, toy, WallClock(), options=PROMPT)
    assert stage.step(timeout=1) == 0
    assert toy.idled == 1
    assert stage.status().state == "idle"
    stage.close()


def test_a_fault_between_batches_is_shown_and_stops_nobody(log: EmbeddedLog) -> None:
    class Fidgets(Toy):
        def idle(self, now: int) -> None:
            if self.idled == 0:
                self.idled += 1
                raise KeyError("secret text")

    stage = Stage(log, Fidgets(), WallClock(), options=PROMPT)
    stage.step()
    assert stage.status().state == "retrying"
    assert "KeyError" in stage.status().error
    assert "secret" not in stage.status().error
    fill(log, 5)
    drain(stage, log)
    stage.close()


def test_stop_finishes_the_batch_at_hand(log: EmbeddedLog) -> None:
    fill(log, 40)
    toy = Toy(lambda records: stage.stop())
    stage = Stage(log, toy, WallClock(), options=PROMPT)
    stage.run()
    assert len(toy.batches) == 1
    assert log.lag("toy", "posts") == 40 - len(toy.batches[0])
    assert len(keys(log, "out")) == len(toy.batches[0])


def test_stop_ends_a_stage_that_cannot_go_on_and_loses_nothing(log: EmbeddedLog) -> None:
    fill(log, 10)

    def fail(records: Sequence[LogRecord]) -> None:
        stage.stop()
        raise Transient("mail server down")

    stage = Stage(log, Toy(fail), WallClock(), options=PROMPT)
    stage.run()
    assert log.lag("toy", "posts") == 10


def test_batches_grow_under_load_and_shrink_when_they_take_long(log: EmbeddedLog) -> None:
    fill(log, 2_000)
    toy = Toy()
    options = StageOptions(pace=0, poll=20, first_batch=10, max_batch=320, batch_time=10_000)
    stage = Stage(log, toy, WallClock(), options=options)
    drain(stage, log)
    assert [len(batch) for batch in toy.batches[:7]] == [10, 20, 40, 80, 160, 320, 320]
    stage.close()
    fill(log, 500)
    slow = Stage(log, toy, WallClock(), options=StageOptions(pace=0, poll=20, first_batch=64, batch_time=-1))
    toy.batches.clear()
    assert [slow.step() for _ in range(8)] == [64, 32, 16, 8, 4, 2, 1, 1]
    slow.close()


def test_offsets_in_sql_are_told_to_the_log_for_lag_and_retention(log: EmbeddedLog) -> None:
    fill(log, 50)
    owner = Owner()
    stage = Stage(log, owner, WallClock(), options=PROMPT)
    stage.step()
    stage.close()
    assert log.committed("toy", "posts") == owner.stored


def test_retries_and_pace_go_by_the_clock_that_is_given(tmp_path: Path) -> None:
    clock = ManualClock(1_764_000_000_000)
    log = EmbeddedLog(tmp_path / "manual.db", clock, LogSettings(rebalance=0))
    log.ensure([TopicSpec(topic, 2, DAY) for topic in ("posts", "out", ALERTS, DEAD_LETTER)])
    faults = [Transient("busy"), Transient("busy"), Transient("busy")]

    def fail(records: Sequence[LogRecord]) -> None:
        if faults:
            raise faults.pop()

    toy = Toy(fail)
    stage = Stage(log, toy, clock, options=StageOptions(pace=40, retry_first=1_000, retry_longest=3_000))
    fill(log, 3)
    for wait in (0, 1_000, 2_000):
        clock.advance(wait)
        stage.step(timeout=0)
        assert [stage.step(timeout=0) for _ in range(5)] == [0] * 5
    assert (len(faults), stage.status().retries) == (0, 3)
    clock.advance(3_000)
    assert stage.step(timeout=0) == 3
    fill(log, 2)
    assert stage.step(timeout=0) == 2
    fill(log, 2)
    assert stage.step(timeout=0) == 0
    clock.advance(40)
    assert stage.step(timeout=0) == 2
    stage.close()
    log.close()


@pytest.mark.parametrize("set_by", [-HOUR, HOUR])
def test_a_clock_that_is_set_keeps_no_stage_waiting_and_ages_nothing(log: EmbeddedLog, set_by: int) -> None:
    clock, faults, said = ManualClock(1_790_000_000_000), [Transient("busy")], list[StageStatus]()

    def fail(records: Sequence[LogRecord]) -> None:
        if faults:
            raise faults.pop()

    options = StageOptions(poll=20, retry_first=10, report=SECOND)
    stage = Stage(log, Toy(fail), clock, options=options, publish=said.append)
    fill(log, 20)
    stage.step(0)
    clock.set(set_by)
    for _ in range(5):
        clock.advance(SECOND)
        stage.step(0)
    assert stage.status().records == 20, "what was to be tried again in 10 ms was"
    assert [status.at for status in said[-3:]] == [clock.at - 2 * SECOND, clock.at - SECOND, clock.at]
    assert 0 <= said[-1].at - said[-1].progress_at <= 5 * SECOND
    assert 0 <= said[-1].at - said[-1].began <= 5 * SECOND
    stage.close()


def test_a_stage_that_tries_again_and_again_lets_others_have_their_share(log: EmbeddedLog) -> None:
    expected = fill(log, 100)
    down = [True]

    def fail(records: Sequence[LogRecord]) -> None:
        if down:
            raise Transient("mail server down")

    first, toy = Stage(log, Toy(fail), WallClock(), options=PROMPT), Toy()
    first.step()
    assert (first.status().state, len(first.status().partitions)) == ("retrying", 2)
    second = Stage(log, toy, WallClock(), options=PROMPT)
    for _ in range(500):
        first.step()
        second.step()
        if toy.batches:
            break
    assert toy.batches, "the other one works on what was given back"
    assert (len(first.status().partitions), first.status().state) == (1, "retrying")
    down.clear()
    for _ in range(500):
        first.step()
        second.step()
        if log.lag("toy", "posts") == 0:
            break
    assert sorted(keys(log, "out")) == sorted(expected), "each once: what was given back is no longer its to do"
    first.close()
    second.close()


@pytest.mark.parametrize("fault", [Transient("no broker answers"), KeyError("of a client whose thread has died")])
def test_a_log_that_is_away_keeps_no_stage_from_saying_how_it_does(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def away(group: str, topic: str) -> int:
        raise fault

    said = list[StageStatus]()
    stage = Stage(log, Toy(), WallClock(), options=PROMPT, publish=said.append)
    monkeypatch.setattr(log, "lag", away)
    stage.step()
    assert said[-1].state == "idle"
    stage.close()


def test_offsets_in_sql_that_the_log_does_not_take_now_hold_nobody_up(
    log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log, 10)
    plain, refusing = log.consumer, [True]

    def consumer(*arguments: Any, **named: Any) -> EmbeddedConsumer:
        made = plain(*arguments, **named)
        commit = made.commit

        def refuse(commits: Sequence[Commit]) -> None:
            if refusing:
                raise Transient("the group is divided anew")
            commit(commits)

        monkeypatch.setattr(made, "commit", refuse)
        return made

    monkeypatch.setattr(log, "consumer", consumer)
    owner = Owner()
    stage = Stage(log, owner, WallClock(), options=replace(PROMPT, report=0))
    for _ in range(5):
        stage.step()
    assert (stage.status().records, stage.status().retries, stage.status().state) == (10, 0, "idle")
    assert log.lag("toy", "posts") == 10
    refusing.clear()
    stage.step()
    assert log.lag("toy", "posts") == 0
    stage.close()


def test_a_fault_is_met_once_a_try_and_not_while_the_stage_waits_for_the_next(tmp_path: Path) -> None:
    class Away(Owner):
        def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
            raise OSError("no route to the database")

    clock = ManualClock(1_764_000_000_000)
    log = EmbeddedLog(tmp_path / "manual.db", clock, LogSettings(rebalance=0))
    log.ensure([TopicSpec(topic, 2, DAY) for topic in ("posts", "out", ALERTS, DEAD_LETTER)])
    stage = Stage(log, Away(), clock, options=StageOptions(poll=0))
    for tries in (1, 2, 3):
        for _ in range(5):
            stage.step(0)
            assert (stage.status().state, stage.status().retries) == ("retrying", tries)
        clock.advance(31 * SECOND)
    stage.close()
    log.close()
