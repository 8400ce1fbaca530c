"""A token sees its brands, queues and sources, and learns of nothing else: neither by an answer nor by a refusal."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec.structs import replace
from route_home import passed, reading, said
from web_home import WebHome, complaint, scandal

from stream.clock import HOUR
from stream.records import Coverage


@pytest.fixture(scope="module")
def filled(home: WebHome) -> WebHome:
    home.take(
        complaint("open", text="common words", author="ana"),
        complaint("secret", "shadow", text="common words", author="ben"),
        complaint("private", text="common words", author="cat", access="board", source_id="board"),
        scandal("loud", text="common words", author="dan"),
    )
    return home


def mentions(home: WebHome, token: str) -> set[str]:
    return set(home.found("common", token))


ALL = {"x:open#acme", "x:secret#shadow", "x:private#acme", "x:loud#acme"}
SCOPES: list[tuple[dict[str, Any], set[str]]] = [
    ({"brands": ["acme"]}, {"x:open#acme", "x:loud#acme"}),
    ({"brands": ["acme"], "access": ["public", "board"]}, ALL - {"x:secret#shadow"}),
    ({"queues": ["pr"]}, {"x:loud#acme"}),
    ({"queues": ["support"]}, {"x:open#acme", "x:secret#shadow"}),
    ({"access": ["board"]}, {"x:private#acme"}),
    ({"brands": []}, set()),
    ({"brands": ["nobody"]}, set()),
]


@pytest.mark.parametrize(("scope", "seen"), SCOPES)
def test_every_reading_keeps_to_the_scope(filled: WebHome, scope: dict[str, Any], seen: set[str]) -> None:
    home, token = filled, filled.limited(**scope)
    assert mentions(home, home.token) == ALL
    assert mentions(home, token) == seen
    assert home.ok("/api/count", token, q="common")["value"] == len(seen)
    (brands,) = home.ok("/api/facets", token, q="common", field="brand")["facets"]
    assert {one["value"] for one in brands["values"]} == {id.partition("#")[2] for id in seen}
    buckets = home.ok("/api/histogram", token, q="common")["buckets"]
    assert sum(bucket["count"] for bucket in buckets) == len(seen)
    for id in ALL:
        path = f"/api/mentions/{id.replace('#', '%23')}"
        expected = 200 if id in seen else 404
        assert home.get(path, token).status_code == expected
        assert home.get(f"{path}/decisions", token).status_code == expected
    every = home.mentions()
    assert {case["id"] for case in home.ok("/api/cases", token)["cases"]} == {every[id].case_id for id in seen}
    for id in ALL:
        answer = home.get(f"/api/cases/{every[id].case_id}", token)
        assert answer.status_code == (200 if id in seen else 404)


def test_what_is_hidden_is_refused_like_what_is_not(filled: WebHome) -> None:
    token = filled.limited(brands=["acme"])

    def words(path: str) -> str:
        return filled.get(path, token).text.replace("secret", "?").replace("absent", "?")

    assert words("/api/mentions/x:secret%23shadow") == words("/api/mentions/x:absent%23shadow")
    hidden = filled.mentions()["x:secret#shadow"].case_id
    assert filled.get(f"/api/cases/{hidden}", token).text.replace(str(hidden), "?") == filled.get(
        "/api/cases/999999999", token
    ).text.replace("999999999", "?")
    assert filled.ok("/api/cases", token, brand="shadow") == filled.ok("/api/cases", token, brand="absent")


def test_a_case_shows_no_figure_of_hidden_mentions(filled: WebHome) -> None:
    home = filled
    home.take(complaint("mixed-1", author="eve", text="mixed"))
    worse = scandal("mixed-2", author="eve", text="mixed", reply_to="x:mixed-1", access="board", source_id="board")
    home.take(worse)
    case = home.mentions()["x:mixed-1#acme"].case_id
    everything = home.ok(f"/api/cases/{case}")
    assert (everything["queue"], everything["mentions"]) == ("pr", 2)

    public = home.ok(f"/api/cases/{case}", home.limited())
    assert (public["mentions"], public["mention_ids"]) == (1, ["x:mixed-1#acme"])
    assert public["risk"] < everything["risk"]
    assert len(public["history"]) < len(everything["history"])
    assert "mixed-2" not in str(public)

    support = home.limited(queues=["support"])
    assert home.get(f"/api/cases/{case}", support).status_code == 404
    assert home.ok("/api/mentions/x:mixed-1%23acme", support)["case"] is None
    assert home.ok("/api/search", support, q="mixed")["hits"][0]["mention"]["case"] is None
    assert home.get("/api/search", support, q=f"case:{case}").status_code == 422
    assert home.get("/api/search", support, q=f"-(brand:acme (has:case OR case:{case}))").status_code == 422
    assert home.get("/api/facets", support, field="case").status_code == 422


def test_how_many_copies_there_are_is_told_to_those_who_see_all_of_them(filled: WebHome) -> None:
    home = filled
    for n, access in enumerate(("public", "board", "public")):
        copy = complaint(f"copy-{n}", author=f"c{n}", text="copied", access=access, source_id=access)
        home.take(replace(copy, fingerprint=0x0F0F_0F0F_0F0F_0F0F))
    whole = home.ok("/api/mentions/x:copy-2%23acme")
    assert whole["copies"] == 3
    assert home.ok("/api/search", q=f"cluster:{whole['cluster']} copies:>=2")["total"]["value"] == 2
    for scope in ({}, {"brands": ("acme",)}, {"queues": ("support",)}, {"access": ("public", "board")}):
        limited = home.limited(**scope)
        shown = home.ok("/api/mentions/x:copy-2%23acme", limited)
        assert (shown["cluster"], shown["copies"]) == (whole["cluster"], None)
        assert home.ok("/api/search", limited, q="copied")["hits"][0]["mention"]["copies"] is None
        assert home.get("/api/search", limited, q="-copies:>=2").status_code == 422
        assert home.get("/api/facets", limited, field="copies").status_code == 422


def test_what_near_copies_tell_of_spam_is_for_those_who_see_all_of_them(filled: WebHome) -> None:
    home = filled
    offers = [
        said(f"offer-{n}", reading("acme", "purchase_interest"), author=f"o{n}", at=int(time.time() * 1000) - 1_000,
             text="20 % discount on acme https://example.com", access=access, source_id=access)
        for n, access in enumerate(["board"] * 9 + ["public"])
    ]  # fmt: skip
    home.take(*(replace(one, fingerprint=0x3333_0F0F_5555_0F0F) for one in offers))
    path = "/api/mentions/x:offer-9%23acme"
    assert home.ok(path)["spam"] == ["copies"]
    assert home.ok("/api/count", q="spam:yes id:x:offer-9")["value"] == 1
    (whole, *_) = home.ok(f"{path}/decisions")
    assert whole["facts"]["spam:yes"]
    assert "copies" in str(whole["in_words"])
    for scope in ({}, {"brands": ("acme",)}, {"queues": ("none",)}, {"access": ("public", "board")}):
        limited = home.limited(**scope)
        assert home.ok(path, limited)["spam"] == []
        (told, *_) = home.ok(f"{path}/decisions", limited)
        assert set(whole["facts"]) - set(told["facts"]) == {"spam:yes"}
        assert "copies" not in str(told)
        assert "spam:" not in str(told["in_words"])
        assert "looks like spam" not in str(told["in_words"][1:])
        for query in ("spam:yes", "is:spam", "-(offer has:spam)", "acme OR spam:no"):
            for route in ("search", "count", "histogram"):
                refused = home.get(f"/api/{route}", limited, q=query)
                assert refused.status_code == 422
                assert "ask without `spam:`" in refused.text
        assert home.get("/api/facets", limited, field="spam").status_code == 422
        assert home.get("/api/facets", limited, q="spam:yes", field="brand").status_code == 422


def test_a_conversation_is_not_named_after_a_private_post(filled: WebHome) -> None:
    home = filled
    home.take(complaint("root-1", author="fay", text="rooted", access="board", source_id="board"))
    home.take(complaint("root-2", author="gus", text="rooted", reply_to="x:root-1"))
    assert home.ok("/api/mentions/x:root-2%23acme")["conversation"] == "x:root-1"
    public = home.limited()
    assert home.ok("/api/mentions/x:root-2%23acme", public)["conversation"] is None
    assert home.get("/api/facets", public, field="conversation").status_code == 422


def test_a_case_whose_posts_are_deleted_stays_with_those_who_saw_it(filled: WebHome) -> None:
    home = filled
    home.take(complaint("left-1", author="hal"), complaint("left-2", author="ida", access="board", source_id="board"))
    cases = [home.mentions()[f"x:left-{n}#acme"].case_id for n in (1, 2)]
    home.take(*(passed(f"left-{n}", "deleted", at=home.opened.clock.now()) for n in (1, 2)))
    public = home.limited()
    assert home.ok(f"/api/cases/{cases[0]}", public)["state"] == "closed"
    assert home.get(f"/api/cases/{cases[1]}", public).status_code == 404
    assert home.ok(f"/api/cases/{cases[1]}")["state"] == "closed"


def test_the_ledger_tells_of_no_source_and_brand_beyond_the_scope(filled: WebHome) -> None:
    home, now = filled, filled.opened.clock.now()
    for source, brands in (("community", ()), ("board", ("acme",)), ("bakery", ("shadow",)), ("log:posts", ())):
        row = Coverage(source_id=source, since=now - HOUR, until=now, state="gap", missed=3, recorded_at=now)
        home.opened.ledger.record(row, brands=brands)

    def told(token: str | None) -> set[str]:
        found = home.ok("/api/coverage", token)
        assert found["known_missed"] == 3 * len(found["rows"])
        rows = {row["source"] for row in found["rows"]}
        assert {row["source"] for row in home.ok("/api/search", token)["gaps"]} == rows
        return rows

    assert told(None) == {"community", "board", "bakery", "log:posts"}
    assert told(home.limited()) == {"community", "bakery", "log:posts"}
    assert told(home.limited(brands=["acme"])) == {"community", "log:posts"}
    assert told(home.limited(brands=["acme"], access=["public", "board"])) == {"community", "board", "log:posts"}
    assert home.ok("/api/coverage", home.limited(), source="board")["rows"] == []


def test_what_tells_of_the_whole_program_is_kept_from_a_part(filled: WebHome) -> None:
    token = filled.limited(brands=["acme"])
    status = filled.ok("/api/status", token)
    assert set(status) == {"now", "simulated", "running", "stages", "waiting", "latency"}
    assert all("error" not in stage for stage in status["stages"])
    refused = filled.get("/metrics", token)
    assert (refused.status_code, "part" in refused.json()["error"]) == (403, True)
