"""What stands before the offsets while rebuilt indices are put in place: enough for anybody to end that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from stream.ports import Transient
from stream.records import Millis


class Fence(NamedTuple):
    """A rebuild whose new indices are whole, and how it ends."""

    generation: str
    """Of the new indices."""
    indices: tuple[str, ...]
    """Their names."""
    epoch: str
    """Of the log that `offsets` are of."""
    offsets: tuple[tuple[str, int, int], ...]
    """(topic, partition, next): where the indexer goes on from."""
    at: Millis
    """When it was put up, by the wall clock."""

    @property
    def by_partition(self) -> Mapping[tuple[str, int], int]:
        return {(topic, partition): following for topic, partition, following in self.offsets}

    def plain(self) -> dict[str, Any]:
        return {**self._asdict(), "offsets": [list(each) for each in self.offsets]}

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self | None:
        """The one that stands beside the log's epoch; None where there is none."""
        found = value.get("fence")
        if found is None:
            return None
        offsets = tuple((topic, partition, following) for topic, partition, following in found["offsets"])
        return cls(found["generation"], tuple(found["indices"]), found["epoch"], offsets, found["at"])


class Fenced(Transient):
    """No offset can be moved before `fence` is gone."""

    def __init__(self, where: str, fence: Fence) -> None:
        super().__init__(
            f"{where}: rebuilt indices are being put in place; it is tried again. Where the rebuild was cut short, the "
            "first indexer that notices ends it, or `clamor reindex` does"
        )
        self.fence = fence
