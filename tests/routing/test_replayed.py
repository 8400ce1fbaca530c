"""Every stored decision follows once more from what is stored of it, by the rules of its day; what does not is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from route_home import BRANDS, NOW, RouteHome, passed, reading, said

from query.document import Document
from routing.changes import changed, stand
from routing.corrections import correct, decide_anew
from routing.desk import Desk
from routing.replayed import Replayed, in_words, replay
from routing.rules import RuleSet, default_rules
from stream.ports import InForce
from stream.records import Correction, Decision, Mention, Metrics, Scores

NEW_RULES = """
rules:
  - {name: bags, when: 'bag -refund', queue: sales, tags: [bag], why: "{brand}: a bag, {followers} followers"}
  - {name: rest, when: '', queue: support, priority: high, assign: [last-agent], deadline: standard, hold: true}
"""
SEVERE = reading(intent="complaint", detractor=3, terms=[("severity", 36), ("press", 9)])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def by_new_rules(home: RouteHome) -> None:
    home.registry.in_force = InForce(1, BRANDS, 2, NEW_RULES, brands_revision=3)
    home.work._desk.adopt(home.registry.in_force)
    decide_anew(home.engine, home.work._desk, 0, NOW * 2, NOW + 9)


def word(home: RouteHome, id: str, **words: object) -> Mention:
    held = home.mention(id)
    said_by = Correction(person="ana", at=NOW + 5, content_hash=held.content_hash)
    return correct(home.engine, Desk(home.registry.current()), id, replace(said_by, **words), NOW + 5)


def every(home: RouteHome) -> list[tuple[Decision, Replayed]]:
    rules = {1: RuleSet.read(default_rules(), 1), 2: RuleSet.read(NEW_RULES, 2)}
    found = []
    for mention in home.mentions().values():
        if mention.decision is not None:
            of = mention.decision
            told = replay(of, rules[of.rules_revision], read=mention.understanding, correction=mention.correction)
            found.append((of, told))
    for (body,) in home.sql("SELECT body FROM decision ORDER BY mention, revision"):
        of = msgspec.json.decode(body, type=Decision)
        found.append((of, replay(of, rules[of.rules_revision])))
    return found


def test_every_decision_follows_from_what_is_stored_of_it(home: RouteHome) -> None:
    about = replace(reading(intent="praise"), about=Scores("no", (0.9, 0.1)))
    home.take(
        said("1", SEVERE, followers=20_000), said("2", reading()), said("3", reading("flights", "purchase_interest")),
        said("4", reading(intent="praise")), said("5", about), said("6", reading("brisa"), reading()),
    )  # fmt: skip
    home.take(passed("1", "metrics", NOW + 1, metrics=Metrics(likes=12_000)))
    home.take(said("2", SEVERE, text="now I want a refund", kind="edited", edited_at=NOW + 2, at=NOW + 2))
    word(home, "x:1#acme", queue="support")
    word(home, "x:4#acme", intent="complaint", reputation="negative")
    word(home, "x:6#brisa", about=False)
    by_new_rules(home)
    word(home, "x:6#brisa", about=True)
    home.take(passed("6", "deleted", NOW + 20), passed("1", "expired", NOW + 20))
    found = every(home)
    assert len(found) > 12
    assert {(told.outcome, told.differences) for _, told in found} == {("same", ())}
    assert {decision.rule for decision, _ in found} >= {"bags", "rest", "person", "left-out", "severe-detractor"}


def test_neither_model_nor_text_is_asked(home: RouteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    by_new_rules(home)
    home.take(said("1", SEVERE))
    rules, decision = RuleSet.read(NEW_RULES, 2), home.mention("x:1#acme").decision
    assert decision is not None
    monkeypatch.setattr(Document, "__init__", lambda *_: pytest.fail("the mention was looked at"))
    assert replay(decision, rules) == Replayed("same")


def test_a_decision_that_somebody_changed_in_sql_differs_and_says_where(home: RouteHome) -> None:
    home.take(said("1", SEVERE))
    decision, rules = home.mention("x:1#acme").decision, RuleSet.read(default_rules(), 1)
    assert decision is not None
    found = replay(replace(decision, queue="none", alert=False), rules)
    assert [(one.what, one.stored, one.replayed) for one in found.differences] == [
        ("queue", "none", "pr"), ("alert", False, True),
    ]  # fmt: skip
    assert in_words(found) == (
        'differs: queue is stored as "none" and follows as "pr"; alert is stored as false and follows as true'
    )
    lowered = replace(decision, terms=decision.terms[:1])
    assert [one.what for one in replay(lowered, rules).differences] == ["risk"]


def test_what_is_missing_is_said_and_nothing_is_guessed(home: RouteHome) -> None:
    home.take(said("1", SEVERE))
    word(home, "x:1#acme", queue="none")
    mention, rules = home.mention("x:1#acme"), RuleSet.read(default_rules(), 1)
    decision = mention.decision
    assert decision is not None
    for stored, by, words in (
        (decision, "the rules are gone", "the rules are gone"),
        (replace(decision, record=""), rules, "before the truth of every part"),
        (decision, RuleSet.read(NEW_RULES, 1), "reads the rules of revision 1 otherwise"),
        (decision, rules, "what ana stated is not kept"),
    ):
        found = replay(stored, by)
        assert found.outcome == "unknown"
        assert words in found.why


def test_a_person_s_word_names_the_rule_that_it_stands_against(home: RouteHome) -> None:
    home.take(said("1", SEVERE))
    decision = word(home, "x:1#acme", queue="support").decision
    assert decision is not None
    assert (decision.rule, decision.overruled, decision.previous_queue) == ("person", "severe-detractor", "pr")


def test_what_a_replaced_decision_rested_on_is_kept_without_the_text(home: RouteHome) -> None:
    home.take(said("1", SEVERE, text="a secret number 4711"))
    word(home, "x:1#acme", queue="support")
    home.take(said("1", reading(intent="praise"), text="never mind", kind="edited", edited_at=NOW + 8, at=NOW + 8))
    bodies = [body for (body,) in home.sql("SELECT body FROM decision ORDER BY revision")]
    first, second = (msgspec.json.decode(body, type=Decision) for body in bodies)
    assert first.read is not None
    assert (first.read.intent, first.read.terms, first.correction) == (SEVERE.intent, (), None)
    assert second.correction is not None
    assert (second.correction.person, second.correction.content_hash) == ("ana", "")
    assert not any(b"secret" in body for body in bodies)
    home.take(passed("1", "forgotten", NOW + 9))
    last = msgspec.json.decode(home.sql("SELECT body FROM decision ORDER BY revision DESC")[0][0], type=Decision)
    assert last.read is None


def test_what_moved_and_what_was_behind_it_is_told(home: RouteHome) -> None:
    home.take(said("1", SEVERE))
    first = home.mention("x:1#acme")
    second = word(home, "x:1#acme", queue="support")
    by_new_rules(home)
    third = home.mention("x:1#acme")
    home.take(said("1", reading(), text="sorry", kind="edited", edited_at=NOW + 30, at=NOW + 30, generation=2))
    fourth = home.mention("x:1#acme")
    one, two, three, four = (
        stand(mention.decision, mention.understanding, mention.correction)
        for mention in (first, second, third, fourth)
        if mention.decision is not None
    )
    assert changed(one, two) == [
        "queue pr -> support; rule severe-detractor -> person; asks for an alert yes -> no.",
        "Behind it: ana stated queue support.",
    ]
    assert changed(two, three) == [
        "priority urgent -> normal; tags none -> bag.",
        "Behind it: rules of revision 1 -> 2; brands of revision 0 -> 3.",
    ]
    told = changed(three, four)
    assert "risk 45 -> 0 (without severity, without press)" in told[0]
    assert "the text has changed since ana spoke; read anew, generation 1 -> 2; read as " in told[1]
    assert "intent complaint -> help request" in told[1]


def test_what_somebody_stated_before_is_not_behind_what_came_later(home: RouteHome) -> None:
    home.take(said("1", SEVERE))
    word(home, "x:1#acme", queue="support")
    home.take(passed("1", "deleted", NOW + 9), now=NOW + 9)
    ended = msgspec.json.decode(home.sql("SELECT body FROM decision ORDER BY revision DESC")[0][0], type=Decision)
    home.take(said("1", reading(), text="here again", kind="restored", at=NOW + 30), now=NOW + 30)
    back = home.mention("x:1#acme")
    assert back.decision is not None
    told = changed(stand(ended), stand(back.decision, back.understanding, back.correction))
    assert told == ["priority urgent -> normal; risk 45 -> 0 (without severity, without press)."]
