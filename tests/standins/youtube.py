"""The YouTube Data API v3 on a socket: channels, playlistItems, videos, commentThreads, comments, search.

Written by the pages of https://developers.google.com/youtube/v3/docs for each of these resources (parameters, shapes,
at most five answers with a thread, pages of 100 threads and answers and of 50 of anything else), …/v3/docs/errors
(reasons of refusals) and …/v3/determine_quota_cost (units of a day, searches apart). It is our reading of them. The
fields of threads, comments and videos were compared with replies that sns-sdks/python-youtube keeps (testdata/apidata),
the body of quotaExceeded with one reported in ShareX/ShareX issue 4477. Other refusals, lists with an id that is gone
and 304 were compared with no reply. Persons and texts are invented.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.standins.server import Request, Response, StandIn

KEY = "a-key-of-a-test"


class Gone(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason


class Said(NamedTuple):
    """A comment: of the first level (`parent` empty) or an answer."""

    id: str
    video: str
    parent: str
    text: str
    author: str
    published: int
    updated: int
    likes: int


class Film(NamedTuple):
    id: str
    channel: str
    title: str
    description: str
    published: int
    views: int = 0
    commentable: bool = True


class YoutubeStandIn(StandIn):
    def __init__(self, clock: Any = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.channels: dict[str, str] = {}
        """Id → handle."""
        self.films: dict[str, Film] = {}
        self.said: dict[str, Said] = {}
        self.units, self.used, self.searches_left = 10_000, 0, 100
        self.answered: dict[str, list[str]] = {}
        """Ids of answers by the thread's id, oldest first."""
        self.hidden: set[str] = set()
        """Held for review: they exist, and nobody is shown them."""
        self.broken: list[Any] = []
        """Shown before the threads: nothing that is one."""
        self.refuse_lists = False
        """A list by ids of which one is not there is refused as a whole: the documentation names that error."""
        self.skew = 0
        """Milliseconds that its clock is ahead of ours."""
        self._count = 0

    # --- for tests ---

    def open_channel(self, handle: str) -> str:
        with self.lock:
            id = "UC" + hashlib.sha256(handle.encode()).hexdigest()[:22]
            self.channels[id] = "@" + handle
            return id

    def upload(self, channel: str, title: str, description: str = "", at: int | None = None) -> str:
        with self.lock:
            id = f"vid{self._next():08d}"
            self.films[id] = Film(id, channel, title, description, self._at(at))
            return id

    def comment(self, video: str, text: str, author: str = "ana", at: int | None = None) -> str:
        with self.lock:
            when = self._at(at)
            id = f"UgX{self._next():023d}"
            self.said[id] = Said(id, video, "", text, author, when, when, 0)
            return id

    def reply(self, parent: str, text: str, author: str = "ben", at: int | None = None) -> str:
        with self.lock:
            when = self._at(at)
            id = f"{parent}.{self._next():022d}"
            self.said[id] = Said(id, self.said[parent].video, parent, text, author, when, when, 0)
            self.answered.setdefault(parent, []).append(id)
            return id

    def edit(self, id: str, text: str) -> None:
        with self.lock:
            if id in self.films:
                self.films[id] = self.films[id]._replace(description=text)
            else:
                now = max(self._at(None), self.said[id].published + 1_000)
                self.said[id] = self.said[id]._replace(text=text, updated=now)

    def delete(self, id: str) -> None:
        with self.lock:
            self.films.pop(id, None)
            for one in [one for one in self.said.values() if id in (one.id, one.parent)]:
                del self.said[one.id]

    def like(self, id: str) -> None:
        with self.lock:
            self.said[id] = self.said[id]._replace(likes=self.said[id].likes + 1)

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        resource = request.path.strip("/").split("/")[-1]
        try:
            if request.headers.get("x-goog-api-key", request.params.get("key")) != KEY:
                raise Gone(400, "API_KEY_INVALID")
            self._pay(resource)
            held = getattr(self, f"_{resource}")(request.params)
        except Gone as gone:
            return _refusal(gone)
        tag = '"' + hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:20] + '"'
        if request.headers.get("if-none-match") == tag:
            return Response(304)
        return Response.of({**held, "etag": tag, "addedLater": {"by": "nobody"}}, headers={"ETag": tag})

    def _pay(self, resource: str) -> None:
        if resource == "search":
            if self.searches_left <= 0:
                raise Gone(403, "quotaExceeded")
            self.searches_left -= 1
            return
        if self.used >= self.units:
            raise Gone(403, "quotaExceeded")
        self.used += 1

    def _channels(self, params: Any) -> dict[str, Any]:
        wanted = params["id"].split(",") if "id" in params else []
        handle = params.get("forHandle")
        items = [
            {
                "id": id,
                "snippet": {"title": name.removeprefix("@").title()},
                "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": "UU" + id[2:]}},
            }
            for id, name in self.channels.items()
            if id in wanted or name == handle
        ]
        return {"kind": "youtube#channelListResponse", **({"items": items} if items else {})}

    def _videoCategories(self, params: Any) -> dict[str, Any]:
        return {"items": []}

    def _playlistItems(self, params: Any) -> dict[str, Any]:
        channel = "UC" + params["playlistId"][2:]
        if channel not in self.channels:
            raise Gone(404, "playlistNotFound")
        films = sorted((one for one in self.films.values() if one.channel == channel), key=lambda one: -one.published)
        details = [{"contentDetails": {"videoId": one.id, "videoPublishedAt": _iso(one.published)}} for one in films]
        return _paged(details, params, 50)

    def _videos(self, params: Any) -> dict[str, Any]:
        return {"items": [self._film(self.films[id]) for id in params["id"].split(",") if id in self.films]}

    def _film(self, film: Film) -> dict[str, Any]:
        counts: dict[str, str] = {"viewCount": str(film.views), "likeCount": "0", "favoriteCount": "0"}
        if film.commentable:
            counts["commentCount"] = str(sum(one.video == film.id for one in self.said.values()))
        return {
            "id": film.id,
            "snippet": {
                "publishedAt": _iso(film.published),
                "channelId": film.channel,
                "channelTitle": self.channels.get(film.channel, "@someone").removeprefix("@").title(),
                "title": film.title,
                "description": film.description,
                "liveBroadcastContent": "none",
            },
            "statistics": counts,
        }

    def _commentThreads(self, params: Any) -> dict[str, Any]:
        if "id" in params:
            wanted = params["id"].split(",")
            if self.refuse_lists and not all(map(self._there, wanted)):
                raise Gone(404, "commentThreadNotFound")
            return {"items": [self._thread(self.said[id], params) for id in wanted if self._there(id)]}
        if "videoId" in params:
            film = self.films.get(params["videoId"])
            if film is None:
                raise Gone(404, "videoNotFound")
            if not film.commentable:
                raise Gone(403, "commentsDisabled")
            videos = {film.id}
        else:
            channel = params["allThreadsRelatedToChannelId"]
            if channel not in self.channels:
                raise Gone(404, "channelNotFound")
            videos = {film.id for film in self.films.values() if film.channel == channel}
        tops = [one for one in self.said.values() if not one.parent and one.video in videos and self._there(one.id)]
        tops.sort(key=lambda one: (-one.published, one.id))
        page = _paged([{"id": one.id} for one in tops], params, 100, default=20)
        found = [self._thread(self.said[item["id"]], params) for item in page["items"]]
        return {**page, "items": [*self.broken, *found] if "pageToken" not in params else found}

    def _comments(self, params: Any) -> dict[str, Any]:
        if "id" in params:
            return {"items": [_comment(self.said[id]) for id in params["id"].split(",") if self._there(id)]}
        if not self._there(params["parentId"]):
            raise Gone(404, "commentNotFound")
        return _paged([_comment(one) for one in self._answers(params["parentId"])], params, 100, default=20)

    def _search(self, params: Any) -> dict[str, Any]:
        names = [term.strip('"').casefold() for term in params["q"].split("|")]
        since, until = _millis(params["publishedAfter"]), _millis(params.get("publishedBefore", "2099-01-01T00:00:00Z"))
        films = [
            film
            for film in self.films.values()
            if since <= film.published < until
            and any(name in f"{film.title} {film.description}".casefold() for name in names)
        ]
        films.sort(key=lambda one: -one.published)
        found = [
            {"id": {"kind": "youtube#video", "videoId": one.id}, "snippet": {"publishedAt": _iso(one.published)}}
            for one in films
        ]
        return _paged(found, params, 50)

    def _thread(self, top: Said, params: Any) -> dict[str, Any]:
        answers = self._answers(top.id)
        thread: dict[str, Any] = {
            "id": top.id,
            "snippet": {
                "videoId": top.video,
                "topLevelComment": _comment(top, video=True),
                "canReply": False,
                "totalReplyCount": len(answers),
                "isPublic": True,
            },
        }
        if answers and "replies" in params["part"]:
            thread["replies"] = {"comments": [_comment(one, video=True) for one in answers[:5]]}
        return thread

    def _answers(self, top: str) -> list[Said]:
        return [self.said[id] for id in self.answered.get(top, ()) if self._there(id)]

    def _there(self, id: str) -> bool:
        return id in self.said and id not in self.hidden

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _at(self, at: int | None) -> int:
        return (self.wall() if at is None else at) + self.skew


def _comment(one: Said, video: bool = False) -> dict[str, Any]:
    snippet: dict[str, Any] = {
        "authorDisplayName": "@" + one.author,
        "authorChannelId": {"value": "UC" + hashlib.sha256(one.author.encode()).hexdigest()[:22]},
        "textDisplay": one.text,
        "textOriginal": one.text,
        "canRate": True,
        "viewerRating": "none",
        "likeCount": one.likes,
        "publishedAt": _iso(one.published),
        "updatedAt": _iso(one.updated),
    }
    if one.parent:
        snippet["parentId"] = one.parent
    if video:
        snippet["videoId"] = one.video
    return {"kind": "youtube#comment", "id": one.id, "snippet": snippet}


def _paged(items: list[dict[str, Any]], params: Any, most: int, default: int = 5) -> dict[str, Any]:
    """A token stands for the last item shown: what is published meanwhile does not move the pages."""
    size = min(int(params.get("maxResults", default)), most)
    start, token = 0, params.get("pageToken", "")
    if token:
        last = json.loads(bytes.fromhex(token).decode())
        place = next((at for at, item in enumerate(items) if _id(item) == last), None)
        if place is None:
            raise Gone(400, "invalidPageToken")
        start = place + 1
    page: dict[str, Any] = {"items": items[start : start + size], "pageInfo": {"resultsPerPage": size}}
    if start + size < len(items):
        page["nextPageToken"] = json.dumps(_id(items[start + size - 1])).encode().hex()
    return page


def _id(item: dict[str, Any]) -> Any:
    return item.get("id") or item["contentDetails"]["videoId"]


def _refusal(gone: Gone) -> Response:
    error: dict[str, Any] = {
        "code": gone.status,
        "message": f"It is refused: {gone.reason}.",
        "errors": [
            {
                "message": "…",
                "domain": "youtube.quota" if gone.reason == "quotaExceeded" else "youtube",
                "reason": gone.reason,
            }
        ],
    }
    if gone.reason == "API_KEY_INVALID":
        error["message"] = "API key not valid. Please pass a valid API key."
        error["errors"][0]["reason"] = "badRequest"
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": gone.reason}]
    return Response.of({"error": error}, gone.status)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _millis(said: str) -> int:
    return round(datetime.fromisoformat(said).timestamp() * 1000)
