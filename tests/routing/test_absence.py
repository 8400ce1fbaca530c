"""An account that goes away takes along what was seen of it until then, in short transactions, whatever the order."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_home import NOW, RouteHome, passed, reading, said

from database.engine import write
from routing import absence
from routing.desk import Desk
from routing.erasure import expire
from stream.records import Author, Understood

WORKER = Path(__file__).parent / "absence_worker.py"
MANY = 20_000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def account(kind: str, at: int, author: str = "ann") -> Understood:
    return passed(f"x:@{author}", kind, at, author=Author(id=author))


def wrote(n: int, at: int, author: str = "ann", **more: str) -> Understood:
    return said(str(n), reading(intent="complaint"), text=f"post {n}", author=author, at=at, **more)


def states(home: RouteHome) -> dict[str, str]:
    return {mention.post_id: mention.state for mention in home.mentions().values()}


# What may be seen of an account and of three of its posts; ten and more apart are before and after one another.
OBSERVATIONS = (
    wrote(1, NOW), wrote(1, NOW + 50), wrote(2, NOW + 10), wrote(2, NOW + 20, kind="edited"), wrote(3, NOW + 30),
    passed("3", "deleted", NOW + 31), account("author_gone", NOW + 15), account("author_gone", NOW + 40),
    account("author_back", NOW + 25), account("author_back", NOW + 60), wrote(4, NOW + 5, author="bob"),
)  # fmt: skip


@given(
    chosen=st.lists(st.sampled_from(range(len(OBSERVATIONS))), min_size=2, max_size=12),
    sizes=st.lists(st.integers(1, 4), min_size=12, max_size=12),
    chunks=st.lists(st.integers(0, 2), min_size=12, max_size=12),
    dice=st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_any_order_of_posts_and_comings_and_goings_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[int], sizes: list[int], chunks: list[int], dice: object
) -> None:
    again = list(chosen)
    dice.shuffle(again)  # type: ignore[attr-defined]
    folders = [tmp_path_factory.mktemp("order") for _ in range(2)]
    plain = outcome(folders[0], [OBSERVATIONS[n] for n in chosen], [1] * 12, [0] * 12)
    assert outcome(folders[1], [OBSERVATIONS[n] for n in again], sizes, chunks) == plain
    seen = {OBSERVATIONS[n] for n in chosen}
    gone = max((o.post.seen_at for o in seen if o.post.kind == "author_gone"), default=0)
    last = {"x:1": 0, "x:2": 0}
    for one in seen:
        if one.post.id in last:
            last[one.post.id] = max(last[one.post.id], one.post.seen_at)
    expected = {id: "live" if at > gone else "deleted" for id, at in last.items() if at}
    assert {id: state for id, state in plain[0].items() if id in last} == expected


def outcome(
    folder: Path, records: list[Understood], sizes: list[int], chunks: list[int]
) -> tuple[dict[str, str], dict[str, int], list[str]]:
    home = RouteHome(folder, durable=False)
    desk = Desk(home.registry.current())
    try:
        rest = list(records)
        for size, steps in zip(sizes, chunks, strict=True):
            batch, rest = rest[:size], rest[size:]
            if batch:
                home.take(*batch)
            for _ in range(steps):
                absence.sweep(home.engine, desk, NOW, most=1)
        home.sweep(most=1)
        texts = sorted(m.post.text for m in home.mentions().values() if m.post)
        counted = {name: n for name, n in home.counted().items() if name != "risk"}
        return states(home), counted, texts
    finally:
        home.close()


def test_posts_from_before_between_and_after(home: RouteHome) -> None:
    home.take(wrote(1, NOW), wrote(2, NOW + 20))
    home.take(account("author_gone", NOW + 10))
    home.sweep()
    home.take(wrote(3, NOW + 5), wrote(4, NOW + 15))
    home.take(account("author_back", NOW + 30))
    home.take(wrote(5, NOW + 40), wrote(6, NOW + 8))
    home.sweep()
    assert states(home) == {
        "x:1": "deleted", "x:2": "live", "x:3": "deleted", "x:4": "live", "x:5": "live", "x:6": "deleted",
    }  # fmt: skip


def test_a_post_that_was_deleted_itself_stays_so_when_its_author_comes_back(home: RouteHome) -> None:
    home.take(wrote(1, NOW), passed("1", "deleted", NOW + 5), account("author_gone", NOW + 10))
    home.sweep()
    home.take(account("author_back", NOW + 20), wrote(1, NOW + 30))
    home.sweep()
    assert states(home) == {"x:1": "deleted"}


def test_very_many_posts_are_taken_along_in_chunks_while_others_are_decided(home: RouteHome) -> None:
    for first in range(0, MANY, 2_000):
        home.take(*(wrote(n, NOW) for n in range(first, first + 2_000)))
    assert home.counted()["mentions"] == MANY
    home.take(account("author_gone", NOW + 10))
    assert home.sql("SELECT count(*) FROM mention WHERE state = 'live'") == [(MANY,)], "the batch itself stays short"
    desk, left = Desk(home.registry.current()), MANY
    for chunk in range(3):
        assert absence.sweep(home.engine, desk, NOW).more
        home.take(wrote(MANY + chunk, NOW + 5), wrote(2 * MANY + chunk, NOW + 5, author="bob"))
        live = home.sql("SELECT count(*) FROM mention WHERE state = 'live'")[0][0] - (chunk + 1)
        assert 0 < left - live <= absence.CHUNK
        left = live
    chunks = home.sweep()
    assert chunks >= (MANY - 3 * absence.CHUNK) // absence.CHUNK
    assert home.sql("SELECT state, count(*) FROM mention GROUP BY state ORDER BY state") == [
        ("deleted", MANY + 3), ("live", 3),
    ]  # fmt: skip
    assert home.counted()["mentions"] == 3
    assert len(home.live_cases()) == 3
    assert home.sql("SELECT count(*) FROM absence_sweep") == [(0,)]


def test_kill_9_between_and_in_chunks_loses_no_post_and_repeats_none(tmp_path: Path, kept_in: str) -> None:
    home = RouteHome(tmp_path)
    try:
        home.take(*(wrote(n, NOW) for n in range(600)))
        home.take(account("author_gone", NOW + 10))
        killed = 0
        for after in (0.0, 0.01, 0.03, 0.06, 0.1):
            with subprocess.Popen([sys.executable, WORKER, home.address], stdout=subprocess.PIPE, text=True) as worker:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "ready\n"
                time.sleep(after)
                worker.kill()
            killed += bool(home.sql("SELECT count(*) FROM absence_sweep")[0][0])
        assert killed, "every round ended before it was killed"
        home.sweep()
        assert set(states(home).values()) == {"deleted"}
        assert home.sql("SELECT DISTINCT revision FROM mention") == [(2,)]
        assert home.counted()["mentions"] == 0
    finally:
        home.close()


def test_a_second_sweep_changes_nothing(home: RouteHome) -> None:
    home.take(wrote(1, NOW), account("author_gone", NOW + 10))
    home.sweep()
    before = home.sql("SELECT n, revision FROM mention ORDER BY n")
    with write(home.engine) as connection:
        absence.begin(connection, [author for (author,) in home.sql("SELECT author FROM author_absence")])
    home.sweep()
    home.take(account("author_gone", NOW + 10))
    assert home.sql("SELECT n, revision FROM mention ORDER BY n") == before
    assert home.sql("SELECT count(*) FROM absence_sweep") == [(0,)], "nothing new was heard"


def test_what_expired_and_was_seen_again_goes_along_with_its_authors_account(home: RouteHome) -> None:
    home.take(wrote(1, NOW))
    expire(home.engine, home.work._desk, NOW + 1, NOW + 1)
    home.take(wrote(1, NOW + 10), now=NOW + 10)
    assert states(home) == {"x:1": "live"}
    home.take(account("author_gone", NOW + 20), now=NOW + 20)
    home.sweep(NOW + 20)
    assert states(home) == {"x:1": "deleted"}
    assert b"post 1" not in b"".join(body for (body,) in home.sql("SELECT body FROM mention"))
