"""What people do with cases: nobody overwrites another, every change is told and kept, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from route_home import NOW, RouteHome, passed, reading, said

from config.people import Person
from routing import erasure
from routing.casework import (
    Assign,
    Change,
    Merge,
    NoSuchCase,
    Note,
    Overtaken,
    Reopen,
    Resolve,
    Snooze,
    Split,
    Tag,
    Undo,
    Wait,
    Watch,
    Worked,
    wake,
    work,
)
from routing.mail.news import news_for
from routing.merging import CaseRefused
from routing.people_to_tell import MailSettings
from routing.people_to_tell import Person as Reader
from routing.planner import plan_pending
from routing.tracking import number_in, tracking_key
from routing.wording import named_in
from stream.ports import EVERYTHING
from web import casebook

DAY, HOUR = 86_400_000, 3_600_000
PEOPLE = tuple(Person(id=id, name=id.title(), email=f"{id}@example.org") for id in ("ana", "ben", "eva"))
THANKS = reading(intent="praise", reputation="positive")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path, durable=False)
    home.registry.in_force = home.registry.in_force._replace(people=PEOPLE)
    home.work._desk.adopt(home.registry.in_force)
    home.take(said("1", reading(), author="ann"))
    yield home
    home.close()


def do(home: RouteHome, change: Change, case: int = 1, by: str = "ana", now: int = NOW, **values: int) -> Worked:
    return work(home.engine, home.work._desk, case, change, by, now, **values)


def state(home: RouteHome, case: int = 1) -> str:
    return str(home.cases()[case]["state"])


def history(home: RouteHome, case: int = 1) -> list[tuple[str, str, str]]:
    return home.sql("SELECT change, detail, person FROM case_event WHERE case_id = ? ORDER BY n", case)


def news(home: RouteHome) -> list[tuple[str, str]]:
    return home.sql("SELECT a.kind, r.person FROM alert a JOIN alert_recipient r ON r.alert = a.id ORDER BY a.id, 2")


def test_every_change_stands_in_the_history_with_who_made_it(home: RouteHome) -> None:
    for change in (Assign("ben"), Tag(add=("refund",)), Watch("eva"), Note("look here"), Wait(), Resolve("paid")):
        assert do(home, change).changed
    assert [(change, who) for change, _, who in history(home)] == [
        ("opened", ""),
        ("assigned", "ana"),
        ("tagged", "ana"),
        ("watched", "ana"),
        ("note", "ana"),
        ("waiting", "ana"),
        ("resolved", "ana"),
    ]
    kinds = [kind for (kind,) in home.sql("SELECT kind FROM outbox ORDER BY n") if kind != "decided"]
    assert kinds == ["opened", "assigned", "waiting", "resolved"], "what other programs need to know"


def test_asked_twice_a_change_is_made_once(home: RouteHome) -> None:
    for change in (Assign("ben"), Tag(add=("refund",)), Watch("eva"), Wait(), Snooze(NOW + DAY), Resolve()):
        assert [do(home, change).changed for _ in range(2)] == [True, False], change
    assert not do(home, Tag(remove=("never",))).changed


def test_of_two_people_who_saw_the_same_case_the_second_is_told_and_nothing_is_overwritten(home: RouteHome) -> None:
    seen = do(home, Note("I look at it")).revision
    assert do(home, Assign("ben"), expects=seen).revision == seen + 1
    with pytest.raises(Overtaken, match=f"revision {seen + 1} by now, and you saw {seen}"):
        do(home, Assign("eva"), by="eva", expects=seen)
    assert home.sql("SELECT assignee FROM cases") == [("ben",)]


def test_a_post_that_joins_is_no_reason_to_refuse_what_a_person_does(home: RouteHome) -> None:
    seen = home.sql("SELECT revision FROM cases")[0][0]
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    assert do(home, Assign("ben"), expects=seen).changed


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Assign("bem"), "did you mean 'ben'"),
        (Watch("nobody"), "nobody whom Clamor knows"),
        (Note("  "), "a note has 1 to"),
        (Tag(add=("two words",)), "is no tag"),
        (Snooze(NOW), "is past"),
        (Merge(1), "into itself"),
        (Split(("x:9#acme",)), "no live mention of case 1"),
        (Split(("x:1#acme",)), "nothing that asks for work would be left"),
        (Undo(), "was not merged into another, nor split off"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason_and_changes_nothing(
    home: RouteHome, change: Change, why: str
) -> None:
    before = history(home)
    with pytest.raises(CaseRefused, match=why):
        do(home, change)
    assert (history(home), state(home)) == (before, "new")
    with pytest.raises(NoSuchCase):
        do(home, change, case=99)


def test_who_is_named_in_a_note_gets_a_mail_and_who_wrote_it_does_not(home: RouteHome) -> None:
    do(home, Assign("ben"))
    told = do(home, Note("@eva, could @ana or ben@example.org help? The handle is @goldie."))
    assert told.said == "noted in case 1; told: eva, ana; of nobody here: @goldie"
    assert news(home) == [("assigned", "ben"), ("note", "ben"), ("note", "eva")]
    settings, readers = (
        MailSettings(from_address="c@example.org"),
        [Reader(id=p.id, name=p.name, email=p.email) for p in PEOPLE],
    )
    plan_pending(home.engine, readers, settings, NOW, lambda connection: None)
    assert home.sql("SELECT person, kind, state FROM mail ORDER BY person") == [
        ("ben", "cases", "gathering"),
        ("eva", "cases", "gathering"),
    ]
    plan_pending(home.engine, readers, settings, NOW + 61_000, lambda connection: None)
    assert {state for (state,) in home.sql("SELECT state FROM mail")} == {"pending"}
    ((mail,),) = home.sql("SELECT id FROM mail WHERE person = 'ben'")
    with home.engine.connect() as connection:
        letter = news_for(connection, mail, readers[1], settings)
    assert letter is not None
    assert [(one.kind, one.by, one.text[:4]) for one in letter.news] == [
        ("assigned", "ana", ""),
        ("note", "ana", "@eva"),
    ]


def test_news_of_cases_are_at_most_six_mails_an_hour(home: RouteHome) -> None:
    settings = MailSettings(from_address="c@example.org")
    readers = [Reader(id="ben", name="Ben", email="ben@example.org")]
    do(home, Watch("ben"))
    for minute in range(0, 60, 2):
        now = NOW + minute * 60_000
        do(home, Note(f"note {minute}"), now=now)
        for second in (0, 61_000):
            plan_pending(home.engine, readers, settings, now + second, lambda connection: None)
            with home.engine.begin() as connection:
                sql = f"UPDATE mail SET state = 'sent', ended_at = {now + second} WHERE state = 'pending'"
                connection.exec_driver_sql(sql)
    left = [at for (at,) in home.sql("SELECT ended_at FROM mail WHERE state = 'sent' ORDER BY id")]
    assert len(left) == 6
    assert min(later - earlier for earlier, later in pairwise(left)) >= 10 * 60_000
    do(home, Note("the last"), now=NOW + 5 * HOUR)
    do(home, Note("and one more"), now=NOW + 5 * HOUR)
    for minute in (0, 2, 20):
        plan_pending(home.engine, readers, settings, NOW + 5 * HOUR + minute * 60_000, lambda connection: None)
        do(home, Note("while the server is away"), now=NOW + 5 * HOUR + minute * 60_000)
    assert home.sql("SELECT count(*) FROM mail WHERE state = 'pending'") == [(1,)]


def test_names_in_a_note_are_words_of_their_own() -> None:
    assert named_in("@Ana, (@ben) x@eva.org @ana", {"ana", "ben", "eva"}) == (["ana", "ben"], [])


def test_a_snoozed_case_wakes_at_its_time_and_its_people_are_told(home: RouteHome) -> None:
    do(home, Assign("ben"), by="ben")
    do(home, Snooze(NOW + HOUR))
    assert wake(home.engine, home.work._desk, NOW + HOUR - 1) == 0
    assert [wake(home.engine, home.work._desk, NOW + HOUR + n) for n in range(2)] == [1, 0]
    assert (state(home), news(home)) == ("open", [("woken", "ben")])


def test_a_new_post_wakes_what_is_snoozed_or_waits(home: RouteHome) -> None:
    do(home, Snooze(NOW + DAY))
    home.take(said("2", reading(), author="ann", reply_to="x:1"), now=NOW + 1)
    assert (state(home), home.sql("SELECT snoozed_until FROM cases")) == ("open", [(None,)])
    do(home, Wait())
    home.take(said("3", THANKS, author="ann", reply_to="x:1"), now=NOW + 2)
    assert state(home) == "open", "a thank-you is an answer too"


def test_neither_the_brands_own_words_nor_old_posts_wake_a_case(home: RouteHome) -> None:
    do(home, Wait(), now=NOW + HOUR)
    home.take(said("2", reading(speaker="own"), author="acme", reply_to="x:1", at=NOW + 2 * HOUR), now=NOW + 2 * HOUR)
    home.take(said("3", reading(), author="ann", reply_to="x:1", origin="backfill"), now=NOW + 2 * HOUR)
    assert (state(home), len(home.members(1))) == ("waiting", 3)


def test_a_resolved_case_reopens_when_its_author_speaks_again_within_two_weeks(home: RouteHome) -> None:
    do(home, Assign("ben"), by="ben")
    do(home, Resolve("paid"), by="ben")
    assert (state(home), home.live_cases()) == ("resolved", [])
    home.take(said("2", THANKS, author="ann", reply_to="x:1", at=NOW + HOUR), now=NOW + HOUR)
    home.take(passed("1", "metrics", NOW + HOUR), now=NOW + HOUR)
    assert (state(home), home.members(1)) == ("resolved", {"x:1#acme", "x:2#acme"}), "nobody asks for anything"
    home.take(said("3", reading(), author="ann", reply_to="x:1", at=NOW + DAY), now=NOW + DAY)
    assert (state(home), home.cases()[1]["mentions"], news(home)[-1]) == ("reopened", 2, ("reopened", "ben"))
    do(home, Resolve())
    home.take(said("4", reading(), author="ann", reply_to="x:1", at=NOW + 30 * DAY), now=NOW + 30 * DAY)
    assert [case["id"] != 1 for case in home.live_cases()] == [True]


def test_old_posts_join_a_resolved_case_and_do_not_reopen_it(home: RouteHome) -> None:
    do(home, Resolve(), now=NOW + HOUR)
    home.take(said("2", reading(), author="ann", reply_to="x:1", origin="backfill"), now=NOW + DAY)
    assert (state(home), home.cases()[1]["mentions"]) == ("resolved", 2)


def test_a_resolved_case_whose_post_turns_out_graver_reopens(home: RouteHome) -> None:
    do(home, Resolve())
    home.take(said("1", reading(intent="public_issue"), author="ann", text="two", kind="edited", edited_at=NOW + 1))
    assert [(case["id"], case["state"], case["queue"]) for case in home.live_cases()] == [(1, "reopened", "pr")]


def test_a_person_reopens_a_case_unless_another_has_its_place(home: RouteHome) -> None:
    do(home, Resolve())
    assert do(home, Reopen("not done")).changed
    do(home, Resolve())
    home.take(said("2", reading(), author="ann", reply_to="x:1", at=NOW + 30 * DAY), now=NOW + 30 * DAY)
    with pytest.raises(CaseRefused, match="has the place of case 1 by now"):
        do(home, Reopen(), now=NOW + 30 * DAY)


def test_the_brands_first_answer_stops_the_clock_of_the_first_response(home: RouteHome) -> None:
    answer = reading(speaker="own")
    home.take(said("2", answer, author="acme", reply_to="x:1", at=NOW + HOUR), now=NOW + HOUR)
    home.take(said("3", answer, author="acme", reply_to="x:1", at=NOW + DAY), now=NOW + DAY)
    assert home.sql("SELECT first_response_at FROM cases") == [(NOW + HOUR,)]


def test_what_the_brand_said_before_the_case_answers_nothing(home: RouteHome) -> None:
    home.take(said("7", THANKS, author="bob"), said("8", reading(speaker="own"), author="acme", reply_to="x:7"))
    home.take(said("9", reading(), author="bob", reply_to="x:8", at=NOW + 1), now=NOW + 1)
    assert home.members(2) >= {"x:7#acme", "x:9#acme"}
    assert home.sql("SELECT first_response_at FROM cases WHERE id = 2") == [(None,)]
    do(home, Wait(), case=2, now=NOW + 5)
    assert home.sql("SELECT first_response_at FROM cases WHERE id = 2") == [(NOW + 5,)], "who waits has answered"


def test_cases_of_two_networks_are_merged_by_hand_and_what_comes_next_joins(home: RouteHome) -> None:
    home.take(said("red:1", reading(), author="zoe"))
    do(home, Watch("eva"), case=2)
    assert do(home, Merge(1, "one lost bag"), case=2).case == 1
    home.take(said("red:2", reading(), author="zoe", reply_to="red:1"))
    home.take(said("red:3", THANKS, author="zoe", reply_to="red:2"))
    assert home.members(1) == {"x:1#acme", "red:1#acme", "red:2#acme", "red:3#acme"}
    assert [case["id"] for case in home.live_cases()] == [1]
    do(home, Undo(), case=2)
    assert (home.members(1), home.members(2)) == ({"x:1#acme"}, {"red:1#acme", "red:2#acme", "red:3#acme"})
    home.take(said("red:4", reading(), author="zoe", reply_to="red:1"))
    assert "red:4#acme" in home.members(2)


def test_what_was_merged_by_hand_is_raised_where_it_is(home: RouteHome) -> None:
    home.take(
        said("red:1", reading(), author="zoe"), said("5", reading(intent="public_issue"), author="bob", reply_to="x:1")
    )
    do(home, Merge(1), case=2)
    home.take(said("red:2", reading(intent="complaint", detractor=3), author="zoe", reply_to="red:1"))
    pr = [case for case in home.live_cases() if case["queue"] == "pr"]
    assert [(len(home.members(case["id"])), case["mentions"]) for case in pr] == [(4, 4)], "with the conversation's"
    assert len(home.live_cases()) == 1


def test_a_pr_case_that_is_merged_raises_the_other(home: RouteHome) -> None:
    home.take(said("red:1", reading(intent="public_issue"), author="zoe"))
    do(home, Merge(1), case=2)
    assert [(case["id"], case["queue"]) for case in home.live_cases()] == [(1, "pr")]
    home.take(said("red:2", reading(intent="public_issue"), author="kim", reply_to="red:1"))
    assert home.members(1) == {"x:1#acme", "red:1#acme", "red:2#acme"}


def test_cases_of_different_brands_are_not_merged(home: RouteHome) -> None:
    home.take(said("red:1", reading("brisa"), author="zoe"))
    with pytest.raises(CaseRefused, match="different brands"):
        do(home, Merge(1), case=2)


def test_mentions_are_split_out_and_the_split_is_taken_back(home: RouteHome) -> None:
    home.take(said("2", reading(), author="ann", reply_to="x:1"), said("3", reading(), author="ann", reply_to="x:1"))
    made = do(home, Split(("x:2#acme",))).case
    assert (home.members(1), home.members(made)) == ({"x:1#acme", "x:3#acme"}, {"x:2#acme"})
    assert [case["mentions"] for case in home.live_cases()] == [2, 1]
    home.take(said("4", reading(), author="ann", reply_to="x:1"))
    home.take(said("5", reading(), author="ann", reply_to="x:2"))
    home.take(said("6", reading(speaker="own"), author="acme", reply_to="x:2", at=NOW + 9), now=NOW + 9)
    assert home.members(made) == {"x:2#acme", "x:5#acme", "x:6#acme"}, "answers go where they belong"
    assert home.sql("SELECT first_response_at FROM cases ORDER BY id") == [(None,), (NOW + 9,)]
    assert do(home, Undo(), case=made).case == 1
    assert (len(home.members(1)), [case["id"] for case in home.live_cases()]) == (6, [1])


def test_a_split_off_case_has_its_own_life(home: RouteHome) -> None:
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    made = do(home, Split(("x:2#acme",))).case
    do(home, Resolve(), case=made)
    home.take(said("3", reading(), author="ann", reply_to="x:1"))
    assert "x:3#acme" in home.members(1)
    home.take(
        said(
            "2",
            reading(intent="public_issue"),
            author="ann",
            reply_to="x:1",
            text="two",
            kind="edited",
            edited_at=NOW + 1,
        )
    )
    assert [(case["id"], case["queue"]) for case in home.live_cases()] == [(1, "support"), (made, "pr")]
    home.take(passed("2", "deleted", NOW + 2))
    assert state(home, made) == "closed"


def test_a_tracking_key_names_its_case() -> None:
    key = tracking_key("acme-air", NOW, 123)
    assert key == "ACM-2026-000123"
    assert (number_in(key), number_in(key.lower()), number_in("123"), number_in("ACM-123")) == (123, 123, 123, None)
    assert tracking_key("é", NOW, 1_234_567) == "X-2026-1234567"


def test_a_case_keeps_the_key_that_it_was_opened_with(home: RouteHome) -> None:
    assert home.sql("SELECT tracking FROM cases") == [("ACM-2026-000001",)]


def test_notes_are_emptied_once_no_text_of_their_case_is_kept(home: RouteHome) -> None:
    home.take(said("red:1", reading(), author="zoe"))
    do(home, Note("call her on 555"), case=2)
    do(home, Merge(1), case=2)
    home.take(passed("1", "deleted", NOW + 1))
    assert erasure.let_go_of_notes(home.engine) == 0, "the case that took it over has a text"
    home.take(passed("red:1", "deleted", NOW + 1))
    assert erasure.let_go_of_notes(home.engine) == 1
    assert home.sql("SELECT text FROM case_note") == [("",)]
    erasure.wipe(home.engine)
    assert b"call her on" not in home.bytes_on_disk()


def test_a_split_is_not_taken_back_into_itself(home: RouteHome) -> None:
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    made = do(home, Split(("x:2#acme",))).case
    do(home, Merge(made), case=1)
    with pytest.raises(CaseRefused, match="undo that one"):
        do(home, Undo(), case=made)
    home.take(said("3", reading(), author="ann", reply_to="x:1"))
    assert home.mention("x:3#acme").case_id == made


def test_an_answer_to_what_was_split_off_in_pr_joins_its_authors_case(home: RouteHome) -> None:
    bad = reading(intent="public_issue", reputation="negative")
    home.take(said("2", bad, author="bob", reply_to="x:1"), said("3", bad, author="carol", reply_to="x:1"))
    pr = home.mention("x:2#acme").case_id
    assert pr is not None
    do(home, Split(("x:3#acme",)), case=pr)
    home.take(said("4", reading(), author="ann", reply_to="x:3"))
    assert home.mention("x:4#acme").case_id == 1


def test_reasons_go_with_the_last_text_of_the_case_and_stand_in_no_alert(home: RouteHome) -> None:
    home.take(said("red:1", reading(), author="zoe"))
    do(home, Watch("eva"))
    do(home, Wait())
    for change in (Reopen("she is zoe: on 555"), Resolve("paid to 555; twice"), Reopen("not paid to 555")):
        do(home, change)
    do(home, Merge(1, "one lost bag; 555"), case=2)
    do(home, Resolve("555 is happy"))
    assert home.sql("SELECT count(*) FROM alert WHERE why LIKE '%555%'") == [(0,)]
    told = casebook.one(home.engine, 1, EVERYTHING)
    assert told is not None
    assert [one.detail for one in told.history if "555" in one.detail] == [
        "was waiting: she is zoe: on 555", "paid to 555; twice", "not paid to 555", "555 is happy",
    ]  # fmt: skip
    home.take(passed("1", "deleted", NOW + 1), passed("red:1", "deleted", NOW + 1))
    assert erasure.let_go_of_notes(home.engine) == 2
    erasure.wipe(home.engine)
    assert b"555" not in home.bytes_on_disk()
    assert erasure.let_go_of_notes(home.engine) == 0


def test_a_merge_with_a_reason_can_be_taken_back(home: RouteHome) -> None:
    home.take(said("red:1", reading(), author="zoe"))
    do(home, Merge(1, "one; into 7: 8"), case=2)
    do(home, Undo(), case=2)
    assert home.members(2) == {"red:1#acme"}


def test_a_case_that_was_merged_into_itself_ends_no_process(home: RouteHome) -> None:
    do(home, Note("who did that?"))
    with home.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE cases SET merged_into = id, state = 'merged', live = 0")
    assert erasure.let_go_of_notes(home.engine) == 0
    with pytest.raises(CaseRefused):
        do(home, Merge(1))
    home.take(passed("1", "deleted", NOW + 1), said("2", reading(), author="ann", reply_to="x:1"))
    assert erasure.let_go_of_notes(home.engine) == 1


def test_a_resolved_case_of_which_nothing_is_left_is_not_reopened(home: RouteHome) -> None:
    do(home, Resolve())
    home.take(passed("1", "deleted", NOW + 1), now=NOW + 1)
    assert (home.cases()[1]["mentions"], home.cases()[1]["risk"]) == (0, 0)
    with pytest.raises(CaseRefused, match="nothing in case 1 asks for work"):
        do(home, Reopen(), now=NOW + 2)
