"""What an incident was, once it is over or as it stands: how soon it was seen, answered and told, and what to learn.

Every figure is from what was kept while it happened. Nothing here blames a person: who did what stands in the timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection

from database.engine import rows_in
from routing import by_hand
from routing.by_hand import ByHand
from routing.incidents import book, hold
from routing.incidents.book import Incident
from routing.incidents.cause import cause_of
from routing.incidents.hold import Hold
from routing.incidents.levels import RANK
from routing.incidents.said import Statement, statements
from routing.incidents.tasks import Task, tasks
from routing.mail.gaps import incomplete
from routing.mail.letter import Missing
from stream.clock import HOUR, MINUTE
from stream.records import Millis

SOON_SEEN: Millis = 15 * MINUTE
SOON_ANSWERED: Millis = 15 * MINUTE
SOON_SAID: Millis = HOUR
"""As the shipped playbook asks."""
MOST_WORDS = 8

Lesson = Literal[
    "seen_late", "nobody_answered", "answered_late", "chain", "silent", "said_late", "tasks_late", "tasks_open",
    "holes", "mails_failed", "promise_missed", "not_proved", "false",
]  # fmt: skip


class Moment(msgspec.Struct, frozen=True):
    """Of the timeline."""

    at: Millis
    brand: str
    change: str
    person: str
    detail: str


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Spans in milliseconds; None: it did not happen."""

    to_detect: Millis | None
    """From the first unusual minute until it was a warning."""
    to_acknowledge: Millis | None
    """From when people were first told until somebody looked after it."""
    to_statement: Millis | None
    """From the first unusual minute until the first word in public; negative: it was said before."""
    to_end: Millis | None
    """From the first unusual minute until it was over."""


class Mails(msgspec.Struct, frozen=True):
    sent: int
    failed: int
    """Or dropped."""
    people: int
    most: int
    """That one person got."""


class HoldOf(msgspec.Struct, frozen=True):
    hold: Hold
    cases: int


class Call(msgspec.Struct, frozen=True):
    """A case that people opened for it."""

    case: int
    state: str
    asked: ByHand
    answered_at: Millis | None

    def kept(self, now: Millis) -> bool:
        due = self.asked.due
        return due is None or (self.answered_at if self.answered_at is not None else now) <= due


class Part(msgspec.Struct, frozen=True):
    name: str
    percent: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    incident: int
    at: Millis
    """When it was written."""
    brands: tuple[str, ...]
    """As people call them, the first of the matter first."""
    state: str
    worst: str
    since: Millis
    over_at: Millis | None
    times: Times
    told: int
    """How often people were told."""
    steps: int
    """Of the chain that were told because nobody answered."""
    mails: Mails
    posts: int
    authors: int
    reach: int
    networks: tuple[Part, ...]
    words: tuple[str, ...]
    """New ones in public posts."""
    sites: tuple[str, ...]
    complete: int
    """Percent of the sources that were heard at the worst minute."""
    missing: tuple[Missing, ...]
    """Spans in which a source did not deliver in full."""
    said: tuple[Statement, ...]
    tasks: tuple[Task, ...]
    holds: tuple[HoldOf, ...]
    calls: tuple[Call, ...]
    proved: str | None
    """real, false; None: nobody has said so yet."""
    lessons: tuple[Lesson, ...]
    timeline: tuple[Moment, ...]


def report_of(connection: Connection, id: int, names: dict[str, str], now: Millis) -> Report:
    """Of the matter of an incident, with the incidents of its other brands. `names`: what people call brands. Raises
    NoSuchIncident."""
    parts = book.strands(connection, book.find(connection, id))
    lead, ids = parts[0], [one.id for one in parts]
    since, over_at = min(one.since for one in parts), _over_at(parts)
    until = over_at or now
    state = max((one.state for one in parts), key=lambda state: RANK[state])
    worst = max((one.worst for one in parts), key=lambda state: RANK[state])
    signals = lead.evidence.signals
    cause = cause_of(
        connection, lead.brand, lead.since, until + MINUTE, hurts=not signals or signals[0].hurts, access=frozenset()
    )  # fmt: skip
    said = tuple(sorted((one for n in ids for one in statements(connection, n)), key=lambda one: one.said_at))
    timeline = _timeline(connection, parts, names, said)
    steps = max(one.steps for one in parts)
    made = Report(
        incident=lead.id, at=now, brands=tuple(names.get(one.brand, one.brand) for one in parts), state=state,
        worst=worst, since=since, over_at=over_at, times=_times(over_at, since, timeline, said),
        told=sum(one.change == "told" for one in timeline), steps=steps, mails=_mails(connection, ids),
        posts=cause.posts, authors=cause.authors, reach=cause.reach,
        networks=tuple(Part(one.name, round(100 * one.share)) for one in cause.networks),
        words=tuple(one.name for one in cause.words[:MOST_WORDS]), sites=tuple(one.name for one in cause.links),
        complete=round(100 * min(one.evidence.complete for one in parts)),
        missing=incomplete(connection, {one.brand for one in parts}, since, until), said=said,
        tasks=tuple(task for n in ids for task in tasks(connection, n)), holds=_holds(connection, ids),
        calls=_calls(connection, ids), proved=lead.proved, lessons=(), timeline=timeline,
    )  # fmt: skip
    return msgspec.structs.replace(made, lessons=tuple(lessons_of(made)))


def lessons_of(made: Report) -> list[Lesson]:
    """What stands out, from the figures alone."""
    times, ended = made.times, made.over_at or made.at
    found: list[tuple[Lesson, bool]] = [
        ("seen_late", (times.to_detect or 0) > SOON_SEEN),
        ("nobody_answered", times.to_acknowledge is None and made.told > 0),
        ("answered_late", (times.to_acknowledge or 0) > SOON_ANSWERED),
        ("chain", made.steps > 0),
        ("silent", times.to_statement is None and made.worst == "crisis"),
        ("said_late", (times.to_statement or 0) > SOON_SAID and made.worst == "crisis"),
        ("tasks_late", any(one.state == "done" and one.late(made.at) for one in made.tasks)),
        ("tasks_open", any(one.state == "open" and one.due_at <= made.at for one in made.tasks)),
        ("holes", made.complete < 100 or bool(made.missing)),
        ("mails_failed", made.mails.failed > 0),
        ("promise_missed", any(not one.kept(ended) for one in made.calls)),
        ("not_proved", made.proved is None and made.state == "over"),
        ("false", made.proved == "false"),
    ]
    return [lesson for lesson, holds in found if holds]


def _timeline(
    connection: Connection, parts: Sequence[Incident], names: dict[str, str], said: Sequence[Statement]
) -> tuple[Moment, ...]:
    found = [
        Moment(one.at, names.get(part.brand, part.brand), one.change, one.person, one.detail)
        for part in parts
        for one in book.events(connection, part.id)
        if one.change != "said"
    ]
    brand = names.get(parts[0].brand, parts[0].brand)
    found += [Moment(one.said_at, brand, "said", one.person, f"{one.place}: {one.text}") for one in said]
    found.append(Moment(min(one.since for one in parts), brand, "began", "", ""))
    return tuple(sorted(found, key=lambda one: one.at))


def _over_at(parts: Sequence[Incident]) -> Millis | None:
    """A matter is over when it is over at all of its brands."""
    ended = [one.over_at for one in parts if one.over_at is not None]
    return max(ended) if len(ended) == len(parts) else None


def _times(over_at: Millis | None, since: Millis, timeline: Sequence[Moment], said: Sequence[Statement]) -> Times:
    def first(*changes: str) -> Millis | None:
        return min((one.at for one in timeline if one.change in changes), default=None)

    seen, told, answered = first("warning", "crisis"), first("told"), first("acknowledged")
    return Times(
        to_detect=seen - since if seen is not None else None,
        to_acknowledge=max(0, answered - (told if told is not None else answered)) if answered is not None else None,
        to_statement=said[0].said_at - since if said else None,
        to_end=over_at - since if over_at is not None else None,
    )


def _mails(connection: Connection, ids: Sequence[int]) -> Mails:
    by_person: dict[str, int] = {}
    failed = 0
    for _, person, state in rows_in(connection, _MAILS, list(ids)):
        if state == "sent":
            by_person[person] = by_person.get(person, 0) + 1
        elif state in ("failed", "dropped"):
            failed += 1
    return Mails(sum(by_person.values()), failed, len(by_person), max(by_person.values(), default=0))


def _holds(connection: Connection, ids: Sequence[int]) -> tuple[HoldOf, ...]:
    held = [one for n in ids for one in hold.all_of(connection, n)]
    counts = dict(rows_in(connection, _CASES, [one.n for one in held]))
    return tuple(HoldOf(one, counts.get(one.n, 0)) for one in held)


def _calls(connection: Connection, ids: Sequence[int]) -> tuple[Call, ...]:
    found = [(case, state, asked) for n in ids for case, state, asked in by_hand.of_incident(connection, n)]
    sql = "SELECT id, coalesce(first_response_at, closed_at) FROM cases WHERE id IN (??)"
    answered = dict(rows_in(connection, sql, [case for case, _, _ in found]))
    return tuple(Call(case, state, asked, answered.get(case)) for case, state, asked in found)


_MAILS = (
    "SELECT DISTINCT m.id, m.person, m.state FROM mail m JOIN mail_item i ON i.mail = m.id"
    " JOIN alert a ON a.id = i.alert WHERE m.kind = 'incident' AND m.channel = '' AND a.incident IN (??)"
)
_CASES = "SELECT hold, count(*) FROM hold_case WHERE hold IN (??) GROUP BY hold"
