"""History once more, by the brands, the model and the rules in force. Wakes nobody; people's corrections stay.

Stage routing decides the stored mentions anew. Stage nlp reads texts anew: those of posts with a mention stand in SQL,
those of posts about no brand only in the log, as far back as it is kept. What was understood goes to topic `mentions`
with origin `reprocess`, stamped with the generation in force here and now: an nlp worker that has not adopted a new
brand yet cannot come in between, and routing merges it like every other reading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from clamor.backlog import waiting_for_routing
from clamor.opening import Opened
from clamor.processes import understand
from database.engine import read, rows, rows_in
from ingest.cursors import Cursors
from routing.corrections import decide_anew
from routing.desk import Desk
from stream.ports import POSTS, Append, LogRecord, Transient
from stream.records import Mention, Millis, Post, Understood, decode, encode

if TYPE_CHECKING:
    from nlp.work import UnderstandWork

CHUNK = 400
STRETCH = 4_000
"""Numbers of posts that are looked through at a time."""
HIGH_WATER = 2_000
"""Records that may wait for routing before a reprocess holds back: what is live comes in between."""
ADOPTION = 2.0
"""Seconds within which running stages have taken over a configuration that was applied just now."""
CURSOR = ":reprocess"
"""No source can be called so."""

Stage = Literal["nlp", "routing"]


class Ask(msgspec.Struct, frozen=True):
    """What a person asked for."""

    key: str
    """The same for the same words under the same configuration: a new brand or rule starts from the beginning."""
    stage: Stage
    since: Millis
    until: Millis
    brand: str = ""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: stored after every chunk, so that a reprocess that was stopped goes on from here."""

    ask: Ask
    part: Literal["sql", "log"] = "sql"
    after: int = 0
    """Number of the last post (stage nlp) or mention (stage routing) looked at in SQL."""
    total: int = 0
    """The highest number there was."""
    places: dict[int, int] = {}
    """By partition of `posts`: the next offset."""
    ends: dict[int, int] = {}
    read: int = 0
    """Posts or mentions read."""
    changed: int = 0
    """Sent on to routing, or decided differently."""
    oldest: Millis | None = None
    """Event time of the oldest post read."""
    log_since: Millis | None = None
    """When the oldest post that the log keeps came in; None where it keeps none, or was not asked."""
    done: bool = False

    @property
    def share(self) -> float:
        """Roughly how far, from 0 to 1."""
        if self.done:
            return 1.0
        if self.part == "sql":
            return (
                self.after / self.total / 2 if self.total and self.ask.stage == "nlp" else _part(self.after, self.total)
            )
        left = sum(end - self.places.get(p, 0) for p, end in self.ends.items())
        return 0.5 + 0.5 * (1 - _part(left, sum(self.ends.values())))


Show = Callable[[Reached], None]


def begin(opened: Opened, ask: Ask) -> Reached:
    """Where it starts: at the beginning, or where the same one was stopped."""
    kept = Cursors(opened.engine).get(CURSOR, ask.key)
    return msgspec.json.decode(kept, type=Reached) if kept else Reached(ask=ask)


def forget(opened: Opened, ask: Ask) -> None:
    """The next one of the same words starts at the beginning."""
    Cursors(opened.engine).drop(CURSOR, ask.key)


def reprocess(opened: Opened, reached: Reached, stop: threading.Event, show: Show, *, beside: bool) -> Reached:
    """Work from `reached` on until it is done or `stop` is set; how far it came, which is stored as well.

    `beside`: other processes run the stages, so they are given time to adopt the configuration in force.
    """
    cursors = Cursors(opened.engine)
    if beside:
        stop.wait(ADOPTION)
    steps = _routing(opened, reached) if reached.ask.stage == "routing" else _nlp(opened, reached)
    while not stop.is_set():
        _hold(opened, stop)
        reached = next(steps)
        cursors.put(CURSOR, reached.ask.key, msgspec.json.encode(reached).decode(), opened.clock.wall())
        show(reached)
        if reached.done:
            break
    return reached


# --- stage routing -------------------------------------------------------------------------------------------------


def _routing(opened: Opened, reached: Reached) -> Iterator[Reached]:
    desk, ask = Desk(opened.registry.current()), reached.ask
    while True:
        desk.adopt(opened.registry.current())
        total = _highest(opened, "mention")
        found = decide_anew(
            opened.engine, desk, ask.since, ask.until, opened.clock.now(), after=reached.after, brand=ask.brand or None
        )
        reached = replace(
            reached,
            after=found.after,
            total=total,
            read=reached.read + found.looked_at,
            changed=reached.changed + found.changed,
            done=found.done,
        )
        yield reached


# --- stage nlp -------------------------------------------------------------------------------------------------------


def _nlp(opened: Opened, reached: Reached) -> Iterator[Reached]:
    work = understand(opened)
    try:
        while reached.part == "sql":
            work.idle(opened.clock.now())
            reached = _from_sql(opened, work, reached)
            yield reached
        while not reached.done:
            work.idle(opened.clock.now())
            reached = _from_log(opened, work, reached)
            yield reached
    finally:
        work.close()


def _from_sql(opened: Opened, work: UnderstandWork, reached: Reached) -> Reached:
    """A stretch of posts that have a mention; behind the last, the log's turn."""
    ask, total = reached.ask, _highest(opened, "post")
    upto = reached.after + STRETCH
    with read(opened.engine) as connection:
        found = rows(connection, _MATCHED, (reached.after, upto, ask.since, ask.until, CHUNK * 4))
    held: dict[int, list[Mention]] = {}
    for n, body in found:
        held.setdefault(n, []).append(decode(Mention, body))
    if len(found) == CHUNK * 4:
        upto = max(held)
        if len(held) > 1:
            # The last one's other mentions may stand behind the limit: it is the next stretch's first.
            del held[upto]
            upto = max(held)
    posts = {m[0].post.id: m[0].post for m in held.values() if m[0].post is not None}
    about = {m[0].post_id: {one.brand for one in m} for m in held.values()}
    sent = _understood(opened, work, ask, list(posts.values()), about)
    moved = replace(
        reached,
        after=upto,
        total=total,
        read=reached.read + len(posts),
        changed=reached.changed + sent,
        oldest=_oldest(reached.oldest, posts.values()),
    )
    if upto < total:
        return moved
    bounds = opened.log.bounds(POSTS)
    kept = [record[0].time for p, (low, _) in bounds.items() if (record := opened.log.read(POSTS, p, low, 1))]
    return replace(
        moved,
        part="log",
        places={p: low for p, (low, _) in bounds.items()},
        ends={p: end for p, (_, end) in bounds.items()},
        log_since=min(kept, default=None),
    )


def _from_log(opened: Opened, work: UnderstandWork, reached: Reached) -> Reached:
    """A chunk of the posts that the log keeps and that have no mention now."""
    left = [p for p, end in sorted(reached.ends.items()) if reached.places[p] < end]
    if not left:
        return replace(reached, done=True)
    partition, ask = left[0], reached.ask
    records = opened.log.read(POSTS, partition, reached.places[partition], CHUNK)
    posts = [post for record in records for post in _asked_for(record, ask)]
    settled = _settled(opened, {post.id for post in posts})
    posts = [post for post in posts if post.id not in settled]
    sent = _understood(opened, work, ask, posts, {})
    following = records[-1].offset + 1 if records else reached.ends[partition]
    return replace(
        reached,
        places={**reached.places, partition: min(following, reached.ends[partition])},
        read=reached.read + len(posts),
        changed=reached.changed + sent,
        oldest=_oldest(reached.oldest, posts),
    )


def _asked_for(record: LogRecord, ask: Ask) -> Iterator[Post]:
    try:
        post = decode(Post, record.value)
    except (msgspec.MsgspecError, ValueError):
        return
    from nlp.work import is_content

    if is_content(post) and ask.since <= post.event_time < ask.until:
        yield post


def _settled(opened: Opened, ids: Iterable[str]) -> set[str]:
    """Those that were read from SQL, and those that are gone: their text must not be written anew."""
    with read(opened.engine) as connection:
        found = rows_in(connection, _STANDING, list(ids))
    return {id for id, state, mentions in found if mentions or state in ("deleted", "forgotten", "expired")}


def _understood(
    opened: Opened, work: UnderstandWork, ask: Ask, posts: Sequence[Post], about: dict[str, set[str]]
) -> int:
    """Read the posts anew and send them on to routing; how many. `about`: the brands they were about, by id."""
    sent = 0
    for start in range(0, len(posts), CHUNK):
        now = opened.clock.now()
        records = [
            LogRecord(POSTS, 0, 0, post.id, encode(replace(post, origin="reprocess")), now)
            for post in posts[start : start + CHUNK]
        ]
        appends = work.run(records, (), now)
        if ask.brand:
            appends = [one for one in appends if _concerns(one, ask.brand, about.get(one.key, set()))]
        opened.log.append(appends)
        sent += len(appends)
    return sent


def _concerns(record: Append, brand: str, about: set[str]) -> bool:
    """A reply always does: the post that it answers may turn out to be about the brand."""
    found = decode(Understood, record.value)
    return brand in about or found.unnamed is not None or any(one.brand == brand for one in found.mentions or ())


# --- both -----------------------------------------------------------------------------------------------------------


def _hold(opened: Opened, stop: threading.Event) -> None:
    """Wait while routing has enough to do, so that what is live is not kept waiting."""
    while not stop.is_set():
        try:
            if waiting_for_routing(opened) < HIGH_WATER:
                return
        except Transient:
            pass
        stop.wait(0.1)


def _highest(opened: Opened, table: str) -> int:
    with read(opened.engine) as connection:
        found: int = rows(connection, f"SELECT coalesce(max(n), 0) FROM {table}")[0][0]
    return found


def _oldest(known: Millis | None, posts: Iterable[Post]) -> Millis | None:
    times = [post.event_time for post in posts]
    return min([*times, known] if known is not None else times, default=None)


def _part(some: int, whole: int) -> float:
    return min(1.0, some / whole) if whole else 0.0


_MATCHED = (
    "SELECT p.n, m.body FROM post p JOIN mention m ON m.post = p.n WHERE p.n > ? AND p.n <= ? AND p.state = 'live' "
    "AND m.state = 'live' AND p.event_time >= ? AND p.event_time < ? ORDER BY p.n LIMIT ?"
)
_STANDING = (
    "SELECT id, state, EXISTS (SELECT 1 FROM mention WHERE mention.post = post.n AND mention.state = 'live') "
    "FROM post WHERE id IN (??)"
)
