"""What a case promises: one matter in one place, whatever happens to its posts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from route_home import NOW, RouteHome, hash_of, passed, reading, said
from sqlalchemy.exc import IntegrityError

from database.engine import write
from routing.casework import NoSuchCase, Undo, Worked, work
from routing.corrections import correct
from routing.merging import CannotPart
from stream.records import Correction

DAY = 86_400_000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def events(home: RouteHome) -> list[tuple[int, str]]:
    return home.sql("SELECT case_id, change FROM case_event ORDER BY n")


def undo(home: RouteHome, case: int, by: str = "ana") -> Worked:
    return work(home.engine, home.work._desk, case, Undo(), by, NOW)


def test_one_author_in_one_conversation_is_one_case(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    home.take(
        said("2", reading(intent="complaint"), author="ann", reply_to="x:1"),
        said("3", reading(), author="bob", reply_to="x:1"),
    )
    assert [home.members(case["id"]) for case in home.live_cases()] == [{"x:1#acme", "x:2#acme"}, {"x:3#acme"}]
    assert events(home) == [(1, "opened"), (1, "grew"), (2, "opened")]


def test_a_conversation_is_one_case_in_pr(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("2", issue, author="bob", reply_to="x:1"))
    assert [(case["queue"], case["mentions"]) for case in home.live_cases()] == [("pr", 2)]


def test_the_gravest_mention_raises_a_case_and_its_author_stays_with_it(home: RouteHome) -> None:
    home.take(said("1", reading(intent="purchase_interest"), author="ann"))
    assert home.live_cases()[0]["queue"] == "sales"
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    assert home.live_cases()[0]["queue"] == "support"
    home.take(said("3", reading(intent="complaint", detractor=3), author="ann", reply_to="x:2"))
    home.take(said("4", reading(), author="ann", reply_to="x:3"), said("5", reading(), author="bob", reply_to="x:3"))
    assert [(case["queue"], home.members(case["id"])) for case in home.live_cases()] == [
        ("pr", {"x:1#acme", "x:2#acme", "x:3#acme", "x:4#acme"}),
        ("support", {"x:5#acme"}),
    ]
    assert [change for _, change in events(home)].count("raised") == 2


def test_a_raised_case_joins_the_pr_case_of_its_conversation(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", issue, author="bob", reply_to="x:2"))
    live = home.live_cases()
    assert [(case["queue"], case["mentions"]) for case in live] == [("pr", 3)]
    assert home.members(live[0]["id"]) == {"x:1#acme", "x:2#acme", "x:3#acme"}
    merged = [case for case in home.cases().values() if case["state"] == "merged"]
    assert len(merged) == 1
    detail = home.sql("SELECT detail FROM case_event WHERE change = 'merged'")[0][0]
    assert f"into {live[0]['id']}: {home.number('x:2#acme')}" in detail, "kept, so that people can take it back"


def test_a_merge_can_be_taken_back_once(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", issue, author="bob", reply_to="x:2"))
    merged = next(case["id"] for case in home.cases().values() if case["state"] == "merged")
    undo(home, merged)
    assert {case["queue"]: (case["mentions"], home.members(case["id"])) for case in home.live_cases()} == {
        "support": (1, {"x:2#acme"}),
        "pr": (2, {"x:1#acme", "x:3#acme"}),
    }
    assert not undo(home, merged).changed


def test_who_takes_a_merge_back_stands_in_both_histories_and_asking_again_does_nothing(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", issue, author="bob", reply_to="x:2"))
    merged = next(case["id"] for case in home.cases().values() if case["state"] == "merged")
    pr = home.live_cases()[0]["id"]
    revision = home.mention("x:2#acme").revision
    assert undo(home, merged).changed
    moves = home.sql("SELECT case_id, detail, person FROM case_event WHERE change = 'parted' ORDER BY n")
    assert moves == [(merged, f"from {pr}", "ana"), (pr, f"{merged} left", "ana")]
    assert home.mention("x:2#acme").revision == revision + 1
    assert not undo(home, merged, "bob").changed
    assert home.mention("x:2#acme").revision == revision + 1
    home.take(said("4", reading(), author="bob", reply_to="x:2"))
    assert home.members(merged) == {"x:2#acme", "x:4#acme"}, "what its author says next is its own again"
    with pytest.raises(NoSuchCase):
        undo(home, 9_999)
    with pytest.raises(CannotPart, match="was not merged"):
        undo(home, pr)


def test_a_merge_whose_mentions_are_gone_is_not_taken_back(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", issue, author="bob", reply_to="x:2"))
    merged = next(case["id"] for case in home.cases().values() if case["state"] == "merged")
    home.take(passed("2", "deleted", NOW + 1))
    with pytest.raises(CannotPart, match="asks for work"):
        undo(home, merged)
    assert home.cases()[merged]["state"] == "merged"


def test_a_case_from_which_everything_went_back_closes(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", issue, author="bob", reply_to="x:2"))
    merged = next(case["id"] for case in home.cases().values() if case["state"] == "merged")
    pr = home.live_cases()[0]["id"]
    home.take(passed("1", "deleted", NOW + 1), passed("3", "deleted", NOW + 1))
    assert undo(home, merged).changed
    assert (home.cases()[pr]["state"], home.cases()[pr]["mentions"]) == ("closed", 0)
    assert home.members(merged) == {"x:2#acme"}


def test_one_conversation_keeps_one_pr_case(home: RouteHome) -> None:
    issue = reading(intent="public_issue")
    home.take(said("1", issue, author="ann"), said("3", issue, author="bob", reply_to="x:2"))
    home.take(said("2", reading(), author="cid", reply_to="x:1"))
    (merged,) = [case["id"] for case in home.cases().values() if case["state"] == "merged"]
    with pytest.raises(CannotPart, match="one pr case"):
        undo(home, merged)


def test_a_case_shrinks_with_deletes_and_closes_with_the_last(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1, terms=[("severity", 8)]), author="ann"))
    home.take(
        said("2", reading(intent="complaint", detractor=2, terms=[("severity", 30)]), author="ann", reply_to="x:1")
    )
    assert (home.cases()[1]["mentions"], home.cases()[1]["risk"]) == (2, 30)
    home.take(passed("2", "deleted", NOW + 1))
    assert (home.cases()[1]["mentions"], home.cases()[1]["risk"]) == (1, 8), "the worst that is left"
    home.take(passed("1", "deleted", NOW + 1))
    assert (home.cases()[1]["state"], home.cases()[1]["mentions"]) == ("closed", 0)
    assert [change for _, change in events(home)][-2:] == ["shrank", "closed"]


def test_a_closed_case_is_reopened_by_a_new_mention_within_two_weeks_and_not_after(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("0", author="zoe"))
    home.take(passed("1", "deleted", NOW + 1))
    home.take(said("2", reading(), author="ann", reply_to="x:1"), now=NOW + DAY)
    assert [(case["id"], case["state"]) for case in home.live_cases()] == [(1, "reopened")]
    home.take(passed("2", "deleted", NOW + 2), now=NOW + DAY)
    home.take(said("3", reading(), author="ann", reply_to="x:1"), now=NOW + 30 * DAY)
    assert [case["id"] != 1 for case in home.live_cases()] == [True]


def test_an_own_answer_joins_the_case_that_it_answers_and_opens_none(home: RouteHome) -> None:
    home.take(said("9", reading(speaker="own"), author="acme"))
    assert home.cases() == {}
    home.take(said("1", reading(), author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", reading(speaker="own"), author="acme", reply_to="x:2"))
    bob = next(case["id"] for case in home.live_cases() if "x:2#acme" in home.members(case["id"]))
    assert home.members(bob) == {"x:2#acme", "x:3#acme"}
    assert home.cases()[bob]["mentions"] == 1, "it asks for no work"


def test_what_was_said_before_a_case_opened_is_in_it(home: RouteHome) -> None:
    home.take(said("1", reading(intent="other"), author="ann"))
    home.take(said("2", reading(intent="complaint"), author="ann", reply_to="x:1"))
    case = home.live_cases()[0]
    assert home.members(case["id"]) == {"x:1#acme", "x:2#acme"}


def test_a_late_parent_unites_conversations_and_their_cases(home: RouteHome) -> None:
    home.take(said("3", reading(), author="ann", reply_to="x:2"))
    home.take(said("4", reading(), author="ann", reply_to="x:1"))
    assert len(home.live_cases()) == 2
    home.take(said("2", reading(), author="bob", reply_to="x:1"))
    assert sorted(sorted(home.members(case["id"])) for case in home.live_cases()) == [
        ["x:2#acme"],
        ["x:3#acme", "x:4#acme"],
    ]
    assert {m.conversation for m in home.mentions().values()} == {"x:1"}
    assert len(home.sql("SELECT * FROM conversation_merge")) == 1


def test_the_late_parent_itself_joins_the_case_that_its_coming_united(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    home.take(said("3", reading(), author="ann", reply_to="x:2"))
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    assert [home.members(case["id"]) for case in home.live_cases()] == [{"x:1#acme", "x:2#acme", "x:3#acme"}]


def test_an_author_who_writes_on_while_conversations_unite_stays_in_one_case(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("4", reading(), author="ann", reply_to="x:3"))
    home.take(said("3", reading(), author="bob", reply_to="x:1"), said("5", reading(), author="ann", reply_to="x:3"))
    assert sorted(sorted(home.members(case["id"])) for case in home.live_cases()) == [
        ["x:1#acme", "x:4#acme", "x:5#acme"],
        ["x:3#acme"],
    ]


def test_what_was_said_before_conversations_were_united_joins_the_case_that_came_with_the_other(
    home: RouteHome,
) -> None:
    thanks = reading(intent="praise", reputation="positive")
    home.take(said("0", reading(), author="ann"), said("1", thanks, author="bob", reply_to="x:0"))
    home.take(said("4", reading(), author="bob", reply_to="x:2"))
    home.take(said("2", reading(), author="ann", reply_to="x:0"))
    assert [home.members(case["id"]) for case in home.live_cases()] == [
        {"x:0#acme", "x:2#acme"},
        {"x:1#acme", "x:4#acme"},
    ]


def test_a_quiet_mention_goes_over_to_the_case_that_opens_as_its_own_closes(home: RouteHome) -> None:
    home.take(said("0", reading(intent="praise", reputation="positive"), author="ann"))
    home.take(said("1", reading(intent="complaint"), author="ann", reply_to="x:0"))
    home.take(passed("1", "deleted", NOW + 1), said("4", reading(intent="public_issue"), author="ann", reply_to="x:0"))
    assert [home.members(case["id"]) for case in home.live_cases()] == [{"x:0#acme", "x:4#acme"}]


def test_a_person_alone_lowers_a_case(home: RouteHome) -> None:
    home.take(said("1", reading(intent="public_issue"), author="ann", text="one"))
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    home.take(said("1", reading(), author="ann", text="two", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    assert [case["queue"] for case in home.live_cases()] == ["pr"]


def test_a_mention_that_a_person_takes_out_of_the_queues_shrinks_its_case(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann", text="one"), said("2", reading(), author="ann", reply_to="x:1"))
    person = Correction(person="eva", at=NOW, content_hash=hash_of("one"), queue="none")
    correct(home.engine, home.work._desk, "x:1#acme", person, NOW)
    assert home.cases()[1]["mentions"] == 1


def test_two_live_cases_for_one_matter_cannot_be_stored(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("2", reading(intent="public_issue"), author="bob"))
    columns = "brand, conversation, author, queue, state, live, priority, risk, mentions, opened_at, updated_at"
    for id in (1, 2):
        with pytest.raises(IntegrityError), write(home.engine) as connection:
            connection.exec_driver_sql(
                f"INSERT INTO cases (id, {columns}) SELECT id + 100, {columns} FROM cases WHERE id = {id}"
            )


def test_every_move_of_a_case_is_in_the_outbox_for_other_programs(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    home.take(said("2", reading(), author="ann", reply_to="x:1"))
    home.take(passed("2", "deleted", NOW + 1), passed("1", "deleted", NOW + 1))
    kinds = [kind for (kind,) in home.sql("SELECT kind FROM outbox ORDER BY n") if kind != "decided"]
    assert kinds == ["opened", "grew", "shrank", "closed"]
