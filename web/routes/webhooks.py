"""Posts pushed in by signed requests."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from web.errors import Refusal
from web.models import Problem, Webhooked
from web.services import Services

REFUSALS = {status: {"model": Problem} for status in (401, 404, 413, 422, 429, 503)}


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["webhooks"])

    @routes.post(
        "/webhooks/{source}",
        summary="Posts of a push source; 202 once they are durable",
        description="Signed with HMAC-SHA256 by the source's secret instead of a bearer token: see the collectors page.",
        status_code=202,
        response_model=Webhooked,
        responses=REFUSALS,  # type: ignore[arg-type]
    )
    async def push(source: str, request: Request) -> JSONResponse:
        webhook = services.webhook(source)
        if webhook is None:
            raise Refusal(404, f"no webhook source {source[:64]!r}", "name it under `sources:` with `kind: webhook`")
        body = await _bounded(request, webhook.max_body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, answer = await run_in_threadpool(webhook.handle, headers, body, services.clock.now())
        return JSONResponse(answer, status)

    return routes


async def _bounded(request: Request, most: int) -> bytes:
    """The body, read no further than `most` bytes. Raises Refusal 413 for a longer one."""
    too_long = Refusal(413, f"the body is longer than {most} bytes", "send fewer posts in one request")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise too_long
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_long
        parts.append(part)
    return b"".join(parts)
