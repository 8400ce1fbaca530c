"""What a reply answers is fetched once a person asked for it, within the budget, and each request gets an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from database.engine import many, read, rows, write
from ingest.beside import Beside
from ingest.collector import Source
from ingest.context import BUDGET_WAIT, GIVEN_UP, MOST_ABOVE, ContextFetcher
from ingest.coverage import CONTEXT, Ledger
from ingest.patience import Backoff
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog
from tests.board import BoardCollector
from tests.standins.board import Board
from tests.standins.server import Fault

SOURCE = Source(id="board", network="board")


class World:
    """A board, a fetcher, and what routing and a person would have written."""

    def __init__(self, board: Board, log: EmbeddedLog, engine: Engine, ledger: Ledger, clock: ManualClock) -> None:
        self.board, self.log, self.engine, self.ledger, self.clock = board, log, engine, ledger, clock
        self.collector = BoardCollector(SOURCE, board.url)

    def fetcher(self, **more: Any) -> ContextFetcher:
        collector = more.pop("collector", self.collector)
        made = {"backoff": Backoff(1, 5), **more}
        beside = Beside(collector.source.id, self.engine, self.ledger, self.clock, **made)
        return ContextFetcher(collector, self.log, beside)

    def thread(self, *texts: str) -> list[str]:
        ids: list[str] = []
        for text in texts:
            ids.append(self.board.publish(text, self.clock.now(), answers=ids[-1] if ids else None))
        return ids

    def ask(self, reply: str, state: str = "live") -> None:
        parent = self.board.posts[reply]["answers"]
        now = self.clock.now()
        with write(self.engine) as connection:
            known = [
                (int(parent), f"board:{parent}", None, "awaited"),
                (int(reply), f"board:{reply}", int(parent), state),
            ]
            many(
                connection,
                "INSERT INTO post (n, id, parent, conversation, state, seen_at, event_time, generation, tier, parts) "
                "VALUES (?, ?, ?, 1, ?, 0, 0, 1, 0, ?)",
                [(*row, b"[]") for row in known],
            )
            many(
                connection,
                "INSERT INTO context_request (source_id, post, parent, case_id, asked_at, asked_by, state) "
                "VALUES ('board', ?, ?, 7, ?, 'ana', 'asked')",
                [(int(reply), int(parent), now)],
            )

    def sql(self, statement: str) -> list[Any]:
        with read(self.engine) as connection:
            return [tuple(row) for row in rows(connection, statement)]

    def request(self) -> tuple[str, str]:
        ((state, why),) = self.sql("SELECT state, why FROM context_request")
        return state, why

    def listed(self) -> set[str]:
        return {id for (id,) in self.sql("SELECT id FROM context_post")}


@pytest.fixture
def world(log: EmbeddedLog, engine: Engine, ledger: Ledger, clock: ManualClock) -> Iterator[World]:
    with Board() as board:
        made = World(board, log, engine, ledger, clock)
        yield made
        made.collector.close()


class Purse:
    def __init__(self, left: int) -> None:
        self.left, self.brands = left, set[str | None]()

    def wait(self, source_id: str, now: int, brand: str | None = None) -> int:
        self.brands.add(brand)
        return 0 if self.left > 0 else -1

    def spent(self, source_id: str, cost: int, requests: int, now: int, brand: str = "") -> None:
        self.left -= cost

    def leave(self) -> None:
        pass


def test_the_posts_above_a_reply_come_into_the_log_and_their_texts_are_to_be_kept(world: World, held: Any) -> None:
    top, middle, reply = world.thread("Which airline do you take?", "Not that one", "Acme Air lost my bag")
    world.ask(reply)
    assert world.fetcher().step() == 0
    assert [(post.id, post.origin, post.reply_to) for post in held.posts()] == [
        (f"board:{middle}", "backfill", f"board:{top}"),
        (f"board:{top}", "backfill", None),
    ]
    assert world.listed() == {f"board:{top}", f"board:{middle}"}
    assert world.request() == ("fetched", "")
    assert world.fetcher().step() > 0, "nothing is asked twice"


def test_what_was_asked_for_by_its_id_is_in_the_ledger_and_in_no_figure(world: World) -> None:
    _, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply)
    world.fetcher().step()
    now = world.clock.now()
    assert [(row.query, row.received) for row in world.ledger.rows(["board"])] == [(CONTEXT, 1)]
    assert world.ledger.figure(now - 1, now + 1).share is None
    assert world.ledger.latest("board") is None


def test_what_the_network_does_not_show_is_told_so(world: World, held: Any) -> None:
    top, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply)
    world.board.delete(top)
    world.fetcher().step()
    state, why = world.request()
    assert state == "none"
    assert "the network did not give it" in why
    assert held.posts() == []
    assert world.listed() == set()


def test_a_used_up_budget_makes_a_request_wait_and_says_so(world: World) -> None:
    top, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply)
    purse = Purse(0)
    fetcher = world.fetcher(budget=purse)
    assert fetcher.step() == BUDGET_WAIT
    assert world.request() == ("asked", "the budget of this period is used up")
    purse.left = 5
    fetcher.step()
    assert world.request() == ("fetched", "")
    assert (purse.left, purse.brands) == (4, {""})
    assert world.listed() == {f"board:{top}"}


def test_a_budget_that_ends_in_a_thread_keeps_what_came(world: World) -> None:
    _, middle, reply = world.thread("Which airline?", "Not that one", "Acme Air")
    world.ask(reply)
    world.fetcher(budget=Purse(1)).step()
    state, why = world.request()
    assert (state, "there may be more above" in why) == ("fetched", True)
    assert world.listed() == {f"board:{middle}"}


def test_a_fault_is_tried_again_and_given_up_after_a_day(world: World) -> None:
    _, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply)
    fetcher = world.fetcher()
    world.board.misbehave(Fault("status", status=503, times=9))
    assert fetcher.step() > 0
    assert world.request()[0] == "asked"
    assert world.request()[1] != ""
    world.clock.advance(GIVEN_UP)
    fetcher.step()
    assert world.request()[0] == "none"


def test_a_network_that_gives_no_context_answers_every_request(world: World) -> None:
    class Plain:
        source, style, resumes, interval = SOURCE, "poll", True, 50

    _, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply)
    assert world.fetcher(collector=Plain()).step() == 0
    assert world.request() == ("none", "source board: this network gives no way to ask for it")


def test_nothing_is_asked_for_a_reply_that_is_gone(world: World, held: Any) -> None:
    _, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply, state="deleted")
    world.fetcher().step()
    assert world.request() == ("none", "the reply itself is gone")
    assert held.posts() == []


def test_who_has_not_the_turn_asks_nothing(world: World) -> None:
    _, reply = world.thread("Which airline?", "Acme Air")
    world.ask(reply)
    assert world.fetcher(has_turn=lambda: False).step() > 0
    assert world.request() == ("asked", "")


def test_of_an_endless_thread_the_nearest_are_kept(world: World) -> None:
    *_, reply = world.thread(*(f"post {n}" for n in range(MOST_ABOVE + 10)))
    world.ask(reply)
    world.fetcher().step()
    assert len(world.listed()) == MOST_ABOVE
    assert f"board:{int(reply) - 1}" in world.listed()
