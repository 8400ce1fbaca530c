"""A stream is read ahead of whoever takes it, within bounds, and its end is never silence."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import pytest

from ingest.collector import Interrupted
from ingest.read_ahead import ReadAhead
from tests.ingest.collecting import until


class Answer:
    """So many parts of ten bytes, then its end."""

    def __init__(self, number: int) -> None:
        self.number, self.read = number, 0
        self.closed = threading.Event()

    def parts(self) -> Iterator[bytes]:
        while self.read < self.number and not self.closed.is_set():
            self.read += 1
            yield b"x" * 10

    def close(self) -> None:
        self.closed.set()


def ahead(answer: Any, framed: Any = lambda part: [part]) -> ReadAhead[bytes]:
    return ReadAhead(answer, framed, bytes, lambda: 7, most=50, whose="Acme")


def test_no_more_is_read_than_may_wait_and_all_is_taken_before_its_end_is_told() -> None:
    answer = Answer(20)
    with closing(ahead(answer)) as reading:
        until(lambda: answer.read == 6, lambda: str(answer.read))
        assert sum(len(reading.take(1, 1.0)) for _ in range(20)) == 20
        with pytest.raises(Interrupted, match="Acme ended the stream") as end:
            reading.take(1, 1.0)
        assert end.value.since == 7


def test_what_cannot_be_framed_is_a_fault_in_our_words() -> None:
    def framed(part: bytes) -> Iterable[bytes]:
        raise ValueError("what somebody wrote")

    with closing(ahead(Answer(1), framed)) as reading, pytest.raises(Interrupted, match="cannot be read: ValueError"):
        reading.take(1, 1.0)


def test_it_ends_at_once_though_nobody_takes_what_waits() -> None:
    answer = Answer(1_000)
    reading = ahead(answer)
    until(lambda: answer.read == 6, lambda: str(answer.read))
    reading.close()
    assert answer.read <= 7
