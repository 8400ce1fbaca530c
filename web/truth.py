"""What the index found, as SQL has it now: nothing that was deleted meanwhile, nothing beyond what the asker may see.

The index follows SQL by a moment; whoever shows its hits passes them through `standing` first, so that a deleted post
is gone from every page and answer as soon as routing has written so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from database.engine import read, rows, rows_in
from index.highlight import highlights
from index.visibility import sees
from query.tree import Node
from stream.ports import AccessScope, Hit
from stream.records import Decision, Mention, decode

PAST_DECISIONS = 200
OF_COPIES = frozenset({"copies", "spam"})
"""Fields that rest on near copies, which are counted over all posts."""


class Hidden(NamedTuple):
    """What mentions that the asker may see refer to, and the asker may not see."""

    cases: frozenset[int]
    conversations: frozenset[str]
    copies: bool = False
    """How many near copies there were: posts that the asker may not see are counted in."""


class Found(NamedTuple):
    mention: Mention
    past: list[Decision]
    """Decisions that were replaced, the newest first."""
    hidden: Hidden


def standing(engine: Engine, query: Node, hits: Sequence[Hit], scope: AccessScope) -> list[Hit]:
    """The hits that are live in SQL and that `scope` covers, in their order, as SQL has them now."""
    now = {}
    sql = (
        "SELECT m.body FROM post p JOIN mention m ON m.post = p.n WHERE m.state = 'live' AND p.state = 'live' "
        "AND p.id IN (??)"
    )
    with read(engine) as connection:
        for (body,) in rows_in(connection, sql, list({hit.mention.post_id for hit in hits})):
            present = decode(Mention, body)
            now[present.id] = present
    shown = []
    for hit in hits:
        mention = now.get(hit.mention.id)
        if mention is None or not sees(scope, mention):
            continue
        same = mention.content_hash == hit.mention.content_hash
        shown.append(Hit(mention, hit.highlights if same else highlights(query, mention)))
    return shown


def find(engine: Engine, mention_id: str, scope: AccessScope) -> Found | None:
    """The mention and its decisions; None where there is none, it is gone, or `scope` does not cover it."""
    post_id, _, brand = mention_id.rpartition("#")
    sql = (
        "SELECT m.n, m.body FROM post p JOIN mention m ON m.post = p.n JOIN dictionary d ON d.n = m.brand "
        "WHERE p.id = ? AND d.kind = 'brand' AND d.value = ? AND m.state = 'live' AND p.state = 'live'"
    )
    with read(engine) as connection:
        found = rows(connection, sql, (post_id, brand))
        mention = decode(Mention, found[0][1]) if found else None
        if mention is None or not sees(scope, mention):
            return None
        past = rows(
            connection,
            "SELECT body FROM decision WHERE mention = ? ORDER BY revision DESC LIMIT ?",
            (found[0][0], PAST_DECISIONS),
        )
        return Found(mention, [_decision(body) for (body,) in past], hidden(connection, [mention], scope))


def hidden_from(engine: Engine, mentions: Sequence[Mention], scope: AccessScope) -> Hidden:
    """As `hidden`, in a transaction of its own, and none where the scope can hide nothing."""
    if scope.queues is None and scope.access is None:
        return NOTHING._replace(copies=scope.brands is not None)
    with read(engine) as connection:
        return hidden(connection, mentions, scope)


def hidden(connection: Connection, mentions: Iterable[Mention], scope: AccessScope) -> Hidden:
    """Cases in queues, and conversations begun by posts of private sources, that `scope` does not cover."""
    mentions = list(mentions)
    cases: frozenset[int] = frozenset()
    if scope.queues is not None:
        wanted = list({mention.case_id for mention in mentions if mention.case_id is not None})
        found = rows_in(connection, "SELECT id, queue FROM cases WHERE id IN (??)", wanted)
        seen = {id for id, queue in found if queue in scope.queues}
        cases = frozenset(wanted) - seen
    conversations: frozenset[str] = frozenset()
    if scope.access is not None:
        roots = list({each.conversation for each in mentions} - {each.post_id for each in mentions})
        sql = "SELECT p.id, m.body FROM post p JOIN mention m ON m.post = p.n WHERE p.id IN (??)"
        labelled = [(id, _label(body)) for id, body in rows_in(connection, sql, roots)]
        conversations = frozenset(id for id, label in labelled if label not in scope.access)
    return Hidden(cases, conversations, copies=sees_a_part(scope))


def sees_a_part(scope: AccessScope) -> bool:
    """Whether there may be mentions that `scope` does not cover."""
    return scope.brands is not None or scope.queues is not None or scope.access is not None


NOTHING = Hidden(frozenset(), frozenset())


class _Label(msgspec.Struct, gc=False):
    access: str = "public"


_labels = msgspec.json.Decoder(_Label)
_decisions = msgspec.json.Decoder(Decision)


def _label(body: bytes) -> str:
    return _labels.decode(body).access


def _decision(body: bytes) -> Decision:
    return _decisions.decode(body)
