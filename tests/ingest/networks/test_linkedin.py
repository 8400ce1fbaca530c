"""The LinkedIn page of an organisation: the contract, answers, the order of comments, mentions, limits, versions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from config.sources import LinkedinSource
from ingest.collector import Denied, Draft, Interrupted, Source, Span
from ingest.networks import linkedin
from ingest.networks.linkedin import Linkedin
from ingest.networks.linkedin_posts import plain
from ingest.patience import Stopped
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, WallClock
from tests.ingest.case import How
from tests.ingest.contract import Contract
from tests.ingest.rounds import making
from tests.standins.linkedin import NUMBER, TOKEN, LinkedinStandIn
from tests.standins.oauth import TokenOffice
from tests.standins.server import Fault, Response

SECRETS = {"TOKEN": TOKEN}
OFFICE = TokenOffice()
LASTING: dict[str, Any] = {
    "token_env": None,
    "client_id_env": "APP",
    "client_secret_env": "SECRET",
    "refresh_token_env": "REFRESH",
}
GIVEN = {**SECRETS, "APP": OFFICE.app[0], "SECRET": OFFICE.app[1], "REFRESH": OFFICE.refresh_token}


def settings_of(standin: LinkedinStandIn, **more: Any) -> LinkedinSource:
    asked: dict[str, Any] = {"interval": "50ms", "token_env": "TOKEN", "organization": NUMBER, **more}
    return LinkedinSource(id="source", kind="linkedin", url=standin.url, login_url=standin.url, **asked)


class LinkedinCase:
    edits: How = "sweep"
    deletes: How = "sweep"
    fills = True
    first = "/rest/posts"

    def __init__(self, standin: LinkedinStandIn) -> None:
        self.standin = self._page = standin
        self._ids: list[str] = []

    def settings(self) -> LinkedinSource:
        return settings_of(self._page)

    def secrets(self) -> Mapping[str, str]:
        return SECRETS

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        with self._page.lock:
            id = self._page.comment(text, at=at, author=author)
            self._ids.append(id)
            return id

    def publish_malformed(self) -> None:
        self._page.broken.append(17)
        self.publish("Acme beside what is broken")

    def edit(self, native_id: str, text: str) -> None:
        self._page.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self._page.remove(native_id)

    def truth(self) -> Mapping[str, str]:
        with self._page.lock:
            return {id: self._page.things[id].text for id in self._ids if id in self._page.things}


class TestLinkedin(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[LinkedinCase]:
        with LinkedinStandIn() as page:
            yield LinkedinCase(page)


@pytest.fixture
def page() -> Iterator[LinkedinStandIn]:
    with LinkedinStandIn() as page:
        yield page


class At:
    """A collector and where it stands."""

    def __init__(self, page: LinkedinStandIn, cursor: str | None = None, **more: Any) -> None:
        source = Source(id="source", network="linkedin", brands=("acme",))
        self.stop = threading.Event()
        setting = Setting(source, tuple, GIVEN.get, WallClock(), stop=self.stop)
        made = linkedin.collector(settings_of(page, **more), setting)
        assert isinstance(made, Linkedin)
        self.collector = made
        self.cursor = cursor
        self.missed = 0
        self.malformed = 0
        self.reasons: list[str] = []

    def brought(self) -> list[Draft]:
        found: list[Draft] = []
        for delivery in self.collector.collect(self.cursor):
            found += delivery.drafts
            self.missed += delivery.missed or 0
            self.malformed += len(delivery.malformed)
            self.reasons += [delivery.reason] if delivery.missed is None else []
            self.cursor = delivery.cursor or self.cursor
        return found

    def texts(self) -> list[str]:
        return [draft.text for draft in self.brought() if draft.kind != "metrics"]

    def close(self) -> None:
        self.collector.close()


@pytest.fixture
def at() -> Iterator[Callable[..., At]]:
    with making(At) as make:
        yield make


# --- posts, comments, answers ---


def test_a_first_round_brings_the_last_hour_and_knows_what_was_there_before(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    page.comment("long ago", at=page.things[page.first].at + 1)
    page.comment("just now")
    page.post("a new post")
    one = at(page)
    assert sorted(one.texts()) == ["a new post", "just now"]
    assert one.texts() == []


def test_what_was_there_before_the_first_start_is_no_news_to_a_later_process(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    one = at(page)
    assert one.texts() == []
    assert at(page, cursor=one.cursor).texts() == []


def test_answers_are_brought_below_what_they_answer_and_say_so(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one = at(page)
    above = page.comment("where is it?")
    one.brought()
    below = page.comment("on its way", above=above, author="berta")
    reach, draft = one.brought()
    assert (reach.kind, reach.native_id, reach.metrics and reach.metrics.replies) == ("metrics", above, 1)
    assert (draft.native_id, draft.reply_to, draft.conversation) == (below, above, page.first)
    assert draft.author is not None
    assert draft.author.id == "urn:li:person:berta"
    assert draft.link == (
        f"https://www.linkedin.com/feed/update/{page.first}/?commentUrn="
        + below.replace("(urn:li:", "(").replace(":", "%3A").replace("(", "%28").replace(",", "%2C").replace(")", "%29")
    )


def test_answers_are_brought_although_no_comment_says_how_many_it_has(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    page.told_of_answers = False
    one = at(page)
    above = page.comment("where is it?")
    one.brought()
    page.comment("on its way", above=above)
    assert one.texts() == ["on its way"]


@pytest.mark.parametrize("newest_first", [True, False])
def test_nothing_is_lost_whatever_the_order_in_which_comments_are_listed(
    page: LinkedinStandIn, at: Callable[..., At], newest_first: bool
) -> None:
    page.newest_first, page.most = newest_first, 7
    one = at(page)
    for n in range(40):
        page.comment(f"early {n}")
    assert len(one.texts()) == 40
    for n in range(9):
        page.comment(f"late {n}")
    assert sorted(one.texts()) == [f"late {n}" for n in range(9)]


def test_reading_ends_where_the_new_comments_explain_the_number(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    page.most = 10
    for n in range(100):
        page.comment(f"early {n}")
    one = at(page)
    one.brought()
    page.comment("late")
    asked = page.asked("/rest/socialActions")
    assert one.texts() == ["late"]
    assert page.asked("/rest/socialActions") == asked + 1


def test_one_deleted_and_another_written_between_two_rounds_is_found_by_reading_again(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    one = at(page, reread="100ms")
    gone = page.comment("first")
    one.brought()
    page.remove(gone)
    page.comment("instead")
    threading.Event().wait(0.11)
    assert one.texts() == ["instead"]


def test_what_an_early_end_left_unread_is_found_after_a_restart_too(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    """One was deleted and two were written: the first new one explains the number, and reading ends at it."""
    page.most, now = 1, WallClock().wall()
    gone = page.comment("deleted later", at=now - 50 * MINUTE)
    before = at(page)
    before.brought()
    before.cursor = hours_ago(before.cursor)
    page.remove(gone)
    page.comment("behind the newest", at=now - 30 * MINUTE)
    page.comment("the newest")
    assert before.texts() == ["the newest"]
    assert "behind the newest" in at(page, cursor=before.cursor, reread="30m").texts()


def hours_ago(cursor: str | None) -> str:
    """As if all comments had been read an hour before."""
    state = msgspec.json.decode(cursor or "")
    for mark in state["posts"].values():
        mark["read"] -= HOUR
    return msgspec.json.encode(state).decode()


def test_an_idle_round_costs_two_requests(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    for n in range(5):
        page.comment("hello", page.post(f"post {n}"))
    one = at(page)
    one.brought()
    asked = len(page.requests)
    assert one.brought() == []
    assert len(page.requests) == asked + 2


def test_after_a_restart_only_what_is_new_is_read(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    above = page.comment("above")
    page.comment("below", above=above)
    before = at(page)
    before.brought()
    after = at(page, cursor=before.cursor)
    asked = page.asked("/rest/socialActions")
    after.brought()
    assert page.asked("/rest/socialActions") == asked
    page.comment("new", above=above)
    assert "new" in after.texts()


def test_reach_and_edits_of_its_own_posts_come_with_the_list(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one = at(page)
    one.brought()
    post = page.post("a post")
    one.brought()
    page.like(post, 5)
    (reach,) = one.brought()
    assert (reach.kind, reach.native_id, reach.metrics and reach.metrics.likes) == ("metrics", post, 5)
    page.edit(post, "a post, mended")
    (edit,) = one.brought()
    assert (edit.kind, edit.text) == ("edited", "a post, mended")
    assert edit.author is not None
    assert edit.author.handle == NUMBER


def test_a_comment_without_its_author_is_a_comment(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    bare = {
        "id": "9", "$URN": "urn:li:comment:(urn:li:activity:7,9)", "object": "urn:li:activity:7",
        "created": {"time": page.things[page.first].at + 10 * DAY}, "message": {"text": "who am I?"},
    }  # fmt: skip
    page.comment("beside it")
    page.broken.append(bare)
    (draft,) = [draft for draft in at(page).brought() if draft.text == "who am I?"]
    assert draft.author is None


def test_a_picture_that_is_signed_anew_is_no_edit(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one, picture = at(page, reread="100ms"), {"url": "https://media.example/1?e=1&t=a"}
    page.comment("beside it")
    page.broken.append({
        "id": "9", "object": "urn:li:activity:7", "created": {"time": WallClock().wall()},
        "message": {"text": "see"}, "content": [picture],
    })  # fmt: skip
    assert sorted(one.texts()) == ["beside it", "see"]
    threading.Event().wait(0.11)
    picture["url"] = "https://media.example/1?e=2&t=b"
    assert one.texts() == []
    threading.Event().wait(0.11)
    picture["url"] = "https://media.example/2?e=2&t=b"
    assert one.texts() == ["see"]


def test_text_is_as_people_read_it() -> None:
    little = (
        r"Hola @[Acme \(ES\)](urn:li:organization:2414183): \#1 en {hashtag|\#|Ventas}\, 100\% \\o/ "
        r"@[Ana](urn:li:person:a_b)"
    )
    assert plain(little) == r"Hola Acme (ES): #1 en #Ventas\, 100\% \o/ Ana"


def test_a_missed_span_is_asked_for_with_its_comments_and_answers(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    began = page.things[page.first].at
    above = page.comment("in it", at=began + MINUTE)
    page.comment("an answer in it", above=above, at=began + 2 * MINUTE)
    page.comment("behind it", at=began + DAY)
    one = at(page).collector
    found = [draft.text for delivery in one.fill("", Span(began, began + DAY), None) for draft in delivery.drafts]
    assert sorted(found) == ["an answer in it", "in it", "the first post"]


def test_an_estimate_counts_the_last_week_and_asks_posts_without_comments_nothing(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    above = page.comment("in it", at=time.time_ns() // 1_000_000 - DAY)
    page.comment("an answer in it", above=above)
    page.comment("before it", at=time.time_ns() // 1_000_000 - 9 * DAY)
    for n in range(5):
        page.post(f"nobody says anything, {n}")
    collector = at(page).collector
    sample = collector.sample(Wanted(brand="acme", phrases=("Acme",)))
    first = int(page.things[page.first].at > time.time_ns() // 1_000_000 - 7 * DAY)
    assert (sum(sample.posts_by_hour), sample.capped) == (7 + first, False)
    assert sample.asked == page.asked("/rest/") <= 6
    assert collector.sample(Wanted(brand="brisa", phrases=("Brisa",))).asked == 0


# --- mentions ---


def test_posts_that_mention_the_page_are_brought_once(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one = at(page, mentions=True)
    one.brought()
    told = page.mention("ask @Acme")
    read = page.mention("or do not ask @Acme", decorated=False)
    assert {draft.native_id: draft.text for draft in one.brought()} == {told: "ask @Acme", read: "or do not ask @Acme"}
    assert one.brought() == []


def test_mentions_that_could_not_be_asked_for_at_first_are_not_lost_when_that_lasts(
    page: LinkedinStandIn, at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = at(page, mentions=True)
    page.misbehave(Fault("status", only="/rest/organizationalEntityNotifications"))
    with pytest.raises(Interrupted):
        one.brought()
    told = page.mention("ask @Acme")
    # As if two hours had passed.
    monkeypatch.setattr("ingest.networks.linkedin.FIRST", -HOUR)
    assert [draft.native_id for draft in one.brought()] == [told]


def test_a_stop_does_not_wait_until_all_mentions_of_a_page_are_asked_for(
    page: LinkedinStandIn, at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = at(page, mentions=True)
    one.brought()
    ids = {page.mention(f"@Acme {n}", decorated=False) for n in range(30)}
    single = page._single

    def told_to_stop(id: str) -> Response:
        one.stop.set()
        return single(id)

    monkeypatch.setattr(page, "_single", told_to_stop)
    with pytest.raises(Stopped):
        one.brought()
    assert page.asked("/rest/posts/") == 1
    after = at(page, cursor=one.cursor, mentions=True)
    assert {draft.native_id for draft in after.brought()} >= ids


def test_a_mention_that_may_not_be_read_is_missed_and_known(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one = at(page, mentions=True)
    one.brought()
    page.hidden.add(page.mention("for friends only", decorated=False))
    assert one.brought() == []
    assert one.missed == 1
    one.brought()
    assert (one.missed, page.asked("/rest/posts/")) == (1, 1)


def test_mentions_that_linkedin_does_not_keep_any_more_are_missed_by_a_fill(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    one, now = at(page, mentions=True).collector, WallClock().wall()

    def reasons(days: int) -> set[str]:
        return {delivery.reason for delivery in one.fill("", Span(now - days * DAY, now), None)} - {""}

    assert reasons(59) == set()
    assert reasons(61) == {"LinkedIn keeps mentions for 60 days"}


def test_without_the_permission_for_mentions_it_says_which(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    page.scopes.discard("rw_organization_admin")
    at(page).brought()
    with pytest.raises(Denied, match="rw_organization_admin"):
        at(page, mentions=True).brought()


# --- sweeps, context, access ---


def test_to_a_token_that_sees_nothing_any_more_nothing_is_gone(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one = at(page)
    comment = page.comment("still there")
    gone = page.comment("not there")
    page.remove(gone)
    assert one.collector.look_up([gone, comment]).existence == {gone: "gone", comment: "there"}
    page.scopes.clear()
    with pytest.raises(Denied, match="does not show"):
        one.collector.look_up([comment])
    page.scopes.add("r_organization_social")
    page.misbehave(
        Fault("status", status=404, only="/rest/socialActions"), Fault("status", status=403, only="/rest/posts")
    )
    with pytest.raises(Denied, match="does not show"):
        one.collector.look_up([comment])


def test_what_the_token_may_not_see_is_not_taken_for_gone_at_once(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    """A comment that was shown before is missed; a mention's post may never have been to be read."""
    comment, mention = page.comment("hidden by its author"), page.mention("for friends only")
    page.hidden |= {comment, mention}
    assert at(page).collector.look_up([comment, mention]).existence == {comment: "absent", mention: "there"}


def test_what_a_comment_answers_is_fetched_up_to_the_post(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    above = page.comment("where is it?")
    below = page.comment("on its way", above=above)
    one = at(page)
    one.brought()
    one.brought()
    found = [draft.text for delivery in one.collector.context(below) for draft in delivery.drafts]
    assert found == ["where is it?", "the first post"]


def test_the_development_tier_asks_for_one_thing_at_a_time(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    page.batches = False
    page.comment("hello")
    assert at(page, tier="development").texts() == ["hello"]
    with pytest.raises(Denied, match="comments and reactions"):
        at(page).brought()
    assert settings_of(page, tier="development").documented().requests == 100


def test_access_tokens_are_got_by_a_refresh_token_and_got_anew_when_one_is_taken_back(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    page.office.lasts, page.office.refresh_ends = 60 * 86_400, time.time() + 300 * 86_400 + 3_600
    one = at(page, **LASTING)
    page.comment("hello")
    assert one.texts() == ["hello"]
    assert abs((one.collector.ends() or 0) - WallClock().wall() - 300 * DAY) < 2 * HOUR
    page.office.counts.clear()
    page.office.revoked = True
    with pytest.raises(Denied, match=r"REFRESH|source \(INVALID_ACCESS_TOKEN\)"):
        one.brought()


def test_one_way_to_a_token_is_named_whole(page: LinkedinStandIn) -> None:
    for wrong in ({"token_env": None}, {**LASTING, "client_secret_env": None}):
        with pytest.raises(ValueError, match="set token_env, or client_id_env"):
            settings_of(page, **wrong)


def test_a_version_that_was_switched_off_is_named_with_the_way_out(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    page.versions = {"202709"}
    with pytest.raises(Denied, match=r"switched off version 202609.*NONEXISTENT_VERSION.*`version`"):
        at(page).brought()
    assert (
        "202709 of the API, which LinkedIn supports until about 2028-09" in at(page, version="202709").collector.check()
    )


def test_a_days_quota_is_waited_for_until_midnight_utc(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    said = b'{"status":429,"serviceErrorCode":101,"code":"TOO_MANY_REQUESTS","message":"Resource level throttle '
    one = at(page)
    page.misbehave(
        Fault("status", status=429, body=said + b'APPLICATION DAY limit for calls to this resource is reached."}')
    )
    with pytest.raises(Interrupted, match="midnight UTC") as spent:
        one.brought()
    wall = WallClock().wall()
    assert spent.value.retry_after is not None
    assert abs((wall + spent.value.retry_after) % DAY) < MINUTE or DAY - (wall + spent.value.retry_after) % DAY < MINUTE
    page.misbehave(Fault("status", status=429, body=said + b'something else"}'))
    with pytest.raises(Interrupted) as busy:
        one.brought()
    assert busy.value.retry_after is None


def test_a_page_with_fewer_than_were_asked_for_leads_on_by_its_link(
    page: LinkedinStandIn, at: Callable[..., At]
) -> None:
    page.most = 3
    for n in range(8):
        page.post(f"post {n}")
    one = at(page)
    assert sorted(one.texts()) == [f"post {n}" for n in range(8)]
    for n in range(8):
        page.post(f"later {n}")
    assert sorted(one.texts()) == [f"later {n}" for n in range(8)]


@pytest.mark.parametrize("more", [{}, {"tier": "development"}])
def test_comments_that_are_not_shown_are_missed(page: LinkedinStandIn, at: Callable[..., At], more: Any) -> None:
    """Of one post or below one comment, or how many there are: it must not pass for all having been read."""
    one = at(page, **more)
    above = page.comment("where is it?")
    other = page.post("another one")
    page.comment("seen", other)
    one.brought()
    page.comment("not seen", other)
    page.comment("seen neither", above=above)
    page.unread |= {other, above}
    assert one.texts() == []
    assert one.reasons == ["LinkedIn does not show the comments"] * 2
    page.unread.clear()
    if not more:
        page.hidden.add(other)
        page.comment("again not seen", other)
        one.brought()
        assert one.reasons == ["LinkedIn does not show the comments"] * 3
        page.remove(other)
        page.hidden.clear()
        one.brought()
        assert len(one.reasons) == 3, "what is gone is no hole"
    page.unread.add(page.first)
    span = Span(0, WallClock().wall() + DAY)
    reasons = [delivery.reason for delivery in one.collector.fill("", span, None)]
    assert "LinkedIn does not show the comments" in reasons
    page.unread = {max(page.things.values(), key=lambda thing: (not thing.post, thing.modified, thing.id)).id}
    with pytest.raises(Denied, match="does not show comments to the token"):
        one.collector.check()


def test_what_is_dated_ahead_hides_nothing_that_comes_after_it(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    one, ahead = at(page), WallClock().wall() + 400 * DAY
    one.brought()
    odd = page.post("a post from next year", at=ahead)
    page.comment("a comment from next year", at=ahead)
    assert sorted(one.texts()) == ["a comment from next year", "a post from next year"]
    page.post("a post of today")
    page.comment("below it", odd)
    page.comment("beside it")
    assert sorted(at(page, cursor=one.cursor).texts())[-3:] == ["a post of today", "below it", "beside it"]


def test_a_round_that_was_cut_before_it_was_taken_brings_it_again(page: LinkedinStandIn, at: Callable[..., At]) -> None:
    """As where the disk is full: what was read and not taken does not count as known."""
    one = at(page)
    one.brought()
    page.broken.append(17)
    page.comment("hello")
    for delivery in one.collector.collect(one.cursor):
        if delivery.drafts:
            assert len(delivery.malformed) == 1
            break
    assert one.texts() == ["hello"]
    assert one.malformed == 1
    page.comment("hello again")
    assert (one.texts(), one.malformed) == (["hello again"], 1)
