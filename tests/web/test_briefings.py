"""The link of a briefing shows its page to whoever has it, without login or script, until it expires."""

from __future__ import annotations

from web_home import WebHome

from database.engine import many, write
from routing import briefing_links
from routing.incidents import book, briefing, said
from routing.incidents.book import Evidence
from routing.incidents.levels import Standing
from routing.link_key import make_key
from stream.clock import DAY, HOUR


def link(home: WebHome, language: str = "en", ends: int = DAY) -> str:
    now = home.opened.clock.now()
    with write(home.opened.engine) as connection:
        many(connection, "UPDATE incident SET state = 'over'", [()])
        id = book.open_incident(connection, "acme", Standing("crisis", now - HOUR, now, now), Evidence(), now)
        said.say(connection, id, "<script>alert(1)</script>", "x", now, "ana", now)
        number = briefing.freeze(connection, id, "Acme Air", "ana", now)
        allowed = briefing_links.Readable(number, language, now + ends)  # type: ignore[arg-type]
        return f"/briefing/{briefing_links.token(make_key(connection), allowed)}"


def test_its_page_needs_no_login_runs_no_script_and_is_kept_by_nobody(home: WebHome) -> None:
    page = home.client.get(link(home))
    assert page.status_code == 200
    assert "Acme Air: crisis" in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "set-cookie" not in page.headers


def test_it_is_in_the_language_that_was_asked_for(home: WebHome) -> None:
    page = home.client.get(link(home, "es"))
    assert '<html lang="es">' in page.text
    assert "Qué pueden preguntar" in page.text


def test_it_is_read_only_and_ends(home: WebHome) -> None:
    path = link(home)
    assert home.client.post(path).status_code == 405
    over = home.client.get(link(home, "es", ends=-1))
    assert (over.status_code, "Pida un enlace nuevo" in over.text) == (410, True)
    forged = home.client.get(path[:-2] + ("AA" if not path.endswith("AA") else "BB"))
    assert (forged.status_code, "crisis" in forged.text) == (404, False)
    assert home.client.get(path.replace("briefing", "act")).status_code in (404, 422)
