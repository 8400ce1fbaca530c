"""What is said on YouTube below watched videos arrives, with its edits, and the quota of the day is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from config.sources import YoutubeSource
from ingest.collector import (
    Accountable,
    Checkable,
    Contextual,
    CursorLost,
    Denied,
    Draft,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
)
from ingest.networks.youtube import Youtube
from ingest.networks.youtube_api import Quota, Spent
from ingest.networks.youtube_search import LONGEST_QUERY, terms
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from tests.ingest.case import How
from tests.ingest.conftest import NOW
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.server import Fault
from tests.standins.youtube import KEY, YoutubeStandIn

ACME = Wanted(brand="acme", phrases=("Acme", "Acme Air"), handles=("@acme",), hashtags=("#acme",))


class At(Rounds[Youtube]):
    """A source of YouTube on a clock that is moved by hand, asked round by round."""

    pause = 5 * MINUTE

    def __init__(self, youtube: YoutubeStandIn, clock: ManualClock, **more: Any) -> None:
        self.allowed = True
        settings = YoutubeSource(id="source", kind="youtube", key_env="KEY", url=youtube.url, **more)
        setting = Setting(
            source=Source(id="source", network="youtube"),
            wanted=lambda: [ACME],
            secret=lambda name: KEY if name == "KEY" else None,
            clock=clock,
            allowed=lambda brand: self.allowed,
        )
        super().__init__(Youtube, settings, setting)

    def texts(self, passes: int | None = None) -> list[str]:
        return sorted(draft.text for draft in self.brought(passes) if draft.kind != "metrics")


@pytest.fixture
def youtube(clock: ManualClock) -> Iterator[YoutubeStandIn]:
    with YoutubeStandIn(clock.now) as youtube:
        yield youtube


@pytest.fixture
def channel(youtube: YoutubeStandIn) -> str:
    return youtube.open_channel("acme")


@pytest.fixture
def film(youtube: YoutubeStandIn, channel: str) -> str:
    return youtube.upload(channel, "Our new plane", at=NOW - 9 * DAY)


@pytest.fixture
def at(youtube: YoutubeStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, youtube, clock)) as make:
        yield lambda **more: make(**{"searches_per_day": 0, "channels": ("@acme",), **more})


def test_a_comment_has_author_conversation_link_and_reach(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    source.round()
    top = youtube.comment(film, "Acme, where is my bag?", author="ana")
    youtube.like(top)
    answer = youtube.reply(top, "Mine is gone too", author="ben")
    first, second = sorted(source.brought(), key=lambda draft: draft.native_id)
    assert (first.native_id, first.conversation, first.reply_to) == (top, film, film)
    assert (second.native_id, second.conversation, second.reply_to) == (answer, film, top)
    assert first.author is not None
    assert (first.author.handle, first.author.id[:2]) == ("ana", "UC")
    assert first.link == f"https://www.youtube.com/watch?v={film}&lc={top}"
    assert first.metrics is not None
    assert (first.metrics.likes, first.metrics.replies) == (1, 1)


def test_what_was_there_long_before_is_not_brought_and_what_was_just_said_is(
    youtube: YoutubeStandIn, at: Any, film: str
) -> None:
    youtube.comment(film, "long ago", at=NOW - DAY)
    youtube.comment(film, "just now", at=NOW - 10 * MINUTE)
    assert at().texts() == ["just now"]


def test_the_first_listing_goes_an_hour_back_however_much_was_said(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    youtube.comment(film, "long ago", at=NOW - DAY)
    said = [f"comment {n}" for n in range(330)]
    for text in said:
        youtube.comment(film, text, at=NOW - 50 * MINUTE)
    assert at().texts() == sorted(said)


def test_what_comes_behind_the_first_listing_is_not_lost_when_the_next_question_fails(
    youtube: YoutubeStandIn, at: Any, channel: str, film: str, clock: ManualClock
) -> None:
    youtube.comment(film, "before", at=NOW - 9 * MINUTE)
    source = at()
    youtube.misbehave(Fault("status", only="/playlistItems"))
    with pytest.raises(Interrupted):
        source.round()
    youtube.comment(film, "meanwhile")
    late = youtube.upload(channel, "Shown meanwhile", at=clock.wall())
    clock.advance(3 * HOUR)
    source.restart()
    drafts = source.brought()
    assert "meanwhile" in {draft.text for draft in drafts}
    assert late in {draft.native_id for draft in drafts}


def test_what_is_said_on_a_channel_that_could_not_be_listed_for_long_is_not_lost(
    youtube: YoutubeStandIn, at: Any, channel: str, clock: ManualClock
) -> None:
    other = youtube.upload(youtube.open_channel("acme2"), "Our old plane", at=NOW - 9 * DAY)
    source = at(channels=("@acme", "@acme2"), uploads=False)
    deliveries = source.collector.collect(None)
    source.cursor = next(one.cursor for one in deliveries if one.cursor)
    youtube.misbehave(Fault("status", only="/commentThreads"))
    with pytest.raises(Interrupted):
        list(deliveries)
    youtube.comment(other, "meanwhile")
    clock.advance(3 * HOUR)
    assert source.texts() == ["meanwhile"]


def test_a_burst_over_many_pages_arrives_whole_also_when_it_is_cut_in_the_middle(
    youtube: YoutubeStandIn, at: Any, film: str
) -> None:
    source = at()
    source.round()
    said = [f"comment {n}" for n in range(730)]
    for text in said:
        youtube.comment(film, text)
    deliveries = source.collector.collect(source.cursor)
    found: list[Draft] = []
    while len(found) < 300:
        delivery = next(deliveries)
        found += delivery.drafts
        source.cursor = delivery.cursor or source.cursor
    youtube.misbehave(Fault("status", only="/commentThreads"))
    with pytest.raises(Interrupted):
        list(deliveries)
    source.restart()
    assert {*(draft.text for draft in found), *source.texts()} == set(said)
    assert source.texts() == []


def test_all_answers_come_also_those_to_an_old_comment(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    old = youtube.comment(film, "an old one", at=NOW - 2 * DAY)
    for n in range(7):
        youtube.reply(old, f"old answer {n}", at=NOW - 2 * DAY + n)
    source = at()
    assert source.texts() == []
    for n in range(120):
        youtube.reply(old, f"answer {n}")
    assert len(source.texts()) == 120
    asked = youtube.asked("/comments")
    source.round()
    assert youtube.asked("/comments") == asked, "nothing changed: the answers are not listed again"
    source.restart()
    youtube.reply(old, "one more, after a restart")
    assert "one more, after a restart" in source.texts()


def test_an_answer_to_a_comment_far_down_comes_when_older_ones_are_listed_again(
    youtube: YoutubeStandIn, at: Any, film: str
) -> None:
    old = youtube.comment(film, "far down", at=NOW - 2 * DAY)
    for n in range(250):
        youtube.comment(film, f"later {n}", at=NOW - DAY + n * MINUTE)
    source = at(look_back_every="6h")
    source.round()
    youtube.reply(old, "an answer nobody saw")
    youtube.edit(old, "far down, and edited")
    youtube.comment(film, "new")
    assert source.texts() == ["new"]
    assert source.texts(6 * HOUR) == ["an answer nobody saw", "far down, and edited"]


def test_an_edit_is_brought_once_and_a_like_is_reach_alone(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    one = youtube.comment(film, "befor")
    source.round()
    youtube.edit(one, "before")
    (edited,) = source.brought()
    assert (edited.kind, edited.text) == ("edited", "before")
    assert edited.edited_at is not None
    youtube.like(one)
    (liked,) = source.brought()
    assert (liked.kind, liked.text) == ("metrics", "")
    assert source.brought() == []


def test_an_edit_while_it_did_not_run_is_brought(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    one = youtube.comment(film, "before")
    source.round()
    source.restart()
    source.clock.advance(HOUR)
    youtube.edit(one, "after")
    assert source.texts() == ["after"]


def test_a_comment_that_was_held_for_review_comes_when_it_is_shown(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    held = youtube.comment(film, "held back")
    youtube.hidden.add(held)
    youtube.comment(film, "shown at once")
    assert source.texts() == ["shown at once"]
    youtube.comment(film, "and another", at=source.clock.now() + HOUR)
    source.clock.advance(HOUR)
    source.round()
    youtube.hidden.clear()
    assert source.texts() == ["held back"]


def test_nothing_new_costs_one_conditional_question_a_channel(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at(uploads=False)
    youtube.comment(film, "hello")
    source.round()
    source.round()
    asked = len(youtube.requests)
    deliveries = source.round()
    (request,) = youtube.requests[asked:]
    assert "if-none-match" in request.headers
    assert sum(one.cost for one in deliveries) == 1
    assert sum(one.asked for one in deliveries) == 1


def test_new_videos_are_posts_and_their_edits_and_reach_follow(
    youtube: YoutubeStandIn, at: Any, channel: str, film: str
) -> None:
    source = at()
    source.round()
    id = youtube.upload(channel, "Acme flies to Lisbon", "From May on.")
    drafts = source.brought(15 * MINUTE)
    (post,) = drafts
    assert (post.native_id, post.title, post.text, post.kind) == (id, "Acme flies to Lisbon", "From May on.", "created")
    assert (post.link, post.conversation) == (f"https://www.youtube.com/watch?v={id}", id)
    youtube.edit(id, "From June on.")
    youtube.films[id] = youtube.films[id]._replace(views=900)
    (edited,) = source.brought(HOUR)
    assert (edited.kind, edited.text) == ("edited", "From June on.")
    youtube.films[id] = youtube.films[id]._replace(views=1_000)
    (reach,) = source.brought(HOUR)
    assert reach.kind == "metrics"
    assert reach.metrics is not None
    assert reach.metrics.views == 1_000


def test_old_videos_are_looked_at_less_often_than_young_ones(youtube: YoutubeStandIn, at: Any, channel: str) -> None:
    old = youtube.upload(channel, "old", at=NOW - 20 * DAY)
    young = youtube.upload(channel, "young", at=NOW)
    source = at(channels=(), videos=(old, young))
    for _ in range(40):
        source.round()
    looks = [request.params["id"] for request in youtube.requests if request.path == "/videos"]
    assert len(looks) >= 30
    youtube.comment(old, "still somebody here")
    assert "still somebody here" in source.texts(10 * HOUR)


def test_comments_that_are_switched_off_are_told_of_once_and_the_rest_goes_on(
    youtube: YoutubeStandIn, at: Any, channel: str, film: str
) -> None:
    mute = youtube.upload(channel, "no comments here")
    youtube.films[mute] = youtube.films[mute]._replace(commentable=False)
    source = at(channels=(), videos=(mute, film, "notthere000"))
    rows = [delivery for _ in range(3) for delivery in source.round() if delivery.page]
    told = {delivery.page: delivery.reason for delivery in rows}
    assert told == {f"video:{mute}": "comments are switched off", "video:notthere000": "videoNotFound"}
    assert len(rows) == 2
    youtube.comment(film, "here they are on")
    assert "here they are on" in source.texts(DAY)


def test_a_search_finds_videos_by_brand_and_follows_those_that_name_it(
    youtube: YoutubeStandIn, at: Any, channel: str
) -> None:
    other = youtube.open_channel("planespotter")
    source = at(channels=(), searches_per_day=24)
    source.round()
    review = youtube.upload(other, "Acme Air, economy class: a review")
    found = source.brought(HOUR)
    assert [(draft.native_id, draft.query_ids) for draft in found] == [(review, ("acme",))]
    youtube.comment(review, "the seat was broken")
    (comment,) = [draft for draft in source.brought(HOUR) if draft.kind == "created"]
    assert (comment.text, comment.query_ids) == ("the seat was broken", ("acme",))
    searched = youtube.asked("/search")
    for _ in range(24):
        source.round(HOUR)
    assert 20 <= youtube.asked("/search") - searched <= 24


def test_a_brand_whose_budget_is_spent_is_not_searched_for(youtube: YoutubeStandIn, at: Any) -> None:
    source = at(channels=(), searches_per_day=24)
    source.allowed = False
    (capped,) = [delivery for delivery in source.round() if delivery.query]
    assert (capped.query, capped.asked, capped.missed, capped.reason) == ("acme", 0, None, "spend cap")
    assert youtube.asked("/search") == 0


def test_when_the_searches_of_the_day_are_used_up_the_lists_go_on(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at(searches_per_day=24)
    source.round()
    youtube.searches_left = 0
    youtube.comment(film, "still heard")
    deliveries = source.round(HOUR)
    assert "still heard" in [draft.text for one in deliveries for draft in one.drafts]
    assert [one.reason[:5] for one in deliveries if one.query] == ["quota"]
    youtube.searches_left = 100
    review = youtube.upload(youtube.open_channel("spotter"), "Acme seats", at=source.clock.now() + MINUTE)
    assert review in [draft.native_id for draft in source.brought(DAY)]


def test_a_quota_that_is_used_up_waits_for_midnight_pacific_time(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    source.round()
    youtube.comment(film, "said meanwhile")
    youtube.units = youtube.used
    with pytest.raises(Interrupted) as waits:
        source.round()
    assert "quota" in waits.value.reason
    assert waits.value.retry_after is not None
    asked = len(youtube.requests)
    with pytest.raises(Spent):
        source.round()
    assert len(youtube.requests) == asked, "it does not knock at a closed door"
    youtube.units = 10_000
    assert source.texts(waits.value.retry_after) == ["said meanwhile"]


def test_our_own_cap_holds_over_a_restart(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at(units_per_day=100)
    source.round()
    source.collector._quota.take(90)
    source.round()
    source.restart()
    source.round()
    with pytest.raises(Spent, match="100 of 100 units"):
        [source.collector.look_up([film]) for _ in range(20)]
    with pytest.raises(Spent):
        source.round()
    assert youtube.used <= 10


@pytest.mark.parametrize(
    ("wall", "hours"), [("2026-07-01T06:00:00", 1.0), ("2026-12-01T06:00:00", 2.0), ("2026-11-01T07:30:00", 24.5)]
)
def test_midnight_pacific_time_in_summer_in_winter_and_on_the_day_of_25_hours(wall: str, hours: float) -> None:
    now = round(datetime.fromisoformat(wall).replace(tzinfo=UTC).timestamp() * 1000)
    assert Quota(ManualClock(now), 100, 1, 1).until_reset() == hours * HOUR


def test_at_the_pace_of_a_small_quota_everything_is_asked_for_less_often(
    youtube: YoutubeStandIn, at: Any, film: str
) -> None:
    source = at(units_per_day=100)
    for _ in range(12 * 20):
        source.round()
    assert 60 <= youtube.used <= 96


def test_a_page_that_is_not_of_youtube_makes_nothing_gone(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source, one = at(), youtube.comment(film, "one")
    youtube.misbehave(Fault("status", status=404, body=b"<html>no such page</html>", times=9))
    with pytest.raises(Interrupted, match="not YouTube"):
        source.collector.look_up([one])


def test_a_channel_that_is_not_shown_is_missing_not_empty(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    body = b'{"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}'
    youtube.misbehave(Fault("status", status=403, body=body, only="/commentThreads", times=2))
    assert [(one.missed, one.reason) for one in source.round() if one.page] == [(None, "forbidden")]


def test_a_cap_of_a_day_below_the_quota_is_spread_over_the_day(at: Any, clock: ManualClock) -> None:
    settings = at(budget={"units": 500}).settings
    assert settings.units_a_day() == 500
    assert at(budget={"units": 500, "units_per": "month"}).settings.units_a_day() == settings.units_per_day


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded"])
def test_too_fast_is_no_used_up_quota(youtube: YoutubeStandIn, at: Any, film: str, reason: str) -> None:
    source = at()
    body = b'{"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": "%s"}]}}' % reason.encode()
    youtube.misbehave(Fault("status", status=403, body=body))
    with pytest.raises(Interrupted) as waits:
        source.round()
    assert waits.value.retry_after == MINUTE
    source.round()


def test_a_wrong_key_is_denied_and_its_value_is_nowhere(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    source.collector._setting.__dict__["secret"] = lambda name: "a-wrong-key-of-a-test"
    for asks in (lambda: source.round(), lambda: source.collector.check()):
        with pytest.raises(Denied) as denied:
            asks()
        assert "API_KEY_INVALID" in str(denied.value)
        assert "a-wrong-key" not in str(denied.value)
    source.collector._setting.__dict__["secret"] = lambda name: None
    with pytest.raises(Denied, match="put one into KEY"):
        source.round()
    assert not any("key" in request.params for request in youtube.requests)


def test_check_names_the_channels_and_those_that_are_not_there(youtube: YoutubeStandIn, at: Any, channel: str) -> None:
    assert at().collector.check() == "the API key is taken; channels: Acme"
    alone = at(channels=()).collector
    assert "taken" in alone.check()
    assert alone.check_used == (1, 1)
    with pytest.raises(Denied, match="knows no channel @acmee"):
        at(channels=("@acme", "@acmee")).collector.check()


def test_a_channel_that_is_not_there_any_more_is_gone(youtube: YoutubeStandIn, at: Any, channel: str) -> None:
    collector = at().collector
    assert isinstance(collector, Accountable)
    assert (collector.account("acme"), collector.account(channel)) == ("there", "there")
    assert (collector.account("acmee"), collector.account("UC" + "x" * 22)) == ("gone", "gone")


def test_looked_up_comments_and_videos_are_there_with_their_conversation_or_not(
    youtube: YoutubeStandIn, at: Any, film: str
) -> None:
    collector = at().collector
    assert isinstance(collector, Sweepable)
    top, gone = youtube.comment(film, "one"), youtube.comment(film, "two")
    answer, lost = youtube.reply(top, "three"), youtube.reply(top, "four")
    youtube.delete(gone)
    youtube.delete(lost)
    found = collector.look_up([film, top, gone, answer, lost, "notthere000"])
    assert found.existence == {
        film: "there", top: "there", gone: "absent", answer: "there", lost: "absent", "notthere000": "absent"
    }  # fmt: skip
    assert {draft.native_id: (draft.conversation, draft.reply_to) for draft in found.drafts} == {
        film: (film, None), top: (film, film), answer: (film, top)
    }  # fmt: skip
    assert {draft.kind for draft in found.drafts} == {"edited"}
    assert found.cost == found.asked == 3


def test_where_youtube_refuses_a_list_for_one_that_is_gone_only_that_one_is(
    youtube: YoutubeStandIn, at: Any, film: str
) -> None:
    collector = at().collector
    tops = [youtube.comment(film, f"comment {n}") for n in range(8)]
    youtube.delete(tops[5])
    youtube.refuse_lists = True
    existence = collector.look_up(tops).existence
    assert existence[tops[5]] == "gone"
    assert [existence[one] for one in tops if one != tops[5]] == ["there"] * 7


def test_the_context_of_an_answer_is_its_thread_and_the_video(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    collector = at().collector
    assert isinstance(collector, Contextual)
    top = youtube.comment(film, "where is my bag?")
    one, two = youtube.reply(top, "mine too"), youtube.reply(top, "and mine")
    drafts = [[draft.native_id for draft in delivery.drafts] for delivery in collector.context(two)]
    assert drafts == [[top, one], [film]]
    assert [draft.native_id for delivery in collector.context(top) for draft in delivery.drafts] == [film]
    assert list(collector.context("Ugnotthere00000000000000.00")) == []


def test_an_estimate_counts_the_last_week_by_hour(youtube: YoutubeStandIn, at: Any, channel: str) -> None:
    collector = at().collector
    assert isinstance(collector, Estimable)
    assert isinstance(collector, Checkable)
    for hours in (1, 1, 5, 100):
        youtube.upload(channel, "Acme again", at=NOW - hours * HOUR - MINUTE)
    sample = collector.sample(ACME)
    assert (sum(sample.posts_by_hour), len(sample.posts_by_hour), sample.capped) == (4, 168, False)
    assert sample.posts_by_hour[-2] == 2
    assert (sample.asked, sample.cost) == (1, 1)


def test_a_missed_span_is_filled_from_the_lists(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    for hours in (1, 5, 9):
        one = youtube.comment(film, f"{hours} hours ago", at=NOW - hours * HOUR)
        youtube.reply(one, f"answered {hours} hours ago", at=NOW - hours * HOUR + MINUTE)
    for n in range(300):
        youtube.comment(film, f"before {n}", at=NOW - 10 * HOUR - n * MINUTE)
    source = at()
    span = Span(NOW - 6 * HOUR, NOW - 2 * HOUR)
    found = [draft.text for delivery in source.collector.fill("", span, None) for draft in delivery.drafts]
    assert sorted(found) == ["5 hours ago", "answered 5 hours ago"]


def test_an_item_of_another_form_costs_itself_alone_and_once(youtube: YoutubeStandIn, at: Any, film: str) -> None:
    source = at()
    source.round()
    youtube.broken += [17, {"id": "UgNoSnippet"}]
    youtube.comment(film, "and the rest goes on")
    untaken = source.collector.collect(source.cursor)
    assert any(one.malformed for one in untaken)
    untaken.close()
    deliveries = source.round()
    assert [draft.text for one in deliveries for draft in one.drafts] == ["and the rest goes on"]
    assert len([letter for one in deliveries for letter in one.malformed]) == 2
    youtube.comment(film, "later")
    assert [letter for one in source.round() for letter in one.malformed] == []


def test_a_foreign_cursor_is_lost_not_a_crash(youtube: YoutubeStandIn, at: Any) -> None:
    source = at()
    source.cursor = "{]"
    with pytest.raises(CursorLost):
        source.round()


def test_names_that_do_not_fit_into_one_search_take_several() -> None:
    many = Wanted(brand="acme", phrases=tuple(f"Acme number {n}" for n in range(60)))
    searches = terms(many)
    assert all(len(one) <= LONGEST_QUERY for one in searches)
    assert sum(one.count("|") + 1 for one in searches) == 60
    assert terms(Wanted(brand="b", phrases=('Say "Acme" | now',), hashtags=("#acme",))) == ('"Say Acme now"|#acme',)


class YoutubeCase:
    edits: How = "poll"
    deletes: How = "sweep"
    fills = True
    first = "/commentThreads"

    def __init__(self, youtube: YoutubeStandIn) -> None:
        self.standin = self._youtube = youtube
        youtube.units = 10**9
        self._film = youtube.upload(youtube.open_channel("acme"), "Our new plane", at=youtube.wall() - 9 * DAY)

    def settings(self) -> YoutubeSource:
        return YoutubeSource(
            id="source", kind="youtube", key_env="KEY", url=self._youtube.url, channels=("@acme",), interval="50ms",
            searches_per_day=0, units_per_day=10**9,
        )  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        return {"KEY": KEY}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self._youtube.comment(self._film, text, author, at)

    def publish_malformed(self) -> None:
        self._youtube.broken.append(17)

    def edit(self, native_id: str, text: str) -> None:
        self._youtube.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self._youtube.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        with self._youtube.lock:
            return {id: one.text for id, one in self._youtube.said.items()}


class TestContract(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[YoutubeCase]:
        with YoutubeStandIn() as youtube:
            yield YoutubeCase(youtube)
