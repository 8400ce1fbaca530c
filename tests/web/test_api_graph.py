"""Meta has one address for all pages of an app: whichever source it is, each page's source gets what is its own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from web_home import WebHome, opened_home

from tests.standins.graph import NUMBER, SECRET, TOKEN, GraphStandIn
from tests.standins.server import Fault

ELSEWHERE, OTHER_APP, NOBODYS = "4712", "4713", "4714"
OTHER_SECRET = "the secret of another app"


@pytest.fixture(scope="module")
def graph() -> Iterator[GraphStandIn]:
    with GraphStandIn() as graph:
        yield graph


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory, graph: GraphStandIn) -> Iterator[WebHome]:
    pages = [
        ("ours", NUMBER, "CLAMOR_TEST_APP", "acme", "public"),
        ("second", ELSEWHERE, "CLAMOR_TEST_APP", "brisa", "board"),
        ("theirs", OTHER_APP, "CLAMOR_TEST_OTHER_APP", "shadow", "public"),
    ]
    source = "".join(
        f"  - {{id: {id}, kind: facebook, url: '{graph.url}', page: '{page}', token_env: CLAMOR_TEST_TOKEN, "
        f"secret_env: {secret}, brands: [{brand}], access: {access}}}\n"
        for id, page, secret, brand, access in pages
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLAMOR_TEST_TOKEN", TOKEN)
        patch.setenv("CLAMOR_TEST_APP", SECRET)
        patch.setenv("CLAMOR_TEST_OTHER_APP", OTHER_SECRET)
        with opened_home(tmp_path_factory.mktemp("graph"), source) as home:
            yield home


_last = iter(range(1, 1_000))


def comment(page: str = NUMBER) -> dict[str, Any]:
    """What a page's webhook says of a new comment."""
    number = next(_last)
    post = f"{page}_1"
    said = {"message": f"where is my bag, {number}", "from": {"id": "p-ben", "name": "ben"}}
    return said | {
        "item": "comment", "verb": "add", "comment_id": f"{post}_{number}", "post_id": post, "parent_id": post
    }  # fmt: skip


def called(home: WebHome, source: str, sent: tuple[Any, bytes]) -> tuple[int, Any]:
    headers, body = sent
    answer = home.client.post(f"/api/webhooks/{source}", content=body, headers=headers)
    return answer.status_code, answer.json()


def held(home: WebHome) -> set[tuple[str, str]]:
    return {(post.source_id, post.id) for post in home.durable()}


def taken(home: WebHome, before: set[tuple[str, str]]) -> list[tuple[str, tuple[str, ...], str]]:
    new = [post for post in home.durable() if (post.source_id, post.id) not in before]
    return sorted((post.source_id, post.brands, post.access) for post in new)


@pytest.mark.parametrize("address", ["ours", "second"])
def test_what_names_another_page_of_the_app_reaches_the_source_of_that_page(
    listening: WebHome, graph: GraphStandIn, address: str
) -> None:
    before = held(listening)
    sent = graph.sent("feed", comment(ELSEWHERE), to=[ELSEWHERE])
    assert called(listening, address, sent) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})
    assert taken(listening, before) == [("second", ("brisa",), "board")]
    assert called(listening, address, sent)[0] == 202
    assert len(taken(listening, before)) == 1, "the same push counts once"


def test_one_push_about_several_pages_is_taken_by_each_once(listening: WebHome, graph: GraphStandIn) -> None:
    before = held(listening)
    one = comment()
    headers, body = graph.sent("feed", one, to=[NUMBER, ELSEWHERE])
    body = body.replace(one["comment_id"].encode(), b"4711_1_901", 1).replace(one["comment_id"].encode(), b"4712_1_902")
    headers = {"X-Hub-Signature-256": _signed(body)}
    assert called(listening, "ours", (headers, body)) == (202, {"accepted": 2, "duplicates": 0, "rejected": []})
    assert taken(listening, before) == [("ours", ("acme",), "public"), ("second", ("brisa",), "board")]


def test_who_signs_for_one_app_cannot_write_to_the_pages_of_another(listening: WebHome, graph: GraphStandIn) -> None:
    before = held(listening)
    sent = graph.sent("feed", comment(OTHER_APP), to=[OTHER_APP])
    with structlog.testing.capture_logs() as logs:
        assert called(listening, "ours", sent)[0] == 202
        assert called(listening, "ours", sent)[0] == 202
    assert [(one["source"], one["accounts"]) for one in _unheard(logs)] == [("ours", [OTHER_APP])]
    assert called(listening, "theirs", sent)[0] == 401
    assert taken(listening, before) == []
    own = graph.sent("feed", comment(OTHER_APP), to=[OTHER_APP], secret=OTHER_SECRET)
    assert called(listening, "ours", own)[0] == 401
    assert called(listening, "theirs", own)[0] == 202
    assert taken(listening, before) == [("theirs", ("shadow",), "public")]


def test_what_names_a_page_that_nobody_listens_to_is_told(listening: WebHome, graph: GraphStandIn) -> None:
    sent = graph.sent("feed", comment(NOBODYS), to=[NOBODYS])
    with structlog.testing.capture_logs() as logs:
        assert called(listening, "second", sent) == (202, {"accepted": 0, "duplicates": 0, "rejected": []})
    assert [(one["source"], one["accounts"]) for one in _unheard(logs)] == [("second", [NOBODYS])]


def test_where_one_page_cannot_take_it_now_it_is_sent_again_and_nothing_counts_twice(
    listening: WebHome, graph: GraphStandIn
) -> None:
    before = held(listening)
    id = graph.post("look at Acme", where="tagged")
    mention = {"item": "post", "verb": "add", "post_id": id, "sender_name": "ivo"}
    sent = graph.sent("mention", mention, to=[NUMBER, ELSEWHERE])
    graph.misbehave(Fault("status", status=503, times=1))
    assert called(listening, "second", sent)[0] == 503
    assert called(listening, "second", sent)[0] == 202
    assert taken(listening, before) == [("ours", ("acme",), "public"), ("second", ("brisa",), "board")]
    assert called(listening, "ours", sent)[0] == 202
    assert len(taken(listening, before)) == 2


def _signed(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def _unheard(logs: list[Any]) -> list[Any]:
    return [one for one in logs if one["event"] == "webhook.nobody_listens"]
