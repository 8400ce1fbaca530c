"""What the program asks of its store beyond what every room may ask: to be kept in order, rebuilt and told about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from index.erasure import Erasing
from index.standing import Standing
from stream.clock import HOUR
from stream.latency import Latency
from stream.ports import Store
from stream.records import Decided, Millis


class IndexStore(Store, Protocol):
    """The embedded store, or the one on Elasticsearch."""

    def idle(self, now: Millis) -> None:
        """Between batches: what can be done in a moment."""

    def standing(self) -> Standing:
        """What is stored of the log's offsets, whatever log they are of."""

    def adopt(self, epoch: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Go on at `offsets` of the log `epoch`, while no indexer runs."""

    def erase_step(self, now: Millis) -> bool:
        """A step of taking erased texts off the disk; true where there is more to do."""

    def rebuild(
        self, decided: Iterable[Decided], epoch: str, offsets: Mapping[tuple[str, int], int] | None = None
    ) -> int:
        """Build the index anew while searches go on in the old one. `offsets`, by (topic, partition) of the log
        `epoch`: where the indexer goes on from, taken before the first of `decided` is read."""

    def size(self) -> int:
        """Bytes that it takes, wherever it is kept."""

    def latency(self, now: Millis, span: Millis = HOUR) -> Latency: ...

    def hidden(self, now: Millis, span: Millis = HOUR) -> Latency: ...

    def erasing(self) -> Erasing: ...
