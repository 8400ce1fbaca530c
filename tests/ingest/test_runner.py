"""Whatever the network does, the runner loses nothing that it gives, knows what it did not give, and moves the cursor
only behind what is durable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from typing import Any, Literal

import pytest
from sqlalchemy import Engine

from config.brands import Brand
from database.tenure import LENGTH, LOOK_EVERY, Tenure
from ingest.backfill import Backfill
from ingest.collector import (
    Collector,
    CursorLost,
    Delivery,
    Denied,
    Draft,
    Exhausted,
    Found,
    Interrupted,
    Malformed,
    Source,
    Span,
    Unfillable,
)
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.gaps import SPEND_CAP, Gaps
from ingest.intake import Intake
from ingest.patience import Backoff, insist
from ingest.runner import Runner
from ingest.sweep_plan import Step
from query.prefilter import compile_prefilter
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import Append, Transient
from stream.records import Author, Coverage

ACME = Brand(id="acme", name="Acme", accounts=("x:AcmeHelp",))
START = 1_795_000_000_000
MINUTE = 60_000


class Network:
    """The truth: what was published, by time; what a connection of it gives is scripted."""

    def __init__(
        self, clock: ManualClock, script: Sequence[Callable[[str | None], Iterator[Delivery]]], **more: Any
    ) -> None:
        self.source = Source(id="feed", network="x", **more.pop("source", {}))
        self.style: Literal["stream", "poll"] = more.pop("style", "stream")
        self.resumes = more.pop("resumes", False)
        self.history: Callable[[Span], Iterator[Delivery]] | None = more.pop("history", None)
        self.interval = 1
        self.clock, self.script = clock, iter(script)
        self.cursors_seen: list[str | None] = []
        self.filled: list[Span] = []
        self.closed = False

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        self.cursors_seen.append(cursor)
        step = next(self.script, None)
        if step is None:
            raise Exhausted
        yield from step(cursor)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        self.filled.append(span)
        if self.history is None:
            raise Unfillable("no search in this plan")
        yield from self.history(span)

    def close(self) -> None:
        self.closed = True


def drafts(*ids: int, at: int | None = None) -> list[Draft]:
    return [Draft(native_id=str(n), text=f"post {n}", claimed_at=at) for n in ids]


@pytest.fixture
def run(log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock) -> Callable[..., Runner]:
    clock.at = START

    def run(collector: Collector, **more: Any) -> Runner:
        runner = Runner(
            collector, more.pop("log", log), cursors, ledger, clock, backoff=Backoff(first=1, most=2), **more
        )
        runner.run()
        return runner

    return run


def ids(held: Any) -> list[str]:
    return [post.id.removeprefix("x:") for post in held.posts()]


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
    assert ids(held) == ["1", "2", "2", "3"]
    assert (runner.appended, runner.dead, network.closed) == (4, 1, True)
    assert cursors.get("feed") == "3"
    assert held.dead()[0].key == "event 4"
    (row,) = ledger.rows()
    assert (row.state, row.received, row.missed, row.refused, row.asked) == ("partial", 3, 1, 1, 3)
    assert (row.since, row.until) == (START, START + 2 * MINUTE)


def test_a_cut_is_a_gap_until_the_network_fills_it(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger
) -> None:
    noticed: list[str] = []

    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1, at=clock.now()))
        clock.advance(5 * MINUTE)
        raise Interrupted("HTTP 503")

    def down(_: str | None) -> Iterator[Delivery]:
        noticed.extend(f"{gap.state} {gap.reason} {(gap.until - gap.since) // MINUTE}" for gap in ledger.gaps())
        clock.advance(MINUTE)
        raise Interrupted("HTTP 503")
        yield

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(4, at=clock.now()))
        raise Exhausted

    def history(span: Span) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(2, 3, at=span.since + MINUTE))

    network = Network(clock, [before, down, after], history=history)
    run(network)
    assert noticed == ["gap HTTP 503 5"]
    assert sorted(ids(held)) == ["1", "2", "3", "4"]
    assert {post.id[2:]: post.origin for post in held.posts()} == {
        "1": "live",
        "2": "gapfill",
        "3": "gapfill",
        "4": "live",
    }
    assert network.filled == [Span(START + MINUTE, START + 7 * MINUTE)]
    assert [row.state for row in ledger.rows()] == ["complete", "backfilled", "complete"]
    assert ledger.figure(START, clock.now()).complete


def test_a_filling_that_a_stop_ends_leaves_the_gap_open(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    stop, begun = Event(), Event()

    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        raise Interrupted("HTTP 503")

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        assert begun.wait(10)
        while True:
            yield Delivery()

    def history(span: Span) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1))
        begun.set()
        stop.wait(10)

    Thread(target=lambda: begun.wait(10) and stop.set()).start()
    run(Network(clock, [before, after], history=history), stop=stop)
    assert [gap.state for gap in ledger.gaps()] == ["gap"]


def test_a_gap_that_cannot_be_filled_is_said_to_be_lost(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        raise TimeoutError("some text of a post")

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        raise Exhausted

    run(Network(clock, [before, after]))
    (lost,) = ledger.gaps()
    assert (lost.state, lost.missed) == ("lost", None)
    assert "unexpected TimeoutError" in lost.reason
    assert "no search in this plan" in lost.reason
    assert "some text" not in lost.reason


def test_a_hole_that_was_being_closed_when_the_process_died_is_closed_by_the_next(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger, cursors: Cursors
) -> None:
    def caught_up(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(2), cursor="2")
        raise Exhausted

    cursors.put("feed", "", "1", START)
    ledger.record(
        Coverage(source_id="feed", since=START, until=START + MINUTE, state="gap", reason="killed", recorded_at=0),
        f"gap:{START}",
    )
    clock.advance(3 * MINUTE)
    run(Network(clock, [caught_up], resumes=True))
    assert ledger.gaps() == []
    assert ledger.figure(START, clock.now()).complete


def test_a_network_that_rewinds_closes_its_gap_itself(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger
) -> None:
    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1, at=clock.now()), cursor="1")
        clock.advance(3 * MINUTE)
        raise Interrupted("reset")

    def after(cursor: str | None) -> Iterator[Delivery]:
        assert cursor == "1"
        yield Delivery(drafts=drafts(2, at=START + MINUTE), cursor="2")
        assert [gap.state for gap in ledger.gaps()] == ["gap"]
        yield Delivery(drafts=drafts(3, at=clock.now()), cursor="3")
        assert ledger.gaps() == []
        raise Exhausted

    network = Network(clock, [before, after], resumes=True)
    run(network)
    assert [(post.id[2:], post.origin) for post in held.posts()] == [("1", "live"), ("2", "gapfill"), ("3", "live")]
    assert network.filled == []


def test_a_lost_cursor_makes_the_hole_a_gap_to_be_filled(
    run: Callable[..., Runner], clock: ManualClock, held: Any
) -> None:
    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1), cursor="1")
        clock.advance(MINUTE)
        raise CursorLost("older than 24 h")

    def second(cursor: str | None) -> Iterator[Delivery]:
        assert cursor is None
        yield Delivery()
        raise Exhausted

    network = Network(clock, [first, second], resumes=True, history=lambda span: iter([Delivery(drafts=drafts(2))]))
    run(network)
    assert network.filled == [Span(START, START + MINUTE)]
    assert sorted(ids(held)) == ["1", "2"]


def test_the_time_it_was_not_running_is_a_gap(run: Callable[..., Runner], clock: ManualClock, ledger: Ledger) -> None:
    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery()
        raise Exhausted

    run(Network(clock, [stream]))
    clock.advance(10 * MINUTE)
    run(Network(clock, [stream]))
    assert [(row.state, (row.until - row.since) // MINUTE) for row in ledger.rows()] == [
        ("complete", 1),
        ("lost", 10),
        ("complete", 1),
    ]
    assert "not running" in ledger.gaps()[0].reason


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
    assert ledger.rows()[0].received == 6


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
        yield Delivery()
        raise Exhausted

    monkeypatch.setattr("ingest.runner.DISK_WAIT", 1)
    run(Network(clock, [stream, again]), hold=lambda: next(answers, None))
    assert ids(held) == ["1"]
    (lost,) = ledger.gaps()
    assert "disk" in lost.reason
    assert (lost.since, lost.until) == (START + MINUTE, START + 2 * MINUTE)


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
    _until_trouble(runner, stop)
    assert len(network.cursors_seen) == 2
    assert "budget" in runner.trouble


def _until_trouble(runner: Runner, stop: Event) -> None:
    thread = Thread(target=runner.run)
    thread.start()
    while not runner.trouble:
        stop.wait(0.01)
    stop.set()
    thread.join()


def test_who_is_denied_says_that_a_person_has_to_act(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    stop = Event()

    def denied(_: str | None) -> Iterator[Delivery]:
        raise Denied("401, the token has expired: make a new one")
        yield

    runner = Runner(Network(clock, [denied]), log, cursors, ledger, clock, stop=stop)
    _until_trouble(runner, stop)
    assert "a person has to act: 401, the token has expired" in runner.trouble


def test_waits_double_up_to_their_most() -> None:
    backoff = Backoff(first=100, most=1_000, seed=1)
    waits = [backoff.next() for _ in range(8)]
    assert all(wait <= 1_000 for wait in waits)
    assert all(wait >= 500 for wait in waits[4:])
    backoff.reset()
    assert backoff.next() <= 100


def test_insisting_ends_when_told_to_stop() -> None:
    from ingest.patience import Stopped

    stop = Event()
    stop.set()

    def action() -> None:
        raise Transient("locked")

    with pytest.raises(Stopped):
        insist(action, stop)


# --- one of several processes ---------------------------------------------------------------------------------------


def test_a_source_is_run_by_one_process_and_taken_over_where_it_stood(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, engine: Engine, held: Any
) -> None:
    clock.at = START
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
    clock.at = START
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


def test_a_firehose_that_is_replayed_has_caught_up_when_it_says_so(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery(cursor="1")
        clock.advance(MINUTE)
        raise Interrupted("cut")

    holes: list[int] = []

    def replay(_: str | None) -> Iterator[Delivery]:
        yield Delivery(reached=START)
        holes.append(len(ledger.gaps()))
        yield Delivery(filtered=1_000, reached=START + MINUTE // 2)
        holes.append(len(ledger.gaps()))
        clock.advance(MINUTE)
        yield Delivery(filtered=1_000, reached=START + MINUTE)
        holes.append(len(ledger.gaps()))
        raise Exhausted

    runner = run(Network(clock, [first, replay], style="stream", resumes=True))
    assert holes == [1, 1, 0]
    assert runner.filtered == 2_000
    assert sum(row.received for row in ledger.rows()) == 2_000


def test_killed_before_its_first_row_it_knows_that_it_had_begun(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START

    def killed(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        yield Delivery(drafts=drafts(1))
        raise KeyboardInterrupt

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        raise Exhausted

    network = Network(clock, [killed, after], history=lambda span: iter(()))
    first = Runner(network, log, cursors, ledger, clock)
    first.windows.close_all = lambda now: None  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        first.run()
    assert ledger.rows() == []
    clock.advance(MINUTE)
    Runner(network, log, cursors, ledger, clock).run()
    assert network.filled == [Span(START, START + MINUTE)]


def test_a_ledger_that_does_not_answer_at_a_cut_is_waited_for(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, held: Any
) -> None:
    clock.at = START

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


def test_a_span_asked_for_by_hand_hides_no_time_in_which_nobody_listened(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1))
        raise Exhausted

    def again(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        raise Exhausted

    network = Network(clock, [stream, again], history=lambda span: iter(()))
    Runner(network, log, cursors, ledger, clock).run()
    clock.advance(9 * MINUTE)
    by_hand = Backfill(network, Intake(log, network.source), cursors, ledger, clock, query="acme", name="by hand")
    by_hand.run(by_hand.begun(Span(START - MINUTE, clock.now())), Event(), lambda far, why: None)
    network.filled.clear()
    clock.advance(MINUTE)
    Runner(network, log, cursors, ledger, clock).run()
    assert network.filled == [Span(START + MINUTE, START + 11 * MINUTE)]


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


def test_a_hole_that_always_fails_and_a_brand_without_budget_keep_no_other_hole_open(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START + 100 * MINUTE

    def history(span: Span) -> Iterator[Delivery]:
        if span.since == START + MINUTE:
            raise ValueError("a page that nobody understands")
        return iter(())

    for n, query in enumerate(("poor", "rich", "rich", "rich")):
        since = START + n * MINUTE
        ledger.record(Coverage(source_id="feed", query=query, since=since, until=since + 1, state="gap", missed=None))
    network = Network(clock, [], history=history)
    gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock)

    def go_on(query: str) -> None:
        if query == "poor":
            raise Interrupted("spend cap: the budget of this period is used up")

    faults: list[str] = []
    for _ in range(3):
        with pytest.raises((ValueError, Interrupted)) as failed:
            gaps.fill_all(Event(), go_on, lambda delivery, query: None, before=clock.now(), besides=None)
        faults.append(failed.typename)
    assert faults == ["ValueError", "ValueError", "ValueError"]
    assert [row.since for row in ledger.gaps(fillable=True)] == [START, START + MINUTE]


def test_a_filling_whose_cursor_is_lost_begins_anew(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START + 100 * MINUTE
    ledger.record(Coverage(source_id="feed", query="", since=START, until=START + MINUTE, state="gap", missed=None))
    seen: list[str | None] = []

    class Forgetful(Network):
        def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
            seen.append(cursor)
            if cursor is not None:
                raise CursorLost("page 2 has expired")
            yield Delivery(drafts=drafts(1))

    network = Forgetful(clock, [])
    cursors.put("feed", f"fill::{START}-{START + MINUTE}", "page 2", 0)
    gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock)
    with pytest.raises(CursorLost):
        gaps.fill_all(Event(), lambda query: None, lambda delivery, query: None, before=clock.now(), besides=None)
    gaps.fill_all(Event(), lambda query: None, lambda delivery, query: None, before=clock.now(), besides=None)
    assert seen == ["page 2", None]
    assert ledger.gaps() == []


def test_a_filling_that_was_killed_goes_on_with_what_its_first_part_brought_and_missed(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START + 100 * MINUTE
    ledger.record(Coverage(source_id="feed", query="", since=START, until=START + MINUTE, state="gap", missed=None))
    seen: list[str | None] = []

    class Paged(Network):
        def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
            seen.append(cursor)
            if cursor is None:
                yield Delivery(drafts=drafts(1, 2), missed=7, reason="page cap", cursor="page 2", asked=3)
                raise SystemExit
            yield Delivery(drafts=drafts(3))

    network = Paged(clock, [])
    for ends in (True, False):
        gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock)
        with pytest.raises(SystemExit) if ends else nullcontext():
            gaps.fill_all(Event(), lambda query: None, lambda delivery, query: None, before=clock.now(), besides=None)
    assert seen == [None, "page 2"]
    (row,) = ledger.rows()
    assert (row.state, row.asked, row.received, row.missed, row.reason) == ("partial", 4, 3, 7, "page cap")


@pytest.mark.parametrize("how", ["all is there", "some is missing", "there is no history", "it is not wanted"])
def test_what_a_cap_left_out_is_asked_for_once_when_its_budget_has_room(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, how: str
) -> None:
    clock.at = START + 100 * MINUTE
    for since in (START, START + 5 * MINUTE, START + 50 * MINUTE):
        row = Coverage(
            source_id="feed", query="acme", since=since, until=since + 5 * MINUTE, state="partial", missed=None,
            reason="spend cap",
        )  # fmt: skip
        ledger.record(row)
    seen: list[Span] = []

    class Billed(Network):
        def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
            seen.append(span)
            if how == "there is no history":
                raise Unfillable("it is too old")
            missed = None if how == "some is missing" else 0
            yield Delivery(
                query=query, drafts=drafts(len(seen)), missed=missed, reason="page cap" if missed is None else ""
            )

    network, room = Billed(clock, []), [False]
    gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock, after_cap=how != "it is not wanted")

    def go_on(query: str) -> None:
        if not room[0]:
            raise Interrupted(f"{SPEND_CAP}: the budget of this period is used up")

    def fill() -> None:
        gaps.fill_all(Event(), go_on, lambda delivery, query: None, before=clock.now(), besides=None)

    if how == "it is not wanted":
        fill()
        assert seen == []
        return
    with pytest.raises(Interrupted):
        fill()
    assert len(ledger.gaps()) == 3
    room[0] = True
    seen.clear()
    fill()
    fill()
    assert seen == [Span(START, START + 10 * MINUTE), Span(START + 50 * MINUTE, START + 55 * MINUTE)]
    states = [row.state for row in ledger.rows()]
    assert states == (["backfilled"] if how == "all is there" else ["partial"]) * 2
