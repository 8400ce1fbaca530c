"""What people do in a matter, by the policy for detractors: kept beside the decision, for as long as it stands.

A row rests on one post: it is written in the transaction that decides the post's mention, replaced when that is decided
anew, and goes in the one that takes the text away. It stands until its end; some time after that it is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from config.people import Person
from config.teams import Team
from database.engine import many, rows, rows_in, write
from routing.keys import NOBODY
from routing.policy import QUEUES, Found, Policy
from routing.rows import MentionRow
from routing.sheet import CaseEvent, Sheet
from stream.clock import DAY
from stream.records import Millis

KEPT_FOR: Millis = 30 * DAY
"""After it has ended, so that it can still be told why somebody was answered as they were."""
CHUNK = 2_000


class Stands(NamedTuple):
    """The kind of one mention."""

    mention: int
    author: int
    """Key; 0 where it is not known."""
    brand: int
    conversation: int
    kind: str
    since: Millis
    until: Millis
    policy: int
    record: str
    """Of what had to be asked to find it (routing.truths)."""

    def ended(self, now: Millis) -> bool:
        return self.until <= now


def save(sheet: Sheet) -> None:
    """Bring the rows in line with what the batch found."""
    many(sheet.connection, "DELETE FROM behaviour WHERE mention = ?", [(m.n,) for m, _ in sheet.kinds if not m.new])
    many(sheet.connection, _NEW, [_row(sheet, m, found) for m, found in sheet.kinds if found is not None])


def tell(sheet: Sheet) -> None:
    """Let those be told whom the policy names: once in a case. Cases are placed.

    The history says who was told, and not of which kind: it stays when that has gone with its post."""
    for m, found in sheet.tell_of:
        case = sheet.cases.get(m.case_id) if m.case_id is not None else None
        if case is None:
            continue
        told = {one.detail for one in sheet.events if one.case is case and one.change == "policy"}
        if not case.new:
            told |= {detail for (detail,) in rows(sheet.connection, _TOLD, (case.id,))}
        news = [who for who in _persons(found.tell, sheet.desk.in_force.teams) if who not in told]
        sheet.events += [CaseEvent(case, "policy", m, who, told=(who,)) for who in news]


def of_mentions(connection: Connection, mentions: Sequence[int]) -> dict[int, Stands]:
    """By number of the mention, those that have ended included."""
    found = rows_in(connection, f"SELECT {_COLUMNS} FROM behaviour WHERE mention IN (??)", list(mentions))
    return {row[0]: Stands._make(row) for row in found}


def in_case(connection: Connection, case: int, now: Millis, most: int = 2_000) -> list[Stands]:
    """Kinds that stand in a case, of its newest live mentions, the newest first."""
    return [Stands._make(row) for row in rows(connection, _IN_CASE, (case, now, most))]


def of_authors(connection: Connection, authors: Iterable[int]) -> list[Stands]:
    """All that is held about these authors (keys), oldest first."""
    known = [author for author in authors if author != NOBODY]
    found = rows_in(connection, f"SELECT {_COLUMNS} FROM behaviour WHERE author IN (??)", known)
    return sorted(map(Stands._make, found), key=lambda one: (one.since, one.mention))


def people_of(
    policy: Policy, kind: str, brand: str, people: Iterable[Person], teams: Iterable[Team]
) -> tuple[str, ...]:
    """Ids of those who must be told of a kind by the policy: named ones, members of named teams, and who hears of a
    named queue."""
    found = policy.named(kind)
    named = frozenset(found.behaviour.tell) if found is not None else frozenset[str]()
    tell, queues = frozenset(_persons(named - QUEUES, teams)), named & QUEUES
    return tuple(
        person.id for person in people if person.id in tell or any(person.hears(brand, queue) for queue in queues)
    )


def _persons(named: Iterable[str], teams: Iterable[Team]) -> list[str]:
    """Ids of people; a team stands for its members."""
    members = {team.id: team.members for team in teams}
    return list(dict.fromkeys(person for who in named for person in members.get(who, (who,))))


def let_go(engine: Engine, now: Millis) -> int:
    """Forget up to CHUNK kinds that ended KEPT_FOR ago; how many."""
    with write(engine) as connection:
        old = [(n,) for (n,) in rows(connection, _OLD, (now - KEPT_FOR, CHUNK))]
        many(connection, "DELETE FROM behaviour WHERE mention = ?", old)
    return len(old)


def _row(sheet: Sheet, m: MentionRow, found: Found) -> tuple[object, ...]:
    assert m.value is not None
    since = m.value.event_time
    return (
        m.n, m.post.author or NOBODY, m.brand_n, sheet.root(m.post.conversation), found.kind, since,
        since + found.expires, found.policy, found.record,
    )  # fmt: skip


_COLUMNS = "mention, author, brand, conversation, kind, since, until, policy, record"
_NEW = f"INSERT INTO behaviour ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_IN_CASE = (
    f"SELECT {', '.join(f'b.{column}' for column in _COLUMNS.split(', '))} FROM behaviour b "
    "JOIN mention m ON m.n = b.mention WHERE m.case_id = ? AND m.state = 'live' AND b.until > ? "
    "ORDER BY b.since DESC, b.mention DESC LIMIT ?"
)
_TOLD = "SELECT detail FROM case_event WHERE case_id = ? AND change = 'policy'"
_OLD = "SELECT mention FROM behaviour WHERE until < ? ORDER BY until LIMIT ?"
