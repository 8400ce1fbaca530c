"""`clamor case audit`: by when cases had to be answered and done, what came of it, and who did it."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import typer
from sqlalchemy import Connection

from clamor.moments import moment
from clamor.opening import open_home
from database.engine import read, rows_in
from database.migrate import upgrade
from routing.deadlines import Pause
from routing.named import named
from routing.tracking import tracking_key
from stream.records import Millis


class Line(msgspec.Struct, frozen=True):
    """A deadline of a case. Times in UTC, as 2026-11-27T09:12:30Z."""

    tracking: str
    case: int
    brand: str
    queue: str
    priority: str
    state: str
    assignee: str
    what: str
    """first_response or resolution"""
    deadline: str
    target: str
    began: str
    due: str
    """Empty: the clock stands still, or nobody works who would count."""
    done: str
    done_by: str
    """Empty: the answer was seen on the network, or it is not done."""
    outcome: str
    """kept, missed, open (not due yet), paused (the clock stands still) or over (the case ended before, without it)"""
    missed_told: str
    """When people were told that it was missed."""
    paused_seconds: int
    """How long the clock stood still until it was done, or the case over; the first response's never does."""


def audit(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Cases opened since: 2026-03-01, or how long ago (-30d).")] = "-30d",
    until: Annotated[str | None, typer.Option(help="Cases opened before. Default: now.")] = None,
    brand: Annotated[str | None, typer.Option(help="Only of this brand.")] = None,
    form: Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="csv or jsonl.")] = "csv",
) -> None:
    """Write the deadlines of cases to standard output: due, done, by whom, kept or missed.

    [bold]Examples[/bold]

      clamor case audit --since 2026-01-01 --until 2026-04-01
      clamor case audit --brand acme --format jsonl | jq 'select(.outcome == "missed")'
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        begin = int(moment(since, now, "since").low or 0)
        end = int(moment(until, now, "until").high or now) if until is not None else now + 1
        with read(opened.engine) as connection:
            found = lines(connection, begin, end, brand or "", now)
    if form == "jsonl":
        for line in found:
            print(msgspec.json.encode(line).decode())
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Line.__struct_fields__)
    writer.writerows(msgspec.structs.astuple(line) for line in found)


def lines(connection: Connection, begin: Millis, end: Millis, brand: str, now: Millis) -> list[Line]:
    """Of the cases that were opened in [begin, end), by number; of every brand where `brand` is empty."""
    found = named(connection, _AUDIT, (begin, end, brand, brand))
    pauses: dict[int, list[Pause]] = {}
    for case, since, until in rows_in(connection, _PAUSES, sorted({row.id for row in found})):
        pauses.setdefault(case, []).append(Pause(since, until))
    return [_line(row, pauses.get(row.id, ()), now) for row in found]


def _line(row: Any, pauses: Iterable[Pause], now: Millis) -> Line:
    ended = row.done_at if row.done_at is not None else row.closed_at
    stood = _stood(pauses, now if ended is None else ended) if row.what == "resolution" else 0
    return Line(
        tracking=row.tracking or tracking_key(row.brand, row.opened_at, row.id),
        case=row.id,
        brand=row.brand,
        queue=row.queue,
        priority=row.priority,
        state=row.state,
        assignee=row.assignee or "",
        what=row.what,
        deadline=row.deadline,
        target=row.target,
        began=_time(row.began_at),
        due=_time(row.due),
        done=_time(row.done_at),
        done_by=row.done_by or "",
        outcome=_outcome(row.due, row.done_at, row.closed_at, now),
        missed_told=_time(row.missed_at),
        paused_seconds=stood // 1_000,
    )


def _outcome(due: Millis | None, done: Millis | None, closed: Millis | None, now: Millis) -> str:
    """`closed`: when the case was over; None: it is in work."""
    ended = done if done is not None else closed
    if due is not None and due < (now if ended is None else ended):
        return "missed"
    if done is not None:
        return "kept"
    return "over" if closed is not None else "paused" if due is None else "open"


def _stood(pauses: Iterable[Pause], end: Millis) -> Millis:
    return sum(min(end if until is None else until, end) - since for since, until in pauses if since < end)


def _time(at: Millis | None) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else ""


_AUDIT = (
    "SELECT c.tracking, c.id, b.value AS brand, c.queue, c.priority, c.state, c.assignee, c.opened_at, c.closed_at, "
    "d.what, d.deadline, d.target, d.began_at, d.due, d.done_at, d.missed_at, "
    "(SELECT e.person FROM case_event e WHERE e.case_id = c.id AND e.at = d.done_at AND e.change = "
    "CASE d.what WHEN 'resolution' THEN 'resolved' ELSE 'waiting' END ORDER BY e.n LIMIT 1) AS done_by "
    "FROM cases c JOIN case_deadline d ON d.case_id = c.id JOIN dictionary b ON b.n = c.brand "
    "WHERE c.opened_at >= ? AND c.opened_at < ? AND (b.value = ? OR ? = '') ORDER BY c.id, d.what"
)
_PAUSES = "SELECT case_id, since, until FROM case_pause WHERE case_id IN (??)"
