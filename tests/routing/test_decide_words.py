"""A decision: replayed from what is stored of it, and said in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from route_home import MINUTE, NOW, RouteHome, hash_of, passed, reading, said

from query.tree import And, Between, Equals, Node, Not, Or
from query.unparse import unparse
from routing import tone
from routing.corrections import correct
from routing.decide import Reader, decide, found_late, judged_at, may_wake, same
from routing.explain import in_words
from routing.risk import History, risk_of
from routing.rules import RuleSet, default_rules
from stream.records import Correction, Labels, Metrics, Post, Scores, Understood

RULES = RuleSet.read(default_rules(), 3)
READER = Reader("linear-1", "linear", 4)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def test_a_decision_replays_from_its_stored_terms_and_the_truth_of_its_rule_s_parts(home: RouteHome) -> None:
    claim = reading(intent="complaint", detractor=3, terms=[("legal", 12), ("severity", 30)])
    home.take(said("1", claim, author="ann", followers=80))
    decision = home.mention("x:1#acme").decision
    assert decision is not None
    assert (decision.queue, decision.rule, decision.tags) == ("support", "claim-of-one-customer", ("legal",))
    assert risk_of(decision.terms) == decision.risk == 42
    rule = RULES.named(decision.rule)
    assert rule is not None
    assert replayed(rule.when, decision.facts), "the parts alone say that the rule was true"


def test_one_customer_s_threat_to_claim_goes_to_pr_when_many_see_it(home: RouteHome) -> None:
    claim = reading(intent="complaint", detractor=3, terms=[("legal", 12), ("severity", 30)])
    home.take(said("1", claim, followers=80), said("2", claim, followers=200_000))
    assert {id: m.decision and m.decision.queue for id, m in home.mentions().items()} == {
        "x:1#acme": "support", "x:2#acme": "pr"
    }  # fmt: skip


def test_spam_is_nobody_s_work_and_its_reasons_are_told_in_both_languages(home: RouteHome) -> None:
    advert = replace(reading(intent="purchase_interest"), spam=("loan", "contact"))
    grave = replace(reading(intent="complaint", detractor=3, terms=[("severity", 36)]), spam=("loan",))
    home.take(said("1", advert), said("2", grave))
    one, other = home.mention("x:1#acme"), home.mention("x:2#acme")
    assert one.decision is not None
    assert other.decision is not None
    assert (one.decision.queue, one.decision.rule, one.decision.alert) == ("none", "spam", False)
    assert (other.decision.queue, other.decision.alert) == ("pr", True), "a mark hides nothing that may be severe"
    told = "It looks like spam: it offers loans; an offer beside a number to call or write to."
    assert told in in_words(one)
    assert "ofrece préstamos; una oferta junto a un número de contacto" in " ".join(in_words(one, None, "es"))


def test_what_an_author_complained_of_later_was_not_before(home: RouteHome) -> None:
    for number in range(1, 7):
        home.take(said(str(number), reading(intent="complaint", detractor=1), author="ann", at=NOW + number))
    first = home.mention("x:1#acme").decision
    assert first is not None
    home.take(passed("1", "metrics", NOW + 9, metrics=Metrics(likes=5_000)))
    again = home.mention("x:1#acme").decision
    assert again is not None
    assert "reactions" in {term.name for term in again.terms}
    assert "history" not in {term.name for term in (*first.terms, *again.terms)}


def test_what_was_read_of_the_text_is_told_and_nothing_where_the_model_does_not_say(home: RouteHome) -> None:
    told = replace(
        reading(intent="complaint"),
        complaint=Scores("yes", (0.08, 0.92)),
        emotion=Labels(("anger", "disgust"), (0.81, 0.55, 0.1, 0.0, 0.2, 0.0)),
        irony=Scores("no", (0.97, 0.03)),
        aspects=("delivery", "price"),
    )
    calm = replace(told, emotion=Labels((), (0.1,) * 6), aspects=())
    home.take(said("1", told), said("2", calm), said("3", reading()))
    one, other, silent = (tone.in_words(home.mention(f"x:{n}#acme")) for n in (1, 2, 3))
    assert one == [
        "Of the text: complaint yes (0.92); emotion anger (0.81), disgust (0.55); irony no (0.97).",
        "It speaks of delivery, price.",
    ]
    assert other == ["Of the text: complaint yes (0.92); emotion none; irony no (0.97)."]
    assert silent == []
    home.take(passed("1", "deleted", NOW + 1))
    assert tone.in_words(home.mention("x:1#acme")) == []


def test_history_and_customers_weigh_on_what_hurts_and_not_on_praise(home: RouteHome) -> None:
    for n in range(3):
        home.take(said(str(n), reading(intent="complaint"), author="goldie"))
    home.take(said("9", reading(intent="praise", reputation="positive"), author="goldie"))
    terms = {id: m.decision and {t.name: t.points for t in m.decision.terms} for id, m in home.mentions().items()}
    assert terms == {
        "x:0#acme": {"customer": 8}, "x:1#acme": {"customer": 8},
        "x:2#acme": {"customer": 8, "history": 4}, "x:9#acme": {},
    }  # fmt: skip


def test_a_conversation_that_heats_up_raises_the_risk_of_what_comes_next(home: RouteHome) -> None:
    home.take(said("0", reading(intent="other")))
    for n in range(1, 8):
        home.take(said(str(n), reading(intent="complaint"), reply_to="x:0", at=NOW + n))
    last = home.mention("x:7#acme").decision
    assert last is not None
    assert "spread" in {term.name for term in last.terms}


@pytest.mark.parametrize(
    ("origin", "age", "wakes", "late"),
    [
        ("live", 0, True, False),
        ("live", 15 * MINUTE, True, False),
        ("live", 15 * MINUTE + 1, False, False),
        ("gapfill", MINUTE, True, False),
        ("gapfill", 20 * MINUTE, False, True),
        ("gapfill", 24 * 60 * MINUTE, False, False),
        ("backfill", 0, False, False),
        ("import", 0, False, False),
        ("reprocess", 0, False, False),
    ],
)
def test_who_is_woken_is_a_matter_of_origin_and_of_when_it_was_received(
    origin: str, age: int, wakes: bool, late: bool
) -> None:
    post = Post(id="x:1", network="x", seen_at=NOW - age, event_time=NOW - 10**9, claimed_at=0, origin=origin)  # type: ignore[arg-type]
    assert (may_wake(post, NOW), found_late(post, NOW)) == (wakes, late)


@pytest.mark.parametrize(
    ("origin", "appended_after", "simulated", "wakes"),
    [
        ("live", 20 * MINUTE, True, True),
        ("live", 0, False, False),
        ("gapfill", MINUTE, True, True),
        ("gapfill", 20 * MINUTE, True, False),
        ("import", 0, True, False),
    ],
)
def test_in_simulated_time_the_machines_own_slowness_makes_nothing_late(
    origin: str, appended_after: int, simulated: bool, wakes: bool
) -> None:
    post = Post(id="x:1", network="x", seen_at=NOW, event_time=NOW, origin=origin)  # type: ignore[arg-type]
    record = Understood(post=post, appended_at=NOW + appended_after, understood_at=NOW)
    assert may_wake(post, judged_at(record, NOW + 600 * MINUTE, simulated=simulated)) is wakes


def test_a_decision_is_said_in_words_in_both_languages(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=3, terms=[("severity", 36)])))
    mention = home.mention("x:1#acme")
    english, spanish = in_words(mention), in_words(mention, home.work._desk.rules, "es")
    assert english[0] == "Queue pr, priority urgent: severe: the author calls for action against Acme Air."
    assert "grave: el autor llama a actuar contra Acme Air" in spanish[0]
    assert "Risk 36 of 100: severity +36 (because of severity)." in english
    assert "detractor:3 is true." in english
    person = Correction(person="eva", at=NOW, content_hash=hash_of("where is my bag"), queue="support")
    corrected = in_words(correct(home.engine, home.work._desk, "x:1#acme", person, NOW))
    assert "eva put it here" in corrected[0]


def test_two_decisions_are_the_same_whenever_they_were_made(home: RouteHome) -> None:
    home.take(said("1", reading()))
    mention = home.mention("x:1#acme")
    one = decide(mention, History(), RULES, READER, NOW, may_wake=True)
    assert same(one, decide(mention, History(), RULES, READER, NOW + 9, may_wake=False))
    assert not same(one, replace(one, queue="pr"))


def replayed(node: Node, facts: dict[str, bool]) -> bool:
    match node:
        case And(parts):
            return all(replayed(part, facts) for part in parts)
        case Or(parts):
            return any(replayed(part, facts) for part in parts)
        case Not(part):
            return not replayed(part, facts)
        case Equals() | Between():
            return facts[unparse(node)]
    raise AssertionError(node)
