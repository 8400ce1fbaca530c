"""What becomes of a mention: edits, deletes, metrics, reposts, replies, corrections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from route_home import BRANDS, MINUTE, NOW, SECOND, RouteHome, hash_of, passed, reading, said

from database.base import metadata
from database.engine import write
from routing.corrections import NoSuchMention, correct, decide_anew
from routing.erasure import expire, forget_unmatched, wipe
from stream.ports import InForce
from stream.records import Author, Correction, Metrics, Scores
from tests.places import only_sqlite

DAY = 86_400_000


HOUR = 3_600_000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def test_a_post_about_two_brands_is_two_mentions(home: RouteHome) -> None:
    home.take(said("1", reading("acme"), reading("brisa", "praise", reputation="positive")))
    assert home.mention("x:1#acme").decision.queue == "support"  # type: ignore[union-attr]
    assert home.mention("x:1#brisa").decision.queue == "none"  # type: ignore[union-attr]
    assert home.counted()["mentions"] == 2


def test_a_post_about_no_brand_leaves_its_id_parent_and_author_and_no_text(home: RouteHome) -> None:
    home.take(said("1", text="nothing that anybody listens for"))
    assert home.sql("SELECT id, state FROM post") == [("x:1", "live")]
    assert home.mentions() == {}
    assert b"anybody listens" not in home.bytes_on_disk()


def test_an_edit_that_drops_the_brand_retracts_the_mention(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1), text="acme lost my bag"))
    home.take(said("1", text="somebody lost my bag", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.revision, mention.post) == ("retracted", 2, None)
    assert home.counted() == dict.fromkeys(home.counted(), 0)
    assert home.live_cases() == []


def test_an_edit_that_adds_the_brand_makes_a_mention_and_one_that_brings_it_back_revives_it(home: RouteHome) -> None:
    home.take(said("1", text="first"))
    home.take(said("1", reading(), text="second acme", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    home.take(said("1", text="third", kind="edited", edited_at=NOW + 2, at=NOW + 2))
    home.take(said("1", reading(), text="fourth acme", kind="edited", edited_at=NOW + 3, at=NOW + 3))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.revision) == ("live", 3)
    assert mention.post is not None
    assert mention.post.text == "fourth acme"
    assert home.counted()["mentions"] == 1


def test_only_an_equal_or_higher_generation_may_retract(home: RouteHome) -> None:
    home.take(said("1", reading(), text="same", generation=5))
    home.take(said("1", text="same", generation=4))
    assert home.mention("x:1#acme").state == "live"
    home.take(said("1", text="same", generation=5))
    assert home.mention("x:1#acme").state == "retracted"


@pytest.mark.parametrize("deleted", [False, True])
def test_an_edit_that_drops_the_brand_retracts_whatever_read_the_text_before_it(home: RouteHome, deleted: bool) -> None:
    home.take(said("1", reading(), text="acme robbed me", generation=3))
    edit = said("1", text="nothing to see", kind="edited", edited_at=NOW + 1, at=NOW + 1, generation=2)
    home.take(edit, *([passed("1", "deleted", NOW + 2)] if deleted else []))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post) == ("retracted", None)


def test_what_expired_is_retracted_by_a_newer_text_without_the_brand(home: RouteHome) -> None:
    home.take(said("1", reading(), text="acme robbed me", generation=3))
    home.take(passed("1", "expired", NOW + 1))
    again = said("1", text="acme robbed me", at=NOW + 2, generation=2)
    home.take(again)
    assert home.mention("x:1#acme").state == "expired", "of the same text the higher generation holds"
    home.take(said("1", text="nothing to see", kind="edited", edited_at=NOW + 3, at=NOW + 3, generation=2))
    assert home.mention("x:1#acme").state == "retracted"
    assert home.counted()["mentions"] == 0


def test_of_an_edit_too_the_better_reading_holds_whatever_read_the_text_before_it(home: RouteHome) -> None:
    home.take(said("1", reading(), text="first", generation=3, tier="accurate"))
    edit = {"text": "second", "kind": "edited", "edited_at": NOW + 1, "at": NOW + 1}
    home.take(said("1", reading(intent="praise"), generation=2, tier="linear", **edit))
    home.take(said("1", reading(intent="complaint"), generation=2, tier="fast", **edit))
    home.take(said("1", reading(intent="praise"), generation=1, tier="accurate", **edit))
    mention = home.mention("x:1#acme")
    assert (mention.understanding and mention.understanding.intent.label, mention.revision) == ("complaint", 3)


def test_a_reading_of_a_lower_generation_or_tier_never_replaces_a_better_one(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint"), generation=2, tier="accurate"))
    home.take(said("1", reading(intent="praise", reputation="positive"), generation=2, tier="linear"))
    home.take(said("1", reading(intent="praise", reputation="positive"), generation=1, tier="accurate"))
    mention = home.mention("x:1#acme")
    assert (mention.understanding and mention.understanding.intent.label, mention.revision) == ("complaint", 1)


def test_an_older_version_that_comes_late_changes_nothing(home: RouteHome) -> None:
    home.take(
        said(
            "1",
            reading(),
            text="edited",
            kind="edited",
            edited_at=NOW + 5 * SECOND,
            at=NOW + 5 * SECOND,
            event_time=NOW,
        )
    )
    home.take(said("1", reading(intent="complaint"), text="original"))
    mention = home.mention("x:1#acme")
    assert mention.post is not None
    assert (mention.post.text, mention.revision) == ("edited", 1)


def test_the_same_record_twice_is_one_revision(home: RouteHome) -> None:
    record = said("1", reading())
    home.take(record)
    before = home.sql("SELECT count(*) FROM outbox")
    home.take(record)
    home.take(record, record)
    assert home.mention("x:1#acme").revision == 1
    assert home.sql("SELECT count(*) FROM outbox") == before
    assert home.counted()["mentions"] == 1


def test_metrics_make_a_revision_only_when_a_bucket_of_reach_changes(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=2), followers=50))
    home.take(passed("1", "metrics", NOW + 1, metrics=Metrics(likes=4)))
    assert home.mention("x:1#acme").revision == 1
    home.take(passed("1", "metrics", NOW + 2, metrics=Metrics(likes=400)))
    mention = home.mention("x:1#acme")
    assert mention.revision == 2
    assert mention.decision is not None
    assert mention.post is not None
    assert mention.post.metrics == Metrics(likes=400)
    assert [term.name for term in mention.decision.terms] == ["reactions"]
    home.take(passed("1", "metrics", NOW + 1, metrics=Metrics(likes=90_000)))
    assert home.mention("x:1#acme").revision == 2, "older metrics came later"


def test_metrics_that_arrive_before_their_post_are_remembered(home: RouteHome) -> None:
    home.take(passed("1", "metrics", NOW + 9, metrics=Metrics(likes=400)))
    home.take(said("1", reading(intent="complaint"), metrics=Metrics(likes=1)))
    post = home.mention("x:1#acme").post
    assert post is not None
    assert post.metrics == Metrics(likes=400)


def test_a_deleted_post_leaves_no_text_author_case_or_count(home: RouteHome) -> None:
    secret = "a sentence that must not survive"
    home.take(said("1", reading(intent="complaint", detractor=1), text=secret, author="petra"))
    home.take(passed("1", "deleted", NOW + 1))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post, mention.understanding, mention.decision) == ("deleted", None, None, None)
    assert (mention.case_id, mention.content_hash, mention.fingerprint) == (None, "", 0)
    assert home.counted() == dict.fromkeys(home.counted(), 0)
    assert home.live_cases() == []
    assert wipe(home.engine)
    assert secret.encode() not in home.bytes_on_disk()
    assert b"petra" not in home.bytes_on_disk()


def test_a_delete_that_arrives_before_its_post_is_remembered_and_wins(home: RouteHome) -> None:
    home.take(passed("1", "deleted", NOW - 1))
    home.take(said("1", reading(), text="late and unwanted"))
    assert home.mention("x:1#acme").state == "deleted"
    assert home.sql("SELECT count(*) FROM outbox") == [(0,)]
    assert home.live_cases() == []
    assert b"late and unwanted" not in home.bytes_on_disk()


def test_a_delete_wins_over_edits_and_metrics_of_any_time(home: RouteHome) -> None:
    home.take(said("1", reading()))
    home.take(passed("1", "deleted", NOW + 1))
    home.take(said("1", reading(), text="edited after", kind="edited", edited_at=NOW + 9, at=NOW + 9))
    home.take(passed("1", "metrics", NOW + 10, metrics=Metrics(likes=9_000)))
    assert home.mention("x:1#acme").state == "deleted"


def test_only_a_later_restore_lifts_a_delete(home: RouteHome) -> None:
    home.take(said("1", reading(), text="here"))
    home.take(passed("1", "deleted", NOW + 10))
    home.take(said("1", reading(), text="here", kind="restored", at=NOW + 5))
    assert home.mention("x:1#acme").state == "deleted"
    home.take(said("1", reading(), text="here", kind="restored", at=NOW + 20))
    mention = home.mention("x:1#acme")
    assert mention.state == "live"
    assert mention.post is not None
    assert (mention.post.text, mention.decision and mention.decision.queue) == ("here", "support")
    assert home.counted()["mentions"] == 1
    assert len(home.live_cases()) == 1


def test_a_restore_without_text_lifts_the_delete_and_the_text_comes_back_once_it_is_seen_again(home: RouteHome) -> None:
    home.take(said("1", reading(), text="here", claimed_at=NOW - 9))
    home.take(passed("1", "deleted", NOW + 10))
    home.take(said("1", text="", kind="restored", at=NOW + 20))
    assert home.mention("x:1#acme").state == "deleted"
    home.take(said("1", reading(), text="here", claimed_at=NOW - 9, at=NOW + 30))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post and mention.post.text) == ("live", "here")
    assert home.counted()["mentions"] == 1


def test_a_restore_without_text_takes_nothing_from_a_post_that_stands(home: RouteHome) -> None:
    home.take(said("1", reading(), text="here", claimed_at=NOW - 9))
    home.take(said("1", text="", kind="restored", at=NOW + 20))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post and mention.post.text) == ("live", "here")


def test_forgotten_is_never_lifted(home: RouteHome) -> None:
    home.take(said("1", reading()), passed("1", "forgotten", NOW + 1))
    home.take(said("1", reading(), kind="restored", at=NOW + 20))
    assert home.mention("x:1#acme").state == "forgotten"
    assert home.sql("SELECT author FROM post") == [(None,)]


def test_an_account_that_goes_away_takes_its_posts_along_also_those_that_come_later(home: RouteHome) -> None:
    home.take(
        said("1", reading(), author="ann"), said("2", reading(), author="ann"), said("3", reading(), author="bob")
    )
    home.take(passed("x:@ann", "author_gone", NOW + 5, author=Author(id="ann")))
    home.sweep()
    home.take(said("4", reading(), author="ann", at=NOW + 1), said("5", reading(), author="ann", at=NOW + 60))
    home.take(passed("x:@ann", "author_gone", NOW + 5, author=Author(id="ann")))
    states = {id: mention.state for id, mention in home.mentions().items()}
    assert states == {
        "x:1#acme": "deleted",
        "x:2#acme": "deleted",
        "x:3#acme": "live",
        "x:4#acme": "deleted",
        "x:5#acme": "live",
    }


def test_an_account_that_comes_back_lifts_it_and_text_returns_when_it_is_seen_again(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann", text="words"))
    home.take(passed("x:@ann", "author_gone", NOW + 5, author=Author(id="ann")))
    home.sweep()
    home.take(passed("x:@ann", "author_back", NOW + 9, author=Author(id="ann")))
    home.sweep()
    assert home.mention("x:1#acme").state == "deleted"
    home.take(said("1", reading(), author="ann", text="words", at=NOW + 12))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post and mention.post.text) == ("live", "words")


def test_expired_keeps_the_counts_and_the_decision_and_loses_text_and_author(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1), text="words to expire", author="petra"))
    counted = home.counted()
    home.take(passed("1", "expired", NOW + 1))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post) == ("expired", None)
    assert mention.decision is not None
    assert home.counted() == counted
    assert wipe(home.engine)
    assert b"words to expire" not in home.bytes_on_disk()
    assert b"petra" not in home.bytes_on_disk()
    home.take(passed("1", "deleted", NOW + 2))
    assert home.counted() == dict.fromkeys(counted, 0), "a delete takes it back"


def test_retention_expires_what_is_old_and_nothing_else(home: RouteHome) -> None:
    home.take(said("1", reading(), at=NOW - 100 * DAY), said("2", reading(), at=NOW), said("3", at=NOW - 100 * DAY))
    swept = expire(home.engine, home.work._desk, NOW - 90 * DAY, NOW)
    assert (swept.changed, swept.done) == (2, True)
    assert {id: m.state for id, m in home.mentions().items()} == {"x:1#acme": "expired", "x:2#acme": "live"}


def test_what_expired_is_kept_anew_once_it_is_seen_again(home: RouteHome) -> None:
    home.take(said("1", reading(), text="words of acme", at=NOW - 100 * DAY))
    counted = home.counted()
    expire(home.engine, home.work._desk, NOW - 90 * DAY, NOW)
    home.take(said("1", reading(), text="words of acme", at=NOW - 100 * DAY))
    assert home.mention("x:1#acme").state == "expired", "an old sighting that comes again is no new one"
    home.take(said("1", reading(), text="words of acme", at=NOW + 5, event_time=NOW - 100 * DAY))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post and mention.post.text) == ("live", "words of acme")
    assert home.counted() == counted
    assert expire(home.engine, home.work._desk, NOW - 90 * DAY, NOW + DAY).changed == 0


def test_ids_of_posts_about_no_brand_are_forgotten_after_their_time(home: RouteHome) -> None:
    home.take(said("1", at=NOW - 40 * DAY), said("2", reading(), at=NOW - 40 * DAY), said("3", at=NOW))
    assert forget_unmatched(home.engine, NOW - 30 * DAY, NOW).changed == 1
    assert home.sql("SELECT id FROM post ORDER BY n") == [("x:2",), ("x:3",)]


def test_a_reply_belongs_to_the_brand_of_the_post_that_it_answers(home: RouteHome) -> None:
    home.take(said("1", reading()))
    home.take(said("2", reply_to="x:1", unnamed=reading("", "complaint"), text="me too"))
    home.take(said("3", reply_to="x:2", unnamed=reading("", "complaint"), text="and me"))
    for id in ("x:2#acme", "x:3#acme"):
        understanding = home.mention(id).understanding
        assert understanding is not None
        assert (understanding.matched_by, understanding.brand) == ("parent", "acme")
        assert home.mention(id).conversation == "x:1"


def test_a_reply_to_a_post_about_a_category_has_no_reputation_either(home: RouteHome) -> None:
    angry = replace(
        reading("", "public_issue", detractor=3, terms=[("severity", 30), ("legal", 12), ("leaving", 3), ("press", 1)]),
        intent=Scores("public_issue", (0.45, 0.05, 0.0, 0.2, 0.3, 0.0, 0.0, 0.0)),
        reputation=Scores("negative", (0.9, 0.1, 0.0)),
        review=("reputation", "sentiment"),
    )
    home.take(said("1", reading("flights")), said("2", reply_to="x:1", unnamed=angry, text="sue them"))
    found = home.mention("x:2#flights").understanding
    assert found is not None
    assert (found.reputation, found.detractor.label, found.suggested) == (None, "0", "pr")
    assert [(term.name, term.points) for term in found.terms] == [("legal", 6.0)]
    assert found.review == ("sentiment",)
    home.take(said("1", reading("flights"), text="flights of acme", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    home.take(said("1", reading("flights"), reading("acme"), kind="edited", edited_at=NOW + 2, at=NOW + 2))
    assert home.mention("x:2#flights").understanding == found


def test_a_reply_that_names_a_brand_is_about_that_one_only(home: RouteHome) -> None:
    home.take(said("1", reading("acme")), said("2", reading("brisa"), reply_to="x:1", unnamed=reading("")))
    assert set(home.mentions()) == {"x:1#acme", "x:2#brisa"}


def test_a_reply_follows_the_post_that_it_answers_from_brand_to_brand_and_back(home: RouteHome) -> None:
    """Semantics 18: an edit of the answered post makes and retracts the mentions of its replies."""
    home.take(said("1", reading("acme"), text="acme"))
    home.take(said("2", text="me too", reply_to="x:1", unnamed=reading("")))
    for place, brand in enumerate(("brisa", "acme", "brisa"), 1):
        home.take(
            said("1", reading(brand), text=f"{brand} {place}", kind="edited", edited_at=NOW + place, at=NOW + place)
        )
        live = {m.id: m for m in home.mentions().values() if m.state == "live"}
        assert set(live) == {f"x:1#{brand}", f"x:2#{brand}"}
        post = live[f"x:2#{brand}"].post
        assert post is not None
        assert post.text == "me too"
        assert home.counted()["mentions"] == 2


def test_a_parent_that_arrives_late_makes_mentions_of_its_replies(home: RouteHome) -> None:
    home.take(said("3", reply_to="x:2", unnamed=reading("", "complaint")))
    home.take(said("2", reply_to="x:1", unnamed=reading("", "complaint")))
    assert home.mentions() == {}
    home.take(said("1", reading()))
    assert set(home.mentions()) == {"x:1#acme", "x:2#acme", "x:3#acme"}
    assert {m.conversation for m in home.mentions().values()} == {"x:1"}
    assert home.sql("SELECT count(*) FROM waiting") == [(0,)]


def test_a_reply_loses_its_brand_when_the_post_that_it_answers_does_and_gets_it_back(home: RouteHome) -> None:
    home.take(
        said("1", reading(), text="acme"), said("2", reply_to="x:1", unnamed=reading("", "complaint"), text="yes")
    )
    home.take(said("1", text="none", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    assert {m.state for m in home.mentions().values()} == {"retracted"}
    home.take(said("1", reading(), text="acme again", kind="edited", edited_at=NOW + 2, at=NOW + 2))
    reply = home.mention("x:2#acme")
    assert (reply.state, reply.post and reply.post.text) == ("live", "yes")


def test_a_reply_that_waits_is_wiped_when_it_is_deleted(home: RouteHome) -> None:
    home.take(said("2", reply_to="x:1", unnamed=reading(""), text="waiting in vain"))
    home.take(passed("2", "deleted", NOW + 1))
    home.take(said("1", reading()))
    assert home.mention("x:1#acme").state == "live"
    assert "x:2#acme" not in home.mentions()
    wipe(home.engine)
    assert b"waiting in vain" not in home.bytes_on_disk()


def test_a_pure_repost_is_an_observation_on_the_original(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint")))
    home.take(said("9", reading(intent="complaint"), repost_of="x:1", metrics=Metrics(reposts=500), at=NOW + 3))
    assert set(home.mentions()) == {"x:1#acme"}
    post = home.mention("x:1#acme").post
    assert post is not None
    assert post.metrics == Metrics(reposts=500)


def test_own_posts_enter_neither_queue_nor_risk_nor_counts_of_sentiment(home: RouteHome) -> None:
    own = reading(intent="public_issue", reputation="negative", detractor=3, terms=[("severity", 30)], speaker="own")
    home.take(said("1", own, followers=900_000))
    decision = home.mention("x:1#acme").decision
    assert decision is not None
    assert (decision.queue, decision.risk, decision.terms) == ("none", 0, ())
    assert home.counted() == {**dict.fromkeys(home.counted(), 0), "own": 1}
    assert home.alerts() == []


def test_a_severe_live_post_wakes_and_an_old_one_does_not(home: RouteHome) -> None:
    severe = reading(intent="complaint", detractor=3)
    home.take(said("1", severe))
    home.take(said("2", severe, at=NOW - 16 * MINUTE))
    home.take(
        said("3", severe, origin="backfill"), said("4", severe, origin="import"), said("5", severe, origin="reprocess")
    )
    assert [alert[0] for alert in home.alerts()] == ["mention"]
    assert {id: m.decision and m.decision.may_wake for id, m in home.mentions().items()} == {
        "x:1#acme": True, "x:2#acme": False, "x:3#acme": False, "x:4#acme": False, "x:5#acme": False
    }  # fmt: skip
    assert home.counted()["severe"] == 5


def test_a_severe_post_found_late_by_gap_filling_is_told_as_such(home: RouteHome) -> None:
    severe = reading(intent="complaint", detractor=3)
    home.take(said("1", severe, at=NOW - 3 * 3_600_000, origin="gapfill"))
    home.take(said("2", severe, at=NOW - 25 * 3_600_000, origin="gapfill"))
    home.take(said("3", severe, at=NOW - MINUTE, origin="gapfill"))
    assert [alert[0] for alert in home.alerts()] == ["found_late", "mention"]


def test_a_mention_alerts_again_only_when_it_is_worse(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=3, terms=[("severity", 30)])))
    home.take(
        said(
            "1",
            reading(intent="complaint", detractor=3, terms=[("severity", 30)]),
            text="typo",
            kind="edited",
            edited_at=NOW + 1,
            at=NOW + 1,
        )
    )
    assert len(home.alerts()) == 1
    home.take(passed("1", "metrics", NOW + 2, metrics=Metrics(likes=20_000)))
    assert len(home.alerts()) == 2, "it went viral"
    home.take(passed("1", "metrics", NOW + 3, metrics=Metrics(likes=20_001)))
    assert len(home.alerts()) == 2, "and did not get worse after that"


def test_reach_that_is_only_learnt_of_later_wakes_nobody(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=3, terms=[("severity", 30)]), origin="import"))
    home.take(passed("1", "metrics", NOW + 2, metrics=Metrics(likes=20_000), origin="import"))
    home.take(passed("1", "metrics", NOW - 3 * HOUR, metrics=Metrics(likes=40_000)))
    assert home.alerts() == []


def test_a_correction_wins_over_the_model_and_over_every_re_scoring(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=3), text="ironic praise"))
    hash = home.mention("x:1#acme").content_hash
    person = Correction(person="eva", at=NOW, content_hash=hash, intent="praise", reputation="positive", detractor="0")
    corrected = correct(home.engine, home.work._desk, "x:1#acme", person, NOW)
    assert corrected.decision is not None
    assert corrected.understanding is not None
    assert (corrected.decision.queue, corrected.understanding.intent.label) == ("none", "complaint")
    home.take(said("1", reading(intent="complaint", detractor=2), text="ironic praise", generation=9))
    mention = home.mention("x:1#acme")
    assert mention.correction == corrected.correction
    assert mention.decision is not None
    assert mention.decision.queue == "none"
    assert home.counted()["severe"] == 0
    assert home.live_cases() == []
    assert len(home.sql("SELECT * FROM decision")) == 2, "the decisions that were replaced are kept"


def test_an_edit_flags_a_correction_for_review(home: RouteHome) -> None:
    home.take(said("1", reading(), text="one"))
    person = Correction(person="eva", at=NOW, content_hash=hash_of("one"), queue="sales")
    correct(home.engine, home.work._desk, "x:1#acme", person, NOW)
    home.take(said("1", reading(), text="two", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    mention = home.mention("x:1#acme")
    assert mention.correction is not None
    assert mention.decision is not None
    assert (mention.correction.stale, mention.decision.queue, mention.decision.person) == (True, "sales", "eva")


def test_a_correction_is_refused_with_the_way_out(home: RouteHome) -> None:
    home.take(said("1", reading()), passed("1", "deleted", NOW + 1))
    person = Correction(person="eva", at=NOW, content_hash="", intent="praise")
    with pytest.raises(ValueError, match="deleted: its text is gone"):
        correct(home.engine, home.work._desk, "x:1#acme", person, NOW)
    with pytest.raises(NoSuchMention, match="network:123#brand"):
        correct(home.engine, home.work._desk, "x:7#acme", person, NOW)
    with pytest.raises(ValueError, match="use one of"):
        correct(
            home.engine, home.work._desk, "x:1#acme", Correction(person="e", at=0, content_hash="", intent="joy"), NOW
        )


def test_new_rules_decide_history_anew_and_wake_nobody(home: RouteHome) -> None:
    home.take(*[said(str(n), reading(intent="suggestion")) for n in range(30)])
    rules = "rules:\n  - {name: ideas, when: 'intent:suggestion', queue: pr, alert: true, priority: high}\n"
    home.work._desk.adopt(InForce(1, BRANDS, 2, rules))
    after, changed, done = 0, 0, False
    while not done:
        after, _, more, done = decide_anew(home.engine, home.work._desk, 0, NOW + 1, NOW, after=after, most=7)
        changed += more
    assert changed == 30
    assert {m.decision and m.decision.queue for m in home.mentions().values()} == {"pr"}
    assert home.alerts() == []


@only_sqlite
def test_a_batch_that_fails_leaves_nothing_behind(home: RouteHome) -> None:
    home.take(said("1", reading()))
    before = home.sql("SELECT * FROM post"), home.sql("SELECT * FROM mention"), home.sql("SELECT * FROM serial")
    with write(home.engine) as connection:
        connection.exec_driver_sql("CREATE TRIGGER broken BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        home.take(said("2", reading("brisa")))
    assert (
        home.sql("SELECT * FROM post"),
        home.sql("SELECT * FROM mention"),
        home.sql("SELECT * FROM serial"),
    ) == before
    with write(home.engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER broken")
    home.take(said("2", reading("brisa")))
    assert set(home.mentions()) == {"x:1#acme", "x:2#brisa"}


def test_texts_stand_nowhere_but_in_the_mention(home: RouteHome) -> None:
    secret = "unmistakable words"
    home.take(said("1", reading(intent="complaint", detractor=3, terms=[("severity", 30)]), text=secret))
    home.take(said("1", reading(), text=f"{secret} twice", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    for table in set(metadata.tables) - {"mention"}:
        assert all(secret not in repr(row) for row in home.sql(f'SELECT * FROM "{table}"')), table
