"""What is known of two cases, in SQL: that they may be one matter, that they are, that they are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection

from database.engine import many, rows, rows_in
from routing.matters.certainty import Term
from stream.records import Millis

State = Literal["proposed", "joined", "apart", "linked"]
SCALE = 10_000
MOST_MERGES = 16
MOST_FAMILY = 200
"""Cases that were merged into one which are asked what people said of them, the newest."""
MOST_READ = 2_000


class Evidence(msgspec.Struct, frozen=True):
    """By which two cases are taken for one matter: numbers, no text."""

    terms: tuple[Term, ...] = ()
    mentions: tuple[int, int] = (0, 0)
    """Numbers of the two that show it."""


class Tie(NamedTuple):
    one: int
    other: int
    state: State
    certainty: float
    evidence: Evidence
    at: Millis
    person: str


def between(connection: Connection, one: int, other: int) -> Tie | None:
    found = rows(connection, f"{_SELECT} WHERE one = ? AND other = ?", (min(one, other), max(one, other)))
    return _tie(found[0]) if found else None


def keep(connection: Connection, ties: Iterable[Tie]) -> None:
    """What was known of the same two before is replaced."""
    many(connection, _KEEP, [
        (
            min(one.one, one.other), max(one.one, one.other), one.state, round(one.certainty * SCALE),
            msgspec.json.encode(one.evidence).decode(), one.at, one.person,
        )
        for one in ties
    ])  # fmt: skip


def say(connection: Connection, one: int, other: int, state: State, at: Millis, person: str) -> None:
    """What somebody decided of two cases; the evidence stays."""
    held = between(connection, one, other)
    before = held or Tie(one, other, state, 0.0, Evidence(), at, person)
    keep(connection, [before._replace(state=state, at=at, person=person)])


def of_cases(connection: Connection, cases: Sequence[int]) -> list[Tie]:
    """All that is known of these."""
    found = rows_in(connection, f"{_SELECT} WHERE one IN (??)", list(cases))
    found += rows_in(connection, f"{_SELECT} WHERE other IN (??)", list(cases))
    return [_tie(row) for row in {tuple(row[:2]): row for row in found}.values()]


def proposed(connection: Connection, most: int) -> list[Tie]:
    """Two cases that are in work and may be one matter, as they stand now, the most certain first."""
    found = rows(connection, _PROPOSED, (MOST_READ,))
    return now_of(connection, [_tie(row) for row in found])[:most]


def now_of(connection: Connection, ties: Sequence[Tie]) -> list[Tie]:
    """Of ties of cases that were merged since: between those that have their mentions. Left out is what became one
    case, what is proposed of a case that is over, and what somebody has said is not one matter."""
    final = heirs(connection, {id for tie in ties for id in tie[:2]})
    live = {id for (id,) in rows_in(connection, "SELECT id FROM cases WHERE live = 1 AND id IN (??)",
                                    sorted(set(final.values())))}  # fmt: skip
    found: dict[tuple[int, int], Tie] = {}
    for tie in ties:
        one, other = sorted((final[tie.one], final[tie.other]))
        open_to = tie.state != "proposed" or (one in live and other in live)
        if one != other and open_to and (one, other) not in found:
            found[one, other] = tie._replace(one=one, other=other)
    barred = barred_pairs(connection, sorted({id for pair in found for id in pair}))
    return [tie for pair, tie in found.items() if pair not in barred]


def heirs(connection: Connection, cases: Iterable[int]) -> dict[int, int]:
    """By case: the one that has its mentions now."""
    final = {id: id for id in cases}
    for _ in range(MOST_MERGES):
        sql = "SELECT id, merged_into FROM cases WHERE merged_into IS NOT NULL AND id IN (??)"
        into = dict(rows_in(connection, sql, sorted(set(final.values()))))
        if not into:
            break
        final = {id: into.get(end, end) for id, end in final.items()}
    return final


def barred_pairs(connection: Connection, cases: Sequence[int]) -> set[tuple[int, int]]:
    """Pairs of these of which somebody said that they are not one matter: of them, or of cases merged into them."""
    family = {id: id for id in cases}
    fresh = list(cases)
    for _ in range(MOST_MERGES):
        sql = "SELECT id, merged_into FROM cases WHERE merged_into IN (??) ORDER BY id DESC"
        found = [row for row in rows_in(connection, sql, fresh)[:MOST_FAMILY] if row[0] not in family]
        family |= {id: family[into] for id, into in found}
        fresh = [id for id, _ in found]
        if not fresh:
            break
    apart = [tie for tie in of_cases(connection, list(family)) if tie.state == "apart"]
    pairs = {(family[tie.one], family[tie.other]) for tie in apart if tie.one in family and tie.other in family}
    return {(min(pair), max(pair)) for pair in pairs}


def family_of(connection: Connection, case: int) -> list[int]:
    """A case and those that were merged into it, and into those."""
    found, fresh = [case], [case]
    while fresh and len(found) < MOST_FAMILY:
        fresh = [id for (id,) in rows_in(connection, "SELECT id FROM cases WHERE merged_into IN (??)", fresh)]
        fresh = [id for id in fresh if id not in found]
        found += fresh
    return found


def _tie(row: Sequence[object]) -> Tie:
    one, other, state, certain, evidence, at, person = row
    return Tie(
        one, other, state, certain / SCALE, msgspec.json.decode(evidence, type=Evidence), at, person  # type: ignore
    )  # fmt: skip


_SELECT = "SELECT one, other, state, certainty, evidence, at, person FROM case_tie"
_PROPOSED = (
    "SELECT t.one, t.other, t.state, t.certainty, t.evidence, t.at, t.person FROM case_tie t "
    "JOIN cases a ON a.id = t.one JOIN cases b ON b.id = t.other WHERE t.state = 'proposed' "
    "AND (a.live = 1 OR a.merged_into IS NOT NULL) AND (b.live = 1 OR b.merged_into IS NOT NULL) "
    "AND coalesce(a.merged_into, a.id) != coalesce(b.merged_into, b.id) ORDER BY t.certainty DESC LIMIT ?"
)
"""Without those of which nothing is left to decide: they stay, and would be more and more."""
_KEEP = (
    "INSERT INTO case_tie (one, other, state, certainty, evidence, at, person) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (one, other) DO UPDATE SET state = excluded.state, certainty = excluded.certainty, "
    "evidence = excluded.evidence, at = excluded.at, person = excluded.person"
)
