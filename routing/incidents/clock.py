"""The incident clock: judges each minute of each brand once it is over, and moves incidents on; one owner at a time.

What it works by stands in SQL: the counts, which routing writes with every decision, what it knew of a brand some
minutes ago, and up to where it has judged. A process that follows another goes on from there: minutes after the last
that was kept are read again, those that were judged before tell nobody a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from database.engine import read, rows, write
from database.tenure import Guard
from routing import silences
from routing.incidents import book, telling
from routing.incidents.another import Another
from routing.incidents.book import Evidence, Incident, Watched
from routing.incidents.counted import Counts, counted, names
from routing.incidents.covered import Covered
from routing.incidents.levels import RANK, Limits, Signal, Standing, level, stands, step
from routing.incidents.matters import Comparing
from routing.incidents.panels import Panels
from routing.incidents.telling import Telling
from routing.silences import Silence
from stream.clock import DAY, MINUTE, SECOND
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
HISTORY: Millis = 14 * DAY
"""Of a brand that is watched for the first time, so much of what was counted before is learnt from."""
MOST_SIGNALS = 8
MOST_LIVE = 10_000
HOUR_MINUTES = 60
SET_BACK = 2 * HOUR_MINUTES
"""Minutes: what was judged so far ahead was judged before the clock was set back."""
JUDGED = ""
"""The row of `watch_state` that says up to where the clock has judged."""


class _Brand:
    """What is in memory of one brand, beside its series."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.counted: dict[int, Counts] = {}
        """Of the last LATE minutes, as they were judged."""
        self.dirty, self.kept = True, 0
        """Whether it moved since what is known of it was written down, and up to which minute that is."""


class _News(NamedTuple):
    """A minute that says something about the incident of a brand."""

    brand: str
    standing: Standing
    evidence: Evidence


class Stepped(NamedTuple):
    judged: int
    """Minutes."""
    changed: int
    """Incidents opened or moved to another state, and times that people were told."""
    more: bool


class IncidentClock:
    """`step` goes on to the present. Not for several threads at once."""

    def __init__(
        self,
        engine: Engine,
        guard: Guard,
        *,
        false_alarms_a_month: float,
        limits: Limits,
        tells: Telling,
        responds: Callable[[Connection, Millis], object] = lambda connection, now: None,
    ) -> None:
        """`guard` raises where this process is no longer the one clock. `responds` is asked in each transaction in
        which incidents move, before people are told."""
        self._engine, self._guard = engine, guard
        self._bearable, self._limits, self._telling = false_alarms_a_month, limits, tells
        self._responds = responds
        self._brands: dict[str, _Brand] = {}
        self._panels = Panels(false_alarms_a_month)
        self._comparing, self._another = Comparing(engine, guard), Another(engine, guard)
        self._minute: int | None = None
        """The next one to be judged."""

    @property
    def minute(self) -> int | None:
        """The next one to be judged; None before the first step."""
        return self._minute

    def forget(self) -> None:
        """Begin again from what SQL holds: somebody else may have been the clock meanwhile."""
        self._brands.clear()
        self._panels = Panels(self._bearable)
        self._minute = None

    def step(self, brands: Mapping[str, str], now: Millis, routed: Millis) -> Stepped:
        """Judge the minutes that are over by `now` and, where routing lags behind, those before `routed`. `brands`: id
        and kind of those that are watched. All that comes of it is written in one transaction.

        Raises Transient, LeaseLost; whatever it raises, the next step begins again from what SQL holds.
        """
        try:
            return self._step(brands, now, (now - SETTLED) // MINUTE, routed // MINUTE)
        except BaseException:
            self.forget()
            raise

    def _step(self, brands: Mapping[str, str], now: Millis, over: int, routed: int) -> Stepped:
        if self._brands.keys() - brands.keys() or (self._minute is not None and self._minute > over + SET_BACK):
            self.forget()
        if self._minute is None:
            self._minute = self._begin(over)
        first, until = self._minute, min(over, routed)
        last = max(first, min(until, first + AT_ONCE))
        news: list[_News] = []
        if last > first:
            self._take_up([brand for brand in brands if brand not in self._brands], first)
            with read(self._engine) as connection:
                found = counted(connection, names(connection), first - LATE, last)
                covered = Covered(connection, (first - LATE) * MINUTE, last * MINUTE)
            for minute in range(first, last):
                news += self._judge(minute, brands, found, covered)
        changed = self._write(news, brands, first, last, now)
        self._minute = last
        changed += self._comparing.step(now)
        if last > first:
            with read(self._engine) as connection:
                live = book.listed(connection, all=False, most=MOST_LIVE)
            changed += self._another.step([one for one in live if one.brand in brands], now)
        return Stepped(last - first, changed, last < until)

    def _begin(self, over: int) -> int:
        with read(self._engine) as connection:
            held = rows(connection, "SELECT minute FROM watch_state WHERE brand = ?", (JUDGED,))
        # What lies further ahead was judged before the clock was set back.
        return held[0][0] if held and held[0][0] <= over + SET_BACK else over

    def _take_up(self, brands: Sequence[str], until: int) -> None:
        """What is known of these brands by the minute `until`: from what was written down, and what was counted since;
        of new ones, from what was counted in the last weeks. Nobody is told of anything."""
        with read(self._engine) as connection:
            held = {brand: one for brand in brands if (one := book.watched(connection, brand)) is not None}
            live = {one.brand: one for one in book.listed(connection, all=False, most=MOST_LIVE)}
        since: dict[int, list[str]] = {}
        for brand in brands:
            one = held.get(brand)
            known = one is not None and until - HISTORY // MINUTE < one.minute <= until
            since.setdefault(one.minute if one is not None and known else until - HISTORY // MINUTE, []).append(brand)
        for first, several in since.items():
            self._replay(several, held if first > until - HISTORY // MINUTE else {}, live, first, until)

    def _replay(
        self,
        brands: Sequence[str],
        held: Mapping[str, Watched],
        live: Mapping[str, Incident],
        first: int,
        until: int,
    ) -> None:
        panels, standings = Panels(self._bearable), dict[str, Standing]()
        with read(self._engine) as connection:
            known = names(connection)
            only = known._replace(brands={n: name for n, name in known.brands.items() if name in set(brands)})
            found = counted(connection, only, min(first, until - LATE) - HOUR_MINUTES, until)
            covered = Covered(connection, first * MINUTE, until * MINUTE)
        for brand in brands:
            one = held.get(brand)
            if one is not None and panels.take(brand, one.state):
                standings[brand] = one.standing
                panels.recall(brand, found.get(brand, {}), first)
            elif brand not in panels:
                panels.begin(brand)
        starts = [min(found[brand]) for brand in brands if brand not in standings and found.get(brand)]
        for minute in range(first if standings else max(first, min(starts, default=until)), until):
            counts = {brand: of[minute] for brand in brands if minute in (of := found.get(brand, {}))}
            shares = {brand: share for brand in brands if (share := covered.share(brand, minute)) < 1.0}
            signals = panels.update(minute, counts, (), shares)
            for brand, before in standings.items():
                share = shares.get(brand, 1.0)
                after = stepped(panels, brand, before, signals.get(brand, []), minute, self._limits, share)
                standings[brand] = Standing() if after.state == "over" else after
        for brand in brands:
            self._panels.adopt(brand, panels)
            standing = _reconciled(standings.get(brand, Standing()), live.get(brand))
            self._brands[brand] = one_brand = _Brand(standing)
            of = found.get(brand, {})
            one_brand.counted = {minute: dict(of.get(minute, {})) for minute in range(until - LATE, until)}

    def _judge(
        self, minute: int, brands: Mapping[str, str], found: Mapping[str, Mapping[int, Counts]], covered: Covered
    ) -> list[_News]:
        late: list[tuple[str, int, str, int]] = []
        for brand in brands:
            one, counts = self._brands[brand], found.get(brand, {})
            late += [(brand, *rest) for rest in _late(one.counted, counts, minute)]
            one.counted = {m: dict(counts.get(m, {})) for m in range(minute - LATE + 1, minute + 1)}
        shares = {brand: covered.share(brand, minute) for brand in brands}
        counts_now = {brand: of[minute] for brand in brands if minute in (of := found.get(brand, {}))}
        signals = self._panels.update(minute, counts_now, late, {b: s for b, s in shares.items() if s < 1.0})
        moved = (self._move(brand, signals.get(brand, []), minute, shares[brand]) for brand in brands)
        return [one for one in moved if one is not None]

    def _move(self, brand: str, signals: list[Signal], minute: int, share: float) -> _News | None:
        one = self._brands[brand]
        before = one.standing
        if before.state == "calm" and not signals and not any(before.rising):
            return None
        one.standing = after = stepped(self._panels, brand, before, signals, minute, self._limits, share)
        one.dirty = one.dirty or after.state != before.state or bool(signals)
        if after.state == "over":
            one.standing = Standing()
        if after.state == "calm":
            return None
        return _News(brand, after, Evidence(minute * MINUTE, _surprising(signals), share))

    # --- what comes of it ---

    def _write(self, news: Sequence[_News], brands: Mapping[str, str], first: int, last: int, now: Millis) -> int:
        """What the minutes say into SQL, people told, and up to where was judged: all or nothing."""
        with read(self._engine) as connection:
            live = {one.brand: one for one in book.listed(connection, all=False, most=MOST_LIVE)}
            quiet = silences.live(connection, now)
        for brand, one in live.items():
            if one.acknowledged_by is not None and brand in self._brands:
                self._panels.was_real(brand)
        due = {
            brand: one
            for brand, one in self._brands.items()
            if last > first and (one.dirty or last - one.kept >= KEEP_EVERY + crc32(brand.encode()) % KEEP_EVERY)
        }
        matters = _by_matter(live.values())
        waits = any(one.brand not in brands for one in live.values()) or any(
            telling.due_of(strands, self._telling, now, quiet) for strands in matters.values()
        )
        if last == first and not waits:
            return 0
        with write(self._engine) as connection:
            self._guard(connection)
            changed = sum(_entered(connection, one, now) for one in news)
            self._responds(connection, now)
            changed += self._told(connection, brands, now, quiet)
            over = {one.brand for one in news if one.standing.state == "over"}
            # A matter that went on at a brand which is no longer watched is over at the others.
            left = (one for brand, one in live.items() if brand not in brands)
            over |= {one.brand for one in left if len(book.strands(connection, one)) > 1}
            changed += telling.all_clear(connection, over, now, quiet)
            if last > first:
                book.keep_watched(connection, JUDGED, Watched(last, b"", Standing()))
            for brand, held in due.items():
                book.keep_watched(connection, brand, Watched(last, self._panels.dump(brand), held.standing))
        for held in due.values():
            held.dirty, held.kept = False, last
        return changed

    def _told(self, connection: Connection, brands: Mapping[str, str], now: Millis, quiet: Sequence[Silence]) -> int:
        """Tell of each matter that is due, once its incidents were compared with the others under way."""
        live = book.listed(connection, all=False, most=MOST_LIVE)
        changed = sum(_closed(connection, one, now) for one in live if one.brand not in brands)
        unknown = self._comparing.waits(live, now)
        for strands in _by_matter(one for one in live if one.brand in brands).values():
            if not any(one.id in unknown for one in strands):
                # Those that are over say whom the chain was told of already.
                whole = book.strands(connection, strands[0])
                changed += telling.tell(connection, whole, self._telling, now, quiet)
        return changed


def _by_matter(live: Iterable[Incident]) -> dict[int, list[Incident]]:
    found: dict[int, list[Incident]] = {}
    for one in sorted(live, key=lambda one: one.id):
        found.setdefault(one.matter, []).append(one)
    return found


def _closed(connection: Connection, held: Incident, now: Millis) -> int:
    """Of a brand that is no longer watched: nobody could say when it is over."""
    book.move(connection, held, Standing(state="over"), Evidence(), now)
    book.note(connection, held.id, "note", now, detail="the brand is no longer watched")
    return 1


def _entered(connection: Connection, news: _News, now: Millis) -> int:
    """1 where an incident was opened or moved to another state."""
    held = book.live(connection, news.brand)
    standing, evidence = news.standing, news.evidence
    if held is None:
        if standing.state == "over":
            return 0
        id = book.open_incident(connection, news.brand, standing, evidence, now)
        log.warning("incident", id=id, brand=news.brand, state=standing.state, why=book.summary(evidence))
        return 1
    moved = standing.state != held.state
    if moved or evidence.signals or standing.seen > held.seen_at:
        book.move(connection, held, standing, evidence, now)
    if moved:
        log.warning("incident", id=held.id, brand=news.brand, state=standing.state, why=book.summary(evidence))
    return int(moved)


def _reconciled(standing: Standing, held: Incident | None) -> Standing:
    """What was replayed, held against what stands in SQL: an incident of which nothing else is known any more goes on,
    so that it comes to its end."""
    if held is None or standing.state != "calm":
        return standing
    lead = held.evidence.signals[0] if held.evidence.signals else None
    return Standing(
        held.state, held.since, held.seen_at, held.seen_at, (0, 0, 0), lead.series if lead else "",
        lead.high * HOUR_MINUTES / lead.minutes if lead else 0.0,
    )  # fmt: skip


def stepped(
    panels: Panels, brand: str, before: Standing, signals: list[Signal], minute: int, limits: Limits, share: float = 1.0
) -> Standing:
    """The standing of a brand after a minute, which the panels have seen; `share` of it was heard.

    A crisis is not taken into the record of what is usual: else the second storm of its kind would be told as less than
    the first, and the sixth not at all.
    """
    at = minute * MINUTE
    rank = level(signals, limits)
    if not rank and before.state != "calm":
        season = panels.season(brand, before.series, minute, before.since // MINUTE)
        if stands(before, panels.last_hour(brand, before.series), season, at):
            rank = RANK["watch"]
    after = step(before, rank, at, limits, round((1.0 - share) * MINUTE))
    if before.state == "calm" and after.state not in ("calm", "over") and signals:
        lead = min(signals, key=_gravity)
        after = replace(after, series=lead.series, usual=panels.usual(brand, lead.series, minute - 59, 60)[1])
    if after.state == "crisis":
        panels.was_real(brand)
    return after


def _surprising(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """The gravest MOST_SIGNALS, and of a kind that is not among them the gravest."""
    found = sorted((one for one in signals if one.surprise >= 1.0), key=_gravity)
    first = found[:MOST_SIGNALS]
    rest = {one.kind: one for one in reversed(found)}
    return (*first, *(one for kind, one in rest.items() if kind not in {signal.kind for signal in first}))


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
