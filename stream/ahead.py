"""Reads on from where a group stands and leaves its offsets alone: for what may not wait until the group goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from stream.ports import Log, LogRecord

AT_ONCE = 500
"""Records of a partition that are looked at in one step."""


class Seen(NamedTuple):
    wanted: list[LogRecord]
    """In the order of their partitions."""
    ends: dict[int, int]
    """Per partition: the offset behind what was looked at."""
    more: bool
    """There may be more to look at now."""


class Ahead:
    """Looks through what waits for a group on one topic, each record once; what it gives out, the group still does.

    How far it has looked is remembered in this process only: another one looks again from where the group stands, so
    what is done with the records must do no harm when it is done twice, nor when the group does it once more.
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        stands: Callable[[], Mapping[int, int]],
        wanted: Callable[[bytes], bool],
        at_once: int = AT_ONCE,
    ) -> None:
        """`stands` gives the group's offset by partition (none: it has done nothing there yet)."""
        self._log, self._topic, self._stands, self._wanted = log, topic, stands, wanted
        self._at_once = at_once
        self._looked: dict[int, int] = {}

    def look(self) -> Seen:
        """The next ones. They come again until `done` has heard of them. Raises what the log raises."""
        stands = self._stands()
        found = Seen([], {}, more=False)
        for partition in range(self._log.partitions(self._topic)):
            start = max(stands.get(partition, 0), self._looked.get(partition, 0))
            records = self._log.read(self._topic, partition, start, self._at_once)
            if records:
                found.wanted.extend(record for record in records if self._wanted(record.value))
                found.ends[partition] = records[-1].offset + 1
        return found._replace(more=bool(found.ends))

    def done(self, seen: Seen) -> None:
        """What was wanted of it is durable."""
        self._looked |= seen.ends
