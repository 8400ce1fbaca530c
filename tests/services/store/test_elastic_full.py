"""A disk of the cluster is full: nothing is lost, nothing becomes a dead letter, and it goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index.work import IndexWork
from stream.clock import DAY, WallClock
from stream.embedded import EmbeddedLog
from stream.ports import ALERTS, DEAD_LETTER, DECIDED, EVERYTHING, Append, Commit, TopicSpec, Transient
from stream.records import Decided, encode
from stream.stage import Stage, StageOptions
from tests.index.made import NOW, asked, ids, mention
from tests.index.store_contract import put

if TYPE_CHECKING:
    from index.elastic import ElasticStore
    from tests.services.elastic_node import Node as Server
    from tests.services.elastic_place import ElasticPlace

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

BLOCK = "index.blocks.read_only_allow_delete"
"""What a cluster sets on every index of a node whose disk is past the last watermark."""
WATERMARKS = "cluster.routing.allocation.disk"
FULL = {
    f"{WATERMARKS}.threshold_enabled": True,
    f"{WATERMARKS}.watermark.low": "902tb",
    f"{WATERMARKS}.watermark.high": "901tb",
    f"{WATERMARKS}.watermark.flood_stage": "900tb",
    "cluster.info.update.interval": "10s",
}
"""No disk has so much free."""
ROOM = {
    f"{WATERMARKS}.watermark.low": "3mb",
    f"{WATERMARKS}.watermark.high": "2mb",
    f"{WATERMARKS}.watermark.flood_stage": "1mb",
}
SOON = 120.0


def block(store: ElasticStore, value: bool | None) -> None:
    store._client.indices.put_settings(index=f"{store.cluster.prefix}-*", settings={BLOCK: value})


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline, f"not within {SOON:g} s"
        time.sleep(0.5)


def test_read_only_indices_are_waited_for(place: ElasticPlace) -> None:
    with closing(place.open()) as store:
        put(place, store, mention(1, "flight"))
        store.apply([], [Commit("decided", 0, 0, 1)], "log", NOW)
        block(store, True)
        for _ in range(2):
            with pytest.raises(Transient, match="a disk of the cluster is full"):
                store.apply([Decided(mention=mention(2, "flight"))], [Commit("decided", 0, 1, 2)], "log", NOW)
        with pytest.raises(Transient, match="a disk of the cluster is full"):
            store.apply([], [Commit("decided", 0, 1, 2)], "log", NOW)
        assert store.offsets("decided", frozenset({0}), "log") == {0: 1}
        assert ids(store, "flight") == ["x:1"]
        with closing(place.open()) as other:
            assert ids(other, "flight") == ["x:1"], "a process that begins now can search as well"
        block(store, None)
        store.apply([Decided(mention=mention(2, "flight"))], [Commit("decided", 0, 1, 2)], "log", NOW)
        place.settle(store)
        assert ids(store, "flight") == ["x:2", "x:1"]


def test_the_stage_retries_buries_nothing_and_goes_on(place: ElasticPlace, tmp_path: Path) -> None:
    clock = WallClock()
    with closing(EmbeddedLog(tmp_path / "log.db", clock)) as log, closing(place.open(clock)) as tool:
        log.ensure([TopicSpec(topic, 1, DAY) for topic in (DECIDED, DEAD_LETTER, ALERTS)])
        put(place, tool, mention(0, "flight"))
        options = StageOptions(poll=10, pace=0, retry_first=1, retry_longest=20)
        stage = Stage(log, IndexWork(place.open(clock), log.epoch()), clock, options=options)
        block(tool, True)
        log.append([Append(DECIDED, f"x:{n}#acme", encode(Decided(mention=mention(n, "flight")))) for n in range(40)])

        def retried(times: int) -> Callable[[], bool]:
            def holds() -> bool:
                stage.step()
                return stage.status().retries >= times

            return holds

        def done() -> bool:
            stage.step()
            return stage.status().records == 40

        until(retried(3))
        assert stage.status().state == "retrying"
        assert "a disk of the cluster is full" in stage.status().error
        block(tool, None)
        until(done)
        status = stage.status()
        stage.close()
        assert status.dead_letters == 0
        assert log.read(DEAD_LETTER, 0, 0, 10) == []
        place.settle(tool)
        assert tool.count(asked("flight"), EVERYTHING).value == 40


def test_a_disk_past_its_watermark_is_waited_for_until_there_is_room(mortal: Server) -> None:
    """By the cluster itself, which blocks the indices, and lifts that when there is room."""
    from tests.services.elastic_place import ElasticPlace

    place = ElasticPlace(mortal.address)
    with closing(place.open()) as store:
        put(place, store, mention(1, "flight"))
        store.apply([], [Commit("decided", 0, 0, 1)], "log", NOW)
        said: list[str] = []

        def refused() -> bool:
            try:
                store.apply([Decided(mention=mention(2, "flight"))], (), "log", NOW)
            except Transient as full:
                said.append(str(full))
            return bool(said)

        store._client.cluster.put_settings(persistent=FULL)
        until(refused)
        assert "a disk of the cluster is full" in said[0]
        with pytest.raises(Transient):
            store.apply([Decided(mention=mention(3, "flight"))], [Commit("decided", 0, 1, 2)], "log", NOW)
        assert store.offsets("decided", frozenset({0}), "log") == {0: 1}
        assert "x:1" in ids(store, "flight")

        def taken() -> bool:
            try:
                store.apply([Decided(mention=mention(3, "flight"))], [Commit("decided", 0, 1, 2)], "log", NOW)
            except Transient:
                return False
            return True

        store._client.cluster.put_settings(persistent=ROOM)
        until(taken)
        place.settle(store)
        assert {"x:1", "x:3"} <= set(ids(store, "flight"))
