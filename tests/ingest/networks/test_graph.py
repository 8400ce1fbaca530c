"""A Facebook page and an Instagram account: the contract, webhooks, limits, and what tags or mentions them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Engine

from config.sources import FacebookSource, InstagramSource
from ingest.collector import NEVER, Contextual, Denied, Draft, Interrupted, Source
from ingest.networks import facebook, instagram
from ingest.networks.graph import Graph
from ingest.push import Addressed, Receiver
from ingest.setting import Setting
from ingest.taken import Taken
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, WallClock
from stream.embedded import EmbeddedLog
from tests.ingest.case import How
from tests.ingest.conftest import Held
from tests.ingest.contract import Contract
from tests.ingest.rounds import making
from tests.standins.graph import NUMBER, SECRET, TOKEN, WORD, GraphStandIn
from tests.standins.server import Fault

SECRETS = {"TOKEN": TOKEN, "SECRET": SECRET, "WORD": WORD}
NAMED: dict[str, Any] = {"token_env": "TOKEN", "secret_env": "SECRET", "verify_env": "WORD"}


def settings_of(graph: GraphStandIn, **more: Any) -> FacebookSource | InstagramSource:
    asked: dict[str, Any] = {"id": "source", "url": graph.url, "interval": "50ms", **NAMED, **more}
    if graph.instagram:
        return InstagramSource(kind="instagram", account=NUMBER, **asked)
    return FacebookSource(kind="facebook", page=NUMBER, **asked)


class GraphCase:
    edits: How = "sweep"
    deletes: How = "sweep"
    fills = True

    def __init__(self, graph: GraphStandIn) -> None:
        self.standin = self._graph = graph
        self.first = f"/v26.0/{NUMBER}/{'media' if graph.instagram else 'feed'}"
        self._ids: list[str] = []

    def settings(self) -> FacebookSource | InstagramSource:
        return settings_of(self._graph)

    def secrets(self) -> Mapping[str, str]:
        return SECRETS

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        with self._graph.lock:
            id = self._graph.comment(text, at=at, author=author)
            self._ids.append(id)
            return id

    def publish_malformed(self) -> None:
        self._graph.broken.append(17)
        self.publish("Acme beside what is broken")

    def edit(self, native_id: str, text: str) -> None:
        self._graph.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self._graph.remove(native_id)

    def truth(self) -> Mapping[str, str]:
        with self._graph.lock:
            things = self._graph.things
            return {id: things[id].text for id in self._ids if id in things}


class TestFacebook(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[GraphCase]:
        with GraphStandIn() as graph:
            yield GraphCase(graph)


class TestInstagram(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[GraphCase]:
        with GraphStandIn(instagram=True) as graph:
            yield GraphCase(graph)


@pytest.fixture(params=[False, True], ids=["facebook", "instagram"])
def graph(request: pytest.FixtureRequest) -> Iterator[GraphStandIn]:
    with GraphStandIn(request.param) as graph:
        yield graph


@pytest.fixture
def page() -> Iterator[GraphStandIn]:
    with GraphStandIn() as graph:
        yield graph


@pytest.fixture
def account() -> Iterator[GraphStandIn]:
    with GraphStandIn(True) as graph:
        yield graph


def setting(graph: GraphStandIn) -> Setting:
    network = "instagram" if graph.instagram else "facebook"
    return Setting(Source(id="source", network=network, brands=("acme",)), tuple, SECRETS.get, WallClock())


class At:
    def __init__(self, graph: GraphStandIn, **more: Any) -> None:
        made: Any = (instagram if graph.instagram else facebook).collector(settings_of(graph, **more), setting(graph))  # type: ignore[arg-type]
        self.collector: Graph = made
        self.cursor: str | None = None

    def brought(self) -> dict[str, Draft]:
        found: dict[str, Draft] = {}
        for delivery in self.collector.collect(self.cursor):
            found |= {draft.native_id: draft for draft in delivery.drafts}
            self.cursor = delivery.cursor or self.cursor
        return found

    def close(self) -> None:
        self.collector.close()


@pytest.fixture
def at() -> Iterator[Callable[..., At]]:
    with making(At) as make:
        yield make


def test_a_round_that_was_cut_before_it_was_taken_brings_it_again(graph: GraphStandIn, at: Callable[..., At]) -> None:
    """As where the disk is full: what was read and not taken does not count as known."""
    one = at(graph)
    one.brought()
    graph.comment("hello")
    for delivery in one.collector.collect(one.cursor):
        if delivery.drafts:
            break
    assert [draft.text for draft in one.brought().values()] == ["hello"]


@pytest.fixture
def receiver(log: EmbeddedLog, engine: Engine) -> Iterator[Callable[[GraphStandIn], Receiver]]:
    def receiver(graph: GraphStandIn) -> Receiver:
        pushed = (instagram if graph.instagram else facebook).push(settings_of(graph), setting(graph))  # type: ignore[arg-type]
        return Receiver(pushed, log, Taken(engine))

    with making(receiver) as make:
        yield make


def test_posts_comments_answers_and_tags_are_one_conversation_each(graph: GraphStandIn, at: Any) -> None:
    source = at(graph)
    assert source.brought() == {}
    post = graph.post("Our news")
    said = graph.comment("Acme, no!", post, author="ben")
    answer = graph.comment("why?", post, above=said, author="eva")
    tagged = graph.post("look, Acme", author="ivo", where="tagged")
    drafts = source.brought()
    named = f"media/{post}" if graph.instagram else post
    assert set(drafts) == {named, said, answer, f"tagged/{tagged}"}
    assert (drafts[said].reply_to, drafts[answer].reply_to) == (named, said)
    assert {drafts[id].conversation for id in (named, said, answer)} == {named}
    author = drafts[said].author
    assert author is not None
    assert "ben" in author.id
    assert source.brought() == {}
    late = graph.comment("and I say this late", post, above=said)
    assert set(source.brought()) == {late}


def test_the_first_round_goes_an_hour_back_however_much_names_the_account(
    graph: GraphStandIn, at: Callable[..., At]
) -> None:
    now = WallClock().now()
    old = {graph.post(f"Acme, long ago {n}", where="tagged", at=now - 2 * HOUR) for n in range(300)}
    ids = {graph.post(f"Acme {n}", where="tagged", at=now - 50 * MINUTE) for n in range(230)}
    brought = set(at(graph).brought())
    assert {f"tagged/{id}" for id in ids} <= brought
    assert not brought & {f"tagged/{id}" for id in old}


def test_what_comes_after_the_first_question_is_not_lost_when_another_list_fails_for_long(
    graph: GraphStandIn, at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = at(graph)
    graph.misbehave(Fault("status", only=f"/v26.0/{NUMBER}/{'tags' if graph.instagram else 'tagged'}"))
    with pytest.raises(Interrupted):
        source.brought()
    tagged = graph.post("look, Acme", where="tagged", at=WallClock().now() - MINUTE)
    # As if an hour had passed.
    monkeypatch.setattr("ingest.networks.graph.FIRST", 0)
    assert set(source.brought()) == {f"tagged/{tagged}"}


def test_an_idle_round_asks_two_questions_and_no_address_holds_the_token(graph: GraphStandIn, at: Any) -> None:
    source = at(graph)
    source.brought()
    asked = len(graph.requests)
    source.brought()
    assert len(graph.requests) == asked + 2
    assert all("appsecret_proof" in one.query for one in graph.requests)
    # Meta documents no other way to ask about a token than to name it: once a day, after everything else.
    assert [one.path.endswith("debug_token") for one in graph.requests if TOKEN in one.query] == [True]


def test_a_restart_loses_nothing_of_a_listing_that_was_cut(graph: GraphStandIn, at: Any) -> None:
    source = at(graph)
    source.brought()
    ids = {graph.comment(f"Acme {n}") for n in range(250)}
    deliveries = source.collector.collect(source.cursor)
    next(deliveries)
    next(deliveries)
    graph.misbehave(Fault("status", only=f"/v26.0/{graph.first}/comments"))
    with pytest.raises(Interrupted):
        list(deliveries)
    again = at(graph)
    again.cursor = source.cursor
    assert ids <= set(again.brought())


def test_what_is_dated_ahead_makes_nothing_else_old(graph: GraphStandIn, at: Any) -> None:
    source, ahead = at(graph), WallClock().wall() + DAY
    source.brought()
    graph.post("from tomorrow", at=ahead)
    graph.comment("from tomorrow as well", at=ahead)
    assert len(source.brought()) == 2
    texts = {"a post of now", *(f"Acme {n}" for n in range(250))}
    graph.post("a post of now")
    for n in range(250):
        graph.comment(f"Acme {n}")
    assert {draft.text for draft in source.brought().values()} == texts


def test_what_was_removed_is_gone_and_the_rest_is_there_as_it_is_now(graph: GraphStandIn, at: Any) -> None:
    source = at(graph)
    post = graph.post("Our news")
    ids = [graph.comment(f"Acme {n}", post) for n in range(9)]
    graph.remove(ids[3])
    graph.edit(ids[4], "Acme, edited")
    own = f"media/{post}" if graph.instagram else post
    tagged = f"tagged/{graph.post('Acme', where='tagged')}"
    found = source.collector.look_up([own, tagged, *ids])
    assert [id for id, is_there in found.existence.items() if is_there != "there"] == [ids[3]]
    assert found.existence[ids[3]] == "gone"
    texts = {draft.native_id: draft.text for draft in found.drafts}
    assert (texts[ids[4]], texts[own]) == ("Acme, edited", "Our news")
    assert {draft.conversation for draft in found.drafts if draft.native_id in ids} == {own}


def test_an_edge_without_cursors_is_read_to_its_end(page: GraphStandIn, at: Any) -> None:
    page.by_time = True
    source = at(page)
    source.brought()
    ids = {page.comment(f"Acme {n}") for n in range(250)}
    assert ids <= source.brought().keys()
    assert not any("access_token" in one.params for one in page.requests)


def test_what_is_gone_is_told_without_a_subcode_as_well(page: GraphStandIn, at: Any) -> None:
    source = at(page)
    id = page.comment("Acme")
    source.brought()
    said = b'{"error": {"message": "Object does not exist, cannot be loaded", "type": "OAuthException", "code": 100}}'
    page.misbehave(Fault("status", status=400, body=said, times=1))
    assert source.collector.look_up([id]).existence[id] != "there"


def test_a_post_that_is_not_published_is_not_taken(page: GraphStandIn, at: Any, receiver: Any, held: Held) -> None:
    takes, now = receiver(page), WallClock().now()
    value = {"item": "status", "verb": "add", "post_id": f"{NUMBER}_9", "message": "Acme, soon", "published": 0}
    assert takes.handle(*page.sent("feed", value), now, now)[0] == 202
    assert held.posts() == []
    takes.handle(*page.sent("feed", {**value, "published": 1}), now, now)
    assert [post.text for post in held.posts()] == ["Acme, soon"]


@pytest.mark.parametrize("lost", ["the page's list", "a permission"])
def test_to_a_token_that_lost_its_right_nothing_is_gone(graph: GraphStandIn, at: Any, lost: str) -> None:
    source, id = at(graph), graph.comment("Acme")
    graph.blind = (id,)
    assert source.collector.look_up([id]).existence == {id: "gone"}
    if lost == "a permission":
        graph.scopes = graph.scopes[:1]
    else:
        graph.blind = (id, NUMBER)
    with pytest.raises(Denied, match="token"):
        source.collector.look_up([id])


def test_a_comment_on_a_photo_stays_below_its_post(page: GraphStandIn, at: Any) -> None:
    source, id = at(page), page.comment("Acme on a photo")
    assert source.brought()[id].conversation == page.first
    page.photos[id] = "8080"
    (draft,) = source.collector.look_up([id]).drafts
    assert (draft.conversation, draft.reply_to, draft.text) == (None, None, "Acme on a photo")


def test_the_context_of_an_answer_is_its_comment_and_the_post(graph: GraphStandIn, at: Any) -> None:
    post = graph.post("Our news")
    said = graph.comment("Acme, no!", post)
    answer = graph.comment("why?", post, above=said)
    collector = at(graph).collector
    assert isinstance(collector, Contextual)

    def above(id: str) -> list[tuple[str, str, str | None]]:
        drafts = [draft for delivery in collector.context(id) for draft in delivery.drafts]
        return [(draft.native_id, draft.text, draft.reply_to) for draft in drafts]

    named = f"media/{post}" if graph.instagram else post
    assert above(answer) == [(said, "Acme, no!", named), (named, "Our news", None)]
    assert above(said) == [(named, "Our news", None)]
    assert above(named) == above("tagged/1") == []
    assert [delivery.asked for delivery in collector.context(answer)] == [1, 1, 1]
    graph.remove(said)
    assert [(delivery.asked, delivery.drafts) for delivery in collector.context(answer)] == [(1, []), (1, [])]
    assert above(said) == []


def test_of_a_comment_on_a_photo_the_post_is_not_named(page: GraphStandIn, at: Any) -> None:
    id = page.comment("Acme on a photo")
    page.photos[id] = "8080"
    assert [list(delivery.drafts) for delivery in at(page).collector.context(id)] == [[]]


@pytest.mark.parametrize(("code", "status"), [(4, 400), (17, 400), (32, 403), (613, 400), (80_001, 400), (80_002, 400)])
def test_a_limit_is_waited_for_as_long_as_the_api_says(page: GraphStandIn, at: Any, code: int, status: int) -> None:
    usage = f'{{"{NUMBER}": [{{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 7}}]}}'
    body = f'{{"error": {{"message": "limit", "code": {code}}}}}'.encode()
    page.misbehave(Fault("status", status=status, body=body, headers={"X-Business-Use-Case-Usage": usage}))
    with pytest.raises(Interrupted) as waits:
        at(page).brought()
    assert waits.value.retry_after == 7 * MINUTE


def test_rounds_are_longer_where_a_limit_is_near_and_stop_before_it(page: GraphStandIn, at: Any) -> None:
    source = at(page)
    source.brought()
    assert source.collector.interval == 50
    page.headers["X-App-Usage"] = '{"call_count": 80, "total_time": 10, "total_cputime": 5}'
    source.brought()
    assert 50 < source.collector.interval <= 500
    page.headers["X-App-Usage"] = '{"call_count": 96}'
    with pytest.raises(Interrupted, match="96 % of the Graph API's limit"):
        source.brought()
    page.headers["X-App-Usage"] = "half of {"
    assert at(page).brought() == {}


@pytest.mark.parametrize(("code", "words"), [(190, "make a new one"), (10, "lacks a permission"), (200, "permission")])
def test_what_a_person_has_to_mend_is_said(page: GraphStandIn, at: Any, code: int, words: str) -> None:
    page.misbehave(Fault("status", status=400, body=f'{{"error": {{"code": {code}}}}}'.encode()))
    with pytest.raises(Denied, match=words):
        at(page).brought()


def test_check_says_who_answers_until_when_and_what_is_missing(graph: GraphStandIn, at: Any) -> None:
    source = at(graph).collector
    assert (source.ends(), "answers" in source.check(), source.ends()) == (None, True, NEVER)
    graph.ends = WallClock().wall() // 1000 + 10 * 86_400
    source.check()
    assert source.ends() == graph.ends * 1000
    graph.ends = 1
    with pytest.raises(Denied, match="has ended"):
        at(graph).collector.check()
    graph.scopes = []
    with pytest.raises(Denied, match=r"lacks (pages_read|instagram)"):
        at(graph).collector.check()
    with pytest.raises(Denied, match="put one into ABSENT"):
        at(graph, token_env="ABSENT").collector.check()
    with pytest.raises(Denied, match="does not count any more"):
        at(graph, token_env="WORD", secret_env=None).collector.check()


def test_a_round_learns_once_a_day_until_when_its_token_counts(graph: GraphStandIn, at: Any) -> None:
    graph.ends = WallClock().wall() // 1000 + 10 * 86_400
    source = at(graph)
    source.brought()
    source.brought()
    assert source.collector.ends() == graph.ends * 1000
    assert sum("debug_token" in one.path for one in graph.requests) == 1


def test_an_estimate_counts_the_last_week(graph: GraphStandIn, at: Any) -> None:
    now = WallClock().now()
    graph.comment("in it", at=now - DAY)
    graph.comment("before it", at=now - 9 * DAY)
    graph.post("look at Acme", where="tagged")
    collector = at(graph).collector
    sample = collector.sample(Wanted(brand="acme", phrases=("Acme",)))
    first = int(graph.things[graph.first].at > now - 7 * DAY)
    assert (sum(sample.posts_by_hour), sample.capped, sample.asked) == (2 + first, False, 3)
    named = collector.sample(Wanted(brand="other", phrases=("look at",)))
    assert (sum(named.posts_by_hour), named.asked) == (1, 0)
    graph.blind = (NUMBER,)
    with pytest.raises(Denied, match="shows nothing"):
        at(graph).collector.sample(Wanted(brand="acme", phrases=("Acme",)))


# --- webhooks ---


def test_the_challenge_is_answered_to_who_knows_the_word(graph: GraphStandIn, receiver: Any) -> None:
    takes = receiver(graph)
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": WORD}
    assert takes.challenge(asked, 0) == "1158201444"
    for wrong in ({"hub.verify_token": "guess"}, {"hub.mode": "x"}, {"hub.challenge": "<b>"}, {"hub.verify_token": ""}):
        assert takes.challenge({**asked, **wrong}, 0) is None


def test_a_comment_that_is_pushed_is_the_one_that_is_polled(
    page: GraphStandIn, at: Any, receiver: Any, held: Held
) -> None:
    source, takes = at(page), receiver(page)
    source.brought()
    id = page.comment("Acme, no!", author="ben")
    value = {
        "item": "comment", "verb": "add", "comment_id": id, "post_id": page.first, "parent_id": page.first,
        "message": "Acme, no!", "created_time": page.things[id].at // 1000, "from": {"id": "p-ben", "name": "ben"},
    }  # fmt: skip
    now = WallClock().now() + 1_000
    assert takes.handle(*page.sent("feed", value), now, now)[0] == 202
    (post,) = held.posts()
    polled = source.brought()[id]
    assert (post.id, post.text, post.author, post.claimed_at) == (
        f"facebook:{id}", polled.text, polled.author, polled.claimed_at
    )  # fmt: skip
    assert (post.reply_to, post.conversation, post.brands) == (f"facebook:{page.first}",) * 2 + (("acme",),)
    takes.handle(*page.sent("feed", {**value, "verb": "edited", "message": "Acme, yes!"}), now, now)
    takes.handle(*page.sent("feed", {"item": "comment", "verb": "remove", "comment_id": id}), now + 1, now)
    takes.handle(*page.sent("feed", {"item": "post", "verb": "remove", "post_id": page.first}), now + 1, now)
    takes.handle(*page.sent("feed", {"item": "reaction", "verb": "add", "post_id": page.first}), now, now)
    assert [(one.kind, one.text) for one in held.posts()[1:]] == [
        ("edited", "Acme, yes!"), ("deleted", ""), ("deleted", "")
    ]  # fmt: skip


def test_what_mentions_the_page_is_asked_for_by_its_id(page: GraphStandIn, receiver: Any, held: Held) -> None:
    takes, now = receiver(page), WallClock().now()
    id = page.post("look at Acme", where="tagged")
    value = {"item": "post", "verb": "add", "post_id": id, "sender_name": "ivo"}
    page.misbehave(Fault("status"))
    assert takes.handle(*page.sent("mention", value), now, now)[0] == 503
    assert takes.handle(*page.sent("mention", value), now, now)[0] == 202
    page.remove(id)
    takes.handle(*page.sent("mention", {**value, "sender_name": "x"}), now, now)
    assert [post.id for post in held.posts()] == [f"facebook:tagged/{id}"]


def test_comments_and_mentions_of_an_account_are_pushed(account: GraphStandIn, receiver: Any, held: Held) -> None:
    takes, now = receiver(account), WallClock().now() + 1_000
    value = {"id": "77", "text": "Acme?", "from": {"id": "1", "username": "ana"}, "media": {"id": account.first}}
    takes.handle(*account.sent("comments", value), now, now)
    elsewhere = account.post("of others", where="mentioned")
    said = account.comment("hey @acme", elsewhere, where="mentioned")
    takes.handle(*account.sent("mentions", {"media_id": elsewhere, "comment_id": said}), now, now)
    takes.handle(*account.sent("mentions", {"media_id": elsewhere}), now, now)
    assert [(post.id, post.text) for post in held.posts()] == [
        ("instagram:77", "Acme?"),
        (f"instagram:mentioned-comment/{said}", "hey @acme"),
        (f"instagram:mentioned-media/{elsewhere}", "of others"),
    ]
    assert held.posts()[0].conversation == f"instagram:media/{account.first}"


def test_mentions_are_swept_as_mentions(account: GraphStandIn, at: Any) -> None:
    elsewhere = account.post("of others", where="mentioned")
    said = account.comment("hey @acme", elsewhere, where="mentioned")
    ids = [f"mentioned-comment/{said}", f"mentioned-media/{elsewhere}", "mentioned-media/1", "tagged/1"]
    found = at(account).collector.look_up(ids)
    assert list(found.existence.values()) == ["there", "there", "gone", "absent"]


def test_a_push_says_which_accounts_it_names(graph: GraphStandIn, receiver: Any) -> None:
    """So that it reaches the sources of all of them, whichever address of the app was called."""
    reads = receiver(graph).push
    assert isinstance(reads, Addressed)
    assert reads.accounts(graph.sent("feed", {}, to=[NUMBER, "4712"])[1]) == {reads.account, "4712"}
    assert reads.accounts(graph.sent("feed", {}, about="user")[1]) == frozenset()
    for odd in (b"", b"{", b"[]", b'{"object": "page", "entry": 7}', b"7"):
        assert reads.accounts(odd) == frozenset()


def test_only_the_app_s_signature_counts_and_other_pages_are_not_ours(
    graph: GraphStandIn, receiver: Any, held: Held
) -> None:
    takes, now = receiver(graph), WallClock().now()
    value = {
        "id": "1",
        "text": "x",
        "item": "comment",
        "verb": "add",
        "comment_id": "1_2",
        "post_id": "1",
        "message": "x",
    }
    field = "comments" if graph.instagram else "feed"
    assert takes.handle(*graph.sent(field, value, secret="a guess of sixteen signs"), now, now)[0] == 403
    assert takes.handle({}, b"{}", now, now)[0] == 403
    assert takes.handle(*graph.sent(field, value, about="user"), now, now)[0] == 202
    headers, body = graph.sent(field, value)
    assert takes.handle(headers, body.replace(NUMBER.encode(), b"4712"), now, now)[0] == 403
    assert held.posts() == []
