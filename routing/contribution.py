"""What a mention adds to the counts of its minute, and the sum of what a batch changes.

A new revision takes the old contribution back and adds the new one, so that counts are exact however often a mention
changes. The brand's own posts are counted apart and never as sentiment.
"""

from __future__ import annotations

from typing import NamedTuple

from stream.records import Millis

MINUTE: Millis = 60_000


class Contribution(NamedTuple):
    """One mention's share. Key: brand, minute, network, intent, queue; the rest are values."""

    brand: int
    minute: int
    network: int
    intent: int
    queue: str
    mentions: int
    negative: int
    positive: int
    detractors: int
    severe: int
    risk: int
    own: int


Key = tuple[int, int, int, int, str]


def contribution(
    brand: int,
    event_time: Millis,
    network: int,
    intent: int,
    queue: str,
    *,
    reputation: str | None,
    detractor: int,
    risk: int,
    own: bool,
) -> Contribution:
    if own:
        return Contribution(brand, event_time // MINUTE, network, intent, queue, 0, 0, 0, 0, 0, 0, 1)
    return Contribution(
        brand, event_time // MINUTE, network, intent, queue, 1,
        int(reputation == "negative"), int(reputation == "positive"), int(detractor >= 2), int(detractor >= 3), risk, 0,
    )  # fmt: skip


def nothing(brand: int, event_time: Millis) -> Contribution:
    """Of a mention that is kept and not counted."""
    return Contribution(brand, event_time // MINUTE, 0, 0, "none", 0, 0, 0, 0, 0, 0, 0)


def written(made: Contribution) -> str:
    """As stored beside the mention."""
    return ",".join(map(str, made))


def read(stored: str) -> Contribution:
    """Raises ValueError where it is not what `written` writes."""
    brand, minute, network, intent, queue, *values = stored.split(",")
    return Contribution(int(brand), int(minute), int(network), int(intent), queue, *map(int, values))


class Tally:
    """Changes of the counts, gathered by key: what a batch appends as deltas."""

    def __init__(self) -> None:
        self._sums: dict[Key, list[int]] = {}

    def change(self, old: Contribution | None, new: Contribution | None) -> None:
        """Minus old, plus new."""
        if old is not None:
            self._add(old, -1)
        if new is not None:
            self._add(new, 1)

    def rows(self) -> list[tuple[int | str, ...]]:
        """Key and values of each delta that is not zero, in the columns' order."""
        return [(*key, *values) for key, values in self._sums.items() if any(values)]

    def _add(self, made: Contribution, sign: int) -> None:
        key = (made.brand, made.minute, made.network, made.intent, made.queue)
        values = (
            made.mentions, made.negative, made.positive, made.detractors, made.severe, made.risk, made.own
        )  # fmt: skip
        sums = self._sums.get(key)
        if sums is None:
            self._sums[key] = [sign * value for value in values]
            return
        for place, value in enumerate(values):
            sums[place] += sign * value
