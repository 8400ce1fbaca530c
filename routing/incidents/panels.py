"""The series of all brands, watched together: counts of a minute in, what is unusual about each brand out.

Series come when they are first counted, at most MOST_SERIES of a brand; `routing.surge` says how rare each is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import log10

import msgspec
import numpy as np

from routing.incidents.counted import ALWAYS, MOST_SERIES, Counts
from routing.incidents.levels import Signal
from routing.surge import Watch
from routing.surge_state import State
from routing.surge_tail import Numbers

SPANS = (15, 60)
"""Minutes for which the numbers of a signal are told: of these the one in which more stands out."""
LAST = max(SPANS)
FAINTEST = 1e-9
"""Of events a month: rarer is told as this rare."""


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    names: list[str]
    states: list[State]


class Panels:
    """`update` minute by minute. Not for several threads at once."""

    def __init__(self, false_alarms_a_month: float) -> None:
        """Of each brand. Each of its series may tell as often: what several tell is mostly one thing, and half of it is
        too little, too short or no harm, and no warning (`bench.incidents` counts them)."""
        self._bearable = false_alarms_a_month
        self._names: list[tuple[str, str]] = []
        self._places: dict[str, dict[str, int]] = {}
        """By brand and series: its column."""
        self._watch = Watch(0, false_alarms_a_month=self._bearable)
        self._counted = np.zeros((LAST, 0), np.float32)
        self._expected = np.zeros((LAST, 0), np.float32)
        """Of the last minutes, minute m in row m % LAST."""
        self._minute = 0

    def __contains__(self, brand: str) -> bool:
        return brand in self._places

    def begin(self, brand: str) -> None:
        """Watch a brand of which nothing is known."""
        self._grow([(brand, series) for series in ALWAYS])

    def take(self, brand: str, stored: bytes) -> bool:
        """Go on with a brand where `dump` was; False for what another version wrote: to be learnt anew from history."""
        try:
            held = msgspec.msgpack.decode(stored, type=_Stored)
            self._grow([(brand, series) for series in held.names])
            for series, state in zip(held.names, held.states, strict=True):
                self._watch.load(self._places[brand][series], state)
        except (msgspec.MsgspecError, ValueError):
            return False
        return True

    def recall(self, brand: str, minutes: Mapping[int, Counts], until: int) -> None:
        """What was counted in the hour before `until`: numbers are told of an hour, and `dump` holds none."""
        for minute in range(until - LAST, until):
            expected, _ = self._watch.forecast(minute)
            for series, place in self._places[brand].items():
                self._counted[minute % LAST, place] = minutes.get(minute, {}).get(series, 0)
                self._expected[minute % LAST, place] = expected[place]
        self._minute = max(self._minute, until - 1)

    def adopt(self, brand: str, other: Panels) -> None:
        """Go on with a brand that the other has watched up to the same minute."""
        self._grow([(brand, series) for series in other._places[brand]])
        for series, place in other._places[brand].items():
            mine = self._places[brand][series]
            self._watch.load(mine, other._watch.save(place))
            self._counted[:, mine] = other._counted[:, place]
            self._expected[:, mine] = other._expected[:, place]

    def update(
        self,
        minute: int,
        counts: Mapping[str, Counts],
        late: Iterable[tuple[str, int, str, int]] = (),
        covered: Mapping[str, float] | None = None,
    ) -> dict[str, list[Signal]]:
        """What is unusual about a minute (since 1970, UTC), the next one after the last, by brand; most are left out.

        `late`: (brand, minute, series, posts) of what came since to minutes before, or left them; `covered`: brands of
        which less than all was heard.
        """
        self._make_room(counts)
        for brand, earlier, series, more in late:
            place = self._places.get(brand, {}).get(series)
            if place is not None:
                self._watch.late(place, earlier, more)
                if earlier > self._minute - LAST:
                    self._counted[earlier % LAST, place] += more
        values = np.zeros(len(self._names))
        for brand, of in counts.items():
            places = self._places.get(brand, {})
            for series, count in of.items():
                if series in places:
                    values[places[series]] = max(count, 0)
        share = np.ones(len(self._names))
        for brand, heard in (covered or {}).items():
            share[list(self._places.get(brand, {}).values())] = heard
        for skipped in range(max(self._minute + 1, minute - LAST + 1), minute):
            self._counted[skipped % LAST] = self._expected[skipped % LAST] = 0.0
        reading = self._watch.update(minute, values, share)
        self._minute = minute
        self._counted[minute % LAST], self._expected[minute % LAST] = values, reading.expected * share
        found: dict[str, list[Signal]] = {}
        for place in np.flatnonzero(reading.a_month <= self._bearable).tolist():
            signal = self._signal(place, float(reading.a_month[place]), float(reading.probability[place]))
            found.setdefault(self._names[place][0], []).append(signal)
        return found

    def last_hour(self, brand: str, series: str) -> float:
        """Counted in the last hour."""
        place = self._places.get(brand, {}).get(series)
        return float(self._counted[:, place].sum()) if place is not None else 0.0

    def usual(self, brand: str, series: str, minute: int, span: int) -> tuple[float, float]:
        """(expected, upper end of what is usual) of `span` minutes from `minute` on, as it looks now."""
        place = self._places.get(brand, {}).get(series)
        if place is None:
            return 0.0, 0.0
        expected, high = self._watch.forecast(minute, span)
        return float(expected[place]), float(high[place])

    def was_real(self, brand: str) -> None:
        """Somebody looks after what goes on: it doesn't count in the record of what is usual."""
        for place in self._places.get(brand, {}).values():
            self._watch.was_real(place)

    def season(self, brand: str, series: str, minute: int, then: int) -> float:
        """How much more is usual in the hour before `minute` than in the one before `then`."""
        now, before = self.usual(brand, series, minute - 59, 60)[0], self.usual(brand, series, then - 59, 60)[0]
        return now / before if before > 0 else 1.0

    def dump(self, brand: str) -> bytes:
        places = self._places[brand]
        return msgspec.msgpack.encode(_Stored(list(places), [self._watch.save(place) for place in places.values()]))

    def _make_room(self, counts: Mapping[str, Counts]) -> None:
        fresh: list[tuple[str, str]] = []
        for brand, of in counts.items():
            known = self._places.get(brand)
            if known is not None and not known.keys() >= of.keys():
                new = [series for series in of if series not in known]
                fresh += [(brand, series) for series in new[: MOST_SERIES - len(known)]]
        if fresh:
            self._grow(fresh)

    def _grow(self, fresh: list[tuple[str, str]]) -> None:
        fresh = [(brand, series) for brand, series in fresh if series not in self._places.get(brand, {})]
        self._watch.grow(len(fresh))
        for brand, series in fresh:
            self._places.setdefault(brand, {})[series] = len(self._names)
            self._names.append((brand, series))
        self._counted = np.pad(self._counted, ((0, 0), (0, len(fresh))))
        self._expected = np.pad(self._expected, ((0, 0), (0, len(fresh))))

    def _signal(self, place: int, a_month: float, probability: float) -> Signal:
        """Its numbers are those of the span in which they stand out most."""
        best: tuple[float, int, float, float] = (-np.inf, SPANS[0], 0.0, 0.0)
        for span in SPANS:
            observed, expected = (
                _sum(self._counted, place, self._minute, span),
                _sum(self._expected, place, self._minute, span),
            )
            apart = (observed - expected) / (expected + 1.0) ** 0.5
            best = max(best, (apart, span, observed, expected))
        _, span, observed, expected = best
        brand, series = self._names[place]
        _, high = self.usual(brand, series, self._minute - span + 1, span)
        surprise = 1.0 + log10(self._bearable / max(a_month, FAINTEST))
        return Signal(series, span, observed, expected, high, surprise, probability)


def _sum(ring: Numbers | np.ndarray, place: int, minute: int, span: int) -> float:
    rows = np.arange(minute - span + 1, minute + 1) % LAST
    return float(ring[rows, place].sum())
