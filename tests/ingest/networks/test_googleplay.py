"""Google Play: reviews of the last week with their answers, edits as they show, deletes by asking for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="extra `googleplay` is not installed")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding  # noqa: E402

from config.sources import GoogleplaySource  # noqa: E402
from ingest.collector import (  # noqa: E402
    Checkable,
    Contextual,
    CursorLost,
    Denied,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
)
from ingest.networks.googleplay import Googleplay  # noqa: E402
from ingest.setting import Setting  # noqa: E402
from stream.clock import DAY, HOUR, MINUTE, ManualClock  # noqa: E402
from tests.ingest.case import Case, How, agree, collecting  # noqa: E402
from tests.ingest.collecting import ACME, Shifted, until  # noqa: E402
from tests.ingest.contract import Contract  # noqa: E402
from tests.ingest.rounds import Rounds, making  # noqa: E402
from tests.standins.googleplay import GoogleplayStandIn, refusal  # noqa: E402
from tests.standins.server import Fault  # noqa: E402

APP, OTHER = "com.acme.app", "com.acme.other"
EMAIL = "reads-reviews@acme.iam.example.org"
PRIVATE = rsa.generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
KEY = json.dumps({"type": "service_account", "client_email": EMAIL, "private_key": PEM})


def verified(signature: bytes, text: bytes) -> None:
    PRIVATE.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())


def settings(play: GoogleplayStandIn, **more: Any) -> GoogleplaySource:
    return GoogleplaySource.model_validate(
        {"id": "source", "kind": "googleplay", "url": play.url, "token_url": f"{play.url}/token"}
        | {"apps": {APP: ["acme"]}, "key_env": "PLAY_KEY"} | more
    )  # fmt: skip


class At(Rounds[Googleplay]):
    """A source on Google's clock, which is moved by hand."""

    pause = 10 * MINUTE

    def __init__(self, play: GoogleplayStandIn, clock: ManualClock, **more: Any) -> None:
        source = Source(id="source", network="googleplay")
        setting = Setting(source=source, wanted=lambda: [ACME], secret={"PLAY_KEY": KEY}.get, clock=clock)
        super().__init__(Googleplay, settings(play, **more), setting)


@pytest.fixture
def play(clock: ManualClock) -> Iterator[GoogleplayStandIn]:
    with GoogleplayStandIn(clock.now) as play:
        play.office.account = (EMAIL, verified)
        yield play


@pytest.fixture
def at(play: GoogleplayStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, play, clock)) as make:
        yield make


def test_a_review_has_its_stars_version_language_and_brands(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    id = play.publish("It crashes.", title="Crashes", stars=2, likes=3)
    (draft,) = one.brought()
    assert (draft.native_id, draft.title, draft.text) == (id, "★★☆☆☆ Crashes (1.2.3)", "It crashes.")
    assert draft.rating == 2
    assert (draft.lang, draft.brands, draft.conversation) == ("en", ("acme",), id)
    assert draft.author is not None
    assert (draft.author.id, draft.author.name) == (id, "ana"), "Google names no account: each review is its own"
    assert draft.metrics is not None
    assert (draft.metrics.likes, draft.metrics.replies) == (3, 0)
    assert (
        draft.link
        == f"https://play.google.com/store/apps/details?id={APP}&reviewId={id.split('/')[1].replace(':', '%3A')}"
    )


def test_what_was_answered_is_a_post_of_the_apps_own(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    one = at()
    id = play.publish("It crashes.")
    one.brought()
    one.clock.advance(MINUTE)
    play.reply(id, "It is mended in 1.2.4.")
    metrics, answer = one.brought()
    assert metrics.metrics is not None
    assert (metrics.kind, metrics.metrics.replies) == ("metrics", 1)
    assert (answer.native_id, answer.reply_to, answer.conversation) == (f"{id}/reply", id, id)
    assert answer.author is not None
    assert answer.author.handle == APP
    play.reply(id, "It is mended.")
    one.clock.advance(MINUTE)
    (edit,) = one.brought()
    assert (edit.native_id, edit.kind, edit.text) == (f"{id}/reply", "edited", "It is mended.")


def test_what_is_written_while_a_list_is_read_leaves_no_doubt(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    """The second page repeats the first one then."""
    one = at()
    play.publish("known")
    one.brought()
    one.clock.advance(MINUTE)
    ids = {play.publish(f"review {n}") for n in range(250)}
    deliveries = one.collector.collect(one.cursor)
    found = [next(deliveries)]
    ids |= {play.publish(f"meanwhile {n}") for n in range(100)}
    for delivery in deliveries:
        found.append(delivery)
        one.cursor = delivery.cursor or one.cursor
    assert all(delivery.missed == 0 for delivery in found)
    brought = {draft.native_id for delivery in found for draft in delivery.drafts}
    assert brought | {draft.native_id for draft in one.brought()} == ids


def test_what_was_in_doubt_is_no_more_once_the_list_was_read_to_its_end(
    play: GoogleplayStandIn, at: Callable[..., At]
) -> None:
    one = at()
    play.publish("known")
    one.brought()
    one.clock.advance(MINUTE)
    ids = {play.publish(f"review {n}") for n in range(250)}
    deliveries = one.collector.collect(one.cursor)
    found = [next(deliveries)]
    play.misbehave(Fault("status", status=200, body=b'{"unexpected": 1}', headers={"Content-Type": "application/json"}))
    for delivery in deliveries:
        found.append(delivery)
        one.cursor = delivery.cursor or one.cursor
    (doubt,) = [delivery for delivery in found if delivery.missed is None]
    later = one.round()
    (mended,) = [delivery for delivery in later if delivery.page]
    assert (mended.page, mended.missed) == (doubt.page, 0)
    assert mended.span is not None
    assert doubt.span is not None
    assert mended.span.since == doubt.span.since
    assert {draft.native_id for delivery in [*found, *later] for draft in delivery.drafts} == ids
    assert not [delivery for delivery in one.round() if delivery.page]


def test_an_edit_goes_to_the_top_and_is_found(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    one = at()
    first = play.publish("as it was")
    for n in range(150):
        play.publish(f"review {n}")
    assert len(one.brought()) == 151
    one.clock.advance(MINUTE)
    play.edit(first, "as it is")
    (edit,) = one.brought()
    assert (edit.native_id, edit.kind, edit.text) == (first, "edited", "as it is")
    assert one.brought() == []


def test_where_nothing_of_a_page_can_be_read_no_others_are_asked_for(
    play: GoogleplayStandIn, at: Callable[..., At]
) -> None:
    one = at()
    one.brought()
    ids = [play.publish(f"review {n}") for n in range(350)]
    for id in ids:
        play._held[id]["authorName"] = 7
    lists = f"/androidpublisher/v3/applications/{APP}/reviews"
    before = play.asked(lists)
    assert [each.reason for each in one.round(2 * HOUR) if each.missed is None] == ["list window"]
    assert play.asked(lists) == before + 1
    for id in ids:
        play._held[id]["authorName"] = "ana"
    assert sorted(draft.native_id for draft in one.brought()) == ids


def test_more_than_a_week_away_is_told_and_a_quiet_week_is_not(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    one = at()
    play.publish("known")
    one.brought()
    assert [delivery.missed for delivery in one.round(6 * DAY)] == [0, 0]
    assert [delivery.missed for delivery in one.round(2 * DAY)] == [0, 0], "the list is empty, and may be"
    begun = one.clock.now()
    play.publish("gone by then")
    one.clock.advance(DAY)
    found = one.round(7 * DAY)
    (lost,) = [delivery for delivery in found if delivery.missed is None]
    assert (lost.query, lost.span, lost.reason) == (APP, Span(begun, begun + DAY), "list window")


def test_history_reaches_a_week_back(play: GoogleplayStandIn, at: Callable[..., At], clock: ManualClock) -> None:
    begun = clock.now()
    play.publish("older", at=begun - 8 * DAY)
    within = play.publish("within", at=begun - 3 * DAY)
    collector = at().collector
    found = list(collector.fill("", Span(begun - 4 * DAY, begun - 2 * DAY), None))
    assert [draft.native_id for one in found for draft in one.drafts] == [within]
    assert all(one.missed == 0 for one in found)
    found = list(collector.fill("", Span(begun - 10 * DAY, begun - 2 * DAY), None))
    assert [one.reason for one in found if one.missed is None] == ["history ends"]


def test_deleted_reviews_are_absent_and_withdrawn_answers_gone(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    deleted, there, answered = (play.publish(f"review {n}") for n in range(3))
    play.delete(deleted)
    play.reply(answered, "An answer.")
    collector = at().collector
    assert isinstance(collector, Sweepable)
    asked = [deleted, there, f"{there}/reply", answered, f"{answered}/reply", "com.else.where/1", "nonsense"]
    found = collector.look_up(asked)
    assert list(found.existence.values()) == ["absent", "there", "gone", "there", "there", "there", "absent"]
    assert {draft.native_id: draft.kind for draft in found.drafts} == dict.fromkeys(
        [there, answered, f"{answered}/reply"], "edited"
    )
    assert found.asked == 3, "once for a review and its answer, not for what is nobody's"


def test_what_cannot_be_read_or_is_of_an_app_no_more_named_is_not_deleted(
    play: GoogleplayStandIn, at: Callable[..., At]
) -> None:
    odd, other = play.publish("odd"), play.publish("of an app that was named", app=OTHER)
    play._held[odd]["comments"] = "?"
    there = play.publish("there")
    collector = at().collector
    found = collector.look_up([odd, other, there])
    assert (set(found.existence.values()), [draft.native_id for draft in found.drafts]) == ({"there"}, [there])
    assert [list(one.drafts) for one in collector.context(odd)] == [[]]
    play._held[odd]["reviewId"] = "another"
    with pytest.raises(Interrupted, match="no review"):
        collector.look_up([odd])


def test_what_an_answer_answers_is_fetched(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    id = play.publish("It crashes.")
    play.reply(id, "An answer.")
    collector = at().collector
    assert isinstance(collector, Contextual)
    (delivery,) = collector.context(f"{id}/reply")
    assert [draft.native_id for draft in delivery.drafts] == [id, f"{id}/reply"]


def test_a_quota_that_is_used_up_passes_and_a_missing_permission_does_not(
    play: GoogleplayStandIn, at: Callable[..., At]
) -> None:
    one = at()
    body = refusal(403, "PERMISSION_DENIED", "quotaExceeded", "Quota exceeded").body
    assert isinstance(body, bytes)
    play.misbehave(Fault("status", status=403, only="/androidpublisher", body=body))
    with pytest.raises(Interrupted, match="quota") as quota:
        one.round()
    assert quota.value.retry_after == 10 * MINUTE
    body = refusal(403, "PERMISSION_DENIED", "permissionDenied", "The caller does not have permission").body
    assert isinstance(body, bytes)
    play.misbehave(Fault("status", status=403, only="/androidpublisher", body=body))
    with pytest.raises(Denied, match="permission to reply to reviews"):
        one.round()


def test_an_app_that_is_not_there_is_told_and_keeps_no_other_from_being_read(
    play: GoogleplayStandIn, at: Callable[..., At]
) -> None:
    play.apps = {OTHER}
    play.publish("review", app=OTHER)
    assert [draft.text for draft in at(apps={APP: [], OTHER: []}).brought()] == ["review"]
    with pytest.raises(Denied, match=APP):
        at().round()
    with pytest.raises(Denied, match="see the names in apps"):
        at().collector.check()
    play.misbehave(Fault("status", status=404, body=b"<h1>Not here</h1>", only="/androidpublisher"))
    with pytest.raises(Interrupted, match="proxy"):
        at().round()


def test_a_token_that_is_taken_back_is_replaced(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    play.office.counts.clear()
    play.publish("review")
    assert [draft.text for draft in one.brought()] == ["review"]
    assert len(play.office.given) == 2


def test_a_time_far_ahead_makes_no_other_review_old(play: GoogleplayStandIn, at: Callable[..., At]) -> None:
    one = at(look_back="1s")
    play.publish("of tomorrow's tomorrow", at=one.clock.now() + 30 * DAY)
    one.brought()
    play.publish("of today")
    assert [draft.text for draft in one.brought()] == ["of today"]


def test_an_estimate_counts_the_brands_apps_and_the_access_is_checked(
    play: GoogleplayStandIn, at: Callable[..., At], clock: ManualClock
) -> None:
    for hours in (1, 1, 30):
        play.publish("review", at=clock.now() - hours * HOUR)
        play.publish("of another", app=OTHER, at=clock.now() - hours * HOUR)
    collector = at(apps={APP: ["acme"], OTHER: ["beta"]}).collector
    assert isinstance(collector, Estimable)
    assert isinstance(collector, Checkable)
    sample = collector.sample(ACME)
    assert (sum(sample.posts_by_hour), sample.posts_by_hour[-2], sample.capped) == (3, 2, False)
    assert collector.check() == f"{EMAIL} reads the reviews of {APP}; it has reviews of the last week"


def test_another_sources_cursor_is_refused(at: Callable[..., At]) -> None:
    with pytest.raises(CursorLost):
        list(at().collector.collect("7"))


# --- the contract ---


class GoogleplayCase:
    edits: How = "poll"
    deletes: How = "sweep"
    fills = True
    first = "/androidpublisher"
    uncounted = ("/token",)

    def __init__(self, standin: GoogleplayStandIn) -> None:
        self.standin = standin

    def settings(self) -> GoogleplaySource:
        return settings(self.standin, interval="100ms")

    def secrets(self) -> Mapping[str, str]:
        return {"PLAY_KEY": KEY}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.publish(text, author=author, at=at)

    def publish_malformed(self) -> None:
        self.standin.broken()

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        return self.standin.truth()


class TestGoogleplay(Contract):
    asks_by_brand = False  # the lists of the apps are read whole

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_a_clock_an_hour_wrong_loses_nothing(self, case: Case, home: Path, hours: int) -> None:
        """What a key signs counts for an hour, by Google's clock: another time is told in words, and what was written
        meanwhile comes once the clock is right."""
        with collecting(case, home, clock=Shifted(hours * HOUR), wait=0) as at_work:
            until(lambda: "clock of this machine" in at_work.runner.trouble, lambda: at_work.runner.trouble)
            case.publish("Acme meanwhile")
        with collecting(case, home) as at_work:
            agree(case, at_work)

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with GoogleplayStandIn() as play:
            play.office.account = (EMAIL, verified)
            yield GoogleplayCase(play)
