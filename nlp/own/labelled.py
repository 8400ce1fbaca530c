"""Posts with what they should be read as: a user's file, the team's corrections, the written posts that are shipped.

Labels go by head, as people give them: sentiment, reputation, intent, detractor, queue; of a file also complaint, irony
and offensive. A post may lack any of them.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from config.brands import Brand
from database.engine import rows
from nlp.asked import LONGEST_NAME, Asked
from nlp.brands import BrandMatcher, Match
from nlp.classifier import Passage, Target
from nlp.normalise import clean, normalise
from nlp.reading import readable
from query.text import analyse
from stream.records import DETRACTOR_LEVELS, INTENTS, NO_YES, QUEUES, SENTIMENTS, Correction, Mention, decode

SYNTHETIC = Path(__file__).parent / "synthetic.jsonl.gz"
"""Posts that were written for training, about invented brands: [lang, brand, text, reputation, intent, detractor,
queue, whether its reader was in doubt] a line."""

CLASSES: Mapping[str, tuple[str, ...]] = {
    "sentiment": SENTIMENTS,
    "reputation": SENTIMENTS,
    "intent": INTENTS,
    "detractor": DETRACTOR_LEVELS,
    "queue": QUEUES,
    "complaint": NO_YES,
    "irony": NO_YES,
    "offensive": NO_YES,
}
CORRECTED = ("sentiment", "reputation", "intent", "detractor", "queue")
TRAINED = ("sentiment", "reputation", "intent", "detractor", "act")
"""Heads of the model that these labels say something of."""
PAGE = 1_000
_SEVERE = 3
_MARK = b'"correction":'


class Labelled(NamedTuple):
    passage: Passage
    """Towards one target."""
    labels: Mapping[str, str]
    key: str
    """The same for the same words: such posts are learnt from together or measured on together."""
    known: Mapping[str, str] = {}
    """What the model said of the heads that nobody labelled."""


class Kept(NamedTuple):
    """What a home has to learn from."""

    corrections: list[Labelled]
    posts: list[Passage]
    """Some of those that nobody corrected, drawn by chance."""


def of_file(file: Path, brands: Sequence[Brand] = ()) -> list[Labelled]:
    """JSON Lines: `text`, optional `brand` (a name, or the id of one of `brands`) and `lang`, and labels by head.

    Raises ValueError naming file and line: no JSON, no text, no label, a label that there is not, a brand without a
    name or of too long a one; OSError."""
    asked = Asked(brands)
    found = []
    for number, raw in enumerate(file.read_bytes().splitlines(), 1):
        if raw.strip():
            found.append(_of_line(f"{file}, line {number}", raw, asked))
    if not found:
        raise ValueError(f"{file} holds no line")
    return found


def synthetic() -> list[Labelled]:
    """The posts that are shipped. Those whose reader was in doubt are left out."""
    asked = Asked(())
    found = []
    with gzip.open(SYNTHETIC, "rt", encoding="utf-8") as lines:
        for line in lines:
            lang, brand, text, reputation, intent, level, queue, unsure = json.loads(line)
            if not unsure:
                labels = {"reputation": reputation, "intent": intent, "detractor": str(level), "queue": queue}
                found.append(Labelled(asked.passage(text, brand, lang), labels, key(text)))
    return found


def of_home(connection: Connection, brands: Sequence[Brand], most: int, seed: int = 1) -> Kept:
    """All corrections that stand for the text of today, but for those that say that it does not mean the brand; and up
    to `most` posts that nobody corrected."""
    matcher, draw = BrandMatcher(brands), random.Random(seed)
    corrections: list[Labelled] = []
    drawn: list[bytes] = []
    seen = 0
    for body in _bodies(connection):
        if _MARK in body:
            mention = decode(Mention, body)
            if mention.correction is not None and not mention.correction.stale:
                if mention.correction.about is not False:
                    corrections.append(_corrected(mention, mention.correction, matcher))
                continue
        seen += 1
        if len(drawn) < most:
            drawn.append(body)
        elif (at := draw.randrange(seen)) < most:
            drawn[at] = body
    corrections = [one for one in corrections if one.labels]
    taken = {one.key for one in corrections}
    others = [_passage(decode(Mention, body), matcher) for body in drawn]
    return Kept(corrections, [one for one in others if key(one.text) not in taken])


def corrections_in(connection: Connection) -> int:
    """How many mentions bear a correction that stands for the text of today."""
    found = (decode(Mention, body).correction for body in _bodies(connection) if _MARK in body)
    return sum(one is not None and not one.stale and one.about is not False and bool(_said(one)) for one in found)


def key(text: str) -> str:
    """Of a text's letters and digits."""
    plain = "".join(char for char in normalise(clean(text)).casefold() if char.isalnum())
    return blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def marks(row: Labelled) -> dict[str, int]:
    """What heads of TRAINED are to say. The level is asked of the negative only, and whether an agent can act of
    complaints: there the queue tells it."""
    heads = ("sentiment", "reputation", "intent")
    out = {head: CLASSES[head].index(row.labels[head]) for head in heads if head in row.labels}
    both = {**row.known, **row.labels}
    level = int(both.get("detractor", "0"))
    if "detractor" in row.labels and (level or both.get("reputation") == "negative"):
        out["detractor"] = level
    if row.labels.get("queue") in ("support", "none") and both.get("intent") == "complaint" and level < _SEVERE:
        out["act"] = int(row.labels["queue"] == "support")
    return out


class _Line(msgspec.Struct, frozen=True):
    text: str
    brand: str | None = None
    lang: str | None = None
    sentiment: str | None = None
    reputation: str | None = None
    intent: str | None = None
    detractor: str | int | None = None
    queue: str | None = None
    complaint: str | None = None
    irony: str | None = None
    offensive: str | None = None


def _of_line(place: str, raw: bytes, asked: Asked) -> Labelled:
    try:
        line = msgspec.json.decode(raw, type=_Line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f'{place}: not of the form {{"text": …, "sentiment": …}}: {error}') from None
    if line.brand is not None and not 0 < len(line.brand.strip()) <= LONGEST_NAME:
        raise ValueError(f"{place}: brand: a name has 1 to {LONGEST_NAME} characters; of no brand, leave it out")
    labels = {head: str(label) for head in CLASSES if (label := getattr(line, head)) is not None}
    for head, label in labels.items():
        if label not in CLASSES[head]:
            raise ValueError(f"{place}: {head} {label!r} is not known: use one of {', '.join(CLASSES[head])}")
    if not labels:
        raise ValueError(f"{place}: no label: give at least one of {', '.join(CLASSES)}")
    return Labelled(asked.passage(line.text, line.brand or "", line.lang or ""), labels, key(line.text))


def _bodies(connection: Connection) -> Iterator[bytes]:
    after = 0
    while found := rows(connection, _PAGE, (after, PAGE)):
        after = found[-1][0]
        for _, body in found:
            yield bytes(body)


def _corrected(mention: Mention, said: Correction, matcher: BrandMatcher) -> Labelled:
    passage = _passage(mention, matcher)
    known: dict[str, str] = {}
    if (held := mention.understanding) is not None:
        known = {"intent": held.intent.label, "detractor": held.detractor.label, "sentiment": held.sentiment.label}
        if held.reputation is not None:
            known["reputation"] = held.reputation.label
    return Labelled(passage, _said(said), key(passage.text), known)


def _said(correction: Correction) -> dict[str, str]:
    return {head: label for head in CORRECTED if (label := getattr(correction, head)) is not None}


def _passage(mention: Mention, matcher: BrandMatcher) -> Passage:
    """As stage nlp read it."""
    assert mention.post is not None
    text = readable(mention.post)
    matches: list[Match] = matcher.match(mention.post, analyse(text))
    mine = tuple(span for match in matches if match.brand.id == mention.brand for span in match.spans)
    others = tuple(span for match in matches if match.brand.id != mention.brand for span in match.spans)
    return Passage(text, (Target(mine, others),), mention.lang)


_PAGE = "SELECT n, body FROM mention WHERE n > ? AND state = 'live' ORDER BY n LIMIT ?"
