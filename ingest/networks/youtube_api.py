"""Questions to the YouTube Data API v3: what each costs of the day's quota, and what its refusals mean.

Costs and the day: https://developers.google.com/youtube/v3/determine_quota_cost (a list is 1 unit, searches have a
bucket of their own, both reset at midnight Pacific time). Errors: https://developers.google.com/youtube/v3/docs/errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ingest.collector import Delivery, Denied, Interrupted
from ingest.web import Answer, Web
from stream.clock import DAY, MINUTE, Clock
from stream.records import Millis

PACIFIC = ZoneInfo("America/Los_Angeles")
Params: TypeAlias = Mapping[str, str | int]
LISTED = 0.95
"""The part of a day's units that the rounds use."""
MOST_PAGES = 300
"""Of one listing: 30,000 threads. What lies further back is recorded as missing."""
_SPENT = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "backendError"})
_HERE_ONLY = frozenset(
    {
        "commentsDisabled", "videoNotFound", "channelNotFound", "playlistNotFound", "commentThreadNotFound", "notFound",
        "commentNotFound", "playlistItemsNotAccessible", "forbidden", "processingFailure", "channelClosed",
        "channelSuspended", "channelForbidden", "videoChannelMismatch",
    }
)  # fmt: skip
_PASSING = frozenset({"invalidPageToken"})


class Spent(Interrupted):
    """The day's quota is used up, here or at Google."""


class Unavailable(Exception):
    """One channel, video or comment cannot be read; the key and everything else can."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


class Quota:
    """The units of a day and its searches; several threads may spend them."""

    def __init__(self, clock: Clock, units: int, searches: int, search_cost: int) -> None:
        self.clock, self.units, self.searches, self.search_cost = clock, units, searches, search_cost
        self._lock = Lock()
        self._day, self._used, self._searched = "", 0, 0

    def take(self, units: int, searches: int = 0) -> None:
        """Raises Spent where the day has no more; then nothing is taken. `units` 0: only ask."""
        with self._lock:
            self._turn()
            if self._used + max(units, 1) > self.units:
                raise Spent(f"the day's quota is used up: {self._used:,} of {self.units:,} units", self.until_reset())
            if self._searched + searches > self.searches:
                raise Spent(f"the day's quota of {self.searches:,} searches is used up", self.until_reset())
            self._used += units
            self._searched += searches

    def used_up(self, *, searches_only: bool) -> None:
        """Google says so, whatever was counted here (others may use the same project)."""
        with self._lock:
            self._turn()
            self._searched = self.searches
            if not searches_only:
                self._used = self.units

    def ahead(self, slack: float) -> bool:
        """Whether more is used than `slack` at the day's beginning, growing to most of the units at its end: then what
        can wait does, so that they last, and some are left for single questions."""
        with self._lock:
            self._turn()
            elapsed = max(0.0, 1 - self.until_reset() / DAY)
            return self._used > self.units * (slack + (LISTED - slack) * elapsed)

    def until_reset(self) -> Millis:
        now = datetime.fromtimestamp(self.clock.wall() / 1000, PACIFIC)
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), PACIFIC)
        return round((midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds() * 1000)

    def kept(self) -> tuple[str, int, int]:
        with self._lock:
            self._turn()
            return self._day, self._used, self._searched

    def restore(self, kept: tuple[str, int, int]) -> None:
        """As it was when the cursor was written; more may have been used since by this process."""
        with self._lock:
            self._turn()
            if kept[0] == self._day:
                self._used, self._searched = max(self._used, kept[1]), max(self._searched, kept[2])

    def _turn(self) -> None:
        day = datetime.fromtimestamp(self.clock.wall() / 1000, PACIFIC).date().isoformat()
        if day != self._day:
            self._day, self._used, self._searched = day, 0, 0


class Api:
    """One thread's way to the API."""

    def __init__(self, url: str, key: Callable[[], str], quota: Quota, timeout: float) -> None:
        self.quota = quota
        self._web = Web(url, lambda: {"X-Goog-Api-Key": key()}, timeout=timeout)
        self._told = (0, 0)
        self._units = 0

    def get(self, resource: str, params: Params, etag: str = "") -> dict[str, Any] | None:
        """The answer's object; None: nothing has changed since `etag`.

        Raises Spent, Interrupted, Denied, Unavailable, Refused.
        """
        search = resource == "search"
        cost = self.quota.search_cost if search else 1
        self.quota.take(cost, int(search))
        self._units += cost
        headers = {"If-None-Match": etag} if etag else None
        answer = self._web.ask("GET", resource, params=params, headers=headers, good=(304, 400, 403, 404))
        if answer.status == 304:
            return None
        if answer.status >= 400:
            raise self._fault(answer, search)
        held = answer.json()
        if not isinstance(held, dict):
            raise Interrupted(f"YouTube answered {resource} with no object")
        return held

    def pages(
        self, resource: str, params: Params, first: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Mapping[str, Any], bool]]:
        """(page, whether more were left out) until there is none; `first`: where it was asked for already."""
        token, seen = "", set[str]()
        for number in range(MOST_PAGES):
            page = first if number == 0 and first is not None else None
            if page is None:
                page = self.get(resource, {**params, "pageToken": token} if token else params) or {}
            token = str(page.get("nextPageToken") or "")
            again = bool(token) and token in seen
            more = bool(token) and not again
            yield page, again or (more and number == MOST_PAGES - 1)
            if not more:
                return
            seen.add(token)

    def delivery(self, **brought: Any) -> Delivery:
        """A Delivery of what was brought, with the requests made and the units used since the last one."""
        asked, cost = self.used()
        return Delivery(**brought, asked=asked, cost=cost)

    def used(self) -> tuple[int, int]:
        """(requests made, units used) since this was last asked."""
        asked, cost = self._web.asked - self._told[0], self._units - self._told[1]
        self._told = (self._web.asked, self._units)
        return asked, cost

    def close(self) -> None:
        self._web.close()

    def _fault(self, answer: Answer, search: bool) -> Exception:
        reasons, said = _reasons(answer.body)
        if reasons & _SPENT:
            self.quota.used_up(searches_only=search)
            return Spent("Google says that the day's quota is used up", self.quota.until_reset())
        if reasons & _TOO_FAST:
            return Interrupted("YouTube asks for fewer requests a minute (quota)", MINUTE)
        if reasons & _PASSING:
            return Interrupted("a page's token did not hold")
        here = reasons & _HERE_ONLY
        if here or (answer.status == 404 and reasons):
            return Unavailable(min(here, default="notFound"), answer.status)
        if answer.status == 404:
            # Not the API's word: something on the way there has no such page.
            return Interrupted("what answered 404 is not YouTube: look at `url`, or at the proxy")
        if answer.status == 403 or "API_KEY_INVALID" in reasons or "keyInvalid" in reasons or "API key" in said:
            return Denied(f"YouTube refuses the key: {', '.join(sorted(reasons)) or answer.status}: {said}")
        return self._web.fault(answer)


def _reasons(body: bytes) -> tuple[frozenset[str], str]:
    """(the reasons that an error names, its message on one line)."""
    try:
        error = msgspec.json.decode(body)["error"]
        listed = [one.get("reason") for one in [*error.get("errors", []), *error.get("details", [])]]
        said = " ".join(str(error.get("message", "")).split())[:200]
        return frozenset(str(one) for one in listed if one), said
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return frozenset(), ""
