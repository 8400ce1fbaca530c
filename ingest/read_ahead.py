"""A stream that is read in a thread of its own: the network never waits for what is done with what it says.

Some end a connection whose reader is slow, and what they had to say is lost (docs.x.com, "Consuming streaming data").
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sized
from typing import Generic, TypeVar

from ingest.collector import Interrupted
from ingest.web import Unending
from stream.records import Millis

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """Use from one thread; it reads in another one until it is closed."""

    def __init__(
        self,
        answer: Unending,
        framed: Callable[[bytes], Iterable[T]],
        data: Callable[[T], Sized],
        now: Callable[[], Millis],
        *,
        most: int,
        whose: str,
    ) -> None:
        """`framed`: what ends with these bytes; raises Interrupted. `data`: what of it takes room. `most`: bytes that
        wait to be taken; the stream is not read meanwhile. `whose`: in words, for faults."""
        self._answer, self._framed, self._data, self._now = answer, framed, data, now
        self._most, self._whose = most, whose
        self._change = threading.Condition()
        self._held: deque[T] = deque()
        self._bytes = 0
        self._closed = False
        self._fault: Interrupted | None = None
        self.heard_at: Millis = now()
        """When anything came last."""
        self._thread = threading.Thread(target=self._read, name="read-ahead", daemon=True)
        self._thread.start()

    def take(self, most: int, seconds: float) -> list[T]:
        """At most so many, as soon as there is one; none after `seconds`. Raises Interrupted when the connection is
        over and all that it brought was taken."""
        with self._change:
            if not self._held and self._fault is None:
                self._change.wait(seconds)
            taken = [self._held.popleft() for _ in range(min(most, len(self._held)))]
            self._bytes -= sum(len(self._data(one)) for one in taken)
            self._change.notify_all()
            if not taken and self._fault is not None:
                raise self._fault
        return taken

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._answer.close()
        self._thread.join()

    def _read(self) -> None:
        fault = Interrupted(f"{self._whose} ended the stream")
        try:
            for part in self._answer.parts():
                self.heard_at = self._now()
                if not self._put(list(self._framed(part))):
                    break
        except Interrupted as lost:
            fault = lost
        except Exception as strange:
            # Nobody would notice that nothing is read any more.
            fault = Interrupted(f"the stream of {self._whose} cannot be read: {type(strange).__name__}")
        fault.since = self.heard_at
        with self._change:
            self._fault = fault
            self._change.notify_all()

    def _put(self, some: list[T]) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._bytes < self._most)
            self._held.extend(some)
            self._bytes += sum(len(self._data(one)) for one in some)
            self._change.notify_all()
            return not self._closed
