"""Reddit as its API answers an app that reads.

Follows the API's own documentation (https://www.reddit.com/dev/api/: listings with `after`, `before`, `limit`, `count`;
`/r/NAME/new`, `/r/NAME/comments`, `/search`, `/api/info`, `/comments/ID`, `/user/NAME/about`), the page of its rules
and rate-limit headers (https://support.reddithelp.com/hc/en-us/articles/16160319875092), the description of tokens
(https://github.com/reddit-archive/reddit/wiki/OAuth2) and r/redditdev's FAQ (a listing ends after 1,000 things). The
names and types of fields were compared with replies that graw keeps (turnage/graw, reddit/internal/testdata:
subreddit.json, thread.json, more.json), what is shown of a suspended account with the reply quoted in snew/snew's issue
10; that one which is hidden from everybody is 404 is said in praw's issue 1241. Not verified against a reply:
`removed_by_category` and `num_crossposts`, which are in none of these, how a removed comment's stub looks (by praw's
issues), that a search ends after 250, that several subreddits in one question leave out a private one without a word,
and the wording of errors.

praw itself reads this stand-in in the tests.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standins.server import Request, Response, StandIn

ENDS_AFTER = 1_000
SEARCH_ENDS_AFTER = 250
PAGE = 100
WINDOW = 600
CLIENT_ID, CLIENT_SECRET, PASSWORD = "app-of-ana-0001", "secret-of-ana-0002", "password of ana 0003"
TOKEN_LASTS = 86_400
OVERLOADED = b"<!doctype html><html><title>Ow! -- reddit.com</title><body>we took too long</body></html>"
_CLOSED = ("private", "employees_only", "gold_only")
_AGENT = re.compile(r"\w+:[\w.]+:v[\w.+-]+ \(by /u/[\w-]+\)")
_QUOTED = re.compile(r'"([^"]+)"|author:([\w-]+)')


@dataclass
class Thing:
    name: str
    number: int
    subreddit: str
    author: str
    text: str
    created: int
    title: str = ""
    url: str = ""
    link: str = ""
    parent: str = ""
    crosspost: str = ""
    edited: float | bool = False
    state: str = "there"
    """`there`, `deleted` (by its writer), `removed` (by moderators), `vanished` (not even a stub), `strange` (shown,
    and none of the truth)."""
    score: int = 1
    over_18: bool = False
    more: dict[str, Any] = field(default_factory=dict)


class RedditStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, Thing] = {}
        self.by_subreddit: dict[str, list[Thing]] = {}
        self.posts: list[Thing] = []
        self.answers: dict[str, int] = {}
        self.subreddits: dict[str, str] = {"acme": "public"}
        """Name in small letters → its type."""
        self.allowed = 1_000
        """Requests in a window."""
        self.used = 0
        self.resets_in = WINDOW
        self.tokens: set[str] = set()
        self.members: set[str] = set()
        """Tokens of the person who is let into every private subreddit."""
        self.agents: set[str] = set()
        self._next = {"t1": 36**6, "t3": 36**5}
        self._gone_accounts: set[str] = set()
        self.suspended: set[str] = set()
        """Accounts."""
        # Something has been said before anybody listens.
        first = self.publish("Good morning", subreddit="elsewhere", author="ivan")
        self.comment("And to you", on=first, author="nora")

    # --- for tests ---

    def publish(
        self,
        text: str,
        *,
        at: int | None = None,
        author: str = "ana",
        subreddit: str = "acme",
        title: str = "A question",
        **more: Any,
    ) -> str:
        return self._add("t3", text, at, author, subreddit, title=title, **more).name

    def comment(self, text: str, on: str, *, at: int | None = None, author: str = "ben", **more: Any) -> str:
        """On a post or comment."""
        with self.lock:
            parent = self.things[on]
            link = parent.link or parent.name
            return self._add("t1", text, at, author, parent.subreddit, link=link, parent=on, **more).name

    def elsewhere(self, kind: str, count: int) -> None:
        """So many things are published where nobody listens."""
        with self.lock:
            self._next[kind] += count

    def edit(self, name: str, text: str, *, marked: bool = True) -> None:
        with self.lock:
            self.things[name].text = text
            if marked:
                self.things[name].edited = time.time()

    def delete(self, name: str) -> None:
        self.put(name, "deleted")

    def put(self, name: str, state: str) -> None:
        with self.lock:
            self.things[name].state = state

    def close_account(self, author: str) -> None:
        with self.lock:
            self._gone_accounts.add(author)

    def end_tokens(self) -> None:
        with self.lock:
            self.tokens.clear()

    def truth(self) -> dict[str, str]:
        with self.lock:
            return {one.name: one.text for one in self._listened_to() if one.state == "there"}

    def _listened_to(self) -> list[Thing]:
        return [one for one in self.things.values() if one.subreddit != "elsewhere"]

    def _add(self, kind: str, text: str, at: int | None, author: str, subreddit: str, **more: Any) -> Thing:
        with self.lock:
            number = self._next[kind]
            self._next[kind] += 1
            created = int(time.time() if at is None else at / 1000)
            one = Thing(f"{kind}_{_base36(number)}", number, subreddit, author, text, created, **more)
            self.things[one.name] = one
            self.by_subreddit.setdefault(f"{kind}:{subreddit.lower()}", []).append(one)
            self.subreddits.setdefault(subreddit.lower(), "public")
            if kind == "t3":
                self.posts.append(one)
            else:
                self.answers[one.link] = self.answers.get(one.link, 0) + 1
            return one

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        if request.path == "/api/v1/access_token":
            return self._token(request)
        if request.headers.get("authorization", "").removeprefix("bearer ") not in self.tokens:
            return Response.of({"message": "Unauthorized", "error": 401}, 401)
        self.agents.add(request.headers.get("user-agent", ""))
        if not _AGENT.match(request.headers.get("user-agent", "")):
            return Response(429, b"<html><body>whoa there, pardner!</body></html>", {"Content-Type": "text/html"})
        self.used += 1
        headers = {
            "X-Ratelimit-Remaining": f"{max(self.allowed - self.used, 0)}.0",
            "X-Ratelimit-Used": str(self.used),
            "X-Ratelimit-Reset": str(self.resets_in),
        }
        if self.used > self.allowed:
            return Response.of({"message": "Too Many Requests", "error": 429}, 429, headers)
        return self._page(request, headers)

    def _token(self, request: Request) -> Response:
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ") or b"").decode()
        if given != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return Response.of({"message": "Unauthorized", "error": 401}, 401)
        form = request.form()
        if form.get("grant_type") == "password" and form.get("password") != PASSWORD:
            return Response.of({"error": "invalid_grant"})
        if form.get("grant_type") not in ("password", "client_credentials"):
            return Response.of({"error": "unsupported_grant_type"})
        token = f"token-{len(self.requests)}"
        self.tokens.add(token)
        if form.get("grant_type") == "password":
            self.members.add(token)
        return Response.of({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_LASTS, "scope": "*"})

    def _page(self, request: Request, headers: Mapping[str, str]) -> Response:
        parts, params = request.path.strip("/").split("/"), request.params
        if parts == ["api", "info"]:
            return Response.of(self._info(params), headers=headers)
        if parts[-1] == "search":
            return Response.of(_listing(self._search(params["q"]), params, SEARCH_ENDS_AFTER, self), headers=headers)
        if parts[0] == "user" and len(parts) == 3 and parts[2] == "about":
            return self._account(parts[1], headers)
        if parts[0] == "comments" and len(parts) == 2:
            return self._thread(parts[1], params, headers)
        if parts[0] == "r" and len(parts) == 3 and parts[2] in ("new", "comments"):
            names = [name.lower() for name in parts[1].split("+")]
            member = request.headers.get("authorization", "").removeprefix("bearer ") in self.members
            if len(names) == 1 and self.subreddits.get(names[0]) in _CLOSED and not member:
                return Response.of({"reason": "private", "message": "Forbidden", "error": 403}, 403, headers)
            if len(names) == 1 and names[0] not in (*self.subreddits, "all"):
                return Response.of({"reason": "banned", "message": "Not Found", "error": 404}, 404, headers)
            kind = "t3" if parts[2] == "new" else "t1"
            newest = self._newest(kind, names, member)
            return Response.of(_listing(newest, params, ENDS_AFTER, self), headers=headers)
        return Response.of({"message": "Not Found", "error": 404}, 404, headers)

    def _account(self, name: str, headers: Mapping[str, str]) -> Response:
        if name in self.suspended:
            return Response.of({"kind": "t2", "data": {"is_suspended": True, "name": name}}, headers=headers)
        if name in self._gone_accounts or all(one.author != name for one in self.things.values()):
            return Response.of({"message": "Not Found", "error": 404}, 404, headers)
        data = {"name": name, "id": f"t2_{name}", "is_employee": False, "link_karma": 1, "comment_karma": 1}
        return Response.of({"kind": "t2", "data": data}, headers=headers)

    def _newest(self, kind: str, names: list[str], member: bool) -> list[Thing]:
        held = [
            one
            for name in (self.subreddits if names == ["all"] else names)
            if member or self.subreddits.get(name) not in _CLOSED
            for one in self.by_subreddit.get(f"{kind}:{name}", [])
        ]
        return _newest_first(held)

    def _search(self, q: str) -> list[Thing]:
        wanted = [(phrase.lower(), author.lower()) for phrase, author in _QUOTED.findall(q)]
        return [
            one
            for one in _newest_first(self.posts)
            if any(
                (phrase and phrase in f"{one.title} {one.text} {one.url}".lower()) or author == one.author.lower()
                for phrase, author in wanted
            )
        ]

    def _info(self, params: Mapping[str, str]) -> Any:
        if "sr_name" in params:
            found = [name for name in params["sr_name"].lower().split(",") if name in self.subreddits]
            held = [
                {"kind": "t5", "data": {"display_name": name, "subreddit_type": self.subreddits[name]}}
                for name in found
            ]
        else:
            things = [self.things.get(name) for name in params.get("id", "").split(",")[:PAGE]]
            held = [self.shown(one) for one in things if one is not None and one.state != "vanished"]
        return {"kind": "Listing", "data": {"after": None, "dist": len(held), "children": held, "before": None}}

    def _thread(self, digits: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        post = self.things.get(f"t3_{digits}")
        if post is None:
            return Response.of({"message": "Not Found", "error": 404}, 404, headers)
        top = post.name
        if "comment" in params:
            top = f"t1_{params['comment']}"
            for _ in range(int(params.get("context", 0))):
                above = self.things[top].parent
                if not above.startswith("t1_"):
                    break
                top = above
            children = [self._branch(self.things[top])]
        else:
            children = [self._branch(one) for one in self._answers(top)]
        held = [_wrapped([self.shown(post)]), _wrapped(children)]
        return Response.of(held, headers=headers)

    def _branch(self, one: Thing) -> Any:
        shown = self.shown(one)
        below = [self._branch(each) for each in self._answers(one.name)]
        shown["data"]["replies"] = _wrapped([*below, {"kind": "more", "data": {"children": []}}]) if below else ""
        return shown

    def _answers(self, name: str) -> list[Thing]:
        return [one for one in self.things.values() if one.parent == name]

    def shown(self, one: Thing) -> dict[str, Any]:
        stub = {"deleted": "[deleted]", "removed": "[removed]"}.get(one.state)
        gone = stub is not None or one.author in self._gone_accounts
        data: dict[str, Any] = {
            "name": one.name,
            "id": one.name[3:],
            "subreddit": one.subreddit,
            "subreddit_name_prefixed": f"r/{one.subreddit}",
            "subreddit_type": self.subreddits.get(one.subreddit.lower(), "public"),
            "author": "[deleted]" if gone else one.author,
            "created_utc": float(one.created),
            "edited": one.edited,
            "score": one.score,
            "over_18": one.over_18,
            "quarantine": False,
        }
        if not gone:
            data["author_fullname"] = f"t2_{one.author}"
        if one.name.startswith("t3_"):
            data |= {
                "title": "[deleted by user]" if one.state == "deleted" else one.title,
                "selftext": stub if stub is not None else one.text,
                "is_self": not one.url,
                "url": one.url or f"https://www.reddit.com/r/{one.subreddit}/comments/{one.name[3:]}/a/",
                "permalink": f"/r/{one.subreddit}/comments/{one.name[3:]}/a/",
                "num_comments": sum(each.link == one.name for each in self.things.values())
                if len(self.things) < 500
                else 0,
                "num_crossposts": 0,
                "removed_by_category": {"deleted": "deleted", "removed": "moderator"}.get(one.state),
            }
            if one.crosspost:
                data["crosspost_parent"] = one.crosspost
        else:
            data |= {
                "body": stub if stub is not None else one.text,
                "link_id": one.link,
                "parent_id": one.parent,
                "permalink": f"/r/{one.subreddit}/comments/{one.link[3:]}/a/{one.name[3:]}/",
                "replies": "",
            }
        return {"kind": one.name[:2], "data": data | one.more}


def _newest_first(held: Iterable[Thing]) -> list[Thing]:
    return sorted(held, key=lambda one: (one.created, one.number), reverse=True)


def _listing(found: list[Thing], params: Mapping[str, str], ends_after: int, reddit: RedditStandIn) -> Any:
    """Deleted and removed things are not listed; `after` one that is not listed any more begins behind its place."""
    shown = [one for one in found if one.state in ("there", "strange")][:ends_after]
    after, before = params.get("after"), params.get("before")
    if after is not None:
        place = next((place for place, one in enumerate(shown) if one.name == after), None)
        shown = shown[place + 1 :] if place is not None else []
    elif before is not None:
        place = next((place for place, one in enumerate(shown) if one.name == before), 0)
        shown = shown[:place]
    limit = min(int(params.get("limit", 25)), PAGE)
    page = shown[:limit]
    following = page[-1].name if len(shown) > limit else None
    data = {"after": following, "dist": len(page), "children": [reddit.shown(one) for one in page], "before": None}
    return {"kind": "Listing", "data": data}


def _wrapped(children: list[Any]) -> Any:
    return {"kind": "Listing", "data": {"after": None, "children": children, "before": None}}


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
