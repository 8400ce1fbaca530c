"""Keeps the embedded store for the contract's tests."""

from __future__ import annotations

import itertools
from pathlib import Path

from index.embedded import EmbeddedStore
from index.port import IndexStore
from stream.clock import Clock, ManualClock
from tests.index.made import NOW

_numbers = itertools.count()


class EmbeddedPlace:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"index{next(_numbers)}" / "index.db"
        self._path.parent.mkdir()

    def open(self, clock: Clock | None = None) -> EmbeddedStore:
        return EmbeddedStore(self._path, clock or ManualClock(NOW))

    def settle(self, store: IndexStore) -> None:
        """A transaction that has ended is found at once."""

    def fresh(self) -> EmbeddedPlace:
        return EmbeddedPlace(self._folder)
