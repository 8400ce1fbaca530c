"""X's compliance streams: what X says is gone is gone here at once, and only what is here is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.collector import Interrupted
from ingest.networks.x_api import Access, Lines
from ingest.networks.x_compliance import PARTS, word
from ingest.web import Unending
from stream.clock import WallClock
from stream.merge import PostState, merge, state_of
from tests.ingest.collecting import Collecting, until
from tests.ingest.networks.x_source import Asking
from tests.standins.server import Fault
from tests.standins.x import TOKEN, XStandIn, author_id


@pytest.fixture
def at_work(x: XStandIn, tmp_path: Path) -> Collecting:
    x.enterprise = True
    asking = Asking(x, compliance=True)
    return Collecting(tmp_path / "home", asking.settings, {"X_TOKEN": TOKEN}, held=Nothing())


class Nothing:
    """SQL knows of no post: what this process brought is known all the same."""

    def posts(self, ids: object) -> tuple[str, ...]:
        return ()

    def authors(self, network: str, ids: object) -> tuple[str, ...]:
        return ()


def states(at_work: Collecting) -> dict[str, PostState]:
    found: dict[str, PostState] = {}
    for post in at_work.held.look().all:
        state = state_of(post)
        found[post.id] = merge(found[post.id], state) if post.id in found else state
    return found


def listened(x: XStandIn) -> bool:
    return len([one for *_, one in x.compliance if one.open]) == 2 * PARTS


def test_a_delete_arrives_at_once_and_one_of_a_stranger_is_left_out(x: XStandIn, at_work: Collecting) -> None:
    with at_work:
        until(lambda: listened(x))
        id, other = x.publish("Acme is late"), x.publish("nobody is meant")
        until(lambda: f"x:{id}" in at_work.held.texts())
        x.delete(other)
        x.delete(id)
        until(lambda: f"x:{id}" not in at_work.held.texts())
        assert {post.id for post in at_work.held.look().all} == {f"x:{id}"}
        x.comply("tweets", "undrop", {"tweet": {"id": id, "author_id": "1"}})
        until(lambda: states(at_work)[f"x:{id}"].exists)


def test_an_account_that_is_gone_is_told_by_its_number(x: XStandIn, at_work: Collecting) -> None:
    def kinds() -> list[str]:
        return [post.kind for post in at_work.held.look().all if post.author and post.author.id == author_id("eva")]

    with at_work:
        until(lambda: listened(x))
        x.publish("Acme is late", author="eva")
        until(lambda: kinds() == ["created"])
        x.comply("users", "user_suspend", {"user": {"id": author_id("farid")}})
        x.comply("users", "user_suspend", {"user": {"id": author_id("eva")}})
        until(lambda: kinds() == ["created", "author_gone"])
        x.comply("users", "user_unsuspend", {"user": {"id": author_id("eva")}})
        until(lambda: kinds() == ["created", "author_gone", "author_back"])


def test_what_is_told_while_the_connections_are_lost_comes_with_the_next(x: XStandIn, at_work: Collecting) -> None:
    with at_work:
        until(lambda: listened(x))
        id = x.publish("Acme is late")
        until(lambda: f"x:{id}" in at_work.held.texts())
        x.cut_streams()
        x.delete(id)
        until(lambda: f"x:{id}" not in at_work.held.texts())


def test_a_plan_without_them_keeps_the_filtered_stream(x: XStandIn, tmp_path: Path) -> None:
    asking = Asking(x, compliance=True)
    with Collecting(tmp_path / "home", asking.settings, {"X_TOKEN": TOKEN}) as at_work:
        x.publish("Acme is late")
        until(lambda: bool(at_work.held.texts()))
        assert not at_work.runner.trouble


def test_parts_that_are_refused_do_not_make_the_filtered_stream_wait_longer(x: XStandIn) -> None:
    x.enterprise = True
    taken = b'{"title": "ConnectionException", "type": "https://api.x.com/2/problems/streaming-connection"}'
    asking = Asking(x, compliance=True)
    one = asking.collector()
    deliveries = one.collect(None)
    with closing(deliveries):
        next(deliveries)
        until(lambda: listened(x))
        x.misbehave(Fault("status", times=PARTS, only="/2/tweets/compliance/stream", status=429, body=taken))
        asked = x.asked("/2/tweets/compliance/stream")
        x.end_streams(compliance_only=True)
        until(lambda: x.asked("/2/tweets/compliance/stream") >= asked + PARTS)
        until(lambda: listened(x))
        assert one.access.longer() == asking.settings.refused_wait


def test_what_is_gone_says_nothing_of_how_far_the_stream_was_read(x: XStandIn) -> None:
    """Killed a moment later, the posts that were still in hand would be in no hole."""
    x.enterprise = True
    one = Asking(x, compliance=True).collector()
    deliveries = one.collect(None)
    with closing(deliveries):
        next(deliveries)
        until(lambda: listened(x))
        connected = WallClock().now()
        x.delete(x.publish("nobody is meant"))
        told = next(found for found in deliveries if any(draft.kind == "deleted" for draft in found.drafts))
        assert told.reached is not None
        assert told.reached <= connected + 2_000
        one._reached = connected
        x.delete(x.publish("nobody is meant"))
        until(lambda: not one._compliance._told.empty() if one._compliance is not None else False)
        assert [found.reached for found in one._complied()] == [connected]


def test_signs_of_life_do_not_pile_up_and_whoever_cannot_read_says_so(
    x: XStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts(self: Unending) -> Iterator[bytes]:
        yield b"\r\n" * 1_000
        raise MemoryError

    monkeypatch.setattr(Unending, "parts", parts)
    x.enterprise = True
    asking, now = Asking(x), WallClock().now
    access = Access(asking.settings, asking.setting.secret, now)
    with closing(Lines(access, now, "/2/tweets/compliance/stream", {"partition": "1"})) as lines:
        lines._ahead._thread.join()
        with pytest.raises(Interrupted, match="cannot be read: MemoryError"):
            lines.take(10, 1.0)


@pytest.mark.parametrize(
    ("name", "codes", "kind"),
    [
        ("withheld", ["DE"], None),
        ("withheld", ["FR"], "deleted"),
        ("withheld", ["XY"], "deleted"),
        ("user_withheld", ["FR"], "author_gone"),
    ],
)
def test_withheld_where_its_law_holds_is_gone(name: str, codes: list[str], kind: str | None) -> None:
    about = {"user": {"id": "7"}} if name.startswith("user") else {"tweet": {"id": "7", "author_id": "8"}}
    event = {**about, "withheld_in_countries": codes, "event_at": "2026-11-27T06:00:00.000Z"}
    assert [draft.kind for draft in word({"data": {name: event}}, ("FR",))] == ([kind] if kind else [])


def test_a_kind_of_event_that_nobody_knows_takes_nothing_away_and_what_is_none_is_said() -> None:
    assert word({"data": {"tweet_cloaked": {"tweet": {"id": "7"}}}}, ()) == []
    assert word({"errors": [{"title": "operational-disconnect"}]}, ()) == []
    for held in (
        {},
        {"data": {"delete": {"tweet": {"id": {"no": "id"}}, "event_at": "x"}}},
        {"data": [1]},
        {"data": {}},
    ):
        with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
            word(held, ())
