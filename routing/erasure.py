"""What is kept for how long in SQL: texts and authors expire, ids of posts about no brand are forgotten, bytes go.

Every function does one chunk in one short transaction and says where to go on, so that routing is never kept waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from database.engine import delete_numbered, many, read, rows, rows_in, write
from database.engine import wipe as overwrite
from routing import by_hand
from routing.apply import Applied, apply
from routing.clusters import COUNTED, HELD_FOR, MOST_HELD
from routing.desk import Desk
from stream.records import Millis, Post, Understood

CHUNK = 100
STRETCH = 5_000
WAITING_FOR: Millis = 3 * 86_400_000


class Swept(NamedTuple):
    after: int
    """Where to go on: pass it to the next call."""
    changed: int
    done: bool


def expire(
    engine: Engine,
    desk: Desk,
    before: Millis,
    now: Millis,
    *,
    after: int = 0,
    networks: Mapping[str, Millis] | None = None,
) -> Swept:
    """Take text and author from up to CHUNK posts that arrived before `before`, or before the time of their network;
    counts and decisions stay."""
    old, values = ["arrived_at < ?"], list[str | int]([before])
    for network, sooner in (networks or {}).items():
        if sooner > before:
            old.append("(substr(id, 1, ?) = ? AND arrived_at < ?)")
            values += [len(network) + 1, f"{network}:", sooner]
    sql = (
        f"SELECT n, id FROM post WHERE n > ? AND n <= ? AND state = 'live' AND ({' OR '.join(old)}) ORDER BY n LIMIT ?"
    )
    with read(engine) as connection:
        last = _last(connection)
        found = rows(connection, sql, (after, after + STRETCH, *values, CHUNK))
    records = [
        Understood(
            post=Post(
                id=id, network=id.partition(":")[0], kind="expired", seen_at=now, event_time=now, origin="reprocess"
            ),
            appended_at=now,
            understood_at=now,
        )
        for _, id in found
    ]
    if records:
        take_away(engine, desk, records, now)
    reached = found[-1][0] if len(found) == CHUNK else after + STRETCH
    return Swept(reached, len(found), reached >= last)


def take_away(engine: Engine, desk: Desk, records: Sequence[Understood], now: Millis) -> Applied:
    """Do these deletes, expiries or goings of authors in one transaction, whatever else waits to be routed."""
    with desk.transaction(engine) as connection:
        return apply(connection, desk, records, now)


def forget_unmatched(engine: Engine, before: Millis, now: Millis, *, after: int = 0) -> Swept:
    """Forget ids of posts about no brand, last heard of before `before`, and replies that waited for long."""
    with write(engine) as connection:
        last = _last(connection)
        gone = many(connection, _UNMATCHED, [(after, after + STRETCH, before)])
        many(connection, "DELETE FROM waiting WHERE kept_at < ?", [(now - WAITING_FOR,)])
    return Swept(after + STRETCH, gone, after + STRETCH >= last)


def let_go_of_copies(engine: Engine, now: Millis) -> bool:
    """Take up to STRETCH posts that later ones are no longer compared with out of the clusters' look-up; whether there
    may be more. Mentions keep their cluster."""
    oldest = "SELECT n, cluster, joined_at FROM cluster_post ORDER BY n LIMIT ?"
    with read(engine) as connection:
        least = rows(connection, "SELECT coalesce(max(n), 0) FROM cluster_post")[0][0] - MOST_HELD
        found = rows(connection, oldest, (STRETCH,))
    old = list(takewhile(lambda row: row[2] < now - HELD_FOR or row[0] <= least, found))
    if not old:
        return False
    with write(engine) as connection:
        # What left since has told its cluster so itself.
        left = {n for (n,) in rows_in(connection, "SELECT n FROM cluster_post WHERE n IN (??)", [n for n, _, _ in old])}
        lost = Counter(cluster for n, cluster, _ in old if n in left)
        delete_numbered(connection, "cluster_post", sorted(left))
        many(connection, "UPDATE cluster SET posts = posts - ? WHERE n = ?", [(k, n) for n, k in lost.items()])
        many(connection, "DELETE FROM cluster WHERE n = ? AND posts < ?", [(n, COUNTED) for n in lost])
    return len(old) == STRETCH


def let_go_of_notes(engine: Engine) -> int:
    """Empty the notes of cases of which no text is kept any more, in their own mentions or in those of the case that
    they were merged into, and the reasons that people gave for what they did; how many cases."""
    with read(engine) as connection:
        noted = sorted({case for sql in (_NOTED, _DEVIATED, _REASONED) for (case,) in rows(connection, sql)})
        into = _merges(connection, noted)
        heir = {case: _end(into, case) for case in noted}
        sql = "SELECT DISTINCT case_id FROM mention WHERE state = 'live' AND case_id IN (??)"
        kept = {case for (case,) in rows_in(connection, sql, sorted(set(heir.values())))} | by_hand.kept(connection)
    over = [(case,) for case in noted if heir[case] not in kept][:CHUNK]
    if over:
        with write(engine) as connection:
            many(connection, "UPDATE case_note SET text = '' WHERE case_id = ?", over)
            many(connection, "UPDATE case_event SET detail = '' WHERE case_id = ? AND change = 'exception'", over)
            many(connection, "UPDATE case_event SET reason = '' WHERE case_id = ? AND reason != ''", over)
            many(connection, "UPDATE cases SET closed_why = NULL WHERE id = ? AND state = 'resolved'", over)
    return len(over)


def _merges(connection: Connection, cases: Sequence[int]) -> dict[int, int]:
    """Into which case each of these was merged, and those in turn."""
    into: dict[int, int] = {}
    asked, wanted = set[int](), set(cases)
    while wanted:
        sql = "SELECT id, merged_into FROM cases WHERE merged_into IS NOT NULL AND id IN (??)"
        found = dict(rows_in(connection, sql, sorted(wanted)))
        into |= found
        asked |= wanted
        wanted = set(found.values()) - asked
    return into


def _end(into: Mapping[int, int], case: int) -> int:
    """The case that has the mentions; of a ring, which no merge makes, any of it."""
    been = {case}
    while (further := into.get(case)) is not None and further not in been:
        been.add(further)
        case = further
    return case


def wipe(engine: Engine) -> bool:
    """Take what was deleted out of the database's files too, see `database.engine.wipe`; whether that was done."""
    return overwrite(engine, _WITH_WORDS)


def _last(connection: object) -> int:
    found: int = rows(connection, "SELECT coalesce(max(n), 0) FROM post")[0][0]  # type: ignore[arg-type]
    return found


_NOTED = "SELECT DISTINCT case_id FROM case_note WHERE text != ''"
_DEVIATED = "SELECT DISTINCT case_id FROM case_event WHERE change = 'exception' AND detail != ''"
_REASONED = "SELECT DISTINCT case_id FROM case_event WHERE reason != ''"
_WITH_WORDS = (
    "mention",
    "waiting",
    "context_post",
    "case_note",
    "case_event",
    "cases",
    "case_by_hand",
    "post",
    "behaviour",
)
"""Tables that hold what people wrote, or did, or who."""
_UNMATCHED = (
    "DELETE FROM post WHERE n > ? AND n <= ? AND seen_at < ? "
    "AND NOT EXISTS (SELECT 1 FROM mention WHERE mention.post = post.n) "
    "AND NOT EXISTS (SELECT 1 FROM context_post WHERE context_post.id = post.id) "
    "AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.conversation = post.n AND cases.live = 1 AND cases.queue = 'pr') "
    "AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.conversation = post.n AND cases.live = 1 AND cases.queue != 'pr')"
)
