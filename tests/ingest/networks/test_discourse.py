"""A community's posts arrive by push and by poll, the same ones, and nobody reads what he may not read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from config.sources import DiscourseSource
from ingest.collector import Contextual, CursorLost, Denied, Estimable, Interrupted, Source, Span, Sweepable
from ingest.networks.discourse import Discourse, push
from ingest.networks.discourse_posts import plain
from ingest.push import Receiver
from ingest.setting import Setting
from ingest.taken import Taken
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.merge import merge, state_of
from tests.ingest.case import How
from tests.ingest.conftest import NOW, Held
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.discourse import KEY, PUBLIC, SECRET, STAFF, DiscourseStandIn
from tests.standins.server import Fault

SECRETS = {"KEY": KEY, "SECRET": SECRET}


class At(Rounds[Discourse]):
    """A source of one community on a clock that is moved by hand."""

    def __init__(self, community: DiscourseStandIn, clock: ManualClock, **more: Any) -> None:
        asked: dict[str, Any] = {"key_env": "KEY", "secret_env": "SECRET", **more}
        settings = DiscourseSource(id="source", kind="discourse", url=community.url, **asked)
        source = Source(id="source", network="discourse", brands=("acme",))
        setting = Setting(source=source, wanted=tuple, secret=SECRETS.get, clock=clock)
        super().__init__(Discourse, settings, setting)

    def texts(self) -> list[str]:
        return sorted(draft.text for draft in self.brought())


@pytest.fixture
def community(clock: ManualClock) -> Iterator[DiscourseStandIn]:
    with DiscourseStandIn(clock.now) as community:
        yield community


@pytest.fixture
def at(community: DiscourseStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, community, clock)) as make:
        yield make


Receive = Callable[..., Receiver]


@pytest.fixture
def receiver(log: EmbeddedLog, engine: Engine) -> Iterator[Receive]:
    with making(lambda source: Receiver(push(source.settings, source.setting), log, Taken(engine))) as make:
        yield make


def test_a_topic_and_its_answers_have_title_author_conversation_and_link(community: DiscourseStandIn, at: Any) -> None:
    source = at()
    source.brought()
    first = community.topic("Bags that got lost", "Acme lost mine", author="ana")
    second = community.post(1, "mine too", author="ben")
    third = community.post(1, "where?", author="eva", answers=2)
    community.like(third)
    drafts = {draft.native_id: draft for draft in source.brought()}
    one, two, three = (drafts[community.id(id)] for id in (first, second, third))
    assert (one.title, one.text, one.conversation, one.reply_to) == (
        "Bags that got lost", "Acme lost mine", one.native_id, None
    )  # fmt: skip
    assert (two.title, two.conversation, two.reply_to) == (None, one.native_id, one.native_id)
    assert (three.reply_to, three.conversation) == (two.native_id, one.native_id)
    assert two.author is not None
    assert (two.author.handle, two.author.name) == ("ben", "Ben")
    assert one.link == f"{community.url}/t/a-topic/1/1"
    assert three.metrics is not None
    assert three.metrics.likes == 1
    assert {draft.access for draft in drafts.values()} == {"public"}


@pytest.mark.parametrize("windows", [False, True])
def test_a_burst_and_gaps_in_the_numbers_lose_nothing(community: DiscourseStandIn, at: Any, windows: bool) -> None:
    community.windows = windows
    community.topic("News", "old", at=NOW - DAY)
    source = at()
    assert source.texts() == []
    for n in range(400):
        id = community.post(1, f"post {n}")
        if 100 <= n < 220:
            community.delete(id)
    assert source.texts() == sorted(f"post {n}" for n in range(400) if not 100 <= n < 220)
    assert source.texts() == []


@pytest.mark.parametrize("windows", [False, True])
def test_the_first_round_goes_an_hour_back_however_much_was_said(
    community: DiscourseStandIn, at: Any, windows: bool
) -> None:
    community.windows = windows
    community.topic("News", "old", at=NOW - DAY)
    for n in range(120):
        community.post(1, f"old {n}", at=NOW - 2 * HOUR)
    for n in range(130):
        community.post(1, f"post {n}", at=NOW - 50 * MINUTE)
    source = at()
    assert source.texts() == sorted(f"post {n}" for n in range(130))
    assert community.asked("/posts.json") <= 4
    assert source.texts() == []


def test_a_burst_that_is_cut_comes_whole_after_a_restart(community: DiscourseStandIn, at: Any) -> None:
    community.topic("News", "old", at=NOW - DAY)
    source = at()
    source.brought()
    for n in range(200):
        community.post(1, f"post {n}")
    deliveries = source.collector.collect(source.cursor)
    next(deliveries)
    community.misbehave(Fault("status", only="/posts.json"))
    with pytest.raises(Interrupted):
        list(deliveries)
    source.restart()
    assert source.texts() == sorted(f"post {n}" for n in range(200))


def test_edits_and_likes_of_the_newest_posts_are_seen_by_the_list(community: DiscourseStandIn, at: Any) -> None:
    source = at()
    one = community.topic("News", "befor")
    source.brought()
    community.edit(one, "before")
    (edited,) = source.brought()
    assert (edited.kind, edited.text, edited.revision) == ("edited", "before", 2)
    community.like(one)
    (liked,) = source.brought()
    assert (liked.kind, liked.text) == ("metrics", "")
    assert source.brought() == []


def test_an_edit_of_one_of_the_newest_posts_while_nobody_looked_is_seen_by_the_list(
    community: DiscourseStandIn, at: Any
) -> None:
    source = at()
    one = community.topic("News", "before")
    community.post(1, "never edited")
    source.brought()
    community.edit(one, "after")
    source.restart()
    assert [(draft.kind, draft.text, draft.revision) for draft in source.brought()] == [("edited", "after", 2)]
    assert source.brought() == []


def test_a_private_category_has_its_label_and_one_without_is_left_out(community: DiscourseStandIn, at: Any) -> None:
    labelled, unlabelled = at(private={str(STAFF): "staff"}), at()
    anonymous = at(key_env=None, private={str(STAFF): "staff"})
    for source in (labelled, unlabelled, anonymous):
        source.brought(0)
    community.topic("Open", "to everybody")
    community.topic("Closed", "to staff alone", category=STAFF)
    assert {draft.text: draft.access for draft in labelled.brought(0)} == {
        "to everybody": "public", "to staff alone": "staff"
    }  # fmt: skip
    assert {draft.text: draft.access for draft in unlabelled.brought(0)} == {"to everybody": "public"}
    assert {draft.text: draft.access for draft in anonymous.brought(0)} == {"to everybody": "public"}


def test_a_topic_that_is_moved_where_nobody_may_read_it_is_taken_away(community: DiscourseStandIn, at: Any) -> None:
    source = at()
    one = community.topic("Open", "to everybody")
    source.brought()
    community.topics[1]["category"] = STAFF
    (taken,) = source.brought()
    assert (taken.native_id, taken.kind, taken.text) == (community.id(one), "deleted", "")
    assert source.collector.look_up([community.id(one)]).existence == {community.id(one): "gone"}


def test_a_category_that_is_closed_changes_the_label_of_what_is_shown(community: DiscourseStandIn, at: Any) -> None:
    source = at(private={"3": "insiders"})
    community.categories[3] = False
    community.topic("Plans", "of the next year", category=3)
    assert [draft.access for draft in source.brought()] == ["insiders"]
    other = at(categories=(str(PUBLIC),))
    community.categories[PUBLIC] = False
    assert other.texts() == []


def test_what_is_pushed_and_what_is_polled_is_one_post(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    source = at(private={str(STAFF): "staff"})
    source.brought()
    takes = receiver(source)
    one = community.topic("Closed", "to staff alone", category=STAFF)
    assert takes.handle(*community.event("post_created", one), NOW, NOW)[0] == 202
    (polled,) = source.brought()
    (pushed,) = held.posts()
    assert (pushed.id, pushed.text, pushed.access, pushed.brands) == (
        f"discourse:{polled.native_id}", polled.text, "staff", ("acme",)
    )  # fmt: skip
    assert (pushed.title, pushed.conversation, pushed.link) == (
        polled.title, f"discourse:{polled.conversation}", polled.link
    )  # fmt: skip


def test_an_event_that_was_lost_is_found_by_the_list(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    source = at()
    source.brought()
    takes = receiver(source)
    one = community.topic("News", "told of")
    takes.handle(*community.event("post_created", one), NOW, NOW)
    community.post(1, "not told of")
    assert "not told of" in source.texts()


def test_edits_deletes_and_restores_are_pushed_and_old_events_change_nothing(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    takes = receiver(at())
    one = community.topic("News", "before")
    created = community.event("post_created", one)
    takes.handle(*created, NOW, NOW)
    community.edit(one, "after")
    takes.handle(*community.event("post_edited", one), NOW + 1_000, NOW)
    assert takes.handle(*created, NOW + 2_000, NOW)[1]["accepted"] == 1, "the answer of then"
    assert len(held.posts()) == 2

    def state() -> Any:
        found = None
        for post in held.posts():
            found = state_of(post) if found is None else merge(found, state_of(post))
        return found

    assert state().visible.text == "after"
    community.delete(one)
    takes.handle(*community.event("post_destroyed", one), NOW + 3_000, NOW)
    assert state().visible is None
    community.posts[one]["deleted_at"] = None
    takes.handle(*community.event("post_recovered", one), NOW + 4_000, NOW)
    assert state().visible.text == "after"
    assert len(held.posts()) == 4


def test_all_posts_of_a_topic_go_and_come_back_with_it(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    takes = receiver(at())
    ids = [community.topic("News", "number 0"), *(community.post(1, f"number {n}") for n in range(1, 45))]
    for one in ids:
        takes.handle(*community.event("post_created", one), NOW, NOW)

    def shown() -> set[str]:
        states: dict[str, Any] = {}
        for post in held.posts():
            states[post.id] = merge(states[post.id], state_of(post)) if post.id in states else state_of(post)
        return {state.visible.text for state in states.values() if state.visible is not None}

    assert len(shown()) == 45
    community.delete(ids[7])
    community.destroy(1)
    assert takes.handle(*community.topic_event("topic_destroyed", 1), NOW + 1_000, NOW)[0] == 202
    assert shown() == set()
    community.destroy(1, back=True)
    assert takes.handle(*community.topic_event("topic_recovered", 1), NOW + 2_000, NOW)[0] == 202
    assert shown() == {f"number {n}" for n in range(45) if n != 7}, "one that was deleted before stays so"
    strange = community.topic_event("topic_edited", 1)
    assert takes.handle(*strange, NOW + 3_000, NOW)[0] == 202


@pytest.mark.parametrize("how", [{"user_deleted": True}, {"hidden": True}])
def test_what_its_author_took_back_or_moderators_hid_is_deleted(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held, how: dict[str, bool]
) -> None:
    source = at()
    takes = receiver(source)
    one = community.topic("News", "I regret this")
    takes.handle(*community.event("post_created", one), NOW, NOW)
    community.posts[one].update(how)
    takes.handle(*community.event("post_edited", one), NOW + 1_000, NOW)
    assert [(post.kind, post.text) for post in held.posts()][-1] == ("deleted", "")
    assert source.collector.look_up([community.id(one)]).existence == {community.id(one): "gone"}


def test_only_signed_events_are_taken_and_no_private_one_without_a_label(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    takes = receiver(at())
    open_, closed = community.topic("Open", "x"), community.topic("Closed", "y", category=STAFF)
    assert takes.handle(*community.event("post_created", open_, "a guess of 16 signs"), NOW, NOW)[0] == 403
    assert takes.handle(*community.event("post_created", closed), NOW, NOW) == (
        202, {"accepted": 0, "duplicates": 0, "rejected": []}
    )  # fmt: skip
    assert takes.handle(*community.ping(), NOW, NOW)[0] == 202
    assert held.posts() == []
    unsigned = receiver(at(secret_env=None))
    assert unsigned.handle(*community.event("post_created", open_), NOW, NOW)[0] == 403


def test_while_nobody_can_say_who_may_read_it_a_push_is_asked_for_again(
    community: DiscourseStandIn, at: Any, receiver: Receive, held: Held
) -> None:
    takes = receiver(at())
    one = community.topic("Open", "x")
    community.misbehave(Fault("status", only="/site.json"))
    assert takes.handle(*community.event("post_created", one), NOW, NOW)[0] == 503
    assert takes.handle(*community.event("post_created", one), NOW, NOW)[0] == 202
    assert len(held.posts()) == 1


def test_looked_up_posts_are_there_as_they_are_now_or_gone(community: DiscourseStandIn, at: Any) -> None:
    collector = at().collector
    assert isinstance(collector, Sweepable)
    one, two = community.topic("News", "one"), community.post(1, "two")
    ids = [community.id(one), community.id(two), "elsewhere.example/t/1/1", "nonsense"]
    community.edit(one, "one, edited")
    community.delete(two)
    found = collector.look_up(ids)
    assert found.existence == {ids[0]: "there", ids[1]: "gone", ids[2]: "absent", ids[3]: "absent"}
    assert [(draft.kind, draft.text) for draft in found.drafts] == [("edited", "one, edited")]
    assert found.asked == len(community.requests) == 4, "two posts, and twice the categories"


def test_the_ledger_counts_the_questions_for_the_categories_too(community: DiscourseStandIn, at: Any) -> None:
    collector = at().collector
    community.topic("News", "one")
    deliveries = list(collector.collect(None))
    assert sum(one.asked for one in deliveries) == len(community.requests) == 2


@pytest.mark.parametrize("status", [403, 404])
def test_nothing_is_gone_for_whom_nothing_is_shown_any_more(community: DiscourseStandIn, at: Any, status: int) -> None:
    collector, one = at().collector, community.topic("News", "one")
    assert collector.look_up([community.id(one)]).existence == {community.id(one): "there"}
    community.misbehave(Fault("status", times=3, status=status, body=b"{}"))
    with pytest.raises((Denied, Interrupted)):
        collector.look_up([community.id(one)])


def test_the_context_of_an_answer_is_what_it_answers_up_to_the_first_post(community: DiscourseStandIn, at: Any) -> None:
    collector = at().collector
    assert isinstance(collector, Contextual)
    ids = [community.topic("News", "one"), community.post(1, "two"), community.post(1, "three", answers=2)]
    above = [draft.native_id for delivery in collector.context(community.id(ids[2])) for draft in delivery.drafts]
    assert above == [community.id(ids[1]), community.id(ids[0])]


def test_a_missed_span_is_filled_and_an_estimate_counts_by_hour(community: DiscourseStandIn, at: Any) -> None:
    collector = at().collector
    assert isinstance(collector, Estimable)
    community.topic("News", "9 hours ago", at=NOW - 9 * HOUR)
    for hours in (5, 1):
        community.post(1, f"{hours} hours ago", at=NOW - hours * HOUR)
    span = Span(NOW - 6 * HOUR, NOW - 2 * HOUR)
    found = [draft.text for delivery in collector.fill("", span, None) for draft in delivery.drafts]
    assert found == ["5 hours ago"]
    sample = collector.sample(Wanted(brand="acme"))
    assert (sum(sample.posts_by_hour), len(sample.posts_by_hour), sample.capped) == (3, 168, False)


def test_the_wait_that_a_community_asks_for_is_kept(community: DiscourseStandIn, at: Any) -> None:
    source = at()
    body = b'{"errors": ["slow down"], "error_type": "rate_limit", "extras": {"wait_seconds": 12}}'
    for fault, wait in (
        (Fault("status", status=429, headers={"Retry-After": "7"}), 7_000),
        (Fault("status", status=429, body=body), 12_000),
    ):
        community.misbehave(fault)
        with pytest.raises(Interrupted) as waits:
            source.brought()
        assert waits.value.retry_after == wait


def test_check_says_as_whom_it_reads_and_what_it_does_not_see(community: DiscourseStandIn, at: Any) -> None:
    assert "as system: 2 categories, 1 private" in at(private={str(STAFF): "staff"}).collector.check()
    assert "as anybody: 1 categories" in at(key_env=None).collector.check()
    with pytest.raises(Denied, match="shows no category 9"):
        at(private={"9": "staff"}).collector.check()
    with pytest.raises(Denied, match="put one into ABSENT"):
        at(key_env="ABSENT").collector.check()


def test_a_foreign_cursor_is_lost(at: Any) -> None:
    source = at()
    source.cursor = "{]"
    with pytest.raises(CursorLost):
        source.brought()


def test_the_text_is_what_its_author_wrote() -> None:
    cooked = (
        '<aside class="quote" data-post="1" data-topic="2"><div class="title">ana:</div><blockquote><p>What <b>she'
        "</b> said</p><aside>more</aside></blockquote></aside><p>I agree&nbsp;&amp; <strong>more</strong>"
        ' <img src="x.png" class="emoji" alt=":smile:"></p><script>alert(1)</script><ul><li>one<li>two</ul>'
        "<pre><code>a &lt; b</code></pre>"
    )
    assert plain(cooked) == "I agree & more :smile:\none\ntwo\na < b"
    assert plain("<aside class=quote><p>never closed") == ""
    assert plain("</aside></p>left over") == "left over"


class DiscourseCase:
    edits: How = "poll"
    deletes: How = "sweep"
    newest_only = True
    fills = True
    first = "/posts.json"

    def __init__(self, community: DiscourseStandIn) -> None:
        self.standin = self._community = community
        community.topic("News", "the first", at=community.wall() - 9 * DAY)
        self._ids: dict[str, int] = {}

    def settings(self) -> DiscourseSource:
        return DiscourseSource(
            id="source", kind="discourse", url=self._community.url, key_env="KEY", secret_env="SECRET", interval="50ms"
        )  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        return SECRETS

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        with self._community.lock:
            number = self._community.post(1, text, at=at, author=author)
            id = self._community.id(number)
            self._ids[id] = number
            return id

    def publish_malformed(self) -> None:
        self._community.broken.append(17)

    def edit(self, native_id: str, text: str) -> None:
        self._community.edit(self._ids[native_id], text)

    def delete(self, native_id: str) -> None:
        self._community.delete(self._ids[native_id])

    def truth(self) -> Mapping[str, str]:
        with self._community.lock:
            posts = self._community.posts
            return {id: posts[n]["raw"] for id, n in self._ids.items() if not posts[n]["deleted_at"]}


class TestContract(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[DiscourseCase]:
        with DiscourseStandIn() as community:
            yield DiscourseCase(community)
