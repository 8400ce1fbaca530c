"""What the API needs of the other rooms, as ports: `clamor` wires them, tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine

from stream.clock import Clock
from stream.ports import AccessScope, Store
from stream.records import Coverage, Decision, Mention, Millis


class Webhook(Protocol):
    """A push collector's handler, mounted at `/api/webhooks/{source}`."""

    max_body: int

    def handle(self, headers: Mapping[str, str], body: bytes, now: Millis) -> tuple[int, dict[str, Any]]:
        """(HTTP status, JSON answer); 202 only once the posts are durable."""


class CoverageReader(Protocol):
    def rows(
        self, sources: Collection[str] | None = None, brand: str | None = None, since: Millis = 0, until: Millis = ...
    ) -> list[Coverage]:
        """Ledger rows that overlap [since, until), oldest first."""


@dataclass(frozen=True)
class Services:
    store: Store
    engine: Engine
    clock: Clock
    coverage: CoverageReader
    webhook: Callable[[str], Webhook | None]
    status: Callable[[], dict[str, Any]]
    """Lag of each stage, coverage, last alert, disk: what `clamor status --json` prints."""
    ready: Callable[[], dict[str, str]]
    """What keeps the program from serving, by part; empty when it is ready."""
    metrics: Callable[[], bytes]
    """Prometheus text."""
    scope_of: Callable[[str], AccessScope | None]
    explain: Callable[[Mention, Decision], str]
    """A decision in words."""
