"""Posts pushed in by signed requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from ingest.signature import BadSignature, verify
from ingest.webhook import MAX_BODY
from stream.clock import Clock
from web import models
from web.errors import Refusal, answer
from web.services import Services, Webhook

AT_ONCE = 16
"""Bodies that are read at the same time, for a bound on memory."""
THREADS = 4
"""Of their own, so that slow searches do not keep posts waiting."""
PATIENCE = 30.0
"""Seconds that a body may take."""

_ADVICE = {
    404: "look at the id of the source, and at the words that the network was given to verify itself with",
    401: "sign each body with the source's secret and the present time: see docs/api.md",
    413: "send fewer posts in one request",
    422: "see docs/api.md for the form of a post",
    429: "wait as long as Retry-After says, then send the same request again",
    503: "wait as long as Retry-After says, then send the same request again",
}
_DESCRIPTIONS = {
    401: "Not signed, wrongly signed, signed more than five minutes ago, or no such source",
    408: "The body took too long",
    413: "Too many bytes or too many posts",
    422: "No JSON, no post in it that can be taken, or an Idempotency-Key used for another body",
    429: "Too much at once; nothing was taken",
    503: "Not durable now; nothing counts as taken",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": models.PushProblem, "description": words} for status, words in _DESCRIPTIONS.items()
}
_POSTS = {
    "posts": [
        {
            "id": "113",
            "text": "Two hours on the tarmac and nobody tells us anything.",
            "created_at": "2026-11-24T10:00:00Z",
            "author": {"id": "7", "handle": "ana_viaja", "followers": 310},
        }
    ]
}
_HEADERS = [
    ("X-Clamor-Timestamp", True, "Seconds since 1970 UTC, when the body was signed.", "1795514400"),
    ("X-Clamor-Signature", True, "`v1=` and the hexadecimal HMAC-SHA256 of TIMESTAMP.BODY.", "v1=9f2c…"),
    ("Idempotency-Key", False, "The same key and body get the same answer for a week.", "batch-42"),
]
MOST_ASKED = 4_000
"""Signs of a query."""
_NOT_HERE = "nobody here waits for this"
_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_CHALLENGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The challenge, which whoever asked has to know",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "1158201444"}},
    },
    404: {"description": "Nobody here waits for this, or no such source", "content": _PROBLEM},
    422: {"description": "No question that can be read", "content": _PROBLEM},
}
_ASKED = [
    ("hub.mode", "`subscribe`, `unsubscribe` or `denied`.", "subscribe"),
    ("hub.challenge", "What is answered.", "1158201444"),
    ("hub.verify_token", "Of networks that are told one when the webhook is set up.", "a-word-of-yours"),
    ("hub.topic", "Of WebSub: the feed that was subscribed to.", "https://news.example.org/rss"),
    ("hub.lease_seconds", "Of WebSub: how long the subscription lasts.", "864000"),
]
ASKING = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "string"},
         "example": example}
        for name, words, example in _ASKED
    ]
}  # fmt: skip
EXTRA = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _POSTS}},
    },
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": words,
            "schema": {"type": "string"},
            "example": example,
        }
        for name, required, words, example in _HEADERS
    ],
}

_log = structlog.get_logger(__name__)


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["webhooks"])
    limiter = CapacityLimiter(THREADS)
    reading = asyncio.Semaphore(AT_ONCE)

    @routes.post(
        "/webhooks/{source}",
        summary="Posts of a push source; 202 once they are durable",
        status_code=202,
        response_model=models.Pushed,
        responses=RESPONSES,
        openapi_extra=EXTRA,
    )
    async def push(source: str, request: Request) -> JSONResponse:
        """Signed with the source's secret instead of a bearer token. `{"posts": […]}`, one post, or a list of posts."""
        if reading.locked():
            raise Refusal(429, f"{AT_ONCE} bodies are being read", _ADVICE[429], retry_after=1)
        async with reading:
            webhook = await to_thread.run_sync(services.webhook, source, limiter=limiter)
            body = await _bounded(request, webhook.max_body if webhook else MAX_BODY)
            headers = {name.lower(): value for name, value in request.headers.items()}
            query = dict(request.query_params) if len(request.url.query) <= MOST_ASKED else {}
            status, said = await to_thread.run_sync(
                _handled, webhook, headers, body, services.clock, source, query, limiter=limiter
            )
        return _answered(status, said)

    @routes.get(
        "/webhooks/{source}",
        summary="A network asks whether it may push here",
        response_class=PlainTextResponse,
        responses=_CHALLENGE,
        openapi_extra=ASKING,
    )
    async def ask(source: str, request: Request) -> Response:
        """Answered only where the question has what the source was set up with. Any other gets 404, whether there is
        such a source or not."""
        if len(request.url.query) > MOST_ASKED:
            raise Refusal(404, _NOT_HERE, _ADVICE[404])
        query = dict(request.query_params)
        said = await to_thread.run_sync(_challenged, services, source, query, limiter=limiter)
        if said is None:
            raise Refusal(404, _NOT_HERE, _ADVICE[404])
        return PlainTextResponse(said)

    return routes


def _challenged(services: Services, source: str, query: Mapping[str, str]) -> str | None:
    webhook = services.webhook(source)
    return None if webhook is None else webhook.challenge(query, services.clock.wall())


def _handled(
    webhook: Webhook | None,
    headers: Mapping[str, str],
    body: bytes,
    clock: Clock,
    source: str,
    query: Mapping[str, str],
) -> tuple[int, dict[str, Any]]:
    """Whether a source exists, or has a secret, is told to nobody who cannot sign for it."""
    if webhook is not None:
        status, said = webhook.handle(headers, body, clock.now(), clock.wall(), query)
        if status != 403:
            return status, said
        _log.warning("webhook.refused", source=source, why=said.get("error"))
    try:
        verify(headers, body, (), clock.wall())
    except BadSignature as wrong:
        return 401, {"error": str(wrong)}
    raise AssertionError("nothing is signed by no secret")


def _answered(status: int, said: dict[str, Any]) -> JSONResponse:
    if status < 400:
        return JSONResponse(said, status)
    problem = models.PushProblem(**{"advice": _ADVICE.get(status, ""), **said})
    return answer(status, problem)


async def _bounded(request: Request, most: int) -> bytes:
    """The body, read no further than `most` bytes. Raises Refusal 413 for a longer one, 408 for a slow one."""
    too_long = Refusal(413, f"the body is longer than {most:,} bytes", _ADVICE[413])
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > most):
        raise too_long
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_long
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, f"the body took more than {PATIENCE:g} s", "send fewer posts in one request") from None
    return b"".join(parts)
