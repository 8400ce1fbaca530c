"""A TikTok account on a socket, as TikTok's API for Business shows it, and what its webhook sends.

Follows https://business-api.tiktok.com/portal/docs: Accounts API (posts; comments, id=1760232109619202; answers,
id=1762228430145538), tokens (id=1738084387220481), Mentions API, limits (id=1738084416214017, 1740029171730433),
webhooks (id=1759977800177665, 1759978341579777, 1810515104773122). That portal is built by scripts and is stored
nowhere whole: it was read as programs that use it retell it, in parts word for word (bububa/tiktok-business,
aoyagikouhei/tiktok-business, sns-sdks/python-tiktok, notes in repositories of 2026); and
https://developers.tiktok.com/doc/webhooks-verification. Our reading of them. No reply of TikTok is stored in public
that it could be compared with, but for the form of errors (codes 40105 and 40100 with status 200, in the tests of
Airbyte's connector for TikTok) and of tokens (testsdata of python-tiktok). Persons and texts are invented.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any, NamedTuple

from tests.standins.oauth import TokenOffice
from tests.standins.server import Request, Response, StandIn

ACCOUNT, HANDLE = "open-id-0001-of-a-test", "acme"
IN_ORDER = 500
"""Comments that are shown in the order that was asked for; then all by their likes."""
MOST_MENTIONED = 1_000
ROOT = "/open_api/v1.3/business/"


class Thing(NamedTuple):
    id: str
    video: str
    """Empty: it is a post itself."""
    above: str
    text: str
    author: str
    at: int
    likes: int = 0
    pinned: bool = False
    hidden: bool = False


class TiktokStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.office = TokenOffice()
        self.office.rotates, self.office.lasts = True, 86_400
        self.office.refresh_ends = time.time() + 365 * 86_400
        self.things: dict[str, Thing] = {}
        self.broken: list[Any] = []
        """Among the comments of the first post."""
        self.refused: dict[str, int] = {}
        """By path: the code that is answered there."""
        self.withheld: set[str] = set()
        """Comments that are not shown to anybody, as moderators have not seen them."""
        self.mentions: dict[str, list[dict[str, Any]]] = {"video": [], "comment": [], "hashtag/video": []}
        """Newest last."""
        self._last = 7_400_000_000_000_000_000
        self._below: dict[str, list[str]] = {}
        """By post its comments, by comment its answers, oldest first; by nothing the posts."""
        self.first = self.post("the first post", at=_now() - 9 * 86_400_000)

    # --- for tests ---

    def post(self, text: str, *, at: int | None = None, author: str = HANDLE) -> str:
        with self.lock:
            return self._put(Thing(self._next(), "", "", text, author, at or _now()), "")

    def comment(
        self, text: str, video: str = "", *, above: str = "", at: int | None = None, author: str = "ana", **more: Any
    ) -> str:
        """Its native id. `above`: the native id of the comment that it answers."""
        with self.lock:
            video, over = video or self.first, above.rpartition("/")[2]
            id = self._put(Thing(self._next(), video, over, text, author, at or _now(), **more), over or video)
            return f"{video}/{id}"

    def change(self, native: str, **more: Any) -> None:
        with self.lock:
            id = native.rpartition("/")[2]
            self.things[id] = self.things[id]._replace(**more)

    def remove(self, native: str) -> None:
        with self.lock:
            gone = self.things.pop(native.rpartition("/")[2])
            self._below[gone.above or gone.video].remove(gone.id)

    def mention(self, text: str, *, by: str = "ben", at: int | None = None, where: str = "video") -> str:
        """A post of somebody else that names the account (`video`) or has its hashtag. Its native id."""
        with self.lock:
            id = self._next()
            self.mentions[where].append({
                "item_id": id, "create_time": str((at or _now()) // 1000), "caption": text, "likes": 4, "comments": 2,
                "shares": 1, "views": 900, "video_link": f"https://www.tiktok.com/@{by}/video/{id}?utm_source=1",
                "creator_handle_name": by,
            })  # fmt: skip
            return f"mention/{id}"

    def mention_below(
        self, text: str, video: str = "", *, of: str = "ivo", by: str = "ben", at: int | None = None
    ) -> str:
        """A comment that names the account, below a post of somebody else."""
        with self.lock:
            video, id = video or self._next(), self._next()
            self.mentions["comment"].append({
                "item_id": video, "video_link": f"https://www.tiktok.com/@{of}/video/{video}", "caption": "look here",
                "video_likes": 9, "comment_id": id, "comment_type": "COMMENT", "comment_text": text,
                "comment_create_time": str((at or _now()) // 1000), "comment_likes": 1, "commenter_display_name": by,
                "commenter_handle_name": by,
            })  # fmt: skip
            return f"mention/{video}/{id}"

    def unmention(self, native: str) -> None:
        with self.lock:
            parts = native.split("/")[1:]
            for listed in self.mentions.values():
                listed[:] = [one for one in listed if [one["item_id"], one.get("comment_id")][: len(parts)] != parts]

    def sent(
        self, event: str, content: Any, *, account: str = ACCOUNT, secret: str = "", at: int | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Headers and body of the webhook that tells of it."""
        now = (at or _now()) // 1000
        body = json.dumps({
            "client_key": "app", "event": event, "create_time": now, "user_openid": account,
            "content": json.dumps(content),
        }).encode()  # fmt: skip
        key = secret or self.office.app[1]
        sign = hmac.new(key.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Tiktok-Signature": f"t={now},s={sign}"}, body

    def told(self, native: str, action: str = "insert") -> dict[str, Any]:
        """`content` of a `comment.update`: ids are numbers there."""
        one = self.things[native.rpartition("/")[2]]
        above = {"parent_comment_id": int(one.above)} if one.above else {}
        return {
            "comment_id": int(one.id), "video_id": int(one.video), "comment_type": "reply" if above else "comment",
            "comment_action": action, "timestamp": one.at // 1000, "unique_identifier": f"u+{one.author}=",
            "text": one.text, **above,
        }  # fmt: skip

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        path, params = request.path.removeprefix(ROOT), request.params
        if request.path == "/open_api/v1.3/tt_user/oauth2/refresh_token/":
            given = self.office.answer(request)
            assert isinstance(given.body, bytes)
            return (
                _ok(json.loads(given.body))
                if given.status == 200
                else _error(40_101 if given.status == 401 else 40_107, "")
            )
        if request.headers.get("access-token") not in self.office.counts:
            return _error(40_105, "Access token is incorrect or has been revoked.")
        if params.get("business_id") != ACCOUNT:
            return _error(40_001, "No permission to operate.")
        if path in self.refused:
            return _error(self.refused[path], "refused")
        if path == "video/list/":
            return self._posts(params)
        if path in ("comment/list/", "comment/reply/list/"):
            return self._comments(params)
        if path.startswith("mention/") and path.endswith("/list/"):
            return self._mentioned(path.removeprefix("mention/").removesuffix("/list/"), params)
        if path == "mention/video/get/":
            found = [one for one in self.mentions["video"] if one["item_id"] == params["item_id"]]
            return _ok({"video": [_fields(one, params) for one in found]})
        if path == "mention/comment/get/":
            found = [one for one in self.mentions["comment"] if one["comment_id"] == params["comment_id"]]
            return _ok({"comment": _fields(found[0], params)}) if found else _error(40_002, "no such comment")
        return _error(40_006, "no schema found")

    def _posts(self, params: Any) -> Response:
        size, before = int(params.get("max_count", 10)), int(params.get("cursor", 10**15))
        assert size <= 20
        wanted = json.loads(params.get("filters", "{}")).get("video_ids")
        newest = [self.things[id] for id in reversed(self._below.get("", []))]
        newest = sorted((one for one in newest if one.at < before), key=lambda one: -one.at)
        if wanted is not None:
            newest = [one for one in newest if one.id in wanted]
        shown = newest[:size]
        listed = [_fields(self._post(one), params) for one in shown]
        cursor = shown[-1].at if shown else 0
        return _ok({"videos": listed, "cursor": cursor, "has_more": len(newest) > size})

    def _post(self, one: Thing) -> dict[str, Any]:
        return {
            "item_id": one.id, "create_time": str(one.at // 1000), "caption": one.text, "likes": one.likes,
            "comments": 0, "shares": 3, "video_views": 700, "media_type": "VIDEO",
            "share_url": f"https://www.tiktok.com/@{one.author}/video/{one.id}?utm_campaign=tt4d_open_api",
        }  # fmt: skip

    def _comments(self, params: Any) -> Response:
        size, cursor = int(params.get("max_count", 20)), int(params.get("cursor", 0))
        over, wanted = params.get("comment_id") or params["video_id"], json.loads(params.get("comment_ids", "null"))
        assert size <= 30
        assert wanted is None or len(wanted) <= 30
        if over not in self.things:
            return _error(40_002, "Invalid video_id")
        if wanted is not None:
            ids = [id for id in wanted if id in self.things and self.things[id].video == params["video_id"]]
            return _ok(
                {"comments": [self._shown(self.things[id], False) for id in ids], "cursor": 0, "has_more": False}
            )
        ids = self._below.get(over, [])
        shown, there = self._ordered(ids, cursor, size)
        hidden = params.get("status") == "ALL"
        listed: list[Any] = [
            self._shown(one, params.get("include_replies") == "true")
            for one in shown if one.id not in self.withheld and (hidden or not one.hidden)
        ]  # fmt: skip
        if over == self.first and not cursor:
            listed = [*self.broken, *listed]
        return _ok({"comments": listed, "cursor": cursor + size, "has_more": cursor + size < there})

    def _ordered(self, ids: list[str], cursor: int, size: int) -> tuple[list[Thing], int]:
        """A page of newest first and, behind the part that is sorted so, of all by likes; and how many there are."""
        if len(ids) <= IN_ORDER:
            newest = sorted((self.things[id] for id in reversed(ids)), key=lambda one: (not one.pinned, -one.at))
            return newest[cursor : cursor + size], len(ids)
        last = sorted((self.things[id] for id in ids[: -IN_ORDER - 1 : -1]), key=lambda one: (not one.pinned, -one.at))
        if cursor + size <= IN_ORDER:
            return last[cursor : cursor + size], IN_ORDER + len(ids)
        first = max(cursor - IN_ORDER, 0)
        part = ids[first : max(cursor + size - IN_ORDER, 0)]
        return [*last[cursor:IN_ORDER], *(self.things[id] for id in part)], IN_ORDER + len(ids)

    def _shown(self, one: Thing, with_answers: bool) -> dict[str, Any]:
        below = self._below.get(one.id, [])
        return {
            "comment_id": one.id, "video_id": one.video, "create_time": str(one.at // 1000), "text": one.text,
            "likes": one.likes, "replies": len(below), "owner": one.author == HANDLE, "liked": False,
            "pinned": one.pinned, "status": "HIDDEN" if one.hidden else "PUBLIC", "username": one.author,
            "display_name": one.author.title(), "unique_identifier": f"u+{one.author}=", "profile_image": "https://p.example/1",
            **({"parent_comment_id": one.above} if one.above else {}),
            **({"reply_list": [self._shown(self.things[id], False) for id in below[:3]]} if with_answers else {}),
        }  # fmt: skip

    def _mentioned(self, what: str, params: Any) -> Response:
        size, cursor, days = int(params["max_count"]), int(params.get("cursor", 0)), int(params["number_of_days"])
        assert 1 <= days <= 90
        assert size <= 100
        since = _now() // 1000 - days * 86_400
        when = "comment_create_time" if what == "comment" else "create_time"
        listed = [one for one in reversed(self.mentions[what]) if int(one[when]) >= since][:MOST_MENTIONED]
        shown = [_fields(one, params) for one in listed[cursor : cursor + size]]
        key = "comments" if what == "comment" else "videos"
        return _ok({key: shown, "cursor": cursor + size, "has_more": cursor + size < len(listed)})

    def _next(self) -> str:
        self._last += 1
        return str(self._last)

    def _put(self, thing: Thing, below: str) -> str:
        self.things[thing.id] = thing
        self._below.setdefault(below, []).append(thing.id)
        return thing.id


def _fields(one: dict[str, Any], params: Any) -> dict[str, Any]:
    return {name: one[name] for name in json.loads(params.get("fields", '["item_id"]')) if name in one}


def _ok(data: object) -> Response:
    return Response.of({"code": 0, "message": "OK", "request_id": "20261127", "data": data})


def _error(code: int, message: str) -> Response:
    """With status 200."""
    return Response.of({"code": code, "message": message, "request_id": "20261127", "data": {}})


def _now() -> int:
    return time.time_ns() // 1_000_000
