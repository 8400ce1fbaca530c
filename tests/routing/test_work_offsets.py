"""Offsets live beside the effects: advanced by compare-and-set, in the same transaction, bound to one log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from route_home import NOW, FixedRegistry, RouteHome, as_log, reading, said

from database.engine import write
from routing.work import RouteWork
from stream.ports import Commit, LogRecord, OffsetConflict, OffsetOutside, Refused, Transient
from stream.records import UnknownMajor, encode
from tests.places import only_sqlite


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def test_an_offset_that_somebody_else_moved_rolls_the_batch_back(home: RouteHome) -> None:
    home.take(said("1", reading()))
    with pytest.raises(OffsetConflict, match="mentions/0"):
        home.work.run(as_log([said("2", reading())]), [Commit("mentions", 0, 0, 1)], NOW)
    assert set(home.mentions()) == {"x:1#acme"}
    assert home.work.offsets(frozenset({0, 1}), "log-1") == {0: 1}


def test_a_partition_that_was_never_read_has_no_offset_and_begins_at_nothing_done(home: RouteHome) -> None:
    assert home.work.offsets(frozenset({0, 1}), "log-1") == {}
    home.work.run(as_log([said("1", reading())], 40), [Commit("mentions", 1, 0, 41)], NOW)
    assert home.work.offsets(frozenset({0, 1}), "log-1") == {1: 41}


def test_an_offset_that_somebody_removed_is_not_made_again_by_who_still_believes_in_it(home: RouteHome) -> None:
    """Semantics 4: a missing row is compared as 0, so that a reset of the offsets holds against a stage at work."""
    home.take(said("1", reading()))
    with write(home.engine) as connection:
        connection.exec_driver_sql("DELETE FROM stored_offset")
    with pytest.raises(OffsetConflict, match="mentions/0"):
        home.take(said("2", reading()))
    assert set(home.mentions()) == {"x:1#acme"}


def test_offsets_of_another_log_stop_the_stage(home: RouteHome) -> None:
    home.take(said("1", reading()))
    with pytest.raises(OffsetOutside, match=r"log-1, this log is log-2"):
        home.work.offsets(frozenset({0}), "log-2")


def test_a_malformed_record_is_refused_before_any_effect(home: RouteHome) -> None:
    good, bad = as_log([said("1", reading())])[0], LogRecord("mentions", 0, 1, "x:2", b'{"post": 7}', NOW)
    with pytest.raises(Refused) as refused:
        home.work.run([good, bad], [Commit("mentions", 0, 0, 2)], NOW)
    assert [record.offset for record, _, _ in refused.value.records] == [1]
    assert home.mentions() == {}
    home.work.run([good], [Commit("mentions", 0, 0, 2)], NOW)
    assert set(home.mentions()) == {"x:1#acme"}


def test_a_record_of_an_unknown_major_version_pauses_the_stage(home: RouteHome) -> None:
    raw = encode(said("1", reading()))
    value = raw.replace(b'"v":1', b'"v":2', 1)
    with pytest.raises(UnknownMajor):
        home.work.run([LogRecord("mentions", 0, 0, "x:1", value, NOW)], [], NOW)


@only_sqlite
def test_a_locked_database_is_a_fault_that_passes(home: RouteHome) -> None:
    other = sqlite3.connect(home.path, isolation_level=None)
    impatient = home.engine.raw_connection()
    impatient.cursor().execute("PRAGMA busy_timeout = 1")
    impatient.close()
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Transient, match="locked by another process"):
            home.take(said("1", reading()))
    finally:
        other.execute("ROLLBACK")
        other.close()
    home.take(said("1", reading()))
    assert set(home.mentions()) == {"x:1#acme"}


def test_new_rules_are_adopted_between_batches_and_broken_ones_are_not(home: RouteHome) -> None:
    registry = home.registry
    home.take(said("1", reading(intent="suggestion")))
    rules = "rules:\n  - {name: ideas, when: 'intent:suggestion', queue: sales}\n"
    registry.in_force = registry.in_force._replace(rules_yaml=rules, rules_revision=7)
    home.work.idle(NOW)
    home.take(said("2", reading(intent="suggestion")))
    decision = home.mention("x:2#acme").decision
    assert decision is not None
    assert (decision.queue, decision.rules_revision) == ("sales", 7)
    registry.in_force = registry.in_force._replace(rules_yaml="rules: 5", rules_revision=8)
    home.work.idle(NOW)
    home.take(said("3", reading(intent="suggestion")))
    third = home.mention("x:3#acme").decision
    assert third is not None
    assert third.rules_revision == 7


def test_two_processes_take_turns_and_number_nothing_twice(home: RouteHome) -> None:
    other = RouteWork(home.engine, FixedRegistry())
    other.offsets(frozenset({1}), "log-1")
    for n in range(20):
        home.take(said(f"a{n}", reading()))
        other.run(as_log([said(f"b{n}", reading("brisa"))], n), [Commit("mentions", 1, n, n + 1)], NOW)
    assert len(home.mentions()) == 40
    assert home.sql("SELECT count(DISTINCT n), count(*) FROM post") == [(40, 40)]
