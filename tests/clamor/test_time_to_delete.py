"""Promise 5: a deleted post is deleted everywhere, and the time that took is reported."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from living import NOW, Living, gone, post, settled_home
from prometheus_client.parser import text_string_to_metric_families

from clamor.deletes import IndexedDeletes, RoutedDeletes
from clamor.metrics import metrics
from clamor.status import status
from index.embedded import EmbeddedStore
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Author


def took(living: Living, where: str, span: str = "hour") -> tuple[int, Any, Any]:
    living.opened.store.idle(living.clock.now())
    living.stages[1].step(0)
    found = status(living.opened)["erasure"]["unreachable"][where][span]
    return found["count"], found["p50"], found["p99"]


def within(value: int, wanted: int) -> bool:
    return wanted <= value <= wanted * 1.2


def test_the_time_runs_from_our_learning_of_it_to_each_place(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(*(post(n) for n in range(4)))
        assert took(living, "sql") == took(living, "index") == (0, None, None)
        nlp, routing, index = living.stages
        living.take(*(gone(n) for n in range(3)))
        living.clock.advance(2 * SECOND)
        assert nlp.step(0) == 3
        while not routing.step(0):
            pass
        living.clock.advance(3 * SECOND)
        living.relay.step()
        while not index.step(0):
            pass
        count, p50, p99 = took(living, "sql")
        assert (count, within(p50, 2_000), within(p99, 2_000)) == (3, True, True)
        count, p50, p99 = took(living, "index")
        assert (count, within(p50, 5_000), within(p99, 5_000)) == (3, True, True)


def test_it_is_counted_once_and_only_where_there_was_a_text(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1, author=Author(id="ann")), post(2, author=Author(id="ann")), post(3), post(4))
        living.live(gone(3), gone(3), gone(99), gone(50))
        living.live(post(50), gone(3))
        assert took(living, "sql")[0] == took(living, "index")[0] == 1
        living.live(post(3, kind="restored", at=NOW + MINUTE))
        assert "x:3#acme" in living.found()
        living.live(gone(3, NOW + HOUR))
        assert took(living, "sql")[0] == 2
        living.live(gone(4, kind="expired"))
        assert took(living, "index")[0] == 2
        away = gone(77, kind="author_gone")
        living.live(type(away)(**{**{f: getattr(away, f) for f in away.__struct_fields__}, "author": Author(id="ann")}))
        assert took(living, "sql")[0] == took(living, "index")[0] == 4


def test_a_delete_that_overtakes_is_reported_when_it_is_done_and_not_again(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1), post(2))
        living.take(*(post(n) for n in range(10, 20)), gone(1))
        RoutedDeletes(living.opened, lambda: True).step()
        living.relay.step()
        IndexedDeletes(living.opened, lambda: True).step()
        assert took(living, "sql")[1] == took(living, "index")[1] == 1
        living.clock.advance(HOUR)
        living.drain()
        assert took(living, "sql", "day")[0] == took(living, "index", "day")[0] == 1


def test_the_last_hour_and_the_last_day_and_nothing_older(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(*(post(n) for n in range(3)))
        living.live(gone(0))
        took(living, "sql")
        living.clock.advance(2 * HOUR)
        living.live(gone(1))
        assert [took(living, where, span)[0] for where in ("sql", "index") for span in ("hour", "day")] == [1, 2, 1, 2]
        living.clock.advance(2 * DAY)
        living.live(gone(2))
        assert took(living, "sql", "day")[0] == took(living, "index", "day")[0] == 1
        assert living.sql("SELECT count(*) FROM delete_latency") == [(1,)]


def test_metrics_tell_it_and_what_waits_to_be_gone(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1))
        living.live(gone(1))
        took(living, "index")
        living.clock.advance(5 * MINUTE)
        found = {
            (sample.name, sample.labels.get("where"), sample.labels.get("quantile")): sample.value
            for family in text_string_to_metric_families(metrics(living.opened).decode())
            for sample in family.samples
        }
        assert found["clamor_delete_unreachable_seconds", "sql", "0.99"] < 1
        assert found["clamor_delete_unreachable_seconds", "index", "0.5"] < 1
        assert found["clamor_erasures_waiting", None, None] == 1
        assert found["clamor_erasure_oldest_seconds", None, None] == 300


def test_an_index_written_before_this_was_measured_is_read_and_goes_on(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1))
        path = living.home.index_db
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE hidden")
    with closing(EmbeddedStore(path)) as store:
        assert store.hidden(NOW).count == 0
    with Living(living.home) as again:
        again.live(gone(1))
        assert took(again, "index")[0] == 1
