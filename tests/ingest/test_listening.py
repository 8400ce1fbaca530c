"""A push source in the ledger: when it was open, what came, when it was paused, and when it went silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from ingest.collector import Source
from ingest.coverage import Ledger
from ingest.intake import Took
from ingest.listening import APART, PAUSED, Listening, Pulses
from stream.clock import DAY, HOUR, MINUTE, SECOND

START = 1_790_000_000_000
SHOP = Source(id="shop", network="forum", brands=("acme",))


@pytest.fixture
def listen(ledger: Ledger, engine: Engine) -> Callable[..., Listening]:
    return lambda **more: Listening(SHOP, ledger, Pulses(engine), **more)


def looks(listening: Listening, since: int, until: int, *, paused: bool = False, every: int = 20 * SECOND) -> None:
    for now in range(since, until + 1, every):
        listening.look(now, paused=paused)


def test_while_it_is_open_the_ledger_knows_what_came(ledger: Ledger, listen: Callable[..., Listening]) -> None:
    shop = listen()
    looks(shop, START, START + 2 * MINUTE)
    shop.took(Took(["forum:1", "forum:2"], 0, 1))
    shop.took(Took(["forum:3"], 2, 0, again=["forum:2", "forum:2"], late=1))
    looks(shop, START + 2 * MINUTE, START + 7 * MINUTE)
    shop.close(START + 7 * MINUTE)
    rows = ledger.rows(brand="acme")
    assert (rows[0].since, rows[-1].until) == (START, START + 7 * MINUTE)
    assert [(row.state, row.received, row.refused, row.missed) for row in rows] == [
        ("complete", 5, 1, 0), ("complete", 0, 0, 0),
    ]  # fmt: skip
    assert (rows[0].kept, rows[0].filtered, rows[0].duplicates, rows[0].late) == (3, 2, 2, 1)
    assert ledger.figure(START, START + 7 * MINUTE).share == 1.0


def test_a_pause_is_one_gap_that_grows_and_ends(ledger: Ledger, listen: Callable[..., Listening]) -> None:
    shop = listen()
    looks(shop, START, START + 4 * MINUTE)
    for minute in range(5, 60):
        shop.look(START + minute * MINUTE, paused=True)
        (gap,) = ledger.gaps()
        assert (gap.since, gap.until, gap.reason) == (START + 4 * MINUTE, START + minute * MINUTE, PAUSED)
    looks(shop, START + HOUR, START + 2 * HOUR)
    shop.close(START + 2 * HOUR)
    (gap,) = ledger.gaps()
    assert (gap.since, gap.until) == (START + 4 * MINUTE, START + HOUR)
    assert ledger.figure(START, START + 2 * HOUR).share == pytest.approx(64 / 120)


def test_a_pause_goes_on_over_a_restart(ledger: Ledger, listen: Callable[..., Listening]) -> None:
    looks(listen(), START, START + 5 * MINUTE, paused=True)
    looks(listen(), START + 6 * MINUTE, START + 9 * MINUTE, paused=True)
    (gap,) = ledger.gaps()
    assert (gap.since, gap.until) == (START, START + 9 * MINUTE)
    later = START + 9 * MINUTE + 2 * APART
    looks(listen(), later, later + MINUTE, paused=True)
    assert len(ledger.gaps()) == 2, "what lies long ago is another pause"


def silence(engine: Engine) -> int:
    return Pulses(engine).all()["shop"].silent_for


def test_what_came_before_a_kill_stands_in_the_ledger(ledger: Ledger, listen: Callable[..., Listening]) -> None:
    shop = listen()
    looks(shop, START, START + MINUTE)
    shop.took(Took(["forum:1"], 0, 0))
    looks(shop, START + MINUTE, START + 2 * MINUTE)
    (row,) = ledger.rows()
    assert (row.kept, row.since, row.until) == (1, START, START + 2 * MINUTE)


def test_silence_is_counted_from_the_last_post(engine: Engine, listen: Callable[..., Listening]) -> None:
    shop = listen()
    looks(shop, START, START + HOUR)
    assert silence(engine) == 0, "a new source is not silent"
    shop.took(Took(["forum:1"], 0, 0))
    looks(shop, START + HOUR, START + 3 * HOUR)
    assert silence(engine) == 2 * HOUR
    shop.took(Took([], 0, 5))
    shop.look(START + 3 * HOUR + MINUTE, paused=False)
    assert silence(engine) == 2 * HOUR + MINUTE, "what can be no post breaks no silence"
    shop.took(Took(["forum:2"], 0, 0))
    shop.look(START + 4 * HOUR, paused=False)
    assert silence(engine) == 0


def test_only_time_in_which_somebody_listened_counts_as_silence(
    engine: Engine, listen: Callable[..., Listening]
) -> None:
    shop = listen()
    shop.took(Took(["forum:1"], 0, 0))
    looks(shop, START, START + HOUR)
    again = listen()
    looks(again, START + HOUR + MINUTE, START + 2 * HOUR)
    assert silence(engine) == 2 * HOUR, "a restart changes nothing"
    looks(again, START + 2 * HOUR, START + 5 * HOUR, paused=True)
    looks(again, START + 5 * HOUR, START + 6 * HOUR)
    assert silence(engine) == HOUR, "a pause begins it anew"
    looks(listen(), START + 3 * DAY, START + 3 * DAY + MINUTE)
    assert silence(engine) == MINUTE, "and so does a time in which nothing ran"


def test_at_sixty_times_the_pace_looks_lie_far_apart(engine: Engine, listen: Callable[..., Listening]) -> None:
    looks(listen(apart=60 * APART), START, START + HOUR, every=20 * MINUTE)
    shop = listen(apart=60 * APART)
    shop.took(Took(["forum:1"], 0, 0))
    looks(shop, START + 2 * HOUR, START + 20 * HOUR, every=20 * MINUTE)
    assert silence(engine) == 18 * HOUR


def test_what_could_not_be_written_is_written_at_the_next_look(
    ledger: Ledger, listen: Callable[..., Listening], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = listen()
    looks(shop, START, START + 4 * MINUTE)
    shop.took(Took(["forum:1"], 0, 0))
    record = ledger.record

    def locked(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(ledger, "record", locked)
    with pytest.raises(TimeoutError):
        shop.look(START + 6 * MINUTE, paused=False)
    monkeypatch.setattr(ledger, "record", record)
    shop.look(START + 7 * MINUTE, paused=False)
    assert [(row.received, row.until - row.since) for row in ledger.rows()] == [(1, 7 * MINUTE)]


def test_a_post_that_another_process_of_the_api_took_breaks_the_silence_of_all(
    engine: Engine, listen: Callable[..., Listening]
) -> None:
    one, two = listen(), listen()
    one.took(Took(["forum:1"], 0, 0))
    for shop in (one, two):
        looks(shop, START, START + HOUR)
    two.took(Took(["forum:2"], 0, 0))
    two.look(START + 2 * HOUR, paused=False)
    one.look(START + 2 * HOUR + SECOND, paused=False)
    assert silence(engine) == SECOND
