"""A link of a mail does one thing, once, for one person, and only by a click on its page."""

from __future__ import annotations

import pytest
from web_home import WebHome

from database.engine import many, read, rows, write
from routing import chain_test, links
from routing.incidents import book
from routing.incidents.book import Evidence, Incident
from routing.incidents.levels import Standing
from routing.link_key import make_key
from routing.links import Allowed, Deed
from stream.clock import DAY


def crisis(home: WebHome) -> int:
    now = home.opened.clock.now()
    with write(home.opened.engine) as connection:
        many(connection, "UPDATE incident SET state = 'over'", [()])
        id = book.open_incident(connection, "acme", Standing("crisis", now, now, now), Evidence(), now)
        book.tell(connection, id, "acme", "crisis", 0, now)
    return id


def link(home: WebHome, id: int, deed: Deed = "acknowledge", *, ends: int = DAY, language: str = "en") -> str:
    with write(home.opened.engine) as connection:
        key = make_key(connection)
    ends += home.opened.clock.now()
    return f"/act/{links.token(key, Allowed(deed, id, 'ana', language, ends, 1))}"  # type: ignore[arg-type]


def held(home: WebHome, id: int) -> Incident:
    with read(home.opened.engine) as connection:
        return book.find(connection, id)


@pytest.fixture
def incident(home: WebHome) -> int:
    return crisis(home)


def test_opening_does_nothing_and_the_button_does_it_once(home: WebHome, incident: int) -> None:
    path = link(home, incident)
    for _ in range(3):
        page = home.client.get(path)
        assert page.status_code == 200
        assert '<form method="post">' in page.text
    assert held(home, incident).acknowledged_by is None
    done = home.client.post(path)
    assert (done.status_code, "<form" in done.text) == (200, False)
    assert held(home, incident).acknowledged_by == "ana"
    again = home.client.post(path)
    assert again.status_code == 410
    assert "used already" in again.text


def test_pages_may_run_no_script_and_stand_in_no_frame(home: WebHome, incident: int) -> None:
    policy = home.client.get(link(home, incident)).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_a_link_that_was_changed_is_not_ours(home: WebHome, incident: int) -> None:
    path = link(home, incident)
    what, _, mark = path.partition(".")
    for forged in (f"{what}.{'A' if mark[0] != 'A' else 'B'}{mark[1:]}", f"{what}.", "/act/aaaaaaaaaaaa.bbbb"):
        assert home.client.post(forged).status_code in (404, 422)
    assert held(home, incident).acknowledged_by is None


def test_an_expired_link_says_so_in_its_language(home: WebHome, incident: int) -> None:
    page = home.client.get(link(home, incident, ends=-1, language="es"))
    assert page.status_code == 410
    assert "caducado" in page.text


def test_a_home_that_never_made_a_link_takes_none(home: WebHome) -> None:
    assert home.client.get("/act/aaaaaaaaaaaa.bbbbbbbb").status_code == 404


def test_silence_and_the_next_one_of_the_chain(home: WebHome, incident: int) -> None:
    assert home.client.post(link(home, incident, "silence")).status_code == 200
    assert (held(home, incident).silent_until or 0) > home.opened.clock.now()
    assert home.client.post(link(home, incident, "escalate")).status_code == 200
    assert held(home, incident).steps == 1
    twice = home.client.post(link(home, incident, "escalate", ends=2 * DAY))
    assert (twice.status_code, held(home, incident).steps) == (409, 1)


def test_what_another_one_looks_after_is_not_taken_from_them(home: WebHome, incident: int) -> None:
    with write(home.opened.engine) as connection:
        book.acknowledge(connection, incident, "ben", home.opened.clock.now())
    answer = home.client.post(link(home, incident))
    assert answer.status_code == 409
    assert "ben looks after" in answer.text


def test_what_can_no_longer_be_done_is_told_in_the_language_of_the_link(home: WebHome, incident: int) -> None:
    with write(home.opened.engine) as connection:
        book.acknowledge(connection, incident, "ben", home.opened.clock.now())
    late = home.client.post(link(home, incident, language="es"))
    assert (late.status_code, "ben ya se ocupa del incidente" in late.text) == (409, True)
    with write(home.opened.engine) as connection:
        many(connection, "UPDATE incident SET state = 'over'", [()])
    over = home.client.post(link(home, incident, "silence", language="es"))
    assert (over.status_code, "ha terminado" in over.text) == (409, True)


def test_a_link_has_one_spelling(home: WebHome, incident: int) -> None:
    path = link(home, incident, "silence")
    assert home.client.post(path).status_code == 200
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-":
        assert home.client.post(path[:-1] + last).status_code in (404, 410)


def test_that_a_test_came_is_said_by_a_click(home: WebHome) -> None:
    now = home.opened.clock.now()
    with write(home.opened.engine) as connection:
        chain_test.begin(connection, "2026-12", ["ana"], now)
    with read(home.opened.engine) as connection:
        ((alert,),) = rows(connection, "SELECT alert FROM chain_test")
    path = link(home, alert, "confirm")
    assert "You answer as ana" in home.client.get(path).text
    assert chain_test.trial_status(home.opened.engine).missing == ("ana",), "a scanner's look is no answer"
    assert "the way to you is in order" in home.client.post(path).text
    assert chain_test.trial_status(home.opened.engine).missing == ()
