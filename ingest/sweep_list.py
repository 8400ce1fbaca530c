"""The posts of a source that are looked up again: which, when, what the last look said.

Routing adds a post when it becomes a mention, in the same transaction. What is held of a post only in the log (it is
about no brand) is on no list: nobody can reach it, and the log lets go of it by its retention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Engine

from database.engine import many, read, rows, rows_in, write
from database.tenure import Guard
from ingest.sweep_plan import Due, Schedule, due, due_in_doubt, due_when_gone
from stream.merge import content_hash
from stream.records import Mention, Metrics, Millis, Post, decode

CHUNK = 500


class Held(msgspec.Struct, frozen=True):
    """A post as it is held here, when it may be looked up."""

    post: int
    id: str
    published: Millis
    due: Due
    seen: Millis
    """When it was last known to be there."""
    absent_since: Millis | None
    gone_at: Millis | None
    live: bool
    """Its text stands here: in a mention, or as what a reply in a case answers."""
    content_hash: str = ""
    metrics: Metrics | None = None
    """As the mention has them: of within its bucket of reach they may be older than what was seen last."""


class Look(NamedTuple):
    """What is to be remembered of a post that was looked for."""

    post: int
    due: Due | None
    """None: it is looked after no more."""
    looked_at: Millis | None = None
    """None: the last look said nothing, what is known of it stays."""
    absent_since: Millis | None = None
    gone_at: Millis | None = None


class Standing(msgspec.Struct, frozen=True):
    """How the sweep of a source does; a row of table `sweep`."""

    source_id: str
    schedule: str
    looked_at: Millis
    held: int = 0
    overdue: int = 0
    oldest_limit: Millis | None = None
    paused_at: Millis | None = None
    why: str = ""


class SweepList:
    """Of one source, each call one short transaction."""

    def __init__(self, engine: Engine, source_id: str, guard: Guard | None = None) -> None:
        self.engine, self.source_id, self._guard = engine, source_id, guard

    def plan(self, schedule: Schedule) -> bool:
        """Give posts that have no time yet the time of their next look; true while there are more."""
        with read(self.engine) as connection:
            found = rows(connection, f"{_UNPLANNED} LIMIT {CHUNK}", (self.source_id,))
        planned = [
            (post, None if published is None else _planned(schedule, published, seen, absent_since))
            for post, published, seen, absent_since in found
        ]
        self._write(
            (_TIMED, [(*when, self.source_id, post) for post, when in planned if when is not None]),
            (_FORGET, [(self.source_id, post) for post, when in planned if when is None]),
        )
        return len(found) == CHUNK

    def anew(self) -> None:
        """All of them are to be planned anew: the schedule is another."""
        self._write(
            ("UPDATE swept_post SET due_at = NULL WHERE source_id = ? AND gone_at IS NULL", [(self.source_id,)])
        )

    def dues(self, now: Millis, most: int) -> list[Due]:
        """Times of those that may be looked up, the longest overdue first."""
        sql = (
            f"SELECT due_at, limit_at FROM swept_post WHERE source_id = ? AND due_at <= ? ORDER BY due_at LIMIT {most}"
        )
        with read(self.engine) as connection:
            return [Due(at, limit or at) for at, limit in rows(connection, sql, (self.source_id, now))]

    def waiting(self, now: Millis, most: int) -> list[Held]:
        """Those that may be looked up, the longest overdue first."""
        return self._held(_WAITING, (self.source_id, now, most))

    def doubted(self, now: Millis, most: int) -> list[Held]:
        """Of those only the ones that were missed and are not yet taken for deleted."""
        return self._held(_DOUBTED, (self.source_id, now, most))

    def control(self, besides: Iterable[int], most: int) -> list[str]:
        """Ids of the newest posts that nobody has missed: where a sweep does not find them, it sees nothing."""
        left_out = set(besides)
        with read(self.engine) as connection:
            found = rows(connection, _NEWEST, (self.source_id, most + len(left_out)))
        return [id for n, id in found if n not in left_out][:most]

    def remember(self, looks: Sequence[Look]) -> None:
        """Once what they told is durable in the log."""
        seen = [one for one in looks if one.due is not None and one.looked_at is not None]
        late = [one for one in looks if one.due is not None and one.looked_at is None]
        self._write(
            (_LOOKED, [(*_time(one), one.looked_at, one.absent_since, one.gone_at, self.source_id, one.post)
                       for one in seen]),
            (_LATER, [(one.due.at, one.absent_since, self.source_id, one.post)
                      for one in late if one.due is not None]),
            (_FORGET, [(self.source_id, one.post) for one in looks if one.due is None]),
        )  # fmt: skip

    def counted(self, now: Millis) -> tuple[int, int, Millis | None]:
        """(posts looked after, those not looked up in time, the first limit of these)."""
        with read(self.engine) as connection:
            held = rows(connection, _COUNT, (self.source_id,))[0][0]
            late, oldest = rows(connection, _OVERDUE, (self.source_id, now, now))[0]
        return held, late, oldest

    def standing(self) -> Standing | None:
        """None: it was never swept."""
        return standings(self.engine).get(self.source_id)

    def tell(self, standing: Standing) -> None:
        """How it does. Whether it is paused is not changed: a person may just have said that it goes on."""
        self._write((_TELL, [msgspec.structs.astuple(standing)]))

    def pause(self, why: str, now: Millis) -> None:
        """Until `go_on`."""
        sql = "UPDATE sweep SET paused_at = ?, why = ? WHERE source_id = ? AND paused_at IS NULL"
        self._write((sql, [(now, why, self.source_id)]))

    def _held(self, sql: str, values: Sequence[object]) -> list[Held]:
        with read(self.engine) as connection:
            found = [tuple(row) for row in rows(connection, sql, values)]
            bodies = rows_in(
                connection,
                "SELECT post, body FROM mention WHERE state = 'live' AND post IN (??)",
                [row[0] for row in found],
            )
            ids = [row[1] for row in found if row[1] is not None]
            asked = rows_in(connection, "SELECT id, body FROM context_post WHERE body IS NOT NULL AND id IN (??)", ids)
        mentions = {post: decode(Mention, body) for post, body in bodies}
        context = {id: decode(Post, body) for id, body in asked}
        return [_as_held(row, mentions.get(row[0]), context.get(row[1])) for row in found]

    def _write(self, *statements: tuple[str, Sequence[tuple[object, ...]]]) -> None:
        if not any(values for _, values in statements):
            return
        with write(self.engine, alone=self._guard is not None) as connection:
            if self._guard is not None:
                self._guard(connection)
            for sql, values in statements:
                many(connection, sql, values)


def standings(engine: Engine) -> dict[str, Standing]:
    """By source."""
    with read(engine) as connection:
        found = rows(connection, f"SELECT {', '.join(Standing.__struct_fields__)} FROM sweep ORDER BY source_id")
    return {row[0]: Standing(*row) for row in found}


def go_on(engine: Engine, source_id: str, now: Millis) -> bool:
    """A person has looked: what the paused sweep missed is what it seems to be. Whether it was paused.

    The posts missed are looked up once more at once; those that are still gone are then deleted.
    """
    with write(engine) as connection:
        paused = many(
            connection,
            "UPDATE sweep SET paused_at = NULL, why = '' WHERE source_id = ? AND paused_at IS NOT NULL",
            [(source_id,)],
        )
        if paused:
            sql = (
                "UPDATE swept_post SET due_at = ? WHERE source_id = ? AND absent_since IS NOT NULL AND gone_at IS NULL"
            )
            many(connection, sql, [(now, source_id)])
    return bool(paused)


def _planned(schedule: Schedule, published: Millis, seen: Millis, absent_since: Millis | None) -> Due | None:
    return due(schedule, published, seen) if absent_since is None else due_in_doubt(absent_since)


def next_look(schedule: Schedule, held: Held, now: Millis) -> Due | None:
    """Of a post that is there, or was taken for deleted."""
    return due(schedule, held.published, now) if held.gone_at is None else due_when_gone(held.gone_at, now)


def _as_held(row: Sequence[object], mention: Mention | None, context: Post | None) -> Held:
    post, id, published, due_at, limit_at, seen, absent_since, gone_at = row
    post_held = context if mention is None else mention.post
    known = None if post_held is None else post_held.metrics
    text = mention.content_hash if mention is not None else "" if context is None else content_hash(context)
    return Held(
        post, id or "", published or 0, Due(due_at, limit_at or due_at), seen or 0, absent_since, gone_at,  # type: ignore[arg-type]
        mention is not None or context is not None, text, known,
    )  # fmt: skip


def _time(one: Look) -> tuple[Millis, Millis]:
    assert one.due is not None
    return one.due


_SEEN = "CASE WHEN s.looked_at > p.arrived_at THEN s.looked_at ELSE p.arrived_at END"
_UNPLANNED = (
    f"SELECT s.post, p.event_time, {_SEEN}, s.absent_since FROM swept_post s LEFT JOIN post p ON p.n = s.post "
    "WHERE s.source_id = ? AND s.due_at IS NULL"
)
_HELD = (
    f"SELECT s.post, p.id, p.event_time, s.due_at, s.limit_at, {_SEEN}, s.absent_since, s.gone_at "
    "FROM swept_post s LEFT JOIN post p ON p.n = s.post WHERE s.source_id = ? AND s.due_at <= ?"
)
_WAITING = f"{_HELD} ORDER BY s.due_at, s.post LIMIT ?"
_DOUBTED = f"{_HELD} AND s.absent_since IS NOT NULL AND s.gone_at IS NULL ORDER BY s.due_at, s.post LIMIT ?"
_NEWEST = (
    "SELECT s.post, p.id FROM swept_post s JOIN post p ON p.n = s.post WHERE s.source_id = ? "
    "AND s.absent_since IS NULL AND s.gone_at IS NULL ORDER BY s.post DESC LIMIT ?"
)
_COUNT = "SELECT count(*) FROM swept_post WHERE source_id = ? AND gone_at IS NULL"
_OVERDUE = (
    "SELECT count(*), min(limit_at) FROM swept_post WHERE source_id = ? AND due_at <= ? AND limit_at < ? "
    "AND gone_at IS NULL"
)
_TIMED = "UPDATE swept_post SET due_at = ?, limit_at = ? WHERE source_id = ? AND post = ?"
_LOOKED = (
    "UPDATE swept_post SET due_at = ?, limit_at = ?, looked_at = ?, absent_since = ?, gone_at = ? "
    "WHERE source_id = ? AND post = ?"
)
_LATER = "UPDATE swept_post SET due_at = ?, absent_since = ? WHERE source_id = ? AND post = ?"
_FORGET = "DELETE FROM swept_post WHERE source_id = ? AND post = ?"
_TELL = (
    f"INSERT INTO sweep ({', '.join(Standing.__struct_fields__)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (source_id) DO UPDATE SET schedule = excluded.schedule, looked_at = excluded.looked_at, "
    "held = excluded.held, overdue = excluded.overdue, oldest_limit = excluded.oldest_limit, "
    "why = CASE WHEN sweep.paused_at IS NULL THEN excluded.why ELSE sweep.why END"
)
