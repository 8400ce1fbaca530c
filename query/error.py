"""What is wrong with a query, where, and what would work."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from unicodedata import combining, east_asian_width

SHOWN = 72
"""Characters of a query that are shown around the place."""
LONGEST = 40
"""Characters of a piece that a message repeats."""


class QueryError(ValueError):
    """A query that cannot be read.

    `message` says what is wrong, `query[start:end]` is the `piece` that is, `hint` is what would work (may be empty).
    """

    def __init__(self, message: str, query: str, start: int, end: int, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.query = query
        self.start = max(0, min(start, len(query)))
        self.end = max(self.start, min(end, len(query)))
        self.hint = hint

    @property
    def piece(self) -> str:
        return self.query[self.start : self.end]

    def render(self) -> str:
        """Up to four lines: the message, the query around the place, a caret below the place, the hint."""
        first = max(0, min(self.start - SHOWN // 3, len(self.query) - SHOWN))
        shown = "".join(letter if letter.isprintable() else " " for letter in self.query[first : first + SHOWN])
        before, after = "…" if first else "", "…" if first + SHOWN < len(self.query) else ""
        here = shown[self.start - first : self.end - first]
        caret = " " * _columns(before + shown[: self.start - first]) + "^" * max(1, _columns(here))
        lines = [self.message, f"  {before}{shown}{after}", f"  {caret}", self.hint]
        return "\n".join(line for line in lines if line)


def _columns(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def in_quotes(piece: str) -> str:
    return f'"{short(piece)}"'


def short(piece: str) -> str:
    """A piece of a query as a message repeats it: short, on one line."""
    piece = "".join(letter if letter.isprintable() else " " for letter in piece[: LONGEST + 1])
    return piece if len(piece) <= LONGEST else f"{piece[: LONGEST - 1]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the nearest of the known words; empty where none is near."""
    words = list(dict.fromkeys(known))
    begun = [other for other in words if len(word) > 2 and other.startswith(word)]
    near = list(dict.fromkeys(begun + get_close_matches(word, words, n=2, cutoff=0.6)))[:2]
    return f"Did you mean {' or '.join(near)}?" if near else ""
