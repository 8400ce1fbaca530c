"""A Discourse community on a socket: site.json, posts.json, posts/by_number, and the webhooks that it would send.

Written by Discourse's own source, https://github.com/discourse/discourse: `posts_controller` (latest, by_number),
`latest_posts_query` (fifty below `before`; of earlier releases the fifty numbers up to it), `post_serializer`,
`web_hook_post_serializer`, `topic_view_serializer` and `web_hook_topic_view_serializer` (fields),
`emit_web_hook_event` (headers, signature, body), `request_tracker` and `rate_limiter` (429), and by
https://docs.discourse.org/ (Api-Key, Api-Username). It is our reading of them, compared
with no running community. Persons and texts are invented.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any

from tests.standins.server import Request, Response, StandIn

KEY = "an-api-key-of-a-test"
SECRET = "the secret of a webhook in a test"
PUBLIC, STAFF = 1, 7


class DiscourseStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.categories = {PUBLIC: False, STAFF: True}
        """Number → whether not everybody may read it."""
        self.topics: dict[int, dict[str, Any]] = {}
        self.posts: dict[int, dict[str, Any]] = {}
        self.windows = False
        """It shows the fifty numbers up to `before`, as earlier releases do."""
        self.broken: list[Any] = []
        self._last = self._events = 0

    # --- for tests ---

    def topic(
        self, title: str, text: str, *, category: int = PUBLIC, author: str = "ana", at: int | None = None
    ) -> int:
        """The number of its first post."""
        with self.lock:
            number = len(self.topics) + 1
            self.topics[number] = {"title": title, "category": category, "posts": 0}
            return self.post(number, text, author=author, at=at)

    def post(
        self, topic: int, text: str, *, author: str = "ana", at: int | None = None, answers: int | None = None
    ) -> int:
        with self.lock:
            self._last += 1
            self.topics[topic]["posts"] += 1
            when = _iso(self.wall() if at is None else at)
            self.posts[self._last] = {
                "id": self._last,
                "name": author.title(),
                "username": author,
                "user_id": int(hashlib.sha256(author.encode()).hexdigest()[:6], 16),
                "created_at": when,
                "updated_at": when,
                "cooked": f"<p>{escape(text)}</p>",
                "raw": text,
                "post_number": self.topics[topic]["posts"],
                "post_type": 1,
                "reply_count": 0,
                "reply_to_post_number": answers,
                "reads": 3,
                "topic_id": topic,
                "version": 1,
                "hidden": False,
                "user_deleted": False,
                "deleted_at": None,
                "actions_summary": [],
            }
            return self._last

    def id(self, post: int) -> str:
        """As a draft has it."""
        held = self.posts[post]
        return f"{self.url.removeprefix('http://')}/t/{held['topic_id']}/{held['post_number']}"

    def edit(self, post: int, text: str) -> None:
        with self.lock:
            held = self.posts[post]
            changed = {"raw": text, "cooked": f"<p>{escape(text)}</p>", "updated_at": _iso(self.wall())}
            held.update(changed, version=held["version"] + 1)

    def delete(self, post: int) -> None:
        with self.lock:
            self.posts[post]["deleted_at"] = _iso(self.wall())

    def like(self, post: int) -> None:
        self.posts[post]["actions_summary"] = [{"id": 2, "count": 1}]

    def event(self, name: str, post: int, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
        """Headers and body of the webhook that tells of it."""
        with self.lock:
            self._events += 1
            shown = {**self._shown(self.posts[post]), "topic_archetype": "regular", "category_slug": "c"}
            shown.pop("actions_summary")
            body = json.dumps({"post": shown}).encode()
            return self._headers("post", name, body, secret), body

    def destroy(self, topic: int, *, back: bool = False) -> None:
        """Its posts are shown to nobody; `back`: they are again."""
        with self.lock:
            self.topics[topic]["gone"] = not back

    def topic_event(self, name: str, topic: int, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
        with self.lock:
            self._events += 1
            held = self.topics[topic]
            about = {"id": topic, "title": held["title"], "slug": "a-topic", "category_id": held["category"]}
            more = {"archetype": "regular", "highest_post_number": held["posts"], "posts_count": held["posts"]}
            body = json.dumps({"topic": {**about, **more}}).encode()
            return self._headers("topic", name, body, secret), body

    def ping(self) -> tuple[dict[str, str], bytes]:
        body = b'{"ping": "OK"}'
        return self._headers("ping", "ping", body, SECRET), body

    def _headers(self, kind: str, name: str, body: bytes, secret: str) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "X-Discourse-Instance": self.url,
            "X-Discourse-Event-Id": str(self._events),
            "X-Discourse-Event-Type": kind,
            "X-Discourse-Event": name,
            "X-Discourse-Event-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        }

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        key = request.headers.get("api-key")
        if key is not None and key != KEY:
            return Response.of({"errors": ["You are not permitted."], "error_type": "invalid_access"}, 403)
        staff = key is not None and request.headers.get("api-username") == "system"
        if request.path == "/site.json":
            listed = [
                {"id": id, "name": f"Category {id}", "read_restricted": restricted}
                for id, restricted in self.categories.items()
                if staff or not restricted
            ]
            return Response.of({"categories": listed})
        if request.path == "/posts.json":
            return Response.of({"latest_posts": self._latest(int(request.params.get("before", 0)), staff)})
        if request.path.startswith("/t/"):
            return self._topic(int(request.path.removesuffix(".json").split("/")[2]), request, staff)
        if request.path.startswith("/posts/by_number/"):
            topic, number = request.path.removesuffix(".json").split("/")[-2:]
            for held in self.posts.values():
                if (held["topic_id"], held["post_number"]) == (int(topic), int(number)) and not held["deleted_at"]:
                    if not self._readable(held, staff):
                        return Response.of({"errors": ["You are not permitted."]}, 403)
                    return Response.of(self._shown(held))
        return Response.of({"errors": ["The requested URL or resource could not be found."]}, 404)

    def _topic(self, topic: int, request: Request, staff: bool) -> Response:
        """Twenty posts a page; those say nothing of their topic's title and category."""
        held = [one for one in self.posts.values() if one["topic_id"] == topic and not one["deleted_at"]]
        page = int(request.params.get("page", 1))
        if topic not in self.topics or self.topics[topic].get("gone") or not held[(page - 1) * 20 :]:
            return Response.of({"errors": ["The requested URL or resource could not be found."]}, 404)
        if not self._readable(held[0], staff):
            return Response.of({"errors": ["You are not permitted."]}, 403)
        return Response.of({"id": topic, "post_stream": {"posts": held[(page - 1) * 20 : page * 20]}})

    def _latest(self, before: int, staff: bool) -> list[Any]:
        top = (before if self.windows else before - 1) if before else self._last
        found = []
        for id in range(top, max(top - 50, 0) if self.windows else 0, -1):
            held = self.posts.get(id)
            if held and not held["deleted_at"] and not held["hidden"] and self._readable(held, staff):
                found.append(self._shown(held))
            if len(found) == 50:
                break
        return found if before else [*self.broken, *found]

    def _readable(self, held: dict[str, Any], staff: bool) -> bool:
        return staff or not self.categories[self.topics[held["topic_id"]]["category"]]

    def _shown(self, held: dict[str, Any]) -> dict[str, Any]:
        topic = self.topics[held["topic_id"]]
        about = {"topic_title": topic["title"], "topic_slug": "a-topic", "category_id": topic["category"]}
        return {**held, **about, "excerpt": held["raw"][:50], "yours": False}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
