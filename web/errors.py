"""Every refusal of the API has the same shape: what went wrong, where, and the way out."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from index.embedded import QueryTooSlow
from query.parse import QueryError
from stream.ports import Transient
from web.models import Problem


class Refusal(Exception):
    def __init__(self, status: int, error: str, advice: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.advice = status, error, advice


def install(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refusal(request: Request, error: Refusal) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        return _answer(error.status, Problem(error=error.error, advice=error.advice), headers)

    @app.exception_handler(QueryError)
    async def query(request: Request, error: QueryError) -> JSONResponse:
        problem = Problem(error=error.message, advice=error.hint, position=(error.start, error.end))
        return _answer(422, problem)

    @app.exception_handler(QueryTooSlow)
    async def slow(request: Request, error: QueryTooSlow) -> JSONResponse:
        return _answer(503, Problem(error=str(error), advice="narrow the query by brand or time"))

    @app.exception_handler(Transient)
    async def passing(request: Request, error: Transient) -> JSONResponse:
        return _answer(503, Problem(error=str(error), advice="try again in a moment"), {"Retry-After": "2"})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        parts = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:10]]
        return _answer(422, Problem(error="; ".join(parts), advice="see /api/docs for what this route takes"))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, Problem(error=str(error.detail)))


def _answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers)
