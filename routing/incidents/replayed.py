"""Which incidents would have been, and what people would have been told, by other settings over counted minutes.

The same steps as the clock's, over counts as they stand now; nothing is written and nobody is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from routing.incidents.book import Evidence, Incident, Word
from routing.incidents.clock import SETTLED, stepped
from routing.incidents.counted import Counts
from routing.incidents.levels import RANK, Limits, Signal, Standing
from routing.incidents.panels import Panels
from routing.incidents.telling import Telling, due
from stream.clock import MINUTE
from stream.records import Millis


class Settings(msgspec.Struct, frozen=True):
    """Of section `incidents`, as far as they decide when people are told."""

    false_alarms_a_month: float
    limits: Limits
    telling: Telling


class Episode(msgspec.Struct):
    """An incident that would have been. Times of minutes that were judged, in milliseconds."""

    brand: str
    since: Millis
    worst: str
    warned_at: Millis | None = None
    crisis_at: Millis | None = None
    over_at: Millis | None = None
    """None: it goes on at the end."""
    series: str = ""
    """Which showed it best, and how, at its gravest minute."""
    observed: float = 0.0
    expected: float = 0.0
    percent: int = 0


class Told(NamedTuple):
    """People would have been told."""

    at: Millis
    brand: str
    word: Word
    step: int
    """As of book.tell, where nobody ever answers."""


class Replay:
    """`learn` the minutes before, then `judge` one after the other, all in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._panels = Panels(settings.false_alarms_a_month)
        self._standings: dict[str, Standing] = {}
        self._live: dict[str, tuple[Episode, Incident]] = {}
        self.episodes: list[Episode] = []
        self.told: list[Told] = []

    def learn(self, minute: int, counts: Mapping[str, Counts], shares: Mapping[str, float]) -> None:
        """What is usual, from a minute that is not judged."""
        self._update(minute, counts, shares)

    def judge(self, minute: int, counts: Mapping[str, Counts], shares: Mapping[str, float]) -> None:
        signals = self._update(minute, counts, shares)
        now = (minute + 1) * MINUTE + SETTLED
        for brand in signals.keys() | self._standings.keys():
            before, found = self._standings.get(brand, Standing()), signals.get(brand, [])
            share = shares.get(brand, 1.0)
            after = stepped(self._panels, brand, before, found, minute, self._settings.limits, share)
            over = after.state == "over"
            self._standings[brand] = Standing() if over else after
            if after.state == "calm" and not any(after.rising):
                del self._standings[brand]
            if after.state != "calm":
                self._move(brand, after, found, now)
        for brand in list(self._live):
            self._tell(brand, now)

    def _update(
        self, minute: int, counts: Mapping[str, Counts], shares: Mapping[str, float]
    ) -> dict[str, list[Signal]]:
        for brand in counts:
            if brand not in self._panels:
                self._panels.begin(brand)
        known = {brand: share for brand, share in shares.items() if brand in self._panels}
        return self._panels.update(minute, counts, (), known)

    def _move(self, brand: str, after: Standing, found: list[Signal], now: Millis) -> None:
        held = self._live.get(brand)
        if held is None:
            if after.state == "over":
                return
            episode = Episode(brand, after.since, after.state)
            self.episodes.append(episode)
            incident = _opened(len(self.episodes), brand, after, now)
        else:
            episode, incident = held
        _grow(episode, after.state, found, now)
        self._live[brand] = episode, incident._replace(state=after.state, seen_at=max(incident.seen_at, after.seen))
        if after.state == "over":
            episode.over_at = now
            del self._live[brand]
            if incident.told_at is not None:
                self.told.append(Told(now, brand, "over", -incident.steps))

    def _tell(self, brand: str, now: Millis) -> None:
        episode, incident = self._live[brand]
        asked = due(incident, self._settings.telling, now)
        if asked is None:
            return
        word, step = asked
        self.told.append(Told(now, brand, word, step))
        incident = incident._replace(told_at=now, steps=step if step > 0 else incident.steps)
        if word in ("warning", "crisis"):
            incident = incident._replace(told=word)
        self._live[brand] = episode, incident


def _opened(id: int, brand: str, standing: Standing, now: Millis) -> Incident:
    return Incident(
        id=id, brand=brand, state=standing.state, since=standing.since, opened_at=now, state_at=now,
        seen_at=standing.seen, worst=standing.state, over_at=None, evidence=Evidence(), acknowledged_by=None,
        acknowledged_at=None, told="", told_at=None, steps=0, silent_until=None, proved=None,
    )  # fmt: skip


def answered(told: list[Told]) -> list[Told]:
    """The same, where somebody looks after each incident as soon as they are told of it."""
    return [one._replace(step=0) for one in told if one.word != "still"]


def _grow(episode: Episode, state: str, found: list[Signal], now: Millis) -> None:
    if RANK[state] >= RANK["warning"] and episode.warned_at is None:
        episode.warned_at = now
    if state == "crisis" and episode.crisis_at is None:
        episode.crisis_at = now
    graver = RANK[state] > RANK[episode.worst] or not episode.series
    episode.worst = max(episode.worst, state, key=lambda one: RANK[one])
    hurting = [one for one in found if one.hurts] or found
    if graver and hurting:
        lead = max(hurting, key=lambda one: one.surprise)
        episode.series, episode.observed = lead.series, lead.observed
        episode.expected, episode.percent = lead.expected, lead.percent
