"""Which things of a list that is read again and again were told of, and in which state, as long as the process lives.

`ingest.told` keeps the same in the source's notes. What is forgotten is told of twice, and is one post.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from ingest.collector import Draft
from ingest.told import changed, state

MOST = 100_000


class Item(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def draft(self) -> Draft | None:
        """None: it says nothing that could be read."""


T = TypeVar("T", bound=Item)


class Remembered:
    """For one thread."""

    def __init__(self, most: int = MOST) -> None:
        """`most`: that many, those that were seen last."""
        self._most = most
        self._known: dict[str, str] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._known

    def news(
        self, found: Iterable[T], first: Callable[[T], Draft | None], reach: Callable[[T], bool]
    ) -> tuple[list[Draft], dict[str, str]]:
        """(what to tell, what is to be noted once that is taken: until then it may have to be told once more).
        `first`: what is told of one that is not known; `reach`: whether it is told where nothing but that changed."""
        drafts, states = list[Draft](), dict[str, str]()
        for one in found:
            if one.draft is None:
                continue
            known, now = states.get(one.id) or self._known.get(one.id), state(one.draft)
            told = first(one) if known is None else changed(one.draft, known, now)
            if known is not None and told is not None and told.kind == "metrics" and not reach(one):
                states[one.id] = known
                continue
            states[one.id] = now
            drafts += [told] if told is not None else []
        return drafts, states

    def note(self, states: Mapping[str, str]) -> None:
        """They were taken."""
        for id, now in states.items():
            self._known.pop(id, None)
            self._known[id] = now
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
