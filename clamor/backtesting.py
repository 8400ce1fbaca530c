"""Other rules and limits over the history of a home: read in stretches by a few processes, added up in this one."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from clamor.rules_of_day import RulesOfDay
from database.engine import Server, open_database, read, rows
from routing.alerts import Pending
from routing.backtest import Backtest, Side, Tally
from routing.foreseen import Foreseen, foreseen
from routing.people_to_tell import MailSettings, Person
from routing.rules import RuleSet
from stream.records import Mention, Millis, decode

STRETCH = 4_000
"""Numbers of mentions that are read in one go."""
WORTH_IT = 20_000
"""Mentions from which on several processes are faster than one."""
AHEAD = 2
"""Stretches for each process that are given out before their turn."""


class Ask(NamedTuple):
    since: Millis
    until: Millis
    rules: str
    """Text; empty: the rules that decided, so that only other limits are tried."""
    brands: Mapping[str, str]
    """Names by id."""
    simulated: bool


class Progress(NamedTuple):
    after: int
    """Number of the last mention that was looked at."""
    highest: int


class History:
    """The stored mentions of a home, for one question."""

    def __init__(self, engine: Engine, ask: Ask, pool: ProcessPoolExecutor | None, workers: int, highest: int) -> None:
        self._engine, self._ask, self._pool, self._workers = engine, ask, pool, workers
        self.highest = highest

    def look(self, stop: threading.Event, show: Callable[[Progress], None]) -> tuple[Tally, Progress]:
        """What was found in all stretches that were read until the end, or until `stop` was set."""
        total, reached = Tally(), 0
        ends = range(0, self.highest, STRETCH)
        stretches = iter([(after, min(after + STRETCH, self.highest)) for after in ends])
        for upto, tally in self._alone(stretches) if self._pool is None else self._shared(self._pool, stretches):
            total.add(tally)
            reached = upto
            show(Progress(reached, self.highest))
            if stop.is_set():
                break
        return total, Progress(reached, self.highest)

    def _alone(self, stretches: Iterator[tuple[int, int]]) -> Iterator[tuple[int, Tally]]:
        reader = _Reader(self._engine, self._ask)
        for stretch in stretches:
            yield stretch[1], reader(stretch)

    def _shared(self, pool: ProcessPoolExecutor, stretches: Iterator[tuple[int, int]]) -> Iterator[tuple[int, Tally]]:
        """In their order; a few are given out before their turn."""
        waiting: deque[tuple[int, Future[Tally]]] = deque()
        while True:
            while len(waiting) < self._workers * AHEAD and (stretch := next(stretches, None)) is not None:
                waiting.append((stretch[1], pool.submit(_read, stretch)))
            if not waiting:
                return
            upto, future = waiting.popleft()
            yield upto, future.result()


@contextmanager
def history(engine: Engine, place: Path | Server, ask: Ask, workers: int) -> Iterator[History]:
    """Starts the processes that share the work, each of which opens `place`, the engine's, for itself: before this one
    has any thread, and with nothing open."""
    with read(engine) as connection:
        highest = rows(connection, "SELECT coalesce(max(n), 0) FROM mention")[0][0]
    if workers == 1 or highest < WORTH_IT:
        yield History(engine, ask, None, 1, highest)
        return
    engine.dispose()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin, (place, ask)) as pool:
        pool.submit(int).result()
        try:
            yield History(engine, ask, pool, workers, highest)
        finally:
            pool.shutdown(cancel_futures=True)


def mails(side: Side, people: Sequence[Person], settings: MailSettings) -> Foreseen:
    """The mails that people would have got of the alerts of one side."""
    told = {alert.matter for alert in side.alerts}
    came: dict[int, list[Millis]] = {matter: [] for matter in told}
    pairs = iter(side.grown)
    for matter, at in zip(pairs, pairs, strict=True):
        if matter in told:
            came[matter].append(at)
    for times in came.values():
        times.sort()
    asked = sorted(side.alerts)
    return foreseen(
        (
            Pending(
                number, one.kind, one.matter, one.brand, one.queue, one.risk, bisect_right(came[one.matter], one.at),
                one.at,
            )
            for number, one in enumerate(asked)
        ),
        people,
        settings,
    )  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, engine: Engine, ask: Ask) -> None:
        self._engine, self._ask = engine, ask
        rules = RuleSet.read(ask.rules, 0, brands=ask.brands) if ask.rules else None
        self._backtest = Backtest(rules, RulesOfDay(engine).of, simulated=ask.simulated)

    def __call__(self, stretch: tuple[int, int]) -> Tally:
        with read(self._engine) as connection:
            found = rows(connection, _MENTIONS, (*stretch, self._ask.since, self._ask.until))
        return self._backtest.over((n, decode(Mention, body)) for n, body in found)


_reader: _Reader | None = None
"""Of this process, where it is one of several."""


def _begin(place: Path | Server, ask: Ask) -> None:
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reader = _Reader(open_database(place), ask)


def _read(stretch: tuple[int, int]) -> Tally:
    assert _reader is not None
    return _reader(stretch)


_MENTIONS = "SELECT n, body FROM mention WHERE n > ? AND n <= ? AND event_time >= ? AND event_time < ? ORDER BY n"
