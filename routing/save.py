"""A sheet into SQL: every table by one statement for all its rows."""

from __future__ import annotations

from msgspec.structs import replace

from database.engine import many, rows
from routing import behaviour, parts
from routing.case_news import tell
from routing.cases import counted_anew
from routing.clusters import COUNTED
from routing.contribution import written
from routing.crm import ask_for_posting
from routing.deadline_rows import keep_deadlines
from routing.decide import found_late, judged_at
from routing.kpi import batch
from routing.rows import CaseRow, MentionRow, PostRow
from routing.sheet import Sheet
from stream.records import Decision, encode

_ESCALATED = frozenset({
    "opened", "grew", "raised", "shrank", "closed", "reopened", "assigned", "waiting", "snoozed", "woken", "resolved",
    "split",
})  # fmt: skip

_NO_AUTHOR = frozenset({"expired", "forgotten"})


def save(sheet: Sheet, moved: list[MentionRow]) -> int:
    """Write what changed; how many alerts were written."""
    _posts(sheet)
    _conversations(sheet)
    _mentions(sheet, moved)
    behaviour.save(sheet)
    _clusters(sheet)
    _cases(sheet)
    keep_deadlines(sheet)
    batch.keep(sheet, moved)
    tell(sheet)
    ask_for_posting(sheet)
    _outbox(sheet, moved)
    _counts(sheet)
    return _alerts(sheet, moved)


def _posts(sheet: Sheet) -> None:
    connection = sheet.connection
    new, old = [], []
    for row in sheet.by_n.values():
        if row.dirty and row.state in _NO_AUTHOR:
            row.author = None
        if row.new:
            new.append((
                row.n, row.id, row.author, row.parent, row.conversation, row.state, row.seen_at, row.arrived_at,
                row.event_time, row.generation, row.tier, _provisional(row), parts.stored(row.parts),
            ))  # fmt: skip
        elif row.dirty:
            old.append((
                row.author, row.parent, row.state, row.seen_at, row.arrived_at, row.event_time, row.generation,
                row.tier, _provisional(row), parts.stored(row.parts), row.n,
            ))  # fmt: skip
    many(connection, _NEW_POST, new)
    many(connection, _OLD_POST, old)
    kept = [(n, u) for n in sheet.moved_waiting for u in (sheet.waiting[n],)]
    many(connection, "DELETE FROM waiting WHERE post = ?", [(n,) for n, _ in kept])
    many(connection, "INSERT INTO waiting (post, kept_at, body) VALUES (?, ?, ?)",
         [(n, sheet.now, encode(u)) for n, u in kept if u is not None])  # fmt: skip
    many(connection, _ABSENCE, [(author, *sheet.absences[author]) for author in sheet.new_absences])
    many(connection, SWEEP, list(sheet.new_sweeps.items()))


def _provisional(row: PostRow) -> int:
    """What has no text cannot be read anew."""
    return int(row.provisional and row.state == "live")


def _conversations(sheet: Sheet) -> None:
    if not sheet.merges and not sheet.hotter:
        return
    numbers = sheet.hotter | {loser for loser, _, _ in sheet.merges} | {winner for _, winner, _ in sheet.merges}
    held = [(n, sheet.joined.get(n), *sheet.heat.get(n, (0.0, 0))) for n in numbers]
    many(sheet.connection, _CONVERSATION, held)
    sql = "INSERT INTO conversation_merge (loser, winner, at, why) VALUES (?, ?, ?, ?)"
    many(sheet.connection, sql, [(loser, winner, sheet.now, why) for loser, winner, why in sheet.merges])


def _mentions(sheet: Sheet, moved: list[MentionRow]) -> None:
    connection = sheet.connection
    new, old, earlier, unmarked = [], [], [], []
    for m in moved:
        value = m.value
        assert value is not None
        if value.source_id in sheet.desk.in_force.swept and m.state == "live" and m.was_state != "live":
            sheet.swept.append((value.source_id, m.post.n))
        contribution = written(m.contribution) if m.contribution is not None else None
        body = encode(value)
        if m.new:
            new.append((
                m.n, m.post.n, m.brand_n, m.revision, m.state, m.queue, m.risk, m.case_id, value.event_time, m.month,
                contribution, body,
            ))  # fmt: skip
        else:
            old.append((
                m.revision, m.state, m.queue, m.risk, m.case_id, value.event_time, contribution, body, m.n
            ))  # fmt: skip
            if m.was_state == "live" and (m.state != "live" or _reworded(m)):
                unmarked.append((m.n,))
            if m.earlier is not None:
                earlier.append((m.n, m.revision - 1, sheet.now, encode(_replaced(m, m.earlier))))
    many(connection, _NEW_MENTION, new)
    many(connection, _OLD_MENTION, old)
    many(connection, "INSERT INTO decision (mention, revision, at, body) VALUES (?, ?, ?, ?)", earlier)
    many(connection, _SWEPT, sheet.swept)
    many(connection, "DELETE FROM case_mark WHERE mention = ?", unmarked)


def _reworded(m: MentionRow) -> bool:
    return m.was is not None and m.value is not None and m.was.content_hash != m.value.content_hash


def _replaced(m: MentionRow, decision: Decision) -> Decision:
    """With what it rested on, which stands nowhere else from now on; not where the text has to go."""
    if m.was is None or m.state in ("deleted", "forgotten"):
        return decision
    read, word = m.was.understanding, m.was.correction
    return replace(
        decision,
        read=replace(read, terms=()) if read is not None else None,
        correction=replace(word, content_hash="") if word is not None else None,
    )


def _clusters(sheet: Sheet) -> None:
    connection, changes = sheet.connection, sheet.clusters
    many(connection, "DELETE FROM cluster_post WHERE n = ?", [(n,) for n in changes.left])
    many(connection, _CLUSTER_POST, [(*row[:5], sheet.now, int(row.entry)) for row in changes.joined])
    sizes = changes.sizes.items()
    many(connection, "DELETE FROM cluster WHERE n = ?", [(n,) for n, posts in sizes if posts < COUNTED])
    many(connection, _CLUSTER, [(n, posts) for n, posts in sizes if posts >= COUNTED])


def _cases(sheet: Sheet) -> None:
    connection = sheet.connection
    counted_anew(sheet, [case for case in sheet.cases.values() if case.shrunk and case.holds])
    for case in sheet.cases.values():
        if case.dirty and not case.new and case.standing != case.was_standing:
            case.revision += 1
    closing = [case for case in sheet.cases.values() if case.dirty and not case.new and not case.live]
    staying = [case for case in sheet.cases.values() if case.dirty and not case.new and case.live]
    # Those that give up their place in the unique indexes go first.
    many(connection, _OLD_CASE, [_case(case) for case in closing])
    many(connection, _OLD_CASE, [_case(case) for case in staying])
    many(connection, _NEW_CASE, [_case(case) for case in sheet.cases.values() if case.new])
    many(connection, "DELETE FROM case_party WHERE case_id = ? AND author = ?", sheet.lost_parties)
    sql = "INSERT INTO case_party (case_id, author) VALUES (?, ?) ON CONFLICT DO NOTHING"
    many(connection, sql, sheet.new_parties)
    many(connection, "DELETE FROM case_tag WHERE case_id = ? AND tag = ?", sheet.lost_tags)
    many(connection, "INSERT INTO case_tag (case_id, tag) VALUES (?, ?) ON CONFLICT DO NOTHING", sheet.new_tags)
    sql = "INSERT INTO case_event (case_id, at, change, mention, detail, person, reason) VALUES (?, ?, ?, ?, ?, ?, ?)"
    many(connection, sql, [
        (one.case.id, sheet.now, one.change, one.mention.n if one.mention else None, one.detail, one.person,
         one.reason)
        for one in sheet.events
    ])  # fmt: skip


def _case(case: CaseRow) -> tuple[object, ...]:
    return (
        case.brand_n, case.conversation, case.author, case.queue, case.state, case.live, case.priority, case.risk,
        case.mentions, case.opened_at, case.updated_at, case.closed_at, case.closed_why, case.merged_into,
        case.assignee, case.revision, case.strand, case.set_aside_at, case.snoozed_until, case.first_response_at,
        case.tracking, case.deadline, case.id,
    )  # fmt: skip


def _outbox(sheet: Sheet, moved: list[MentionRow]) -> None:
    leaving: list[tuple[object, ...]] = [
        ("decided", m.n, m.case_id, m.queue, m.revision, sheet.now) for m in moved if not m.silent
    ]
    leaving += [
        (event.change, shown.n, event.case.id, event.case.queue, shown.revision, sheet.now)
        for event in sheet.events
        if event.change in _ESCALATED and event.case.queue != "none"
        for shown in (event.mention or event.face,)
        if shown is not None
    ]
    sql = "INSERT INTO outbox (kind, mention, case_id, queue, revision, at) VALUES (?, ?, ?, ?, ?, ?)"
    many(sheet.connection, sql, leaving)


def _counts(sheet: Sheet) -> None:
    many(sheet.connection, _DELTA, sheet.tally.rows())
    changes = [(author, brand, *change) for (author, brand), change in sheet.author_changes.items()]
    many(sheet.connection, _AUTHOR, changes)


def _alerts(sheet: Sheet, moved: list[MentionRow]) -> int:
    alerts = []
    for m in moved:
        value = m.value
        if not m.tell or value is None or value.decision is None or m.state != "live":
            continue
        cause = m.post.cause
        late = cause is not None and found_late(cause.post, judged_at(cause, sheet.now, simulated=sheet.desk.simulated))
        alerts.append((
            "found_late" if late else "mention", m.n, m.case_id, m.brand, m.queue, m.risk, value.decision.why,
            value.event_time, sheet.now,
        ))  # fmt: skip
    # A few in a batch, and each one's number is needed.
    ids = [rows(sheet.connection, _ALERT, row)[0][0] for row in alerts]
    leaving = [(row[1], row[2], row[4], sheet.now, id) for id, row in zip(ids, alerts, strict=True)]
    many(sheet.connection, _ALERT_OUT, leaving)
    return len(alerts)


_NEW_POST = (
    "INSERT INTO post (n, id, author, parent, conversation, state, seen_at, arrived_at, event_time, generation, tier, "
    "provisional, parts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OLD_POST = (
    "UPDATE post SET author = ?, parent = ?, state = ?, seen_at = ?, arrived_at = ?, event_time = ?, generation = ?, "
    "tier = ?, provisional = ?, parts = ? WHERE n = ?"
)
_ABSENCE = (
    "INSERT INTO author_absence (author, gone_at, back_at) VALUES (?, ?, ?) "
    "ON CONFLICT (author) DO UPDATE SET gone_at = excluded.gone_at, back_at = excluded.back_at"
)
SWEEP = (
    "INSERT INTO absence_sweep (author, after, learnt_at) VALUES (?, 0, ?) "
    "ON CONFLICT (author) DO UPDATE SET after = 0, learnt_at = excluded.learnt_at"
)
_CONVERSATION = (
    "INSERT INTO conversation (n, joined, heat, heat_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (n) DO UPDATE SET joined = excluded.joined, heat = excluded.heat, heat_at = excluded.heat_at"
)
_NEW_MENTION = (
    "INSERT INTO mention (n, post, brand, revision, state, queue, risk, case_id, event_time, indexed_month, "
    "contribution, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OLD_MENTION = (
    "UPDATE mention SET revision = ?, state = ?, queue = ?, risk = ?, case_id = ?, event_time = ?, contribution = ?, "
    "body = ? WHERE n = ?"
)
_SWEPT = (
    "INSERT INTO swept_post (source_id, post) VALUES (?, ?) "
    "ON CONFLICT (source_id, post) DO UPDATE SET due_at = NULL, gone_at = NULL"
)
_CLUSTER_POST = (
    "INSERT INTO cluster_post (post, cluster, fingerprint, author, event_time, joined_at, entry) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_CLUSTER = "INSERT INTO cluster (n, posts) VALUES (?, ?) ON CONFLICT (n) DO UPDATE SET posts = excluded.posts"
_CASE_COLUMNS = (
    "brand", "conversation", "author", "queue", "state", "live", "priority", "risk", "mentions", "opened_at",
    "updated_at", "closed_at", "closed_why", "merged_into", "assignee", "revision", "strand", "set_aside_at",
    "snoozed_until", "first_response_at", "tracking", "deadline",
)  # fmt: skip
_NEW_CASE = f"INSERT INTO cases ({', '.join(_CASE_COLUMNS)}, id) VALUES ({', '.join('?' * (len(_CASE_COLUMNS) + 1))})"
_OLD_CASE = f"UPDATE cases SET {', '.join(f'{column} = ?' for column in _CASE_COLUMNS)} WHERE id = ?"
_DELTA = (
    "INSERT INTO count_delta (brand, minute, network, intent, queue, mentions, negative, positive, detractors, severe, "
    "risk, own) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_AUTHOR = (
    "INSERT INTO author (author, brand, mentions, negatives, seen_at) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (author, brand) DO UPDATE SET mentions = author.mentions + excluded.mentions, "
    "negatives = author.negatives + excluded.negatives, "
    "seen_at = CASE WHEN author.seen_at > excluded.seen_at THEN author.seen_at ELSE excluded.seen_at END"
)
_ALERT = (
    "INSERT INTO alert (kind, mention_n, case_id, brand, queue, risk, why, event_time, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_ALERT_OUT = (
    "INSERT INTO outbox (kind, mention, case_id, queue, revision, at, alert) VALUES ('alert', ?, ?, ?, 0, ?, ?)"
)
