"""A server of Mastodon: its public and hashtag timelines, single statuses and their context.

Follows docs.joinmastodon.org: methods/timelines (public, tag: limit, min_id, max_id), methods/statuses (GET one, GET
its context), entities/Status, entities/Account, entities/Error. Compared with no reply of a real server. Not modelled:
streaming, boosts, servers that hide their timelines.
"""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime
from typing import Any

from tests.standins.server import Request, Response, StandIn

MOST = 40
TAG = re.compile(r"#(\w+)")


class MastodonStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, dict[str, Any]] = {}
        """What is told of an account, by its name here."""
        self.statuses: dict[int, dict[str, Any]] = {}
        self.texts: dict[str, str] = {}
        """By URI, of those that stand."""
        self._ids: list[int] = []
        self._last = 0

    def post(self, text: str, author: str = "ana", at: float | None = None, **more: Any) -> str:
        with self.lock:
            now = time.time() if at is None else at
            self._last = max(self._last + 1, int(time.time() * 1_000) << 16)
            id = self._last
            uri = f"{self.url}/users/{author}/statuses/{id}"
            self.statuses[id] = {
                "id": str(id),
                "uri": uri,
                "url": f"{self.url}/@{author}/{id}",
                "account": {"id": author, "acct": author, "display_name": author.title(), "followers_count": 7},
                "created_at": iso(now),
                "content": marked(text),
                "visibility": "public",
                "language": "en",
                "in_reply_to_id": None,
                "reblog": None,
                "spoiler_text": "",
                "media_attachments": [],
                "edited_at": None,
                "favourites_count": 0,
                "reblogs_count": 0,
                "replies_count": 0,
                **more,
            }
            self._ids.append(id)
            self.texts[uri] = text
            return uri

    def edit(self, uri: str, text: str) -> None:
        with self.lock:
            held = self.statuses[int(uri.rpartition("/")[2])]
            held |= {"content": marked(text), "edited_at": iso(time.time())}
            self.texts[uri] = text

    def delete(self, uri: str) -> None:
        with self.lock:
            id = int(uri.rpartition("/")[2])
            del self.statuses[id], self.texts[uri]
            self._ids.remove(id)

    def answer(self, request: Request) -> Response:
        parts = request.path.removeprefix("/api/v1/").split("/")
        if parts[0] == "timelines":
            return self._timeline(parts[2].lower() if parts[1] == "tag" else "", request)
        if parts[:2] == ["accounts", "lookup"]:
            found = self.accounts.get(request.params["acct"])
            return Response.of({"error": "Record not found"}, 404) if found is None else Response.of(found)
        id = int(parts[1]) if parts[0] == "statuses" and parts[1].isdecimal() else 0
        if id not in self.statuses:
            return Response.of({"error": "Record not found"}, 404)
        return Response.of(self.statuses[id] if len(parts) == 2 else self._context(id))

    def _timeline(self, tag: str, request: Request) -> Response:
        limit = min(int(request.params.get("limit", "20")), MOST)
        least, most = int(request.params.get("min_id", "0")), int(request.params.get("max_id", str(2**63)))
        newest_first = "min_id" not in request.params
        found: list[int] = []
        for id in reversed(self._ids) if newest_first else self._ids[self._behind(least) :]:
            if least < id < most and (not tag or tag in TAG.findall(self.statuses[id]["content"].lower())):
                found.append(id)
                if len(found) == limit:
                    break
        return Response.of([self.statuses[id] for id in sorted(found, reverse=True)])

    def _behind(self, id: int) -> int:
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._ids[middle] <= id else (low, middle)
        return low

    def _context(self, id: int) -> dict[str, Any]:
        above: list[dict[str, Any]] = []
        parent = self.statuses[id]["in_reply_to_id"]
        while parent is not None:
            above.insert(0, self.statuses[int(parent)])
            parent = self.statuses[int(parent)]["in_reply_to_id"]
        below = [one for one in self.statuses.values() if one["in_reply_to_id"] == str(id)]
        return {"ancestors": above, "descendants": below}


def marked(text: str) -> str:
    return f"<p>{html.escape(text, quote=False)}</p>"


def iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z"
