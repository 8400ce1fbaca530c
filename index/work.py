"""The index stage: decided mentions into the store, offsets with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from index.embedded import EmbeddedStore
from stream.ports import DECIDED, Append, Commit, LogRecord, Refused
from stream.records import Decided, Millis, decode


class IndexWork:
    """A `stream.ports.Work` whose effects and offsets are one transaction of the store."""

    name = "index"
    topic = DECIDED
    group = "index"
    owns_offsets = True

    def __init__(self, store: EmbeddedStore, epoch: str) -> None:
        """`epoch` is `Log.epoch()` of the log that the records come from."""
        self._store, self._epoch = store, epoch

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> Sequence[Append]:
        """Nothing to append. Raises Refused, before any effect, for all records that are not Decided; UnknownMajor,
        OffsetConflict, OffsetOutside, Transient, IndexUnusable as they come."""
        self._store.apply(_decoded(records), commits, self._epoch, now)
        return ()

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        return self._store.offsets(self.topic, partitions, epoch)

    def idle(self, now: Millis) -> None:
        self._store.idle(now)

    def close(self) -> None:
        self._store.close()


def _decoded(records: Sequence[LogRecord]) -> list[Decided]:
    decided: list[Decided] = []
    refused: list[tuple[LogRecord, str, str]] = []
    for record in records:
        try:
            decided.append(decode(Decided, record.value))
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((record, f"not a decided mention: {error}", type(error).__name__))
    if refused:
        raise Refused(refused)
    return decided
