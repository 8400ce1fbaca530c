"""The page of a briefing, for whoever has its link: read-only, until it expires. No login, no script, no cookie."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from database.engine import read
from routing import briefing_links
from routing.incidents import briefing
from routing.incidents.briefing_page import page_of
from routing.links import BadLink
from web.services import Services
from web.words import words

Said = Annotated[str, Path(min_length=20, max_length=briefing_links.MOST_LETTERS, pattern=r"^[A-Za-z0-9_\-]+$")]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
_STATUS = {"forged": 404, "expired": 410, "used": 410}


def router(services: Services) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    page = partial(_page, drill=services.drill)

    @routes.get("/briefing/{said}")
    def look(said: Said) -> HTMLResponse:
        try:
            with read(services.engine) as connection:
                allowed = briefing_links.readable(connection, said, services.clock.now())
                found = briefing.read(connection, allowed.number)
        except BadLink as bad:
            return _refused(bad, page)
        except briefing.NoSuchBriefing:
            return _refused(BadLink("expired"), page)
        return page(200, "briefing.html.j2", page=page_of(found, allowed.language))

    return routes


def _refused(bad: BadLink, page: Callable[..., HTMLResponse]) -> HTMLResponse:
    t = words(bad.language)
    text = t("briefing_expired") if bad.why == "expired" else t(f"link_{bad.why}")
    return page(_STATUS[bad.why], "link.html.j2", language=bad.language, title=t("link_refused"), text=text, button="")


def _page(status: int, name: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_template(name).render(**values), status, {"Content-Security-Policy": POLICY})


@cache
def _template(name: str) -> Template:
    environment = Environment(loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(name)
