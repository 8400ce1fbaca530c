"""What the embedded log does beyond the contract: retention, faults of disk and file, how members share."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.clock import HOUR, MINUTE, SECOND, ManualClock
from stream.embedded import EmbeddedLog, LogSettings
from stream.groups import share
from stream.ports import DEAD_LETTER, Append, Commit, LogUnusable, OffsetConflict, OffsetOutside, TopicSpec, Transient
from stream.retention import laggards, sweep
from stream.sqlite_file import file_system, refuse_network

START = 1_764_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(tmp_path / "log.db", clock, LogSettings(patience=100, rebalance=0, session=3 * SECOND))
    log.ensure([TopicSpec("posts", 2, HOUR), TopicSpec("big", 1, HOUR, retention_bytes=10_000)])
    yield log
    log.close()


def fill(log: EmbeddedLog, topic: str, count: int, value: bytes = b"v") -> None:
    log.append([Append(topic, f"k{n}", value) for n in range(count)])


# --- retention ---------------------------------------------------------------------------------------------------


def test_what_is_older_than_the_retention_goes(log: EmbeddedLog, clock: ManualClock) -> None:
    fill(log, "posts", 1_000)
    clock.advance(HOUR // 2)
    fill(log, "posts", 10)
    assert sweep(log, clock.now()).records == 0
    clock.advance(HOUR // 2 + 1)
    assert sweep(log, clock.now()).records == 1_000
    assert sum(high - low for low, high in log.bounds("posts").values()) == 10
    assert [r.time for r in log.read("posts", 0, 0, 1)] == [START + HOUR // 2]


def test_what_is_above_the_size_goes_oldest_first(log: EmbeddedLog, clock: ManualClock) -> None:
    fill(log, "big", 30, bytes(998))
    sweep(log, clock.now())
    (low, high), *_ = log.bounds("big").values()
    assert high == 31
    assert 9_000 < sum(len(r.key) + len(r.value) for r in log.read("big", 0, low, 100)) <= 11_000


def test_removed_text_is_overwritten_in_every_file(log: EmbeddedLog, clock: ManualClock) -> None:
    secret = b"la aerolinea perdio mi maleta"
    for length in (1, 200, 3_000):
        fill(log, "posts", 50, secret * length)
    files = [log.path, log.path.with_name("log.db-wal")]
    assert any(secret in file.read_bytes() for file in files)
    clock.advance(2 * HOUR)
    swept = sweep(log, clock.now())
    assert swept.overwritten
    assert not any(secret in file.read_bytes() for file in files)


def test_what_a_group_loses_by_retention_is_told_once(log: EmbeddedLog, clock: ManualClock) -> None:
    consumer = log.consumer("slow", "big")
    fill(log, "big", 900)
    clock.advance(MINUTE)
    fill(log, "big", 100)
    done = consumer.poll(300, 1.0)[-1].offset + 1
    consumer.commit([Commit("big", 0, 0, done)])
    clock.advance(2 * HOUR)
    (loss,) = sweep(log, clock.now()).losses
    assert (loss.group, loss.topic, loss.first, loss.records) == ("slow", "big", done, 700)
    assert (loss.since, loss.until) == (START, START + MINUTE)
    assert sweep(log, clock.now()).losses == ()
    assert log.lag("slow", "big") == 0
    with pytest.raises(OffsetConflict):
        consumer.commit([Commit("big", 0, done, done + 1)])


def test_a_group_that_stands_still_is_reported_before_it_loses(log: EmbeddedLog, clock: ManualClock) -> None:
    log.consumer("slow", "posts").poll(1, 0)
    fill(log, "posts", 10)
    clock.advance(HOUR // 2 - 1)
    assert laggards(log, clock.now()) == []
    clock.advance(1)
    assert {(found.group, found.level) for found in laggards(log, clock.now())} == {("slow", 50)}
    clock.advance(HOUR * 3 // 10)
    assert {found.level for found in laggards(log, clock.now())} == {80}
    assert sum(found.behind for found in laggards(log, clock.now())) == 10


def test_size_counts_for_the_report_as_well(log: EmbeddedLog, clock: ManualClock) -> None:
    log.consumer("slow", "big").poll(1, 0)
    fill(log, "big", 7, bytes(1_000))
    (found,) = laggards(log, clock.now())
    assert 50 <= found.percent < 80


def test_a_forgotten_group_is_waited_for_by_nobody(log: EmbeddedLog, clock: ManualClock) -> None:
    consumer = log.consumer("slow", "posts")
    consumer.poll(1, 0)
    consumer.close()
    fill(log, "posts", 10)
    log.forget_group("slow")
    clock.advance(2 * HOUR)
    assert laggards(log, clock.now()) == []
    assert sweep(log, clock.now()).losses == ()


def test_an_offset_of_before_retention_goes_on_with_what_is_left(log: EmbeddedLog, clock: ManualClock) -> None:
    fill(log, "big", 10)
    clock.advance(2 * HOUR)
    sweep(log, clock.now())
    fill(log, "big", 3)
    consumer = log.consumer("sql", "big", on_assigned=lambda partitions: {0: 4})
    assert [r.offset for r in consumer.poll(10, 1.0)] == [11, 12, 13]


# --- faults ------------------------------------------------------------------------------------------------------


def test_an_offset_beyond_the_end_stops_and_says_what_decides(log: EmbeddedLog) -> None:
    consumer = log.consumer("sql", "posts", on_assigned=lambda partitions: dict.fromkeys(partitions, 99))
    with pytest.raises(OffsetOutside, match="clamor offsets"):
        consumer.poll(10, 0)


def test_a_new_file_has_another_epoch(log: EmbeddedLog, tmp_path: Path, clock: ManualClock) -> None:
    other = EmbeddedLog(tmp_path / "other.db", clock)
    assert other.epoch() != log.epoch()
    other.close()


def test_a_locked_file_is_a_passing_fault(log: EmbeddedLog) -> None:
    holder = sqlite3.connect(log.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match=r"log\.db: cannot append.*tried again"):
        fill(log, "posts", 1)
    holder.execute("ROLLBACK")
    holder.close()
    fill(log, "posts", 1)
    assert sum(high - low for low, high in log.bounds("posts").values()) == 1


def test_a_locked_file_can_be_opened_and_read(log: EmbeddedLog, clock: ManualClock) -> None:
    fill(log, "posts", 3)
    holder = sqlite3.connect(log.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    other = EmbeddedLog(log.path, clock, log.settings)
    other.ensure([TopicSpec("posts", 2, HOUR)])
    assert other.lag("nobody", "posts") == 3
    other.close()
    holder.execute("ROLLBACK")
    holder.close()


def test_a_full_disk_is_a_passing_fault_that_loses_nothing(log: EmbeddedLog) -> None:
    fill(log, "posts", 10)
    with log.writer.transaction("limit") as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(Transient, match=r"disk is full.*free space"):
        fill(log, "posts", 100, bytes(5_000))
    with log.writer.transaction("limit") as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert sum(high - low for low, high in log.bounds("posts").values()) == 10
    fill(log, "posts", 100, bytes(5_000))


def test_a_file_that_is_no_log_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"not a database at all" * 1_000)
    with pytest.raises(LogUnusable, match="not a SQLite file"):
        EmbeddedLog(path, clock)


def test_a_damaged_file_is_refused(log: EmbeddedLog, clock: ManualClock) -> None:
    fill(log, "posts", 500, bytes(1_000))
    log.close()
    damaged = bytearray(log.path.read_bytes())
    damaged[8_192:] = b"\xff" * (len(damaged) - 8_192)
    log.path.write_bytes(damaged)
    with pytest.raises(LogUnusable, match="clamor restore"):
        EmbeddedLog(log.path, clock)


def test_a_file_of_another_format_is_refused(log: EmbeddedLog, clock: ManualClock) -> None:
    with log.writer.transaction("age") as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'format'")
    with pytest.raises(LogUnusable, match="format 0"):
        EmbeddedLog(log.path, clock)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(LogUnusable, match="nowhere"):
        EmbeddedLog(tmp_path / "nowhere" / "log.db", clock)


def test_network_file_systems_are_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path}/a\\040share nfs4 rw 0 0\n")
    assert file_system(tmp_path / "a share" / "data", mounts) == "nfs4"
    with pytest.raises(LogUnusable, match=r"network file system.*--home"):
        refuse_network(tmp_path / "a share", mounts)
    refuse_network(tmp_path / "a share too", mounts)
    refuse_network(tmp_path, tmp_path / "missing")


def test_partitions_of_a_topic_cannot_change(log: EmbeddedLog) -> None:
    with pytest.raises(ValueError, match="2 partitions and the settings ask for 3"):
        log.ensure([TopicSpec("posts", 3, HOUR)])


def test_a_dead_letter_may_wrap_the_largest_record(log: EmbeddedLog) -> None:
    log.ensure([TopicSpec(DEAD_LETTER, 1, HOUR)])
    log.append([Append(DEAD_LETTER, "k", bytes(1_400_000))])


# --- time, threads, members ---------------------------------------------------------------------------------------


def test_times_do_not_run_back_with_a_clock_that_is_set_right(log: EmbeddedLog, clock: ManualClock) -> None:
    fill(log, "big", 1)
    clock.advance(-10 * SECOND)
    fill(log, "big", 1)
    assert [r.time - START for r in log.read("big", 0, 0, 9)] == [0, 0]
    clock.advance(-HOUR)
    fill(log, "big", 1)
    assert log.read("big", 0, 3, 9)[0].time == START - HOUR - 10 * SECOND


def test_a_key_belongs_to_the_same_partition_in_every_release(log: EmbeddedLog) -> None:
    log.ensure([TopicSpec("eight", 8, HOUR)])
    places = log.append([Append("eight", key, b"") for key in ("bluesky:1", "x:42", "reddit:t3_ñ", "")])
    assert [partition for partition, _ in places] == [4, 6, 5, 0]


def test_threads_append_beside_one_another(log: EmbeddedLog) -> None:
    threads = [threading.Thread(target=fill, args=(log, "posts", 50)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [(r.partition, r.offset) for p in (0, 1) for r in log.read("posts", p, 0, 1_000)]
    assert len(kept) == len(set(kept)) == 400


def test_a_new_log_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    barrier, epochs = threading.Barrier(6), list[str]()

    def open_it() -> None:
        barrier.wait()
        log = EmbeddedLog(tmp_path / "new.db", ManualClock(START))
        log.ensure([TopicSpec("posts", 2, HOUR)])
        log.append([Append("posts", "k", b"")])
        epochs.append(log.epoch())
        log.close()

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(epochs) == 6
    assert len(set(epochs)) == 1


def test_a_member_that_is_silent_for_a_session_is_replaced(log: EmbeddedLog, clock: ManualClock) -> None:
    silent, heir = log.consumer("g", "posts"), log.consumer("g", "posts")
    silent.poll(1, 0)
    log.heart.remove(silent)
    for _ in range(3):
        silent.poll(1, 0)
        heir.poll(1, 0)
    assert (len(silent.assignment()), len(heir.assignment())) == (1, 1)
    clock.advance(3 * SECOND + 1)
    heir.poll(1, 0)
    assert heir.assignment() == {0, 1}
    fill(log, "posts", 10)
    with pytest.raises(OffsetConflict):
        silent.commit([Commit("posts", next(iter(silent.assignment())), 0, 1)])
    silent.poll(1, 0)
    assert len(silent.assignment()) <= 1


def test_one_thread_can_act_a_crash(log: EmbeddedLog, clock: ManualClock) -> None:
    other = EmbeddedLog(log.path, clock, log.settings)
    crashing, heir = other.consumer("g", "posts"), log.consumer("g", "posts")
    fill(log, "posts", 10)
    assert len(crashing.poll(20, 0)) == 10
    other.abandon()
    assert heir.poll(20, 0) == []
    clock.advance(3 * SECOND + 1)
    assert len(heir.poll(20, 0)) == 10


members = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


@given(st.integers(1, 16), members, st.lists(st.sampled_from("abcdefghxyz"), max_size=16))
def test_shares_are_fair_exclusive_and_sticky(partitions: int, living: list[str], owned: list[str]) -> None:
    before = dict(enumerate(owned[:partitions]))
    owners = dict(before)
    for _ in range(3):
        for me in living:
            release, claim = share(partitions, owners, living, me)
            for partition in release:
                assert owners.pop(partition) == me
            for partition in claim:
                assert owners.get(partition) not in living
                owners[partition] = me
    held = Counter(owners[p] for p in range(partitions))
    assert set(held) <= set(living)
    sizes = [held[member] for member in living]
    assert max(sizes) - min(sizes) <= 1
    quota = -(-partitions // len(living))
    kept = sum(owners[p] == owner for p, owner in before.items() if owner in living)
    assert kept >= sum(min(quota - 1, n) for owner, n in Counter(before.values()).items() if owner in living)
    assert all(share(partitions, owners, living, me) == (frozenset(), frozenset()) for me in living)
