"""Hacker News on a socket: its search (/search_by_date) and its items (/item/NUMBER.json, /maxitem.json).

By https://hn.algolia.com/api (parameters, tags, fields of a result), https://github.com/algolia/hn-search/issues/125
and /230 (at most 1,000 results, none behind them; the form of an answer, compared with the one quoted there), and
https://github.com/HackerNews/API (items; null for what is not there; `deleted`, `dead`; compared with the samples in
its README). That the search leaves out what was deleted or killed, takes words whole and phrases in quotes as they
stand, is our reading. Persons and texts are invented.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left, insort
from collections.abc import Callable
from html import escape
from typing import Any

from tests.standins.server import Request, Response, StandIn

MOST = 1_000
_FILTER = re.compile(r"created_at_i(<=|>=|<|>)(\d+)")


class HackernewsStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.items: dict[int, dict[str, Any]] = {}
        self.texts: dict[int, str] = {}
        self.broken: list[Any] = []
        self.unindexed: set[int] = set()
        """Items that the search does not know yet."""
        self._by_time: list[tuple[int, int]] = []
        """(second, number) of every item, sorted."""
        self._index: dict[int, str] = {}
        self._last = 40_000_000

    # --- for tests ---

    def story(self, title: str, text: str = "", *, url: str = "", author: str = "ana", at: int | None = None) -> str:
        with self.lock:
            item = {"type": "story", "title": title, "score": 1, "descendants": 0} | ({"url": url} if url else {})
            return self._add(item, text, author, at)

    def comment(self, text: str, on: str, *, author: str = "ana", at: int | None = None) -> str:
        with self.lock:
            self.items[int(on)].setdefault("kids", []).append(self._last + 1)
            self.items[int(self.root(on))]["descendants"] += 1
            return self._add({"type": "comment", "parent": int(on)}, text, author, at)

    def edit(self, native_id: str, text: str) -> None:
        with self.lock:
            self.items[int(native_id)]["text"], self.texts[int(native_id)] = _html(text), text
            self._learn(int(native_id))

    def delete(self, native_id: str) -> None:
        with self.lock:
            held = self.items[int(native_id)]
            self.items[int(native_id)] = {name: held[name] for name in ("id", "type", "time", "parent") if name in held}
            self.items[int(native_id)]["deleted"] = True
            del self.texts[int(native_id)]

    def kill(self, native_id: str) -> None:
        with self.lock:
            self.items[int(native_id)].update(text="[flagged]", dead=True)
            del self.texts[int(native_id)]

    def vote(self, native_id: str, score: int) -> None:
        self.items[int(native_id)]["score"] = score

    def truth(self) -> dict[str, str]:
        with self.lock:
            return {str(id): text for id, text in self.texts.items()}

    def root(self, native_id: str) -> str:
        item = self.items[int(native_id)]
        return self.root(str(item["parent"])) if "parent" in item else native_id

    def _add(self, item: dict[str, Any], text: str, author: str, at: int | None) -> str:
        self._last += 1
        seconds = (self.wall() if at is None else at) // 1000
        more = {"text": _html(text)} if text else {}
        self.items[self._last] = {"id": self._last, "by": author, "time": seconds, **item, **more}
        self.texts[self._last] = text
        insort(self._by_time, (seconds, self._last))
        self._learn(self._last)
        return str(self._last)

    def _learn(self, id: int) -> None:
        item = self.items[id]
        self._index[id] = _words(f"{item.get('title', '')} {item.get('url', '')} {self.texts[id]}")

    # --- the protocol ---

    def answer(self, request: Request) -> Response:
        if request.path == "/search_by_date":
            return self._found(request)
        if request.path == "/maxitem.json":
            return Response.of(self._last)
        if found := re.fullmatch(r"/item/(\d+)\.json", request.path):
            return Response.of(self.items.get(int(found[1])))
        return Response.of({"error": "not found"}, 404)

    def _found(self, request: Request) -> Response:
        query, most = request.params.get("query", ""), min(int(request.params.get("hitsPerPage", 20)), MOST)
        first, end = 0, len(self._by_time)
        for sign, number in _FILTER.findall(request.params.get("numericFilters", "")):
            place = bisect_left(self._by_time, (int(number) + (sign in ("<=", ">")), 0))
            first, end = (max(first, place), end) if sign.startswith(">") else (first, min(end, place))
        phrase = _words(query)
        matching = [
            id
            for _, id in reversed(self._by_time[first:end])
            if id in self.texts and id not in self.unindexed and phrase in self._index[id]
        ]
        hits = [self._hit(self.items[id]) for id in matching[:most]]
        some = [*self.broken, *hits][:most] if query else hits
        return Response.of(
            {
                "hits": some,
                "nbHits": len(matching),
                "page": 0,
                "nbPages": -(-min(len(matching), MOST) // most),
                "hitsPerPage": most,
                "exhaustiveNbHits": True,
                "query": query,
                "processingTimeMS": 5,
            }
        )

    def _hit(self, item: dict[str, Any]) -> dict[str, Any]:
        id, kind = str(item["id"]), item["type"]
        root = int(self.root(id))
        hit = {
            "objectID": id,
            "author": item["by"],
            "created_at_i": item["time"],
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(item["time"])),
            "story_id": root,
            "_tags": [kind, f"author_{item['by']}", f"story_{root}"],
        }
        if kind == "comment":
            return hit | {"comment_text": item["text"], "parent_id": item["parent"], "story_title": "A story"}
        text = {"story_text": item["text"]} if "text" in item else {}
        about = {"title": item["title"], "url": item.get("url"), "points": item["score"]}
        return hit | about | text | {"num_comments": item["descendants"]}


def _words(text: str) -> str:
    """Whole words in their order, whatever their case."""
    return " ".join(["", *re.findall(r"\w+", text.lower()), ""])


def _html(text: str) -> str:
    return "<p>".join(escape(part) for part in text.split("\n"))
