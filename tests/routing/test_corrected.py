"""What a person states of a mention stands, and what nobody stated yields to it: labels, queue, risk and alert."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from route_home import NOW, RouteHome, reading, said

from query.document import Document
from query.labels import labels as labels_of
from query.labels import overruled, possible
from routing.corrections import correct
from routing.desk import Desk
from routing.explain import in_words
from stream.guidelines import allowed, queue_of
from stream.records import DETRACTOR_LEVELS, INTENTS, SENTIMENTS, Correction, Decision, Mention, Scores, Understanding

BOYCOTT = reading(
    intent="churn_threat", detractor=3, terms=[("severity", 34), ("legal", 9), ("boycott", 9), ("leaving", 6)],
    suggested="pr",
)  # fmt: skip
MENTION = Mention(id="x:1#acme", revision=1, post_id="x:1", brand="acme", network="x", event_time=NOW)
LEAD = reading(intent="purchase_interest")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def say(home: RouteHome, **words: str) -> tuple[Mention, Decision]:
    held = home.mention("x:1#acme")
    word = Correction(person="ana", at=NOW + 5, content_hash=held.content_hash)
    found = correct(home.engine, Desk(home.registry.current()), held.id, replace(word, **words), NOW + 5)
    assert found.decision is not None
    return found, found.decision


def labels(mention: Mention) -> tuple[object, ...]:
    document = Document(mention)
    return tuple(document[field] for field in ("reputation", "intent", "detractor", "suggested"))


def test_a_boycott_that_a_person_calls_praise_is_nobody_s_work(home: RouteHome) -> None:
    home.take(said("1", BOYCOTT))
    before = home.mention("x:1#acme").decision
    assert before is not None
    assert (before.rule, before.queue, before.alert) == ("boycott", "pr", True)
    found, decision = say(home, reputation="positive", intent="praise")
    assert labels(found) == (("positive",), ("praise",), 0, ("none",))
    assert (decision.queue, decision.alert, decision.risk, decision.terms) == ("none", False, 0, ())
    assert home.counted()["severe"] == home.counted()["detractors"] == 0
    assert home.live_cases() == []


def test_a_reputation_alone_takes_level_and_complaint_along(home: RouteHome) -> None:
    complaint = replace(
        reading(intent="complaint", detractor=2, terms=[("severity", 20), ("press", 7), ("public issue", 1)]),
        intent=Scores("complaint", (0.05, 0.02, 0.01, 0.1, 0.8, 0.0, 0.0, 0.02)),
    )
    home.take(said("1", complaint))
    found, decision = say(home, reputation="neutral")
    assert labels(found) == (("neutral",), ("help_request",), 0, ("support",)), "the likeliest that is allowed"
    assert (decision.rule, decision.risk, decision.terms) == ("help", 0, ())


def test_a_complaint_that_a_person_calls_positive_is_praise(home: RouteHome) -> None:
    """The model's shares of other intents are those of a negative reading: they would make it an affair or a lead."""
    p = (0.3, 0.02, 0.1, 0.05, 0.5, 0.0, 0.01, 0.02)
    complaint = replace(reading(intent="complaint", detractor=2), intent=Scores("complaint", p))
    home.take(said("1", complaint))
    found, decision = say(home, reputation="positive")
    assert labels(found) == (("positive",), ("praise",), 0, ("none",))
    assert decision.queue == "none"


def test_a_complaint_that_a_person_states_reaches_those_who_can_act(home: RouteHome) -> None:
    home.take(said("1", LEAD))
    found, decision = say(home, intent="complaint", reputation="negative", detractor="1")
    assert labels(found) == (("negative",), ("complaint",), 1, ("support",))
    assert (decision.queue, decision.rule) == ("support", "complaint-to-solve")


def test_a_queue_that_a_person_states_says_whether_one_can_act(home: RouteHome) -> None:
    home.take(said("1", LEAD))
    found, decision = say(home, intent="complaint", queue="none")
    assert labels(found) == (("negative",), ("complaint",), 0, ("none",))
    assert (decision.queue, decision.rule) == ("none", "person")


def test_a_term_stays_where_the_labels_bear_it(home: RouteHome) -> None:
    home.take(said("1", BOYCOTT))
    found, decision = say(home, intent="complaint", detractor="0")
    assert labels(found) == (("negative",), ("complaint",), 0, ("support",))
    assert [term.name for term in decision.terms] == ["legal", "boycott"]


def test_a_word_about_the_sentiment_or_the_queue_alone_moves_no_other_label(home: RouteHome) -> None:
    home.take(said("1", BOYCOTT))
    found, decision = say(home, sentiment="neutral", queue="support")
    assert labels(found) == (("negative",), ("churn_threat",), 3, ("pr",))
    assert decision.terms == BOYCOTT.terms


def test_no_reputation_or_level_is_stated_of_a_category(home: RouteHome) -> None:
    of_flights = replace(reading("flights", "complaint"), reputation=None, detractor=Scores("0", (1.0, 0.0, 0.0, 0.0)))
    home.take(said("1", of_flights))
    for word in ({"detractor": "2"}, {"reputation": "negative"}):
        with pytest.raises(ValueError, match="flights is a category, which has no reputation"):
            correct(
                home.engine,
                home.work._desk,
                "x:1#flights",
                Correction(person="ana", at=NOW, content_hash="", **word),
                NOW,
            )
    assert home.mention("x:1#flights").correction is None


def test_what_contradicts_itself_is_refused_with_all_that_was_stated(home: RouteHome) -> None:
    home.take(said("1", BOYCOTT))
    with pytest.raises(ValueError, match=r"reputation positive, detractor 2 cannot stand together"):
        say(home, reputation="positive", detractor="2")
    assert home.mention("x:1#acme").correction is None


@given(
    reputation=st.none() | st.sampled_from(SENTIMENTS),
    intent=st.none() | st.sampled_from(INTENTS),
    detractor=st.none() | st.sampled_from(DETRACTOR_LEVELS),
    read=st.sampled_from([reading(intent=intent) for intent in INTENTS if intent != "praise"] + [BOYCOTT]),
    kind=st.sampled_from(("own", "category")),
)
def test_labels_that_stand_say_what_was_stated_and_contradict_no_guideline(
    reputation: str | None, intent: str | None, detractor: str | None, read: Understanding, kind: str
) -> None:
    word = Correction(
        person="ana", at=NOW, content_hash="", reputation=reputation, intent=intent, detractor=detractor
    )  # fmt: skip
    if kind == "category":
        read = replace(read, reputation=None, detractor=Scores("0", (1.0, 0.0, 0.0, 0.0)), suggested="none")
    found = labels_of(replace(MENTION, understanding=read, correction=word))
    for head in ("reputation", "intent", "detractor"):
        assert getattr(word, head) in (None, getattr(found, head))
    assert found.intent is not None
    assert found.detractor is not None
    level_alone = kind == "category" and reputation is None and detractor not in (None, "0")
    if possible(word) and not level_alone:
        assert allowed(found.reputation, found.intent, int(found.detractor))
        acts = {queue_of(found.intent, int(found.detractor), act) for act in (True, False)}
        assert not overruled(replace(MENTION, correction=word)) or found.suggested in acts


def test_what_a_person_stated_and_what_followed_is_told(home: RouteHome) -> None:
    home.take(said("1", BOYCOTT))
    told = in_words(say(home, reputation="positive", intent="praise")[0])
    assert "ana stated: reputation positive, intent praise." in told
    assert (
        "From that follows: detractor 0 (read: 3), suggested none (read: pr); "
        "left out of the risk: severity, legal, boycott, leaving." in told
    )
    assert not any("follows" in line for line in in_words(say(home, sentiment="negative", intent="churn_threat")[0]))
