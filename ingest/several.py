"""Rounds over several places of one source (lists, companies): one that fails keeps no other from being asked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from ingest.collector import Delivery, Denied, Interrupted
from ingest.setting import Setting
from ingest.web import Unauthorized
from stream.records import Millis

MOST_FAULTS = 3
"""Places in a row that may fail: then it is not they, and the round ends."""


class Several:
    """For one thread."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        """Those that failed by themselves when they were asked last."""
        self._answered_at: dict[str, Millis] = {}
        self._places = self._in_a_row = 0
        self.answered = False
        """Whether any has, in this round."""

    def round(
        self, places: Iterable[str], setting: Setting, read: Callable[[str], Iterator[Delivery]]
    ) -> Generator[Delivery, None, Interrupted | Denied | None]:
        """What is read of each, until it is to stop. Returns the first fault of one that was passed over; raises the
        one that ends the round."""
        first: Interrupted | Denied | None = None
        for place in self.in_turn(places):
            if setting.stop.is_set():
                break
            try:
                yield from read(place)
            except (Interrupted, Denied) as fault:
                if not self.passes_over(place, fault):
                    raise
                first = first or fault
            else:
                self.answers(place, setting.clock.now())
        return first

    def in_turn(self, places: Iterable[str]) -> list[str]:
        """A round begins, in this order; but those that failed come last: a few that always fail must not end each
        round before it has begun."""
        found = sorted(places, key=lambda one: one in self._failed)
        self._places, self._in_a_row, self.answered = len(found), 0, False
        return found

    def answers(self, place: str, now: Millis) -> None:
        self._in_a_row, self.answered = 0, True
        self._failed.discard(place)
        self._answered_at[place] = now

    def passes_over(self, place: str, fault: Interrupted | Denied) -> bool:
        """Whether the others are asked all the same, though this one failed. What failed before and fails once more
        while others answer fails by itself, however many do. `fault` knows from now on since when."""
        self._in_a_row += 1
        limited = isinstance(fault, Interrupted) and fault.retry_after is not None
        by_itself = self._in_a_row < MOST_FAULTS or (self.answered and place in self._failed)
        if not (limited and self.answered):
            self._failed.add(place)
        if fault.since is None:
            fault.since = self._answered_at.get(place)
        return self._places > 1 and by_itself and not limited and not isinstance(fault, Unauthorized)


def filled(places: Sequence[str], cursor: str | None, ask: Callable[[str], Iterator[Delivery]]) -> Iterator[Delivery]:
    """What each place has of a span, one after the other; the cursor is the place that is done. One that is refused
    while others answer is missing, since nobody can wait for it; raises Denied where all are."""
    begun = places.index(cursor) + 1 if cursor in places else 0
    answered, refused = begun > 0, list[Denied]()
    for place in places[begun:]:
        try:
            yield from ask(place)
        except Unauthorized:
            raise
        except Denied as fault:
            refused.append(fault)
        else:
            answered = True
        if answered:
            for why in refused:
                yield Delivery(asked=0, missed=None, reason=str(why)[:300])
            refused.clear()
            yield Delivery(asked=0, cursor=place)
    if refused:
        raise refused[0]
