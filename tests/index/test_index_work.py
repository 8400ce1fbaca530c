"""The index stage: records in, offsets with them, what cannot be read refused at once, latency measured."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from index.embedded import EmbeddedStore
from index.work import IndexWork
from stream.clock import HOUR, MINUTE, ManualClock
from stream.ports import DECIDED, EVERYTHING, Commit, LogRecord, OffsetOutside, Refused, Work
from stream.records import Decided, UnknownMajor, encode
from tests.index.made import NOW, asked, gone, ids, mention, opened, put


def record(offset: int, value: bytes) -> LogRecord:
    return LogRecord(DECIDED, 0, offset, f"key{offset}", value, NOW)


def good(offset: int) -> LogRecord:
    return record(offset, encode(Decided(mention=mention(offset, "flight"))))


def test_a_batch_and_its_offsets_are_one(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "index.db")
    work: Work = IndexWork(store, "log")
    with closing(work):
        assert work.run([good(0), good(1)], [Commit(DECIDED, 0, 0, 2)], NOW) == ()
        work.idle(NOW)
        assert work.offsets(frozenset({0}), "log") == {0: 2}
        assert ids(store, "flight") == ["x:1", "x:0"]
        with pytest.raises(OffsetOutside):
            work.offsets(frozenset({0}), "a new log")


def test_all_that_cannot_be_read_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "index.db")
    with closing(IndexWork(store, "log")) as work:
        bad = [record(1, b"{"), record(3, b'{"mention": 7}'), record(4, b"\xff\xfe")]
        with pytest.raises(Refused) as refused:
            work.run([good(0), bad[0], good(2), *bad[1:]], [Commit(DECIDED, 0, 0, 5)], NOW)
        assert [each[0] for each in refused.value.records] == bad
        assert work.offsets(frozenset({0}), "log") == {}
        assert ids(store, "") == []


def test_a_schema_from_the_future_pauses_the_stage(tmp_path: Path) -> None:
    with closing(IndexWork(EmbeddedStore(tmp_path / "index.db"), "log")) as work, pytest.raises(UnknownMajor):
        work.run([record(0, b'{"v": 99, "mention": {"id": "x"}}')], [], NOW)


def test_latency_is_from_arrival_until_searchable_and_bounded(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with closing(EmbeddedStore(tmp_path / "index.db", clock)) as store, opened(tmp_path / "index.db") as status:
        assert store.latency(NOW).count == 0
        clock.at = NOW + 99_000 + 400
        put(store, *[mention(n, "flight", appended_at=NOW + 99_000) for n in range(99)])
        put(store, mention(99, "flight", appended_at=NOW + 99_000 - 60_000))
        store.idle(clock.at)
        found = status.latency(clock.at)
        assert found.count == 100
        assert found.p50 is not None
        assert found.p99 is not None
        assert 400 <= found.p50 <= 400 * 1.2
        assert 400 <= found.p99 <= 400 * 1.2
        put(store, mention(1, "flight again", revision=2), gone(2))
        store.idle(clock.at)
        assert status.latency(clock.at).count == 100
        clock.at += 25 * HOUR
        put(store, mention(200, "flight", appended_at=clock.at - 10))
        store.idle(clock.at)
        assert status.latency(clock.at, 48 * HOUR).count == 1
        assert status.latency(clock.at + 2 * MINUTE, MINUTE).count == 0
        assert store.count(asked("flight"), EVERYTHING).value == 100
