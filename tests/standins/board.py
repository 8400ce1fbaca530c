"""A small board of our own making: what a network looks like whose deletes have to be asked for.

It follows no documentation: its protocol is what tests of the sweep need. `GET /latest?after=N&deletes=M` gives the
posts behind number N, and the deletes behind the Mth where the board tells of them; `GET /posts?ids=1,2` those that are
there; a number that was deleted `loudly` is named under `gone`; `GET /thread?id=1` gives the posts above one,
the nearest first.
"""

from __future__ import annotations

import time
from typing import Any

from tests.standins.server import Request, Response, StandIn


class Board(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()
        self.hidden: set[str] = set()
        self.tells = False
        """Of deletes, by itself."""
        self.told_at: dict[str, float] = {}
        """When it was first said that a post is gone: seconds since 1970."""
        self._deletes: list[str] = []
        self.blind = False
        """It answers, and finds nothing."""
        self._number = 0

    def publish(self, text: str, at: int, author: str = "ana", answers: str | None = None) -> str:
        with self.lock:
            self._number += 1
            id = str(self._number)
            self.posts[id] = {"id": id, "text": text, "at": at, "author": author, "likes": 0, "answers": answers}
            return id

    def hide(self, id: str) -> None:
        """From `/latest`, as what nobody asks for is: it is still there for who asks for it."""
        with self.lock:
            self.hidden.add(id)

    def edit(self, id: str, text: str) -> None:
        with self.lock:
            self.posts[id]["text"] = text

    def delete(self, id: str, *, loudly: bool = False) -> dict[str, Any]:
        """What it was, so that it can be put back."""
        with self.lock:
            if loudly:
                self.gone.add(id)
                self._deletes.append(id)
            return self.posts.pop(id)

    def put_back(self, post: dict[str, Any]) -> None:
        with self.lock:
            self.gone.discard(post["id"])
            self.posts[post["id"]] = post

    def answer(self, request: Request) -> Response:
        if request.path == "/latest":
            after, seen = int(request.params.get("after", "0")), int(request.params.get("deletes", "0"))
            posts = [one for id, one in self.posts.items() if int(id) > after and id not in self.hidden][:100]
            deletes = self._told(self._deletes[seen:] if self.tells else [])
            return Response.of({"posts": posts, "deletes": deletes})
        if request.path == "/posts":
            ids = request.params.get("ids", "").split(",")
            if len(ids) > 100:
                return Response.of({"error": "at most 100 ids"}, 400)
            posts = [] if self.blind else [self.posts[id] for id in ids if id in self.posts]
            gone = self._told([id for id in ids if id in self.gone and not self.blind])
            return Response.of({"posts": posts, "gone": gone})
        if request.path == "/thread":
            above, id = [], self.posts.get(request.params.get("id", ""), {}).get("answers")
            while id in self.posts:
                above.append(self.posts[id])
                id = self.posts[id]["answers"]
            return Response.of({"above": above})
        return Response.of({"error": "no such path"}, 404)

    def _told(self, ids: list[str]) -> list[str]:
        now = time.time()
        for id in ids:
            self.told_at.setdefault(id, now)
        return ids
