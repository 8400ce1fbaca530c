"""What a network gives is appended, and the cursor moves only behind what is durable; who cannot go on says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any

import pytest

from config.brands import Brand
from ingest.collector import Delivery, Denied, Draft, Exhausted, Found, Interrupted, Malformed
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.patience import Backoff, Stopped, insist
from ingest.runner import LOST_MOST, Runner
from ingest.sweep_plan import Step
from query.prefilter import compile_prefilter
from stream.clock import DAY, MINUTE, SECOND, ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import Append, Transient
from stream.records import Author
from tests.ingest.collecting import running, until
from tests.ingest.conftest import NOW as START
from tests.ingest.scripted import Network, drafts, ids

ACME = Brand(id="acme", name="Acme", accounts=("x:AcmeHelp",))


def test_a_stream_is_appended_and_accounted_for(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger, cursors: Cursors
) -> None:
    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1, 2), cursor="2")
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(2, 3), malformed=[Malformed("event 4", "no id", b"{}")], cursor="3", missed=1)
        raise Exhausted

    network = Network(clock, [stream])
    runner = run(network)
    assert ids(held) == ["1", "2", "3"], "what comes again as it was is appended once, and received all the same"
    assert (runner.appended, runner.dead, network.closed) == (3, 1, True)
    assert cursors.get("feed") == "3"
    assert held.dead()[0].key == "event 4"
    (row,) = ledger.rows()
    assert (row.state, row.received, row.missed, row.refused, row.asked) == ("partial", 3, 1, 1, 3)
    assert (row.kept, row.filtered, row.duplicates, row.late) == (3, 0, 1, 0)
    assert (row.since, row.until) == (START, START + 2 * MINUTE)


def test_a_poll_pages_back_to_where_it_was(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger, cursors: Cursors
) -> None:
    def page(*numbers: int) -> Callable[[str | None], Iterator[Delivery]]:
        def collect(_: str | None) -> Iterator[Delivery]:
            clock.advance(MINUTE)
            yield Delivery(drafts=drafts(*numbers), cursor=str(numbers[-1]))

        return collect

    def broken(_: str | None) -> Iterator[Delivery]:
        clock.advance(MINUTE)
        raise Interrupted("time-out")
        yield

    network = Network(clock, [page(1, 2), broken, page(3), page(4, 5)], style="poll", resumes=True)
    run(network)
    assert ids(held) == ["1", "2", "3", "4", "5"]
    assert network.cursors_seen == [None, "2", "2", "3", "5"]
    assert cursors.get("feed") == "5"
    assert ledger.gaps() == []


def test_the_cursor_never_runs_ahead_of_the_log(
    run: Callable[..., Runner], clock: ManualClock, cursors: Cursors
) -> None:
    appended: list[str] = []
    failures = iter([True, True, False, False])

    class Stubborn:
        def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
            if next(failures):
                raise Transient("locked")
            appended.extend(record.key for record in records)
            return []

    def stream(_: str | None) -> Iterator[Delivery]:
        for n in (1, 2):
            clock.advance(MINUTE)
            yield Delivery(drafts=drafts(n), cursor=str(n))
            assert f"x:{n}" in appended
            assert cursors.get("feed") == str(n)
        raise Exhausted

    run(Network(clock, [stream]), log=Stubborn())
    assert appended == ["x:1", "x:2"]


def test_a_firehose_is_filtered_and_what_belongs_to_a_brand_is_not(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger
) -> None:
    some = [
        Draft(native_id="1", text="about Acme"), Draft(native_id="2", text="about the weather"),
        Draft(native_id="3", kind="deleted"), Draft(native_id="4", text="hi", brands=("acme",)),
        Draft(native_id="5", text="hello", title="ACME opens"),
        Draft(native_id="6", text="we are closed", author=Author(id="9", handle="AcmeHelp")),
    ]  # fmt: skip

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(1)
        yield Delivery(drafts=some)
        raise Exhausted

    runner = run(Network(clock, [stream], source={"firehose": True}), prefilter=compile_prefilter([ACME]))
    assert ids(held) == ["1", "3", "4", "5", "6"]
    assert runner.filtered == 1
    (row,) = ledger.rows()
    assert (row.received, row.kept, row.filtered, row.duplicates) == (6, 5, 1, 0)


def test_what_came_too_late_to_wake_anybody_is_counted(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    late = Draft(native_id="1", text="from yesterday", seen_at=START - DAY)

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(1)
        yield Delivery(drafts=[late, Draft(native_id="2", text="of now")])
        raise Exhausted

    run(Network(clock, [stream]))
    (row,) = ledger.rows()
    assert (row.received, row.kept, row.late) == (2, 2, 1)


def test_a_full_disk_pauses_with_a_gap_and_lag_only_waits(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, None, "lag", "lag", None, "disk"])

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1))
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(2))
        raise AssertionError("the disk was full")

    def again(_: str | None) -> Iterator[Delivery]:
        clock.advance(MINUTE)
        yield Delivery()
        raise Exhausted

    monkeypatch.setattr("ingest.runner.DISK_WAIT", 1)
    run(Network(clock, [stream, again]), hold=lambda: next(answers, None))
    assert ids(held) == ["1", "2"], "what had been fetched is taken"
    (lost,) = ledger.gaps()
    assert "disk" in lost.reason
    assert (lost.since, lost.until) == (START + 2 * MINUTE, START + 3 * MINUTE)


def test_what_was_fetched_before_the_budget_ended_is_taken_and_paid_for(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, held: Any
) -> None:
    paid: list[int] = []

    class Purse:
        reserved = 0

        def wait(self, source_id: str, now: int, brand: str | None = None) -> int:
            self.reserved += 1
            return 0 if self.reserved == 1 else -1

        def spent(self, source_id: str, cost: int, requests: int, now: int, brand: str = "") -> None:
            paid.append(cost)

        def leave(self) -> None: ...

    def poll(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1), cursor="1", cost=5)
        raise AssertionError("there was no room for another request")

    stop = Event()
    network = Network(clock, [poll, poll], style="poll", resumes=True)
    runner = Runner(network, log, cursors, ledger, clock, budget=Purse(), stop=stop, backoff=Backoff(first=1, most=2))
    with running(runner):
        until(lambda: runner.trouble)
    assert (ids(held), paid, cursors.get("feed")) == (["1"], [5], "1")
    assert "budget" in runner.trouble


def test_the_budget_of_a_source_stops_its_requests(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    class Purse:
        left, waits = 2, 3

        def wait(self, source_id: str, now: int, brand: str | None = None) -> int:
            self.waits -= 1
            return -1 if not self.left else 1 if self.waits >= 0 else 0

        def spent(self, source_id: str, cost: int, requests: int, now: int, brand: str = "") -> None:
            self.left -= requests

        def leave(self) -> None: ...

    def poll(_: str | None) -> Iterator[Delivery]:
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1), cursor="1")

    stop = Event()
    network = Network(clock, [poll, poll, poll], style="poll", resumes=True)
    runner = Runner(network, log, cursors, ledger, clock, budget=Purse(), stop=stop, backoff=Backoff(first=1, most=2))
    with running(runner):
        until(lambda: runner.trouble)
    assert len(network.cursors_seen) == 2
    assert "budget" in runner.trouble


def test_who_is_denied_says_that_a_person_has_to_act(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    stop = Event()

    def denied(_: str | None) -> Iterator[Delivery]:
        raise Denied("401, the token has expired: make a new one")
        yield

    runner = Runner(Network(clock, [denied]), log, cursors, ledger, clock, stop=stop)
    with running(runner):
        until(lambda: runner.trouble)
    assert "a person has to act: 401, the token has expired" in runner.trouble


def test_waits_double_up_to_their_most() -> None:
    backoff = Backoff(first=100, most=1_000, seed=1)
    waits = [backoff.next() for _ in range(8)]
    assert all(wait <= 1_000 for wait in waits)
    assert all(wait >= 500 for wait in waits[4:])
    backoff.reset()
    assert backoff.next() <= 100


def test_insisting_ends_when_told_to_stop() -> None:
    stop = Event()
    stop.set()

    def action() -> None:
        raise Transient("locked")

    with pytest.raises(Stopped):
        insist(action, stop)


def test_a_ledger_that_does_not_answer_at_a_cut_is_waited_for(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, held: Any
) -> None:
    def cut(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1), cursor="1")
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(2), cursor="2")
        raise Interrupted("cut")

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(3), cursor="3")
        raise Exhausted

    network = Network(clock, [cut, after], resumes=True)
    runner = Runner(network, log, cursors, ledger, clock, backoff=Backoff(first=1, most=2))
    close_all, faults = runner.windows.close_all, iter([Transient("the server restarts")])

    def closing(now: int) -> None:
        for fault in faults:
            raise fault
        close_all(now)

    runner.windows.close_all = closing  # type: ignore[method-assign]
    runner.run()
    assert ids(held) == ["1", "2", "3"]
    assert runner.ended
    assert network.closed


def test_a_word_that_was_looked_at_again_while_nothing_came_cuts_no_stream(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, held: Any
) -> None:
    known: set[str] = set()

    class Here:
        def posts(self, ids: Sequence[str]) -> set[str]:
            return known & set(ids)

        def authors(self, network: str, ids: Sequence[str]) -> set[str]:
            return set()

    class Swept(Network):
        most_looked_up = 10

        def look_up(self, native_ids: Sequence[str]) -> Found:
            return Found(existence={})

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=[Draft(native_id="7", kind="deleted")])
        known.add("x:7")
        clock.advance(11 * MINUTE)
        yield Delivery()
        raise Exhausted

    network = Swept(clock, [stream], source={"firehose": True}, resumes=True)
    stop = Event()
    runner = Runner(
        network, log, cursors, ledger, clock, held=Here(), prefilter=lambda _: False, stop=stop,
        sweeps=(Step(60 * MINUTE, MINUTE),),
    )  # fmt: skip
    runner.run()
    assert ids(held) == ["7"]
    assert runner.cuts == 0


def test_a_stream_that_is_cut_again_and_again_is_never_away_for_long(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    """It connects each time: waits that double without an end would miss more than the cuts do."""

    def cut(_: str | None) -> Iterator[Delivery]:
        clock.advance(SECOND)
        yield Delivery()
        raise Interrupted("the connection was reset")

    def down(_: str | None) -> Iterator[Delivery]:
        raise Interrupted("503")
        yield

    network = Network(clock, [*[cut] * 12, down, down, cut, down])
    runner = Runner(network, log, cursors, ledger, clock, backoff=Backoff(seed=1))
    waits: list[float] = []
    runner._rest = waits.append  # type: ignore[method-assign]
    runner.run()
    assert max(waits) <= LOST_MOST / SECOND
    assert waits[11] > 4, "it asks a network that cuts every connection ever more rarely"
    first, second = waits[12:14]
    assert first <= 1.0 < 2 * second, "what fails to connect begins with short waits, whatever was cut before"
    assert waits[15] <= 1.0, "and again once it had connected"
