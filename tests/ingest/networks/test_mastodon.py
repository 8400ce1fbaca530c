"""Mastodon's timelines keep the contract, and what is special to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from clamor.networks import make
from config.sources import MastodonSource
from ingest.collector import Denied, Draft, Source
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import WallClock
from tests.ingest.case import How
from tests.ingest.contract import Contract
from tests.standins.mastodon import MastodonStandIn


class MastodonCase:
    fills = True
    uncounted = ("/api/v2/instance",)
    firehose = True

    def __init__(self, standin: MastodonStandIn, streaming: bool = True) -> None:
        self.standin, self._streaming = standin, streaming
        self.edits: How = "stream" if streaming else "sweep"
        self.deletes: How = "stream" if streaming else "sweep"
        self.first = "/api/v1/streaming" if streaming else "/api/v1/timelines"
        self.silence = streaming

    def settings(self) -> MastodonSource:
        return MastodonSource(
            id="source", kind="mastodon", instances=(self.standin.url,), public=True, interval="50ms", silence="5s",
            token_envs={self.standin.url: "MASTODON_TOKEN"}, streaming=self._streaming,
        )  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        return {"MASTODON_TOKEN": "a-token-of-the-server-0123"}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.post(text, author, None if at is None else at / 1_000)

    def publish_malformed(self) -> None:
        self.standin.post("Acme is no post", account=7)
        self.standin.texts.popitem()

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        with self.standin.lock:
            return dict(self.standin.texts)


class TestMastodon(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[Any]:
        with MastodonStandIn() as mastodon:
            yield MastodonCase(mastodon)


class TestMastodonByTimelines(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[Any]:
        with MastodonStandIn() as mastodon:
            yield MastodonCase(mastodon, streaming=False)


@pytest.fixture
def mastodon() -> Iterator[MastodonStandIn]:
    with MastodonStandIn() as standin:
        yield standin


@pytest.fixture
def made() -> Iterator[list[Any]]:
    networks: list[Any] = []
    yield networks
    for network in networks:
        network.close()


def collector(made: list[Any], *standins: MastodonStandIn, **more: Any) -> Any:
    settings = MastodonSource(
        id="source", kind="mastodon", instances=tuple(one.url for one in standins), **{"streaming": False, **more}
    )
    setting = Setting(
        source=Source(id="source", network="mastodon"),
        wanted=lambda: (Wanted(brand="acme", hashtags=("#acme",)),),
        secret=lambda name: None,
        clock=WallClock(),
    )
    made.append(make(settings, setting))
    return made[-1]


def rounds(network: Any, cursor: str | None) -> tuple[list[Draft], str | None]:
    found: list[Draft] = []
    for delivery in network.collect(cursor):
        found += delivery.drafts
        cursor = delivery.cursor or cursor
    return found, cursor


def test_hashtags_of_the_brands_are_read_and_what_is_not_public_left_alone(
    mastodon: MastodonStandIn, made: list[Any]
) -> None:
    network = collector(made, mastodon)
    _, cursor = rounds(network, None)
    seen = mastodon.post("late again #acme", spoiler_text="trains")
    mastodon.post("only for friends #acme", visibility="private")
    mastodon.post("not to be indexed #acme", account={"acct": "bo", "noindex": True})
    mastodon.post("late again #other")
    found, cursor = rounds(network, cursor)
    assert [(draft.native_id, draft.title) for draft in found] == [(seen, "trains")]
    host = mastodon.url.partition("//")[2]
    assert found[0].author is not None
    assert (found[0].author.handle, found[0].author.followers) == (f"ana@{host}", 7)
    assert rounds(network, cursor)[0] == []


def test_an_edit_of_the_last_minutes_is_found_by_reading_again(mastodon: MastodonStandIn, made: list[Any]) -> None:
    network = collector(made, mastodon)
    _, cursor = rounds(network, None)
    uri = mastodon.post("late again #acme")
    _, cursor = rounds(network, cursor)
    mastodon.edit(uri, "on time #acme")
    found, _ = rounds(network, cursor)
    assert [(draft.kind, draft.text) for draft in found] == [("edited", "on time #acme")]


def test_a_post_that_two_servers_show_is_one(mastodon: MastodonStandIn, made: list[Any]) -> None:
    with MastodonStandIn() as other:
        network = collector(made, mastodon, other)
        _, cursor = rounds(network, None)
        uri = mastodon.post("late again #acme")
        other.post("late again #acme", uri=uri)
        assert [draft.native_id for draft in rounds(network, cursor)[0]] == [uri]


def test_answers_name_the_post_that_they_answer_and_their_thread_can_be_fetched(
    mastodon: MastodonStandIn, made: list[Any]
) -> None:
    network = collector(made, mastodon)
    _, cursor = rounds(network, None)
    chain = [mastodon.post("0 #acme")]
    for n in (1, 2):
        chain.append(mastodon.post(f"{n} #acme", in_reply_to_id=chain[-1].rpartition("/")[2]))
    found, _ = rounds(network, cursor)
    assert [draft.reply_to for draft in found] == [None, chain[0], chain[1]]
    (thread,) = network.context(chain[2])
    assert [draft.native_id for draft in thread.drafts] == [chain[1], chain[0]]


def test_only_servers_of_the_settings_are_asked_about_a_post(mastodon: MastodonStandIn, made: list[Any]) -> None:
    network = collector(made, mastodon)
    found = network.look_up(["http://169.254.169.254/users/a/statuses/1", f"{mastodon.url}/users/ana/statuses/9"])
    assert list(found.existence.values()) == ["there", "gone"]
    assert (found.asked, len(mastodon.requests)) == (1, 1)


def test_a_server_shows_what_a_hashtag_brought_in_a_day(mastodon: MastodonStandIn, made: list[Any]) -> None:
    for n in range(45):
        mastodon.post(f"{n} #acme")
    sample = collector(made, mastodon).sample(Wanted(brand="acme", hashtags=("#acme",)))
    assert (sum(sample.posts_by_hour), sample.capped, sample.asked) == (45, False, 3)


def test_without_hashtags_a_brand_is_estimated_by_those_of_the_source_or_not_at_all(
    mastodon: MastodonStandIn, made: list[Any]
) -> None:
    """An estimate of 0 for what nobody asks for would be a promise."""
    for text in ("Acme on #trains", "No word of it on #trains", "Acme again, #trains and #late"):
        mastodon.post(text)
    nameless = Wanted(brand="acme", phrases=("Acme",))
    sample = collector(made, mastodon, hashtags=("trains", "late")).sample(nameless)
    assert (sum(sample.posts_by_hour), sample.capped) == (2, False)
    with pytest.raises(Denied, match="give the brands hashtags"):
        collector(made, mastodon).sample(nameless)


def test_its_access_is_checked_in_words(mastodon: MastodonStandIn, made: list[Any]) -> None:
    assert "shows its timelines" in collector(made, mastodon).check()
