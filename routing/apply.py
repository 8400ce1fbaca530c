"""The one way in which a mention changes: records from the log, a person's correction, a decision made anew.

`apply` runs inside a transaction of the caller and leaves nothing to be done but the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection

from database.engine import rows, rows_in
from query.document import effective, set_aside
from routing import behaviour, cases, clusters, context
from routing.contribution import Contribution, contribution, nothing, read
from routing.decide import Reader, decide, found_late, held_for_review, hurts, judged_at, may_wake, same
from routing.desk import Desk
from routing.keys import NOBODY, author_key
from routing.observe import hold_against_absence, note_absences, observe
from routing.risk import NOTHING_KNOWN, History
from routing.rows import MentionRow, PostRow
from routing.save import save
from routing.settle import settle
from routing.sheet import Sheet
from routing.threads import unite, warmed
from stream.records import Correction, Mention, Millis, Understood

_AUTHORS = ("author_gone", "author_back")
_GONE = ("deleted", "forgotten")


class Applied(NamedTuple):
    mentions: int
    """New revisions written."""
    opened: int
    """Cases opened."""
    alerts: int
    gone: tuple[Millis, ...] = ()
    """Of each mention that lost its text to a delete: when the log took that delete."""


def apply(
    connection: Connection,
    desk: Desk,
    records: Sequence[Understood],
    now: Millis,
    *,
    corrections: Sequence[tuple[int, Correction]] = (),
    again: Sequence[int] = (),
    moves: Sequence[Callable[[Sheet], None]] = (),
    left: Mapping[int, Millis] | None = None,
) -> Applied:
    """Bring mentions, cases, counts, outbox and alerts in line with `records`, in their order.

    `corrections` are by number of the mention; `again` are numbers of mentions to be decided anew by today's rules;
    `moves` are what people do with cases (see `casework`), done after all else;
    `left` are posts whose author's account went away: by number, when the log took the word of it.
    Applying a record twice changes nothing.
    """
    sheet = Sheet(connection, desk, now)
    touched = _observe_all(sheet, records, left or {})
    unions = unite(sheet)
    changed = {m.n: m for m in settle(sheet, touched)}
    context.keep(sheet, touched)
    for m in _by_people(sheet, corrections, again):
        changed[m.n] = m
    for m in clusters.assign(sheet, changed.values()):
        changed[m.n] = m
    _thread_names(sheet, changed, unions)
    decided = [m for m in changed.values() if m.touched]
    _decide_all(sheet, decided, frozenset(again))
    cases.place(sheet, decided, unions)
    behaviour.tell(sheet)
    for move in moves:
        move(sheet)
    moved = [m for m in (changed | sheet.others).values() if m.touched]
    _names(sheet, moved)
    alerts = save(sheet, moved)
    gone = tuple([m.value.gone_since for m in moved if m.state in _GONE and m.value is not None])
    return Applied(len(moved), len(sheet.opened), alerts, gone)


def _observe_all(sheet: Sheet, records: Sequence[Understood], left: Mapping[int, Millis]) -> list[PostRow]:
    ids: dict[str, None] = {}
    for record in records:
        post = record.post
        for id in (post.id, post.reply_to, post.conversation, post.repost_of):
            if id:
                ids[id] = None
    sheet.load_posts(ids)
    sheet.load_numbered(left)
    _load_absences(sheet, records, left)
    note_absences(sheet, [record for record in records if record.post.kind in _AUTHORS])
    known = [row for row in sheet.by_n.values() if row.state != "awaited"]
    sheet.load_mentions([row.n for row in known])
    found: dict[int, PostRow] = {}
    for record in records:
        if record.post.kind in _AUTHORS:
            continue
        row = observe(sheet, record)
        if row is not None:
            found[row.n] = row
            clusters.note(sheet, row, record)
    for n, learnt in left.items():
        row = found[n] = sheet.by_n[n]
        hold_against_absence(sheet, row)
        row.learnt = row.learnt or learnt
    old = [row for row in found.values() if not row.new]
    sheet.load_bodies(m for row in old for m in sheet.mention_rows(row.n).values())
    sheet.load_waiting([row.n for row in old if row.was != "awaited"])
    conversations = {row.conversation for row in found.values() if row.conversation != row.n or not row.new}
    sheet.load_conversations(conversations)
    return list(found.values())


def _load_absences(sheet: Sheet, records: Sequence[Understood], left: Iterable[int]) -> None:
    known = rows(sheet.connection, "SELECT author FROM author_absence LIMIT 1")
    if not known:
        return
    authors = {author_key(r.post.network, r.post.author.id) for r in records if r.post.author is not None}
    authors.update(author for n in left for author in (sheet.by_n[n].author,) if author is not None)
    sql = "SELECT author, gone_at, back_at FROM author_absence WHERE author IN (??)"
    for author, gone, back in rows_in(sheet.connection, sql, list(authors)):
        sheet.absences[author] = (gone, back)


def _by_people(
    sheet: Sheet, corrections: Sequence[tuple[int, Correction]], again: Sequence[int]
) -> Iterable[MentionRow]:
    numbers = [n for n, _ in corrections] + list(again)
    if not numbers:
        return
    posts = [post for (post,) in rows_in(sheet.connection, "SELECT post FROM mention WHERE n IN (??)", numbers)]
    sheet.load_numbered(posts)
    sheet.load_mentions(posts)
    found = {m.n: m for n in posts for m in sheet.mention_rows(n).values()}
    sheet.load_bodies(found[n] for n in numbers if n in found)
    sheet.load_conversations({sheet.by_n[n].conversation for n in posts})
    for n, correction in corrections:
        m = found.get(n)
        if m is not None and m.value is not None and m.value.state == "live":
            stale = correction.content_hash != m.value.content_hash
            m.value = replace(m.value, correction=replace(correction, stale=stale))
            m.touched = True
            yield m
    for n in again:
        m = found.get(n)
        if m is not None and m.value is not None and m.value.state == "live":
            m.touched = True
            yield m


def _thread_names(sheet: Sheet, changed: dict[int, MentionRow], unions: Sequence[tuple[int, int]]) -> None:
    """Mentions of a conversation that was united with another get its name."""
    if not unions:
        return
    thread = sheet.load_thread(sheet.parts_of({loser for loser, _ in unions}))
    sheet.load_mentions([row.n for row in thread])
    found = [m for row in thread for m in sheet.mention_rows(row.n).values() if m.state == "live" and not m.touched]
    sheet.load_bodies(found)
    for m in found:
        m.touched = True
        sheet.also(m)


def _decide_all(sheet: Sheet, changed: list[MentionRow], again: frozenset[int]) -> None:
    live = [m for m in changed if m.state == "live"]
    history = _Histories(sheet, live)
    for m in live:
        value = m.value
        assert value is not None
        read = m.post.read
        held = value.decision
        if read is not None:
            reader = Reader(read.model, read.tier, read.generation, read.provisional)
        elif held is not None:
            reader = Reader(held.model, held.tier, held.generation, held.provisional)
        else:
            reader = Reader("", "linear", 0)
        cause = m.post.cause if m.n not in again else None
        judged = sheet.now if cause is None else judged_at(cause, sheet.now, simulated=sheet.desk.simulated)
        wakes = cause is not None and may_wake(cause.post, judged)
        decision = decide(value, history.of(m, value), sheet.desk.rules, reader, sheet.now, may_wake=wakes)
        hidden = held is not None and m.was is not None and held_for_review(m.was)
        looked_at = hidden and value.correction is not None and held is not None and held.may_wake
        if held is not None and same(held, decision):
            decision = held
            m.tell = looked_at and held.alert
            if not m.new and m.n in again:
                m.touched = False
        else:
            m.earlier = held
            if held is not None:
                decision = replace(decision, previous_queue=held.queue)
            late = cause is not None and found_late(cause.post, judged)
            told = held is not None and held.alert and held.may_wake and decision.risk <= held.risk and not hidden
            unsure = held_for_review(replace(value, decision=decision))
            m.tell = decision.alert and (wakes or late or looked_at) and not told and not unsure
        m.value = replace(value, decision=decision)
        m.queue, m.risk = decision.queue, decision.risk
        found = sheet.desk.policy.of(value, decision.risk, decision.terms)
        sheet.kinds.append((m, found))
        if found is not None and found.tell and wakes:
            sheet.tell_of.append((m, found))
        history.add(m, m.value)
    for m in changed:
        _count(sheet, m)
        if m.state != "live":
            sheet.kinds.append((m, None))


def _count(sheet: Sheet, m: MentionRow) -> None:
    """Minus what it added before, plus what it adds now."""
    old = read(m.written) if m.written else None
    new = old if m.state == "expired" else None
    value = m.value
    if m.state == "live" and value is not None:
        new = _contribution(sheet, m, value)
    m.contribution = new
    if old == new:
        return
    sheet.tally.change(old, new)
    author = m.post.author
    if author is not None:
        _author_change(sheet, author, m, old, new)


def _contribution(sheet: Sheet, m: MentionRow, value: Mention) -> Contribution:
    desk = sheet.desk
    understanding = value.understanding
    if set_aside(value):
        return nothing(m.brand_n, value.event_time)
    return contribution(
        m.brand_n,
        value.event_time,
        desk.networks.number(sheet.connection, value.network),
        desk.intents.number(sheet.connection, effective(value, "intent") or "other"),
        m.queue,
        reputation=effective(value, "reputation") or effective(value, "sentiment"),
        detractor=int(effective(value, "detractor") or 0),
        risk=m.risk,
        own=understanding is not None and understanding.speaker == "own",
    )


def _author_change(
    sheet: Sheet, author: int, m: MentionRow, old: Contribution | None, new: Contribution | None
) -> None:
    mentions = (new.mentions if new else 0) - (old.mentions if old else 0)
    negatives = (new.negative if new else 0) - (old.negative if old else 0)
    if mentions or negatives:
        change = sheet.author_changes.setdefault((author, m.brand_n), [0, 0, 0])
        change[0] += mentions
        change[1] += negatives
        change[2] = max(change[2], m.post.event_time)


class _Histories:
    """What is known beside the post, for the mentions of a batch: earlier posts of the batch included."""

    def __init__(self, sheet: Sheet, live: list[MentionRow]) -> None:
        self._sheet = sheet
        self._hurting = {m.n for m in live if m.value is not None and _counts(m.value) and hurts(m.value)}
        authors = {m.post.author for m in live if m.n in self._hurting and m.post.author is not None}
        self._complaints: dict[tuple[int, int], int] = {}
        self._customers: dict[tuple[int, int], str] = {}
        connection, keys = sheet.connection, list(authors)
        sql = "SELECT author, brand, negatives FROM author WHERE author IN (??)"
        for author, brand, negatives in rows_in(connection, sql, keys):
            self._complaints[(author, brand)] = negatives
        for author, brand, value in rows_in(
            connection, "SELECT author, brand, value FROM customer WHERE author IN (??)", keys
        ):
            self._customers[(author, brand)] = value

    def of(self, m: MentionRow, value: Mention) -> History:
        if m.n not in self._hurting:
            return NOTHING_KNOWN
        key = (m.post.author or NOBODY, m.brand_n)
        customer = self._customers.get(key) or self._sheet.desk.customer(
            m.brand, value.post.author if value.post else None
        )
        heat = self._sheet.heat.get(self._sheet.root(m.post.conversation))
        warm = warmed(heat, m.post.event_time, 0.0)[0] if heat else 0.0
        return History(warm, self._before(m, value), customer)

    def _before(self, m: MentionRow, value: Mention) -> int:
        """The author's complaints before this one: what came since the first decision was not before it."""
        if m.written and value.decision is not None and value.decision.complaints is not None:
            return value.decision.complaints
        itself = read(m.written).negative if m.written else 0
        return max(0, self._complaints.get((m.post.author or NOBODY, m.brand_n), 0) - itself)

    def add(self, m: MentionRow, value: Mention) -> None:
        """Let what was decided weigh on the next."""
        if m.n not in self._hurting or effective(value, "reputation") != "negative" or m.written:
            return
        key = (m.post.author or NOBODY, m.brand_n)
        self._complaints[key] = self._complaints.get(key, 0) + 1
        sheet, post = self._sheet, m.post
        if post.conversation == post.n and post.new and not post.referred:
            return
        root = sheet.root(post.conversation)
        sheet.heat[root] = warmed(sheet.heat.get(root, (0.0, 0)), post.event_time, 1.0)
        sheet.hotter.add(root)


def _counts(value: Mention) -> bool:
    read = value.understanding
    return read is not None and read.speaker != "own" and not set_aside(value)


def _names(sheet: Sheet, moved: list[MentionRow]) -> None:
    """Revision, case and conversation's name into each mention that is written."""
    roots = {sheet.root(m.post.conversation) for m in moved}
    sheet.load_numbered(roots)
    for m in moved:
        value = m.value
        assert value is not None
        m.revision += 1
        if not m.month:
            m.month = month(value.event_time)
        root = sheet.by_n.get(sheet.root(m.post.conversation))
        fields = {
            "revision": m.revision, "case_id": m.case_id, "decided_at": sheet.now,
            "conversation": root.id if root is not None else value.conversation or value.post_id,
        }  # fmt: skip
        m.value = replace(value, **fields)
        if m.written and m.contribution is None and m.state in ("live", "expired"):
            m.contribution = read(m.written)


def month(time: Millis) -> int:
    """yyyymm of a time, UTC."""
    return _month_of_day(time // 86_400_000)


@lru_cache(maxsize=4_096)
def _month_of_day(day: int) -> int:
    moment = datetime.fromtimestamp(day * 86_400, UTC)
    return moment.year * 100 + moment.month
