"""Questions to a wiki's API, one after the other, and what its errors mean.

https://www.mediawiki.org/wiki/API:Etiquette, https://www.mediawiki.org/wiki/Manual:Maxlag_parameter,
https://www.mediawiki.org/wiki/API:RecentChanges, https://www.mediawiki.org/wiki/API:Revisions
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from config.sources.mediawiki import MediawikiSource
from ingest.collector import Denied, Interrupted, Malformed
from ingest.intake import MAX_TEXT
from ingest.loose import each_of
from ingest.web import Web, retry_after, user_agent

PAGE = 500
"""Changes in one answer, for whoever has no bot's rights."""
BATCH = 50
"""Revisions in one question."""
_PASSES = frozenset({"maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError", "toomanyvalues"})
_DENIES = frozenset({"readapidenied", "permissiondenied", "blocked", "autoblocked"})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    rcid: int
    revid: int
    old_revid: int = 0
    title: str
    timestamp: str
    user: str | None = None
    comment: str | None = None


class Slot(msgspec.Struct, frozen=True):
    content: str | None = None
    texthidden: bool = False


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    revid: int
    parentid: int = 0
    timestamp: str = ""
    user: str | None = None
    userhidden: bool = False
    slots: dict[str, Slot] = {}
    title: str = ""
    pageid: int = 0

    @property
    def text(self) -> str | None:
        main = self.slots.get("main")
        return None if main is None or main.texthidden else main.content

    @property
    def hidden(self) -> bool:
        main = self.slots.get("main")
        return main is not None and main.texthidden


class Api:
    """One thread's way to a wiki."""

    def __init__(self, settings: MediawikiSource) -> None:
        self._settings = settings
        agent = {"User-Agent": f"{user_agent()} ({settings.contact})"}
        self._web = Web("", agent, timeout=settings.timeout / 1000)

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()

    def changes(self, **asked: str | int) -> Iterator[tuple[list[Change], list[Malformed]]]:
        """Pages of changes as they are asked for."""
        settings, following = self._settings, dict[str, str]()
        while True:
            answer = self._query(
                list="recentchanges",
                rctype="edit|new",
                rcprop="ids|title|user|comment|timestamp",
                rcnamespace="|".join(map(str, settings.namespaces)),
                **({} if settings.bots else {"rcshow": "!bot"}),
                **{"rclimit": PAGE, **asked, **following},
            )
            listed = answer.get("query", {}).get("recentchanges") if isinstance(answer.get("query"), dict) else None
            if not isinstance(listed, list):
                raise Interrupted("what the wiki answered is no list of changes")
            yield each_of(listed, lambda one: msgspec.convert(one, Change), "recentchanges", "change")
            further = answer.get("continue")
            if not isinstance(further, dict) or further == following:
                return
            following = {str(name): str(value) for name, value in further.items()}

    def revisions(self, ids: Sequence[int]) -> tuple[dict[int, Revision], set[int]]:
        """(those that there are, with their texts; those that there are not)."""
        found, bad = dict[int, Revision](), set[int]()
        left = [id for id in dict.fromkeys(ids) if id > 0]
        while left:
            answer = self._query(
                prop="revisions",
                revids="|".join(map(str, left[:BATCH])),
                rvprop="ids|timestamp|user|content",
                rvslots="main",
            )
            query = answer.get("query")
            if not isinstance(query, dict):
                raise Interrupted("what the wiki answered holds no revisions")
            here, missing = _revisions_of(query)
            found |= here
            bad |= missing
            # An answer that would be too large leaves the last ones out.
            remaining = [id for id in left if id not in found and id not in bad]
            left = remaining if len(remaining) < len(left) and (here or missing) else remaining[BATCH:]
        return found, bad

    def _query(self, **params: str | int) -> Mapping[str, Any]:
        base: dict[str, str | int] = {"action": "query", "format": "json", "formatversion": 2}
        answer = self._web.get(self._settings.url, {**base, "maxlag": self._settings.max_lag, **params})
        held = answer.json()
        if not isinstance(held, dict):
            raise Interrupted("what the wiki answered is no object")
        error = held.get("error")
        if error is not None:
            code = str(error.get("code") if isinstance(error, dict) else error)[:60]
            if code in _DENIES:
                raise Denied(f"the wiki answered {code}: see whether it lets anybody read ({self._settings.url})")
            raise Interrupted(f"the wiki answered {code}", retry_after(answer.headers) if code in _PASSES else None)
        return held


def added(new: str, old: str) -> tuple[str, str]:
    """(lines that the new text has and the old has not, the other way about)."""
    there, was = Counter(new.split("\n")), Counter(old.split("\n"))
    return "\n".join(_more(new, was))[:MAX_TEXT], "\n".join(_more(old, there))


def _more(text: str, other: Counter[str]) -> Iterator[str]:
    left = Counter(other)
    for line in text.split("\n"):
        if left[line] > 0:
            left[line] -= 1
        elif line.strip():
            yield line


def _revisions_of(query: Mapping[str, Any]) -> tuple[dict[int, Revision], set[int]]:
    found: dict[int, Revision] = {}
    pages = query.get("pages")
    for page in pages if isinstance(pages, list) else ():
        try:
            for one in msgspec.convert(page.get("revisions", []), list[Revision]):
                about = {"title": str(page.get("title", "")), "pageid": int(page.get("pageid", 0))}
                found[one.revid] = msgspec.structs.replace(one, **about)
        except (msgspec.ValidationError, AttributeError, TypeError, ValueError):
            raise Interrupted("what the wiki answered holds something that is no revision") from None
    bad = query.get("badrevids")
    named = bad.values() if isinstance(bad, dict) else bad if isinstance(bad, list) else ()
    return found, {one["revid"] for one in named if isinstance(one, dict) and isinstance(one.get("revid"), int)}
