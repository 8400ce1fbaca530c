"""Lines through several processes, in their order, as they come: what `clamor classify` does with its workers.

Lines are cut into chunks by their place in the input, so that what is read together does not depend on who reads it;
only where the input pauses, what has come is answered at once. A few chunks are held at a time, however long the input
and its lines.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import NamedTuple, TypeAlias

from config.home import HomeError
from nlp.shelf import ModelError

CHUNK = 512
"""Lines that are read together, at most."""
HEAVY = 1 << 20
"""Bytes of lines from which on fewer are enough."""
BLOCK = 1 << 16
PAUSE = 0.05
"""Seconds without input after which a chunk that is not full is answered."""
AHEAD = 4
"""Chunks for each worker between the one that is written next and the last that was read."""


class Answered(NamedTuple):
    """What is to be written for a chunk."""

    written: bytes
    refused: bool
    """A line of it could not be read."""


Answer: TypeAlias = Callable[[list[bytes]], Answered]


class Lost(HomeError):
    """The input or the output fails."""


class WorkerEnded(HomeError):
    """A process died over its chunk."""


def answered(source: int, workers: int, longest: int, answer: Answer) -> Iterator[Answered]:
    """The answers to the lines of a file descriptor, chunk by chunk, in their order, blank lines among them; of a line
    of more than `longest` bytes one more is handed on. Behind the newline that ends the last line there is no other.

    With several workers each runs `answer` in a fork of this process, made before the first line is read. Raises
    WorkerEnded, Lost where the input cannot be read, and nlp.shelf.ModelError where `answer` does.
    """
    intake = Intake(source, longest)
    if workers == 1:
        while chunk := intake.next_chunk():
            yield answer(chunk)
        return
    with _crew(workers, answer) as crew:
        yield from _shared(intake, crew)


class Intake:
    """Lines of a file descriptor, cut into chunks."""

    def __init__(self, source: int, longest: int) -> None:
        self.source = source
        self._longest = longest
        self.ended = False
        self._lines: deque[bytes] = deque()
        self._held = 0
        """Bytes of the lines."""
        self._rest = bytearray()

    @property
    def has_some(self) -> bool:
        return bool(self._lines)

    @property
    def has_chunk(self) -> bool:
        return len(self._lines) >= CHUNK or self._held >= HEAVY or (self.ended and self.has_some)

    def take(self) -> list[bytes]:
        """A chunk, or what there is of one."""
        chunk: list[bytes] = []
        size = 0
        while self._lines and len(chunk) < CHUNK and size < HEAVY:
            chunk.append(self._lines.popleft())
            size += len(chunk[-1])
        self._held -= size
        return chunk

    def read(self) -> None:
        """What can be read now; waits where nothing can. Raises Lost."""
        try:
            block = os.read(self.source, BLOCK)
        except OSError as error:
            raise Lost(f"the input cannot be read ({error.strerror})") from error
        *whole, rest = block.split(b"\n")
        for line in whole:
            self._keep(line)
            self._end_line()
        self._keep(rest)
        if not block:
            self.ended = True
            if self._rest:
                self._end_line()

    def next_chunk(self) -> list[bytes]:
        """Waits for it; empty at the end."""
        while not self.has_chunk and not self.ended:
            if wait([self.source], PAUSE if self.has_some else None):
                self.read()
            else:
                break
        return self.take()

    def _keep(self, part: bytes) -> None:
        self._rest += part[: self._longest + 1 - len(self._rest)]

    def _end_line(self) -> None:
        self._lines.append(bytes(self._rest))
        self._held += len(self._rest)
        self._rest.clear()


# --- several processes -----------------------------------------------------------------------------------------------


class _Worker(NamedTuple):
    process: ForkProcess
    pipe: Connection


@contextmanager
def _crew(workers: int, answer: Answer) -> Iterator[list[_Worker]]:
    context = multiprocessing.get_context("fork")
    crew: list[_Worker] = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            others = [one.pipe for one in crew]
            process = context.Process(target=_work, args=(theirs, [*others, ours], answer), daemon=True)
            process.start()
            theirs.close()
            crew.append(_Worker(process, ours))
        yield crew
    finally:
        for one in crew:
            one.pipe.close()
            one.process.terminate()
        for one in crew:
            one.process.join()


def _work(pipe: Connection, others: list[Connection], answer: Answer) -> None:
    """Until the other end of the pipe is closed, be it by the death of the parent: so no other copy of it may live.
    Where answers were left unread then, the pipe is reset."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in others:
        other.close()
    with suppress(EOFError, ConnectionError):
        while True:
            chunk = pipe.recv_bytes().split(b"\n")
            try:
                found = answer(chunk)
            except ModelError as error:
                pipe.send_bytes(b"!")
                pipe.send_bytes(str(error).encode())
                return
            pipe.send_bytes(b"-" if found.refused else b"+")
            pipe.send_bytes(found.written)


def _shared(intake: Intake, crew: list[_Worker]) -> Iterator[Answered]:
    idle = deque(crew)
    busy: dict[Connection, tuple[int, _Worker]] = {}
    finished: dict[int, Answered] = {}
    given = written = 0
    while not intake.ended or intake.has_some or busy:
        reading = not intake.ended and not intake.has_chunk and given - written < AHEAD * len(crew)
        pausing = PAUSE if reading and intake.has_some and idle else None
        ready = wait([*busy, *([intake.source] if reading else [])], pausing) if busy or reading else []
        for one in ready:
            if isinstance(one, Connection):
                number, worker = busy.pop(one)
                finished[number] = _received(worker)
                idle.append(worker)
            else:
                intake.read()
        paused = pausing is not None and not ready
        while idle and given - written < AHEAD * len(crew) and (intake.has_chunk or paused):
            worker = idle.popleft()
            _send(worker, intake.take())
            busy[worker.pipe] = (given, worker)
            given += 1
            paused = False
        while written in finished:
            yield finished.pop(written)
            written += 1


def _send(worker: _Worker, chunk: list[bytes]) -> None:
    with _alive(worker):
        worker.pipe.send_bytes(b"\n".join(chunk))


def _received(worker: _Worker) -> Answered:
    with _alive(worker):
        kind, said = worker.pipe.recv_bytes(), worker.pipe.recv_bytes()
    if kind == b"!":
        raise ModelError(said.decode())
    return Answered(said, refused=kind == b"-")


@contextmanager
def _alive(worker: _Worker) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError):
        worker.process.join()
        raise WorkerEnded(
            f"a worker ended with code {worker.process.exitcode} before its answers were there: "
            "what was written until here is right; try fewer --workers where memory is short"
        ) from None
