"""What does not mean the brand is kept, counted nowhere and routed nowhere, until a person says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from route_home import NOW, RouteHome, hash_of, passed, reading, said

from query.document import Document, set_aside
from routing.corrections import correct, decide_anew
from routing.desk import Desk
from routing.explain import in_words
from stream.records import Correction, Mention, Scores

COMPLAINT = reading(intent="complaint", detractor=3, terms=[("severity", 36)])
LEFT_OUT = replace(COMPLAINT, about=Scores("no", (0.93, 0.07)))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def say(home: RouteHome, id: str, at: int = NOW + 5, **said: object) -> Mention:
    held = home.mention(id)
    base = held.correction or Correction(person="", at=0, content_hash="")
    word = replace(base, person="eva", at=at, content_hash=held.content_hash, **said)
    return correct(home.engine, Desk(home.registry.current()), id, word, at)


def test_a_person_sets_a_mention_aside_and_takes_it_back(home: RouteHome) -> None:
    home.take(said("1", COMPLAINT, author="ann"))
    counted = home.counted()
    before = home.mention("x:1#acme").decision
    assert before is not None
    assert counted["mentions"] == counted["severe"] == 1
    aside = say(home, "x:1#acme", about=False)
    assert aside.decision is not None
    assert (aside.decision.queue, aside.decision.rule, aside.decision.risk) == ("none", "left-out", 0)
    assert (aside.decision.person, aside.decision.alert, aside.case_id) == ("eva", False, None)
    assert "eva says that it is not about Acme Air" in in_words(aside)[0]
    assert not any(home.counted().values())
    assert home.live_cases() == []
    assert home.sql("SELECT mentions, negatives FROM author") == [(0, 0)]
    assert (aside.understanding, aside.post) == (COMPLAINT, home.mention("x:1#acme").post), "what was read stays"
    back = say(home, "x:1#acme", at=NOW + 9, about=True)
    assert back.decision is not None
    assert (back.decision.queue, back.decision.risk) == (before.queue, before.risk)
    assert home.counted() == counted
    assert [case["mentions"] for case in home.live_cases()] == [1]
    assert home.sql("SELECT count(*) FROM decision") == [(2,)], "both decisions before stay in its history"


def test_neither_a_new_reading_nor_new_rules_bring_it_back(home: RouteHome) -> None:
    home.take(said("1", COMPLAINT))
    say(home, "x:1#acme", about=False)
    home.take(said("1", replace(COMPLAINT, about=Scores("yes", (0.1, 0.9))), generation=2))
    decide_anew(home.engine, Desk(home.registry.current()), 0, NOW * 2, NOW + 9)
    assert set_aside(home.mention("x:1#acme"))
    assert not any(home.counted().values())


def test_what_the_filter_leaves_out_is_set_aside_until_a_person_says_that_it_means_the_brand(home: RouteHome) -> None:
    home.take(said("1", LEFT_OUT, author="ann"))
    aside = home.mention("x:1#acme")
    assert aside.decision is not None
    assert "left out: reads like another Acme Air (0.93)" in in_words(aside)[0]
    assert (aside.decision.queue, home.alerts(), home.live_cases()) == ("none", [], [])
    assert not any(home.counted().values())
    assert Document(aside).value("about") is False
    back = say(home, "x:1#acme", about=True)
    assert back.decision is not None
    assert back.decision.queue == "pr"
    assert home.counted()["mentions"] == 1


def test_it_joins_no_case_of_its_author_and_heats_no_conversation(home: RouteHome) -> None:
    home.take(said("1", COMPLAINT, author="ann", conversation="x:1"))
    home.take(said("2", LEFT_OUT, author="ann", conversation="x:1", reply_to="x:1", at=NOW + 1))
    assert [home.mention(f"x:{n}#acme").case_id is None for n in (1, 2)] == [False, True]
    heat = home.sql("SELECT heat FROM conversation ORDER BY n")
    home.take(said("3", LEFT_OUT, author="bob", conversation="x:1", reply_to="x:1", at=NOW + 2))
    assert home.sql("SELECT heat FROM conversation ORDER BY n") == heat


def test_a_queue_cannot_stand_beside_it(home: RouteHome) -> None:
    home.take(said("1", COMPLAINT))
    with pytest.raises(ValueError, match="in no queue"):
        say(home, "x:1#acme", about=False, queue="support")


def test_deleted_and_edited_texts_go_their_way(home: RouteHome) -> None:
    home.take(said("1", COMPLAINT), said("2", COMPLAINT))
    say(home, "x:1#acme", about=False)
    say(home, "x:2#acme", about=False)
    home.take(passed("1", "deleted", NOW + 9))
    assert (home.mention("x:1#acme").state, home.mention("x:1#acme").post) == ("deleted", None)
    home.take(said("2", COMPLAINT, text="other words", kind="edited", edited_at=NOW + 9, at=NOW + 9))
    edited = home.mention("x:2#acme")
    assert edited.content_hash == hash_of("other words")
    assert edited.correction is not None
    assert (edited.correction.stale, set_aside(edited)) == (True, True)
    assert not any(home.counted().values())
