"""Other rules over what is stored: what would move, what stays, and of what nobody can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from route_home import MINUTE, NOW, RouteHome, passed, reading, said

from query.document import Document
from query.fields import readable
from query.tree import Has
from routing.backtest import OF_POST, Backtest, Tally, sample_of
from routing.bits import reads_text
from routing.copied import MANY
from routing.corrections import correct
from routing.desk import Desk
from routing.rules import RuleSet, default_rules
from stream.records import Correction, Mention, Metrics, Scores, decode

SHIPPED = RuleSet.read(default_rules(), 1)
ALL_TO_SALES = "rules: [{name: all, when: '', queue: sales, why: 'to {brand}'}]"
SEVERE = reading(intent="complaint", detractor=3, terms=[("severity", 36)])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def tried(home: RouteHome, rules: str | None, *, whole: bool = True) -> Tally:
    read = RuleSet.read(rules) if rules is not None else None
    test = Backtest(read, lambda revision: SHIPPED if revision == 1 else "gone")
    stored = [(n, decode(Mention, body)) for n, body in home.sql("SELECT n, body FROM mention ORDER BY n")]
    if whole:
        return test.over(stored)
    total = Tally()
    for one in stored:
        total.add(test.over([one]))
    return total


def test_the_rules_that_decided_change_nothing(home: RouteHome) -> None:
    home.take(said("1", SEVERE, followers=90_000), said("2", reading()), said("3", reading("brisa", "praise")))
    before = home.sql("SELECT n, revision, body FROM mention")
    for rules in (default_rules(), None):
        found = tried(home, rules)
        assert (found.mentions, found.moves.total(), found.otherwise) == (3, 0, 0)
        assert found.old.queues == found.new.queues == {"pr": 1, "support": 1, "none": 1}
        assert found.old.alerts == found.new.alerts
        assert [(one.at, one.kind, one.queue, one.risk) for one in found.old.alerts] == [(NOW, "mention", "pr", 45)]
    assert home.sql("SELECT n, revision, body FROM mention") == before


def test_what_would_move_is_counted_and_drawn_with_both_reasons(home: RouteHome) -> None:
    home.take(said("1", SEVERE), said("2", reading()), said("3", reading(intent="purchase_interest")))
    for whole in (True, False):
        found = tried(home, ALL_TO_SALES, whole=whole)
        assert found.moves == {("pr", "sales"): 1, ("support", "sales"): 1}
        assert found.otherwise == 1, "it is in sales already, by another rule"
        assert found.new.rules == {"all": 3}
        assert (found.old.asked, found.new.asked) == (1, 0)
        drawn = sample_of(found, 9)
        assert [(one.mention, one.old_rule, one.new_why) for one in drawn] == [
            ("x:1#acme", "severe-detractor", "to acme"), ("x:2#acme", "help", "to acme"),
        ]  # fmt: skip
        assert len(sample_of(found, 1)) == 1


def test_of_every_pair_of_queues_as_many_are_drawn(home: RouteHome) -> None:
    home.take(said("0", SEVERE), *[said(str(n), reading()) for n in range(1, 12)])
    drawn = sample_of(tried(home, ALL_TO_SALES), 4)
    assert [one.old_queue for one in drawn] == ["pr", "support", "support", "support"]


def test_what_people_stated_stays_and_is_held_against_both(home: RouteHome) -> None:
    home.take(said("1", reading()), said("2", reading()), said("3", replace(reading(), about=Scores("no", (0.9, 0.1)))))
    for id, words in (("x:1#acme", {"queue": "sales"}), ("x:2#acme", {"queue": "support", "sentiment": "negative"})):
        word = Correction(person="ana", at=NOW, content_hash=home.mention(id).content_hash, **words)  # type: ignore[arg-type]
        correct(home.engine, Desk(home.registry.current()), id, word, NOW + 1)
    found = tried(home, ALL_TO_SALES)
    assert (found.persons, found.agreed, found.would_agree) == (2, 1, 1)
    assert (found.left_out, found.moves.total()) == (1, 0)
    assert found.new.queues == found.old.queues


def test_what_is_gone_is_counted_and_what_expired_is_told_from_the_record(home: RouteHome) -> None:
    home.take(
        said("1", SEVERE, followers=90_000), said("2", SEVERE, followers=20), said("3", SEVERE), said("4", reading())
    )
    home.take(*[passed(str(n), "expired", NOW + 9) for n in (1, 2, 4)], passed("3", "deleted", NOW + 9))
    labels = "rules: [{name: a, when: 'intent:complaint', queue: sales}]"
    found = tried(home, labels)
    assert (dict(found.gone), found.mentions, found.unknown) == ({"deleted": 1}, 3, 0)
    assert found.moves == {("pr", "sales"): 2, ("support", "none"): 1}
    asked = "rules: [{name: a, when: 'intent:complaint -followers:>=10000', queue: sales}]"
    found = tried(home, asked)
    told = "the shipped rules ask for followers too, but all parts of a rule are asked at once"
    assert (found.unknown, found.new.rules["a"]) == (0, 1), told
    words = "rules: [{name: a, when: 'intent:complaint bag', queue: sales}]"
    assert tried(home, words).unknown == 2, "nobody knows whether the bag was in it"
    assert tried(home, words).new.rules == {"severe-detractor": 2, "default": 1}


def test_every_field_that_an_expired_mention_has_no_more_counts_as_unknown(home: RouteHome) -> None:
    claim = replace(reading(terms=[("legal", 9)]), aspects=("delivery",), spam=("links",))
    post = {
        "media": ("https://x.example/a.png",), "link": "https://x.example/1", "reply_to": "x:0", "quote_of": "x:9",
        "country": "ES", "query_ids": ("q",), "edited_at": NOW, "source_id": "stream", "rating": 2,
    }  # fmt: skip
    text = "@acme see https://acme.example #late"
    metrics = Metrics(likes=1, reposts=1, replies=1, views=1)
    home.take(said("1", claim, text=text, author="ana", followers=5, metrics=metrics, **post))
    before = home.mention("x:1#acme")
    before = replace(before, post=replace(before.post, author=replace(before.post.author, verified=True)), copies=2)
    home.take(passed("1", "expired", NOW + 9))
    held, left = Document(before), Document(home.mention("x:1#acme"))
    asked = [field.name for field in readable("rule")]
    unsaid = {field for field in asked if held[field] is None}
    assert unsaid == {"complaint", "emotion", "irony", "offensive", "review"}, "all others are tried"
    lost = {field for field in asked if held[field] != left[field]}
    assert lost <= {field for field in asked if field in OF_POST or reads_text(Has(field))}


def test_a_part_that_was_asked_that_day_is_known_after_the_text_is_gone(home: RouteHome) -> None:
    claim = reading(intent="complaint", detractor=3, terms=[("legal", 9)])
    home.take(said("1", claim, followers=90_000), said("2", claim, followers=20))
    home.take(passed("1", "expired", NOW + 9), passed("2", "expired", NOW + 9))
    found = tried(home, "rules: [{name: a, when: 'intent:complaint -followers:>=10000', queue: sales}]")
    assert (found.unknown, found.moves) == (0, {("support", "sales"): 1, ("pr", "none"): 1})


def test_what_was_marked_as_spam_by_its_copies_is_so_after_it_expired(tmp_path: Path) -> None:
    rules = "rules: [{name: a, when: 'intent:other spam:no', queue: sales}]"
    home = RouteHome(tmp_path, rules, durable=False)
    offer = replace(said("0", reading(intent="other"), text="Acme coupon, click https://a.example/get"), fingerprint=9)
    posts = [replace(offer, post=replace(offer.post, id=f"x:{n}")) for n in range(MANY + 2)]
    home.take(*posts)
    last = home.mention(f"x:{MANY + 1}#acme")
    assert (last.spam, last.decision and last.decision.queue) == (("copies",), "none")
    home.take(*[passed(post.post.id.removeprefix("x:"), "expired", NOW + 9) for post in posts])
    of_day = RuleSet.read(rules, 1)
    stored = [(n, decode(Mention, body)) for n, body in home.sql("SELECT n, body FROM mention ORDER BY n")]
    found = Backtest(RuleSet.read(rules), lambda _: of_day).over(stored)
    home.close()
    assert (found.mentions, found.moves, found.otherwise, found.unknown) == (MANY + 2, {}, 0, 0)


def test_only_what_was_young_when_it_came_would_have_woken_anybody(home: RouteHome) -> None:
    late = said("3", SEVERE, at=NOW - 60 * MINUTE, origin="gapfill")
    home.take(
        said("1", SEVERE), said("2", SEVERE, origin="import"), replace(late, appended_at=NOW), said("4", SEVERE, at=NOW)
    )
    found = tried(home, None)
    assert found.old.asked == 4
    assert sorted(one.kind for one in found.old.alerts) == ["found_late", "mention", "mention"]


def test_replies_about_a_brand_are_one_matter_and_in_support_one_of_each_author(home: RouteHome) -> None:
    home.take(said("1", SEVERE, author="ana"))
    home.take(said("2", SEVERE, author="bea", reply_to="x:1"), said("3", SEVERE, author="ana", reply_to="x:1"))
    matters = [one.matter for one in tried(home, None).old.alerts]
    assert len(matters) == 3
    assert len(set(matters)) == 1
    support = "rules: [{name: a, when: '', queue: support, alert: true}]"
    assert len({one.matter for one in tried(home, support).new.alerts}) == 2


def test_what_a_rule_holds_wakes_nobody_and_what_it_does_with_cases_is_another_effect(home: RouteHome) -> None:
    home.take(said("1", replace(SEVERE, review=("intent",))), said("2", SEVERE))
    held = default_rules().replace("  - name: severe-detractor\n", "  - name: severe-detractor\n    hold: true\n")
    found = tried(home, held)
    assert (len(found.old.alerts), len(found.new.alerts), found.new.asked) == (2, 1, 2)
    assert (found.moves.total(), found.otherwise) == (0, 2)
