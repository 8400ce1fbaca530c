"""What a brand is called: in how many questions a search by words asks for it, and whether a text names it."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.wanted import Wanted
from query.text import analyse, spellings

LONGEST_QUERY = 400


class Names:
    """What a brand is called, as far as a search can ask for it."""

    def __init__(self, wanted: Wanted) -> None:
        signs = (name.lstrip("@#") for name in (*wanted.handles, *wanted.hashtags))
        named = dict.fromkeys(" ".join(name.replace('"', " ").split()) for name in (*wanted.phrases, *signs))
        names = [name for name in named if name and len(name) <= LONGEST_QUERY]
        self._sequences = [found for name in names for found in spellings(name)]
        self.queries = [f'"{name}"' for name in names if not self._covered(name, names)]
        """One a name; not those in which another name stands, since that one finds them."""

    def times(self, surfaces: Sequence[str]) -> int:
        """How often they stand there, in whatever spelling."""
        return sum(_count(sequence, surfaces) for sequence in self._sequences)

    def hold(self, surfaces: Sequence[str]) -> bool:
        """Whether any of them stands there."""
        return any(_within(sequence, surfaces) for sequence in self._sequences)

    def _covered(self, name: str, names: Sequence[str]) -> bool:
        words = analyse(name).surfaces
        others = [(other, analyse(other).surfaces) for other in names[: names.index(name)]]
        others += [(other, found) for other in names if len(found := analyse(other).surfaces) < len(words)]
        return any(found and _within(found, words) for _, found in others)


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    return _count(part, whole) > 0


def _count(part: Sequence[str], whole: Sequence[str]) -> int:
    sought, size = tuple(part), len(part)
    return sum(tuple(whole[at : at + size]) == sought for at, word in enumerate(whole) if word == sought[0])
