"""What the rules can see of a mention, as one value: two mentions with the same signature are ruled alike.

Rules mostly ask for labels and for numbers on one side of a bound, so a handful of signatures covers a day, and the
rules need not be gone through for each mention. Rules that read the text have no signature.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping
from operator import attrgetter

from query.document import Document, effective
from query.fields import FIELDS
from query.labels import labels
from query.predicate import leaves
from query.tree import All, Between, Equals, Has, Node, StartsWith
from stream.records import Mention

Signature = Callable[[Document], Hashable]


def signature(queries: Iterable[Node]) -> Signature | None:
    """A function that gives the signature under these queries; None where one of them reads the text."""
    bounds: dict[str, set[float]] = {}
    for query in queries:
        for leaf in leaves(query):
            if isinstance(leaf, All):
                continue
            if not isinstance(leaf, Equals | StartsWith | Between | Has):
                return None
            bounds.setdefault(leaf.field, set()).update(_bounds(leaf))
    readers = [_reader(field, sorted(found)) for field, found in sorted(bounds.items())]
    return lambda document: tuple([reader(document) for reader in readers])


def _bounds(leaf: Node) -> list[float]:
    if isinstance(leaf, Between):
        return [bound for bound in (leaf.low, leaf.high) if bound is not None]
    if isinstance(leaf, Equals) and FIELDS[leaf.field].kind in ("number", "time"):
        return [float(leaf.value)]
    return []


def _reader(field: str, bounds: list[float]) -> Signature:
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


def _between(value: float | None, bounds: list[float]) -> tuple[int, int] | None:
    """Where a number stands among the bounds; the same place answers every comparison with them alike."""
    if value is None:
        return None
    return bisect_left(bounds, value), bisect_right(bounds, value)


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
