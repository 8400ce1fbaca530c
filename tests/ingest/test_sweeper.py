"""Every post that we hold is looked up again in time, and what became of it is told: once, and only what is certain."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from database.engine import many, read, rows, write
from database.tenure import LeaseLost
from ingest.beside import Beside
from ingest.collector import Interrupted, Source
from ingest.coverage import SWEEP, Ledger
from ingest.cursors import Cursors
from ingest.intake import stamped
from ingest.patience import Backoff
from ingest.runner import Runner
from ingest.sweep import APART
from ingest.sweep_list import SweepList, go_on, standings
from ingest.sweep_plan import Due, Step, due, due_when_gone, worth_a_request
from ingest.sweeper import PROBE, Sweeper
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.merge import content_hash
from stream.ports import Append
from stream.records import Coverage, Mention, Post, encode
from tests.board import BoardCollector, draft
from tests.ingest.collecting import running, until
from tests.standins.board import Board
from tests.standins.server import Fault

SOURCE = Source(id="board", network="board", max_lateness=15 * MINUTE)
SCHEDULE = (Step(DAY, 12 * HOUR), Step(7 * DAY, 2 * DAY), Step(400 * DAY, 90 * DAY))


class World:
    """A board, a sweeper of it, and what routing would hold."""

    def __init__(self, board: Board, log: EmbeddedLog, engine: Engine, ledger: Ledger, clock: ManualClock) -> None:
        self.board, self.log, self.engine, self.ledger, self.clock = board, log, engine, ledger, clock
        self.collector = BoardCollector(SOURCE, board.url)
        self.n = 0

    def sweeper(self, **more: Any) -> Sweeper:
        schedule = more.pop("schedule", SCHEDULE)
        beside = Beside(SOURCE.id, self.engine, self.ledger, self.clock, **{"backoff": Backoff(1, 5), **more})
        return Sweeper(self.collector, SOURCE, schedule, self.log, beside)

    def publish(self, text: str = "Acme again", at: int | None = None) -> str:
        """On the board, and held here as routing holds a mention."""
        now = self.clock.now()
        native = self.board.publish(text, now if at is None else at)
        self.hold(stamped(draft(self.board.posts[native]), SOURCE, now, "live").post, native)
        return native

    def hold(self, post: Post, native: str) -> None:
        self.n = int(native)
        mention = Mention(
            id=f"{post.id}#acme", revision=1, post=post, post_id=post.id, brand="acme", network="board",
            event_time=post.event_time, source_id="board", content_hash=content_hash(post),
        )  # fmt: skip
        with write(self.engine) as connection:
            many(connection, "DELETE FROM mention WHERE post = ?", [(self.n,)])
            many(
                connection,
                "INSERT INTO post (n, id, conversation, state, seen_at, event_time, generation, tier, parts, "
                "arrived_at) VALUES (?, ?, ?, 'live', ?, ?, 1, 0, ?, ?) ON CONFLICT DO NOTHING",
                [(self.n, post.id, self.n, self.clock.now(), post.claimed_at, b"[]", self.clock.now())],
            )
            many(
                connection,
                "INSERT INTO mention (n, post, brand, revision, state, queue, risk, event_time, indexed_month, body) "
                "VALUES (?, ?, 1, 1, 'live', 'none', 0, ?, 202611, ?)",
                [(self.n, self.n, post.event_time, encode(mention))],
            )
            many(
                connection,
                "INSERT INTO swept_post (source_id, post) VALUES ('board', ?) ON CONFLICT DO NOTHING",
                [(self.n,)],
            )

    def take_away(self, *natives: str) -> None:
        """As routing does once the delete has come through."""
        with write(self.engine) as connection:
            sql = "UPDATE mention SET state = 'deleted' WHERE post = ?"
            many(connection, sql, [(int(native),) for native in natives])

    def settle(self, sweeper: Sweeper, most: int = 50) -> None:
        for _ in range(most):
            if sweeper.step():
                return

    def listed(self) -> dict[str, tuple[Any, ...]]:
        with read(self.engine) as connection:
            found = rows(connection, "SELECT post, absent_since, gone_at, due_at, limit_at FROM swept_post")
        return {str(row[0]): tuple(row[1:]) for row in found}

    def later(self, sweeper: Sweeper, span: int) -> None:
        self.clock.advance(span)
        self.settle(sweeper)


@pytest.fixture
def world(log: EmbeddedLog, engine: Engine, ledger: Ledger, clock: ManualClock) -> Iterator[World]:
    with Board() as board:
        made = World(board, log, engine, ledger, clock)
        yield made
        made.collector.close()


def told(held: Any) -> list[tuple[str, str, str]]:
    return [(post.id.partition(":")[2], post.kind, post.origin) for post in held.posts()]


# --- what is told --------------------------------------------------------------------------------------------------


def test_a_post_that_the_network_names_as_deleted_is_deleted_at_once(world: World, held: Any) -> None:
    kept, lost = world.publish(), world.publish()
    sweeper = world.sweeper()
    world.settle(sweeper)
    world.board.delete(lost, loudly=True)
    world.later(sweeper, 12 * HOUR)
    assert told(held) == [(lost, "deleted", "live")]
    assert held.posts()[0].text == ""
    assert world.listed()[lost][1] == world.clock.now()
    assert world.listed()[kept][1] is None


def test_a_post_that_is_only_absent_is_deleted_at_the_second_look(world: World, held: Any) -> None:
    for _ in range(3):
        world.publish()
    sweeper = world.sweeper()
    world.board.delete("2")
    world.later(sweeper, 12 * HOUR)
    assert told(held) == []
    world.later(sweeper, APART - 1)
    assert told(held) == []
    world.later(sweeper, 6 * MINUTE)
    assert told(held) == [("2", "deleted", "live")]


def test_nothing_is_told_of_a_post_that_is_as_it_was(world: World, held: Any) -> None:
    world.publish()
    sweeper = world.sweeper()
    for _ in range(5):
        world.later(sweeper, 12 * HOUR)
    assert told(held) == []
    assert world.board.asked("/posts") >= 2


def test_an_edit_is_told_once_and_wakes_nobody_when_it_may_be_old(world: World, held: Any) -> None:
    world.publish()
    sweeper = world.sweeper()
    world.board.edit("1", "Acme, and I want my money back")
    world.later(sweeper, 12 * HOUR)
    assert told(held) == [("1", "edited", "gapfill")]
    edited = held.posts()[0]
    assert (edited.text, edited.seen_at) == ("Acme, and I want my money back", world.clock.now())
    world.hold(edited, "1")
    world.later(sweeper, 12 * HOUR)
    assert len(told(held)) == 1


def test_an_edit_of_within_the_last_minutes_is_live_and_one_of_days_is_history(world: World, held: Any) -> None:
    world.publish()
    often = world.sweeper(schedule=(Step(DAY, 10 * MINUTE),))
    world.board.edit("1", "Acme one")
    world.later(often, 10 * MINUTE)
    world.publish(at=world.clock.now() - 2 * DAY)
    rarely = world.sweeper()
    world.board.edit("2", "Acme two")
    world.later(rarely, 2 * DAY)
    assert [one for one in told(held) if one[1] == "edited"][:1] == [("1", "edited", "live")]
    assert ("2", "edited", "backfill") in told(held)


def test_a_greater_reach_is_told_without_the_text(world: World, held: Any) -> None:
    world.publish()
    sweeper = world.sweeper()
    world.board.posts["1"]["likes"] = 900
    world.later(sweeper, 12 * HOUR)
    post = held.posts()[0]
    assert (post.kind, post.text, post.metrics.likes, post.origin) == ("metrics", "", 900, "live")


def test_a_post_that_is_seen_again_after_its_delete_is_restored(world: World, held: Any) -> None:
    world.publish()
    world.publish()
    sweeper = world.sweeper()
    was = world.board.delete("1", loudly=True)
    world.later(sweeper, 12 * HOUR)
    world.take_away("1")
    world.board.put_back(was)
    world.later(sweeper, DAY + 13 * HOUR)
    found = [post for post in held.posts() if post.id == "board:1"]
    assert [(post.kind, post.origin) for post in found] == [("deleted", "live"), ("restored", "backfill")]
    assert found[1].text == "Acme again"
    assert found[1].seen_at > found[0].seen_at


def test_a_post_that_is_not_known_by_its_id_any_more_is_looked_after_no_more(world: World) -> None:
    world.publish()
    world.publish()
    sweeper = world.sweeper()
    world.board.delete("1", loudly=True)
    world.later(sweeper, 12 * HOUR)
    with write(world.engine) as connection:
        many(connection, "DELETE FROM mention WHERE post = ?", [(1,)])
        many(connection, "DELETE FROM post WHERE n = ?", [(1,)])
    world.later(sweeper, DAY + 13 * HOUR)
    assert set(world.listed()) == {"2"}


def test_a_deleted_post_is_looked_for_twice_more_and_then_forgotten(world: World, held: Any) -> None:
    world.publish()
    world.publish()
    sweeper = world.sweeper()
    world.board.delete("1", loudly=True)
    world.later(sweeper, 12 * HOUR)
    world.take_away("1")
    for _ in range(20):
        world.later(sweeper, DAY)
    assert "1" not in world.listed()
    assert told(held) == [("1", "deleted", "live")]


def test_what_was_deleted_in_another_way_is_looked_after_no_more(world: World, held: Any) -> None:
    world.publish()
    sweeper = world.sweeper()
    world.take_away("1")
    world.later(sweeper, 12 * HOUR)
    assert (world.listed(), told(held), world.board.asked("/posts")) == ({}, [], 0)


def test_a_post_of_which_nothing_is_known_any_more_leaves_the_list(world: World) -> None:
    world.publish()
    with write(world.engine) as connection:
        many(connection, "DELETE FROM post WHERE n = ?", [(1,)])
    world.settle(world.sweeper())
    assert world.listed() == {}


def test_posts_older_than_the_last_step_are_not_looked_up(world: World) -> None:
    world.publish(at=world.clock.now() - 500 * DAY)
    world.settle(world.sweeper())
    assert world.listed() == {}


# --- what is not certain -------------------------------------------------------------------------------------------


def test_a_network_that_finds_nothing_deletes_nothing(world: World, held: Any) -> None:
    for _ in range(30):
        world.publish()
    sweeper = world.sweeper()
    world.board.blind = True
    for _ in range(4):
        world.later(sweeper, 12 * HOUR)
    assert told(held) == []
    assert "control post" in sweeper.trouble
    world.board.blind = False
    world.later(sweeper, HOUR)
    assert (sweeper.trouble, told(held)) == ("", [])


def test_many_gone_at_once_pause_the_sweep_until_a_person_has_looked(world: World, held: Any) -> None:
    for _ in range(40):
        world.publish()
    sweeper = world.sweeper()
    for n in range(1, 11):
        world.board.delete(str(n), loudly=True)
    world.later(sweeper, 12 * HOUR)
    assert told(held) == []
    standing = standings(world.engine)["board"]
    assert standing.paused_at == world.clock.now()
    assert "10 of 40" in standing.why
    asked = world.board.asked("/posts")
    world.later(sweeper, 10 * MINUTE)
    assert world.board.asked("/posts") == asked
    for _ in range(3):
        world.later(sweeper, PROBE)
    assert told(held) == []
    assert go_on(world.engine, "board", world.clock.now())
    assert not go_on(world.engine, "board", world.clock.now())
    world.later(sweeper, HOUR)
    assert sorted(told(held)) == sorted((str(n), "deleted", "live") for n in range(1, 11))
    assert standings(world.engine)["board"].paused_at is None


def test_a_paused_sweep_goes_on_by_itself_when_the_posts_are_there_again(world: World, held: Any) -> None:
    for _ in range(40):
        world.publish()
    sweeper = world.sweeper()
    was = [world.board.delete(str(n)) for n in range(1, 11)]
    world.later(sweeper, 12 * HOUR)
    assert standings(world.engine)["board"].paused_at
    for one in was:
        world.board.put_back(one)
    world.later(sweeper, PROBE)
    assert standings(world.engine)["board"].paused_at is None
    assert all(absent is None for absent, *_ in world.listed().values())
    assert told(held) == []


def test_the_only_post_is_judged_by_what_the_source_has_just_brought(world: World, held: Any) -> None:
    world.publish()
    sweeper = world.sweeper()
    world.board.delete("1")
    world.later(sweeper, 12 * HOUR)
    world.later(sweeper, HOUR)
    assert told(held) == []
    native = world.board.publish("about nobody", world.clock.now())
    sweeper.seen([draft(world.board.posts[native])], native)
    world.later(sweeper, HOUR)
    world.later(sweeper, HOUR)
    assert told(held) == [("1", "deleted", "live")]


# --- when the network, the log or the lease fails ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [Fault("status", status=429, headers={"Retry-After": "7"}), Fault("half"), Fault("garbage"), Fault("cut")]
)
def test_a_fault_deletes_nothing_and_is_tried_again(world: World, held: Any, fault: Fault) -> None:
    world.publish()
    world.board.publish("another", world.clock.now())
    sweeper = world.sweeper()
    world.clock.advance(12 * HOUR)
    world.board.misbehave(fault)
    with pytest.raises(Interrupted):
        world.settle(sweeper)
    assert told(held) == []
    world.board.edit("1", "Acme once more")
    world.settle(sweeper)
    assert [kind for _, kind, _ in told(held)] == ["edited"]


def test_a_refusal_waits_for_a_person_and_says_so(world: World) -> None:
    world.publish()
    sweeper = world.sweeper()
    world.clock.advance(12 * HOUR)
    world.board.misbehave(Fault("status", status=403, body=b"no"))
    assert sweeper.beside.once(sweeper.step, sweeper.failed) == 15 * MINUTE
    assert "403" in sweeper.trouble


def test_while_the_network_is_silent_it_is_told_how_many_posts_are_overdue(world: World) -> None:
    world.publish()
    sweeper = world.sweeper()
    world.settle(sweeper)
    world.clock.advance(13 * HOUR)
    world.board.misbehave(Fault("status", times=3))
    sweeper.beside.once(sweeper.step, sweeper.failed)
    standing = standings(world.engine)["board"]
    assert standing.overdue == 1
    assert "503" in standing.why


def test_a_later_request_that_fails_takes_nothing_from_the_earlier_ones(world: World, held: Any) -> None:
    for _ in range(40):
        world.publish()
    world.collector.most_looked_up = 20
    world.board.delete("1", loudly=True)
    world.clock.advance(12 * HOUR)
    calls = world.collector.look_up

    def once(native_ids: Any) -> Any:
        if world.board.asked("/posts") == 1:
            raise Interrupted("no answer")
        return calls(native_ids)

    world.collector.look_up = once  # type: ignore[method-assign]
    sweeper = world.sweeper()
    sweeper.step()
    assert told(held) == [("1", "deleted", "live")]


def test_a_look_that_the_log_did_not_take_is_made_again(
    world: World, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish()
    world.publish()
    world.board.delete("1", loudly=True)
    sweeper = world.sweeper()
    world.clock.advance(12 * HOUR)

    def killed(records: list[Append]) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(world.log, "append", killed)
        with pytest.raises(RuntimeError):
            world.settle(sweeper)
    world.settle(world.sweeper())
    assert told(held) == [("1", "deleted", "live")]


def test_a_process_that_lost_the_lease_remembers_nothing(world: World, held: Any) -> None:
    def lost(_: Any) -> None:
        raise LeaseLost("gone")

    world.publish()
    with pytest.raises(LeaseLost):
        world.sweeper(guard=lost).step()
    idle = world.sweeper(has_turn=lambda: False)
    world.clock.advance(12 * HOUR)
    idle.step()
    assert world.board.asked("/posts") == 0


def test_a_full_disk_keeps_no_delete_waiting_and_every_edit(world: World, held: Any) -> None:
    for _ in range(3):
        world.publish()
    reason: list[str | None] = ["disk"]
    sweeper = world.sweeper(hold=lambda: reason[0])
    world.board.delete("1", loudly=True)
    world.board.edit("2", "Acme changed")
    world.later(sweeper, 12 * HOUR)
    assert told(held) == [("1", "deleted", "live")]
    reason[0] = None
    world.later(sweeper, HOUR)
    assert told(held)[1:] == [("2", "edited", "gapfill")]


class Purse:
    def __init__(self, left: int) -> None:
        self.left = left

    def wait(self, source_id: str, now: int, brand: str | None = None) -> int:
        return 0 if self.left > 0 else -1

    def spent(self, source_id: str, cost: int, requests: int, now: int, brand: str = "") -> None:
        self.left -= cost

    def leave(self) -> None: ...


def test_looks_are_paid_from_the_sources_budget(world: World) -> None:
    for _ in range(60):
        world.publish()
    world.collector.most_looked_up = 20
    purse = Purse(40)
    sweeper = world.sweeper(budget=purse)
    world.later(sweeper, 12 * HOUR)
    assert (world.board.asked("/posts"), purse.left) == (2, 0)
    assert "budget" in sweeper.trouble
    purse.left = 1_000
    world.later(sweeper, MINUTE)
    assert purse.left == 980


# --- the ledger, and what people are told --------------------------------------------------------------------------


def test_the_ledger_counts_looks_and_no_figure_rests_on_them(world: World) -> None:
    started = world.clock.now()
    world.ledger.record(Coverage(source_id="board", query="acme", since=started, until=started + HOUR, state="complete",
                                 asked=1, received=7, missed=0, recorded_at=started))  # fmt: skip
    for _ in range(25):
        world.publish()
    sweeper = world.sweeper()
    world.later(sweeper, 12 * HOUR)
    sweeper._close_window()
    row = next(row for row in world.ledger.rows(["board"]) if row.query == SWEEP)
    assert (row.asked, row.received, row.missed, row.state) == (1, 25, 0, "complete")
    figure = world.ledger.figure(started, world.clock.now() + HOUR)
    assert (figure.share, figure.received, figure.gaps) == (1.0, 7, ())
    assert world.ledger.latest("board") == started + HOUR


def test_posts_that_were_not_looked_up_in_time_stand_in_the_ledger_and_in_the_standing(world: World) -> None:
    for _ in range(5):
        world.publish()
    sweeper = world.sweeper(budget=Purse(0))
    world.settle(sweeper)
    world.later(sweeper, 12 * HOUR + 1)
    sweeper._close_window()
    standing = standings(world.engine)["board"]
    assert (standing.held, standing.overdue, standing.oldest_limit) == (5, 5, world.clock.now() - 1)
    row = next(row for row in world.ledger.rows(["board"]) if row.query == SWEEP)
    assert (row.state, row.missed, row.reason) == ("partial", 5, "posts not looked up in time")


def test_another_schedule_plans_all_posts_anew(world: World) -> None:
    world.publish()
    world.settle(world.sweeper())
    before = world.listed()["1"][3]
    world.settle(world.sweeper(schedule=(Step(DAY, HOUR),)))
    assert world.listed()["1"][3] == before - 11 * HOUR


# --- beside the runner ---------------------------------------------------------------------------------------------


def test_the_runner_of_a_source_sweeps_it(world: World, held: Any, cursors: Cursors) -> None:
    world.publish()
    world.board.delete("1", loudly=True)
    world.publish()
    stop = Event()
    sweeps = (Step(DAY, 0),)
    runner = Runner(world.collector, world.log, cursors, world.ledger, world.clock, stop=stop, sweeps=sweeps)
    assert runner.sweeper is not None
    with running(runner) as at_work:
        until(lambda: at_work.sweeper is not None and at_work.sweeper.deleted)
    assert ("1", "deleted", "live") in told(held)


# --- the schedule --------------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.integers(HOUR, 100 * DAY), st.integers(HOUR, 30 * DAY)), min_size=1, max_size=4).map(
    lambda found: tuple(Step(*one) for one in sorted(dict(found).items()))
)


@given(steps, st.lists(st.integers(0, 20 * DAY), min_size=1, max_size=30), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_every_post_is_looked_up_within_its_limit_while_there_is_room(
    schedule: tuple[Step, ...], published: list[int], most: int
) -> None:
    """A request every five minutes, and room for all: no post waits beyond its limit, whatever the batches."""
    waits: dict[int, Due | None] = {n: due(schedule, at, at) for n, at in enumerate(published)}
    tick = 5 * MINUTE
    for now in range(min(published), max(published) + 5 * DAY, tick):
        open_ = sorted((when.at, n) for n, when in waits.items() if when is not None and when.at <= now)
        if not worth_a_request([waits[n] for _, n in open_ if waits[n]], most, now):  # type: ignore[misc]
            continue
        for _, n in open_:
            when = waits[n]
            assert when is not None
            assert now <= when.limit
            waits[n] = due(schedule, published[n], now)


@given(st.integers(0, 30 * DAY))
def test_a_deleted_post_is_looked_for_after_a_day_and_after_a_week(since: int) -> None:
    when = due_when_gone(1_000, 1_000 + since)
    wanted = DAY if since < DAY else 7 * DAY if since < 7 * DAY else None
    assert (None if when is None else when.at - 1_000) == wanted


def test_the_list_gives_the_longest_overdue_first(world: World) -> None:
    for hours in (5, 1, 9, 3):
        world.publish(at=world.clock.now() - hours * MINUTE)
    listed = SweepList(world.engine, "board")
    listed.plan(SCHEDULE)
    with write(world.engine) as connection:
        for n, at in ((1, 50), (2, 10), (3, 90), (4, 30)):
            many(connection, "UPDATE swept_post SET due_at = ? WHERE post = ?", [(at, n)])
    assert [one.post for one in listed.waiting(100, 2)] == [2, 4]
