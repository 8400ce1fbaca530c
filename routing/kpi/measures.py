"""What a case or an incident adds to the key figures, as a pure function of how it stands; and spans as buckets.

Whatever changes a case, what it added before is taken back and what it adds now is added: so edits, deletes, merges,
corrections and undone deeds leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, log
from typing import NamedTuple

import msgspec

from stream.clock import DAY
from stream.records import Millis

ACCURACY = 0.02
"""Of a span that comes back from its bucket, relative: DDSketch (Masson, Rim, Lee 2019), section 2.1."""
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
SECOND: Millis = 1_000
WITHIN: Millis = 90 * DAY
"""So long after a case was resolved it is looked at whether its detractors speak well of the brand."""


class Fact(NamedTuple):
    """One of something, on a day."""

    day: int
    """Since 1970 UTC."""
    measure: str
    """opened; answered and resolved (their buckets are the spans); first_response_kept, first_response_missed,
    resolution_kept, resolution_missed; detractor, spoke_well; incident, incident_real, incident_false."""
    bucket: int = 0
    times: int = 1


class Added(msgspec.Struct, frozen=True, array_like=True):
    """What one case or incident has added to the sums."""

    brand: str = ""
    queue: str = ""
    network: str = ""
    facts: tuple[Fact, ...] = ()


class Owed(NamedTuple):
    """A deadline of a case."""

    what: str
    due: Millis | None
    done_at: Millis | None
    missed_at: Millis | None


class Stands(NamedTuple):
    """A case as it stands."""

    queue: str
    state: str
    mentions: int
    """Live ones that ask for work."""
    expired: bool
    """It holds mentions whose texts were let go: what is over by that has happened all the same."""
    opened_at: Millis
    first_response_at: Millis | None
    closed_at: Millis | None
    waited: Millis = 0
    """For its customer, or while it was over in between, before it was resolved."""
    owed: Sequence[Owed] = ()
    detractors: int = 0
    """People who spoke against the brand in it."""
    spoke_well: int = 0
    """Of these, who spoke well of it afterwards."""
    by_hand: bool = False
    """A person opened it: there never was a post in it."""


def of_case(case: Stands) -> tuple[Fact, ...]:
    """Nothing of a case that was merged into another, nor of one of whose posts none is left."""
    there = case.by_hand or case.expired or (case.mentions > 0 and case.state != "closed")
    if case.state == "merged" or not there:
        return ()
    found = [Fact(_day(case.opened_at), "opened")]
    if case.first_response_at is not None:
        span = case.first_response_at - case.opened_at
        found.append(Fact(_day(case.first_response_at), "answered", bucket(span)))
    for one in case.owed:
        found += _deadline(one)
    if case.state == "resolved" and case.closed_at is not None:
        day = _day(case.closed_at)
        found.append(Fact(day, "resolved", bucket(case.closed_at - case.opened_at - case.waited)))
        if case.detractors:
            found.append(Fact(day, "detractor", 0, case.detractors))
        if case.spoke_well:
            found.append(Fact(day, "spoke_well", 0, case.spoke_well))
    return tuple(found)


def of_incident(opened_at: Millis, told: bool, proved: str | None) -> tuple[Fact, ...]:
    """Nothing of one that nobody was told of."""
    if not told:
        return ()
    found = [Fact(_day(opened_at), "incident")]
    if proved in ("real", "false"):
        found.append(Fact(_day(opened_at), f"incident_{proved}"))
    return tuple(found)


def bucket(span: Millis) -> int:
    """Of a span; those of up to a second are one."""
    return 0 if span <= SECOND else ceil(log(span / SECOND) / log(GAMMA))


def span_of(number: int) -> Millis:
    """The span that a bucket stands for, within ACCURACY of every one in it (DDSketch, lemma 2)."""
    return SECOND if number <= 0 else round(2 * GAMMA**number / (GAMMA + 1) * SECOND)


def quantile(counts: Mapping[int, int], part: float) -> Millis | None:
    """The span below which `part` of all lie, by bucket and how often; None where there are none."""
    number = sum(counts.values())
    if number <= 0:
        return None
    rank, seen = part * (number - 1), 0
    for each in sorted(counts):
        seen += counts[each]
        if seen > rank:
            return span_of(each)
    return span_of(max(counts))


def changes(before: Added | None, after: Added) -> Iterable[tuple[str, str, str, Fact]]:
    """(brand, queue, network, fact) to add: what was added before with minus, what is to be added with plus."""
    if before == after:
        return
    if before is not None:
        for fact in before.facts:
            yield before.brand, before.queue, before.network, fact._replace(times=-fact.times)
    for fact in after.facts:
        yield after.brand, after.queue, after.network, fact


def _deadline(owed: Owed) -> Iterable[Fact]:
    if owed.due is None:
        return
    late = owed.done_at is not None and owed.done_at > owed.due
    if late or (owed.missed_at is not None and owed.done_at is None):
        yield Fact(_day(owed.due), f"{owed.what}_missed")
    elif owed.done_at is not None:
        yield Fact(_day(owed.done_at), f"{owed.what}_kept")


def _day(at: Millis) -> int:
    return at // DAY
