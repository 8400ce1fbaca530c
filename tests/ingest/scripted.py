"""A network whose connections give what a test has written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from ingest.collector import Delivery, Draft, Exhausted, Source, Span, Unfillable
from stream.clock import ManualClock


class Network:
    """The truth: what was published, by time; what a connection of it gives is scripted."""

    def __init__(
        self, clock: ManualClock, script: Sequence[Callable[[str | None], Iterator[Delivery]]], **more: Any
    ) -> None:
        self.source = Source(id="feed", network="x", **more.pop("source", {}))
        self.style: Literal["stream", "poll"] = more.pop("style", "stream")
        self.resumes = more.pop("resumes", False)
        self.history: Callable[[Span], Iterator[Delivery]] | None = more.pop("history", None)
        self.interval = 1
        self.clock, self.script = clock, iter(script)
        self.cursors_seen: list[str | None] = []
        self.filled: list[Span] = []
        self.closed = False

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        self.cursors_seen.append(cursor)
        step = next(self.script, None)
        if step is None:
            raise Exhausted
        yield from step(cursor)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        self.filled.append(span)
        if self.history is None:
            raise Unfillable("no search in this plan")
        yield from self.history(span)

    def close(self) -> None:
        self.closed = True


def drafts(*ids: int, at: int | None = None) -> list[Draft]:
    return [Draft(native_id=str(n), text=f"post {n}", claimed_at=at) for n in ids]


def ids(held: Any) -> list[str]:
    return [post.id.removeprefix("x:") for post in held.posts()]
