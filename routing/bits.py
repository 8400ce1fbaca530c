"""Which comparisons are true of a mention, as the bits of one number.

Rules mostly ask for labels, and for numbers on one side of a bound: a field has few values that answer otherwise, and
what each of them answers to all comparisons with the field is worked out once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Mapping
from operator import attrgetter

from query.document import Document, effective
from query.fields import FIELDS
from query.labels import labels
from query.predicate import Predicate, compile_predicate
from query.tree import All, Between, Equals, Has, Near, Node, Phrase, Prefix, StartsWith, Word
from stream.records import Mention

Bits = Callable[[Document], int]

MOST_VALUES = 5_000
"""Values of a field whose answers are kept; then they are worked out anew."""
_MARKED = frozenset({"hashtag", "addressed", "link", "site"})
"""Fields that are read by analysing a text or an address."""
_OPEN = frozenset({"id", "author", "address", "media", "reply_to", "quote_of", "conversation"})
"""Fields of which nearly every mention has values of its own."""


def reads_text(leaf: Node) -> bool:
    """Whether the text has to be analysed to answer this word, phrase or comparison."""
    if isinstance(leaf, Equals | StartsWith | Has):
        return leaf.field in _MARKED
    return isinstance(leaf, Word | Phrase | Near | Prefix)


def bits(parts: Mapping[Node, int]) -> Bits:
    """A function that gives the bits of all comparisons that are true; `parts` has the bit of each. None of them reads
    the text."""
    always = 0
    of_field: dict[str, dict[Node, int]] = {}
    for leaf, bit in parts.items():
        if isinstance(leaf, All):
            always |= bit
            continue
        assert isinstance(leaf, Equals | StartsWith | Between | Has)
        of_field.setdefault(leaf.field, {})[leaf] = bit
    readers = [_reader(field, found) for field, found in of_field.items()]

    def read(document: Document) -> int:
        found = always
        for reader in readers:
            found |= reader(document)
        return found

    return read


def _reader(field: str, parts: Mapping[Node, int]) -> Bits:
    asked = [(compile_predicate(leaf), bit) for leaf, bit in parts.items()]
    if field in _OPEN:
        return lambda document: _asked(asked, document)
    value = _value_of(field, sorted({bound for leaf in parts for bound in _bounds(leaf)}))
    kept: dict[Hashable, int] = {}

    def read(document: Document) -> int:
        key = value(document)
        found = kept.get(key)
        if found is None:
            if len(kept) >= MOST_VALUES:
                kept.clear()
            found = kept[key] = _asked(asked, document)
        return found

    return read


def _asked(asked: list[tuple[Predicate, int]], document: Document) -> int:
    return sum([bit for holds, bit in asked if holds(document)])


def _bounds(leaf: Node) -> list[float]:
    if isinstance(leaf, Between):
        return [bound for bound in (leaf.low, leaf.high) if bound is not None]
    if isinstance(leaf, Equals) and FIELDS[leaf.field].kind in ("number", "time"):
        return [float(leaf.value)]
    return []


def _value_of(field: str, bounds: list[float]) -> Callable[[Document], Hashable]:
    """What of the field's value tells the answers to all comparisons with it."""
    if field in _LABELS:
        read = _LABELS[field]
        return lambda document: read(document.mention)
    if field == "risk":
        return lambda document: _between(document.risk, bounds)
    if field == "term":
        return lambda document: tuple([term.name for term in document.terms if term.points > 0])
    if field in _NUMBERS:
        number = _NUMBERS[field]
        return lambda document: _between(number(document.mention), bounds)
    if FIELDS[field].kind in ("number", "time"):
        return lambda document: _between(document.value(field), bounds)  # type: ignore[arg-type]
    return lambda document: document.value(field)


def _between(value: float | None, bounds: list[float]) -> int | None:
    """Where a number stands among the bounds; the same place answers every comparison with them alike."""
    return None if value is None else bisect_left(bounds, value) + bisect_right(bounds, value)


def _understood(attribute: str) -> Callable[[Mention], Hashable]:
    read = attrgetter(f"understanding.{attribute}")
    return lambda mention: read(mention) if mention.understanding is not None else None


def _label(head: str) -> Callable[[Mention], Hashable]:
    read = attrgetter(f"understanding.{head}.label")

    def label(mention: Mention) -> Hashable:
        if mention.correction is None and mention.understanding is not None and mention.understanding.reputation:
            found: str = read(mention)
            return found
        return effective(mention, head)

    return label


def _suggested(mention: Mention) -> Hashable:
    read = mention.understanding
    return read.suggested if mention.correction is None and read is not None else labels(mention).suggested


_LABELS: Mapping[str, Callable[[Mention], Hashable]] = {
    "brand": lambda mention: mention.brand,
    "kind": lambda mention: mention.brand_kind,
    "network": lambda mention: mention.network,
    "lang": lambda mention: mention.lang,
    "speaker": _understood("speaker"),
    "suggested": _suggested,
    "matched": _understood("matched_by"),
    "intent": _label("intent"),
    "reputation": _label("reputation"),
    "sentiment": _label("sentiment"),
    "detractor": _label("detractor"),
}


def _followers(mention: Mention) -> int | None:
    return mention.post.author.followers if mention.post and mention.post.author else None


def _metric(name: str) -> Callable[[Mention], int | None]:
    return lambda mention: getattr(mention.post.metrics, name, None) if mention.post else None


_NUMBERS: Mapping[str, Callable[[Mention], int | None]] = {
    "followers": _followers,
    "copies": lambda mention: mention.copies or None,
    **{name: _metric(name) for name in ("likes", "reposts", "replies", "views")},
}
