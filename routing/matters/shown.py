"""What people are shown of the matters of a case."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import rows_in
from routing.matters import ties
from routing.matters.seeking import in_words

MOST = 50


class Known(NamedTuple):
    """Of another case; the fields are those that people are shown."""

    case: int
    brand: str
    state: str
    certainty: float
    why: str
    mentions: tuple[str, ...]


def matters_of(connection: Connection, case: int) -> list[Known]:
    """What is known of a case and others: proposals that stand, cases of other brands, those that are kept apart; the
    most certain first."""
    family = ties.family_of(connection, case)
    held = ties.of_cases(connection, family)
    standing = ties.now_of(connection, [tie for tie in held if tie.state in ("proposed", "linked")])
    apart = [tie for tie in held if tie.state == "apart" and not {tie.one, tie.other} <= set(family)]
    found = sorted([*standing, *apart], key=lambda tie: -tie.certainty)[:MOST]
    others = {tie: tie.other if tie.one in family else tie.one for tie in found}
    sql = "SELECT c.id, d.value FROM cases c JOIN dictionary d ON d.n = c.brand WHERE c.id IN (??)"
    brands = dict(rows_in(connection, sql, sorted(set(others.values()))))
    sql = (
        "SELECT m.n, p.id || '#' || d.value FROM mention m JOIN post p ON p.n = m.post "
        "JOIN dictionary d ON d.n = m.brand WHERE m.state = 'live' AND m.n IN (??)"
    )
    names = dict(rows_in(connection, sql, sorted({n for tie in found for n in tie.evidence.mentions})))
    return [
        Known(
            other,
            brands.get(other, ""),
            tie.state,
            tie.certainty,
            in_words(tie.evidence.terms),
            tuple(names[n] for n in tie.evidence.mentions if n in names),
        )
        for tie, other in others.items()
    ]
