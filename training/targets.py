"""Finds in a labelled row the brand that it was labelled for, as serving finds it, and marks it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from config.brands import Brand
from nlp.brands import BrandMatcher
from nlp.normalise import Span, marked
from query.text import analyse
from training.corpus import Row

_handle = re.compile(r"@\w+")
_UNNAMED = "?"
_FIRST_HANDLE = "@mention"


class Targets:
    """The brands of all rows. Of a list the first is the target; other brands of the same set are other brands."""

    def __init__(self, rows: Sequence[Row]) -> None:
        names = sorted({name for row in rows for name in _names(row)})
        self._number = {name: number for number, name in enumerate(names)}
        self._matcher = BrandMatcher([_brand(number, name) for number, name in enumerate(names)])
        self._of_set: dict[str, set[int]] = {}
        for row in rows:
            if row.set != "synthetic":
                self._of_set.setdefault(row.set, set()).update(self._number[name] for name in _names(row))

    def spans(self, row: Row) -> tuple[list[Span], list[Span]]:
        """Where the row names its target, and where other known brands."""
        found = self._matcher.find(analyse(row.text))
        names = _names(row)
        mine = self._number[names[0]] if names else -1
        others = self._of_set.get(row.set, set()) | {self._number[name] for name in names[1:]}
        beside = [span for number, spans in found.items() if number != mine and number in others for span in spans]
        return found.get(mine, []), beside

    def marked(self, row: Row) -> str:
        """The normal form of the row's text, its target and other known brands marked."""
        return marked(row.text, *self.spans(row))


def _names(row: Row) -> list[str]:
    names = [name.strip() for name in row.brand.split(",") if name.strip() and name.strip() != _UNNAMED]
    if names and names[0] == _FIRST_HANDLE:
        found = _handle.search(row.text)
        return [found[0]] if found else []
    return names


def _brand(number: int, name: str) -> Brand:
    """People write a name of several words joined, as a handle or hashtag, and without its first word."""
    words = name.lstrip("@#").split()
    aliases = {"".join(words)}
    if len(words) > 2:
        aliases |= {" ".join(words[1:]), "".join(words[1:])}
    return Brand(id=f"b{number}", name=name, aliases=tuple(sorted(aliases)))
