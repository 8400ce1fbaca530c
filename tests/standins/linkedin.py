"""The LinkedIn page of an organisation on a socket, as LinkedIn's versioned marketing API shows it.

Read from https://learn.microsoft.com/en-us/linkedin/marketing: community-management/shares/posts-api (author finder),
…/shares/comments-api, …/shares/social-metadata-api, …/shares/little-text-format,
community-management/organizations/organization-social-action-notifications (pull), versioning, increasing-access; and
from …/linkedin/shared/api-guide/concepts: rate-limits, error-handling, pagination, and
…/shared/authentication/programmatic-refresh-tokens. Our reading of them: they were to be
had as stored copies, mostly their first part only. Compared with replies that are public: a page of comments and its
`paging` (https://github.com/MicrosoftDocs/feedback/issues/971), a page that holds fewer than were asked for and links
to the next (…/issues/972), a token that lacks a permission
(https://github.com/linkedin-developers/linkedin-api-python-client/issues/47), a version that was switched off
(https://github.com/n8n-io/n8n/issues/28967). Not compared: the order of comments (so it is settable here), counts in
batches, notifications, a comment by its number, what is answered for one that was deleted. Persons and texts are
invented.
"""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.standins.oauth import TokenOffice
from tests.standins.server import Request, Response, StandIn

TOKEN = "a-token-of-a-member-in-a-test"
NUMBER = "2414183"
PAGE = f"urn:li:organization:{NUMBER}"
_LIST = re.compile(r"List\((.*)\)\Z")
_RANGE = re.compile(r"\(start:(\d+),end:(\d+)\)\Z")


class Thing(NamedTuple):
    id: str
    post: str
    """Empty: it is a post itself."""
    above: str
    text: str
    author: str
    at: int
    modified: int
    likes: int = 0


class LinkedinStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.office = TokenOffice()
        self.things: dict[str, Thing] = {}
        self.newest_first = True
        """In which order comments are listed."""
        self.most = 100
        """In a page, whatever is asked for."""
        self.versions = {"202609"}
        self.scopes = {"r_organization_social", "rw_organization_admin"}
        self.batches = True
        self.told_of_answers = True
        """Whether a comment says how many answers it has."""
        self.hidden: set[str] = set()
        self.unread: set[str] = set()
        """Whose comments or answers this token may not see."""
        self.broken: list[Any] = []
        """Among the comments of the first post."""
        self.mentions: list[dict[str, Any]] = []
        self._last = 7_000_000_000_000_000_000
        self._below: dict[str, list[str]] = {}
        self.first = self.post("the first post", at=_now() - 9 * 86_400_000)

    # --- for tests ---

    def post(self, text: str, *, at: int | None = None, author: str = PAGE) -> str:
        with self.lock:
            self._last += 1
            at = at or _now()
            return self._put(Thing(f"urn:li:share:{self._last}", "", "", text, author, at, at))

    def comment(self, text: str, post: str = "", *, above: str = "", at: int | None = None, author: str = "ana") -> str:
        with self.lock:
            self._last += 1
            post, at = post or self.first, at or _now()
            id = f"urn:li:comment:({activity(post)},{self._last})"
            return self._put(Thing(id, post, above, text, f"urn:li:person:{author}", at, at))

    def edit(self, id: str, text: str) -> None:
        with self.lock:
            self.things[id] = self.things[id]._replace(text=text, modified=_now())

    def like(self, id: str, likes: int) -> None:
        with self.lock:
            self.things[id] = self.things[id]._replace(likes=likes)

    def remove(self, id: str) -> None:
        with self.lock:
            gone = self.things.pop(id)
            self._below[gone.above or gone.post].remove(id)
            for below in self._below.pop(id, []):
                self.things.pop(below, None)

    def mention(self, text: str, *, decorated: bool = True, author: str = "urn:li:person:berta") -> str:
        """A post by somebody else that mentions the page, and what tells of it."""
        with self.lock:
            id = self.post(text, author=author)
            told = {
                "action": "SHARE_MENTION", "organizationalEntity": PAGE, "notificationId": self._last,
                "lastModifiedAt": self.things[id].at, "sourcePost": id, "generatedActivity": id,
                "subscriber": "urn:li:person:admin",
            }  # fmt: skip
            if decorated:
                told["decoratedGeneratedActivity"] = {"share": {"entity": id, "owner": author, "text": text}}
            self.mentions.append(told)
            return id

    def _put(self, thing: Thing) -> str:
        self.things[thing.id] = thing
        self._below.setdefault(thing.above or thing.post, []).append(thing.id)
        return thing.id

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        if request.path == "/oauth/v2/accessToken":
            return self.office.answer(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}" and not self.office.knows(request):
            return _error(401, "INVALID_ACCESS_TOKEN", "Invalid access token", 65600)
        version = request.headers.get("linkedin-version", "")
        if version not in self.versions:
            return _error(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active")
        if request.headers.get("x-restli-protocol-version") != "2.0.0":
            return _error(400, "ILLEGAL_ARGUMENT", "Invalid query parameters passed to request")
        parts = [unquote(part) for part in request.path.split("/")[2:]]
        raw = dict(part.partition("=")[::2] for part in request.query.split("&"))
        match parts:
            case ["organizationalEntityNotifications"]:
                return self._told(request, raw)
            case _ if "r_organization_social" not in self.scopes:
                return _denied(parts[0])
            case ["posts"]:
                return self._posts(request)
            case ["posts", id]:
                return self._single(id)
            case ["socialMetadata"]:
                return self._counts(raw.get("ids", ""))
            case ["socialMetadata", id]:
                return Response.of(self._count(id)) if id in self.things else _gone()
            case ["socialActions", of, "comments"]:
                return self._comments(of, request)
            case ["socialActions", of, "comments", number]:
                return self._single(f"urn:li:comment:({of},{number})")
        return _error(404, "RESOURCE_NOT_FOUND", "No virtual resource found")

    def _single(self, id: str) -> Response:
        if id in self.hidden:
            return _denied("post")
        return Response.of(self._shown(self.things[id])) if id in self.things else _gone()

    def _posts(self, request: Request) -> Response:
        if request.params.get("q") != "author" or request.params.get("author") != PAGE:
            return _denied("posts")
        listed = [one for one in self.things.values() if not one.post and one.author == PAGE]
        listed.sort(key=lambda one: (one.modified, one.id), reverse=True)
        return self._page([self._shown(one) for one in listed], request)

    def _counts(self, ids: str) -> Response:
        asked = _LIST.match(ids)
        if not self.batches or asked is None:
            return _denied("socialMetadata")
        urns = [unquote(urn) for urn in asked[1].split(",")]
        there = [urn for urn in urns if urn in self.things and urn not in self.hidden]
        statuses = {urn: 200 if urn in there else 403 if urn in self.hidden else 404 for urn in urns}
        return Response.of({
            "results": {urn: self._count(urn) for urn in there},
            "statuses": statuses,
            "errors": {urn: {"status": status} for urn, status in statuses.items() if status != 200},
        })  # fmt: skip

    def _count(self, post: str) -> dict[str, Any]:
        top = self._below.get(post, [])
        every = len(top) + sum(len(self._below.get(id, [])) for id in top) if self._answers else len(top)
        likes = self.things[post].likes
        reactions = {"LIKE": {"reactionType": "LIKE", "count": likes}} if likes else {}
        summary = {"count": every, "topLevelCount": len(top)}
        return {"entity": post, "commentsState": "OPEN", "commentSummary": summary, "reactionSummaries": reactions}

    @property
    def _answers(self) -> bool:
        return any(id.startswith("urn:li:comment:") for id in self._below)

    def _comments(self, of: str, request: Request) -> Response:
        if of not in self.things:
            return _gone()
        if of in self.unread:
            return _denied("comments")
        ids = self._below.get(of, [])
        shown = ids[::-1] if self.newest_first else ids
        start, count = self._asked(request)
        some: list[Any] = [self._shown(self.things[id]) for id in shown[start : start + count]]
        if of == self.first and not start:
            some = [*self.broken, *some]
        return Response.of({"elements": some, "paging": _paging(request, start, count, len(ids))})

    def _told(self, request: Request, raw: dict[str, str]) -> Response:
        if "rw_organization_admin" not in self.scopes:
            return _denied("organizationalEntityNotifications")
        since = _RANGE.match(raw.get("timeRange", ""))
        if since is None or raw.get("actions") != "List(SHARE_MENTION)":
            return _error(400, "ILLEGAL_ARGUMENT", "Invalid query parameters passed to request")
        told = [one for one in self.mentions if int(since[1]) <= one["lastModifiedAt"] < int(since[2])]
        return self._page(told[::-1], request)

    def _page(self, listed: list[Any], request: Request) -> Response:
        start, count = self._asked(request)
        paging = _paging(request, start, count, len(listed))
        return Response.of({"elements": listed[start : start + count], "paging": paging})

    def _asked(self, request: Request) -> tuple[int, int]:
        return int(request.params.get("start", 0)), min(int(request.params.get("count", 10)), self.most)

    def _shown(self, one: Thing) -> dict[str, Any]:
        if not one.post:
            return {
                "id": one.id, "author": one.author, "commentary": one.text, "visibility": "PUBLIC",
                "lifecycleState": "PUBLISHED", "createdAt": one.at, "publishedAt": one.at,
                "lastModifiedAt": one.modified, "isReshareDisabledByAuthor": False,
                "lifecycleStateInfo": {"isEditedByAuthor": one.modified > one.at},
                "distribution": {"feedDistribution": "MAIN_FEED", "thirdPartyDistributionChannels": []},
            }  # fmt: skip
        answers = len(self._below.get(one.id, []))
        summary = {"totalFirstLevelComments": answers, "aggregatedTotalComments": answers}
        return {
            "id": one.id.rpartition(",")[2].rstrip(")"), "commentUrn": one.id, "object": activity(one.post),
            "actor": one.author, "created": {"time": one.at, "actor": one.author},
            "lastModified": {"time": one.modified, "actor": one.author},
            "message": {"text": one.text, "attributes": []},
            "likesSummary": {"totalLikes": one.likes, "aggregatedTotalLikes": one.likes},
            **({"commentsSummary": summary} if self.told_of_answers else {}),
            **({"parentComment": one.above} if one.above else {}),
        }  # fmt: skip


def activity(post: str) -> str:
    """What comments call the post that they are below."""
    return f"urn:li:activity:{int(post.rpartition(':')[2]) + 500_000_000}"


def _paging(request: Request, start: int, count: int, total: int) -> dict[str, Any]:
    links = []
    if start + count < total:
        href = f"{request.path}?start={start + count}&count={count}"
        links = [{"rel": "next", "type": "application/json", "href": href}]
    return {"start": start, "count": count, "total": total, "links": links}


def _error(status: int, code: str, message: str, service: int = 100) -> Response:
    return Response.of({"status": status, "serviceErrorCode": service, "code": code, "message": message}, status)


def _denied(resource: str) -> Response:
    return _error(403, "ACCESS_DENIED", f"Not enough permissions to access: {resource}.GET.20260901")


def _gone() -> Response:
    return _error(404, "RESOURCE_NOT_FOUND", "The requested resource was not found")


def _now() -> int:
    return time.time_ns() // 1_000_000
