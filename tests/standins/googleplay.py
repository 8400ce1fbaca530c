"""Google Play's developer API on a socket: lists of reviews, single reviews, and the trade of a key for a token.

By https://developers.google.com/android-publisher/reply-to-reviews (the last week only, those created or modified last
first, sample payloads, the quota), https://developers.google.com/android-publisher/api-ref/rest/v3/reviews (fields,
title and body with a tab between), https://developers.google.com/android-publisher/api-ref/rest/v3/reviews/list
(maxResults, token, tokenPagination) and .../reviews/get. Our reading of them: fields and numbers as text are compared
with the samples of the first page; the order of the list where an answer is newer than its review, the answer for a
deleted review and the bodies of refusals with nothing. Persons and texts are invented.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain, islice
from typing import Any
from urllib.parse import unquote

from tests.standins.oauth import TokenOffice
from tests.standins.server import Request, Response, StandIn

WEEK = 7 * 86_400_000
BASE = "/androidpublisher/v3/applications/"


class GoogleplayStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.office = TokenOffice()
        self.office.clock = lambda: self.wall() / 1000
        self.apps = {"com.acme.app", "com.acme.other"}
        self._held: dict[str, dict[str, Any]] = {}
        """By package and id, those written or changed last at the end."""
        self._raw: list[Any] = []
        self._published = 0

    def publish(
        self, text: str, *, app: str = "com.acme.app", at: int | None = None, author: str = "ana", stars: int = 4,
        title: str = "", likes: int = 0,
    ) -> str:  # fmt: skip
        with self.lock:
            id = f"gp:AOqpTO{self._published:08d}"
            self._published += 1
            comment = {
                "text": f"{title}\t{text}" if title else text, "starRating": stars, "reviewerLanguage": "en",
                "lastModified": _moment(self.wall() if at is None else at), "device": "trltecan",
                "androidOsVersion": 21, "appVersionCode": 12345, "appVersionName": "1.2.3",
                "thumbsUpCount": likes, "thumbsDownCount": 0,
                "deviceMetadata": {"productName": "A phone", "manufacturer": "A maker", "screenWidthPx": 1080},
            }  # fmt: skip
            held = {"reviewId": id, "authorName": author, "comments": [{"userComment": comment}]}
            self._held[f"{app}/{id}"] = held
            return f"{app}/{id}"

    def edit(self, native_id: str, text: str) -> None:
        with self.lock:
            held = self._held.pop(native_id)
            comment = {**held["comments"][0]["userComment"], "text": text, "lastModified": _moment(self.wall())}
            self._held[native_id] = {**held, "comments": [{"userComment": comment}, *held["comments"][1:]]}

    def reply(self, native_id: str, text: str | None) -> None:
        with self.lock:
            comments = self._held[native_id]["comments"][:1]
            if text is not None:
                comments += [{"developerComment": {"text": text, "lastModified": _moment(self.wall())}}]
            self._held[native_id]["comments"] = comments

    def delete(self, native_id: str) -> None:
        with self.lock:
            del self._held[native_id]

    def broken(self) -> None:
        with self.lock:
            self._raw.append({"authorName": "ana", "comments": []})

    def truth(self) -> dict[str, str]:
        with self.lock:
            return {id: held["comments"][0]["userComment"]["text"] for id, held in self._held.items()}

    def answer(self, request: Request) -> Response:
        if request.path == "/token":
            return self.office.answer(request)
        if not self.office.knows(request):
            return refusal(401, "UNAUTHENTICATED", "authError", "Request had invalid authentication credentials.")
        app, _, rest = request.path.removeprefix(BASE).partition("/")
        if app not in self.apps:
            return refusal(404, "NOT_FOUND", "applicationNotFound", f"Package not found: {app}.")
        _, _, id = rest.partition("/")
        if not id:
            return self._list(app, request)
        held = self._held.get(f"{app}/{unquote(id)}")
        return Response.of(held) if held else refusal(404, "NOT_FOUND", "notFound", "Requested entity was not found.")

    def _list(self, app: str, request: Request) -> Response:
        begin, most = int(request.params.get("token", "0")), min(int(request.params["maxResults"]), 100)
        young = self.wall() - WEEK
        shown = (held for id, held in reversed(self._held.items()) if id.startswith(f"{app}/") and _when(held) >= young)
        some = list(islice(chain(self._raw, shown), begin, begin + most + 1))
        more, some = len(some) > most, some[:most]
        held: dict[str, Any] = {"reviews": some} if some else {}
        if more:
            held["tokenPagination"] = {"nextPageToken": str(begin + most)}
        return Response.of(held)


def refusal(code: int, status: str, reason: str, message: str) -> Response:
    error = {"code": code, "message": message, "status": status, "errors": [{"reason": reason, "domain": "global"}]}
    return Response.of({"error": error}, code)


def _moment(at: int) -> dict[str, Any]:
    return {"seconds": str(at // 1000), "nanos": at % 1000 * 1_000_000}


def _when(held: dict[str, Any]) -> int:
    at = held["comments"][0]["userComment"]["lastModified"]
    return int(at["seconds"]) * 1000 + int(at["nanos"]) // 1_000_000
