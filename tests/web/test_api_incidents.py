"""Incidents over the API: what they are made of, who may see which part, who looks after them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from web_home import WebHome, scandal

from database.engine import many, write
from routing.incidents import book
from routing.incidents.book import Evidence
from routing.incidents.levels import Signal, Standing
from stream.clock import HOUR
from stream.ports import AccessScope
from web import tokens


@pytest.fixture(scope="module")
def ids(home: WebHome) -> dict[str, int]:
    """A crisis about acme, of public posts and one of a private source; one about shadow, of private ones alone."""
    home.take(
        *(scandal(f"oil-{n}", text=f"palm oil burns the forest {n}", author=f"r{n}") for n in range(5)),
        scandal("inside", text="we knew of the palm oil all along", author="clerk", access="board", source_id="board"),
        scandal("hush", "shadow", text="flour full of worms", author="baker", access="board", source_id="board"),
    )
    loud = Evidence(home.now, (Signal("negative@x", 60, 412, 3.25, 9.0, 4.2, 0.998),), 0.9)
    standing = Standing("crisis", home.now - HOUR, home.now, home.now)
    made: dict[str, int] = {}
    with write(home.opened.engine) as connection:
        for brand in ("acme", "shadow"):
            made[brand] = book.open_incident(connection, brand, standing, loud, home.now)
        book.note(connection, made["acme"], "note", home.now, "ana", "the minister called")
    return made


def acting(home: WebHome, **scope: Any) -> str:
    fields = {"access": None, **{key: frozenset(of) for key, of in scope.items()}}
    return tokens.issue(home.opened.engine, f"acting-{len(scope)}", home.now, AccessScope(acts=True, **fields))


def post(home: WebHome, path: str, token: str, **body: str) -> httpx.Response:
    return home.client.post(path, headers={"Authorization": f"Bearer {token}"}, json=body)


def test_an_incident_says_what_it_is_made_of_and_what_happened(home: WebHome, ids: dict[str, int]) -> None:
    found = home.ok(f"/api/incidents/{ids['acme']}")
    assert (found["brand"], found["state"], found["complete"]) == ("acme", "crisis", 0.9)
    assert found["signals"][0] == {
        "series": "negative@x", "minutes": 60, "observed": 412, "expected": 3.25, "high": 9.0, "probability": 0.99,
    }  # fmt: skip
    assert found["cause"]["posts"] == 6
    assert {one["network"] for one in found["cause"]["top"]} == {"x"}
    assert [one["change"] for one in found["history"]] == ["crisis", "note"]
    assert found["history"][1]["detail"] == "the minister called"


def test_incidents_are_listed_newest_first_and_page_by_page(home: WebHome, ids: dict[str, int]) -> None:
    first = home.ok("/api/incidents", limit=1)
    assert [one["id"] for one in first["incidents"]] == [ids["shadow"]]
    rest = home.ok("/api/incidents", limit=1, cursor=first["cursor"])
    assert [one["id"] for one in rest["incidents"]] == [ids["acme"]]
    assert home.ok("/api/incidents", brand="acme", live=True)["incidents"][0]["id"] == ids["acme"]
    assert home.ok("/api/incidents", state="over")["incidents"] == []
    assert home.get("/api/incidents", state="calm").status_code == 422


def test_who_may_not_see_all_posts_is_told_of_those_that_it_may_see(home: WebHome, ids: dict[str, int]) -> None:
    agency = home.limited(brands=["acme"])
    answer = home.get(f"/api/incidents/{ids['acme']}", agency)
    found = answer.json()
    assert (found["signals"], found["complete"], found["curve"]) == ([], None, [])
    assert found["cause"]["posts"] == 5
    assert "we knew" not in answer.text
    assert "clerk" not in answer.text
    assert "minister" not in answer.text
    assert "412" not in answer.text
    inside = home.limited(brands=["acme"], access=["public", "board"])
    whole = home.ok(f"/api/incidents/{ids['acme']}", inside)
    assert (whole["cause"]["posts"], whole["signals"][0]["observed"]) == (6, 412)


@pytest.mark.parametrize(
    "scope", [{"brands": ["brisa"]}, {"queues": ["support"]}, {"access": ["public"], "brands": ["shadow"]}]
)
def test_what_a_token_may_not_see_is_not_there(home: WebHome, ids: dict[str, int], scope: dict[str, list[str]]) -> None:
    token = home.limited(**scope)
    assert home.ok("/api/incidents", token)["incidents"] == []
    assert home.get(f"/api/incidents/{ids['shadow']}", token).status_code == 404
    answer = post(home, f"/api/incidents/{ids['shadow']}/acknowledge", acting(home, **scope), by="eve")
    unknown = post(home, "/api/incidents/999/acknowledge", acting(home, **scope), by="eve")
    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert answer.text.replace(str(ids["shadow"]), "999") == unknown.text


def test_a_token_that_only_reads_acknowledges_nothing(home: WebHome, ids: dict[str, int]) -> None:
    answer = post(home, f"/api/incidents/{ids['acme']}/acknowledge", home.token, by="ana")
    assert answer.status_code == 403
    assert "--acts" in answer.json()["advice"]
    assert home.ok(f"/api/incidents/{ids['acme']}")["acknowledged_by"] is None


def test_one_person_looks_after_it(home: WebHome, ids: dict[str, int]) -> None:
    path, token = f"/api/incidents/{ids['shadow']}/acknowledge", acting(home)
    assert post(home, path, token, by="ana").json()["acknowledged_by"] == "ana"
    assert post(home, path, token, by="ana").status_code == 200
    taken = post(home, path, token, by="ben")
    assert (taken.status_code, taken.json()["error"]) == (409, f"ana looks after incident {ids['shadow']} already")
    assert post(home, path, token, by="").status_code == 422
    assert post(home, path, token, by="x" * 65).status_code == 422
    assert home.client.post(path, json={"by": "ana"}).status_code == 401


def test_in_the_end_somebody_says_whether_it_was_one(home: WebHome, ids: dict[str, int]) -> None:
    path = f"/api/incidents/{ids['shadow']}/prove"
    assert post(home, path, acting(home), by="ana", proved="real").json()["proved"] == "real"
    assert post(home, path, acting(home), by="ana", proved="maybe").status_code == 422
    assert post(home, path, home.token, by="ana", proved="false").status_code == 403


def test_an_old_incident_is_over_for_every_deed(home: WebHome, ids: dict[str, int]) -> None:
    with write(home.opened.engine) as connection:
        many(connection, "UPDATE incident SET state = 'over', over_at = ? WHERE id = ?", [(home.now, ids["acme"])])
    answer = post(home, f"/api/incidents/{ids['acme']}/acknowledge", acting(home), by="ana")
    assert answer.status_code == 409
    found = home.ok("/api/incidents", state="over")["incidents"]
    assert [one["id"] for one in found] == [ids["acme"]]
    assert found[0]["over_at"] > found[0]["since"]
