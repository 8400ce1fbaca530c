"""A TikTok account: the contract, lists that are in no order, hidden comments, mentions, webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from config.sources import TiktokSource
from ingest.collector import Delivery, Denied, Draft, Interrupted, Source, Span
from ingest.credentials import ends_of
from ingest.networks import tiktok as networks_tiktok
from ingest.networks import tiktok_comments, tiktok_mentions
from ingest.networks.tiktok import Tiktok, collector, push
from ingest.networks.tiktok_api import Api
from ingest.networks.tiktok_comments import Mark
from ingest.push import Addressed, Receiver
from ingest.setting import Setting, Unshared
from ingest.taken import Taken
from ingest.tokens import UnsharedTokens
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, SECOND, WallClock
from stream.embedded import EmbeddedLog
from stream.records import Author, Metrics
from tests.ingest.case import How
from tests.ingest.conftest import Held
from tests.ingest.contract import Contract
from tests.standins.server import Fault
from tests.standins.tiktok import ACCOUNT, TiktokStandIn

SECRETS = {"APP": "app-of-acme", "SECRET": "secret-of-the-app-of-acme", "REFRESH": "refresh-token-number-0"}


def settings_of(tiktok: TiktokStandIn, **more: Any) -> TiktokSource:
    asked: dict[str, Any] = {
        "id": "source", "kind": "tiktok", "account": ACCOUNT, "url": f"{tiktok.url}/open_api/v1.3", "interval": "50ms",
        "client_id_env": "APP", "client_secret_env": "SECRET", "refresh_token_env": "REFRESH", **more,
    }  # fmt: skip
    return TiktokSource(**asked)


class TiktokCase:
    edits: How = "sweep"
    deletes: How = "sweep"
    fills = True
    first = "/open_api/v1.3/business/video/list/"
    uncounted = ("/open_api/v1.3/tt_user/oauth2/refresh_token/",)

    def __init__(self, tiktok: TiktokStandIn) -> None:
        self.standin = self._tiktok = tiktok
        self._ids: list[str] = []

    def settings(self) -> TiktokSource:
        return settings_of(self._tiktok)

    def secrets(self) -> Mapping[str, str]:
        return SECRETS

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        with self._tiktok.lock:
            self._ids.append(self._tiktok.comment(text, at=at, author=author))
            return self._ids[-1]

    def publish_malformed(self) -> None:
        self._tiktok.broken.append(17)
        self.publish("Acme beside what is broken")

    def edit(self, native_id: str, text: str) -> None:
        self._tiktok.change(native_id, text=text)

    def delete(self, native_id: str) -> None:
        self._tiktok.remove(native_id)

    def truth(self) -> Mapping[str, str]:
        with self._tiktok.lock:
            things = self._tiktok.things
            return {id: things[id.rpartition("/")[2]].text for id in self._ids if id.rpartition("/")[2] in things}


class TestTiktok(Contract):
    asks_by_brand = False
    burst = 2_000
    """Thirty a page, and five hundred in order: it is read to the end of the list all the same."""

    @pytest.fixture
    def case(self) -> Iterator[TiktokCase]:
        with TiktokStandIn() as tiktok:
            yield TiktokCase(tiktok)


@pytest.fixture
def tiktok() -> Iterator[TiktokStandIn]:
    with TiktokStandIn() as tiktok:
        yield tiktok


class Rounds:
    """A source whose rounds are asked for one by one, as by processes that follow each other."""

    def __init__(self, tiktok: TiktokStandIn, tokens: UnsharedTokens, **more: Any) -> None:
        self._tiktok, self._more, self._made = tiktok, more, list[Tiktok]()
        self.notes, self.tokens = Unshared(), tokens
        self.cursor: str | None = None
        self.secrets: dict[str, str] = dict(SECRETS)
        self.restart()

    def restart(self) -> Tiktok:
        """Another process goes on, with what is durable."""
        made = collector(settings_of(self._tiktok, **self._more), self.setting())
        assert isinstance(made, Tiktok)
        self._made.append(made)
        self.collector = made
        return made

    def setting(self) -> Setting:
        source = Source(id="source", network="tiktok", brands=("acme",))
        return Setting(source, tuple, self.secrets.get, WallClock(), notes=self.notes, tokens=self.tokens)

    def round(self) -> list[Delivery]:
        found = []
        for delivery in self.collector.collect(self.cursor):
            found.append(delivery)
            self.cursor = delivery.cursor or self.cursor
        return found

    def brought(self) -> dict[str, Draft]:
        drafts = [draft for delivery in self.round() for draft in delivery.drafts]
        assert len(drafts) == len({draft.native_id for draft in drafts}), "something came twice"
        return {draft.native_id: draft for draft in drafts}

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture
def rounds(tiktok: TiktokStandIn) -> Iterator[Callable[..., Rounds]]:
    made, tokens = list[Rounds](), UnsharedTokens()

    def make(**more: Any) -> Rounds:
        made.append(Rounds(tiktok, tokens, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- posts, comments, answers ---


def test_posts_comments_and_answers_are_one_conversation(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    assert source.brought() == {}
    post = tiktok.post("Our news")
    said = tiktok.comment("Acme, no!", post, author="ben", likes=7)
    answer = tiktok.comment("why?", post, above=said, author="eva")
    drafts = source.brought()
    assert set(drafts) == {post, said, answer}
    assert (drafts[said].reply_to, drafts[answer].reply_to) == (post, said)
    assert {draft.conversation for draft in drafts.values()} == {post}
    assert {draft.link for draft in drafts.values()} == {f"https://www.tiktok.com/@acme/video/{post}"}
    assert drafts[said].author == Author(id="u+ben=", handle="ben", name="Ben")
    assert drafts[said].metrics == Metrics(likes=7, replies=1)
    assert drafts[post].metrics == Metrics(likes=0, reposts=3, replies=0, views=700)
    assert drafts[post].author == Author(id=ACCOUNT, handle="acme")
    assert source.brought() == {}


def test_a_post_that_is_shown_late_is_brought_with_its_comments(tiktok: TiktokStandIn, rounds: Any) -> None:
    """As one that moderators looked at first, or that was private for a while."""
    source, now = rounds(), WallClock().wall()
    source.brought()
    tiktok.post("our news")
    source.brought()
    late = tiktok.post("our news of before", at=now - HOUR // 2)
    said = tiktok.comment("Acme!", late)
    assert set(source.brought()) == {late, said}


def test_a_post_that_is_followed_again_since_a_newer_one_was_removed_is_no_news(
    tiktok: TiktokStandIn, rounds: Any
) -> None:
    source, now = rounds(follow=1), WallClock().wall()
    source.brought()
    old = tiktok.post("our news", at=now - 30 * MINUTE)
    assert set(source.brought()) == {old}
    new = tiktok.post("and more", at=now - 15 * MINUTE)
    assert set(source.brought()) == {new}
    tiktok.remove(new)
    source.restart()
    assert source.brought() == {}


def test_a_post_that_is_dated_ahead_hides_none_of_its_comments(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    source.brought()
    odd = tiktok.post("from next year", at=WallClock().wall() + 400 * DAY)
    said = tiktok.comment("Acme", odd)
    assert set(source.brought()) == {odd, said}


def test_answers_with_a_wrong_date_hide_no_comments_that_come_later(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rounds(mentions=False)
    source.brought()
    post = tiktok.post("our news")
    with monkeypatch.context() as wrong:
        wrong.setattr(Api, "_noted", lambda api, _: setattr(api, "time", WallClock().wall() + 400 * DAY))
        assert set(source.brought()) == {post}
    source.restart()
    said = tiktok.comment("Acme", post)
    assert said in source.brought()


def test_a_walk_that_is_dated_ahead_is_not_waited_for() -> None:
    """As by one answer whose `Date` was wrong, or before the clock was set back."""
    now = WallClock().wall()
    assert Mark(0, now, walked=now + 400 * DAY).due(now)
    assert not Mark(0, now, walked=now).due(now)


def test_a_first_start_brings_the_last_hour(tiktok: TiktokStandIn, rounds: Any) -> None:
    tiktok.comment("long ago", at=WallClock().wall() - 2 * HOUR)
    late = tiktok.comment("Acme a moment ago", at=WallClock().wall() - HOUR // 2)
    assert set(rounds().brought()) == {late}


def test_answers_that_do_not_come_with_their_comment_are_asked_for(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    source.brought()
    said = tiktok.comment("Acme?")
    answers = {tiktok.comment(f"answer {n}", above=said) for n in range(70)}
    assert set(source.brought()) == {said, *answers}
    late = tiktok.comment("and one more", above=said)
    assert set(source.brought()) == {late}
    asked = tiktok.asked("/open_api/v1.3/business/comment/reply/list/")
    source.restart()
    source.brought()
    assert tiktok.asked("/open_api/v1.3/business/comment/reply/list/") == asked, "what was counted is forgotten"


def test_an_answer_to_an_old_comment_and_what_is_shown_late_are_found_by_a_walk(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, now = rounds(), WallClock().wall()
    source.brought()
    old = [tiktok.comment(f"Acme {n}", at=now - (100 - n) * SECOND) for n in range(80)]
    tiktok.withheld.add(old[20].rpartition("/")[2])
    source.brought()
    answer = tiktok.comment("so late", above=old[3])
    tiktok.withheld.clear()
    assert source.brought() == {}
    monkeypatch.setattr(tiktok_comments, "WALK_EVERY", 0)
    tiktok.change(old[5], likes=50)
    found = source.brought()
    assert set(found) == {answer, old[20], old[3], old[5]}
    assert (found[old[5]].kind, found[old[5]].metrics) == ("metrics", Metrics(likes=50, replies=0))
    assert source.brought() == {}


def test_what_is_pinned_hides_nothing_behind_it(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    tiktok.comment("welcome, all!", at=WallClock().wall() - 3 * DAY, pinned=True)
    source.brought()
    ids = {tiktok.comment(f"Acme {n}") for n in range(65)}
    assert set(source.brought()) == ids


def test_beyond_five_hundred_a_list_is_in_no_order_and_read_to_its_end_once(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    source.brought()
    ids = {tiktok.comment(f"Acme {n}") for n in range(1_100)}
    assert set(source.brought()) == ids
    asked = len(tiktok.requests)
    assert source.brought() == {}
    assert len(tiktok.requests) - asked < 6


def test_a_long_list_that_was_cut_goes_on_where_it_was(tiktok: TiktokStandIn, rounds: Any) -> None:
    """At forty requests a minute a list of hundreds of pages might never be read to its end without a fault."""
    source = rounds()
    source.brought()
    ids, came = {tiktok.comment(f"Acme {n}") for n in range(1_500)}, set[str]()
    for cut_at in (700, 1_200):
        deliveries = source.collector.collect(source.cursor)
        while len(came) < cut_at:
            came |= {draft.native_id for draft in next(deliveries).drafts}
        deliveries.close()
    ids |= {tiktok.comment(f"Acme meanwhile {n}") for n in range(100)}
    asked = tiktok.asked("/open_api/v1.3/business/comment/list/")
    for delivery in source.round():
        came |= {draft.native_id for draft in delivery.drafts}
    assert came == ids
    assert tiktok.asked("/open_api/v1.3/business/comment/list/") - asked < 50, "it was read from its beginning: 70"


def test_a_fill_and_the_rounds_do_not_take_each_other_s_place_in_a_long_list(
    tiktok: TiktokStandIn, rounds: Any
) -> None:
    source, now = rounds(mentions=False), WallClock().wall()
    source.brought()
    ids, came, filled = {tiktok.comment(f"Acme {n}") for n in range(1_500)}, set[str](), set[str]()
    deliveries = source.collector.collect(source.cursor)
    while len(came) < 1_000:
        came |= {draft.native_id for draft in next(deliveries).drafts}
    deliveries.close()
    fill = source.collector.fill("", Span(now - HOUR, now + HOUR), None)
    while len(filled) < 1_300:
        filled |= {draft.native_id for draft in next(fill).drafts}
    for delivery in source.round():
        came |= {draft.native_id for draft in delivery.drafts}
    for delivery in fill:
        filled |= {draft.native_id for draft in delivery.drafts}
    assert came == filled == ids


def test_what_was_not_taken_is_brought_again(tiktok: TiktokStandIn, rounds: Any) -> None:
    """As where the disk is full: each delivery of a round is read and lost once."""
    source = rounds()
    source.brought()
    said = tiktok.comment("Acme")
    ids = {tiktok.post("our news"), said, *(tiktok.comment(f"answer {n}", above=said) for n in range(40))}
    ids |= {tiktok.mention("@acme"), tiktok.mention_below("@acme!")}
    tiktok.broken = [17]
    came, lost, letters = set[str](), set[str](), 0
    for _ in range(20):
        deliveries = source.collector.collect(source.cursor)
        for delivery in deliveries:
            now = {draft.native_id for draft in delivery.drafts}
            if now - lost:
                lost |= now
                break
            came |= now
            letters += len(delivery.malformed)
            source.cursor = delivery.cursor or source.cursor
        else:
            break
        deliveries.close()
    assert came == lost == ids
    assert letters == 1


@pytest.mark.parametrize("cut_at", [1, 100, 260, 300])
@pytest.mark.parametrize("restart", [False, True], ids=["goes on", "restarted"])
def test_a_listing_that_was_cut_is_read_again_from_its_beginning(
    tiktok: TiktokStandIn, rounds: Any, restart: bool, cut_at: int
) -> None:
    """Among the comments or among the answers to one, though all of the first page is known by then."""
    source = rounds()
    source.brought()
    ids = {tiktok.comment(f"Acme {n}") for n in range(250)}
    below = {tiktok.comment(f"answer {n}", above=min(ids)) for n in range(100)}
    deliveries, came = source.collector.collect(source.cursor), set[str]()
    while len(came) < cut_at:
        came |= {draft.native_id for draft in next(deliveries).drafts}
    deliveries.close()
    if restart:
        source.restart()
    for delivery in source.round():
        came |= {draft.native_id for draft in delivery.drafts}
    assert came == ids | below


def test_a_missed_span_is_asked_for(tiktok: TiktokStandIn, rounds: Any) -> None:
    source, now = rounds(), WallClock().wall()
    before = tiktok.comment("before", at=now - 2 * HOUR)
    post = tiktok.post("a post of then", at=now - HOUR)
    said = tiktok.comment("Acme then", at=now - HOUR)
    answer = tiktok.comment("and then", above=said, at=now - HOUR)
    elsewhere = tiktok.mention("@acme then", at=now - HOUR)
    tiktok.comment("after")
    span = Span(now - 90 * MINUTE, now - 30 * MINUTE)
    drafts = [draft for delivery in source.collector.fill("", span, None) for draft in delivery.drafts]
    assert {draft.native_id for draft in drafts} == {post, said, answer, elsewhere}
    assert before not in {draft.native_id for draft in drafts}


def test_what_a_fill_could_not_read_of_the_answers_is_missed(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, now = rounds(mentions=False), WallClock().wall()
    said = tiktok.comment("Acme then", at=now - HOUR)
    for n in range(70):
        tiktok.comment(f"and then {n}", above=said, at=now - HOUR)
    monkeypatch.setattr(tiktok_comments, "MOST_PAGES", 1)
    span = Span(now - 90 * MINUTE, now - 30 * MINUTE)
    assert "page cap" in {delivery.reason for delivery in source.collector.fill("", span, None)}


def test_answers_that_are_refused_are_missed(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds(mentions=False)
    source.brought()
    said = tiktok.comment("Acme")
    for n in range(5):
        tiktok.comment(f"answer {n}", above=said)
    tiktok.refused["comment/reply/list/"] = 40_002
    reasons = [delivery.reason for delivery in source.round() if delivery.missed is None]
    assert reasons == ["TikTok refuses the answers to a comment (code 40002)"]


def test_a_post_whose_comments_are_refused_is_told_and_the_others_are_read(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds(mentions=False)
    source.brought()
    tiktok.refused["comment/list/"] = 40_002
    tiktok.post("another one")
    (*_, last) = [one for one in source.round() if one.missed is None]
    assert last.reason == "TikTok refuses a post's comments (code 40002)"
    tiktok.refused.clear()
    said = tiktok.comment("Acme")
    assert set(source.brought()) == {said}


# --- what is gone, hidden, changed ---


def test_a_picture_that_is_signed_anew_is_no_edit(tiktok: TiktokStandIn, rounds: Any) -> None:
    source, now = rounds(mentions=False), WallClock().wall() // 1_000
    said = {"comment_id": "9", "create_time": now, "text": "Acme", "image_url": "https://p.example/1.jpg?x-signature=a"}
    tiktok.broken = [said]
    assert len(source.brought()) == 1
    said["image_url"] = "https://p.example/1.jpg?x-signature=b"
    assert source.brought() == {}
    said["image_url"] = "https://p.example/2.jpg?x-signature=c"
    assert [draft.kind for draft in source.brought().values()] == ["edited"]


def test_what_is_hidden_goes_unless_somebody_wants_it_to_stay(tiktok: TiktokStandIn, rounds: Any) -> None:
    source, keeps = rounds(), rounds(keep_hidden=True)
    source.brought(), keeps.brought()
    there, hidden, gone = (tiktok.comment(f"Acme {n}") for n in range(3))
    answer = tiktok.comment("an answer", above=there)
    assert set(source.brought()) == set(keeps.brought()) == {there, hidden, gone, answer}
    tiktok.change(hidden, hidden=True)
    tiktok.remove(gone)
    tiktok.change(answer, text="an edited answer")
    ids = [there, hidden, gone, answer, tiktok.first, "1/2", "nonsense"]
    found = source.collector.look_up(ids)
    assert list(found.existence.values()) == ["there", "gone", "absent", "there", "there", "absent", "absent"]
    drafts = {draft.native_id: draft for draft in found.drafts}
    assert set(drafts) == {there, answer, tiktok.first}
    assert (drafts[answer].kind, drafts[answer].text, drafts[answer].reply_to) == ("edited", "an edited answer", there)
    assert drafts[answer].link == f"https://www.tiktok.com/@acme/video/{tiktok.first}"
    assert keeps.collector.look_up([hidden]).existence == {hidden: "there"}
    late = tiktok.comment("hidden from the beginning", hidden=True)
    assert set(source.brought()) == {answer}
    assert set(keeps.brought()) == {answer, late}


def test_that_a_post_s_comments_are_refused_does_not_mean_that_they_are_gone(
    tiktok: TiktokStandIn, rounds: Any
) -> None:
    said = tiktok.comment("Acme")
    tiktok.refused["comment/list/"] = 40_002
    with pytest.raises(Interrupted, match="of a post that is there"):
        rounds().collector.look_up([said])


def test_an_answer_s_context_is_its_comment_and_the_post(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    said = tiktok.comment("Acme?")
    answer = tiktok.comment("yes", above=said)
    elsewhere = tiktok.mention_below("@acme, see")

    def context(id: str) -> list[str]:
        return [draft.text for delivery in source.collector.context(id) for draft in delivery.drafts]

    assert context(answer) == ["Acme?", "the first post"]
    assert context(said) == ["the first post"]
    assert context(elsewhere) == ["look here"]
    assert context(tiktok.first) == context("7/8") == context("mention/7") == context("mention/7/8") == []


# --- what others say elsewhere ---


def test_what_names_the_account_elsewhere_is_brought_once(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds(hashtags=True)
    assert source.brought() == {}
    named = tiktok.mention("love @acme", by="carla")
    tagged = tiktok.mention("#acmeday", where="hashtag/video")
    below = tiktok.mention_below("@acme, look", by="Eva Z.")
    own = tiktok.comment("hey @acme")
    tiktok.mention_below("hey @acme", tiktok.first, of="acme")
    drafts = source.brought()
    assert set(drafts) == {named, tagged, below, own}
    assert drafts[named].author == Author(id="carla", handle="carla")
    assert drafts[named].metrics == Metrics(likes=4, reposts=1, replies=2, views=900)
    assert (drafts[below].author, drafts[below].reply_to) == (
        Author(id="Eva Z.", name="Eva Z."), below.rpartition("/")[0]
    )  # fmt: skip
    assert source.brought() == {}
    source.restart()
    assert set(source.brought()) <= {own}, "of comments the last minutes may come again"
    tiktok.mentions["video"][0]["likes"] = 5
    tiktok.mentions["comment"][0]["comment_text"] = "@acme, look again"
    changed = source.brought()
    assert [(one.kind, one.text) for one in changed.values()] == [("metrics", ""), ("edited", "@acme, look again")]


def test_a_mention_that_stands_in_two_lists_is_brought_once(tiktok: TiktokStandIn, rounds: Any) -> None:
    """Of one with the hashtag TikTok tells less: that is no other reach."""
    source = rounds(hashtags=True)
    source.brought()
    both = tiktok.mention("@acme on #acmeday")
    tiktok.mentions["hashtag/video"].append(tiktok.mentions["video"][0])
    assert set(source.brought()) == {both}
    assert source.brought() == source.brought() == {}
    tiktok.mentions["video"][0]["likes"] = 50
    assert {draft.metrics and draft.metrics.likes for one in source.round() for draft in one.drafts} == {50}


def test_what_a_fill_brings_of_elsewhere_is_no_comment_of_the_account_and_is_looked_up_later(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, then = rounds(), WallClock().wall() - 20 * DAY
    source.brought()
    tiktok.mention_below("hey @acme", tiktok.first, of="acme", at=then)
    named = tiktok.mention("@acme then", at=then)
    span = Span(then - HOUR, then + HOUR)
    drafts = [draft for delivery in source.restart().fill("", span, None) for draft in delivery.drafts]
    assert [draft.native_id for draft in drafts] == [named]
    tiktok.unmention(named)
    assert source.collector.look_up([named]).existence == {named: "absent"}


def test_a_mention_that_is_listed_hours_late_is_brought_all_the_same(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks_tiktok, "FIRST", DAY)
    source = rounds()
    source.brought()
    tiktok.mention("@acme now")
    source.brought()
    late = tiktok.mention("@acme, three hours ago", at=WallClock().wall() - 3 * HOUR)
    assert set(source.brought()) == {late}


def test_a_mention_is_gone_once_it_left_the_list_that_showed_it(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rounds()
    source.brought()
    named, left, below = tiktok.mention("@acme 1"), tiktok.mention("@acme 2"), tiktok.mention_below("@acme 3")
    source.brought()
    pushed = "mention/7000"
    tiktok.unmention(left)
    tiktok.unmention(below)
    found = source.collector.look_up([named, left, below, pushed])
    assert list(found.existence.values()) == ["there", "absent", "absent", "there"]
    assert [draft.native_id for draft in found.drafts] == [named]
    kept = tiktok.mention_below("@acme 4")
    source.brought()
    monkeypatch.setattr(tiktok_mentions, "JUDGED", -HOUR)
    monkeypatch.setattr(tiktok_mentions, "BELIEVED", 0)
    tiktok.unmention(kept)
    assert source.collector.look_up([kept]).existence == {kept: "there"}, "of one so old no list tells"
    source.restart()
    assert set(source.collector.look_up([left, below]).existence.values()) == {"absent"}, "what was gone came back"
    tiktok.mentions["video"].append({**tiktok.mentions["video"][0], "item_id": left.rpartition("/")[2]})
    assert source.collector.look_up([left]).existence == {left: "there"}


def test_more_mentions_than_a_list_shows_stand_in_the_ledger(
    tiktok: TiktokStandIn, rounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = rounds()
    source.brought()
    ids = [tiktok.mention(f"@acme {n}") for n in range(1_100)]
    deliveries = source.round()
    brought = {draft.native_id for delivery in deliveries for draft in delivery.drafts}
    assert brought == set(ids[100:])
    assert [one.reason for one in deliveries if one.missed is None] == ["page cap"]
    assert set(source.collector.look_up([ids[-1], ids[150]]).existence.values()) == {"there"}


# --- access ---


def test_a_limit_is_waited_for_as_tiktok_says(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    for code, wait in ((40_100, 5 * MINUTE), (50_000, None)):
        tiktok.refused["video/list/"] = code
        with pytest.raises(Interrupted) as fault:
            source.round()
        assert fault.value.retry_after == wait


def test_a_token_that_ends_is_renewed_by_the_newest_refresh_token(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    source.brought()
    tiktok.office.counts.clear()
    with pytest.raises(Denied, match="does not count any more"):
        source.round()  # it was given a moment ago: another one would be no better
    source.restart()
    assert len(tiktok.office.given) == 1
    (id,) = source.tokens._held
    held = source.tokens._held[id]
    source.tokens._held[id] = replace(held, given_at=held.given_at - HOUR)
    said = tiktok.comment("Acme")
    assert set(source.brought()) == {said}
    assert (len(tiktok.office.given), tiktok.office.refresh_token) == (2, "refresh-token-number-2")
    assert 364 * DAY < (ends_of(source.collector) or 0) - WallClock().wall() <= 365 * DAY
    tiktok.office.revoked = True
    tiktok.office.counts.clear()
    source.tokens = UnsharedTokens()
    source.restart()
    with pytest.raises(Denied, match=r"does not take what REFRESH holds.*docs/networks/tiktok.md"):
        source.round()
    source.secrets["SECRET"] = "not the secret of this app"
    with pytest.raises(Denied, match=r"APP and SECRET"):
        source.restart().check()
    del source.secrets["REFRESH"]
    with pytest.raises(Denied, match="REFRESH not set"):
        source.restart().check()


def test_what_is_missing_is_said_in_words(tiktok: TiktokStandIn, rounds: Any) -> None:
    assert rounds().collector.check() == "@acme answers: posts and comments, and what names it elsewhere"
    tiktok.refused["mention/video/list/"] = 40_001
    with pytest.raises(Denied, match="mentions: false"):
        rounds().collector.check()
    own = rounds(mentions=False).collector
    assert (own.check(), own.check_used) == ("@acme answers: posts and comments", (2, 0))
    with pytest.raises(Denied, match="has to be its open_id"):
        rounds(account="somebody-else-0001").collector.check()
    tiktok.refused["video/list/"] = 40_002
    with pytest.raises(Denied, match="is `account` the account's open_id"):
        rounds().collector.check()


# --- hostile answers ---


def test_what_no_answer_may_hold_goes_nowhere(tiktok: TiktokStandIn, rounds: Any) -> None:
    source = rounds()
    source.brought()
    now = WallClock().wall() // 1_000
    odd: list[Any] = [
        None, [], "text", {}, {"comment_id": "1/2", "create_time": now}, {"comment_id": True, "create_time": now},
        {"comment_id": "9" * 40, "create_time": now}, {"comment_id": "5", "create_time": "9" * 30},
        {"comment_id": "6", "create_time": -1}, {"comment_id": "7", "create_time": [now]},
    ]  # fmt: skip
    tiktok.broken = [
        *odd,
        {"comment_id": "8", "create_time": now, "text": ["no text"], "username": 5, "likes": -3, "reply_list": "x"},
        {"comment_id": "9", "create_time": now, "text": "", "image_url": "javascript:alert(1)", "reply_list": [7, {}]},
        {"comment_id": "10", "create_time": 4_000_000_000, "text": "from the future", "unique_identifier": "u"},
    ]
    said = tiktok.comment("Acme")
    deliveries = source.round()
    assert {draft.native_id for one in deliveries for draft in one.drafts} == {said, f"{tiktok.first}/10"}
    assert sum(len(one.malformed) for one in deliveries) == len(odd)
    tiktok.broken = []
    ids = {tiktok.comment(f"Acme {n}") for n in range(70)}
    assert set(source.brought()) == ids, "a time in the future hides what comes after it"


@pytest.mark.parametrize("data", [{"comments": 7}, {"comments": None, "has_more": True, "cursor": "x" * 500}, [], None])
def test_a_list_that_is_none_is_a_fault_or_told_as_missing(tiktok: TiktokStandIn, rounds: Any, data: Any) -> None:
    source = rounds(mentions=False)
    body = json.dumps({"code": 0, "message": "OK", "data": data}).encode()
    tiktok.misbehave(Fault("status", status=200, body=body, only="/open_api/v1.3/business/comment/list/"))
    try:
        missed = [one.reason for one in source.round() if one.missed is None]
    except Interrupted:
        missed = ["interrupted"]
    assert missed == (["page cap"] if data and "cursor" in data else [] if not data else ["interrupted"])


def test_an_estimate_counts_the_last_week_and_a_refusal_is_said_in_words(tiktok: TiktokStandIn, rounds: Any) -> None:
    now = WallClock().now()
    above = tiktok.comment("in it", at=now - DAY)
    tiktok.comment("an answer in it", above=above, at=now - HOUR)
    tiktok.comment("before it", at=now - 9 * DAY)
    source = rounds()
    sample = source.collector.sample(Wanted(brand="acme", phrases=("Acme",)))
    first = int(tiktok.things[tiktok.first].at > now - 7 * DAY)
    assert (sum(sample.posts_by_hour), sample.capped) == (2 + first, False)
    assert 0 < sample.asked <= 10
    assert sum(source.collector.sample(Wanted(brand="brisa", phrases=("Brisa",))).posts_by_hour) == 0
    tiktok.misbehave(Fault("status", status=200, body=b'{"code": 40002, "message": "no"}', times=9))
    with pytest.raises(Denied, match="open_id"):
        rounds().collector.sample(Wanted(brand="acme", phrases=("Acme",)))


# --- what is pushed ---


@pytest.fixture
def receiver(log: EmbeddedLog, engine: Engine) -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(source: Rounds, tiktok: TiktokStandIn, **more: Any) -> Receiver:
        made.append(Receiver(push(settings_of(tiktok, **more), source.setting()), log, Taken(engine)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_comment_that_is_pushed_is_the_one_that_is_polled(
    tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held
) -> None:
    source = rounds()
    source.brought()
    takes, now = receiver(source, tiktok), WallClock().now() + SECOND
    said = tiktok.comment("Acme, no!", author="ben")
    answer = tiktok.comment("why?", above=said)
    for one in (said, answer):
        assert takes.handle(*tiktok.sent("comment.update", tiktok.told(one)), now, now)[0] == 202
    polled = source.brought()
    for post, draft in zip(held.posts(), (polled[said], polled[answer]), strict=True):
        assert (post.id, post.text, post.claimed_at) == (f"tiktok:{draft.native_id}", draft.text, draft.claimed_at)
        assert post.author is not None
        assert draft.author is not None
        assert (post.author.id, post.link, post.brands) == (draft.author.id, draft.link, ("acme",))
        assert (post.reply_to, post.conversation) == (f"tiktok:{draft.reply_to}", f"tiktok:{tiktok.first}")


def test_a_push_says_which_account_it_names(tiktok: TiktokStandIn, rounds: Any, receiver: Any) -> None:
    """So that it reaches the source of that account, whichever address of the app was called."""
    reads = receiver(rounds(), tiktok).push
    assert isinstance(reads, Addressed)
    _, body = tiktok.sent("comment.update", tiktok.told(tiktok.comment("Acme")), account="another")
    assert reads.accounts(body) == {"another"} != {reads.account}
    for odd in (b"", b"{", b"[]", b'{"user_openid": 7}', b"7"):
        assert reads.accounts(odd) == frozenset()


def test_what_is_deleted_or_hidden_goes_and_comes_back_when_it_is_public(
    tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held
) -> None:
    takes, now = receiver(rounds(), tiktok), WallClock().now() + SECOND
    said = tiktok.comment("Acme")
    for n, action in enumerate(
        ("set_to_hidden", "set_to_friends_only", "set_to_public", "delete", "set_to_public", "?")
    ):
        if action == "delete":
            told = tiktok.told(said, action)
            tiktok.remove(said)
        elif said.rpartition("/")[2] in tiktok.things:
            told = tiktok.told(said, action)
        else:
            told = {**told, "comment_action": action}
        assert takes.handle(*tiktok.sent("comment.update", told, at=now + n * SECOND), now, now)[0] == 202
    assert [(post.kind, post.text) for post in held.posts()] == [
        ("deleted", ""), ("restored", "Acme"), ("deleted", "")
    ]  # fmt: skip


def test_where_hidden_comments_stay_a_push_does_not_take_them(
    tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held
) -> None:
    takes, now = receiver(rounds(), tiktok, keep_hidden=True), WallClock().now()
    takes.handle(*tiktok.sent("comment.update", tiktok.told(tiktok.comment("Acme"), "set_to_hidden")), now, now)
    assert held.posts() == []


def test_a_comment_without_a_text_is_asked_for(tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held) -> None:
    takes, now = receiver(rounds(), tiktok), WallClock().now() + SECOND
    said = tiktok.comment("Acme in a picture")
    told = {name: value for name, value in tiktok.told(said).items() if name != "text"}
    tiktok.misbehave(Fault("status"))
    assert takes.handle(*tiktok.sent("comment.update", told), now, now)[0] == 503
    assert takes.handle(*tiktok.sent("comment.update", told), now, now)[0] == 202
    assert [post.text for post in held.posts()] == ["Acme in a picture"]


def test_a_mention_that_is_pushed_is_asked_for(tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held) -> None:
    source = rounds()
    source.brought()
    takes, now = receiver(source, tiktok), WallClock().now() + SECOND
    named, below = tiktok.mention("love @acme", by="carla"), tiktok.mention_below("@acme!", by="ivo", of="gala")
    own = tiktok.mention_below("@acme, here", tiktok.first, of="acme")

    def pushed(id: str, event: str = "CREATE") -> int:
        _, video, *comment = id.split("/")
        content = {"type_of_event": event, "mention_type": "COMMENT" if comment else "VIDEO MENTION", "video_id": video,
                   "comment_id": comment[0] if comment else "0", "open_id_of_mentioned_user": ACCOUNT}  # fmt: skip
        return int(takes.handle(*tiktok.sent("brand.mention.event", content), now, now)[0])

    assert [pushed(id) for id in (named, below, own)] == [202] * 3
    tiktok.mentions["video"][0]["caption"] = "I love @acme"
    pushed(named, "EDIT")
    tiktok.unmention(named)
    tiktok.unmention(below)
    pushed(named, "PRIVACY_CHANGE")
    pushed(below, "PRIVACY_CHANGE")
    assert [(post.id.removeprefix("tiktok:"), post.kind, post.text) for post in held.posts()] == [
        (named, "created", "love @acme"), (below, "created", "@acme!"), (named, "edited", "I love @acme"),
        (named, "deleted", ""), (below, "deleted", ""),
    ]  # fmt: skip
    post = held.posts()[1]
    assert post.author is not None
    assert (post.author.handle, post.conversation) == ("ivo", f"tiktok:{below.rpartition('/')[0]}")
    assert set(source.brought()) == set()


def test_only_the_app_s_signature_counts_and_other_accounts_are_not_ours(
    tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held
) -> None:
    takes, now = receiver(rounds(), tiktok), WallClock().now() + SECOND
    told = tiktok.told(tiktok.comment("Acme"))
    headers, body = tiktok.sent("comment.update", told)
    assert takes.handle(headers, body.replace(b"Acme", b"Emca"), now, now)[0] == 403
    for forged in (
        {},
        *({"Tiktok-Signature": said} for said in ("", "t=1", "s=1", "t=x,s=1", "t=1,s=", "t=1,s=é", "," * 99)),
    ):
        assert takes.handle(forged, body, now, now)[0] == 403
    assert takes.handle(*tiktok.sent("comment.update", told, secret="a guess of sixteen signs"), now, now)[0] == 403
    assert takes.handle(*tiktok.sent("comment.update", told, at=now - 4 * DAY), now, now)[0] == 403
    assert takes.handle(*tiktok.sent("comment.update", told, account="another-account"), now, now)[0] == 202
    assert takes.handle(*tiktok.sent("authorization.removed", {"reason": 1}), now, now)[0] == 202
    assert held.posts() == []
    assert takes.handle(*tiktok.sent("comment.update", told, at=now - 2 * DAY), now, now)[0] == 202
    assert takes.handle(headers, body, now, now)[0] == 202
    assert len(held.posts()) == 1


@pytest.mark.parametrize("content", [None, 7, [], {}, {"comment_id": "x", "video_id": 1}, {"comment_id": 10**40}])
def test_a_push_that_says_nothing_is_a_dead_letter(
    tiktok: TiktokStandIn, rounds: Any, receiver: Any, held: Held, content: Any
) -> None:
    takes, now = receiver(rounds(), tiktok), WallClock().now() + SECOND
    assert takes.handle(*tiktok.sent("comment.update", content), now, now)[0] == 202
    assert len(held.dead()) == 1
