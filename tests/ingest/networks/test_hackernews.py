"""Hacker News: all that names a brand comes once, as it is, and what is taken back there goes here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import pytest

from config.sources import HackernewsSource
from ingest.collector import Checkable, Contextual, CursorLost, Estimable, Interrupted, Source, Span, Sweepable
from ingest.intake import Intake
from ingest.names import Names
from ingest.networks.hackernews import Hackernews
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import HOUR, MINUTE, SECOND, ManualClock
from stream.embedded import EmbeddedLog
from stream.merge import merge, state_of
from tests.ingest.case import Case, How
from tests.ingest.collecting import ACME
from tests.ingest.conftest import NOW, Held
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.hackernews import HackernewsStandIn
from tests.standins.server import Fault

BETA = Wanted(brand="beta", phrases=("Beta Air",))


class At(Rounds[Hackernews]):
    """A source on the network's clock, which is moved by hand."""

    def __init__(
        self, network: HackernewsStandIn, clock: ManualClock, wanted: Sequence[Wanted] = (ACME,), **more: Any
    ) -> None:
        settings = HackernewsSource(id="source", kind="hackernews", url=network.url, items_url=network.url, **more)
        setting = Setting(
            source=Source(id="source", network="hackernews"),
            wanted=lambda: wanted,
            secret=lambda name: None,
            clock=clock,
        )
        super().__init__(Hackernews, settings, setting)

    def ids(self, passes: int | None = None) -> list[str]:
        return sorted(draft.native_id for draft in self.brought(passes))


@pytest.fixture
def network(clock: ManualClock) -> Iterator[HackernewsStandIn]:
    with HackernewsStandIn(clock.now) as network:
        yield network


@pytest.fixture
def at(network: HackernewsStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, network, clock)) as make:
        yield make


def test_from_now_on_every_story_and_comment_that_names_a_brand_comes_once(
    network: HackernewsStandIn, at: Callable[..., At]
) -> None:
    old = network.story("Acme, long ago", at=NOW - 5 * MINUTE)
    network.comment("Acme was good then", old, at=NOW - 4 * MINUTE)
    one = at()
    assert one.ids() == []
    story = network.story("Acme lost my suitcase")
    answer = network.comment("Try ACME's desk", story)
    network.comment("Acmeology is something else", story)
    network.story("Nothing to see")
    assert one.ids() == sorted([story, answer])
    assert one.ids() == []


def test_what_comes_behind_the_beginning_is_not_lost_when_the_first_round_fails(
    network: HackernewsStandIn, at: Callable[..., At]
) -> None:
    one = at([ACME, BETA])
    network.story("Acme, long ago", at=NOW - 5 * MINUTE)
    network.story("Something else", at=NOW - 4 * MINUTE)
    deliveries = one.collector.collect(None)
    one.cursor = next(deliveries).cursor
    network.misbehave(Fault("status"))
    with pytest.raises(Interrupted):
        list(deliveries)
    story = network.story("Acme lost my suitcase")
    assert one.ids(2 * MINUTE) == [story]


def test_what_comes_while_the_first_round_is_read_is_news(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    one = at()
    network.story("Acme, long ago", at=NOW)
    deliveries = one.collector.collect(None)
    next(deliveries)
    story = network.story("Acme lost my suitcase", at=NOW)
    assert [draft.native_id for delivery in deliveries for draft in delivery.drafts] == [story]


def test_a_round_that_was_cut_before_it_was_taken_brings_it_again(
    network: HackernewsStandIn, at: Callable[..., At]
) -> None:
    """As where the disk is full: what was read and not taken does not count as known."""
    one = at()
    one.brought()
    story = network.story("Acme lost my suitcase")
    for delivery in one.collector.collect(one.cursor):
        if delivery.drafts:
            break
    assert one.ids() == [story]


def test_a_post_says_what_hacker_news_says_of_it(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    story = network.story("Acme <3", url="https://news.example/acme")
    above = network.comment("what happened?", story, author="bo")
    answer = network.comment('Acme said "no"\nso we left', above, author="cleo")
    found = {draft.native_id: draft for draft in one.brought()}
    said = found[story]
    assert (said.title, said.text, said.conversation, said.reply_to) == (
        "Acme <3",
        "https://news.example/acme",
        story,
        None,
    )
    assert said.link == f"https://news.ycombinator.com/item?id={story}"
    assert said.metrics is not None
    assert (said.metrics.likes, said.metrics.replies) == (1, 2)
    reply = found[answer]
    assert reply.text == 'Acme said "no"\nso we left'
    assert (reply.conversation, reply.reply_to) == (story, above)
    assert reply.author is not None
    assert reply.author.handle == "cleo"
    assert reply.query_ids == ("acme",)


def test_an_edit_after_an_edit_shows_though_clamor_was_killed_between(
    network: HackernewsStandIn, at: Callable[..., At], log: EmbeddedLog, held: Held
) -> None:
    one = at()
    one.brought()
    comment = network.comment("Acme lost my suitcase", network.story("Bags"))
    intake = Intake(log, one.setting.source)

    def takes() -> str:
        intake.take(one.brought(), one.clock.now(), "live")
        states = [state_of(post) for post in held.posts() if post.id == f"hackernews:{comment}"]
        shown = reduce(merge, states).visible
        assert shown is not None
        return shown.text

    assert takes() == "Acme lost my suitcase"
    network.edit(comment, "Acme lost both my suitcases")
    assert takes() == "Acme lost both my suitcases"
    network.edit(comment, "Acme found them")
    one.restart()
    assert takes() == "Acme found them"


def test_what_the_search_learns_late_still_comes(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    late = network.story("Acme, seen late")
    network.unindexed.add(int(late))
    prompt = network.story("Acme, seen at once")
    assert one.ids() == [prompt]
    network.story("Something else", at=NOW + HOUR)
    assert one.ids(HOUR) == []
    network.unindexed.clear()
    assert one.ids() == [late]


def test_edits_and_votes_of_young_posts_come_without_a_sweep(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    story = network.story("Acme", "is late")
    one.brought()
    network.vote(story, 70)
    (votes,) = one.brought()
    assert (votes.kind, votes.metrics and votes.metrics.likes) == ("metrics", 70)
    network.edit(story, "is on time")
    (edited,) = one.brought()
    assert (edited.kind, edited.text) == ("edited", "is on time")


def test_a_post_about_two_brands_counts_for_both(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    one = at(wanted=(ACME, BETA))
    one.brought()
    network.story("Acme buys Beta Air")
    assert sorted(draft.query_ids for draft in one.brought()) == [("acme",), ("beta",)]


def test_more_than_an_answer_shows_is_asked_for_piece_by_piece(
    network: HackernewsStandIn, at: Callable[..., At], clock: ManualClock
) -> None:
    one = at()
    one.brought()
    written = []
    for n in range(2_500):
        written.append(network.story(f"Acme {n}"))
        if n % 100 == 0:
            clock.advance(SECOND)
    assert one.ids() == sorted(written)
    assert all(delivery.missed == 0 for delivery in one.last)


def test_a_second_with_more_than_an_answer_shows_is_read_from_the_items(
    network: HackernewsStandIn, at: Callable[..., At]
) -> None:
    network.story("Before")
    one = at()
    one.brought()
    written = [network.story(f"Acme {n}") for n in range(1_300)]
    network.story("Something else", at=NOW + 2 * MINUTE)
    found = one.brought()
    assert sorted(draft.native_id for draft in found) == sorted(written)
    assert all(delivery.missed == 0 for delivery in one.last)


def test_a_second_that_is_too_full_stands_in_the_ledger(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    network.story("Before")
    one = at(most_scanned=50)
    one.brought()
    for n in range(1_100):
        network.story(f"Acme {n}")
    assert len(one.brought()) == 1_050
    assert [(lost.missed, lost.reason) for lost in one.last if lost.missed != 0] == [(None, "page cap")]


def test_a_restart_goes_on_and_brings_nothing_from_before_it_listened(
    network: HackernewsStandIn, at: Callable[..., At]
) -> None:
    network.story("Acme, before", at=NOW - MINUTE)
    first = at()
    first.brought()
    second = at()
    second.cursor = first.cursor
    meanwhile = network.story("Acme, meanwhile")
    assert meanwhile in second.ids()
    assert all(
        draft.claimed_at and draft.claimed_at >= NOW - MINUTE for delivery in second.last for draft in delivery.drafts
    )


def test_a_span_is_filled_from_both_ends_of_it(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    one = at()
    network.story("Acme, earlier", at=NOW - 3 * HOUR)
    within = network.story("Acme, within", at=NOW - 2 * HOUR)
    network.story("Acme, later", at=NOW - HOUR)
    span = Span(NOW - 150 * MINUTE, NOW - HOUR)
    found = [draft for delivery in one.collector.fill("acme", span, None) for draft in delivery.drafts]
    assert [draft.native_id for draft in found] == [within]


def test_deleted_and_killed_posts_are_gone_and_others_are_told_as_they_are(
    network: HackernewsStandIn, at: Callable[..., At]
) -> None:
    story = network.story("Acme")
    above = network.comment("a", story)
    deleted, killed, there = (network.comment(f"Acme {n}", above) for n in range(3))
    network.delete(deleted)
    network.kill(killed)
    collector = at().collector
    assert isinstance(collector, Sweepable)
    found = collector.look_up([deleted, killed, there, "999"])
    assert found.existence == {deleted: "gone", killed: "gone", there: "there", "999": "absent"}
    (draft,) = found.drafts
    assert (draft.text, draft.conversation, draft.reply_to, draft.kind) == ("Acme 2", story, above, "edited")


def test_what_a_comment_answers_is_fetched_up_to_its_story(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    story = network.story("A story")
    first = network.comment("one", story)
    taken_back = network.comment("two", first)
    own = network.comment("Acme", taken_back)
    network.delete(taken_back)
    collector = at().collector
    assert isinstance(collector, Contextual)
    above = [draft.native_id for delivery in collector.context(own) for draft in delivery.drafts]
    assert above == [first, story]


def test_an_estimate_counts_the_last_week(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    for hours in (0, 1, 1, 50, 500):
        network.story("Acme", at=NOW - hours * HOUR)
    collector = at().collector
    assert isinstance(collector, Estimable)
    sample = collector.sample(ACME)
    assert (sum(sample.posts_by_hour), sample.posts_by_hour[-1], sample.posts_by_hour[-2]) == (4, 1, 2)
    assert not sample.capped


def test_the_access_is_checked_with_two_requests(network: HackernewsStandIn, at: Callable[..., At]) -> None:
    network.story("Something")
    collector = at().collector
    assert isinstance(collector, Checkable)
    assert "Hacker News answers" in collector.check()
    assert len(network.requests) == 2


def test_each_name_is_asked_for_once(network: HackernewsStandIn) -> None:
    names = Names(Wanted(brand="acme", phrases=("Acme", "Acme Air", 'The "A" line'), handles=("@acme", "@fly-it")))
    assert names.queries == ['"Acme"', '"The A line"', '"fly-it"']


def test_another_sources_cursor_is_refused(at: Callable[..., At]) -> None:
    with pytest.raises(CursorLost):
        list(at().collector.collect('{"acme": 7}'))


# --- the contract ---


class HackernewsCase:
    edits: How = "poll"
    deletes: How = "sweep"
    fills = True
    first = "/search_by_date"

    def __init__(self, standin: HackernewsStandIn) -> None:
        self.standin = standin
        self._story = standin.story("A story", at=1_700_000_000_000)

    def settings(self) -> HackernewsSource:
        return HackernewsSource.model_validate(
            {"id": "source", "kind": "hackernews", "interval": "100ms", "look_back": "10s"}
            | {"url": self.standin.url, "items_url": self.standin.url}
        )

    def secrets(self) -> Mapping[str, str]:
        return {}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        if len(text) % 2:
            return self.standin.comment(text, self._story, author=author, at=at)
        return self.standin.story("A question", text, author=author, at=at)

    def publish_malformed(self) -> None:
        self.standin.broken.append({"objectID": [1], "created_at_i": "soon"})

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        return self.standin.truth()


class TestHackernews(Contract):
    burst = 2_500  # more than two answers show; what one second holds beyond an answer costs a request each

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with HackernewsStandIn() as hackernews:
            yield HackernewsCase(hackernews)
