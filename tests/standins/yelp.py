"""Yelp's Private Reviews API on a socket.

Follows the pages of https://docs.developer.yelp.com/docs/: private-reviews-api (path, fields, the list inside an object
as in its example, times in Pacific time without a zone), places-rate-limiting (headers, 429 and its codes). It is our
reading of them, compared with the page's example alone: which order and how many reviews an agreement gives, the bodies
of 401, 403 and 404, and whether `id` comes were compared with nothing. Persons and texts are invented.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.standins.server import Request, Response, StandIn

KEY = "an-api-key-of-yelp-in-a-test"
BUSINESS, OTHER = "acmeAcmeAcmeAcmeAcme00", "betaBetaBetaBetaBeta00"
PACIFIC = ZoneInfo("America/Los_Angeles")


class YelpStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None, most: int = 50) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.most = most
        """Reviews that the agreement gives."""
        self.reviews: dict[str, dict[str, Any]] = {}
        self.broken: list[Any] = []
        self.partner = True
        """The app is a partner's."""
        self.with_ids = True
        self.plain = False
        """The list stands in the answer as the table of fields has it."""
        self.left = 5_000
        self._by_time: list[tuple[int, str]] = []
        self._last = 0

    # --- for tests ---

    def review(
        self, text: str, *, rating: int = 1, author: str = "Ana B.", at: int | None = None, business: str = BUSINESS
    ) -> str:
        with self.lock:
            self._last += 1
            id = f"r{self._last:021d}"
            when = self.wall() if at is None else at
            insort(self._by_time, (when // 1000, id))
            self.reviews[id] = {
                "at": when // 1000 * 1000,
                "business": business,
                "rating": rating,
                "text": text,
                "user": {"name": author, "image_url": "https://images.example/o.jpg"},
                "public_response": None,
            }
            return id

    def edit(self, id: str, text: str, rating: int | None = None) -> None:
        with self.lock:
            self.reviews[id]["text"] = text
            if rating is not None:
                self.reviews[id]["rating"] = rating

    def answer_to(self, id: str, text: str | None) -> None:
        with self.lock:
            at = datetime.fromtimestamp(self.wall() // 1000, UTC).isoformat()
            who = {"name": "Acme's desk", "role": "CUSTOMER_SERVICE", "photo_url": "https://images.example/a.jpg"}
            said = None if text is None else {"text": text, "time_created": at, "business_user": who}
            self.reviews[id]["public_response"] = said

    def remove(self, id: str) -> dict[str, Any]:
        """Taken back, or not recommended any more: nobody can tell."""
        with self.lock:
            return self.reviews.pop(id)

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return self._error(401, "TOKEN_INVALID", "Invalid API key or authorization header.")
        parts = request.path.strip("/").split("/")
        if len(parts) != 5 or parts[:3] != ["v3", "private", "businesses"] or parts[4] != "reviews":
            return self._error(404, "NOT_FOUND", "Resource could not be found.")
        if not self.partner:
            return self._error(403, "UNAUTHORIZED_API_KEY", "This app is not allowed to do so.")
        if parts[3] not in (BUSINESS, OTHER):
            return self._error(404, "BUSINESS_NOT_FOUND", "The requested business could not be found.")
        if self.left <= 0:
            return self._error(429, "ACCESS_LIMIT_REACHED", "You've reached the access limit for this client.")
        self.left -= 1
        ids = [id for _, id in reversed(self._by_time) if id in self.reviews]
        shown = [self._shown(id) for id in ids if self.reviews[id]["business"] == parts[3]][: self.most]
        listed = [*self.broken, *shown]
        return Response.of({"reviews": listed if self.plain else {"review": listed}}, headers=self._limits())

    def _shown(self, id: str) -> dict[str, Any]:
        held = self.reviews[id]
        local = datetime.fromtimestamp(held["at"] / 1000, PACIFIC).strftime("%Y-%m-%d %H:%M:%S")
        url = f"https://www.yelp.com/biz/acme?adjust_creative=app&hrid={id}&utm_campaign=yelp_api_v3"
        about = {name: held[name] for name in ("rating", "text", "user", "public_response")}
        return {"time_created": local, "url": url, **({"id": id} if self.with_ids else {}), **about}

    def _limits(self) -> dict[str, str]:
        now = datetime.fromtimestamp(self.wall() / 1000, UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() + 86_400
        until = datetime.fromtimestamp(midnight, UTC).isoformat()
        return {"RateLimit-DailyLimit": "5000", "RateLimit-Remaining": str(self.left), "RateLimit-ResetTime": until}

    def _error(self, status: int, code: str, words: str) -> Response:
        return Response.of({"error": {"code": code, "description": words}}, status, self._limits())
