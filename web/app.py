"""The API of Clamor: search, mentions, decisions, cases, incidents, coverage, status, webhooks, health, metrics."""

from __future__ import annotations

from fastapi import FastAPI

from web import errors, reference
from web.hardening import Hardening
from web.heads import Heads
from web.routes import briefings, cases, coverage, health, incidents, kpis, links, mentions, search, status, webhooks
from web.services import Services

DESCRIPTION = """\
Everything that the command line can ask, over HTTP.

Every route but `/healthz`, `/readyz`, this page and the webhooks wants `Authorization: Bearer TOKEN`. The token was \
shown once, at the first start; `clamor token new NAME` makes another. What a token may see (brands, queues, private \
sources) is applied to every answer, and what it may not see is answered like what does not exist.

`q` is a query in the one query language: `brand:aurelia intent:churn_threat risk:>=70 "no me dejan" -lang:pt \
since:-7d`. An error names the position and what would work.

Times are ISO 8601, UTC, to the millisecond. Every refusal has the same shape: `error` (what went wrong), `advice` \
(the way out), `position` (where in `q`) and `retry_after` (seconds, where it is worth trying again)."""

TAGS = [
    {"name": "search", "description": "Find mentions, count them, see them over time."},
    {"name": "mentions", "description": "One post about one brand, and why it is where it is."},
    {"name": "cases", "description": "What the teams work on."},
    {"name": "incidents", "description": "What is unusual about a brand, why, and who looks after it."},
    {"name": "kpis", "description": "How fast and how well the teams work, and how loud the brands are."},
    {"name": "coverage", "description": "What was asked for, received and missed."},
    {"name": "status", "description": "How the program does."},
    {"name": "webhooks", "description": "Posts pushed in by signed requests."},
    {"name": "health", "description": "For whoever watches the process."},
]


def create_app(services: Services, version: str) -> FastAPI:
    """An ASGI application. No address redirects, nothing is allowed across origins."""
    app = FastAPI(
        title="Clamor",
        summary="Social listening and sentiment engine",
        description=DESCRIPTION,
        version=version,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    errors.install(app)
    for part in (search, mentions, cases, incidents, kpis, coverage, status, webhooks, links, briefings, health):
        app.include_router(part.router(services))
    reference.install(app)
    app.add_middleware(Heads)
    app.add_middleware(Hardening)
    return app
