"""The reading of a query as a yes or no about one mention, and the yes or no of each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from query.document import Document
from query.fields import FIELDS
from query.text import stems
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from query.unparse import unparse

Predicate: TypeAlias = Callable[[Document], bool]


def compile_predicate(node: Node) -> Predicate:
    """A function that says whether a document answers the query. Raises ValueError for a field that does not exist."""
    match node:
        case And(parts):
            return _every([compile_predicate(part) for part in sorted(parts, key=_cost)])
        case Or(parts):
            return _some(parts)
        case Not(part):
            inner = compile_predicate(part)
            return lambda document: not inner(document)
        case _:
            return _leaf(node)


def explain(node: Node, document: Document) -> dict[str, bool]:
    """Truth value of each word, phrase and comparison of the query, by its canonical text, in the query's order."""
    return {text: holds(document) for text, holds in _explained(node)}


def leaves(node: Node) -> Iterator[Node]:
    """Every word, phrase and comparison of the query, in its order."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield node


@lru_cache(maxsize=1_024)
def _explained(node: Node) -> tuple[tuple[str, Predicate], ...]:
    return tuple({unparse(leaf): _leaf(leaf) for leaf in leaves(node)}.items())


def _every(parts: Sequence[Predicate]) -> Predicate:
    if len(parts) == 2:
        first, second = parts
        return lambda document: first(document) and second(document)
    if len(parts) == 3:
        one, two, three = parts
        return lambda document: one(document) and two(document) and three(document)

    def holds(document: Document) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs more than what it saves
            if not part(document):
                return False
        return True

    return holds


def _some(parts: Sequence[Node]) -> Predicate:
    """Words are answered by one look at the stems, values of a keyword field by one look at the field."""
    wanted: set[str] = set()
    fields: dict[str, set[str]] = {}
    rest: list[Node] = []
    for part in parts:
        if isinstance(part, Word):
            wanted.update(stems(part.surface))
        elif isinstance(part, Equals) and isinstance(part.value, str):
            fields.setdefault(part.field, set()).add(part.value)
        else:
            rest.append(part)
    looks = [_any_value(field, values) for field, values in fields.items()]
    looks += [_any_stem(wanted)] if wanted else []
    looks += [compile_predicate(part) for part in sorted(rest, key=_cost)]
    if len(looks) == 1:
        return looks[0]

    def holds(document: Document) -> bool:
        for look in looks:  # noqa: SIM110
            if look(document):
                return True
        return False

    return holds


def _cost(node: Node) -> int:
    """Which part to ask first: a field costs nothing beside reading the text."""
    match node:
        case And(parts) | Or(parts):
            return 1 + max(map(_cost, parts), default=0)
        case Not(part):
            return _cost(part)
        case Word():
            return 10
        case Phrase() | Prefix():
            return 11
        case Near():
            return 12
        case Equals("hashtag" | "addressed" | "link") | StartsWith() | Has("hashtag" | "addressed" | "link"):
            return 5
        case _:
            return 0


def _leaf(node: Node) -> Predicate:
    match node:
        case All():
            return lambda document: True
        case Word(surface):
            return _any_stem(stems(surface))
        case Phrase(surfaces):
            run = f" {' '.join(surfaces)} "
            return lambda document: run in document.line
        case Prefix(start):
            begin = f" {start}"
            return lambda document: begin in document.line
        case Near(left, right, distance):
            return lambda document: _near(document, left, right, distance)
        case Equals(field, value):
            return _any_value(field, {value}) if isinstance(value, str) else _same(field, value)
        case StartsWith(field, start):
            return _starts(field, start)
        case Between():
            return _between(node)
        case Has(field):
            _known(field)
            return lambda document: document[field] is not None
        case _:
            raise TypeError(f"{type(node).__name__} is no leaf of a query")


def _any_stem(wanted: Iterable[str]) -> Predicate:
    apart = frozenset(wanted).isdisjoint
    return lambda document: not apart(document.stems)


def _near(document: Document, left: str, right: str, distance: int) -> bool:
    """Somewhere the two stand with at most `distance` tokens between them."""
    line = document.line
    if f" {left} " not in line or f" {right} " not in line:
        return False
    last = {left: -1, right: -1}
    for position, surface in enumerate(document.surfaces):
        if surface in last:
            other = last[right if surface == left else left]
            if other >= 0 and position - other - 1 <= distance:
                return True
            last[surface] = position
    return False


def _known(field: str) -> None:
    if field not in FIELDS:
        raise ValueError(f"a query asks for the field {field!r}: there is none of that name in query/fields.py")


def _any_value(field: str, values: Iterable[str]) -> Predicate:
    _known(field)
    wanted = frozenset(values)
    if len(wanted) == 1:
        (only,) = wanted
        return lambda document: (found := document[field]) is not None and only in found  # type: ignore[operator]
    apart = wanted.isdisjoint
    return lambda document: (found := document[field]) is not None and not apart(found)  # type: ignore[arg-type]


def _same(field: str, value: float | bool) -> Predicate:
    _known(field)
    return lambda document: document[field] == value


def _starts(field: str, start: str) -> Predicate:
    _known(field)

    def holds(document: Document) -> bool:
        found = document[field]
        return isinstance(found, tuple) and any(value.startswith(start) for value in found)

    return holds


def _between(node: Between) -> Predicate:
    _known(node.field)
    field, low, high, with_low, with_high = node.field, node.low, node.high, node.with_low, node.with_high
    if high is None and low is not None and with_low:
        return lambda document: (found := document[field]) is not None and found >= low  # type: ignore[operator]

    def holds(document: Document) -> bool:
        found = document[field]
        if found is None or isinstance(found, tuple):
            return False
        if low is not None and not (found >= low if with_low else found > low):
            return False
        return high is None or (found <= high if with_high else found < high)

    return holds
