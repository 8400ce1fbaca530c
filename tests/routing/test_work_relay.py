"""What leaves SQL: everything at least once, the present truth only, by one relay at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from route_home import NOW, RouteHome, passed, reading, said

from database.engine import read
from database.leases import Lease, standing
from database.tenure import LENGTH, Tenure
from routing.relay import Relay
from stream.clock import HOUR, ManualClock, WallClock
from stream.ports import Append, Transient
from stream.records import Alert, Decided, Escalation, decode


class Sink:
    """The one method of a log that the relay asks for; `fails` counts how often it refuses."""

    def __init__(self) -> None:
        self.records: list[Append] = []
        self.fails = 0

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        if self.fails:
            self.fails -= 1
            raise Transient("the log is busy")
        self.records += records
        return [(0, 0)] * len(records)

    def decided(self) -> list[Decided]:
        return [decode(Decided, record.value) for record in self.records if record.topic == "decided"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def relay(home: RouteHome, sink: Sink, owner: str = "one", clock: ManualClock | None = None, **options: int) -> Relay:
    return Relay(home.engine, sink, clock or ManualClock(NOW), owner, **options)  # type: ignore[arg-type]


def test_every_revision_reaches_decided_under_its_mention_s_key(home: RouteHome) -> None:
    sink = Sink()
    sender = relay(home, sink, epoch=3)
    home.take(said("1", reading(), reading("brisa")))
    assert sender.step() > 0
    home.take(passed("1", "deleted", NOW + 1))
    sender.step()
    sender.close()
    assert [(d.mention.id, d.mention.revision, d.mention.state, d.epoch) for d in sink.decided()] == [
        ("x:1#acme", 1, "live", 3), ("x:1#brisa", 1, "live", 3),
        ("x:1#acme", 2, "deleted", 3), ("x:1#brisa", 2, "deleted", 3),
    ]  # fmt: skip
    assert {record.key for record in sink.records if record.topic == "decided"} == {"x:1#acme", "x:1#brisa"}
    assert sink.decided()[-1].mention == home.mention("x:1#brisa"), "what is sent is what SQL holds"
    assert sender.pending() == 0


def test_a_text_that_was_deleted_before_it_was_sent_is_never_sent(home: RouteHome) -> None:
    sink = Sink()
    home.take(said("1", reading(intent="complaint", detractor=3), text="gone in a moment"))
    home.take(passed("1", "deleted", NOW + 1))
    relay(home, sink).step()
    assert all(b"gone in a moment" not in record.value for record in sink.records)
    assert [d.mention.state for d in sink.decided()] == ["deleted"]


def test_moves_of_cases_go_to_the_topic_of_their_queue(home: RouteHome) -> None:
    sink = Sink()
    home.take(said("1", reading(), author="ann"), said("2", reading(intent="purchase_interest")))
    sender = relay(home, sink)
    sender.step()
    home.take(said("3", reading(intent="public_issue"), author="ann", reply_to="x:1"))
    sender.step()
    moves = [(r.topic, decode(Escalation, r.value)) for r in sink.records if r.topic != "decided"]
    assert [(topic, move.change, move.queue, move.mention.id) for topic, move in moves] == [
        ("escalations.support", "opened", "support", "x:1#acme"),
        ("escalations.sales", "opened", "sales", "x:2#acme"),
        ("escalations.pr", "raised", "pr", "x:3#acme"),
        ("escalations.pr", "grew", "pr", "x:3#acme"),
    ]


def test_an_alert_to_people_goes_to_alerts_by_reference_once_and_without_text(home: RouteHome) -> None:
    sink = Sink()
    sender = relay(home, sink)
    home.take(said("1", reading(intent="complaint", detractor=3), text="words that stay here"), said("2", reading()))
    sender.step()
    home.take(said("1", reading(intent="complaint", detractor=3), text="words that stay here"))
    sender.step()
    (sent,) = [record for record in sink.records if record.topic == "alerts"]
    ((id, case_id, why),) = home.sql("SELECT id, case_id, why FROM alert")
    assert decode(Alert, sent.value) == Alert(
        id=id, kind="mention", brand="acme", queue="pr", case_id=case_id, mention_id="x:1#acme",
        risk=home.mention("x:1#acme").decision.risk, why=why, at=NOW,  # type: ignore[union-attr]
    )  # fmt: skip
    assert sent.key == str(id)
    assert b"words that stay here" not in sent.value
    assert sender.pending() == 0


def test_what_was_found_late_says_so_and_what_wakes_nobody_goes_nowhere(home: RouteHome) -> None:
    sink = Sink()
    severe = reading(intent="complaint", detractor=3)
    home.take(
        said("1", severe, at=NOW - 3_600_000, origin="gapfill"),
        said("2", severe, at=NOW - 3_600_000, origin="backfill"),
    )
    relay(home, sink).step()
    (alert,) = [decode(Alert, record.value) for record in sink.records if record.topic == "alerts"]
    assert (alert.mention_id, alert.found_late) == ("x:1#acme", True)


def test_a_log_that_refuses_loses_nothing(home: RouteHome) -> None:
    sink = Sink()
    sink.fails = 1
    sender = relay(home, sink)
    home.take(said("1", reading()))
    with pytest.raises(Transient):
        sender.step()
    assert sender.pending() == 2
    assert sender.step() == 2


def test_only_one_relay_works_and_another_takes_over_when_its_lease_ends(home: RouteHome) -> None:
    sink, clock = Sink(), ManualClock(NOW)
    one, two = relay(home, sink, "one", clock), relay(home, sink, "two", clock)
    home.take(said("1", reading()))
    assert one.step() == 2
    home.take(said("2", reading()))
    assert two.step() == 0
    clock.advance(LENGTH)
    assert two.step() == 2
    assert one.step() == 0


def test_a_relay_whose_log_lets_it_wait_keeps_its_lease(home: RouteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what it holds in hand would come behind what another one sent meanwhile: a text behind its tombstone."""
    monkeypatch.setattr("routing.relay.Tenure", partial(Tenure, length=600))

    class Slow(Sink):
        def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
            for _ in range(2):
                before = stands()
                assert any(stands() != before or time.sleep(0.01) for _ in range(1_000)), "it is not renewed"
            return super().append(records)

    def stands() -> Lease | None:
        with read(home.engine) as connection:
            return standing(connection, "relay")

    sink = Slow()
    home.take(said("1", reading()))
    assert Relay(home.engine, sink, WallClock(), "one").step() == len(sink.records) > 0  # type: ignore[arg-type]


def test_a_relay_whose_process_was_killed_is_followed_at_once(home: RouteHome) -> None:
    said_by_the_dead = [sys.executable, "-c", "from database.tenure import this_process; print(this_process())"]
    dead = subprocess.run(said_by_the_dead, capture_output=True, text=True, check=True).stdout.strip()
    sink = Sink()
    home.take(said("1", reading()))
    assert relay(home, sink, dead).step() == 2
    home.take(said("2", reading()))
    assert relay(home, sink, "two").step() == 2, "no time has passed"


def test_a_clock_that_is_set_back_keeps_no_relay_waiting(home: RouteHome) -> None:
    sink, clock = Sink(), ManualClock(NOW)
    home.take(said("1", reading()))
    assert relay(home, sink, "gone, on another machine", clock).step() == 2
    clock.set(-HOUR)
    home.take(said("2", reading()))
    two = relay(home, sink, "two", clock)
    assert two.step() == 0
    clock.advance(LENGTH)
    assert two.step() == 2, "it has waited as long as ever"


def test_a_relay_that_was_overtaken_deletes_nothing(home: RouteHome) -> None:
    clock = ManualClock(NOW)

    class Slow(Sink):
        def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
            other.step()
            clock.advance(LENGTH)
            home.take(said("2", reading()))
            other.step()
            home.take(said("3", reading()))
            return super().append(records)

    sink = Sink()
    other = relay(home, sink, "two", clock)
    home.take(said("1", reading()))
    slow = Slow()
    relay(home, slow, "one", clock).step()
    assert {d.mention.id for d in sink.decided()} == {"x:1#acme", "x:2#acme"}
    assert other.pending() == 2, "what came after the other took over waits for it"


def test_many_rows_go_in_batches_in_their_order(home: RouteHome) -> None:
    sink = Sink()
    home.take(*[said(str(n), reading(intent="praise")) for n in range(25)])
    sender = relay(home, sink, batch=10)
    assert [sender.step() for _ in range(4)] == [10, 10, 5, 0]
    assert [d.mention.post_id for d in sink.decided()] == [f"x:{n}" for n in range(25)]
