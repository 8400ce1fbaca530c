"""What a process without a stage of its own says of itself beside the stages: that it is there."""

from __future__ import annotations

from contextlib import suppress

from clamor.opening import Opened
from stream.clock import SECOND
from stream.process import here, this_process
from stream.records import Millis
from stream.status import StageState, StageStatus


class Presence:
    """In the folder of the stages' statuses, every second."""

    def __init__(self, opened: Opened, name: str) -> None:
        self._name = name
        self._clock, self._publish = opened.clock, opened.statuses.write
        self._pid, self._started = this_process()
        self._began = opened.clock.steady()
        self._said_at: Millis | None = None

    def serving(self) -> None:
        steady = self._clock.steady()
        if self._said_at is None or steady - self._said_at >= SECOND:
            self._said_at = steady
            self._say("working")

    def ended(self) -> None:
        self._say("stopped")

    def _say(self, state: StageState) -> None:
        wall, steady = self._clock.wall(), self._clock.steady()
        began = wall - steady + self._began
        status = StageStatus(
            stage=self._name, topic="", group=self._name, pid=self._pid, started=self._started, place=here(),
            state=state, at=wall, began=began, since=began, progress_at=wall,
        )  # fmt: skip
        with suppress(OSError):
            self._publish(status)
