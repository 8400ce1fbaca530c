"""A Facebook page and an Instagram account on a socket, as Meta's Graph API shows them, and what its webhooks send.

Read from https://developers.facebook.com/docs/graph-api: reference/page/feed, reference/page/tagged,
reference/object/comments, results (cursors), guides/error-handling, overview/rate-limiting, reference/debug_token,
webhooks/getting-started, webhooks/reference/page and …/instagram; and from
https://developers.facebook.com/documentation/instagram-platform (ig-user, ig-media, ig-comment, mentions). Our reading
of them. Compared with replies of 2020 and 2021 that sns-sdks/python-facebook keeps (testdata): a page's posts, comments
with `filter=stream`, cursors; an account's posts, comments, answers, tags, mentions. What is pushed was compared with
reports to restfb (issues 735, 817, 859, 897, 1202), since webhooks/reference/page says no more than the names of the
fields `feed` and `mention`. Not compared: `?ids=`, error 100 with subcode 33, headers of limits, pushed edits and
removals. Persons and texts are invented.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.standins.server import Request, Response, StandIn

TOKEN, SECRET, WORD = "a-page-token-of-a-test", "the app secret of a test", "a word of a test to verify"
NUMBER, NEEDS = "4711", ["pages_read_engagement", "pages_read_user_content", "instagram_basic",
                         "instagram_manage_comments"]  # fmt: skip
_NESTED = re.compile(r"mentioned_(comment|media)\.\w+_id\(([^)]+)\)")


class Thing(NamedTuple):
    id: str
    post: str
    """Empty: it is a post itself."""
    above: str
    text: str
    author: str
    at: int
    where: str = "own"
    """`own`, `tagged`, `mentioned`."""


class GraphStandIn(StandIn):
    def __init__(self, instagram: bool = False) -> None:
        super().__init__()
        self.instagram = instagram
        self.things: dict[str, Thing] = {}
        self.by_time = False
        """Edges name no cursor, and lead on by times in the address of the next page."""
        self.blind: tuple[str, ...] = ()
        """Ids that the token may not read any more."""
        self.broken: list[Any] = []
        """Among the comments of the first post."""
        self.photos: dict[str, str] = {}
        """By comment: the photo that it stands under."""
        self.headers: dict[str, str] = {}
        self.scopes = list(NEEDS)
        self.ends = 0
        """When the token does, in seconds since 1970; 0: never."""
        self._last = 100
        self._newest: dict[str, list[str]] = {}
        self._below: dict[str, list[str]] = {}
        self.first = self.post("the first post", at=_now() - 9 * 86_400_000)

    # --- for tests ---

    def post(self, text: str, *, at: int | None = None, author: str = "ana", where: str = "own") -> str:
        with self.lock:
            self._last += 1
            id = str(self._last) if self.instagram else f"{NUMBER if where == 'own' else '99'}_{self._last}"
            return self._put(Thing(id, "", "", text, author, at or _now(), where))

    def comment(
        self, text: str, post: str = "", *, above: str = "", at: int | None = None, author: str = "ana",
        where: str = "own",
    ) -> str:  # fmt: skip
        with self.lock:
            self._last += 1
            post = post or self.first
            id = str(self._last) if self.instagram else f"{post.rpartition('_')[2]}_{self._last}"
            return self._put(Thing(id, post, above, text, author, at or _now(), where))

    def edit(self, id: str, text: str) -> None:
        with self.lock:
            self.things[id] = self.things[id]._replace(text=text)

    def remove(self, id: str) -> None:
        with self.lock:
            gone = self.things.pop(id)
            for listed in (self._newest[gone.post], self._below.get(gone.above, [])):
                if id in listed:
                    listed.remove(id)

    def _put(self, thing: Thing) -> str:
        self.things[thing.id] = thing
        self._newest.setdefault(thing.post, []).append(thing.id)
        if self.instagram and thing.above:
            self._below.setdefault(thing.above, []).append(thing.id)
        return thing.id

    def sent(
        self, field: str, value: dict[str, Any], about: str = "", secret: str = SECRET, to: Sequence[str] = (NUMBER,)
    ) -> tuple[Any, bytes]:
        """Headers and body of the webhook that tells of it, for each of the pages or accounts in `to`."""
        about = about or ("instagram" if self.instagram else "page")
        change = {"field": field, "value": value}
        entries = [{"id": one, "time": _now() // 1000, "changes": [change]} for one in to]
        body = json.dumps({"object": about, "entry": entries}).encode()
        return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}, body

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._error(190, "Invalid OAuth access token.", 401)
        if request.params.get("appsecret_proof", proof) != proof:
            return self._error(100, "Invalid appsecret_proof provided in the API argument")
        parts = request.path.split("/")[2:]
        if parts == ["debug_token"]:
            return self._of({"data": {"is_valid": True, "expires_at": self.ends, "scopes": self.scopes}})
        if parts == [""]:
            ids = request.params["ids"].split(",")
            if any(
                id not in self.things or id in self.blind or (self.things[id].where != "own" and self.instagram)
                for id in ids
            ):
                return self._error(100, "Unsupported get request.", sub=33)
            return self._of({id: self._shown(self.things[id]) for id in ids})
        if parts == [NUMBER]:
            return self._account(request.params.get("fields", ""))
        if len(parts) == 1:
            one = self.things.get(parts[0])
            return self._of(self._shown(one)) if one else self._error(100, "Unsupported get request.", sub=33)
        return self._edge(parts[0], parts[1], request)

    def _account(self, fields: str) -> Response:
        nested = _NESTED.search(fields)
        if nested is None:
            return self._of({"id": NUMBER, "name": "Acme", "username": "acme"})
        one = self.things.get(nested[2])
        if one is None:
            return self._error(100, "Unsupported get request.", sub=33)
        return self._of({f"mentioned_{nested[1]}": self._shown(one), "id": NUMBER})

    def _edge(self, of: str, edge: str, request: Request) -> Response:
        if of in self.blind:
            return self._error(100, "Unsupported get request.", sub=33)
        if of == NUMBER:
            where = "tagged" if edge in ("tagged", "tags") else "own"
            ids = [id for id in self._newest.get("", []) if self.things[id].where == where]
        elif of in self.things and edge == "comments":
            ids = self._newest.get(of, [])
            if self.instagram and self._below:
                ids = [id for id in ids if not self.things[id].above]
        else:
            return self._error(100, "Unsupported get request.", sub=33)
        limit = int(request.params.get("limit", 25))
        begins = request.params.get("until" if self.by_time else "after")
        after = len(ids) if begins is None else int(begins)
        shown = ids[max(after - limit, 0) : after][::-1]
        listed: list[Any] = [self._shown(self.things[id]) for id in shown]
        if of == self.first and begins is None:
            listed = [*self.broken, *listed]
        cursors = {"before": str(after), "after": str(after - len(shown))}
        paging: dict[str, Any] = {"cursors": cursors}
        if after - len(shown) > 0:
            paging["next"] = f"{self.url}/secret-in-here"
        if self.by_time and "next" in paging:
            leads_on = f"until={after - len(shown)}&__paging_token=enc_1"
            paging = {"next": f"{self.url}/v1/{of}/{edge}?access_token={TOKEN}&limit={limit}&{leads_on}"}
        return self._of({"data": listed, "paging": paging} if listed else {"data": []})

    def _shown(self, one: Thing) -> dict[str, Any]:
        when = datetime.fromtimestamp(one.at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        count = len(self._newest.get(one.id, []))
        if self.instagram:
            about = {"id": one.id, "timestamp": when, "username": one.author, "like_count": 3}
            if not one.post:
                return {**about, "caption": one.text, "permalink": f"https://www.instagram.com/p/{one.id}/",
                        "comments_count": count}  # fmt: skip
            below = [self._shown(self.things[id]) for id in self._below.get(one.id, [])]
            more = {"replies": {"data": below}} if below else {}
            media = {"id": one.post, "permalink": f"https://www.instagram.com/p/{one.post}/"}
            above = {"parent_id": one.above} if one.above else {}
            return {**about, "text": one.text, "media": media, **more, **above}
        about = {
            "id": one.id, "message": one.text, "created_time": when,
            "from": {"id": f"p-{one.author}", "name": one.author},
            "permalink_url": f"https://www.facebook.com/{one.id}",
        }  # fmt: skip
        if one.post:
            return {
                **about,
                "like_count": 2,
                "comment_count": 0,
                "object": {"id": self.photos.get(one.id, one.post)},
                **({"parent": {"id": one.above}} if one.above else {}),
            }
        return {**about, "updated_time": when, "comments": {"data": [], "summary": {"total_count": count}}}

    def _of(self, held: object) -> Response:
        return Response.of(held, headers=self.headers)

    def _error(self, code: int, message: str, status: int = 400, sub: int | None = None) -> Response:
        error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1"}
        return Response.of({"error": {**error, **({"error_subcode": sub} if sub else {})}}, status, self.headers)


def _now() -> int:
    return time.time_ns() // 1_000_000
