"""The SQL reading of a query: an expression of the inverted index and a condition on the columns of `mention`.

All that tokens can say goes into the expression, which FTS5 answers in order of time without touching a row. A
condition never is NULL: a comparison on a missing value is 0, so that its negation is 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from index.schema import FARTHEST, first_number
from index.terms import (
    AS_COLUMNS,
    ASIDE,
    ASKED_FOR,
    EVERY,
    FACT,
    PRIVATE,
    SAMPLE,
    fact,
    has,
    stem_token,
    tenth,
    within,
)
from query.text import stems
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from stream.ports import AccessScope
from stream.records import MOST_STARS, Millis

NOTHING = f'"{FACT}nothing"'

COLUMNS = {field: f'm."{field}"' for field in ("risk", *sorted(AS_COLUMNS))}
"""Fields that stand in a column of `mention`."""
LEVELS = {"detractor": range(4), "rating": range(MOST_STARS + 1)}
"""Numbers that are few, by field: each is a token."""


class Expression(NamedTuple):
    """Every part of `yes` matches and none of `no`; each part is an FTS5 expression that may be put in brackets."""

    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()

    def __str__(self) -> str:
        wanted = " AND ".join(f"({part})" for part in self.yes) if self.yes else _quoted(EVERY)
        if not self.no:
            return wanted
        return f"({wanted}) NOT ({_any(self.no)})"

    def __bool__(self) -> bool:
        return bool(self.yes or self.no)

    def also(self, other: Expression) -> Expression:
        return Expression(tuple(dict.fromkeys(self.yes + other.yes)), tuple(dict.fromkeys(self.no + other.no)))


class Reading(NamedTuple):
    """A mention is meant when the expression matches and the condition holds; an empty one always does."""

    match: Expression = Expression()
    where: str = ""
    values: tuple[Any, ...] = ()
    low: int | None = None
    high: int | None = None
    """Numbers [low, high) outside which no mention is meant: what the query says about time."""

    def condition(self) -> tuple[str, tuple[Any, ...]]:
        """All of it as a condition on `m`."""
        parts, values = [], []
        if self.match:
            parts.append("m.n IN (SELECT rowid FROM hits WHERE hits MATCH ?)")
            values.append(str(self.match))
        if self.where:
            parts.append(f"({self.where})")
            values += self.values
        return " AND ".join(parts) or "1", tuple(values)


def read(query: Node, scope: AccessScope, *, drift: int = 0) -> Reading:
    """What `query` means to somebody who may see `scope`.

    `drift`: milliseconds by which a number may run ahead of its mention's time (see index.numbers).
    """
    spans, rest = apart(query)
    low, high = bounds(spans)
    found = _read(And((*spans, *rest)) if drift else And(rest))
    return found._replace(
        match=found.match.also(visible(scope)),
        low=None if low is None else first_number(low),
        high=None if high is None else first_number(high + drift),
    )


def sampled(reading: Reading) -> Reading:
    """The part of it that one mention in SAMPLE_RATE stands for."""
    return reading._replace(match=reading.match.also(Expression((_quoted(SAMPLE),))))


def without_aside(reading: Reading) -> Reading:
    """Without the mentions that are set aside."""
    return reading._replace(match=reading.match.also(Expression(no=(_quoted(ASIDE),))))


def visible(scope: AccessScope) -> Expression:
    """The expression of what may be seen; empty where that is all."""
    found = Expression()
    if scope.brands is not None:
        found = found.also(Expression((_one_of("brand", scope.brands),)))
    if scope.queues is not None:
        found = found.also(Expression((_one_of("queue", scope.queues),)))
    if scope.access is not None:
        private = [_quoted(within(label)) for label in sorted(scope.access - {"public"})]
        if "public" not in scope.access:
            found = found.also(Expression((_any(tuple(private)) if private else NOTHING,)))
        elif private:
            found = found.also(Expression(no=(f"{_quoted(PRIVATE)} NOT ({_any(tuple(private))})",)))
        else:
            found = found.also(Expression(no=(_quoted(PRIVATE),)))
    return found


def _read(node: Node) -> Reading:
    match node:
        case All():
            return Reading()
        case And(parts):
            return _all([_read(part) for part in parts])
        case Or(parts):
            return _either([_read(part) for part in parts])
        case Not(part):
            return _negation(_read(part))
        case Word(surface):
            return _words(_word(surface))
        case Phrase(surfaces):
            return _words(_phrase(surfaces))
        case Near(left, right, distance):
            return _words(f"NEAR({_quoted(left)} {_quoted(right)}, {distance})")
        case Prefix(start):
            return _words(f"{_quoted(start)}*")
        case Equals(field, value):
            return _equals(field, value)
        case StartsWith(field, start):
            return _words(f"{_quoted(fact(field, start))}*")
        case Between():
            return _between(node)
        case Has(field):
            return _has(field)


def _words(expression: str) -> Reading:
    return Reading(Expression((expression,)))


def _word(surface: str) -> str:
    """Any token that shares a stem with it: as a stem token, or as a surface that is its own stem."""
    found = [_quoted(stem_token(stem)) for stem in stems(surface)]
    found += [_quoted(stem) for stem in stems(surface) if stem in stems(stem)]
    return _any(tuple(found))


def _phrase(surfaces: tuple[str, ...]) -> str:
    return " + ".join(_quoted(surface) for surface in surfaces) if surfaces else NOTHING


def _equals(field: str, value: str | float | bool) -> Reading:
    if field in COLUMNS and not isinstance(value, str):
        reading = Reading(where=f"{COLUMNS[field]} IS ?", values=(value,))
        return reading._replace(match=Expression((_quoted(tenth(value)),))) if field == "risk" else reading
    if isinstance(value, str):
        return _words(_quoted(fact(field, value)))
    if value != int(value):
        return _words(NOTHING)
    return _words(_quoted(fact(field, str(int(value)))))


def _between(node: Between) -> Reading:
    if node.field in LEVELS:
        levels = [_quoted(fact(node.field, str(level))) for level in LEVELS[node.field] if _inside(level, node)]
        return _words(_any(tuple(levels)) if levels else NOTHING)
    column, parts = COLUMNS[node.field], []
    values: list[float] = []
    if node.low is not None:
        parts.append(f"{column} {'>=' if node.with_low else '>'} ?")
        values.append(node.low)
    if node.high is not None:
        parts.append(f"{column} {'<=' if node.with_high else '<'} ?")
        values.append(node.high)
    where = " AND ".join([f"{column} IS NOT NULL", *parts])
    return Reading(_risk_cover(node) if node.field == "risk" else Expression(), where, tuple(values))


def _risk_cover(node: Between) -> Expression:
    low = 0 if node.low is None else max(0, min(10, int(node.low // 10)))
    high = 10 if node.high is None else max(0, min(10, int(node.high // 10)))
    return Expression((_any(tuple(_quoted(tenth(10 * ten)) for ten in range(low, high + 1))) or NOTHING,))


def _has(field: str) -> Reading:
    if field == "risk":
        return _between(Between("risk"))
    if field in COLUMNS:
        return Reading(where=f"{COLUMNS[field]} IS NOT NULL")
    if field in ASKED_FOR:
        return _words(_quoted(has(field)))
    return _words(f"{_quoted(fact(field, ''))}*")


def _all(parts: list[Reading]) -> Reading:
    match, where = Expression(), []
    values: list[Any] = []
    for part in parts:
        match = match.also(part.match)
        if part.where:
            where.append(part.where)
            values += part.values
    return Reading(match, _joined(where, "AND") if where else "", tuple(values))


def _either(parts: list[Reading]) -> Reading:
    if any(not part.match and not part.where for part in parts):
        return Reading()
    cover = (
        Expression((_any(tuple(str(part.match) for part in parts)),)) if all(p.match for p in parts) else Expression()
    )
    if not any(part.where for part in parts):
        return Reading(cover)
    conditions = [part.condition() for part in parts]
    values = tuple(value for _, found in conditions for value in found)
    return Reading(cover, _joined([condition for condition, _ in conditions], "OR"), values)


def _negation(part: Reading) -> Reading:
    if part.where:
        condition, values = part.condition()
        return Reading(where=f"NOT ({condition})", values=values)
    if not part.match:
        return _words(NOTHING)
    yes, no = part.match
    if not yes:
        return _words(_any(no))
    return Reading(Expression(no=(yes[0] if len(yes) == 1 and not no else str(part.match),)))


def apart(query: Node) -> tuple[tuple[Between, ...], tuple[Node, ...]]:
    """The bounds on time that every mention meant keeps, and the rest of the query."""
    if isinstance(query, And):
        found = [apart(part) for part in query.parts]
        return tuple(span for spans, _ in found for span in spans), tuple(node for _, rest in found for node in rest)
    if isinstance(query, Between) and query.field == "created":
        return (query,), ()
    return (), (query,)


def bounds(spans: Sequence[Between]) -> tuple[Millis | None, Millis | None]:
    """[low, high) of the times that lie within all of them."""
    lows = [_first(span.low, with_it=span.with_low) for span in spans if span.low is not None]
    highs = [_first(span.high, with_it=not span.with_high) for span in spans if span.high is not None]
    return max(lows, default=None), min(highs, default=None)


def _first(bound: float, *, with_it: bool) -> Millis:
    """The first millisecond at `bound` or later; `with_it` false: later than it."""
    bound = max(-FARTHEST, min(FARTHEST, bound))
    return math.ceil(bound) if with_it else math.floor(bound) + 1


def _inside(value: int, node: Between) -> bool:
    above = node.low is None or (value >= node.low if node.with_low else value > node.low)
    below = node.high is None or (value <= node.high if node.with_high else value < node.high)
    return above and below


def _one_of(field: str, values: frozenset[str]) -> str:
    return _any(tuple(_quoted(fact(field, value)) for value in sorted(values))) if values else NOTHING


def _any(parts: tuple[str, ...]) -> str:
    return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)


def _joined(parts: list[str], by: str) -> str:
    return parts[0] if len(parts) == 1 else f" {by} ".join(f"({part})" for part in parts)


def _quoted(token: str) -> str:
    # FTS5 folds ASCII case, tokens are folded already: a capital letter can only mean what no mention has.
    if any("A" <= letter <= "Z" for letter in token) or not token.strip("\x00 "):
        return NOTHING
    return '"' + token.replace('"', '""') + '"'
