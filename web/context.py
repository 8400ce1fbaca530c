"""What the replies of a case answer: the posts above them, as far as the asker may see them, or why they are not here.

A post that the asker may not see is answered like one that is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows_in, write
from index.visibility import sees
from stream.clock import MINUTE
from stream.ports import AccessScope
from stream.records import Mention, Millis, Post, decode
from web import casebook

State = Literal["shown", "not_asked", "asked", "fetched", "none", "refused", "gone"]

MOST_ABOVE = 20
"""Posts shown above a reply."""
MOST_REPLIES = 200
"""Replies of a case whose threads are shown."""
MOST_ASKED = 50
"""Replies that one call asks the networks about."""
AGAIN: Millis = 10 * MINUTE
"""What was fetched or not to be had may be asked for again after so long."""
_NOT_COLLECTED = "source {source} is none that Clamor asks by itself: what is pushed or read from files has to bring it"


class Above(NamedTuple):
    """A post above a reply. The text stands in it, so that a deleted one is never shown: it is not here then."""

    post: Post
    mentions: tuple[str, ...]
    """Of it, those that the asker may see; none where it is about no brand."""


class Thread(NamedTuple):
    """What a reply answers."""

    mention: str
    state: State
    """Of the post that it answers itself."""
    why: str
    above: tuple[Above, ...]
    """Nearest first; ends where the next is not here."""


class Asked(NamedTuple):
    asked: int
    """Replies that the networks are asked about now."""
    waiting: int
    """Were asked about before, and the answer is not here yet."""
    impossible: int
    """Their sources cannot be asked, or the answer was that it is not to be had."""
    left: int
    """Beyond MOST_ASKED: ask again once these are through."""


class _Request(NamedTuple):
    state: str
    why: str
    tried_at: Millis


def threads(engine: Engine, mentions: Sequence[Mention], scope: AccessScope) -> list[Thread]:
    """Of those among `mentions` (live, and for the asker) that are replies, in their order, the first MOST_REPLIES."""
    replies = [m for m in mentions if m.post is not None and m.post.reply_to][:MOST_REPLIES]
    if not replies:
        return []
    with read(engine) as connection:
        here = _climbed(connection, {_answers(m) for m in replies}, scope)
        missing = {_answers(m) for m in replies} - here.keys()
        requests = _requests(connection, missing)
        # Of what was deleted nobody knows any more whether it was private.
        gone = _gone(connection, missing) if scope.access is None else set()
    return [_thread(m, here, gone, requests) for m in replies]


def ask(
    engine: Engine,
    case_id: int,
    scope: AccessScope,
    by: str,
    now: Millis,
    collected: Callable[[str], bool],
) -> Asked | None:
    """Let the collecting processes fetch what the replies of a case answer, where it is not here; None where there is
    no such case for the asker. `collected`: whether Clamor asks a source by itself."""
    opened = casebook.one(engine, case_id, scope)
    if opened is None:
        return None
    by_id = {m.id: m for m in opened.live}
    missing: dict[str, Mention] = {}
    """By the post that is answered: one of the replies to it."""
    for thread in threads(engine, opened.live, scope):
        if thread.state not in ("shown", "gone"):
            missing.setdefault(_answers(by_id[thread.mention]), by_id[thread.mention])
    with write(engine) as connection:
        requests = _requests(connection, missing)
        fresh = {id: m for id, m in missing.items() if _may_ask(requests.get(id), now)}
        able = [m for m in fresh.values() if collected(m.source_id)]
        unable = [m for m in fresh.values() if not collected(m.source_id)]
        chosen = able[:MOST_ASKED]
        told = [(m, "asked", "") for m in chosen]
        told += [(m, "none", _NOT_COLLECTED.format(source=m.source_id)) for m in unable]
        sql = "SELECT id, n, parent FROM post WHERE parent IS NOT NULL AND id IN (??)"
        known = {id: (n, parent) for id, n, parent in rows_in(connection, sql, list({m.post_id for m, _, _ in told}))}
        many(connection, _ASK, [
            (m.source_id, *known[m.post_id], case_id, now, by, state, why)
            for m, state, why in told if m.post_id in known
        ])  # fmt: skip
    waiting = sum(1 for id in missing.keys() - fresh.keys() if requests[id].state in ("asked", "fetched"))
    impossible = len(missing) - len(fresh) - waiting + len(unable)
    return Asked(len(chosen), waiting, impossible, len(able) - len(chosen))


def _may_ask(request: _Request | None, now: Millis) -> bool:
    return request is None or (request.state != "asked" and now - request.tried_at >= AGAIN)


def _answers(mention: Mention) -> str:
    assert mention.post is not None
    assert mention.post.reply_to is not None
    return mention.post.reply_to


def _thread(mention: Mention, here: dict[str, Above], gone: Collection[str], requests: dict[str, _Request]) -> Thread:
    above: list[Above] = []
    id: str | None = _answers(mention)
    seen = {mention.post_id}
    while id is not None and id in here and id not in seen and len(above) < MOST_ABOVE:
        seen.add(id)
        above.append(here[id])
        id = here[id].post.reply_to
    if above:
        return Thread(mention.id, "shown", "", tuple(above))
    if _answers(mention) in gone:
        return Thread(mention.id, "gone", "deleted, or kept no longer", ())
    request = requests.get(_answers(mention))
    if request is None:
        return Thread(mention.id, "not_asked", "nobody has asked for it", ())
    state: State = request.state if request.state in ("asked", "fetched", "none", "refused") else "asked"  # type: ignore[assignment]
    return Thread(mention.id, state, request.why, ())


def _climbed(connection: Connection, ids: set[str], scope: AccessScope) -> dict[str, Above]:
    """These posts and those above them, by id, as far as they are here and for the asker."""
    here: dict[str, Above] = {}
    wanted = ids
    for _ in range(MOST_ABOVE):
        if not wanted:
            break
        found = _here(connection, wanted, scope)
        here |= found
        wanted = {one.post.reply_to for one in found.values() if one.post.reply_to} - here.keys()
    return here


def _here(connection: Connection, ids: set[str], scope: AccessScope) -> dict[str, Above]:
    live = "p.state = 'live' AND p.id IN (??)"
    mentions: dict[str, list[Mention]] = {}
    sql = f"SELECT m.body FROM post p JOIN mention m ON m.post = p.n WHERE m.state = 'live' AND {live}"
    for (body,) in rows_in(connection, sql, sorted(ids)):
        mention = decode(Mention, body)
        mentions.setdefault(mention.post_id, []).append(mention)
    found = {}
    for id, held in mentions.items():
        visible = [m for m in held if m.post is not None and sees(scope, m)]
        if visible and visible[0].post is not None:
            found[id] = Above(visible[0].post, tuple([m.id for m in visible]))
    sql = f"SELECT c.id, c.body FROM post p JOIN context_post c ON c.id = p.id WHERE c.body IS NOT NULL AND {live}"
    for id, body in rows_in(connection, sql, sorted(ids - mentions.keys())):
        post = decode(Post, body)
        if scope.access is None or post.access in scope.access:
            found[id] = Above(post, ())
    return found


def _gone(connection: Connection, ids: Collection[str]) -> set[str]:
    sql = "SELECT id FROM post WHERE state NOT IN ('live', 'awaited') AND id IN (??)"
    return {id for (id,) in rows_in(connection, sql, list(ids))}


def _requests(connection: Connection, ids: Collection[str]) -> dict[str, _Request]:
    """By the post that is answered: the latest request for it, whichever of its replies it was made by."""
    sql = (
        "SELECT above.id, r.state, r.why, CASE WHEN r.tried_at > r.asked_at THEN r.tried_at ELSE r.asked_at END "
        "FROM post above JOIN context_request r ON r.parent = above.n WHERE above.id IN (??)"
    )
    found: dict[str, _Request] = {}
    for id, state, why, tried in rows_in(connection, sql, list(ids)):
        if id not in found or tried > found[id].tried_at or state == "asked":
            found[id] = _Request(state, why, tried)
    return found


_ASK = (
    "INSERT INTO context_request (source_id, post, parent, case_id, asked_at, asked_by, state, why) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source_id, post) DO UPDATE SET parent = excluded.parent, "
    "case_id = excluded.case_id, "
    "asked_at = excluded.asked_at, asked_by = excluded.asked_by, state = excluded.state, why = excluded.why, "
    "tried_at = 0"
)
