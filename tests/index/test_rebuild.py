"""The index is a projection: it can be built anew beside the old one, and takes its place in one step."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.files import IndexUnusable
from stream.ports import EVERYTHING, Commit, OffsetConflict
from stream.records import Decided
from tests.index.made import NOW, asked, ids, mention, opened, put


def decided(word: str, numbers: range) -> Iterator[Decided]:
    return (Decided(mention=mention(n, word)) for n in numbers)


def test_searches_go_on_in_the_old_index_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store, opened(path) as other:
        put(store, *[mention(n, "old") for n in range(50)])
        first = other.search(asked(""), EVERYTHING, limit=10)
        seen: list[tuple[int, int]] = []

        def truth() -> Iterator[Decided]:
            for each in decided("new", range(3_000)):
                if each.mention.post_id.endswith("500"):
                    seen.append((len(ids(other, "old", limit=99)), len(ids(other, "new", limit=99))))
                yield each

        assert store.rebuild(truth(), "log", {("decided", 0): 7}) == 3_000
        assert seen == [(50, 0)] * 3
        for each in (store, other):
            assert ids(each, "old") == []
            assert each.count(asked("new"), EVERYTHING).value == 3_000
            assert each.offsets("decided", frozenset({0}), "log") == {0: 7}
        assert len(other.search(asked(""), EVERYTHING, limit=10, cursor=first.cursor).hits) == 10


def test_a_running_indexer_goes_on_from_the_rebuilt_offset(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as indexer, opened(path) as tool:
        indexer.apply(list(decided("flight", range(10))), [Commit("decided", 0, 0, 10)], "log", NOW)
        tool.rebuild(decided("flight", range(8)), "log", {("decided", 0): 8})
        with pytest.raises(OffsetConflict):
            indexer.apply(list(decided("flight", range(10, 12))), [Commit("decided", 0, 10, 12)], "log", NOW)
        at = indexer.offsets("decided", frozenset({0}), "log")[0]
        indexer.apply(list(decided("flight", range(at, 12))), [Commit("decided", 0, at, 12)], "log", NOW)
        assert tool.count(asked("flight"), EVERYTHING).value == 12


def test_the_folder_holds_one_index_after_any_number_of_rebuilds(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store:
        for round in range(4):
            store.rebuild(decided(f"round{round}", range(20)), "log")
            assert len(ids(store, f"round{round}")) == 20
            put(store, mention(100 + round, "fresh"))
            assert ids(store, "fresh") == [f"x:{100 + round}"]
    found = sorted(part.name for part in tmp_path.iterdir())
    assert len(found) == 2
    assert "index.db" in found


def test_a_rebuild_that_fails_leaves_the_old_index_and_no_rest(tmp_path: Path) -> None:
    def breaks() -> Iterator[Decided]:
        yield from decided("new", range(5))
        raise ConnectionError("SQL went away")

    path = tmp_path / "index.db"
    with opened(path) as store:
        put(store, mention(1, "old"))
        with pytest.raises(ConnectionError):
            store.rebuild(breaks(), "log")
        assert ids(store, "old") == ["x:1"]
    assert [part.name for part in tmp_path.iterdir()] == ["index.db"]


def test_one_rebuild_at_a_time_and_the_rest_of_a_dead_one_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store, opened(path) as other:
        put(store, mention(1, "old"))
        (tmp_path / "index-dead.db").write_bytes(b"half an index")
        (tmp_path / "index-dead.db-wal").write_bytes(b"half a log")
        (tmp_path / "index-notes.txt").write_bytes(b"somebody's")

        def truth() -> Iterator[Decided]:
            with pytest.raises(IndexUnusable, match="rebuilt by another"):
                other.rebuild(decided("second", range(3)), "log")
            yield from decided("first", range(3))

        store.rebuild(truth(), "log")
        assert len(ids(other, "first")) == 3
    assert len([part for part in tmp_path.iterdir() if part.name.startswith("index-")]) == 2
    assert (tmp_path / "index-notes.txt").exists()


def test_threads_search_through_a_swap(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store:
        put(store, *[mention(n, "flight") for n in range(20)])
        wrong: list[object] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                try:
                    if len(ids(store, "flight")) != 20:
                        wrong.append("hits")
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(6):
            store.rebuild(decided("flight", range(20)), "log")
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
