"""Every refusal of the API has the same shape: what went wrong, where, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from index.cursor import BadCursor
from index.files import QueryTooSlow
from query.error import QueryError
from stream.ports import Transient, Unusable
from web.models import Problem

BUSY = 2
"""Seconds after which a fault that passes may have passed."""
_WORDS = {
    404: ("there is nothing at this address", "see /api/docs for the addresses that there are"),
    405: ("this address does not take this method", "see /api/docs for the methods that it takes"),
}

_log = structlog.get_logger(__name__)


class Refusal(Exception):
    def __init__(self, status: int, error: str, advice: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.status, self.problem = status, Problem(error=error, advice=advice, retry_after=retry_after)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: what a route may refuse with."""
    return {status: {"model": Problem, "description": _DESCRIPTIONS[status]} for status in statuses}


_DESCRIPTIONS = {
    401: "No token, or one that is unknown or revoked",
    403: "The token sees only a part of what this route tells, or only reads",
    404: "There is none, or none that this token may see",
    409: "It stands otherwise by now: `error` says how",
    422: "Something asked for cannot be understood; `position` points at the place in `q`",
    503: "Busy, or the query takes too long; `retry_after` or `advice` says what to do",
}


def install(app: FastAPI) -> None:
    """Give every error of a route the one shape; what nobody expected is `web.hardening`'s."""

    @app.exception_handler(Refusal)
    async def refusal(request: Request, error: Refusal) -> JSONResponse:
        return answer(error.status, error.problem)

    @app.exception_handler(QueryError)
    async def query(request: Request, error: QueryError) -> JSONResponse:
        advice = error.hint or "docs/query-language.md tells the whole language"
        return answer(422, Problem(error=error.message, advice=advice, position=(error.start, error.end)))

    @app.exception_handler(BadCursor)
    async def cursor(request: Request, error: BadCursor) -> JSONResponse:
        return answer(422, Problem(error="this cursor does not go on here", advice=str(error)))

    @app.exception_handler(QueryTooSlow)
    async def slow(request: Request, error: QueryTooSlow) -> JSONResponse:
        return answer(503, Problem(error="the query takes too long", advice=str(error)))

    @app.exception_handler(Transient)
    @app.exception_handler(Unusable)
    async def passing(request: Request, error: Exception) -> JSONResponse:
        _log.warning("request not answered", route=request.scope["path"][:100], why=str(error))
        problem = Problem(
            error="a part of Clamor that is needed for this does not answer",
            advice="try again in a moment; /readyz and `clamor status` say which part it is",
            retry_after=BUSY,
        )
        return answer(503, problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        parts = [f"{'.'.join(str(p)[:50] for p in e['loc'][1:])}: {e['msg']}" for e in error.errors()[:10]]
        return answer(422, Problem(error="; ".join(parts), advice="see /api/docs for what this route takes"))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        words = _WORDS.get(error.status_code, (str(error.detail), "see /api/docs for what is taken here"))
        return answer(error.status_code, Problem(error=words[0], advice=words[1]), error.headers)


def answer(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    more = dict(headers or {})
    if status == 401:
        more["WWW-Authenticate"] = "Bearer"
    if problem.retry_after is not None:
        more["Retry-After"] = str(problem.retry_after)
    return JSONResponse(problem.model_dump(mode="json", exclude_none=True), status, more)
