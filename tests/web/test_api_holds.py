"""The API's case says what may be said while PR holds replies back; why is for who may see all."""

from __future__ import annotations

from typing import Any

from web_home import WebHome, complaint

from database.engine import many, write
from routing.incidents import book, hold
from routing.incidents.book import Evidence
from routing.incidents.hold import Line
from routing.incidents.levels import Standing


def held(home: WebHome, case: int, token: str | None = None, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = home.ok(f"/api/cases/{case}", token, **params)["holds"]
    return found


def test_a_case_of_an_incident_shows_the_approved_line_and_who_may_lift_the_hold(home: WebHome) -> None:
    home.take(complaint("hold-1", author="eva"))
    case, now = home.ok("/api/mentions/x:hold-1%23acme")["case"], home.opened.clock.now()
    assert held(home, case) == []
    with write(home.opened.engine) as connection:
        many(connection, "UPDATE incident SET state = 'over'", [()])
        id = book.open_incident(connection, "acme", Standing("crisis", now, now, now), Evidence(), now)
        put = hold.put(connection, id, (Line("{brand} answers at noon.", "Al mediodía."),), "ana", "one voice", now)
        many(connection, "INSERT INTO hold_case (hold, case_id) VALUES (?, ?)", [(put.n, case)])
    (one,) = held(home, case)
    assert (one["incident"], one["why"]) == (id, "one voice")
    assert one["lines"][0].endswith(" answers at noon.")
    assert "{brand}" not in one["lines"][0]
    (limited,) = held(home, case, home.limited(brands=["acme"]), language="es")
    assert (limited["why"], limited["lines"]) == ("", ["Al mediodía."])
