"""Key figures in SQL: what a change of cases or incidents adds and takes back, in the transaction of the change.

Routers append deltas, the compactor folds them into days; every read adds the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from database.engine import delete_numbered, many, read, rows, rows_in, write
from routing.contribution import read as read_contribution
from routing.kpi.measures import WITHIN, Added, Owed, Stands, changes, of_case, of_incident
from routing.rows import NO_CONVERSATION
from stream.records import Millis

FOLDED_AT_ONCE = 5_000
CAUGHT_UP_AT_ONCE = 200
MOST_MEMBERS = 2_000
"""Mentions of a case that are looked through for detractors."""


def measure(
    connection: Connection, cases: Collection[int], now: Millis, networks: Mapping[int, str] | None = None
) -> None:
    """Bring what these cases have added in line with how they stand in SQL. `networks`: of a mention of each, where
    that is known."""
    ids = sorted(cases)
    found = {row[0]: row for row in rows_in(connection, _CASES, ids)}
    if not found:
        return
    added = _added(connection, "case", ids)
    known = dict(networks or {})
    missing = [id for id in found if id not in added and id not in known]
    for id, post in rows_in(connection, _FIRST, missing):
        known[id] = post.partition(":")[0]
    facts = _Loaded(connection, found, now, added)
    brands = dict(rows_in(connection, "SELECT n, value FROM dictionary WHERE n IN (??)", _brands(found)))
    after = {}
    for id, row in found.items():
        network = added[id].network if id in added and added[id].network else known.get(id, "")
        after[id] = Added(brands.get(row[1], ""), row[2], network, of_case(facts.stands(id)))
    _store(connection, "case", added, after)


def measure_incident(connection: Connection, id: int) -> None:
    """Bring what an incident has added in line with how it stands in SQL."""
    found = rows(connection, _INCIDENT, (id,))
    if not found:
        return
    brand, opened_at, told, proved = found[0]
    after = Added(brand, "pr", "", of_incident(opened_at, bool(told), proved))
    _store(connection, "incident", _added(connection, "incident", [id]), {id: after})


class Behind(NamedTuple):
    """How far cases and incidents from before they were measured have been caught up with."""

    case: int = 0
    incident: int = 0
    """Those up to here are measured."""


BEGINNING = Behind()


def catch_up(engine: Engine, now: Millis, behind: Behind = BEGINNING) -> Behind | None:
    """Measure a chunk of cases and incidents from before they were; where to go on, None where all are."""
    with read(engine) as connection:
        cases = _not_yet(connection, "cases", "case", behind.case)
        incidents = _not_yet(connection, "incident", "incident", behind.incident)
    if not cases and not incidents:
        return None
    with write(engine) as connection:
        measure(connection, cases, now)
        for id in incidents:
            measure_incident(connection, id)
    return Behind(max([behind.case, *cases]), max([behind.incident, *incidents]))


def _not_yet(connection: Connection, table: str, kind: str, after: int) -> list[int]:
    found = rows(connection, _NOT_YET.format(table=table, kind=kind), (after, CAUGHT_UP_AT_ONCE))
    return [id for (id,) in found]


def fold(engine: Engine) -> int:
    """Fold up to FOLDED_AT_ONCE deltas into their days; how many were."""
    with read(engine) as connection:
        if not rows(connection, "SELECT 1 FROM kpi_delta LIMIT 1"):
            return 0
    with write(engine) as connection:
        picked = rows(connection, f"SELECT n, {_KEY}, value FROM kpi_delta ORDER BY n LIMIT ?", (FOLDED_AT_ONCE,))
        sums = Counter[tuple[Any, ...]]()
        for _, *key, value in picked:
            sums[tuple(key)] += value
        many(connection, _FOLD, sorted((*key, value) for key, value in sums.items()))
        delete_numbered(connection, "kpi_delta", [row[0] for row in picked])
    return len(picked)


def let_go(connection: Connection, now: Millis) -> None:
    """Who was a detractor is forgotten once it is no longer looked at what they say; the sums stay."""
    before = (now - WITHIN,)
    praise = "DELETE FROM kpi_praise WHERE case_id IN (SELECT case_id FROM kpi_detractor WHERE resolved_at < ?)"
    many(connection, praise, [before])
    many(connection, "DELETE FROM kpi_detractor WHERE resolved_at < ?", [before])


class _Case(NamedTuple):
    id: int
    brand: int
    queue: str
    state: str
    mentions: int
    opened_at: Millis
    first_response_at: Millis | None
    closed_at: Millis | None
    conversation: int


class _Loaded:
    """What is asked of SQL about several cases at once."""

    def __init__(
        self, connection: Connection, found: Mapping[int, Any], now: Millis, added: Mapping[int, Added]
    ) -> None:
        self._cases = {id: _Case(*row) for id, row in found.items()}
        empty = [one.id for one in self._cases.values() if one.state == "closed" or not one.mentions]
        done = [one.id for one in self._cases.values() if one.state == "resolved"]
        expired = "SELECT DISTINCT case_id FROM mention WHERE state = 'expired' AND case_id IN (??)"
        self._expired = {id for (id,) in rows_in(connection, expired, sorted({*empty, *done}))}
        self._owed: dict[int, list[Owed]] = {}
        for id, *rest in rows_in(connection, _OWED, list(found)):
            self._owed.setdefault(id, []).append(Owed(*rest))
        self._waited = Counter[int]()
        for id, since, until in rows_in(connection, _PAUSES, done):
            end = self._cases[id].closed_at or 0
            self._waited[id] += max(0, min(until or end, end) - since)
        self._added = added
        self._forgotten: set[int] = set()
        """Resolved so long ago that nobody knows any more who their detractors were."""
        self._detractors = self._known_detractors(connection, now)
        praised = "SELECT case_id, count(DISTINCT author) FROM kpi_praise WHERE case_id IN (??) GROUP BY case_id"
        self._well = dict(rows_in(connection, praised, [id for id in done if self._detractors.get(id)]))

    def stands(self, id: int) -> Stands:
        one = self._cases[id]
        detractors, well = self._of_detractors(id)
        return Stands(
            one.queue, one.state, one.mentions, id in self._expired, one.opened_at, one.first_response_at,
            one.closed_at, self._waited[id], self._owed.get(id, ()), detractors, well,
            one.conversation == NO_CONVERSATION,
        )  # fmt: skip

    def _of_detractors(self, id: int) -> tuple[int, int]:
        """How many there are, and how many of them spoke well; of those that are forgotten the sums stay."""
        if id in self._forgotten and id in self._added:
            counted = Counter({fact.measure: fact.times for fact in self._added[id].facts})
            return counted["detractor"], counted["spoke_well"]
        known = len(self._detractors.get(id, ()))
        return known, min(known, self._well.get(id, 0))

    def _known_detractors(self, connection: Connection, now: Millis) -> dict[int, set[int]]:
        """By resolved case, and kept so; of a case that is no longer resolved nobody is kept."""
        held: dict[int, set[int]] = {}
        for case, author in rows_in(connection, _HELD, list(self._cases)):
            held.setdefault(case, set()).add(author)
        found: dict[int, set[int]] = {}
        for one in self._cases.values():
            fresh = one.closed_at is not None and now - one.closed_at <= WITHIN
            if one.state == "resolved" and fresh:
                # Whose text was let go was there all the same, though nobody knows any more whose it was.
                before = held.get(one.id, set()) if one.id in self._expired else set[int]()
                found[one.id] = _against(connection, one.id) | before
            elif one.state == "resolved":
                found[one.id] = held.get(one.id, set())
                if not found[one.id]:
                    self._forgotten.add(one.id)
        gone = [(author, case) for case, them in held.items() for author in them - found.get(case, set())]
        many(connection, "DELETE FROM kpi_detractor WHERE author = ? AND case_id = ?", gone)
        sql = "DELETE FROM kpi_praise WHERE author = ? AND case_id = ?"
        many(connection, sql, gone)
        came = [
            (author, one.id, one.brand, one.closed_at)
            for one in self._cases.values()
            for author in sorted(found.get(one.id, ()))
        ]
        many(connection, _DETRACTOR, came)
        return found


def _against(connection: Connection, case: int) -> set[int]:
    """Authors of a case's mentions who spoke against the brand."""
    found = rows(connection, _MEMBERS, (case, MOST_MEMBERS))
    return {author for author, written in found if read_contribution(written).detractors > 0}


def _brands(found: Mapping[int, Any]) -> list[int]:
    return sorted({row[1] for row in found.values()})


def _added(connection: Connection, kind: str, ids: Sequence[int]) -> dict[int, Added]:
    found = rows_in(connection, "SELECT id, facts FROM kpi_added WHERE kind = ? AND id IN (??)", ids, (kind,))
    return {id: msgspec.json.decode(facts, type=Added) for id, facts in found}


def _store(connection: Connection, kind: str, before: Mapping[int, Added], after: Mapping[int, Added]) -> None:
    deltas = Counter[tuple[Any, ...]]()
    for id, added in after.items():
        for brand, queue, network, fact in changes(before.get(id), added):
            deltas[fact.day, brand, queue, network, fact.measure, fact.bucket] += fact.times
    sql = f"INSERT INTO kpi_delta ({_KEY}, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
    many(connection, sql, [(*key, value) for key, value in deltas.items() if value])
    kept = [(kind, id, msgspec.json.encode(one).decode()) for id, one in after.items() if before.get(id) != one]
    many(connection, _KEEP, kept)


_KEY = "day, brand, queue, network, measure, bucket"
_CASES = (
    "SELECT id, brand, queue, state, mentions, opened_at, first_response_at, closed_at, conversation FROM cases"
    " WHERE id IN (??)"
)
_FIRST = (
    "SELECT m.case_id, p.id FROM mention m JOIN post p ON p.n = m.post WHERE m.n IN"
    " (SELECT min(n) FROM mention WHERE case_id IN (??) GROUP BY case_id)"
)
_OWED = "SELECT case_id, what, due, done_at, missed_at FROM case_deadline WHERE case_id IN (??) ORDER BY what"
_PAUSES = "SELECT case_id, since, until FROM case_pause WHERE case_id IN (??)"
_HELD = "SELECT case_id, author FROM kpi_detractor WHERE case_id IN (??)"
_MEMBERS = (
    "SELECT p.author, m.contribution FROM mention m JOIN post p ON p.n = m.post WHERE m.case_id = ?"
    " AND m.state IN ('live', 'expired') AND m.contribution IS NOT NULL AND p.author IS NOT NULL LIMIT ?"
)
_INCIDENT = "SELECT brand, opened_at, told, proved FROM incident WHERE id = ?"
_NOT_YET = (
    "SELECT t.id FROM {table} t LEFT JOIN kpi_added k ON k.kind = '{kind}' AND k.id = t.id WHERE t.id > ?"
    " AND k.id IS NULL ORDER BY t.id LIMIT ?"
)
_DETRACTOR = (
    "INSERT INTO kpi_detractor (author, case_id, brand, resolved_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (author, case_id) DO UPDATE SET resolved_at = excluded.resolved_at"
)
_KEEP = (
    "INSERT INTO kpi_added (kind, id, facts) VALUES (?, ?, ?)"
    " ON CONFLICT (kind, id) DO UPDATE SET facts = excluded.facts"
)
_FOLD = (
    f"INSERT INTO kpi_day ({_KEY}, value) VALUES (?, ?, ?, ?, ?, ?, ?)"
    f" ON CONFLICT ({_KEY}) DO UPDATE SET value = kpi_day.value + excluded.value"
)
