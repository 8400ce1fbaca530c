"""Pages behind the links of a mail: what the link would do, one button, what was done. No login, no script, no cookie.

Opening a link does nothing, for mail programs and scanners open links; the button does it, once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from sqlalchemy import Connection

from database.engine import read, write
from routing import links
from routing.incidents import book
from routing.incidents.book import NoSuchIncident
from routing.links import Allowed, BadLink
from web.services import Services
from web.words import words

Said = Annotated[str, Path(min_length=10, max_length=links.LONGEST, pattern=r"^[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+$")]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_STATUS = {"forged": 404, "expired": 410, "used": 410}


def router(services: Services) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    page = partial(_page, drill=services.drill)

    def late(said: str) -> HTMLResponse:
        """Why it cannot be done any more; the link itself is as good as before."""
        with read(services.engine) as connection:
            asked = links.allowed(connection, said, services.clock.now())
            held = _held(connection, asked)
        t = words(asked.language)
        return page(409, asked.language, t("link_refused"), _too_late(asked, held), "")

    @routes.get("/act/{said}")
    def look(said: Said) -> HTMLResponse:
        try:
            with read(services.engine) as connection:
                asked = links.allowed(connection, said, services.clock.now())
                held = _held(connection, asked)
        except BadLink as bad:
            return _refused(bad, page)
        except NoSuchIncident:
            return _refused(BadLink("expired"), page)
        t = words(asked.language)
        return page(200, asked.language, t(f"link_{asked.deed}"), _about(asked, held), t("link_do"))

    @routes.post("/act/{said}")
    def do(said: Said) -> HTMLResponse:
        try:
            with write(services.engine) as connection:
                asked = links.follow(connection, said, services.clock.now())
                held = _held(connection, asked)
        except BadLink as bad:
            return _refused(bad, page)
        except NoSuchIncident:
            return _refused(BadLink("expired"), page)
        except ValueError:
            return late(said)
        t = words(asked.language)
        did = t(f"link_did_{asked.deed}", brand=held.brand if held is not None else "")
        return page(200, asked.language, t("link_done"), did, "")

    return routes


def _held(connection: Connection, asked: Allowed) -> book.Incident | None:
    """The incident that a link is about; None: it is about a test of the way. Raises NoSuchIncident."""
    return None if asked.deed == "confirm" else book.find(connection, asked.incident)


def _too_late(asked: Allowed, held: book.Incident | None) -> str:
    t = words(asked.language)
    if held is None:
        return t("link_expired")
    if held.state == "over":
        return t("link_late_over", brand=held.brand)
    keeper = held.acknowledged_by if asked.deed == "acknowledge" else None
    return t("link_late_acknowledge", person=keeper, brand=held.brand) if keeper else t("link_late_escalate")


def _about(asked: Allowed, held: book.Incident | None) -> str:
    t = words(asked.language)
    if held is None:
        return t("link_about_confirm", person=asked.person)
    return t("link_about", brand=held.brand, state=t(f"state_{held.state}"), person=asked.person)


def _refused(bad: BadLink, page: Callable[[int, str, str, str, str], HTMLResponse]) -> HTMLResponse:
    t = words(bad.language)
    return page(_STATUS[bad.why], bad.language, t("link_refused"), t(f"link_{bad.why}"), "")


def _page(status: int, language: str, title: str, text: str, button: str, drill: bool) -> HTMLResponse:
    shown = _template().render(language=language, title=title, text=text, button=button, drill=drill)
    return HTMLResponse(shown, status, {"Content-Security-Policy": POLICY})


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("link.html.j2")
