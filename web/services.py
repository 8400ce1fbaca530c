"""What the API needs of the other rooms, as ports: `clamor` wires them, tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine

from ingest.unasked import Unasked
from stream.clock import Clock
from stream.ports import AccessScope, Store
from stream.records import Decision, Mention, Millis


class Webhook(Protocol):
    """A push collector's handler, mounted at `/api/webhooks/{source}`."""

    @property
    def max_body(self) -> int:
        """Bytes of a body that are read at most."""

    def challenge(self, query: Mapping[str, str], wall: Millis) -> str | None:
        """The answer to a network's question whether it may push here; None: it is told nothing."""

    def handle(
        self, headers: Mapping[str, str], body: bytes, now: Millis, wall: Millis, query: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """(HTTP status, JSON answer); 202 only once the posts are durable. Several threads may call it.

        `now` is the home's time, `wall` the time by which senders sign.
        """


@dataclass(frozen=True)
class Services:
    store: Store
    engine: Engine
    clock: Clock
    webhook: Callable[[str], Webhook | None]
    """The handler of a source; None where there is no such source."""
    status: Callable[[], dict[str, Any]]
    """Lag of each stage, coverage, last alert, disk: what `clamor status --json` prints."""
    ready: Callable[[], Mapping[str, str]]
    """What keeps the program from serving, by part; empty when it is ready."""
    metrics: Callable[[], bytes]
    """Prometheus text."""
    scope_of: Callable[[str], AccessScope | None]
    """What a bearer token may see; None where it is unknown or revoked."""
    collected: Callable[[str], bool]
    """Whether Clamor asks this source by itself, so that it can be asked for single posts too."""
    explain: Callable[[Mention, Decision], Sequence[str]]
    """A decision about a mention, in sentences."""
    drill: bool = False
    """What happens in this home is an exercise: pages say so."""
    unasked: Callable[[], Sequence[Unasked]] = tuple
    """Holes of sources that no process asks now, which none has written into the ledger."""
