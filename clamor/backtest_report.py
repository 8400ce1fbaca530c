"""What a back-test found, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from config.teams import Team
from routing.backtest import Moved, Side, Tally, sample_of
from routing.foreseen import Foreseen
from routing.staffing import at_work, serving
from stream.clock import HOUR
from stream.records import QUEUES, Millis

_IN_ORDER = ("pr", "support", "sales", "none")


class Move(msgspec.Struct, frozen=True):
    old: str
    new: str
    mentions: int


class Load(msgspec.Struct, frozen=True):
    """Of a queue."""

    mentions: int
    mean: float
    """Mentions an hour, over all hours of the span in which anything was published."""
    busiest: int
    """In the hour with the most."""
    busiest_at: Millis | None
    above: int
    """Hours with more than the capacity; 0 where none was stated."""
    outside: int | None
    """Mentions of hours in which no team works that serves the queue. None, here and below: no team serves it."""
    a_member: float | None
    """Mentions of the other hours, for each hour that somebody was at work."""
    a_member_most: float | None
    """In the hour in which there were the most for each one at work."""


class QueueLoad(msgspec.Struct, frozen=True):
    queue: str
    old: Load
    new: Load
    capacity: float | None
    members: int
    """Of the teams that serve it."""


class Hits(msgspec.Struct, frozen=True):
    rule: str
    old: int
    new: int


class Hour(msgspec.Struct, frozen=True):
    at: Millis
    old: dict[str, int]
    new: dict[str, int]


class Told(msgspec.Struct, frozen=True):
    mails: int
    summaries: int
    found_late: int


class PersonTold(msgspec.Struct, frozen=True):
    person: str
    old: Told
    new: Told


class AlertsAsked(msgspec.Struct, frozen=True):
    asked: int
    """Mentions whose rule asks for an alert."""
    woke: int
    """Of these, those that were young enough."""
    quiet: int
    """Of these, those of which nobody was told: the matter was no worse than people knew."""
    nobody: int
    """Of these, those that nobody is configured for."""


class Report(msgspec.Struct, frozen=True):
    since: Millis
    until: Millis
    share: float
    """Of the history that was looked at, 0 to 1."""
    mentions: int
    moved: int
    otherwise: int
    gone: dict[str, int]
    unknown: int
    left_out: int
    persons: int
    agreed: int
    would_agree: int
    moves: list[Move]
    queues: list[QueueLoad]
    rules: list[Hits]
    hours: list[Hour]
    alerts_old: AlertsAsked
    alerts_new: AlertsAsked
    mails: list[PersonTold]
    sample: list[Moved]
    words: list[str]


def report(
    tally: Tally,
    old_mails: Foreseen,
    new_mails: Foreseen,
    sample: int,
    capacity: Mapping[str, float],
    span: tuple[Millis, Millis],
    share: float,
    teams: Sequence[Team] = (),
) -> Report:
    """`capacity`: mentions an hour, by queue. `share`: of the history that was looked at."""
    old, new = tally.old, tally.new
    hours = {hour for hour, _ in (*old.hours, *new.hours)}
    first, last = (min(hours), max(hours)) if hours else (0, 0)

    def loads(queue: str) -> QueueLoad:
        most, served = capacity.get(queue), serving(teams, queue) if queue != "none" else []
        hands = at_work(served, first, last) if served else None
        old_load, new_load = (_load(side, queue, last - first + 1, most, hands) for side in (old, new))
        return QueueLoad(queue, old_load, new_load, most, sum(len(team.members) for team in served))

    alerts = (_alerts(old, old_mails), _alerts(new, new_mails))
    return Report(
        since=span[0], until=span[1], share=share, mentions=tally.mentions, moved=tally.moves.total(),
        otherwise=tally.otherwise, gone=dict(tally.gone), unknown=tally.unknown, left_out=tally.left_out,
        persons=tally.persons, agreed=tally.agreed, would_agree=tally.would_agree,
        moves=[Move(*pair, count) for pair, count in tally.moves.most_common()],
        queues=[loads(queue) for queue in _IN_ORDER],
        rules=[Hits(rule, old.rules[rule], new.rules[rule]) for rule in _by_hits(old.rules, new.rules)],
        hours=[Hour(hour * HOUR, _of_hour(old, hour), _of_hour(new, hour)) for hour in sorted(hours)],
        alerts_old=alerts[0], alerts_new=alerts[1], mails=_mails(old_mails, new_mails),
        sample=sample_of(tally, sample), words=list(_words(tally, alerts, old_mails, new_mails)),
    )  # fmt: skip


def _words(
    tally: Tally, alerts: tuple[AlertsAsked, AlertsAsked], old_mails: Foreseen, new_mails: Foreseen
) -> list[str]:
    moved = tally.moves.total()
    looked_at = (
        f"{tally.mentions:,} mentions: {moved:,} would be in another queue, {tally.otherwise:,} in the same by another "
        "rule or with other effects"
    )
    lines = [looked_at]
    if tally.persons:
        lines.append(
            f"{tally.persons:,} stay in the queue that a person stated: the rules that decided would have put "
            f"{tally.agreed:,} of them there, these {tally.would_agree:,}"
        )
    if tally.left_out:
        lines.append(f"{tally.left_out:,} stay set aside: they do not mean the brand")
    if tally.unknown:
        lines.append(
            f"{tally.unknown:,} have no text any more, and what is kept does not tell what these rules say: counted as "
            f"they are"
        )
    if tally.gone:
        gone = ", ".join(f"{count:,} {state}" for state, count in sorted(tally.gone.items()))
        lines.append(f"not looked at, as nothing is left to decide: {gone}")
    was, would = alerts
    lines.append(
        f"alerts: {was.asked:,} -> {would.asked:,} asked for, {was.woke:,} -> {would.woke:,} of them in time to be "
        f"told; {len(old_mails.mails):,} -> {len(new_mails.mails):,} mails"
    )
    if would.nobody:
        lines.append(f"{would.nobody:,} alerts would reach nobody: no person is configured for their brand and queue")
    return lines


def _load(side: Side, queue: str, width: int, capacity: float | None, hands: Counter[int] | None) -> Load:
    hours = {hour: count for (hour, of), count in side.hours.items() if of == queue}
    busiest = max(hours, key=lambda hour: (hours[hour], -hour), default=None)
    outside = a_member = a_member_most = None
    if hands is not None:
        manned = {hour: count for hour, count in hours.items() if hands[hour]}
        outside = sum(hours.values()) - sum(manned.values())
        a_member = sum(manned.values()) / hands.total() if hands.total() else None
        a_member_most = max((count / hands[hour] for hour, count in manned.items()), default=None)
    return Load(
        mentions=side.queues[queue],
        mean=side.queues[queue] / width,
        busiest=hours[busiest] if busiest is not None else 0,
        busiest_at=busiest * HOUR if busiest is not None else None,
        above=sum(count > capacity for count in hours.values()) if capacity is not None else 0,
        outside=outside,
        a_member=a_member,
        a_member_most=a_member_most,
    )


def _of_hour(side: Side, hour: int) -> dict[str, int]:
    return {queue: count for queue in QUEUES if (count := side.hours.get((hour, queue), 0))}


def _by_hits(old: Counter[str], new: Counter[str]) -> list[str]:
    return sorted({*old, *new}, key=lambda rule: (-max(old[rule], new[rule]), rule))


def _alerts(side: Side, told: Foreseen) -> AlertsAsked:
    return AlertsAsked(side.asked, len(side.alerts), told.outcomes["quiet"], told.outcomes["nobody"])


def _mails(old: Foreseen, new: Foreseen) -> list[PersonTold]:
    people = sorted({mail.person for mail in (*old.mails, *new.mails)})
    return [PersonTold(person, _told(old, person), _told(new, person)) for person in people]


def _told(found: Foreseen, person: str) -> Told:
    kinds = Counter(mail.kind for mail in found.mails if mail.person == person)
    return Told(kinds.total(), kinds["summary"], kinds["found_late"])
