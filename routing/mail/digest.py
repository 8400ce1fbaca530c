"""What a digest tells: how much was said, how it was meant, which cases weigh most, what happened, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import rows_in
from routing.alerts import INCIDENT_QUEUE
from routing.digests import WEEKLY, period
from routing.incidents import book
from routing.incidents.book import Evidence
from routing.incidents.covered import Covered
from routing.mail.gaps import incomplete
from routing.mail.letter import BrandTold, CaseSeen, DigestLetter, IncidentSeen, PostSeen
from routing.named import named
from routing.people_to_tell import MailSettings, Person
from routing.tracking import tracking_key
from stream.clock import DAY, MINUTE
from stream.records import Mention, Millis, decode

QUEUES = ("pr", "support", "sales")
MOST_CASES = 5
MOST_INCIDENTS = 10
MOST_BRANDS = 20
EVERY = 10
"""Minutes between two looks at how much was heard."""
Shown = Callable[[Mention, Person, MailSettings], PostSeen]


def digest_for(
    connection: Connection, kind: str, asked_at: Millis, person: Person, settings: MailSettings, shown: Shown
) -> DigestLetter:
    """Of the day, or the week, that was over at `asked_at`; cases as they stand now."""
    found = period(person, asked_at)
    span = 7 * DAY if kind == WEEKLY else DAY
    since = found.since if found is not None and found.until == asked_at else asked_at - span
    # Not those of the settings: what the mailer began with lacks a brand that was added since.
    numbers = {
        one.value: one.n for one in named(connection, _NUMBERS) if not person.brands or one.value in person.brands
    }
    brands = sorted(person.brands | numbers.keys())
    queues = [one for one in QUEUES if not person.queues or one in person.queues]
    missed = _cases(connection, _MISSED, numbers, queues, (since, asked_at))
    return DigestLetter(
        weekly=kind == WEEKLY,
        since=since,
        until=asked_at,
        zone=person.zone,
        brands=_told(connection, numbers, queues, since, asked_at, settings)[:MOST_BRANDS],
        cases=tuple(
            _case(connection, row, person, settings, shown)
            for row in _cases(connection, _WEIGHTIEST, numbers, queues, (since,))[:MOST_CASES]
        ),
        missed=len(missed),
        missed_cases=tuple(_case(connection, row, person, settings, shown) for row in missed[:MOST_CASES]),
        incidents=_incidents(connection, brands, since, asked_at, settings) if INCIDENT_QUEUE in queues else (),
        missing=incomplete(connection, set(brands), since, asked_at),
        command=f"{settings.program} case list",
    )


def _told(
    connection: Connection,
    numbers: Mapping[str, int],
    queues: list[str],
    since: Millis,
    until: Millis,
    settings: MailSettings,
) -> tuple[BrandTold, ...]:
    """Brands of which something was said in this time or in the one before, the loudest first."""
    now, before = (_counts(connection, numbers, *span) for span in ((since, until), (2 * since - until, since)))
    heard, told = Covered(connection, since, until), []
    for brand, n in numbers.items():
        here = {queue: values for (number, queue), values in now.items() if number == n}
        posts, negative, positive = (sum(values[at] for values in here.values()) for at in range(3))
        was = sum(values[0] for (number, _), values in before.items() if number == n)
        if not posts and not was:
            continue
        minutes = range(since // MINUTE, until // MINUTE, EVERY)
        complete = sum(heard.share(brand, minute) for minute in minutes) / max(1, len(minutes))
        told.append(
            BrandTold(
                brand=settings.brand_names.get(brand, brand),
                posts=posts,
                before=was,
                negative=round(100 * negative / posts) if posts else None,
                positive=round(100 * positive / posts) if posts else None,
                complete=int(100 * complete),
                queues=tuple((queue, here[queue][0]) for queue in queues if queue in here and here[queue][0]),
            )
        )
    return tuple(sorted(told, key=lambda one: (-one.posts, one.brand)))


def _counts(
    connection: Connection, numbers: Mapping[str, int], since: Millis, until: Millis
) -> dict[tuple[int, str], tuple[int, int, int]]:
    """By brand and queue: mentions, negative, positive."""
    total: Counter[tuple[int, str, int]] = Counter()
    for table in ("count_minute", "count_delta"):
        sql = _SUMS.format(table=table)
        values = (since // MINUTE, until // MINUTE)
        for brand, queue, *sums in rows_in(connection, sql, sorted(numbers.values()), values):
            for at, value in enumerate(sums):
                total[brand, queue, at] += int(value)
    return {key[:2]: (total[*key[:2], 0], total[*key[:2], 1], total[*key[:2], 2]) for key in total}


def _cases(
    connection: Connection,
    sql: str,
    numbers: Mapping[str, int],
    queues: list[str],
    times: tuple[Millis, ...],
) -> list[_Row]:
    """Each once, the weightiest first."""
    marks = ", ".join("?" * len(queues))
    named_by = {n: brand for brand, n in numbers.items()}
    found = rows_in(connection, sql.format(queues=marks), sorted(numbers.values()), (*queues, *times))
    made = [
        _Row(id, tracking, named_by[brand], queue, risk, mentions, assignee, opened)
        for id, tracking, brand, queue, risk, mentions, assignee, opened in found
    ]
    return sorted({row.id: row for row in made}.values(), key=lambda row: (-row.risk, -row.mentions, row.id))


class _Row(NamedTuple):
    id: int
    tracking: str | None
    brand: str
    queue: str
    risk: int
    mentions: int
    assignee: str | None
    opened_at: Millis


def _case(connection: Connection, row: _Row, person: Person, settings: MailSettings, shown: Shown) -> CaseSeen:
    found = named(connection, _WORST, (row.id,))
    mention = decode(Mention, found[0].body) if found and found[0].body is not None else None
    return CaseSeen(
        key=row.tracking or tracking_key(row.brand, row.opened_at, row.id),
        brand=settings.brand_names.get(row.brand, row.brand),
        queue=row.queue,
        risk=row.risk,
        mentions=row.mentions,
        assignee=row.assignee or "",
        post=shown(mention, person, settings) if mention is not None and mention.post is not None else None,
        command=f"{settings.program} case show {row.id}",
    )


def _incidents(
    connection: Connection, brands: list[str], since: Millis, until: Millis, settings: MailSettings
) -> tuple[IncidentSeen, ...]:
    found = rows_in(connection, _INCIDENTS, brands, (until, since))
    seen = [book.find(connection, id) for (id,) in sorted(found, reverse=True)[:MOST_INCIDENTS]]
    return tuple(
        IncidentSeen(
            number=one.id,
            brand=settings.brand_names.get(one.brand, one.brand),
            state=one.state,
            worst=one.worst,
            since=one.since,
            until=one.over_at,
            observed=_observed(one.evidence),
            acknowledged_by=one.acknowledged_by or "",
        )
        for one in seen
    )


def _observed(evidence: Evidence) -> int:
    return round(evidence.signals[0].observed) if evidence.signals else 0


_NUMBERS = "SELECT n, value FROM dictionary WHERE kind = 'brand'"
_SUMS = (
    "SELECT brand, queue, sum(mentions), sum(negative), sum(positive) FROM {table}"
    " WHERE minute >= ? AND minute < ? AND brand IN (??) GROUP BY brand, queue"
)
_CASE = "SELECT c.id, c.tracking, c.brand, c.queue, c.risk, c.mentions, c.assignee, c.opened_at FROM cases c"
_WEIGHTIEST = (
    f"{_CASE} WHERE c.queue IN ({{queues}}) AND c.live = 1 AND c.updated_at >= ? AND c.brand IN (??)"
    f" ORDER BY c.risk DESC, c.mentions DESC LIMIT {MOST_CASES}"
)
_MISSED = (
    f"{_CASE} JOIN case_deadline d ON d.case_id = c.id"
    " WHERE c.queue IN ({queues}) AND d.missed_at >= ? AND d.missed_at < ? AND c.brand IN (??)"
)
_WORST = "SELECT body FROM mention WHERE case_id = ? AND state = 'live' ORDER BY risk DESC, n LIMIT 1"
_INCIDENTS = (
    "SELECT id FROM incident WHERE worst IN ('warning', 'crisis') AND opened_at < ?"
    " AND (over_at IS NULL OR over_at >= ?) AND brand IN (??)"
)
