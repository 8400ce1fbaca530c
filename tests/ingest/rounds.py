"""A collector that is asked round by round, as the runner asks it, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar

from ingest.collector import Collector, Delivery, Draft
from ingest.setting import Setting
from stream.clock import MINUTE, ManualClock
from stream.records import Millis

C = TypeVar("C", bound=Collector)


class Rounds(Generic[C]):
    """A network's tests make one of settings and a stand-in."""

    pause: ClassVar[Millis] = MINUTE
    """Before each round, where a test does not say another one."""

    def __init__(self, network: Callable[[Any, Setting], C], settings: Any, setting: Setting) -> None:
        assert isinstance(setting.clock, ManualClock)
        self._network, self.settings, self.setting, self.clock = network, settings, setting, setting.clock
        self.collector = network(settings, setting)
        self.cursor: str | None = None
        self.last: list[Delivery] = []
        """What the last round brought, also where it ended with a fault."""

    def restart(self) -> None:
        """Another process goes on, with the settings as they are now."""
        self.collector.close()
        self.collector = self._network(self.settings, self.setting)

    def round(self, passes: Millis | None = None) -> list[Delivery]:
        """Raises what the round does; then too the cursor stands where it came to."""
        self.clock.advance(self.pause if passes is None else passes)
        self.last = []
        for delivery in self.collector.collect(self.cursor):
            self.last.append(delivery)
            self.cursor = delivery.cursor or self.cursor
        return self.last

    def brought(self, passes: Millis | None = None) -> list[Draft]:
        return [draft for delivery in self.round(passes) for draft in delivery.drafts]

    def told(self, passes: Millis | None = None) -> list[tuple[str, str]]:
        return sorted((draft.kind, draft.native_id) for draft in self.brought(passes))

    def close(self) -> None:
        self.collector.close()


class Closes(Protocol):
    def close(self) -> None: ...


M = TypeVar("M", bound=Closes)
P = ParamSpec("P")


@contextmanager
def making(make: Callable[P, M]) -> Iterator[Callable[P, M]]:
    """For a fixture of which a test may make several: `make`; what it made is closed at the end."""
    with ExitStack() as made:
        yield lambda *of, **more: made.enter_context(closing(make(*of, **more)))
