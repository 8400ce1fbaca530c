"""From the outbox to the log: every change of a mention to `decided`, every move of a case to `escalations.*`, every
alert to `alerts`, those of incidents too.

At least once: rows are deleted after the log has the records. One leased relay works at a time; its fence is checked in
the transaction that deletes, so that one which was overtaken deletes nothing. A row holds references only: what is sent
is the mention as it stands now, so a revision that was overtaken is not sent, and a deleted text leaves no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import Engine

from database.engine import delete_numbered, read, rows, rows_in, write
from database.tenure import LeaseLost, Tenure
from routing.incidents import book
from routing.incidents.book import Incident
from stream.clock import MINUTE, Clock
from stream.ports import ALERTS, DECIDED, ESCALATIONS, Append, Log
from stream.records import MAJOR, Alert, Millis, encode

LEASE = "relay"
LONGEST_APPEND: Millis = 10 * MINUTE
"""More than twice the most patience that a log may be given; a relay that takes longer counts as hanging."""


class Relay:
    """`step` sends a batch. Not for several threads at once."""

    def __init__(
        self, engine: Engine, log: Log, clock: Clock, owner: str | None = None, *, epoch: int = 0, batch: int = 1_000
    ) -> None:
        """`owner`: as of a Tenure; `epoch` grows when SQL was restored from a backup."""
        self._engine, self._log = engine, log
        self._epoch, self._batch = epoch, batch
        self._tenure = Tenure(engine, LEASE, clock, owner)

    def step(self) -> int:
        """Records sent; 0 when there is nothing to send or another process has the lease.

        Raises Transient, with the rows still there.
        """
        if not self._tenure.hold():
            return 0
        with read(self._engine) as connection:
            waiting = rows(connection, _WAITING, (self._batch,))
            found = rows_in(connection, _BODIES, sorted({mention for _, _, mention, *_ in waiting}))
            bodies = {n: (body, month) for n, body, month in found}
            cases = sorted({row[3] for row in waiting if row[1] not in ("decided", "alert")})
            standing = {id: rest for id, *rest in rows_in(connection, _STANDING, cases)}
            told = {row[0]: row for row in rows_in(connection, _ALERTS, [row[-1] for row in waiting if row[-1]])}
            incidents = {id: book.find(connection, id) for id in {row[-1] for row in told.values()} - {None}}
        if not waiting:
            return 0
        records = _records(waiting, bodies, told, incidents, standing, self._epoch)
        if records:
            # A log may let us wait for minutes; overtaken meanwhile, an old text would come behind its tombstone.
            with self._tenure.kept(LONGEST_APPEND):
                self._log.append(records)
        with suppress(LeaseLost), write(self._engine) as connection:
            self._tenure.guard(connection)
            delete_numbered(connection, "outbox", [row[0] for row in waiting])
        return len(records)

    def pending(self) -> int:
        """Rows that wait to be sent."""
        with read(self._engine) as connection:
            waiting: int = rows(connection, "SELECT count(*) FROM outbox")[0][0]
        return waiting

    def close(self) -> None:
        self._tenure.leave()


def _records(
    waiting: Sequence[Any],
    bodies: dict[int, tuple[bytes, int]],
    told: dict[int, Any],
    incidents: dict[int, Incident],
    standing: dict[int, list[Any]],
    epoch: int,
) -> list[Append]:
    """Each mention once, as it stands; each move of a case with the mention that made it; each alert by reference."""
    records: list[Append] = []
    sent: set[int] = set()
    for _, kind, n, case_id, queue, at, key, brand, alert in waiting:
        if kind == "alert":
            if alert in told:
                records.append(Append(ALERTS, str(alert), _alert(told[alert], incidents, f"{key}#{brand}")))
            continue
        if n not in bodies:
            continue
        body, month = bodies[n]
        if kind == "decided":
            if n not in sent:
                sent.add(n)
                records.append(Append(DECIDED, f"{key}#{brand}", _head(epoch, month) + body + b"}"))
            continue
        words = {"v": MAJOR, "case_id": case_id, "change": kind, "brand": brand, "queue": queue, "at": at}
        words["state"], words["assignee"] = standing.get(case_id, ("", None))
        records.append(Append(ESCALATIONS[queue], str(case_id), _encode(words)[:-1] + b',"mention":' + body + b"}"))
    return records


def _head(epoch: int, month: int) -> bytes:
    """What stands before the mention in a Decided: the stored body is taken as it is."""
    return f'{{"v":{MAJOR},"epoch":{epoch},"month":{month},"mention":'.encode()


def _alert(row: Any, incidents: dict[int, Incident], mention: str) -> bytes:
    id, kind, brand, queue, case_id, risk, why, at, incident = row
    if incident is not None:
        held = incidents[incident]
        about = Alert(
            id=id, kind="incident", brand=brand, queue=queue, why=book.summary(held.evidence), at=at,
            incident_id=incident, word=why, state=held.state, since=held.since, acknowledged_by=held.acknowledged_by,
        )  # fmt: skip
        return encode(about)
    about = Alert(
        id=id, kind="mention", brand=brand, queue=queue, case_id=case_id, mention_id=mention, risk=risk, why=why, at=at,
        found_late=kind == "found_late",
    )  # fmt: skip
    return encode(about)


_encode = msgspec.json.Encoder().encode


_WAITING = (
    "SELECT o.n, o.kind, o.mention, o.case_id, o.queue, o.at, p.id, d.value, o.alert FROM outbox o "
    "LEFT JOIN mention m ON m.n = o.mention LEFT JOIN post p ON p.n = m.post LEFT JOIN dictionary d ON d.n = m.brand "
    "WHERE o.mention = 0 OR d.n IS NOT NULL ORDER BY o.n LIMIT ?"
)
_ALERTS = "SELECT id, kind, brand, queue, case_id, risk, why, created_at, incident FROM alert WHERE id IN (??)"
_STANDING = "SELECT id, state, assignee FROM cases WHERE id IN (??)"
_BODIES = "SELECT n, body, indexed_month FROM mention WHERE n IN (??)"
