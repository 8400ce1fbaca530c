"""Cases that are one matter across networks: proposed with the evidence, joined when certain, and always taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from route_home import NOW, RouteHome, passed, reading, said

from config.people import Person
from database.engine import read, write
from routing.casework import Join, KeepApart, Merge, Resolve, Undo, work
from routing.matters import ties
from routing.matters.marks import marks_of
from routing.matters.seeking import WAITS, Seeking, let_go, unseen
from routing.matters.shown import matters_of
from routing.merging import CaseRefused
from routing.people_to_tell import MailSettings
from routing.people_to_tell import Person as Reader
from routing.planner import plan_pending
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Author, Understood

LONG = "the crew of our flight left twelve of us standing at the gate in the rain and nobody said why"
PAGE = "https://paper.example/2026/crew-leaves-travellers"
MARK = 0x0F0F_0F0F_0F0F_0F0F
ISSUE = reading(intent="public_issue", reputation="negative", detractor=2)
ASKS = reading()


class Desk:
    def __init__(self, home: RouteHome, join_at: float = 0.99) -> None:
        self.home = home
        self.seeking = Seeking(home.engine, home.work._desk, join_at)
        self.look()

    def look(self, now: int = NOW) -> None:
        while self.seeking.step(now):
            pass

    def take(self, *records: Understood, now: int = NOW) -> None:
        self.home.take(*records, now=now)
        self.look(now)

    def do(self, case: int, change: Any, by: str = "ana", now: int = NOW) -> Any:
        return work(self.home.engine, self.home.work._desk, case, change, by, now)

    def proposed(self) -> list[tuple[int, int]]:
        with read(self.home.engine) as connection:
            return [(tie.one, tie.other) for tie in ties.proposed(connection, 100)]

    def known(self, case: int) -> list[tuple[int, str]]:
        with read(self.home.engine) as connection:
            return [(one.case, one.state) for one in matters_of(connection, case)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    made.registry.in_force = made.registry.in_force._replace(
        people=(Person(id="ana", name="Ana", email="ana@example.org"),)
    )
    made.work._desk.adopt(made.registry.in_force)
    yield made
    made.close()


@pytest.fixture
def desk(home: RouteHome) -> Desk:
    return Desk(home)


def post(id: str, *readings: Any, mark: int = 0, handle: str = "", name: str = "", **fields: Any) -> Understood:
    """By an author of its own unless a handle is given."""
    network = id.partition(":")[0]
    author = Author(id=f"{network}-{handle or id}", handle=handle or None, name=name or None)
    made = said(id, *readings, **fields)
    return replace(made, post=replace(made.post, author=author), fingerprint=mark)


def test_near_copies_in_pr_on_two_networks_become_one_case(desk: Desk) -> None:
    desk.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:1", ISSUE, text=LONG, mark=MARK ^ 1))
    assert [case["mentions"] for case in desk.home.live_cases()] == [2]
    ((detail,),) = desk.home.sql("SELECT detail FROM case_event WHERE change = 'merged' AND case_id = 2")
    assert detail.startswith("one matter (99.4% certain: near copies); into ")
    # What is said later where the joined one was belongs to it as well.
    desk.take(post("reddit:2", ISSUE, text="and again today, as always", reply_to="reddit:1"))
    assert [case["mentions"] for case in desk.home.live_cases()] == [3]


def test_a_joined_matter_wakes_nobody_again(desk: Desk) -> None:
    severe = reading(intent="public_issue", reputation="negative", detractor=3, terms=(("severity", 60.0),))
    settings = MailSettings(from_address="c@example.org")
    reader = Reader(id="ana", name="Ana", email="ana@example.org")

    def mailed() -> int:
        plan_pending(desk.home.engine, [reader], settings, NOW, lambda connection: None)
        return len(desk.home.sql("SELECT id FROM mail"))

    desk.take(post("x:1", severe, text=LONG, mark=MARK))
    assert mailed() == 1
    desk.home.take(post("reddit:1", severe, text=LONG, mark=MARK))
    assert mailed() == 1  # waits until somebody has looked whose matter it is
    desk.look()
    assert mailed() == 1
    assert [state for (state,) in desk.home.sql("SELECT state FROM alert ORDER BY id")] == ["mailed", "quiet"]


def test_an_alert_waits_for_no_look_that_does_not_come(desk: Desk) -> None:
    desk.home.take(post("x:1", ISSUE))
    with read(desk.home.engine) as connection:
        assert unseen(connection, [(7, 1, NOW)], NOW + 1_000) == {7}
        assert unseen(connection, [(7, 1, NOW)], NOW + WAITS) == set()


def test_customers_with_the_same_words_are_proposed_and_each_keeps_a_case(desk: Desk) -> None:
    desk.take(post("x:1", ASKS, text=LONG, mark=MARK), post("reddit:1", ASKS, text=LONG, mark=MARK))
    assert len(desk.home.live_cases()) == 2
    assert desk.proposed() == [(1, 2)]


def test_the_same_handle_and_name_and_flight_on_another_network_is_one_customer(desk: Desk) -> None:
    desk.take(
        post("x:1", ASKS, text="where is my bag of flight AC 3170", handle="marta_88", name="Marta Oak"),
        post("mastodon:1", ASKS, text="AC3170 still has my bag", handle="Marta_88@social.example", name="Marta Oak"),
        post("reddit:1", ASKS, text="my bag is gone", handle="someone_else"),
    )
    assert sorted(case["mentions"] for case in desk.home.live_cases()) == [1, 2]


def test_a_namesake_is_neither_joined_nor_proposed(desk: Desk) -> None:
    desk.take(
        post("x:1", ASKS, text="where is my bag", handle="marta", name="Marta Oak"),
        post("mastodon:1", ASKS, text="how do I change my seat", handle="marta", name="Marta Elm"),
        post("reddit:1", ASKS, text="do you fly to Lugo", handle="support"),
        post("bluesky:1", ASKS, text="and to Leon", handle="support"),
    )
    assert len(desk.home.live_cases()) == 4
    assert desk.proposed() == []


def test_a_link_and_a_tag_that_are_new_make_an_event_and_old_ones_do_not(desk: Desk) -> None:
    for day in range(4):
        at = NOW + day * DAY
        desk.take(post(f"x:{day}", ISSUE, text=f"#travelday nothing new {day}", at=at), now=at)
    later = NOW + 4 * DAY
    desk.take(post("reddit:1", ISSUE, text="I like #travelday", at=later), now=later)
    assert desk.proposed() == []
    desk.take(
        post("x:8", ISSUE, text=f"read this {PAGE}?utm_source=x #gateleft", at=later),
        post("reddit:8", ISSUE, text=f"#gateleft {PAGE} what a shame", at=later + HOUR),
        now=later,
    )
    assert max(case["mentions"] for case in desk.home.live_cases()) == 2


def test_what_was_taken_back_is_never_joined_nor_proposed_again(desk: Desk) -> None:
    desk.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:1", ISSUE, text=LONG, mark=MARK))
    (one,) = desk.home.live_cases()
    other = ({1, 2} - {one["id"]}).pop()
    desk.do(other, Undo())
    desk.take(post("reddit:2", ISSUE, text=LONG, mark=MARK, reply_to="reddit:1"))
    assert len(desk.home.live_cases()) == 2
    assert desk.proposed() == []
    assert desk.known(1) == [(2, "apart")]


def test_people_join_and_keep_apart_and_both_stand_in_the_history(desk: Desk) -> None:
    desk.take(
        post("x:1", ASKS, text=LONG, mark=MARK), post("reddit:1", ASKS, text=LONG, mark=MARK),
        post("bluesky:1", ASKS, text=LONG, mark=MARK, handle="carl"),
    )  # fmt: skip
    assert len(desk.proposed()) == 3
    desk.do(1, KeepApart(3, "two customers"))
    assert (1, 3) not in desk.proposed()
    assert not desk.do(3, KeepApart(1)).changed
    desk.do(1, Join(2))
    assert desk.proposed() == []  # what is apart from one is apart from what it joined
    desk.take(post("bluesky:2", ASKS, text=LONG, mark=MARK, handle="carl", reply_to="bluesky:1"))
    assert desk.proposed() == []
    told = desk.home.sql("SELECT change, person, reason FROM case_event WHERE case_id = 3 AND person != ''")
    assert told == [("kept_apart", "ana", "two customers")]
    with pytest.raises(CaseRefused, match="clamor case undo"):
        desk.do(1, KeepApart(2))


def test_what_is_kept_apart_is_joined_by_no_third_that_comes_between(home: RouteHome) -> None:
    asked = Desk(home, join_at=1.0)
    asked.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:1", ISSUE, text=LONG, mark=MARK))
    asked.do(1, KeepApart(2))
    Desk(home, join_at=0.99).take(post("bluesky:1", ISSUE, text=LONG, mark=MARK))
    assert sorted(case["mentions"] for case in home.live_cases()) == [1, 2]


def test_what_somebody_says_while_cases_are_compared_counts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written = desk.seeking._write

    def late(*values: Any) -> None:
        if not desk.known(1):
            desk.do(1, KeepApart(2))
        written(*values)

    monkeypatch.setattr(desk.seeking, "_write", late)
    desk.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:1", ISSUE, text=LONG, mark=MARK))
    assert len(desk.home.live_cases()) == 2
    assert desk.known(1) == [(2, "apart")]


def test_a_merge_that_is_taken_back_from_what_took_both_over_stays_taken_back(home: RouteHome) -> None:
    asked = Desk(home, join_at=1.0)
    for n in (1, 2, 3):
        asked.take(post(f"x:{n}", ISSUE, text=LONG, mark=MARK))
    asked.do(3, Merge(2))
    asked.do(2, Merge(1))
    asked.do(3, Undo())
    assert sorted(asked.known(3)) == [(1, "apart"), (2, "apart")]


@pytest.mark.parametrize(("over", "left"), [(1, (2, 3)), (3, (1, 2))])
def test_proposals_of_cases_that_are_over_crowd_no_others_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, over: int, left: tuple[int, int]
) -> None:
    desk.take(*(post(f"x:{n}", ASKS, text=LONG, mark=MARK) for n in (1, 2, 3)))
    desk.do(over, Resolve("answered"))
    monkeypatch.setattr(ties, "MOST_READ", 1)
    assert desk.proposed() == [left]


def test_cases_of_two_brands_stay_two_and_know_of_one_another(desk: Desk) -> None:
    desk.take(post("x:1", ISSUE, reading("brisa", "public_issue", detractor=2), text=LONG, mark=MARK))
    desk.take(post("reddit:1", reading("brisa", "public_issue", detractor=2), text=LONG, mark=MARK))
    assert {brand for (brand,) in desk.home.sql("SELECT DISTINCT brand FROM cases WHERE live = 1")} == {1, 2}
    assert (2, "linked") in desk.known(1)
    with pytest.raises(CaseRefused, match="different brands"):
        desk.do(1, Join(2))


def test_a_rule_of_one_keeps_everything_to_people(home: RouteHome) -> None:
    desk = Desk(home, join_at=1.0)
    desk.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:1", ISSUE, text=LONG, mark=MARK))
    assert len(home.live_cases()) == 2
    assert desk.proposed() == [(1, 2)]


def test_a_delete_takes_the_marks_away(desk: Desk) -> None:
    desk.take(post("x:1", ISSUE, text=f"see {PAGE} of #gateleft"))
    assert desk.home.sql("SELECT count(*) FROM case_mark")[0][0] > 0
    desk.take(passed("x:1", "deleted"))
    assert desk.home.sql("SELECT count(*) FROM case_mark")[0][0] == 0


def test_an_edit_takes_the_marks_of_former_words_away_also_while_they_are_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = desk.seeking._mark
    edited = post("x:1", ISSUE, text="I was wrong, all is well", kind="edited", at=NOW + MINUTE, edited_at=NOW + MINUTE)

    def late(*values: Any) -> None:
        desk.home.take(edited, now=NOW + MINUTE)
        monkeypatch.setattr(desk.seeking, "_mark", marked)
        marked(*values)

    monkeypatch.setattr(desk.seeking, "_mark", late)
    desk.take(post("x:1", ISSUE, text=f"see {PAGE} of #gateleft"))
    assert desk.home.sql("SELECT count(*) FROM case_mark WHERE kind IN ('link', 'tag')") == [(0,)]


def test_marks_go_after_two_weeks(desk: Desk) -> None:
    desk.take(post("x:1", ISSUE, text=LONG, mark=MARK))
    assert not let_go(desk.home.engine, NOW)
    let_go(desk.home.engine, NOW + 15 * DAY)
    assert desk.home.sql("SELECT count(*) FROM case_mark") == [(0,)]


def test_a_flood_of_copies_asks_people_a_bounded_number_of_times(desk: Desk) -> None:
    desk.take(*(post(f"x:{n}", ASKS, text=LONG, mark=MARK, at=NOW + n) for n in range(150)))
    assert len(desk.home.sql("SELECT one FROM case_tie WHERE one = 1 OR other = 1")) <= 20


def test_a_crash_between_the_steps_changes_nothing(desk: Desk) -> None:
    desk.home.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:1", ISSUE, text=LONG, mark=MARK))
    ((stood,),) = desk.home.sql("SELECT event FROM case_sought")
    desk.look()
    before = desk.home.sql("SELECT * FROM case_event"), desk.home.sql("SELECT one, other, state FROM case_tie")
    with write(desk.home.engine) as connection:
        connection.exec_driver_sql(f"UPDATE case_sought SET event = {stood}")
    Desk(desk.home)
    assert (
        desk.home.sql("SELECT * FROM case_event"),
        desk.home.sql("SELECT one, other, state FROM case_tie"),
    ) == before


def test_the_brand_s_own_words_tie_nothing(desk: Desk) -> None:
    own = reading(speaker="own", intent="other", reputation="neutral")
    desk.take(post("x:1", ISSUE, text=LONG, mark=MARK), post("reddit:2", own, text=LONG, mark=MARK))
    assert "copy" in {mark.kind for mark in marks_of(desk.home.mention("x:1#acme"))}
    assert marks_of(desk.home.mention("reddit:2#acme")) == ()
    assert desk.proposed() == []
