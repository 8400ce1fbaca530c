"""Keeps a source within its caps: what a request may cost is reserved in SQL before it is made, and set right after.

Every process and thread that asks a source goes by the same rows, so together they stay within the cap. Each holds at
most one delivery's worth in reserve. What a process that was killed had reserved stays used up: nobody can say whether
it was billed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog
from sqlalchemy import Connection, Engine

from config.sources import Collected
from database.engine import many, read, rows, write
from ingest.caps import MICRO, Cap, Rank, Rate, caps, left_out, level, rank, rate, room
from ingest.wanted import Wanted
from stream.clock import DAY, Clock
from stream.records import Millis

KEPT: Millis = 400 * DAY
"""Periods that are over are kept for so long."""
REQUESTS = "requests"

_log = structlog.get_logger(__name__)


class Budgets:
    """The budgets of a home's sources."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine, self.clock = engine, clock

    def of(self, settings: Collected, wanted: Callable[[], Sequence[Wanted]]) -> SourceBudget | None:
        """For `Runner(budget=…)`; its `allowed` is for `Setting`. None: nothing is capped there and nothing counted.

        Whoever else asks the source (sweeps, a fetched thread, an estimate) asks `wait` before and tells `spent` after.
        """
        costs = settings.documented()
        of_source, pace = caps(settings.budget, costs), rate(settings.budget, costs)
        if not of_source and pace is None:
            return None
        return SourceBudget(self.engine, self.clock, settings.id, of_source, pace, costs.most, wanted)


class _Key(NamedTuple):
    """A row of `budget_used`, of one source."""

    brand: str
    measure: str
    since: Millis


class _Row(NamedTuple):
    used: int
    level: int


_NONE = _Row(0, 0)
_Hand = dict[_Key, int]
"""What one thread has reserved and not used; below nothing: used, and not yet written."""


class SourceBudget:
    """Keeps `ingest.collector.Budget`. Several threads may ask; each reserves for itself. Every call is one short
    transaction at most, and raises stream.ports.Transient."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        source_id: str,
        of_source: Sequence[Cap],
        pace: Rate | None,
        most: int,
        wanted: Callable[[], Sequence[Wanted]] = tuple,
    ) -> None:
        """`most`: units that one delivery costs at most."""
        self.source_id = source_id
        self._engine, self._clock = engine, clock
        self._caps, self._rate, self._most, self._wanted = of_source, pace, most, wanted
        self._hands: dict[int, _Hand] = {}

    def wait(self, source_id: str, now: Millis, brand: str | None = None) -> Millis:
        """Reserve what the next delivery costs at most. How long to wait before it may be asked for; 0: go ahead; -1:
        the cap of this period leaves no room. `brand`: whom it is for (empty: nobody in particular); None: for whoever
        is `allowed`."""
        who: Rank = "urgent" if brand is None else self._rank(brand)
        return self._take(now, who, brand or "")

    def allowed(self, brand: str) -> bool:
        """Whether there is room to ask for this brand now; its part of the next delivery is reserved then. Ask before
        each request for it."""
        return self._take(self._clock.wall(), self._rank(brand), brand, pace=False) == 0

    def spent(self, source_id: str, cost: int, requests: int, now: Millis, brand: str = "") -> None:
        """What was used up in truth; also where it is more than was reserved."""
        hand = self._hand()
        if self._rate is not None and requests:
            key = next((key for key in hand if key.measure == REQUESTS), _Key("", REQUESTS, self._rate.slice_of(now)))
            hand[key] = hand.get(key, 0) - requests
        for cap in self._caps if cost else ():
            since = next((key.since for key in hand if key.measure == cap.measure and not key.brand), None)
            for whose in dict.fromkeys(("", brand)):
                key = _Key(whose, cap.measure, cap.period(now).since if since is None else since)
                hand[key] = hand.get(key, 0) - cap.of(cost)
        if any(amount < 0 for amount in hand.values()):
            with write(self._engine) as connection:
                self._settle(connection, hand, self._rows(connection, now), keep=set(hand))
        self._keep(hand)

    def leave(self) -> None:
        """Give back what this thread has reserved."""
        hand = self._hand()
        if any(hand.values()):
            with write(self._engine) as connection:
                self._settle(connection, hand, self._rows(connection, self._clock.wall()), keep=set())
        self._keep({})

    # --- one transaction ---

    def _take(self, now: Millis, who: Rank, brand: str, *, pace: bool = True) -> Millis:
        """As `wait`; `pace`: a request is meant as well."""
        hand, whose = self._hand(), tuple(dict.fromkeys(("", brand)))
        want = {_Key(one, cap.measure, cap.period(now).since): cap for cap in self._caps for one in whose}
        tick = None if self._rate is None else _Key("", REQUESTS, self._rate.slice_of(now))
        with write(self._engine) as connection:
            known = self._rows(connection, now)
            self._settle(connection, hand, known, keep={*want, tick} if tick else set(want))
            full = [key for key, cap in want.items() if not self._fits(cap, key, who, hand, known)]
            longer = 0
            if full:
                self._note_full(connection, full, who, known)
            elif tick is not None and pace and not hand.get(tick):
                longer = self._rate_wait(known, now)
                if not longer:
                    self._add(connection, tick, 1, known)
                    hand[tick] = 1
            if not full and not longer:
                self._reserve(connection, want, hand, known)
        self._keep(hand)
        return -1 if full else longer

    def _rate_wait(self, known: Mapping[_Key, _Row], now: Millis) -> Millis:
        made = {key.since: row.used for key, row in known.items() if key.measure == REQUESTS}
        return 0 if self._rate is None else self._rate.wait(made, now)

    def _reserve(self, connection: Connection, want: Mapping[_Key, Cap], hand: _Hand, known: dict[_Key, _Row]) -> None:
        """Of a brand without a cap of its own nothing: what it used up is told afterwards."""
        for key, cap in want.items():
            most = cap.of(self._most)
            need = most - hand.get(key, 0)
            if need > 0 and (not key.brand or cap.of_brand(key.brand) is not None):
                self._add(connection, key, need, known)
                hand[key] = most

    def _fits(self, cap: Cap, key: _Key, who: Rank, hand: Mapping[_Key, int], known: Mapping[_Key, _Row]) -> bool:
        limit = cap.of_brand(key.brand) if key.brand else cap.limit
        if limit is None:
            return True
        request = cap.of(self._most)
        # A part of one's own is used up whole: the twentieth for emergencies is kept of the source's cap alone.
        most = limit if key.brand else room(limit, who, request)
        others = known.get(key, _NONE).used - hand.get(key, 0)
        return others + max(request, 1) <= most

    def _settle(self, connection: Connection, hand: _Hand, known: dict[_Key, _Row], *, keep: set[_Key]) -> None:
        """Write what was used beyond the reserve, and give back what is reserved in a period that is not in `keep`."""
        for key, amount in sorted(hand.items()):
            if amount < 0 or (amount > 0 and key not in keep):
                self._add(connection, key, -amount, known)
                del hand[key]

    def _add(self, connection: Connection, key: _Key, amount: int, known: dict[_Key, _Row]) -> None:
        before = known.get(key)
        used = (before or _NONE).used + amount
        cap = next((cap for cap in self._caps if cap.measure == key.measure), None)
        limit = None if cap is None else cap.of_brand(key.brand) if key.brand else cap.limit
        reached = max((before or _NONE).level, level(used, limit))
        if before is None:
            self._prune(connection, key)
        many(connection, _ADD, [(self.source_id, *key, amount, reached)])
        known[key] = _Row(used, reached)

    def _note_full(self, connection: Connection, full: Sequence[_Key], who: Rank, known: dict[_Key, _Row]) -> None:
        """The cap counts as reached once its own brands, or a brand of a part of its own, are left out."""
        for key in full:
            if (key.brand or who in ("own", "urgent")) and known.get(key, _NONE).level < LAST:
                many(connection, _ADD, [(self.source_id, *key, 0, LAST)])
                _log.warning("ingest.budget_full", source=self.source_id, brand=key.brand, measure=key.measure)

    def _rows(self, connection: Connection, now: Millis) -> dict[_Key, _Row]:
        """Of the periods and slices that `now` is in."""
        since = [cap.period(now).since for cap in self._caps]
        if self._rate is not None:
            since.append(self._rate.oldest(now))
        found = rows(connection, _USED, (self.source_id, min(since)))
        return {_Key(*row[:3]): _Row(row[3], row[4]) for row in found}

    def _prune(self, connection: Connection, key: _Key) -> None:
        """What is over is let go of as the next period begins."""
        until = key.since - (2 * self._rate.window if key.measure == REQUESTS and self._rate else KEPT)
        many(connection, _FORGET, [(self.source_id, key.measure, until)])

    def _rank(self, brand: str) -> Rank:
        return rank(next((one for one in self._wanted() if one.brand == brand), None))

    def _hand(self) -> _Hand:
        """A copy of this thread's, which counts once its transaction is through. A thread that follows a dead one under
        its number takes over what that had reserved."""
        return dict(self._hands.get(threading.get_ident(), {}))

    def _keep(self, hand: _Hand) -> None:
        self._hands[threading.get_ident()] = {key: amount for key, amount in hand.items() if amount}


LAST = 100
_ADD = (
    "INSERT INTO budget_used (source_id, brand, measure, since, used, level) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (source_id, brand, measure, since) DO UPDATE SET used = budget_used.used + excluded.used, "
    "level = CASE WHEN excluded.level > budget_used.level THEN excluded.level ELSE budget_used.level END"
)
_USED = "SELECT brand, measure, since, used, level FROM budget_used WHERE source_id = ? AND since >= ?"
_FORGET = "DELETE FROM budget_used WHERE source_id = ? AND measure = ? AND since < ?"


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a cap is used up in the period that it is now, what is reserved for requests under way included."""

    source: str
    brand: str
    """Empty: the source as a whole."""
    measure: str
    """`money` or `units`."""
    unit: str
    used: float
    """In `unit`."""
    limit: float | None
    """None: no cap."""
    share: float | None
    """Part of the cap, 0 to 1 and beyond; None: no cap."""
    level: int
    """The highest of 50, 80 and 100 % that was reached."""
    since: Millis
    until: Millis
    left_out: tuple[str, ...] = ()
    """Kinds of brands that are not asked for any more."""
    told: str = ""
    """In words."""


def spent_of(engine: Engine, settings: Collected, now: Millis) -> list[Spent]:
    """Of the source, then of each of its brands that has used up anything. Read from SQL alone."""
    found = []
    for cap in caps(settings.budget, settings.documented()):
        period = cap.period(now)
        with read(engine) as connection:
            used = rows(connection, _OF_CAP, (settings.id, cap.measure, period.since))
        by_brand = {brand: _Row(amount, reached) for brand, amount, reached in used}
        named = {*cap.brands, *by_brand} - {""} if cap.limit is not None else by_brand.keys() - {""}
        found += [
            _spent(settings, cap, brand, by_brand.get(brand, _NONE), period.since, period.until)
            for brand in ("", *sorted(named))
        ]
    return found


_OF_CAP = "SELECT brand, used, level FROM budget_used WHERE source_id = ? AND measure = ? AND since = ?"


def _spent(settings: Collected, cap: Cap, brand: str, row: _Row, since: Millis, until: Millis) -> Spent:
    limit = cap.of_brand(brand) if brand else cap.limit
    out = tuple(left_out(row.used, limit, cap.of(settings.documented().most))) if limit and not brand else ()
    scale = MICRO if cap.measure == "money" else 1
    whose = f"source {settings.id}" + (f", brand {brand}," if brand else "")
    of = f"{cap.words(row.used)}" + ("" if limit is None else f" of {cap.words(limit)}")
    return Spent(
        source=settings.id,
        brand=brand,
        measure=cap.measure,
        unit=cap.unit,
        used=row.used / scale,
        limit=None if limit is None else limit / scale,
        share=None if not limit else row.used / limit,
        level=row.level,
        since=since,
        until=until,
        left_out=out,
        told=f"{whose} has used up {of} of this {cap.per}",
    )
