"""What a network's file is given to make its collector of, besides its own section of the settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from ingest.collector import Source
from ingest.tokens import Tokens, UnsharedTokens
from ingest.wanted import Wanted
from stream.clock import Clock
from stream.records import Millis


class Notes(Protocol):
    """Short words that the processes of one source leave each other, by name; durable."""

    def get(self, name: str) -> str | None: ...

    def put(self, name: str, value: str) -> None: ...

    def all(self, names: Collection[str]) -> Mapping[str, str]:
        """Of these names those that there are."""

    def put_all(self, notes: Mapping[str, str]) -> None: ...

    def drop(self, names: Collection[str]) -> None: ...

    def forget(self, before: Millis) -> None:
        """Those that were put last before that time of the wall."""


class Unshared:
    """Notes that only this process reads, as long as it lives."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self._held.get(name)

    def put(self, name: str, value: str) -> None:
        self._held[name] = value

    def all(self, names: Collection[str]) -> Mapping[str, str]:
        return {name: self._held[name] for name in names if name in self._held}

    def put_all(self, notes: Mapping[str, str]) -> None:
        self._held.update(notes)

    def drop(self, names: Collection[str]) -> None:
        for name in names:
            self._held.pop(name, None)

    def forget(self, before: Millis) -> None:
        """They live no longer than the process."""


def _all_allowed(query: str) -> bool:
    return True


@dataclass(frozen=True)
class Setting:
    source: Source
    wanted: Callable[[], Sequence[Wanted]]
    """Asked anew before each round, and now and then by a stream: brands change while it runs."""
    secret: Callable[[str], str | None]
    """The value of a secret by the NAME that the settings give, at this moment; None: there is none. Never keep it in
    anything that is shown, logged or compared."""
    clock: Clock
    stop: Event = field(default_factory=Event)
    """Set when the collector is to end: whoever waits, waits on it."""
    prefilter: Callable[[str], bool] | None = None
    """Whether a post may be about any brand in force (`query.prefilter.compile_prefilter`), for a network that brings
    everything: asked before anything that costs is done for a post. None: everything is wanted."""
    allowed: Callable[[str], bool] = _all_allowed
    """Whether the budget leaves room to ask for this brand now. Where it does not, the collector leaves the brand out
    and says so: `Delivery(query=brand, asked=0, missed=None, reason="spend cap")`."""
    public_url: str = ""
    """Where networks reach the API, without a slash at the end; empty: nowhere."""
    notes: Notes = field(default_factory=Unshared)
    tokens: Tokens = field(default_factory=UnsharedTokens)
    """What `ingest.credentials.Grant` keeps."""
