"""Wikis: every change that adds a brand's name is a post, and what is deleted or hidden there is gone here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NoReturn

import pytest

from config.sources import MediawikiSource
from ingest.collector import (
    Checkable,
    CursorLost,
    Denied,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
    Unfillable,
)
from ingest.networks.mediawiki import Mediawiki
from ingest.networks.mediawiki_api import Api
from ingest.setting import Setting
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from tests.ingest.case import Case, How
from tests.ingest.collecting import ACME
from tests.ingest.conftest import NOW
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.mediawiki import MediawikiStandIn
from tests.standins.server import Fault


class At(Rounds[Mediawiki]):
    """A source on the wiki's clock, which is moved by hand."""

    def __init__(self, wiki: MediawikiStandIn, clock: ManualClock, **more: Any) -> None:
        settings = MediawikiSource.model_validate(
            {"id": "source", "kind": "mediawiki", "url": f"{wiki.url}/w/api.php", "contact": "ana@example.org"} | more
        )
        source = Source(id="source", network="mediawiki")
        setting = Setting(source=source, wanted=lambda: [ACME], secret=lambda name: None, clock=clock)
        super().__init__(Mediawiki, settings, setting)


@pytest.fixture
def wiki(clock: ManualClock) -> Iterator[MediawikiStandIn]:
    with MediawikiStandIn(clock.now) as wiki:
        wiki.edit_page("Airlines", "Beta is one.\nAcme is another.")
        yield wiki


@pytest.fixture
def at(wiki: MediawikiStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, wiki, clock)) as make:
        yield make


def test_a_change_counts_where_it_writes_the_name_not_where_the_name_stood(
    wiki: MediawikiStandIn, at: Callable[..., At]
) -> None:
    one = at()
    assert one.brought() == []
    wiki.edit_page("Airlines", "Beta is the best.\nAcme is another.")
    wiki.edit_page("Airlines", "Beta is the best.\nAcme is another.\nAcme lost a plane.", author="bo")
    wiki.edit_page("Airlines", "Beta is the best.\nAcme lost a plane.")
    (draft,) = one.brought()
    assert (draft.text, draft.title, draft.query_ids) == ("Acme lost a plane.", "Airlines", ("acme",))
    assert draft.author is not None
    assert draft.author.handle == "bo"
    assert draft.link == f"{wiki.url}/w/index.php?diff={draft.native_id.rpartition('/')[2]}"
    assert one.brought() == []


def test_what_is_no_change_is_told_of_though_the_texts_of_the_others_did_not_come(
    wiki: MediawikiStandIn, at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> NoReturn:
        raise Interrupted("no answer")

    one = at()
    one.brought()
    wiki.broken()
    wiki.edit_page("Airlines", "Beta is one.\nAcme lost a plane.")
    with monkeypatch.context() as patch:
        patch.setattr(Api, "revisions", silent)
        with pytest.raises(Interrupted):
            one.brought()
    assert sum(len(delivery.malformed) for delivery in one.collector.collect(one.cursor)) == 1
    assert sum(len(delivery.malformed) for delivery in one.collector.collect(one.cursor)) == 0


def test_every_change_of_a_watched_page_belongs_to_its_brands(wiki: MediawikiStandIn, at: Callable[..., At]) -> None:
    one = at(titles={"Airlines": ["acme"]}, words=False)
    one.brought()
    wiki.edit_page("Airlines", "Beta is one.")
    wiki.edit_page("Elsewhere", "Acme stands here.")
    (draft,) = one.brought()
    assert (draft.title, draft.brands) == ("Airlines", ("acme",))


def test_bots_are_left_out_unless_they_are_wanted(wiki: MediawikiStandIn, at: Callable[..., At]) -> None:
    without, with_them = at(), at(bots=True)
    without.brought()
    with_them.brought()
    wiki.edit_page("A list", "Acme", bot=True)
    assert (len(without.brought()), len(with_them.brought())) == (0, 1)


def test_what_replaced_a_hidden_text_is_not_taken_for_new(wiki: MediawikiStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    hidden = wiki.edit_page("Airlines", "Acme is another. An insult.")
    wiki.hide(hidden, "text")
    wiki.edit_page("Airlines", "Acme is another.")
    assert one.brought() == []


def test_deleted_and_hidden_revisions_are_gone_and_a_hidden_author_is_taken_away(
    wiki: MediawikiStandIn, at: Callable[..., At]
) -> None:
    deleted, hidden, nameless, there = (wiki.edit_page(f"Page {n}", f"Acme {n}") for n in range(4))
    wiki.delete(deleted)
    wiki.hide(hidden, "text")
    wiki.hide(nameless, "user")
    collector = at().collector
    assert isinstance(collector, Sweepable)
    found = collector.look_up([deleted, hidden, nameless, there, "elsewhere.example/7"])
    assert list(found.existence.values()) == ["gone", "gone", "there", "there", "absent"]
    (draft,) = found.drafts
    assert (draft.native_id, draft.kind, draft.text, draft.author) == (nameless, "edited", "Acme 2", None)


def test_a_span_is_filled_as_far_as_the_wiki_lists_changes(wiki: MediawikiStandIn, at: Callable[..., At]) -> None:
    collector = at().collector
    wiki.edit_page("Old", "Acme", at=NOW - 3 * HOUR)
    within = wiki.edit_page("Within", "Acme", at=NOW - 2 * HOUR)
    found = list(collector.fill("", Span(NOW - 150 * MINUTE, NOW - HOUR), None))
    assert [draft.native_id for one in found for draft in one.drafts] == [within]
    assert all(one.missed == 0 for one in found)
    assert any(one.missed is None for one in collector.fill("", Span(NOW - DAY, NOW), None))
    with pytest.raises(Unfillable):
        list(collector.fill("", Span(NOW - 9 * DAY, NOW - 8 * DAY), None))


def test_a_wiki_that_lags_asks_to_wait_and_a_closed_one_for_a_person(
    wiki: MediawikiStandIn, at: Callable[..., At]
) -> None:
    one = at()
    wiki.lag = 60
    with pytest.raises(Interrupted) as waits:
        one.brought()
    assert waits.value.retry_after == 1_000
    wiki.lag = 0
    wiki.misbehave(Fault("status", status=200, body=b'{"error": {"code": "readapidenied", "info": "no"}}'))
    with pytest.raises(Denied):
        one.brought()
    assert "ana@example.org" in wiki.requests[-1].headers["user-agent"]


def test_an_estimate_counts_the_last_day_and_the_access_is_checked(
    wiki: MediawikiStandIn, at: Callable[..., At]
) -> None:
    for hours in (1, 1, 30):
        wiki.edit_page(f"Page {hours}", f"Acme {hours}" * 2, at=NOW - hours * HOUR, author="bo")
    collector = at().collector
    assert isinstance(collector, Estimable)
    assert isinstance(collector, Checkable)
    assert sum(collector.sample(ACME).posts_by_hour) >= 1
    assert "answers anybody" in collector.check()


def test_another_sources_cursor_is_refused(at: Callable[..., At]) -> None:
    with pytest.raises(CursorLost):
        list(at().collector.collect("7"))


# --- the contract ---


class MediawikiCase:
    edits: How = ""
    fills = True

    def __init__(self, standin: MediawikiStandIn, streaming: bool = False) -> None:
        self.standin, self.silence = standin, streaming
        self.first = "/v2/stream" if streaming else "/w/api.php"
        self.deletes: How = "stream" if streaming else "sweep"
        self._pages = 0
        standin.edit_page("Main page", "Welcome", at=1_700_000_000_000)

    def settings(self) -> MediawikiSource:
        return MediawikiSource.model_validate(
            {"id": "source", "kind": "mediawiki", "url": f"{self.standin.url}/w/api.php", "interval": "100ms"}
            | {"contact": "ana@example.org", "look_back": "5s", "gather": "50ms", "silence": "5s"}
            | {"streaming": self.silence, "streaming_url": self.standin.url}
        )

    def secrets(self) -> Mapping[str, str]:
        return {}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        self._pages += 1
        return self.standin.edit_page(f"Page {self._pages}", text, author=author, at=at)

    def publish_malformed(self) -> None:
        self.standin.broken()

    def edit(self, native_id: str, text: str) -> None:
        raise AssertionError("a revision never changes")

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        return self.standin.truth()


class TestMediawiki(Contract):
    asks_by_brand = False  # changes are read for all brands at once

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with MediawikiStandIn() as wiki:
            yield MediawikiCase(wiki)


class TestMediawikiByStream(Contract):
    asks_by_brand = False  # the stream tells of all changes

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with MediawikiStandIn() as wiki:
            yield MediawikiCase(wiki, streaming=True)
