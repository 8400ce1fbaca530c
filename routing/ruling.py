"""Which of several queries is the first that is true of a mention, and what had to be asked to know it.

Comparisons with labels and numbers are answered all at once. They tell of each query that it is true, that it is false,
or that the text decides; the text is asked for the last ones alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from query.document import Document
from query.predicate import compile_predicate, leaves
from query.tree import And, Node, Not, Or
from query.unparse import unparse
from routing.bits import bits, reads_text
from routing.truths import Parts, Truths

MOST_KEPT = 20_000
"""Plans that are kept; then they are made anew."""


class Ruling(NamedTuple):
    place: int | None
    """Of the first query that is true; None: none is."""
    facts: dict[str, bool]
    """Truth of each part of that query."""
    record: str
    """Truth of each part that had to be asked of it and of those before it: see routing.truths."""


class _Plan(NamedTuple):
    """What the comparisons leave open."""

    candidates: tuple[int, ...]
    """Places of queries that the text decides, before the first that is surely true."""
    sure: int | None
    ruling: Ruling | None
    """Where the text is not asked."""


_Holds: TypeAlias = Callable[[int, int], bool]
"""Whether a query holds, by the bits of the parts that are true (or may be) and of those that are false (or may be)."""


class Rulings:
    """Not for several threads at once."""

    def __init__(self, queries: Sequence[Node]) -> None:
        self.parts = Parts(queries)
        bit = self.parts.bit
        self._holds = [_compiled(query, bit) for query in queries]
        self._facts = [[(unparse(leaf), bit[leaf]) for leaf in dict.fromkeys(leaves(query))] for query in queries]
        plain = {leaf: one for leaf, one in bit.items() if not reads_text(leaf)}
        self._plain = sum(plain.values())
        self._bits = bits(plain)
        self._texts = [
            [(compile_predicate(leaf), bit[leaf]) for leaf in dict.fromkeys(leaves(query)) if reads_text(leaf)]
            for query in queries
        ]
        self._upto = _sums([self._all(place) for place in range(len(queries))])
        self._plans: dict[int, _Plan] = {}

    def first(self, document: Document) -> Ruling:
        true = self._bits(document)
        plan = self._plans.get(true)
        if plan is None:
            if len(self._plans) >= MOST_KEPT:
                self._plans.clear()
            plan = self._plans[true] = self._planned(true)
        return plan.ruling or self._read(document, plan, true)

    def replayed(self, record: str) -> Ruling | None:
        """The ruling that a record tells of, where it tells enough; else None. Raises routing.truths.Unreadable."""
        asked, true = self.parts.read(record)
        unasked = ~asked
        for place, holds in enumerate(self._holds):
            if holds(true | unasked, ~true):
                if not holds(true, asked & ~true) or self._all(place) & unasked:
                    return None
                return self._ruling(place, asked, true)
        return Ruling(None, {}, record)

    def partly(self, document: Document, unknown: int, known: int, true: int) -> Ruling | None:
        """The ruling where the parts with the bits `unknown` cannot be asked; None where they decide. `known`: others
        that cannot be asked either; those of them that are `true` hold."""
        found = (self._bits(document) & ~unknown & ~known) | (true & known)
        false = ~found & ~unknown
        for place, holds in enumerate(self._holds):
            if holds(found | unknown, false | unknown):
                if not holds(found, false):
                    return None
                return self._ruling(place, ~unknown & self._upto[-1], found)
        return self._ruling(None, ~unknown & self._upto[-1], found)

    def _planned(self, true: int) -> _Plan:
        candidates = []
        false, text = self._plain & ~true, ~self._plain
        for place, holds in enumerate(self._holds):
            if not holds(true | text, false | text):
                continue
            if self._texts[place]:
                candidates.append(place)
            if not self._texts[place] or holds(true, false):
                ruling = None if candidates else self._ruling(place, self._plain, true)
                return _Plan(tuple(candidates), place, ruling)
        return _Plan(tuple(candidates), None, None if candidates else self._ruling(None, self._plain, true))

    def _read(self, document: Document, plan: _Plan, true: int) -> Ruling:
        asked = self._plain
        for place in plan.candidates:
            for holds, bit in self._texts[place]:
                if not asked & bit:
                    asked |= bit
                    if holds(document):
                        true |= bit
            if self._holds[place](true, asked & ~true):
                return self._ruling(place, asked, true)
        return self._ruling(plan.sure, asked, true)

    def _ruling(self, place: int | None, asked: int, true: int) -> Ruling:
        asked &= self._upto[-1 if place is None else place]
        facts = {} if place is None else {text: bool(true & bit) for text, bit in self._facts[place]}
        return Ruling(place, facts, self.parts.written(Truths(asked, true & asked)))

    def _all(self, place: int) -> int:
        return sum(bit for _, bit in self._facts[place])


def _compiled(query: Node, bit: dict[Node, int], *, turned: bool = False) -> _Holds:
    """`turned`: of the query's contrary."""
    match query:
        case Not(part):
            return _compiled(part, bit, turned=not turned)
        case And(parts) | Or(parts):
            together = isinstance(query, And) != turned
            true, false, rest = 0, 0, []
            for part in parts:
                inner, contrary = (part.part, not turned) if isinstance(part, Not) else (part, turned)
                if isinstance(inner, And | Or | Not):
                    rest.append(_compiled(inner, bit, turned=contrary))
                elif contrary:
                    false |= bit[inner]
                else:
                    true |= bit[inner]
            return _every(true, false, rest) if together else _some(true, false, rest)
        case _:
            return _every(0, bit[query], []) if turned else _every(bit[query], 0, [])


def _every(true: int, false: int, rest: list[_Holds]) -> _Holds:
    if not rest:
        return lambda yes, no: yes & true == true and no & false == false

    def holds(yes: int, no: int) -> bool:
        return yes & true == true and no & false == false and all(one(yes, no) for one in rest)

    return holds


def _some(true: int, false: int, rest: list[_Holds]) -> _Holds:
    if not rest:
        return lambda yes, no: bool(yes & true or no & false)

    def holds(yes: int, no: int) -> bool:
        return bool(yes & true or no & false) or any(one(yes, no) for one in rest)

    return holds


def _sums(masks: list[int]) -> list[int]:
    """Bits of each query and of those before it; the last: of all."""
    found, so_far = [], 0
    for mask in masks:
        so_far |= mask
        found.append(so_far)
    return found or [0]
