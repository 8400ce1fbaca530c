"""`clamor run` on Kafka, Elasticsearch and PostgreSQL, and posts that come in whatever fails meanwhile."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self, TypeVar

from program import Program

from stream.ports import POSTS, Append, Transient
from stream.records import Post, encode
from tests.services.engines import PASSWORD_NAME, Engines

Answer = TypeVar("Answer")
CATCH_UP = 240.0
"""Seconds within which everything must be done once nothing fails any more: restarts and retries wait up to 30 s."""


class BigProgram(Program):
    """One home on the engines, with a database, topics and indices of its own."""

    def __init__(self, root: Path, engines: Engines, mail: str = "") -> None:
        super().__init__(root, mail)
        self.engines, self.database = engines, engines.database()
        settings = root / "clamor.yaml"
        more = engines.settings(self.database) + "understanding: {model: linear}\n"
        settings.write_text(settings.read_text() + more)
        secrets = root / "secrets.env"
        secrets.touch(mode=0o600)
        secrets.write_text(f"{PASSWORD_NAME}={engines.postgres.password}\n")


class Feeder:
    """Appends batches in a thread of its own, as a collector does: each again, until the log says that it has it. The
    end of the block waits for the last."""

    def __init__(self, program: BigProgram, batches: Sequence[Sequence[Post]], pace: float) -> None:
        self._program, self._batches, self._pace = program, batches, pace
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, name="feeder")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.join()
        if self._fault is not None and error is None:
            raise self._fault

    def _feed(self) -> None:
        try:
            with self._program.opened() as opened:
                for batch in self._batches:
                    records = [Append(POSTS, post.id, encode(post)) for post in batch]
                    insist(lambda records=records: opened.log.append(records))  # type: ignore[misc]
                    time.sleep(self._pace)
        except BaseException as fault:
            self._fault = fault


def insist(act: Callable[[], Answer], seconds: float = 900.0) -> Answer:
    """What `act` returns, once no fault that passes is in its way."""
    end = time.monotonic() + seconds
    while True:
        try:
            return act()
        except Transient:
            assert time.monotonic() < end
            time.sleep(0.1)


class CatchingUp:
    """How long it took from the end of each fault until all was decided, searchable and told."""

    def __init__(self) -> None:
        self._took: dict[str, list[float]] = defaultdict(list)

    def wait(self, program: BigProgram, fault: str, since: float) -> None:
        program.wait(CATCH_UP)
        self._took[fault].append(time.monotonic() - since)

    def __str__(self) -> str:
        return "; ".join(
            f"{fault}: {len(took)} times, median {median(took):.1f} s, longest {max(took):.1f} s"
            for fault, took in sorted(self._took.items())
        )
