"""Where a network gives access tokens (OAuth 2.0, RFC 6749: 4.4, 5.1, 5.2, 6; RFC 7523 for service accounts).

A network's stand-in hands its `answer` the requests for its token endpoint, and asks `knows` of each other one. What
networks do besides the standard is switched on: a newer refresh token with each renewal that the former one dies of
(`rotates`; https://developers.tiktok.com/doc/oauth-user-access-token-management tells to keep the one that came last),
a refresh token whose end stays
(https://learn.microsoft.com/linkedin/shared/authentication/programmatic-refresh-tokens), lives as text.
"""

from __future__ import annotations

import time
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from json import loads
from urllib.parse import unquote_plus

from tests.standins.server import Request, Response, StandIn


class TokenOffice:
    """Keeps its own truth: which tokens it gave and which of them still count."""

    def __init__(self) -> None:
        self.app = ("app-of-acme", "secret-of-the-app-of-acme")
        self.app_called = "client_id"
        self.refresh_token = "refresh-token-number-0"
        self.lasts = 3_600
        """Seconds that an access token counts."""
        self.refresh_ends: float | None = None
        """Seconds since 1970; None: it does not say."""
        self.rotates = False
        self.as_text = False
        self.account: tuple[str, Callable[[bytes, bytes], None]] | None = None
        """E-mail address of the service account, and what raises where a signature (first) of a text is not its."""
        self.given: list[str] = []
        """Access tokens, oldest first."""
        self.counts: set[str] = set()
        self.revoked = False
        self.slow = 0.0
        """Seconds that it thinks."""
        self.clock = time.time

    def answer(self, request: Request) -> Response:
        time.sleep(self.slow)
        form = request.json() if "json" in request.headers.get("content-type", "") else request.form()
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self._trade() if self._signed(str(form["assertion"])) else self.refuse("invalid_grant")
        if self._app(request, form) != self.app:
            return self.refuse("invalid_client", 401)
        if kind == "client_credentials":
            return self._trade()
        if kind != "refresh_token":
            return self.refuse("unsupported_grant_type")
        return self._refresh(str(form.get("refresh_token")))

    def knows(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.counts

    def refuse(self, code: str, status: int = 400) -> Response:
        return Response.of({"error": code, "error_description": f"no token for {self.refresh_token}"}, status)

    def _refresh(self, token: str) -> Response:
        if self.revoked or token != self.refresh_token:
            return self.refuse("invalid_grant")
        if self.rotates:
            self.refresh_token = f"refresh-token-number-{len(self.given) + 1}"
        left = {} if self.refresh_ends is None else {"refresh_token_expires_in": int(self.refresh_ends - self.clock())}
        return self._trade({"refresh_token": self.refresh_token, **left})

    def _trade(self, more: dict[str, object] | None = None) -> Response:
        token = f"access-token-number-{len(self.given) + 1}"
        self.given.append(token)
        self.counts = {token}
        lasts: object = str(self.lasts) if self.as_text else self.lasts
        return Response.of({"access_token": token, "token_type": "bearer", "expires_in": lasts, **(more or {})})

    def _app(self, request: Request, form: dict[str, str]) -> tuple[str, str]:
        said = request.headers.get("authorization", "")
        if said.startswith("Basic "):
            id, _, secret = b64decode(said[6:]).decode().partition(":")
            return unquote_plus(id), unquote_plus(secret)
        return form.get(self.app_called, ""), form.get("client_secret", "")

    def _signed(self, assertion: str) -> bool:
        head, claims, signature = assertion.split(".")
        told, now = loads(_unpacked(claims)), self.clock()
        if self.account is None or loads(_unpacked(head))["alg"] != "RS256":
            return False
        email, verify = self.account
        verify(_unpacked(signature), f"{head}.{claims}".encode())
        return bool(told["iss"] == email and told["iat"] <= now < told["exp"] <= told["iat"] + 3_600)


class OAuthStandIn(StandIn):
    """A token endpoint at `/token`, and at `/whoami` something that wants a token."""

    def __init__(self) -> None:
        super().__init__()
        self.office = TokenOffice()

    def answer(self, request: Request) -> Response:
        if request.path == "/token":
            return self.office.answer(request)
        return Response.of({"name": "acme"}) if self.office.knows(request) else Response.of({"error": "token"}, 401)


def _unpacked(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
