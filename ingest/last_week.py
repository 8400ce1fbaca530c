"""What a source that is read whole brought in its last week, for an estimate: asked for once, whichever brands are
estimated. What is about a brand is counted here, since nothing could be asked for by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ingest.collector import Delivery, Draft, Interrupted, Sample, Source, Span, by_hour
from ingest.names import Names
from ingest.wanted import Wanted
from query.text import analyse
from stream.clock import HOUR, MINUTE, Clock

HOURS = 168
MOST_ASKED = 60
"""Requests; what they do not show makes the numbers a lower bound."""


class LastWeek:
    """Keeps `Estimable`, for a collector that hands its `sample` on. For one thread."""

    def __init__(
        self, ask: Callable[[Span], Iterable[Delivery]], source: Source, clock: Clock, most: int = MOST_ASKED
    ) -> None:
        """`ask` brings the posts of a span, as `Collector.fill` does; `most`: requests, after which it is left off."""
        self._ask, self._source, self._clock, self._most = ask, source, clock, most
        self._brought: _Brought | None = None

    def sample(self, wanted: Wanted) -> Sample:
        """All of it, where the source is the brand's own, else what names the brand. Raises what `ask` raises, and
        Interrupted where it was left off before anything was answered."""
        now, brought = self._clock.wall(), self._brought
        if brought is None:
            # A network's clock may be ahead.
            brought = _brought(self._ask(Span(now - HOURS * HOUR, now + MINUTE)), self._most)
        self._brought = brought._replace(asked=0)
        names, own = Names(wanted), wanted.brand in self._source.brands
        times = [one.claimed_at or 0 for one in brought.drafts if own or _is_about(one, names)]
        return Sample(by_hour(times, now, HOURS), asked=brought.asked, capped=brought.capped)


class _Brought(NamedTuple):
    drafts: tuple[Draft, ...]
    """Each post once: several lists may show it."""
    asked: int
    capped: bool


def _brought(deliveries: Iterable[Delivery], most: int) -> _Brought:
    drafts, asked, capped, answered = dict[str, Draft](), 0, False, False
    for delivery in deliveries:
        drafts |= {draft.native_id: draft for draft in delivery.drafts}
        asked += delivery.asked
        capped |= delivery.missed != 0
        answered |= bool(delivery.drafts) or delivery.missed == 0
        if asked >= most:
            if not answered:
                raise Interrupted(f"none of {asked} questions was answered")
            capped = True
            break
    return _Brought(tuple(drafts.values()), asked, capped)


def _is_about(draft: Draft, names: Names) -> bool:
    return names.hold(analyse(f"{draft.title or ''}\n{draft.text}").surfaces)
