"""What every answer carries, and the last resort for what nobody expected: no stack trace leaves the program."""

from __future__ import annotations

import traceback

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.errors import answer
from web.models import Problem

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}

_log = structlog.get_logger(__name__)


class Hardening:
    """ASGI middleware. An error is logged by class and place: its message may hold what was asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        structlog.contextvars.bind_contextvars(process="web")  # the server gives each request an empty context

        async def hardened(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, hardened)
        except ClientDisconnect:
            return
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
            _log.error("request failed", route=scope["path"][:100], error=type(error).__name__, place=place)
            if started:
                raise RuntimeError("the answer broke off") from None
            problem = Problem(
                error="something went wrong inside Clamor",
                advice="the log of the web process has a line `request failed` that says where: please report it",
            )
            await answer(500, problem)(scope, receive, hardened)
