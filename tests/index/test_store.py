"""The embedded store keeps the contract, and promises what only it can."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest

from index import counting
from index.embedded import QueryTooSlow
from stream.clock import HOUR
from stream.ports import EVERYTHING
from tests.index.embedded_place import EmbeddedPlace
from tests.index.made import asked, ids, mention, opened, put
from tests.index.store_contract import StoreContract


class TestEmbeddedStore(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> EmbeddedPlace:
        return EmbeddedPlace(tmp_path)


def test_a_search_that_takes_too_long_is_stopped_with_advice(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db", time_limit=0.0001) as store:
        put(store, *[mention(n, "flight") for n in range(3_000)])
        with pytest.raises(QueryTooSlow, match="shorter time"):
            store.search(asked("likes:>1 OR -flight"), EVERYTHING, order="risk")
        assert isinstance(QueryTooSlow(), TimeoutError)


def test_above_twenty_thousand_numbers_are_estimated_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "EXACT_BELOW", 500)
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight", queue="pr" if n % 4 else "sales") for n in range(4_000)])
        query = asked("flight")
        assert store.count(query, EVERYTHING).value == 4_000
        estimate = store.count(query, EVERYTHING, exact=False)
        assert estimate.estimated
        assert abs(estimate.value - 4_000) < 1_000
        (queues,) = store.facets(query, EVERYTHING, ["queue"])
        assert queues.estimated
        assert [value for value, _ in queues.values] == ["pr", "sales"]
        histogram = store.histogram(query, EVERYTHING, HOUR)
        assert histogram.estimated
        assert store.facets(query, EVERYTHING, ["queue"], exact=True)[0].values == (("pr", 3_000), ("sales", 1_000))
        exact = store.histogram(query, EVERYTHING, HOUR, exact=True)
        assert not exact.estimated
        assert sum(bucket.count for bucket in exact.buckets) == 4_000
        assert not store.count(asked("flight queue:sales risk:100"), EVERYTHING, exact=False).estimated
        assert store.histogram(asked("brand:acme"), EVERYTHING, HOUR).estimated is False


def test_threads_and_processes_search_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store:
        put(store, *[mention(n, "flight") for n in range(100)])
        wrong: list[object] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                found = store.count(asked("flight"), EVERYTHING).value
                if found % 100:
                    wrong.append(found)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(1) as pool:
            other = pool.apply_async(counted, (path,))
            for batch in range(1, 8):
                put(store, *[mention(n, "flight") for n in range(100 * batch, 100 * batch + 100)])
            assert other.get(60) % 100 == 0
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert ids(store, "flight", limit=1_000)[0] == "x:799"


def counted(path: Path) -> int:
    with opened(path) as store:
        return store.count(asked("flight"), EVERYTHING).value


def test_values_that_few_share_are_counted_to_the_last_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "READ_BODIES", 5)
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight") for n in range(12)])
        some = store.facets(asked("flight"), EVERYTHING, ["id"], size=50)[0]
        every = store.facets(asked("flight"), EVERYTHING, ["id"], size=50, exact=True)[0]
        assert (len(some.values), some.estimated) == (5, True)
        assert (len(every.values), every.estimated) == (12, False)
