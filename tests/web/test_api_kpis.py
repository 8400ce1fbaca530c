"""Key figures over the API: of what the token may see, and of no more."""

from __future__ import annotations

import pytest
from route_home import reading, said
from web_home import WebHome, complaint

from routing.kpi.asked import Figures


@pytest.fixture(scope="module")
def filled(home: WebHome) -> WebHome:
    at = home.now - 1_000
    home.take(
        complaint("kpi-1", author="ann"),
        complaint("kpi-2", author="bob"),
        complaint("kpi-3", "brisa", author="cid"),
        said("kpi-4", reading("shadow", "purchase_interest"), author="eve", at=at),
    )
    return home


def test_rows_are_of_what_is_asked_for(filled: WebHome) -> None:
    rows = filled.ok("/api/kpis", by="brand")["rows"]
    assert [(row["brand"], row["cases"], row["mentions"], row["voice"]) for row in rows] == [
        ("acme", 2, 2, 0.5), ("brisa", 1, 1, 0.25), ("shadow", 1, 1, 0.25),
    ]  # fmt: skip
    assert rows[0].keys() == set(Figures.__struct_fields__)
    rows = filled.ok("/api/kpis", by=["day", "queue"], brand="acme")["rows"]
    assert [(row["queue"], row["cases"], row["mentions"], row["since"][10:]) for row in rows] == [
        ("support", 2, None, "T00:00:00.000Z"),
    ]  # fmt: skip
    assert filled.ok("/api/kpis", since="2020-01-01", until="2020-02-01")["rows"] == []


def test_a_limited_token_learns_of_no_other_brand_or_queue(filled: WebHome) -> None:
    labels = ["public", "board"]
    token = filled.limited(brands=["acme"], access=labels)
    rows = filled.ok("/api/kpis", token, by="brand")["rows"]
    assert [(row["brand"], row["mentions"], row["voice"]) for row in rows] == [("acme", 2, None)]
    assert filled.ok("/api/kpis", token, by="brand", brand="brisa")["rows"] == []
    sales = filled.limited(queues=["sales"], access=labels)
    rows = filled.ok("/api/kpis", sales, by="queue")["rows"]
    assert [(row["queue"], row["cases"]) for row in rows] == [("sales", 1)]


def test_who_may_not_see_every_source_gets_no_figures_made_of_all(filled: WebHome) -> None:
    answer = filled.get("/api/kpis", filled.limited(brands=["acme"]))
    assert answer.status_code == 403
    assert "--access" in answer.json()["advice"]


def test_what_cannot_be_asked_is_refused(filled: WebHome) -> None:
    assert filled.get("/api/kpis", by="colour").status_code == 422
    assert filled.get("/api/kpis", since="2026-02-01", until="2026-01-01").status_code == 422
    assert filled.get("/api/kpis", since="2000-01-01", until="2026-01-01").status_code == 422
    assert filled.get("/api/kpis", queue="none").status_code == 422
