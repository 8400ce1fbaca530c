"""Trustpilot's API on a socket: a company's reviews, single ones, deletions, tokens, and what its webhook would send.

Follows the pages of https://developers.trustpilot.com/: business-units-api and business-units-api-(public) (the lists,
`page`, `perPage`, `orderBy`, an empty list behind the last page), service-reviews-api (single reviews), deletions-api
(`limit`, `startDate`, `nextToken`), get-started/authentication/grant-type-client-credentials (a life as text),
get-started/common-error-messages; and, for the form of events, "How to set up Trustpilot Webhooks" on
https://support.trustpilot.com/. Compared with an event of 2022 that
https://github.com/lindar-open/trustpilot-client keeps, in names and types of fields. It is our
reading of them; the bodies of errors, whether the list of deletions is one of all companies, and how long anything is
cached were compared with nothing. Persons and texts are invented.
"""

from __future__ import annotations

import hashlib
import json
import time
from bisect import insort
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.standins.oauth import TokenOffice
from tests.standins.server import Request, Response, StandIn

KEY = "an-api-key-of-trustpilot-in-a-test"
API_SECRET = "the-secret-of-that-key-in-a-test"
TOKENS = "/v1/oauth/oauth-business-users-for-applications/accesstoken"
WORD = "a-word-in-an-address-of-a-test"
UNIT, OTHER = "5f0c0ffee0000000000000a1", "5f0c0ffee0000000000000b2"
NAMES = {UNIT: ("acme.example", "Acme"), OTHER: ("beta.example", "Beta")}


class TrustpilotStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.reviews: dict[str, dict[str, Any]] = {}
        self.deleted: list[tuple[str, int]] = []
        """What writers deleted themselves, and when."""
        self.left: list[tuple[str, int]] = []
        """Consumers that are gone."""
        self.broken: list[Any] = []
        self.lacking = 0
        """So many of each page are not shown to everybody: it is shorter."""
        self.deletions_per_page = 1_000
        self.deletions_allowed = True
        self.office = TokenOffice()
        self.office.app = (KEY, API_SECRET)
        self.office.lasts, self.office.as_text = 359_999, True
        self._by_time: list[tuple[int, str]] = []
        self._last = 0

    # --- for tests ---

    def review(
        self, text: str, *, stars: int = 1, title: str = "", author: str = "ana", at: int | None = None,
        unit: str = UNIT,
    ) -> str:  # fmt: skip
        with self.lock:
            self._last += 1
            id = f"{self._last:024x}"
            when = self.wall() if at is None else at
            insort(self._by_time, (when, id))
            self.reviews[id] = {
                "id": id,
                "at": when,
                "unit": unit,
                "stars": stars,
                "title": title or text[:40] + ("…" if len(text) > 40 else ""),
                "text": text,
                "language": "en",
                "createdAt": _iso(when),
                "updatedAt": None,
                "experiencedAt": _iso(when),
                "numberOfLikes": 0,
                "isVerified": True,
                "status": "active",
                "companyReply": None,
                "reportData": None,
                "consumer": {"id": consumer(author), "displayName": author, "numberOfReviews": 1},
            }
            return id

    def edit(self, id: str, text: str, stars: int | None = None) -> None:
        with self.lock:
            held = self.reviews[id]
            held.update(text=text, title=text[:40], updatedAt=_iso(self.wall()))
            if stars is not None:
                held["stars"] = stars

    def like(self, id: str) -> None:
        with self.lock:
            self.reviews[id]["numberOfLikes"] += 1

    def answer_to(self, id: str, text: str | None) -> None:
        """What its company answers; None: it takes that back."""
        with self.lock:
            at = _iso(self.wall())
            reply = None if text is None else {"text": text, "createdAt": at, "updatedAt": at}
            self.reviews[id]["companyReply"] = reply

    def hide(self, id: str, hidden: bool = True) -> None:
        """It was reported, and is looked into."""
        with self.lock:
            report = {"source": "Trustpilot", "reasons": ["sensitiveInformation"], "reviewVisibility": "hidden"}
            self.reviews[id]["reportData"] = report if hidden else None

    def delete(self, id: str, *, told: bool = True) -> dict[str, Any]:
        """`told`: its writer did it, and the list of deletions says so."""
        with self.lock:
            if told:
                self.deleted.append((id, self.wall()))
            return self.reviews.pop(id)

    def leave(self, author: str) -> None:
        with self.lock:
            self.left.append((consumer(author), self.wall()))
            for id in [id for id, held in self.reviews.items() if held["consumer"]["displayName"] == author]:
                self.reviews.pop(id)

    def event(self, name: str, id: str) -> bytes:
        """The body that the webhook sends; of a deleted one `id` alone."""
        with self.lock:
            held = self.reviews.get(id)
            data: dict[str, Any] = {"id": id, "link": f"{self.url}/v1/reviews/{id}"}
            if held is not None:
                who = held["consumer"]
                named = ("language", "title", "text", "stars", "createdAt", "isVerified")
                data |= {field: held[field] for field in named}
                data["consumer"] = {"id": who["id"], "name": who["displayName"], "link": "https://api.example/"}
                data |= {"referenceId": "order-1", "locationId": None, "tags": []}
            return json.dumps({"events": [{"eventName": name, "version": "1", "eventData": data}]}).encode()

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        if request.path == TOKENS:
            return self.office.answer(request)
        if request.headers.get("apikey") != KEY:
            return Response.of({"message": "Invalid API key"}, 401)
        parts = request.path.strip("/").split("/")
        private = parts[1] == "private"
        if private and not self.office.knows(request):
            return Response.of({"message": "Unauthorized"}, 401)
        match parts[2:] if private else parts[1:]:
            case ["reviews", "deletions"]:
                return self._deletions("reviews", "reviewId", self.deleted, request)
            case ["consumers", "deletions"]:
                return self._deletions("consumers", "consumerId", self.left, request)
            case ["business-units", unit] if unit in NAMES:
                domain, name = NAMES[unit]
                total = sum(held["unit"] == unit for held in self.reviews.values())
                about = {"id": unit, "displayName": name, "status": "active", "numberOfReviews": {"total": total}}
                return Response.of({**about, "name": {"identifying": domain, "referring": [domain]}})
            case ["business-units", unit, "reviews"] if unit in NAMES:
                return self._listed(unit, request, private)
            case ["reviews", id] if id in self.reviews and (private or not self.reviews[id]["reportData"]):
                return Response.of(self._shown(self.reviews[id]))
        return Response.of({"message": "Not found"}, 404)

    def _listed(self, unit: str, request: Request, private: bool) -> Response:
        page, per_page = int(request.params.get("page", 1)), int(request.params.get("perPage", 20))
        if not 1 <= per_page <= 100 or request.params.get("orderBy") != "createdat.desc":
            return Response.of({"message": "Bad request"}, 400)
        known = [self.reviews[id] for _, id in reversed(self._by_time) if id in self.reviews]
        held = [one for one in known if one["unit"] == unit and (private or not one["reportData"])]
        if private and "startDateTime" in request.params:
            since, until = (_millis(request.params[name]) for name in ("startDateTime", "endDateTime"))
            held = [one for one in held if since <= one["at"] <= until]
        size = per_page - self.lacking
        listed = [*self.broken, *held][(page - 1) * size : page * size]
        some = [self._shown(one) if "at" in one else one for one in listed]
        return Response.of({"links": [{"href": self.url, "method": "GET", "rel": "next-page"}], "reviews": some})

    def _deletions(self, what: str, name: str, held: list[tuple[str, int]], request: Request) -> Response:
        if not self.deletions_allowed:
            return Response.of({"message": "Forbidden"}, 403)
        since = _millis(request.params["startDate"])
        first = int(request.params.get("nextToken", 0))
        found = [(id, at) for id, at in held if at >= since]
        size = min(int(request.params["limit"]), self.deletions_per_page)
        page = [{name: id, "deletedAt": _iso(at)} for id, at in found[first : first + size]]
        token = str(first + size) if first + size < len(found) else None
        return Response.of({what: page, "nextToken": token})

    def _shown(self, held: dict[str, Any]) -> dict[str, Any]:
        domain, name = NAMES[held["unit"]]
        unit = {"id": held["unit"], "identifyingName": domain, "displayName": name}
        shown = {field: value for field, value in held.items() if field not in ("at", "unit")}
        return {**shown, "businessUnit": unit, "countsTowardsTrustScore": True, "source": "Organic"}


def consumer(author: str) -> str:
    """The id of somebody who writes."""
    return hashlib.sha256(author.encode()).hexdigest()[:24]


def _millis(moment: str) -> int:
    return round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
