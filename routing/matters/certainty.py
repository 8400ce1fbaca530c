"""How certain it is that two cases are one matter: odds that evidence multiplies, on a logarithmic scale.

Fellegi and Sunter (1969), as record linkage does it: a prior, then for each thing that the two have in common the
logarithm of how much more often pairs that are one matter have it in common than pairs that are not. What hangs
together (several words of one event) does not count twice. `bench.matters` says what each weight was measured on.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log

import msgspec

from routing.matters.marks import Kind
from stream.clock import DAY, HOUR
from stream.records import Millis

WINDOW: Millis = 14 * DAY
"""Posts that lie further apart are not compared."""
PRIOR = -3.0
"""Of a thousand pairs of cases of a brand within the window, one is one matter."""
TIME: tuple[tuple[Millis, float], ...] = ((6 * HOUR, 1.0), (DAY, 0.6), (3 * DAY, 0.0), (7 * DAY, -0.5), (WINDOW, -1.0))
"""What is one matter is mostly said at one time."""
COPY_LONG, COPY_SHORT, LONG = 4.2, 3.2, 12
"""Near copies, from so many words on, and shorter ones."""
LINK, LINK_OLD = 3.0, 1.0
"""The same page; one that was shared more than OLD before says that it is always shared."""
OLD: Millis = 3 * DAY
AUTHOR = 3.0
HANDLE, HANDLE_LONG, HANDLE_FIGURES, SAME_NAME, OTHER_NAME = 1.8, 0.4, 0.4, 0.8, -1.0
"""A handle on another network: longer ones and those with figures are rarer; who shows another name may be a
namesake."""
LONG_HANDLE = 8
TERM = {"code": 2.5, "tag": 1.5, "name": 1.2}
TERM_OLD = 0.3
MOST_TERMS = 3.0
OTHER_WISH = -0.5
"""One asks to buy, the other complains."""
NO_TWO = 0.9999
"""Nothing is certain."""


class Shared(msgspec.Struct, frozen=True):
    """One thing that two posts have in common."""

    kind: Kind
    old: bool = False
    """It was about more than OLD before the first of the two."""


class Compared(msgspec.Struct, frozen=True):
    """Two posts of two cases."""

    apart: Millis
    shared: tuple[Shared, ...]
    words: int = 0
    """Of the shorter text."""
    handle: str = ""
    """The shared one."""
    same_name: bool | None = None
    """Whether both show the same name; None: one shows none, or only its handle."""
    same_wish: bool = True


class Term(msgspec.Struct, frozen=True):
    kind: str
    """`time`, `copy`, `link`, `author`, `handle`, `event`, `wish`."""
    weight: float


def certainty(compared: Compared) -> tuple[float, tuple[Term, ...]]:
    """(probability that it is one matter, what speaks for it and against it). 0 beyond the window."""
    time = next((weight for within, weight in TIME if compared.apart <= within), None)
    if time is None:
        return 0.0, ()
    terms = [Term("time", time)]
    kinds = {one.kind for one in compared.shared}
    if "copy" in kinds:
        terms.append(Term("copy", COPY_LONG if compared.words >= LONG else COPY_SHORT))
    links = [LINK_OLD if one.old else LINK for one in compared.shared if one.kind == "link"]
    if links:
        terms.append(Term("link", max(links)))
    if "author" in kinds:
        terms.append(Term("author", AUTHOR))
    elif "handle" in kinds:
        terms.append(Term("handle", _handle(compared)))
    words = _together(TERM_OLD if one.old else TERM[one.kind] for one in compared.shared if one.kind in TERM)
    if words:
        terms.append(Term("event", words))
    if not compared.same_wish:
        terms.append(Term("wish", OTHER_WISH))
    odds = PRIOR + sum(one.weight for one in terms)
    return min(1.0 / (1.0 + exp(-odds * log(10.0))), NO_TWO), tuple(terms)


def _handle(compared: Compared) -> float:
    weight = HANDLE + HANDLE_LONG * (len(compared.handle) >= LONG_HANDLE)
    weight += HANDLE_FIGURES * any(sign.isdigit() or sign == "_" for sign in compared.handle)
    if compared.same_name is None:
        return weight
    return weight + (SAME_NAME if compared.same_name else OTHER_NAME)


def _together(weights: Iterable[float]) -> float:
    """The strongest whole, each further one half as much as the one before: words of one event come together."""
    found = sorted(weights, reverse=True)
    return min(sum(weight * 0.5**place for place, weight in enumerate(found)), MOST_TERMS)
