"""The API's case has the policy's advice, for as much of the case as the asker may see."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from route_home import reading, said
from web_home import WebHome, complaint, scandal


def advised(home: WebHome, id: str, token: str | None = None, **params: Any) -> list[dict[str, Any]]:
    case = home.ok(f"/api/mentions/{id.replace('#', '%23')}")["case"]
    found: list[dict[str, Any]] = home.ok(f"/api/cases/{case}", token, **params)["policy"]
    return found


def test_a_case_has_the_advice_in_the_language_that_is_asked_for(home: WebHome) -> None:
    home.take(complaint("policy-1", author="eva"))
    (advice,) = advised(home, "x:policy-1#acme")
    assert (advice["kind"], advice["queue"], advice["where"]) == ("unhappy-customer", "support", "public_then_private")
    assert advice["since"] < advice["due"] < advice["until"]
    assert advice["lines"][0].startswith("We are sorry")
    (spanish,) = advised(home, "x:policy-1#acme", language="es")
    assert spanish["lines"][0].startswith("Sentimos")
    assert home.get("/api/cases/1", language="fr").status_code == 422


def test_a_limited_token_hears_of_kinds_of_posts_that_it_may_see_alone(home: WebHome) -> None:
    at = home.now - 1_000
    home.take(scandal("policy-2", author="bo"))
    private = reading("acme", "public_issue", speaker="press")
    home.take(said("policy-3", private, author="paper", reply_to="x:policy-2", at=at, access="inside"))
    assert [one["kind"] for one in advised(home, "x:policy-2#acme")] == ["press-question", "public-criticism"]
    limited = home.limited(brands=["acme"])
    assert [one["kind"] for one in advised(home, "x:policy-2#acme", limited)] == ["public-criticism"]


def test_a_limited_token_does_not_learn_of_near_copies(home: WebHome) -> None:
    words = "acme poisons our river and every one of us has to know it today"
    at = home.now - 1_000
    angry = reading("acme", "complaint", detractor=1)
    copies = [said(f"policy-c{n}", angry, author=f"a{n}", text=words, at=at) for n in range(12)]
    home.take(*(replace(copy, fingerprint=7) for copy in copies))
    assert advised(home, "x:policy-c11#acme")[0]["kind"] == "organised-copies"
    assert advised(home, "x:policy-c11#acme", home.limited(brands=["acme"])) == []
