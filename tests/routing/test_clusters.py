"""Near copies get one number and are counted; each keeps a reading of its own."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from route_home import NOW, FixedRegistry, RouteHome, passed, reading, said

from routing.clusters import ENOUGH, HELD_FOR, REACH, WINDOW
from routing.corrections import correct, decide_anew
from routing.desk import Desk
from routing.erasure import expire, let_go_of_copies
from routing.near import distance
from stream.clock import DAY, MINUTE
from stream.ports import Commit, OffsetConflict
from stream.records import Correction, Understood

A = 0x0F0F_0F0F_0F0F_0F0F
B = ~A
NEAR_A = A ^ 0b1111111
FAR_FROM_A = A ^ (0b11111111 << 20)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def copy(id: str, mark: int, *readings: Any, at: int = NOW, **fields: Any) -> Understood:
    text = fields.pop("text", f"words of {mark}")
    return replace(said(id, *(readings or (reading(),)), text=text, at=at, **fields), fingerprint=mark)


def edited(id: str, mark: int, at: int, words: str = "edited") -> Understood:
    return copy(id, mark, at=at, kind="edited", edited_at=at, text=f"{words}, {mark}, {at}")


def clusters(home: RouteHome) -> dict[str, tuple[int | None, int]]:
    return {m.post_id.removeprefix("x:"): (m.cluster, m.copies) for m in home.mentions().values() if m.state == "live"}


def together(home: RouteHome) -> set[frozenset[str]]:
    """The live posts of each cluster."""
    found: dict[int | None, set[str]] = {}
    for id, (cluster, _) in clusters(home).items():
        if cluster is not None:
            found.setdefault(cluster, set()).add(id)
    return {frozenset(ids) for ids in found.values()}


def sums_hold(home: RouteHome) -> None:
    """Rows and numbers say the same, and no more than the live mentions say."""
    rows = home.sql("SELECT cluster, count(*) FROM cluster_post GROUP BY cluster")
    assert {n: posts for n, posts in rows if posts > 1} == dict(home.sql("SELECT n, posts FROM cluster"))
    held = home.sql("SELECT p.id, c.cluster, c.fingerprint FROM cluster_post c JOIN post p ON p.n = c.post")
    told = {(m.post_id, m.cluster, m.fingerprint) for m in home.mentions().values() if m.cluster is not None}
    assert sorted(held) == sorted(set(held))
    assert set(held) <= told
    entries = {n for (n,) in home.sql("SELECT DISTINCT cluster FROM cluster_post WHERE entry = 1")}
    assert entries == {n for (n,) in home.sql("SELECT DISTINCT cluster FROM cluster_post")}, "each can be found"


def test_posts_within_seven_bits_share_a_cluster(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", NEAR_A), copy("3", FAR_FROM_A), copy("4", B))
    home.take(copy("5", A))
    assert together(home) == {frozenset("125"), frozenset("3"), frozenset("4")}
    assert [copies for _, copies in clusters(home).values()] == [1, 2, 1, 1, 3]
    sums_hold(home)


def test_a_copy_is_read_for_itself(home: RouteHome) -> None:
    """What the texts say may be opposite: they are counted together and decided apart."""
    home.take(
        copy("1", A, reading(intent="praise")),
        copy("2", A, reading(intent="complaint", detractor=2), text="the opposite in one word"),
    )
    one, other = home.mention("x:1#acme"), home.mention("x:2#acme")
    assert one.cluster == other.cluster
    assert one.understanding
    assert other.understanding
    assert one.decision
    assert other.decision
    assert (one.understanding.intent.label, one.decision.queue) == ("praise", "none")
    assert (other.understanding.intent.label, other.decision.queue) == ("complaint", "support")
    assert one.case_id is None
    assert other.case_id is not None


def test_the_nearest_wins_and_of_equally_near_ones_the_first(home: RouteHome) -> None:
    one, other = A, A ^ 0xFFF
    home.take(copy("1", one), copy("2", other))
    home.take(copy("3", A ^ 0b111111), copy("4", other ^ 0b11))
    assert together(home) == {frozenset("13"), frozenset("24")}


def test_a_text_without_fingerprint_has_no_cluster(home: RouteHome) -> None:
    home.take(copy("1", 0), copy("2", 0), copy("3", A))
    assert clusters(home)["1"] == clusters(home)["2"] == (None, 0)
    assert home.sql("SELECT count(*) FROM cluster_post") == [(1,)]


def test_a_post_about_two_brands_is_one_copy_and_one_about_none_is_none(home: RouteHome) -> None:
    home.take(copy("1", A, reading("acme"), reading("brisa")), replace(said("2"), fingerprint=A), copy("3", A))
    found = home.mentions()
    assert found["x:1#acme"].cluster == found["x:1#brisa"].cluster == found["x:3#acme"].cluster
    assert [found[id].copies for id in ("x:1#acme", "x:1#brisa", "x:3#acme")] == [1, 1, 2]
    sums_hold(home)


@pytest.mark.parametrize("kind", ["deleted", "expired", "forgotten"])
def test_what_is_gone_leaves_neither_number_nor_fingerprint(home: RouteHome, kind: str) -> None:
    home.take(copy("1", A), copy("2", A))
    home.take(passed("1", kind, NOW + 1))
    gone = home.mention("x:1#acme")
    assert (gone.cluster, gone.copies, gone.fingerprint) == (None, 0, 0)
    assert home.sql("SELECT count(*) FROM cluster_post") == [(1,)]
    home.take(copy("3", A))
    assert together(home) == {frozenset("23")}
    assert clusters(home)["3"][1] == 2
    sums_hold(home)


def test_a_deleted_post_alone_in_its_cluster_is_not_found(home: RouteHome) -> None:
    home.take(copy("1", A))
    was = clusters(home)["1"][0]
    home.take(passed("1", "deleted", NOW + 1))
    home.take(copy("2", A))
    assert clusters(home)["2"] != (was, 2)
    assert clusters(home)["2"][1] == 1


def test_an_account_that_goes_takes_its_copies_along(home: RouteHome) -> None:
    home.take(copy("1", A, author="ann"), copy("2", A, author="ann"), copy("3", A, author="bob"))
    home.take(passed("x:account", "author_gone", NOW + 1, author=said("9", author="ann").post.author))
    home.sweep()
    assert together(home) == {frozenset("3")}
    sums_hold(home)


def test_an_edit_moves_a_post_and_the_same_words_leave_it_where_it_is(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", A), copy("3", B))
    home.take(edited("2", B, NOW + 5))
    assert together(home) == {frozenset("1"), frozenset("23")}
    assert clusters(home)["2"][1] == 2
    before = clusters(home)
    home.take(edited("3", B, NOW + 6), edited("2", B, NOW + 5))
    assert clusters(home) == before
    sums_hold(home)


def test_an_edit_that_drops_the_brand_leaves_the_cluster(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", A))
    home.take(replace(edited("2", A, NOW + 5), mentions=()))
    assert together(home) == {frozenset("1")}
    sums_hold(home)
    home.take(edited("2", A, NOW + 9))
    assert together(home) == {frozenset("12")}


def test_a_restored_post_comes_back_to_its_copies(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", A), passed("1", "deleted", NOW + 1))
    home.take(copy("1", A, at=NOW + 9, kind="restored"))
    assert together(home) == {frozenset("12")}
    sums_hold(home)


def test_the_window_is_of_event_time_and_looks_both_ways(home: RouteHome) -> None:
    home.take(copy("1", A, at=NOW))
    home.take(copy("2", A, at=NOW + WINDOW), now=NOW + WINDOW)
    assert together(home) == {frozenset("12")}
    home.take(copy("3", B, at=NOW), copy("4", B, at=NOW + WINDOW + 1), copy("5", B, at=NOW - WINDOW))
    assert together(home) == {frozenset("12"), frozenset("35"), frozenset("4")}


def test_a_reply_that_gets_its_brand_late_joins_then(home: RouteHome) -> None:
    reply = copy("2", A, reply_to="x:1", unnamed=reading(""))
    home.take(replace(reply, mentions=()), copy("3", A))
    assert clusters(home)["3"][1] == 1
    home.take(copy("1", B))
    assert together(home) == {frozenset("1"), frozenset("23")}
    assert clusters(home)["2"][1] == 2
    sums_hold(home)


def test_corrections_decisions_made_anew_metrics_and_readings_keep_it(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", A), copy("3", A))
    before = clusters(home)
    desk = Desk(home.registry.current())
    correct(home.engine, desk, "x:2#acme", Correction(person="eva", at=NOW, content_hash="", intent="praise"), NOW)
    decide_anew(home.engine, desk, 0, NOW + DAY, NOW)
    home.take(passed("2", "metrics", NOW + 1, metrics=said("1").post.metrics))
    home.take(copy("2", A, reading(), reading("brisa"), generation=2, at=NOW))
    assert clusters(home) == before
    assert home.mention("x:2#brisa").copies == 2
    sums_hold(home)


def test_a_post_from_before_there_were_clusters_gets_one_when_it_is_read_anew(home: RouteHome) -> None:
    home.take(copy("1", 0, text="words"))
    home.take(copy("1", A, generation=2, text="words"), copy("2", A))
    assert together(home) == {frozenset("12")}


def test_retention_lets_go_and_mentions_keep_their_number(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", A), now=NOW)
    home.take(copy("3", A, at=NOW + DAY), now=NOW + DAY)
    before = clusters(home)
    assert not let_go_of_copies(home.engine, NOW + HELD_FOR)
    assert home.sql("SELECT count(*) FROM cluster_post") == [(3,)]
    let_go_of_copies(home.engine, NOW + HELD_FOR + 1)
    assert home.sql("SELECT count(*) FROM cluster_post") == [(1,)]
    assert clusters(home) == before
    sums_hold(home)
    home.take(passed("1", "deleted", NOW + 20 * DAY), copy("2", A, generation=3), now=NOW + 20 * DAY)
    assert clusters(home)["2"] == before["2"]
    sums_hold(home)


def test_only_the_newest_are_held(home: RouteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.take(*(copy(str(n), A) for n in range(6)))
    monkeypatch.setattr("routing.erasure.MOST_HELD", 2)
    let_go_of_copies(home.engine, NOW)
    assert home.sql("SELECT n FROM cluster_post ORDER BY n") == [(5,), (6,)]
    assert home.sql("SELECT posts FROM cluster") == [(2,)]


def test_expiry_takes_it_out(home: RouteHome) -> None:
    home.take(copy("1", A), copy("2", A, at=NOW + DAY))
    expire(home.engine, Desk(home.registry.current()), NOW + MINUTE, NOW + DAY)
    assert together(home) == {frozenset("2")}
    sums_hold(home)


def test_a_flood_of_equal_texts_is_compared_with_few_and_found_to_the_last(home: RouteHome) -> None:
    """Few of them are entries; when those are deleted others take their place."""
    for start in range(0, 120, 40):
        home.take(*(copy(str(n), A) for n in range(start, start + 40)))
    assert home.sql("SELECT count(*) FROM cluster_post WHERE entry = 1") == [(ENOUGH,)]
    assert clusters(home)["119"][1] == 120
    home.take(*(passed(str(n), "deleted", NOW + 1) for n in range(119)))
    assert home.sql("SELECT count(*) FROM cluster_post") == [(1,)]
    home.take(copy("late", A))
    assert together(home) == {frozenset(("119", "late"))}
    sums_hold(home)


def test_two_processes_see_each_other_s_posts(home: RouteHome) -> None:
    other = RouteHome.__new__(RouteHome)
    other.__dict__ |= home.__dict__
    other.work = type(home.work)(home.engine, FixedRegistry())
    other.work.offsets(frozenset({0}), "log-1")
    for n in range(8):
        at_work = home if n % 2 else other
        at_work.offset = n
        at_work.take(copy(str(n), A))
    assert [copies for _, (_, copies) in sorted(clusters(home).items())] == list(range(1, 9))


def test_after_a_rollback_nothing_of_it_is_remembered(home: RouteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.take(copy("1", A), copy("2", B))
    (first, _), (second, _) = clusters(home).values()

    def broken(*_: object) -> int:
        raise RuntimeError("at the end of all that is written")

    with monkeypatch.context() as patch:
        patch.setattr("routing.save._alerts", broken)
        with pytest.raises(RuntimeError, match="at the end"):
            home.take(passed("1", "deleted", at=NOW + 1), copy("3", B), copy("4", A))
    home.take(copy("5", A), copy("6", B))
    assert clusters(home) == {"1": (first, 1), "2": (second, 1), "5": (first, 2), "6": (second, 2)}
    sums_hold(home)


def test_a_rollback_costs_no_reading_of_all_fingerprints(home: RouteHome) -> None:
    home.take(copy("1", A))
    home.take(copy("2", A))
    known = home.work._desk.near._last
    with pytest.raises(OffsetConflict):
        home.work.run([], [Commit("mentions", 0, 99, 100)], NOW)
    assert home.work._desk.near._last == known > 0
    home.take(copy("3", A))
    assert [copies for _, copies in clusters(home).values()] == [1, 2, 3]


MARKS = (A, A ^ 1, A ^ 0b1111, A ^ 0xFF, A ^ 0xFFF, B, B ^ 1, 0)


@st.composite
def lives(draw: st.DrawFn) -> list[Understood]:
    """What happens to up to seven posts with fingerprints that are near, nearly near and far."""
    records: list[Understood] = []
    for n in range(draw(st.integers(2, 7))):
        at = NOW + n * 1_000
        records.append(copy(str(n), draw(st.sampled_from(MARKS)), at=at))
        for version in range(draw(st.integers(0, 2))):
            mark = draw(st.sampled_from(MARKS))
            named = draw(st.integers(0, 4)) > 0
            record = edited(str(n), mark, at + 10 + version, words="named" if named else "not named")
            records.append(record if named else replace(record, mentions=()))
        if draw(st.integers(0, 3)) == 0:
            records.append(passed(str(n), "deleted", at + 100))
            if draw(st.booleans()):
                records.append(
                    copy(str(n), draw(st.sampled_from(MARKS)), at=at + 200, kind="restored", edited_at=at + 200)
                )
    return records


CALM = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(st.data())
@CALM
def test_batches_change_nothing(data: st.DataObject) -> None:
    records = data.draw(st.permutations(data.draw(lives())))
    cuts = data.draw(st.lists(st.integers(1, 9), min_size=len(records), max_size=len(records)))
    one_by_one = outcome(records, [1] * len(records))
    assert outcome(records, cuts) == one_by_one
    assert outcome(records, [len(records)]) == one_by_one


@given(st.data())
@CALM
def test_where_texts_are_alike_or_far_apart_their_order_changes_nothing(data: st.DataObject) -> None:
    """The numbers that people see: who is together with whom. Copies say when somebody came, and do depend on it."""
    records = data.draw(lives())
    alike = [replace(record, fingerprint=A if distance(record.fingerprint, A) < 20 else record.fingerprint and B)
             for record in records]  # fmt: skip
    shuffled = data.draw(st.permutations(alike))
    assert outcome(shuffled, [3] * len(alike))[0] == outcome(alike, [1] * len(alike))[0]


def outcome(records: Sequence[Understood], cuts: Sequence[int]) -> tuple[Any, Any]:
    """(who is with whom, which copy each one was)."""
    with tempfile.TemporaryDirectory() as folder:
        home = RouteHome(Path(folder), durable=False)
        try:
            rest = list(records)
            for cut in cuts:
                batch, rest = rest[:cut], rest[cut:]
                if batch:
                    home.take(*batch)
            sums_hold(home)
            return together(home), {id: copies for id, (_, copies) in clusters(home).items()}
        finally:
            home.close()


def test_whoever_is_in_a_cluster_is_within_reach_of_another_in_it(home: RouteHome) -> None:
    dice = random.Random(5)
    centres = [dice.getrandbits(62) for _ in range(6)]
    for n in range(300):
        mark = dice.choice(centres)
        for bit in dice.sample(range(62), dice.randrange(9)):
            mark ^= 1 << bit
        home.take(copy(str(n), mark))
    marks: dict[int, list[int]] = {}
    for m in home.mentions().values():
        assert m.cluster is not None
        marks.setdefault(m.cluster, []).append(m.fingerprint)
    for held in marks.values():
        for mark in held:
            assert len(held) == 1 or min(distance(mark, other) for other in [*held] if other is not mark) <= REACH
    sums_hold(home)
