"""X's compliance streams: which posts and accounts are gone, withheld or back, told by X itself as it happens.

They tell of all of X, in four parts each, so that nearly every word is about a post that is not here: the intake keeps
those that concern one that is (`ingest.known`). Each part is listened to in a thread of its own and comes back by
itself; X repeats the last minutes then, and a word that comes twice changes nothing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, NamedTuple

import structlog

from config.sources.x import XSource
from ingest.collector import Denied, Draft, Interrupted, Malformed
from ingest.dates import iso_millis
from ingest.networks.x_api import Access, Lines, Rejected, decoded
from ingest.networks.x_posts import withheld
from ingest.patience import DENIED_WAIT, Backoff
from stream.clock import SECOND, Clock
from stream.records import Author, Millis, PostKind

POSTS, USERS = "/2/tweets/compliance/stream", "/2/users/compliance/stream"
PARTS = 4
REPEATED = 5
"""Minutes that X repeats on a new connection, the most that it does. What was missed longer ago, the sweeps find."""
AT_ONCE = 500
WAITING = 200
"""Batches that wait here; then X waits, and cuts the connection if that takes long."""
TICK = 0.25
_OF_POSTS: Mapping[str, PostKind] = {"delete": "deleted", "drop": "deleted", "undrop": "restored"}
_OF_USERS: Mapping[str, PostKind] = {
    "user_delete": "author_gone", "user_protect": "author_gone", "user_suspend": "author_gone",
    "user_undelete": "author_back", "user_unprotect": "author_back", "user_unsuspend": "author_back",
}  # fmt: skip
_SAYS_NOTHING_HERE = frozenset({"tweet_edit", "scrub_geo", "user_profile_modification"})
"""An edit's text comes by the filtered stream or the next look-up."""

_log = structlog.get_logger(__name__)


class Told(NamedTuple):
    drafts: list[Draft]
    malformed: list[Malformed]
    asked: int = 0


class Compliance:
    """Of one source. `take` is for one thread. Use with `closing`."""

    def __init__(self, settings: XSource, access: Access, clock: Clock, stop: threading.Event) -> None:
        self._settings, self._access, self._clock, self._stop = settings, access, clock, stop
        self._told: queue.Queue[Told] = queue.Queue(WAITING)
        self._leave = threading.Event()
        self._threads = [
            threading.Thread(target=self._listen_on, args=(path, part), name=f"x-compliance-{part}", daemon=True)
            for path in (POSTS, USERS)
            for part in range(1, PARTS + 1)
        ]
        for thread in self._threads:
            thread.start()

    def take(self) -> Told:
        """What came, at once."""
        drafts, malformed, asked = list[Draft](), list[Malformed](), 0
        for _ in range(WAITING):
            try:
                told = self._told.get_nowait()
            except queue.Empty:
                break
            drafts += told.drafts
            malformed += told.malformed
            asked += told.asked
        return Told(drafts, malformed, asked)

    def close(self) -> None:
        """A thread that is just connecting ends by itself, by its time-out."""
        self._leave.set()
        for thread in self._threads:
            thread.join(2 * TICK)

    def _listen_on(self, path: str, part: int) -> None:
        backoff = Backoff()
        while not self._over():
            wait: Millis | None = None
            began = self._clock.steady()
            try:
                self._listen(path, part)
            except (Interrupted, Denied, Rejected) as fault:
                wait = DENIED_WAIT if isinstance(fault, Denied) else getattr(fault, "retry_after", None)
                _log.warning("ingest.compliance_cut", source=self._settings.id, path=path, part=part, why=str(fault))
            except Exception as fault:
                _log.error("ingest.compliance_cut", source=self._settings.id, path=path, fault=type(fault).__name__)
            if self._clock.steady() - began >= 30 * SECOND:
                backoff.reset()
            self._leave.wait((backoff.next() if wait is None else max(wait, backoff.first)) / 1000)

    def _listen(self, path: str, part: int) -> None:
        asked = {"partition": str(part), "backfill_minutes": str(REPEATED)}
        with closing(Lines(self._access, self._clock.now, path, asked)) as lines:
            self._put(Told([], [], 1))
            while not self._over():
                if taken := lines.take(AT_ONCE, TICK):
                    self._put(self._understood(path, taken))

    def _put(self, told: Told) -> None:
        while not self._over():
            with suppress(queue.Full):
                self._told.put(told, timeout=TICK)
                return

    def _over(self) -> bool:
        return self._leave.is_set() or self._stop.is_set()

    def _understood(self, path: str, lines: list[bytes]) -> Told:
        told = Told([], [])
        for line in lines:
            try:
                found = word(decoded(line), self._settings.withheld_in)
            except (KeyError, TypeError, ValueError, AttributeError):
                reason = "a line of the compliance stream that is no event"
                told.malformed.append(Malformed(f"{self._settings.id}:{path}", reason, line))
            else:
                told.drafts.extend(found)
        return told


def word(held: Mapping[str, Any], countries: tuple[str, ...]) -> list[Draft]:
    """What an event means; none where it changes nothing here. Raises KeyError, TypeError, ValueError,
    AttributeError for what is no event."""
    if "data" not in held and "errors" in held:
        return []
    ((name, event),) = held["data"].items()
    if name in _SAYS_NOTHING_HERE:
        return []
    if name in ("withheld", "user_withheld"):
        if not withheld({"withheld": {"country_codes": event["withheld_in_countries"]}}, countries):
            return []
        kind: PostKind = "deleted" if name == "withheld" else "author_gone"
    elif name in _OF_POSTS:
        kind = _OF_POSTS[name]
    elif name in _OF_USERS:
        kind = _OF_USERS[name]
    else:
        # A kind that is newer than this: nothing is taken away by a guess.
        return []
    at = iso_millis(event["event_at"])
    if kind in ("author_gone", "author_back"):
        id = _number(event["user"]["id"])
        return [Draft(native_id=id, kind=kind, author=Author(id=id), seen_at=at)]
    return [Draft(native_id=_number(event["tweet"]["id"]), kind=kind, seen_at=at)]


def _number(id: object) -> str:
    if not isinstance(id, str) or not id.isascii() or not id.isdigit():
        raise ValueError("no id")
    return id
