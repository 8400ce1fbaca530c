"""A source is run by one process at a time, and the next one goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from typing import Any

from sqlalchemy import Engine

from database.tenure import LENGTH, LOOK_EVERY, Tenure
from ingest.collector import Delivery, Exhausted
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.runner import Runner
from stream.clock import MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import Transient
from tests.ingest.scripted import Network, drafts, ids


def test_a_source_is_run_by_one_process_and_taken_over_where_it_stood(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, engine: Engine, held: Any
) -> None:
    stop, heard = Event(), Event()

    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1, 2), cursor="2")
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(3), cursor="3")
        heard.set()
        stop.wait(10)
        raise Exhausted

    def second(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(4), cursor="4")
        raise Exhausted

    networks, over = [Network(clock, [first]), Network(clock, [second])], Event()
    runners = [
        Runner(
            network, log, cursors, ledger, clock, stop=over,
            tenure=Tenure(engine, "source:feed", clock, f"process {number}"),
        )
        for number, network in enumerate(networks)
    ]  # fmt: skip
    threads = [Thread(target=runner.run) for runner in runners]
    threads[0].start()
    assert heard.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    assert networks[1].cursors_seen == [], "the other one runs it"
    stop.set()
    threads[0].join(20)
    clock.advance(LOOK_EVERY)
    threads[1].join(20)
    over.set()
    assert networks[1].cursors_seen == ["3"]
    assert ids(held) == ["1", "2", "3", "4"]
    assert cursors.get("feed") == "4"


def test_who_was_overtaken_moves_no_cursor_and_comes_back_to_where_it_stands(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, engine: Engine
) -> None:
    other = Tenure(engine, "source:feed", clock, "another machine")

    def slow(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1), cursor="1")
        assert not other.hold()
        clock.advance(LENGTH)
        assert other.hold()
        cursors.put("feed", "", "7", clock.now(), other.guard)
        clock.advance(MINUTE)
        other.leave()
        yield Delivery(drafts=drafts(2), cursor="2")

    def again(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(8), cursor="8")
        raise Exhausted

    network = Network(clock, [slow, again])
    mine = Tenure(engine, "source:feed", clock, "this machine")
    Runner(network, log, cursors, ledger, clock, tenure=mine).run()
    assert network.cursors_seen == [None, "7"]
    assert cursors.get("feed") == "8"


def test_a_ledger_that_does_not_answer_at_the_end_leaves_no_thread_and_no_lease_behind(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    def broken(now: int) -> None:
        raise Transient("the server is gone")

    network = Network(clock, [])
    tenure = Tenure(cursors.engine, "source:feed", clock)
    runner = Runner(network, log, cursors, ledger, clock, tenure=tenure)
    runner.windows.close_all = broken  # type: ignore[method-assign]
    runner.run()
    assert network.closed
    assert tenure.fence is None
    assert not [thread for thread in enumerate_threads() if thread.name == "fill-feed"]
