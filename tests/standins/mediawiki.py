"""A wiki on a socket: api.php with list=recentchanges and prop=revisions.

By https://www.mediawiki.org/wiki/API:RecentChanges (rcdir, rcstart, rcend, rclimit, rccontinue, rcprop),
https://www.mediawiki.org/wiki/API:Revisions (revids, badrevids, slots, texthidden, userhidden, formatversion 2) and
https://www.mediawiki.org/wiki/Manual:Maxlag_parameter. Our reading of them, compared with no running wiki. Persons and
texts are invented. What Wikimedia streams of it stands in `mediawiki_stream`.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.standins.mediawiki_stream import Topics
from tests.standins.server import Request, Response, StandIn


class MediawikiStandIn(StandIn):
    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.wall = clock or (lambda: time.time_ns() // 1_000_000)
        self.revisions: dict[int, dict[str, Any]] = {}
        self.added: dict[int, str] = {}
        self.changes: list[Any] = []
        self._stamps: list[str] = []
        self._pages: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self.lag = 0
        self.topics = Topics(self)
        self.deleted: dict[int, tuple[dict[str, Any], str]] = {}
        self.not_yet: set[int] = set()
        """Revisions that the database which answers has not got from the first one."""

    def edit_page(
        self, title: str, text: str, *, added: str = "", author: str = "ana", at: int | None = None, bot: bool = False
    ) -> str:
        with self.lock:
            id, old = len(self.revisions) + len(self.deleted) + 1_000, self._newest.get(title, 0)
            stamp = _iso(self.wall() if at is None else at)
            page = self._pages.setdefault(title, len(self._pages) + 1)
            self.revisions[id] = {"revid": id, "parentid": old, "timestamp": stamp, "user": author, "text": text,
                                  "title": title, "pageid": page}  # fmt: skip
            change = {"type": "edit" if old else "new", "ns": 0, "title": title, "pageid": page, "revid": id,
                      "old_revid": old, "rcid": id + 5_000, "user": author, "bot": bot, "timestamp": stamp,
                      "comment": ""}  # fmt: skip
            place = bisect_left(self._stamps, stamp + "z")
            self._stamps.insert(place, stamp)
            self.changes.insert(place, change)
            self._newest[title] = id
            self.added[id] = added or text
            self._tell_change(change)
            return f"{self.host}/{id}"

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def delete(self, native_id: str) -> None:
        """Its page was; of other revisions of it nothing is said."""
        with self.lock:
            id = int(native_id.rpartition("/")[2])
            self.deleted[id] = (self.revisions.pop(id), self.added.pop(id))
            self._tell_turn("page-delete", id)

    def undelete(self, native_id: str) -> None:
        with self.lock:
            id = int(native_id.rpartition("/")[2])
            self.revisions[id], self.added[id] = self.deleted.pop(id)
            self._tell_turn("page-undelete", id)

    def hide(self, native_id: str, what: str, *, hidden: bool = True) -> None:
        """`what`: text or user."""
        with self.lock:
            id = int(native_id.rpartition("/")[2])
            held = self.revisions[id]
            before = {one: not held.get(f"{one}hidden") for one in ("text", "user", "comment")}
            held[f"{what}hidden"] = hidden
            after = before | {what: not hidden}
            self._tell_turn("revision-visibility-change", id, visibility=after, prior_state={"visibility": before})

    def truth(self) -> dict[str, str]:
        with self.lock:
            return {f"{self.host}/{id}": text for id, text in self.added.items()}

    def broken(self) -> None:
        with self.lock:
            self.changes.append({"rcid": "none"})
            self._stamps.append(_iso(self.wall()))
            self.topics.tell("mediawiki.recentchange", self.host, {"type": "edit", "namespace": "none"})

    def _tell_change(self, change: dict[str, Any]) -> None:
        seconds = round(datetime.fromisoformat(change["timestamp"]).timestamp())
        revision = {"new": change["revid"], "old": change["old_revid"] or None}
        event = {name: change[name] for name in ("type", "title", "user", "bot", "comment")}
        event |= {"id": change["rcid"], "namespace": change["ns"], "timestamp": seconds, "revision": revision}
        self.topics.tell("mediawiki.recentchange", self.host, event)

    def _tell_turn(self, stream: str, id: int, **more: Any) -> None:
        held = self.revisions.get(id) or self.deleted[id][0]
        about = {"page_id": held["pageid"], "page_title": held["title"].replace(" ", "_"), "rev_id": id}
        self.topics.tell(f"mediawiki.{stream}", self.host, about | more)

    def answer(self, request: Request) -> Response:
        params = request.params
        if request.path.startswith("/v2/stream/"):
            return self.topics.answer(request)
        if self.lag > int(params.get("maxlag", 10_000)):
            error = {"code": "maxlag", "info": "Waiting for a database", "lag": self.lag}
            return Response.of({"error": error}, headers={"Retry-After": "1"})
        if params.get("list") == "recentchanges":
            return Response.of(self._recent(params))
        if params.get("prop") == "revisions":
            return Response.of({"batchcomplete": True, "query": self._revisions(params["revids"].split("|"))})
        return Response.of({"error": {"code": "badvalue", "info": "Unrecognized value"}})

    def _recent(self, params: Any) -> dict[str, Any]:
        limit, newer = int(params["rclimit"]), params.get("rcdir") == "newer"
        begin = int(params.get("rccontinue", "0").rpartition("|")[2])
        if newer:
            first = begin or bisect_left(self._stamps, params.get("rcstart", ""))
            end = bisect_left(self._stamps, params["rcend"] + "z") if "rcend" in params else len(self.changes)
            some, following = self.changes[first : min(first + limit, end)], first + limit
            more = following < end
        else:
            first = begin or len(self.changes)
            following = max(first - limit, 0)
            some, more = self.changes[following:first][::-1], following > 0
        if "!bot" in params.get("rcshow", ""):
            some = [one for one in some if not one.get("bot")]
        held: dict[str, Any] = {"batchcomplete": True, "query": {"recentchanges": some}}
        return held | ({"continue": {"rccontinue": f"x|{following}", "continue": "-||"}} if more else {})

    def _revisions(self, ids: list[str]) -> dict[str, Any]:
        pages: dict[int, dict[str, Any]] = {}
        bad: dict[str, Any] = {}
        for id in ids[:50]:
            held = None if int(id) in self.not_yet else self.revisions.get(int(id))
            if held is None:
                bad[id] = {"revid": int(id), "missing": True}
                continue
            page = pages.setdefault(held["pageid"], {"pageid": held["pageid"], "title": held["title"], "revisions": []})
            slot = {"texthidden": True} if held.get("texthidden") else {"content": held["text"]}
            who = {"userhidden": True} if held.get("userhidden") else {"user": held["user"]}
            about = {name: held[name] for name in ("revid", "parentid", "timestamp")}
            page["revisions"].append({**about, **who, "slots": {"main": {"contentmodel": "wikitext", **slot}}})
        return {"pages": list(pages.values())} | ({"badrevids": bad} if bad else {})


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
