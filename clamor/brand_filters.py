"""What people's words say of a brand's mentions: how right they are, and a filter learnt from them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from config.brands import Brand
from database import filters
from database.engine import read, rows, write
from nlp import about
from nlp.about import Example, Measured
from nlp.brands import BrandMatcher
from nlp.reading import readable
from nlp.shares import Share
from query.text import analyse
from stream.records import Mention, Millis, decode

MOST = 2_000
"""The newest words that are learnt from."""


class Words(NamedTuple):
    """The last word on each mention against what stood when the first one was said."""

    about: int
    other: int
    kept_about: int
    """Of those that mean the brand: counted when somebody looked."""
    kept_other: int

    @property
    def precision(self) -> Share:
        return Share(self.kept_about, self.kept_about + self.kept_other)

    @property
    def recall(self) -> Share:
        return Share(self.kept_about, self.about)


class Learnt(NamedTuple):
    examples: int
    measured: Measured | None
    """None: too few of one kind."""
    about: int
    other: int
    version: int | None
    """The version that came into force; None: none did."""


def words(connection: Connection, brand: str, version: int | None = None) -> Words:
    """All words on a brand, or those said while this version of its filter was in force."""
    first: dict[int, tuple[int, int]] = {}
    last: dict[int, int] = {}
    for mention, means, kept, at in rows(connection, _WORDS, (brand,)):
        first.setdefault(mention, (kept, at))
        last[mention] = means
    chosen = [(last[n], kept) for n, (kept, at) in first.items() if version is None or at == version]
    return Words(
        sum(means for means, _ in chosen),
        sum(1 - means for means, _ in chosen),
        sum(means and kept for means, kept in chosen),
        sum((1 - means) and kept for means, kept in chosen),
    )


def learn(engine: Engine, brand: Brand, by: str, now: Millis, *, adopt: bool = True) -> Learnt:
    """Learn a filter from what people said of live mentions, and put it in force where it is worth it."""
    with read(engine) as connection:
        given = examples(connection, brand)
        last = filters.newest(connection, brand.id)
    of_brand = sum(one.about for one in given)
    others = len(given) - of_brand
    if min(of_brand, others) < about.FEWEST:
        return Learnt(len(given), None, of_brand, others, None)
    measured = about.measure(given)
    if not adopt or not measured.worth_it:
        return Learnt(len(given), measured, of_brand, others, None)
    made = about.learn(given, last.version + 1 if last else 1)
    with write(engine) as connection:
        version = filters.adopt(connection, brand.id, _written(made), _written(measured._asdict()), by, now)
    return Learnt(len(given), measured, of_brand, others, version)


def forget(engine: Engine, brand: str, by: str, now: Millis) -> int | None:
    """Put no filter in force for a brand; the version that says so, None where none was."""
    with write(engine) as connection:
        last = filters.newest(connection, brand)
        if last is None or not last.body:
            return None
        return filters.adopt(connection, brand, "", "{}", by, now)


def examples(connection: Connection, brand: Brand) -> list[Example]:
    """Texts that stand and on which a person's word holds, where the name alone makes them mentions."""
    matcher = BrandMatcher([brand])
    found = []
    for (body,) in rows(connection, _SAID_OF, (brand.id, MOST)):
        mention = decode(Mention, body)
        correction, post = mention.correction, mention.post
        if post is None or correction is None or correction.about is None or correction.stale:
            continue
        text = readable(post)
        spans = matcher.find(analyse(text)).get(0)
        if spans and not about.certain(brand, text, spans):
            group = f"cluster {mention.cluster}" if mention.cluster is not None else ""
            found.append(Example(text, spans, mention.network, mention.lang, correction.about, group))
    return found


def _written(held: object) -> str:
    return msgspec.json.encode(held).decode()


_WORDS = (
    "SELECT w.mention, w.about, w.kept, w.version FROM about_word w JOIN dictionary d ON d.n = w.brand "
    "WHERE d.kind = 'brand' AND d.value = ? ORDER BY w.n"
)
_SAID_OF = (
    "SELECT m.body FROM mention m WHERE m.state = 'live' AND m.n IN (SELECT w.mention FROM about_word w "
    "JOIN dictionary d ON d.n = w.brand WHERE d.kind = 'brand' AND d.value = ?) ORDER BY m.n DESC LIMIT ?"
)
