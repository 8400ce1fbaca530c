"""The index stage: decided mentions into the store, offsets with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from index.port import IndexStore
from index.refusals import NotIndexed
from stream.ports import DECIDED, Append, Commit, LogRecord, Refused
from stream.records import Decided, Millis, decode


class IndexWork:
    """A `stream.ports.Work` whose effects and offsets are the store's: one transaction, or the offsets after them."""

    name = "index"
    topic = DECIDED
    group = "index"
    owns_offsets = True

    def __init__(self, store: IndexStore, epoch: str) -> None:
        """`epoch` is `Log.epoch()` of the log that the records come from."""
        self._store, self._epoch = store, epoch

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> Sequence[Append]:
        """Nothing to append. Raises Refused, before any effect, for all records that are not Decided, and, with the
        offsets where they were, for those that the store cannot take; UnknownMajor, OffsetConflict, OffsetOutside,
        Transient, IndexUnusable as they come."""
        decided = _decoded(records)
        try:
            self._store.apply(decided, commits, self._epoch, now)
        except NotIndexed as error:
            raise Refused(_records_of(error, records, decided)) from None
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


def _records_of(
    error: NotIndexed, records: Sequence[LogRecord], decided: Sequence[Decided]
) -> list[tuple[LogRecord, str, str]]:
    """The records that hold what was refused. What the batch holds of the same mentions beside is taken without it."""
    reasons = {(each.mention_id, each.revision): each for each in error.refusals}
    found = []
    for record, each in zip(records, decided, strict=True):
        refusal = reasons.get((each.mention.id, each.mention.revision))
        if refusal is not None:
            found.append((record, refusal.reason, refusal.error))
    return found
