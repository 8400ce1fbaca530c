"""Opens the embedded log for the contract's tests, in whatever process."""

from __future__ import annotations

from pathlib import Path

from stream.clock import WallClock
from stream.embedded import EmbeddedLog, LogSettings
from stream.ports import Log, TopicSpec
from stream.retention import sweep

SESSION = 600
"""Milliseconds; short, so that a member that stands still is soon taken for dead."""


def open_embedded(path: str) -> EmbeddedLog:
    return EmbeddedLog(Path(path), WallClock(), LogSettings(session=SESSION, rebalance=50))


class EmbeddedPlace:
    opener = "embedded_place:open_embedded"

    def __init__(self, path: Path) -> None:
        self.argument = str(path)

    def open(self) -> EmbeddedLog:
        return open_embedded(self.argument)

    def remove_all(self, log: Log, topic: str) -> None:
        assert isinstance(log, EmbeddedLog)
        log.ensure([TopicSpec(topic, log.partitions(topic), 0)])
        sweep(log, log.clock.now() + 1)
