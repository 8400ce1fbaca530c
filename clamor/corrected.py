"""Corrections as labels: what people stated, beside what was read and the rule that had decided."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, Engine

from clamor.decisions import before_words, earlier, ruled_by, stands
from database.engine import read, rows
from stream.records import Correction, Mention, Millis, decode

CHUNK = 1_000
HEADS = ("sentiment", "reputation", "intent", "detractor", "queue")
_MARK = b'"correction":'


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """The heads that somebody stated stand by their names, as in a file of labelled posts."""

    id: str
    """Of the mention."""
    brand: str
    network: str
    lang: str
    at: Millis
    """When it was stated."""
    content_hash: str
    """Of the text that it was stated of."""
    sentiment: str | None = None
    reputation: str | None = None
    intent: str | None = None
    detractor: str | None = None
    queue: str | None = None
    about: bool | None = None
    stale: bool = False
    """The text has changed since."""
    text: str | None = None
    read: dict[str, str] = {}
    """What the model said of the heads that it reads."""
    model: str = ""
    rule: str = ""
    """Rule that had decided before anybody stated anything."""
    person: str | None = None


def exported(engine: Engine, since: Millis, until: Millis, *, text: bool, stale: bool, people: bool) -> Iterator[Line]:
    """Corrections of live mentions that were stated in [since, until).

    With the `text`, which must not have changed since, only those that a model can learn its labels from."""
    after = 0
    while True:
        lines = []
        with read(engine) as connection:
            found = rows(connection, _MENTIONS, (after, CHUNK))
            for n, body in found:
                if _MARK not in body:
                    continue
                mention = decode(Mention, body)
                word = mention.correction
                if word is None or not since <= word.at < until or (word.stale and not stale):
                    continue
                if not text or (word.about is not False and any(getattr(word, head) for head in HEADS)):
                    lines.append(_line(connection, n, mention, word, text=text, people=people))
        yield from lines
        if not found:
            return
        after = found[-1][0]


def _line(connection: Connection, n: int, mention: Mention, word: Correction, *, text: bool, people: bool) -> Line:
    decision, read = mention.decision, mention.understanding
    shown = mention.post.text if text and mention.post is not None and not word.stale else None
    heads = {head: scores.label for head in HEADS[:4] if (scores := getattr(read, head, None)) is not None}
    return Line(
        id=mention.id, brand=mention.brand, network=mention.network, lang=mention.lang, at=word.at,
        content_hash=word.content_hash, about=word.about, stale=word.stale, text=shown, read=heads,
        model=decision.model if decision is not None else "", rule=_rule(connection, n, mention),
        person=word.person if people else None, **{head: getattr(word, head) for head in HEADS},
    )  # fmt: skip


def _rule(connection: Connection, n: int, mention: Mention) -> str:
    decision = before_words([one for _, one in stands(mention, earlier(connection, n))])
    return ruled_by(decision) if decision is not None else ""


_MENTIONS = "SELECT n, body FROM mention WHERE n > ? AND state = 'live' ORDER BY n LIMIT ?"
