"""Who wrote a post: the stream names accounts by DID alone, people know them by handle.

Looked up only for posts that are kept, 25 accounts a request, at most so many requests a minute, and remembered for a
day. A look-up that fails costs the handle, never the post.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from urllib.parse import urlencode

import msgspec
import structlog

from ingest.collector import Denied, Interrupted
from ingest.networks.bluesky_posts import Profile
from ingest.wanted import Wanted
from ingest.web import Refused, Web
from stream.clock import DAY, HOUR, MINUTE, Clock
from stream.records import Author, Millis

AT_ONCE = 25
REMEMBERED = 20_000
KEPT_FOR: Millis = DAY
UNKNOWN_FOR: Millis = 10 * MINUTE
OWN_FOR: Millis = HOUR
PAUSE: Millis = MINUTE
"""After a look-up that failed."""

_log = structlog.get_logger(__name__)


class Profiles(msgspec.Struct, frozen=True):
    profiles: list[Profile] = []


class People:
    """Any thread may ask."""

    def __init__(self, web: Web, clock: Clock, wanted: Callable[[], Sequence[Wanted]], per_minute: int) -> None:
        self._web, self._clock, self._wanted, self._per_minute = web, clock, wanted, per_minute
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Millis, Author | None]] = OrderedDict()
        self._asked: deque[Millis] = deque()
        self._own: Mapping[str, Sequence[str]] = {}
        self._own_for: Sequence[str] | None = None
        self._own_until: Millis = 0
        self._paused_until: Millis = 0

    def own(self) -> Mapping[str, Sequence[str]]:
        """Brands by the DIDs of their own accounts."""
        with self._lock:
            brands = _accounts(self._wanted())
            handles = list(brands)
            now = self._clock.steady()
            if handles != self._own_for or now >= self._own_until:
                found, answered = self._ask(handles, now)
                if len(answered) == len(handles):
                    self._own = {one.did: brands.get(_handle(one)) or brands.get(one.did, ()) for one in found}
                    self._own_for, self._own_until = handles, now + OWN_FOR
                    self._remember(found, now)
            return self._own

    def authors(self, dids: Iterable[str]) -> dict[str, Author]:
        """Those that are known, or can be looked up now."""
        with self._lock:
            now = self._clock.steady()
            found: dict[str, Author] = {}
            missing: list[str] = []
            for did in dict.fromkeys(dids):
                until, author = self._known.get(did, (0, None))
                if author is not None and now < until:
                    found[did] = author
                elif now >= until:
                    missing.append(did)
            profiles, answered = self._ask(missing, now)
            self._remember(profiles, now)
            found |= {one.did: one.author() for one in profiles}
            for did in answered:
                if did not in found:
                    self._put(did, now + UNKNOWN_FOR, None)
            return found

    def renamed(self, did: str) -> None:
        """An account's handle has changed."""
        with self._lock:
            self._known.pop(did, None)
            if did in self._own:
                self._own_until = 0

    def close(self) -> None:
        self._web.close()

    def _remember(self, found: Iterable[Profile], now: Millis) -> None:
        for one in found:
            self._put(one.did, now + KEPT_FOR, one.author())

    def _put(self, did: str, until: Millis, author: Author | None) -> None:
        self._known[did] = (until, author)
        self._known.move_to_end(did)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _ask(self, actors: Sequence[str], now: Millis) -> tuple[list[Profile], list[str]]:
        """(the profiles found, those of the actors that were asked for and answered)."""
        found: list[Profile] = []
        answered: list[str] = []
        rest = iter(actors)
        while (part := list(islice(rest, AT_ONCE))) and self._may(now):
            try:
                query = urlencode([("actors", actor) for actor in part])
                found += self._web.get(f"/xrpc/app.bsky.actor.getProfiles?{query}").decoded(Profiles).profiles
                answered += part
            except (Interrupted, Denied, Refused) as fault:
                self._paused_until = now + PAUSE
                _log.warning("ingest.profiles_wait", fault=type(fault).__name__)
        return found, answered

    def _may(self, now: Millis) -> bool:
        while self._asked and self._asked[0] <= now - MINUTE:
            self._asked.popleft()
        if now < self._paused_until or len(self._asked) >= self._per_minute:
            return False
        self._asked.append(now)
        return True


def _accounts(wanted: Iterable[Wanted]) -> dict[str, tuple[str, ...]]:
    """Brands by handle or DID of their accounts on Bluesky; `@name` without a domain may be of any network."""
    brands: dict[str, tuple[str, ...]] = {}
    for one in wanted:
        for account in one.accounts:
            network, _, name = account.rpartition(":") if not account.startswith("did:") else ("bluesky", "", account)
            if account.startswith("bluesky:did:"):
                network, name = "bluesky", account.removeprefix("bluesky:")
            name = name.removeprefix("@").lower()
            if network not in ("", "bluesky") or (not network and "." not in name):
                continue
            if not name.startswith("did:") and "." not in name:
                name += ".bsky.social"
            brands[name] = (*brands.get(name, ()), one.brand)
    return brands


def _handle(profile: Profile) -> str:
    return (profile.handle or "").lower()
