"""A company's reviews on Trustpilot come once each, with their stars; what is edited, answered or gone there is so
here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from config.sources import TrustpilotSource
from ingest.collector import Checkable, CursorLost, Denied, Estimable, Interrupted, Source, Span, Sweepable
from ingest.networks.trustpilot import Trustpilot, push
from ingest.push import Receiver
from ingest.setting import Setting, Unshared
from ingest.taken import Taken
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from tests.ingest.case import How
from tests.ingest.conftest import NOW, Held
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.server import Fault
from tests.standins.trustpilot import API_SECRET, KEY, OTHER, UNIT, WORD, TrustpilotStandIn, consumer

SECRETS = {"KEY": KEY, "WORD": WORD, "API_SECRET": API_SECRET}


class At(Rounds[Trustpilot]):
    """A source on a clock that is moved by hand."""

    def __init__(self, site: TrustpilotStandIn, clock: ManualClock, **more: Any) -> None:
        asked: dict[str, Any] = {"key_env": "KEY", "secret_env": "WORD", "units": [UNIT], **more}
        settings = TrustpilotSource(id="source", kind="trustpilot", url=site.url, **asked)
        source = Source(id="source", network="trustpilot", brands=("acme",))
        setting = Setting(source=source, wanted=tuple, secret=SECRETS.get, clock=clock, notes=Unshared())
        super().__init__(Trustpilot, settings, setting)


@pytest.fixture
def site(clock: ManualClock) -> Iterator[TrustpilotStandIn]:
    with TrustpilotStandIn(clock.now) as site:
        yield site


@pytest.fixture
def at(site: TrustpilotStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, site, clock)) as made:

        def make(**more: Any) -> At:
            source = made(**more)
            source.brought(0)
            return source

        yield make


def test_a_review_has_its_stars_its_writer_and_what_the_company_answers(site: TrustpilotStandIn, at: Any) -> None:
    site.review("written before anybody listened")
    source = at()
    id = site.review("My bag never came, and nobody answers.", stars=2, title="Where is my bag?", author="ana")
    site.answer_to(id, "We are looking for it, Ana.")
    own, reply = sorted(source.brought(), key=lambda draft: draft.native_id)
    assert (own.native_id, own.kind, own.title) == (id, "created", "★★☆☆☆ Where is my bag?")
    assert own.rating == 2
    assert own.text == "My bag never came, and nobody answers."
    assert own.author is not None
    assert (own.author.id, own.author.name, own.author.verified) == (consumer("ana"), "ana", True)
    assert (own.claimed_at, own.lang, own.conversation) == (NOW, "en", id)
    assert own.link == f"https://www.trustpilot.com/reviews/{id}"
    assert (reply.native_id, reply.text, reply.reply_to) == (f"{id}/reply", "We are looking for it, Ana.", id)
    assert reply.author is not None
    assert (reply.author.handle, reply.author.name) == ("acme.example", "Acme")
    assert source.brought() == []


def test_a_title_that_repeats_the_text_is_not_told_twice(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    site.review("A very long review of which the title is only the beginning", stars=5)
    (draft,) = source.brought()
    assert draft.title == "★★★★★"


def test_edits_new_stars_and_likes_of_the_newest_hundred_are_seen_by_whoever_goes_on(
    site: TrustpilotStandIn, at: Any
) -> None:
    source = at()
    ids = [site.review(f"review {n}", stars=1) for n in range(3)]
    source.brought()
    site.edit(ids[0], "they found it", stars=5)
    site.edit(ids[1], "review 1", stars=4)
    site.like(ids[2])
    source.restart()
    found = {draft.native_id: draft for draft in source.brought()}
    assert {id: draft.kind for id, draft in found.items()} == {ids[0]: "edited", ids[1]: "edited", ids[2]: "metrics"}
    assert (found[ids[0]].text, found[ids[0]].title) == ("they found it", "★★★★★")
    assert found[ids[0]].edited_at == NOW + MINUTE
    assert found[ids[1]].title == "★★★★☆"
    assert source.brought() == []


def test_an_answer_to_an_old_review_comes_and_goes_and_comes_back(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    id = site.review("no answer for a month")
    source.brought()
    source.brought(30 * DAY)
    site.review("a newer one")
    source.brought()
    site.answer_to(id, "Sorry!")
    assert source.told() == [("created", f"{id}/reply")]
    site.answer_to(id, None)
    assert source.told() == [("deleted", f"{id}/reply")]
    assert source.told() == []
    site.answer_to(id, "Sorry, again.")
    assert source.told(2 * HOUR) == [("restored", f"{id}/reply")]


def test_a_review_that_is_shown_no_more_is_looked_up_and_told_of(site: TrustpilotStandIn, at: Any) -> None:
    source = at(deletions="7d")
    ids = [site.review(f"review {n}") for n in range(4)]
    site.answer_to(ids[1], "sorry")
    source.brought()
    site.delete(ids[1], told=False)
    site.hide(ids[2])
    source.restart()
    assert source.told() == sorted([("deleted", ids[1]), ("deleted", f"{ids[1]}/reply"), ("deleted", ids[2])])
    assert source.told() == []
    site.hide(ids[2], hidden=False)
    assert source.told(10 * MINUTE) == [], "a list from a cache may show it a while longer"
    assert source.told(2 * HOUR) == [("restored", ids[2])]


def test_one_that_left_the_list_and_is_still_shown_by_itself_stays(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    id = site.review("moved to another company's page")
    site.review("stays")
    source.brought()
    site.reviews[id]["unit"] = OTHER
    assert source.told() == []


def test_what_a_writer_deletes_is_learnt_from_the_list_of_deletions(site: TrustpilotStandIn, at: Any) -> None:
    site.deletions_per_page = 2
    source = at(deletions="1h")
    old = site.review("an old one", author="ana")
    theirs = site.review("of another company", unit=OTHER)
    source.brought()
    for n in range(150):
        site.review(f"review {n}", author="ben")
    source.brought()
    site.delete(theirs)
    for n in range(5):
        site.deleted.append((f"f{n:023x}", site.wall()))
    site.delete(old)
    assert source.told(10 * MINUTE) == []
    assert source.told(HOUR) == [("deleted", old)]
    assert source.told(HOUR) == []


def test_somebody_who_leaves_takes_all_reviews_along(site: TrustpilotStandIn, at: Any) -> None:
    source = at(deletions="1h")
    site.review("mine", author="ana")
    source.brought()
    for n in range(150):
        site.review(f"review {n}", author="ben")
    source.brought()
    site.leave("ana")
    (draft,) = source.brought(HOUR)
    assert (draft.kind, draft.native_id) == ("author_gone", consumer("ana"))
    assert draft.author is not None
    assert draft.author.id == consumer("ana")


def test_without_the_list_of_deletions_the_reviews_go_on(site: TrustpilotStandIn, at: Any) -> None:
    site.deletions_allowed = False
    source = at(deletions="1h")
    id = site.review("still here")
    assert source.told(2 * HOUR) == [("created", id)]
    site.deletions_allowed = True
    site.misbehave(Fault("status", status=500, only="/v1/reviews/deletions"))
    id = site.review("here as well")
    assert source.told(2 * HOUR) == [("created", id)]
    limited = Fault("status", status=429, headers={"Retry-After": "7"}, only="/v1/reviews/deletions")
    site.misbehave(limited)
    with pytest.raises(Interrupted) as fault:
        source.brought(2 * HOUR)
    assert fault.value.retry_after == 7_000


def test_a_burst_over_many_pages_is_told_once(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    ids = {site.review(f"review {n}", at=NOW + n) for n in range(730)}
    assert {draft.native_id for draft in source.brought()} == ids
    assert source.brought() == []


def test_killed_in_its_first_round_it_has_begun(site: TrustpilotStandIn, at: Any) -> None:
    for n in range(150):
        site.review(f"before, {n}", at=NOW - MINUTE + n)
    source = at()
    source.restart()
    source.cursor = next(one.cursor for one in source.collector.collect(None) if one.cursor)
    new = site.review("written while nobody was there")
    source.restart()
    assert source.told() == [("created", new)]


def test_a_burst_that_is_cut_comes_whole_after_a_restart(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    ids = {site.review(f"review {n}", at=NOW + n) for n in range(250)}
    source.clock.advance(MINUTE)
    deliveries = source.collector.collect(source.cursor)
    first = next(deliveries)
    deliveries.close()
    source.restart()
    again = {draft.native_id for draft in source.brought()}
    assert again == ids, "what was not known to be durable comes once more"
    assert {draft.native_id for draft in first.drafts} < ids


def test_what_is_shown_late_comes_within_look_back(site: TrustpilotStandIn, at: Any) -> None:
    source = at(look_back="6h")
    site.review("the newest")
    source.brought(DAY)
    late = site.review("held back for a while", at=source.clock.now() - DAY - 5 * HOUR)
    too_late = site.review("held back for a week", at=source.clock.now() - 7 * DAY)
    assert source.told() == [("created", late)]
    assert too_late in source.setting.notes.get(f"shown:{UNIT}")


def test_every_company_has_its_own_beginning(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    source.settings = source.settings.model_copy(update={"units": (UNIT, OTHER)})
    site.review("before", unit=OTHER)
    source.restart()
    assert source.told() == []
    new = site.review("after", unit=OTHER)
    assert source.told() == [("created", new)]


def test_a_missed_time_is_filled_and_an_estimate_counts_the_week(site: TrustpilotStandIn, at: Any) -> None:
    inside = [site.review(f"review {n}", at=NOW - 2 * DAY + n) for n in range(120)]
    site.review("older", at=NOW - 9 * DAY)
    source = at()
    assert isinstance(source.collector, Estimable)
    sample = source.collector.sample(Wanted(brand="acme"))
    assert (sum(sample.posts_by_hour), sample.capped, sample.asked) == (120, False, 2)
    span = Span(NOW - 3 * DAY, NOW - DAY)
    filled = [draft.native_id for delivery in source.collector.fill("", span, None) for draft in delivery.drafts]
    assert sorted(filled) == sorted(inside)


def test_a_sweep_asks_for_each_review_once_and_tells_answers_apart(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    assert isinstance(source.collector, Sweepable)
    there, gone, silent = (site.review(text) for text in ("there", "gone", "silent"))
    site.answer_to(there, "thanks")
    site.delete(gone)
    asked = [there, f"{there}/reply", gone, f"{silent}/reply", "no id at all?x=1"]
    found = source.collector.look_up(asked)
    assert found.existence == {
        there: "there", f"{there}/reply": "there", gone: "gone", f"{silent}/reply": "gone", "no id at all?x=1": "absent"
    }  # fmt: skip
    assert {draft.native_id for draft in found.drafts} == {there, f"{there}/reply"}
    assert found.asked == 4, "three reviews, and whether anything is shown at all"


def test_to_whom_nothing_is_shown_nothing_is_gone(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    id = site.review("there")
    site.misbehave(Fault("status", status=404, times=2))
    with pytest.raises(Denied, match="knows no company"):
        source.collector.look_up([id])


def test_what_cannot_be_read_is_not_deleted_and_one_company_that_is_gone_stops_no_sweep(
    site: TrustpilotStandIn, at: Any
) -> None:
    source = at()
    source.settings = source.settings.model_copy(update={"units": ("0" * 24, UNIT)})
    source.restart()
    odd, gone = site.review("odd"), site.review("gone")
    site.reviews[odd]["stars"] = "five"
    site.delete(gone)
    assert source.collector.look_up([odd, gone]).existence == {odd: "there", gone: "gone"}
    site.reviews[odd]["id"] = "another"
    with pytest.raises(Interrupted, match="no review"):
        source.collector.look_up([odd])


def test_a_check_says_what_is_shown_and_what_is_missing(site: TrustpilotStandIn, at: Any) -> None:
    site.review("one")
    source = at(units=[UNIT, OTHER])
    assert isinstance(source.collector, Checkable)
    assert source.collector.check() == (
        "Trustpilot shows Acme with 1 reviews, what anybody may see, and 1 more are named"
    )
    with pytest.raises(Denied, match="no API key: put one into NOWHERE"):
        at(key_env="NOWHERE")
    with pytest.raises(Denied, match="knows no company"):
        at(units=["0" * 24])


def test_with_the_keys_secret_the_private_answers_are_asked_for(site: TrustpilotStandIn, at: Any) -> None:
    inside = [site.review(f"review {n}", at=NOW - 2 * DAY + n) for n in range(3)]
    for n in range(250):
        site.review(f"later {n}", at=NOW - HOUR + n)
    source = at(api_secret_env="API_SECRET")
    reported = site.review("to be reported")
    assert source.told() == [("created", reported)]
    assert all("/private/" in one.path for one in site.requests if one.path.endswith("reviews"))
    site.hide(reported)
    assert source.told() == [("deleted", reported)], "nobody else is shown it"
    assert source.collector.look_up([reported]).existence == {reported: "gone"}
    site.hide(reported, hidden=False)
    assert source.told(2 * HOUR) == [("restored", reported)]
    asked = site.asked(f"/v1/private/business-units/{UNIT}/reviews")
    filled = [one for each in source.collector.fill("", Span(NOW - 3 * DAY, NOW - DAY), None) for one in each.drafts]
    assert sorted(draft.native_id for draft in filled) == inside
    assert site.asked(f"/v1/private/business-units/{UNIT}/reviews") == asked + 2, "by its times"
    assert "what its company may see" in source.collector.check()
    assert len(site.office.given) == 1


def test_a_token_that_is_taken_back_is_asked_for_anew(site: TrustpilotStandIn, at: Any) -> None:
    source = at(api_secret_env="API_SECRET")
    site.office.counts = set()
    id = site.review("after it")
    assert source.told(HOUR) == [("created", id)]
    site.office.app = ("another", "one")
    site.office.counts = set()
    with pytest.raises(Denied, match=r"KEY and API_SECRET.*Integrations, Developers, APIs"):
        source.brought(HOUR)


@pytest.mark.parametrize("cursor", ["x", "[1]", '{"a": "b"}'])
def test_a_strange_cursor_is_lost(at: Any, cursor: str) -> None:
    with pytest.raises(CursorLost):
        next(at().collector.collect(cursor))


def test_an_answer_of_another_shape_passes(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    site.misbehave(Fault("status", status=200, body=b'{"reviews": 7}'))
    with pytest.raises(Interrupted):
        source.brought()


def test_a_time_that_lies_ahead_makes_no_other_review_old(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    ahead = site.review("of next year", at=NOW + 365 * DAY)
    assert source.told() == [("created", ahead)]
    new = site.review("of today")
    assert source.told(DAY) == [("created", new)]


def test_a_list_that_is_empty_at_first_brings_no_history_afterwards(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    site.review("old", at=NOW - 30 * DAY)
    new = site.review("new")
    assert source.told() == [("created", new)]


def test_a_clock_that_is_set_back_brings_no_history(site: TrustpilotStandIn, at: Any) -> None:
    site.review("young", at=NOW - HOUR)
    site.review("old", at=NOW - 30 * DAY)
    source = at()
    source.clock.at -= 3650 * DAY
    assert source.brought() == []
    asked = len(site.requests)
    source.clock.at += 3650 * DAY
    new = site.review("new")
    assert source.told() == [("created", new)]
    assert len([one for one in site.requests[asked:] if one.path.endswith("/reviews")]) == 1


def test_a_time_that_cannot_be_ends_no_list(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    site.broken = [{"id": "f" * 24, "createdAt": "1970-01-01T00:00:00Z", "consumer": {"id": "c"}}]
    ids = {site.review(f"review {n}", at=NOW + n) for n in range(150)}
    assert {draft.native_id for draft in source.brought()} == ids


def test_where_nothing_of_a_page_can_be_read_no_others_are_asked_for(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    ids = [site.review(f"review {n}", at=NOW + n) for n in range(250)]
    for held in site.reviews.values():
        held["stars"] = "five"
    asked = site.asked(f"/v1/business-units/{UNIT}/reviews")
    found = list(source.collector.collect(source.cursor))
    assert [one.reason for one in found if one.missed is None] == ["nothing of a page can be read"]
    assert site.asked(f"/v1/business-units/{UNIT}/reviews") == asked + 1
    for held in site.reviews.values():
        held["stars"] = 5
    assert sorted(draft.native_id for draft in source.brought()) == ids


def test_pages_that_lack_some_end_no_list(site: TrustpilotStandIn, at: Any) -> None:
    site.lacking = 1
    source = at()
    ids = {site.review(f"review {n}", at=NOW + n) for n in range(150)}
    assert {draft.native_id for draft in source.brought()} == ids


@pytest.mark.parametrize("status", [404, 403, 500, 400])
def test_companies_that_always_fail_keep_no_other_from_being_read(
    site: TrustpilotStandIn, at: Any, status: int
) -> None:
    bad = [f"{n:024x}" for n in range(4)]
    source = at()
    source.settings = source.settings.model_copy(update={"units": (*bad, UNIT)})
    source.restart()
    for unit in bad:
        site.misbehave(Fault("status", status=status, times=99, only=f"/v1/business-units/{unit}"))
    new = site.review("read all the same")
    told: list[str] = []

    def read() -> None:
        for delivery in source.collector.collect(source.cursor):
            told.extend(draft.native_id for draft in delivery.drafts)
            source.cursor = delivery.cursor or source.cursor

    for _ in range(4):
        with pytest.raises((Denied, Interrupted), match=str(status) if status != 404 else "knows no company"):
            read()
    assert told == [new]


def test_what_was_written_while_a_new_company_failed_is_news(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    source.settings = source.settings.model_copy(update={"units": (UNIT, OTHER)})
    source.restart()
    site.review("before", unit=OTHER, at=NOW - 3 * DAY)
    site.misbehave(Fault("status", status=500, only=f"/v1/business-units/{OTHER}"))
    with pytest.raises(Interrupted):
        source.brought()
    new = site.review("meanwhile", unit=OTHER)
    assert source.told() == [("created", new)]


def test_one_that_fails_says_since_when(site: TrustpilotStandIn, at: Any) -> None:
    source = at(units=[UNIT, OTHER])
    site.misbehave(Fault("status", status=500, only=f"/v1/business-units/{UNIT}"))
    with pytest.raises(Interrupted) as fault:
        source.brought()
    assert fault.value.since == NOW


def test_told_to_stop_in_the_middle_of_a_round_it_asks_for_nothing_more(site: TrustpilotStandIn, at: Any) -> None:
    source = at(units=[UNIT, OTHER])
    deliveries = source.collector.collect(source.cursor)
    next(deliveries)
    source.setting.stop.set()
    asked = len(site.requests)
    list(deliveries)
    assert len(site.requests) == asked


def test_what_cannot_be_looked_up_keeps_no_news_from_being_told(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    id = site.review("to be deleted")
    site.review("stays")
    source.brought()
    site.delete(id, told=False)
    site.misbehave(Fault("status", status=403, only="/v1/reviews"))
    new = site.review("new")
    assert source.told() == [("created", new)]
    assert source.told() == [("deleted", id)]


def test_many_that_are_deleted_at_once_are_all_told_of(site: TrustpilotStandIn, at: Any) -> None:
    source = at(deletions="7d")
    ids = {site.review(f"review {n}") for n in range(50)}
    site.review("stays")
    source.brought()
    for id in ids:
        site.delete(id, told=False)
    found = [told for _ in range(3) for told in source.told()]
    assert sorted(found) == [("deleted", id) for id in sorted(ids)]


def test_what_is_no_review_comes_again_where_nobody_took_it(site: TrustpilotStandIn, at: Any) -> None:
    source = at()
    site.broken = [{"id": 7}]
    deliveries = source.collector.collect(source.cursor)
    assert len(next(deliveries).malformed) == 1
    deliveries.close()
    found = [sum(len(one.malformed) for one in source.collector.collect(source.cursor)) for _ in range(2)]
    assert found == [1, 0]


def test_a_filling_goes_on_with_the_next_company(site: TrustpilotStandIn, at: Any) -> None:
    site.review("of one", at=NOW - HOUR)
    other = site.review("of the other", at=NOW - HOUR, unit=OTHER)
    source = at(units=[UNIT, OTHER])
    span = Span(NOW - DAY, NOW)
    cursors = [one.cursor for one in source.collector.fill("", span, None) if one.cursor]
    assert cursors == [UNIT, OTHER]
    rest = [draft.native_id for one in source.collector.fill("", span, UNIT) for draft in one.drafts]
    assert rest == [other]


# --- the webhook ---

Receive = Callable[..., Receiver]


@pytest.fixture
def receiver(log: EmbeddedLog, engine: Engine) -> Iterator[Receive]:
    with making(lambda source: Receiver(push(source.settings, source.setting), log, Taken(engine))) as make:
        yield make


def test_what_the_webhook_tells_is_here_at_once(
    site: TrustpilotStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    source = at()
    takes = receiver(source)
    id = site.review("No answer", stars=1, author="ana")
    bodies = [site.event("service-review-created", id)]
    site.edit(id, "They answered", stars=4)
    bodies.append(site.event("service-review-updated", id))
    site.edit(id, "No answer", stars=1)
    bodies.append(site.event("service-review-updated", id))
    site.delete(id)
    bodies.append(site.event("service-review-deleted", id))
    for body in bodies:
        source.clock.advance(1_000)
        now = source.clock.now()
        status, said = takes.handle({}, body, now, now, {"key": WORD})
        assert (status, said["accepted"]) == (202, 1)
    assert [(post.id, post.kind, post.text) for post in held.posts()] == [
        (f"trustpilot:{id}", "created", "No answer"),
        (f"trustpilot:{id}", "edited", "They answered"),
        (f"trustpilot:{id}", "edited", "No answer"),
        (f"trustpilot:{id}", "deleted", ""),
    ]
    assert held.posts()[1].title == "★★★★☆"
    assert held.posts()[0].brands == ("acme",)


def test_an_answer_goes_with_its_review(site: TrustpilotStandIn, at: Any, receiver: Receive, held: Held) -> None:
    source = at()
    id = site.review("No answer")
    site.answer_to(id, "Sorry")
    source.brought()
    status, said = receiver(source).handle({}, site.event("service-review-deleted", id), NOW, NOW, {"key": WORD})
    assert (status, said["accepted"]) == (202, 2)
    assert {post.id for post in held.posts()} == {f"trustpilot:{id}", f"trustpilot:{id}/reply"}


def test_an_address_without_the_word_is_refused(
    site: TrustpilotStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    body = site.event("service-review-created", site.review("forged"))
    takes = receiver(at())
    for query in ({}, {"key": ""}, {"key": WORD[:-1]}, {"key": WORD + "x"}):
        status, said = takes.handle({}, body, NOW, NOW, query)
        assert (status, WORD in str(said), held.posts()) == (403, False, [])
    assert receiver(at(secret_env=None)).handle({}, body, NOW, NOW, {"key": ""})[0] == 403


def test_what_is_no_event_is_buried_once_and_what_is_not_for_us_says_nothing(
    at: Any, receiver: Receive, held: Held
) -> None:
    takes = receiver(at())
    bodies = [
        b"",
        b"[]",
        b'{"events": 7}',
        b"[" * 100_000,
        b'{"events": [{"eventName": "service-review-created", "eventData": {"id": 7}}]}',
        b'{"events": [{"eventName": "service-review-deleted", "eventData": [7]}]}',
    ]
    for number, body in enumerate(bodies, 1):
        for later in range(2):
            status, said = takes.handle({}, body, NOW, NOW + later, {"key": WORD})
            assert (status, said["accepted"], len(said["rejected"])) == (202, 0, 1)
        assert len(held.dead()) == number
    body = b'{"events": [{"eventName": "product-review-created", "eventData": {}}, {"eventName": []}, 7]}'
    status, said = takes.handle({}, body, NOW, NOW, {"key": WORD})
    assert (status, said["accepted"], said["rejected"], len(held.dead())) == (202, 0, [], len(bodies))


# --- the contract ---


class TrustpilotCase:
    """Of the newest hundred edits and deletes are learnt by poll, of all others by sweeps alone."""

    edits: How = "sweep"
    deletes: How = "sweep"
    fills = True
    first = f"/v1/business-units/{UNIT}/reviews"

    def __init__(self, standin: TrustpilotStandIn) -> None:
        self.standin = standin

    def settings(self) -> TrustpilotSource:
        return TrustpilotSource(
            id="source", kind="trustpilot", url=self.standin.url, key_env="KEY", units=(UNIT,), interval="100ms",
            look_back="1s",
        )  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        return {"KEY": KEY}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.review(text, author=author, at=at)

    def publish_malformed(self) -> None:
        self.standin.broken.append({"id": 7, "text": "Acme"})

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id, told=False)

    def truth(self) -> Mapping[str, str]:
        with self.standin.lock:
            return {id: held["text"] for id, held in self.standin.reviews.items()}


class TestTrustpilot(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[TrustpilotCase]:
        with TrustpilotStandIn() as site:
            yield TrustpilotCase(site)
