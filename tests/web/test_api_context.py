"""A case shows what its replies answer, to whoever may see it, or says why it is not there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from route_home import passed, reading, said
from web_home import WebHome, complaint

from database.engine import many, read, rows, write


def case_of(home: WebHome, id: str) -> int:
    found: int = home.ok(f"/api/mentions/{id.replace('#', '%23')}")["case"]
    return found


def threads(home: WebHome, case: int, token: str | None = None) -> dict[str, dict[str, Any]]:
    return {thread["mention"]: thread for thread in home.ok(f"/api/cases/{case}", token)["threads"]}


def ask(home: WebHome, case: int, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or home.token}"}
    return home.client.post(f"/api/cases/{case}/context", headers=headers)


def came(home: WebHome, parent: str, case: int, **post: Any) -> None:
    """As the collecting process lists it, and the log brings it."""
    with write(home.opened.engine) as connection:
        many(connection, "INSERT INTO context_post (id, case_id, asked_at) VALUES (?, ?, 0)", [(parent, case)])
    home.take(said(parent, **post))


def test_a_reply_shows_the_mentions_above_it(home: WebHome) -> None:
    home.take(complaint("up-1", author="eva", text="my case is lost"))
    home.take(complaint("up-2", author="bo", text="mine too", reply_to="x:up-1"))
    thread = threads(home, case_of(home, "x:up-2#acme"))["x:up-2#acme"]
    assert thread["state"] == "shown"
    (above,) = thread["above"]
    assert (above["post"], above["author"], above["text"]) == ("x:up-1", "eva", "my case is lost")
    assert above["mentions"] == ["x:up-1#acme"]


def test_what_is_about_no_brand_is_not_asked_for_until_somebody_does_and_is_shown_once_it_came(home: WebHome) -> None:
    home.take(complaint("re-1", author="eva", reply_to="x:above-1", source_id="community"))
    case = case_of(home, "x:re-1#acme")
    assert threads(home, case)["x:re-1#acme"]["state"] == "not_asked"
    came(home, "x:above-1", case, text="which airline?", author="bo", reply_to="x:top-1")
    came(home, "x:top-1", case, text="holidays!", author="cy")
    above = threads(home, case)["x:re-1#acme"]["above"]
    assert [(one["author"], one["text"], one["mentions"]) for one in above] == [
        ("bo", "which airline?", []),
        ("cy", "holidays!", []),
    ]
    home.take(passed("x:above-1", "deleted", at=home.now + 1))
    thread = threads(home, case)["x:re-1#acme"]
    assert (thread["state"], thread["above"]) == ("gone", [])
    assert "which airline" not in home.get(f"/api/cases/{case}").text


def test_a_source_that_cannot_be_asked_is_told_at_once(home: WebHome) -> None:
    home.take(complaint("push-1", author="eva", reply_to="x:push-0", source_id="community"))
    case = case_of(home, "x:push-1#acme")
    answer = ask(home, case)
    assert answer.status_code == 202
    assert answer.json() == {"asked": 0, "waiting": 0, "impossible": 1, "left": 0}
    thread = threads(home, case)["x:push-1#acme"]
    assert thread["state"] == "none"
    assert "source community is none that Clamor asks by itself" in thread["why"]


def test_replies_to_one_post_are_one_request_and_asking_again_makes_no_other(
    home: WebHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = home.opened.registry
    board = next(one for one in registry.sources() if one.id == "board")
    monkeypatch.setattr("clamor.sources.Collected", type(board))
    home.take(*(complaint(f"many-{n}", author="eva", reply_to="x:many-top", source_id="community") for n in range(3)))
    case = case_of(home, "x:many-0#acme")
    assert ask(home, case).json() == {"asked": 1, "waiting": 0, "impossible": 0, "left": 0}
    assert ask(home, case).json() == {"asked": 0, "waiting": 1, "impossible": 0, "left": 0}
    assert {thread["state"] for thread in threads(home, case).values()} == {"asked"}
    with read(home.opened.engine) as connection:
        found = rows(connection, "SELECT source_id, asked_by, state FROM context_request WHERE case_id = ?", (case,))
    assert [tuple(row) for row in found] == [("community", "the API", "asked")]


def test_a_private_post_above_is_there_only_for_who_may_read_it(home: WebHome) -> None:
    public = home.limited()
    home.take(complaint("open-re", author="eva", reply_to="x:closed-top"))
    home.take(complaint("open-re-2", author="eva", reply_to="x:closed-mention"))
    case, other = case_of(home, "x:open-re#acme"), case_of(home, "x:open-re-2#acme")
    came(home, "x:closed-top", case, text="a private word", access="board")
    home.take(said("closed-mention", reading("acme"), text="a private complaint", access="board", source_id="board"))
    assert threads(home, case)["x:open-re#acme"]["above"][0]["text"] == "a private word"
    for one, mention in ((case, "x:open-re#acme"), (other, "x:open-re-2#acme")):
        thread = threads(home, one, public)[mention]
        assert (thread["state"], thread["above"]) == ("not_asked", [])
        assert "a private" not in home.get(f"/api/cases/{one}", public).text


def test_nobody_asks_for_a_case_that_is_not_theirs(home: WebHome) -> None:
    home.take(complaint("theirs", author="eva", reply_to="x:theirs-0"))
    case = case_of(home, "x:theirs#acme")
    assert ask(home, case, home.limited(brands=["brisa"])).status_code == 404
    assert ask(home, 10**9).status_code == 404
    assert home.client.post(f"/api/cases/{case}/context").status_code == 401
