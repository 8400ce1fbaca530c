"""The API of Clamor: search, mentions, decisions, cases, coverage, status, webhooks, health, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from web import errors
from web.routes import cases, coverage, health, mentions, search, status, webhooks
from web.services import Services

DESCRIPTION = """
Everything that the command line can ask, over HTTP.

**Authorise** with `Authorization: Bearer TOKEN`. The token was shown once, at the first start; `clamor token new` makes
another. What a token may see (brands, queues, private sources) is applied to every answer.

**Queries** (`q`) are the one query language: `brand:aurelia intent:churn_threat risk:>=70 "no me dejan" -lang:pt since:-7d`.
An error names the position and what would work.

**Times** are ISO 8601, UTC. **Refusals** have the shape `{"error", "advice", "position"?}`.
"""

TAGS = [
    {"name": "search", "description": "Find mentions, count them, see them over time."},
    {"name": "mentions", "description": "One post about one brand, and why it is where it is."},
    {"name": "cases", "description": "What the teams work on."},
    {"name": "coverage", "description": "What was asked for, received and missed."},
    {"name": "status", "description": "How the program does."},
    {"name": "webhooks", "description": "Posts pushed in by signed requests."},
    {"name": "health", "description": "For whoever watches the process."},
]


def create_app(services: Services, version: str) -> FastAPI:
    app = FastAPI(
        title="Clamor",
        summary="Social listening and sentiment engine",
        description=DESCRIPTION,
        version=version,
        openapi_tags=TAGS,
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    errors.install(app)
    for part in (search, mentions, cases, coverage, status, webhooks, health):
        app.include_router(part.router(services))

    @app.middleware("http")
    async def harden(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await forward(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        if request.url.path.startswith("/api/") and request.url.path != "/api/docs":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app
