"""`clamor case audit`: by when cases had to be answered and done, what came of it, and who did it."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import typer

from clamor.moments import moment
from clamor.opening import open_home
from database.engine import read
from database.migrate import upgrade
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
    """kept, missed, open (not due yet) or paused"""
    missed_told: str
    """When people were told that it was missed."""
    paused_seconds: int
    """While the case waited for its customer or was over."""


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
            found = [_line(row, now) for row in named(connection, _AUDIT, (begin, end, brand or "", brand or ""))]
    if form == "jsonl":
        for line in found:
            print(msgspec.json.encode(line).decode())
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Line.__struct_fields__)
    writer.writerows(msgspec.structs.astuple(line) for line in found)


def _line(row: Any, now: Millis) -> Line:
    stands = now - row.standing if row.standing is not None else 0
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
        outcome=_outcome(row.due, row.done_at, now),
        missed_told=_time(row.missed_at),
        paused_seconds=(int(row.paused or 0) + stands) // 1_000,
    )


def _outcome(due: Millis | None, done: Millis | None, now: Millis) -> str:
    if due is None:
        return "paused"
    return "missed" if (done or now) > due else "kept" if done is not None else "open"


def _time(at: Millis | None) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else ""


_AUDIT = (
    "SELECT c.tracking, c.id, b.value AS brand, c.queue, c.priority, c.state, c.assignee, c.opened_at, d.what, "
    "d.deadline, d.target, d.began_at, d.due, d.done_at, d.missed_at, "
    "(SELECT e.person FROM case_event e WHERE e.case_id = c.id AND e.at = d.done_at AND e.change = "
    "CASE d.what WHEN 'resolution' THEN 'resolved' ELSE 'waiting' END ORDER BY e.n LIMIT 1) AS done_by, "
    "(SELECT sum(p.until - p.since) FROM case_pause p WHERE p.case_id = c.id AND p.until IS NOT NULL) AS paused, "
    "(SELECT max(p.since) FROM case_pause p WHERE p.case_id = c.id AND p.until IS NULL) AS standing "
    "FROM cases c JOIN case_deadline d ON d.case_id = c.id JOIN dictionary b ON b.n = c.brand "
    "WHERE c.opened_at >= ? AND c.opened_at < ? AND (b.value = ? OR ? = '') ORDER BY c.id, d.what"
)
