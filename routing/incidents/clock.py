"""The incident clock: judges each minute of each brand once it is over, and moves incidents on; one owner at a time.

What it works by stands in SQL: the counts, which routing writes with every decision, what it knew of a brand some
minutes ago, and up to where it has judged. A process that follows another goes on from there: minutes after the last
that was kept are read again, those that were judged before tell nobody a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import structlog
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, write
from database.tenure import Guard
from routing.incidents import book
from routing.incidents.book import Evidence, Incident, Watched
from routing.incidents.counted import Counts, counted, names
from routing.incidents.covered import Covered
from routing.incidents.levels import RANK, Limits, Signal, Standing, level, stands, step
from routing.incidents.panels import Panels
from stream.clock import DAY, HOUR, MINUTE, SECOND, passed
from stream.records import Millis

log = structlog.get_logger(__name__)

SETTLED: Millis = 15 * SECOND
"""A minute is judged so long after its end: what was published in it has to come in, be read and be routed."""
LATE = 15
"""Minutes that are read again: what came late to them counts with the next one that is judged."""
AT_ONCE = 240
"""Minutes that one step goes through."""
KEEP_EVERY = 10
"""Minutes between two times that what is known of a brand is written down."""
HISTORY: Millis = 28 * DAY
"""Of a brand that is watched for the first time, so much of what was counted before is learnt from."""
MOST_SIGNALS = 8
_JUDGED = ""
"""The row of `watch_state` that says up to where the clock has judged."""


class Telling(msgspec.Struct, frozen=True):
    """When people are told of an incident, and told again."""

    repeat_after: Millis = HOUR
    """A crisis that nobody looks after is told again."""
    escalate_after: Millis = 15 * MINUTE
    """A crisis that nobody looks after is told to the next one of the chain."""
    chain: int = 0
    """How many stand in it."""


class _Brand:
    """What is in memory of one brand, beside its series."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.counted: dict[int, Counts] = {}
        """Of the last LATE minutes, as they were judged."""
        self.dirty, self.kept = True, 0
        """Whether it moved since what is known of it was written down, and up to which minute that is."""


class Stepped(NamedTuple):
    judged: int
    """Minutes."""
    changed: int
    """Incidents opened or moved to another state."""
    more: bool


class IncidentClock:
    """`step` goes on to the present. Not for several threads at once."""

    def __init__(self, engine: Engine, guard: Guard, *, false_alarms_a_month: float, limits: Limits, telling: Telling):
        """`guard` raises where this process is no longer the one clock."""
        self._engine, self._guard = engine, guard
        self._bearable, self._limits, self._telling = false_alarms_a_month, limits, telling
        self._brands: dict[str, _Brand] = {}
        self._panels = Panels(false_alarms_a_month)
        self._minute: int | None = None
        """The next one to be read."""

    def forget(self) -> None:
        """Begin again from what SQL holds: somebody else may have been the clock meanwhile."""
        self._brands.clear()
        self._panels = Panels(self._bearable)
        self._minute = None

    def step(self, brands: Mapping[str, str], now: Millis, routed: Millis) -> Stepped:
        """Judge the minutes that are over by `now` and, where routing lags behind, those before `routed`. `brands`: id
        and kind of those that are watched. Raises Transient, LeaseLost."""
        until = (min(now - SETTLED, routed)) // MINUTE
        if self._minute is None:
            self._begin(until)
        assert self._minute is not None
        first = self._minute
        last = min(until, first + AT_ONCE)
        if last <= first:
            return Stepped(0, self._keep_telling(now), False)
        with read(self._engine) as connection:
            known = names(connection)
            found = counted(connection, known, first - LATE, last)
            covered = Covered(connection, (first - LATE) * MINUTE, last * MINUTE)
        for brand in brands:
            if brand not in self._brands:
                self._brands[brand] = self._taken_up(brand, first)
        changed = 0
        for minute in range(first, last):
            changed += self._judge(minute, brands, found, covered, now)
        self._minute = last
        self._write_down(last)
        return Stepped(last - first, changed + self._keep_telling(now), last < until)

    def _begin(self, until: int) -> None:
        with read(self._engine) as connection:
            held = rows(connection, "SELECT minute FROM watch_state WHERE brand = ?", (_JUDGED,))
        self._minute = min(held[0][0], until) if held else until

    def _taken_up(self, brand: str, until: int) -> _Brand:
        """What is known of a brand by the minute `until`: from what was written down, and what was counted since; of a
        new one, from what was counted in the last weeks. Nobody is told of anything."""
        panels = Panels(self._bearable)
        with read(self._engine) as connection:
            held = book.watched(connection, brand)
            known = held is not None and panels.take(brand, held.state)
            first = held.minute if held is not None and known else until - HISTORY // MINUTE
            of = names(connection)
            only = of._replace(brands={n: name for n, name in of.brands.items() if name == brand})
            minutes = counted(connection, only, min(first, until - LATE), until).get(brand, {})
            covered = Covered(connection, first * MINUTE, until * MINUTE)
        one = _Brand(held.standing if held is not None and known else Standing())
        if brand not in panels:
            panels.begin(brand)
        for minute in range(first if known else max(first, min(minutes, default=until)), until):
            counts = {brand: minutes.get(minute, {})}
            signals = panels.update(minute, counts, (), {brand: covered.share(brand, minute)}).get(brand, [])
            if known:
                one.standing = stepped(panels, brand, one.standing, signals, minute, self._limits)
                if one.standing.state == "over":
                    one.standing = Standing()
        self._panels.adopt(brand, panels)
        one.counted = {minute: dict(minutes.get(minute, {})) for minute in range(until - LATE, until)}
        return one

    def _judge(
        self,
        minute: int,
        brands: Mapping[str, str],
        found: Mapping[str, Mapping[int, Counts]],
        covered: Covered,
        now: Millis,
    ) -> int:
        late: list[tuple[str, int, str, int]] = []
        for brand in brands:
            one, counts = self._brands[brand], found.get(brand, {})
            late += [(brand, *rest) for rest in _late(one.counted, counts, minute)]
            one.counted = {m: dict(counts.get(m, {})) for m in range(minute - LATE + 1, minute + 1)}
        shares = {brand: covered.share(brand, minute) for brand in brands}
        counts_now = {brand: of[minute] for brand in brands if minute in (of := found.get(brand, {}))}
        signals = self._panels.update(minute, counts_now, late, {b: s for b, s in shares.items() if s < 1.0})
        return sum(self._move(brand, signals.get(brand, []), minute, shares[brand], now) for brand in brands)

    def _move(self, brand: str, signals: list[Signal], minute: int, share: float, now: Millis) -> int:
        one = self._brands[brand]
        before = one.standing
        if before.state == "calm" and not signals and not any(before.rising):
            return 0
        one.standing = after = stepped(self._panels, brand, before, signals, minute, self._limits)
        one.dirty = one.dirty or after.state != before.state or bool(signals)
        if after.state == "over":
            one.standing = Standing()
        if after.state == "calm":
            return 0
        surprising = tuple(sorted((s for s in signals if s.surprise >= 1.0), key=_gravity)[:MOST_SIGNALS])
        return self._enter(brand, after, Evidence(minute * MINUTE, surprising, share), now)

    def _enter(self, brand: str, standing: Standing, evidence: Evidence, now: Millis) -> int:
        """What a minute says of a brand that is not calm, into SQL where it is news."""
        with read(self._engine) as connection:
            held = book.live(connection, brand)
        if held is None and standing.state in ("over", "calm"):
            return 0
        if held is not None and standing.state == held.state and not evidence.signals:
            return 0
        with write(self._engine) as connection:
            self._guard(connection)
            if held is None:
                id = book.open_incident(connection, brand, standing, evidence, now)
                held = book.find(connection, id)
                moved = True
            else:
                moved = standing.state != held.state
                book.move(connection, held, standing, evidence, now)
            if moved:
                log.warning("incident", id=held.id, brand=brand, state=standing.state, why=book.summary(evidence))
                self._tell(connection, held, standing, now)
        return int(moved)

    def _tell(self, connection: Connection, held: Incident, standing: Standing, now: Millis) -> None:
        """Warnings and crises are told as they come; that it is over, to whom was told of it; old news to nobody."""
        if held.silent_until is not None and not passed(held.silent_until, now, 0):
            return
        if standing.state == "over":
            if held.told_at is not None:
                book.tell(connection, held.id, held.brand, "over", 0, now)
            return
        fresh = not passed(standing.seen, now, HOUR)
        eased = held.state == "crisis" and standing.state == "warning"
        if standing.state in ("warning", "crisis") and fresh and not eased:
            book.tell(connection, held.id, held.brand, "crisis" if standing.state == "crisis" else "warning", 0, now)

    def _keep_telling(self, now: Millis) -> int:
        """A crisis that nobody looks after: the next one of the chain, then everybody again."""
        with read(self._engine) as connection:
            unanswered = [
                one
                for one in book.listed(connection, all=False, most=1_000)
                if one.state == "crisis"
                and one.acknowledged_by is None
                and one.told_at is not None
                and (one.silent_until is None or passed(one.silent_until, now, 0))
            ]
        told = 0
        for one in unanswered:
            assert one.told_at is not None
            further = one.steps < self._telling.chain
            if not passed(one.told_at, now, self._telling.escalate_after if further else self._telling.repeat_after):
                continue
            with write(self._engine) as connection:
                self._guard(connection)
                book.tell(connection, one.id, one.brand, "still", one.steps + 1 if further else 0, now)
                if not further:
                    many(connection, "UPDATE incident SET steps = ? WHERE id = ?", [(one.steps, one.id)])
            told += 1
        return told

    def _write_down(self, minute: int) -> None:
        """Up to where was judged; of each brand that moved what is known of it, and of the others now and then."""
        due = {brand: one for brand, one in self._brands.items() if one.dirty or minute - one.kept >= KEEP_EVERY}
        with write(self._engine) as connection:
            self._guard(connection)
            book.keep_watched(connection, _JUDGED, Watched(minute, b"", Standing()))
            for brand, one in due.items():
                book.keep_watched(connection, brand, Watched(minute, self._panels.dump(brand), one.standing))
        for one in due.values():
            one.dirty, one.kept = False, minute


def stepped(
    panels: Panels, brand: str, before: Standing, signals: list[Signal], minute: int, limits: Limits
) -> Standing:
    """The standing of a brand after a minute, which the panels have seen."""
    at = minute * MINUTE
    rank = level(signals, limits)
    if not rank and stands(before, panels.last_hour(brand, before.series), at):
        rank = RANK["watch"]
    after = step(before, rank, at, limits)
    if before.state == "calm" and after.state not in ("calm", "over") and signals:
        lead = min(signals, key=_gravity)
        after = replace(after, series=lead.series, usual=panels.usual(brand, lead.series, minute - 59, 60)[1])
    return after


def _gravity(signal: Signal) -> tuple[bool, float]:
    return not signal.hurts, -signal.surprise


def _late(before: Mapping[int, Counts], now: Mapping[int, Counts], minute: int) -> list[tuple[int, str, int]]:
    """(minute, series, posts) of what came to minutes that were judged, or left them, since."""
    found: list[tuple[int, str, int]] = []
    for earlier, then in before.items():
        if earlier == minute:
            continue
        held = now.get(earlier, {})
        found += [
            (earlier, series, apart)
            for series in then.keys() | held.keys()
            if (apart := held.get(series, 0) - then.get(series, 0))
        ]
    return found
