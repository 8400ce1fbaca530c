"""One source at work on a home of its own: in this process, or in a child that can be killed.

    python -m tests.ingest.collecting HOME SETTINGS

SETTINGS is what `Child` makes; secrets are read from the environment. It says `connected` once the network has
answered, and runs until it is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from clamor.networks import NETWORKS, Network, make
from config.brands import Brand
from config.sources import Collected
from database.engine import open_database
from ingest.collector import Budget, Collector, Source
from ingest.coverage import Ledger
from ingest.cursors import Cursors, SourceNotes
from ingest.known import Held as HeldPosts
from ingest.patience import Backoff
from ingest.runner import Runner
from ingest.setting import Setting
from ingest.tokens import KeptTokens
from ingest.wanted import Wanted
from query.prefilter import compile_prefilter
from stream.clock import DAY, Clock, WallClock
from stream.embedded import EmbeddedLog
from stream.merge import PostState, merge, state_of
from stream.ports import DEAD_LETTER, POSTS, TopicSpec
from stream.records import CONTENT_KINDS, DeadLetter, Millis, Post, decode
from tests.places import new_database

BRAND = Brand(id="acme", name="Acme")
ACME = Wanted(brand="acme", phrases=("Acme",), handles=("@acme",), hashtags=("#acme",))


class Shifted:
    """The wall clock of a machine that is wrong by so much."""

    def __init__(self, by: Millis) -> None:
        self._by, self._right = by, WallClock()

    def now(self) -> Millis:
        return self._right.now() + self._by

    def wall(self) -> Millis:
        return self._right.wall() + self._by

    def steady(self) -> Millis:
        return self._right.steady()


class Purse:
    """A budget that has room until it is used up."""

    def __init__(self) -> None:
        self.used_up = threading.Event()
        self.requests = 0

    def wait(self, source_id: str, now: Millis, brand: str | None = None) -> Millis:
        return -1 if self.used_up.is_set() else 0

    def spent(self, source_id: str, cost: int, requests: int, now: Millis, brand: str = "") -> None:
        self.requests += requests

    def leave(self) -> None: ...


class Held:
    """What the log of a home holds of the posts, whoever writes it; reads on from where it was."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log, self._next = log, 0
        self._states: dict[str, PostState] = {}
        self.all: list[Post] = []
        """Every record, in the order of the log."""

    def look(self) -> Self:
        while records := self._log.read(POSTS, 0, self._next, 10_000):
            self._next = records[-1].offset + 1
            for record in records:
                post = decode(Post, record.value)
                self.all.append(post)
                found = state_of(post)
                known = self._states.get(post.id)
                self._states[post.id] = found if known is None else merge(known, found)
        return self

    def texts(self) -> dict[str, str]:
        """Of the posts that exist, by post id: what everybody downstream comes to hold."""
        self.look()
        return {
            id: state.content.text
            for id, state in self._states.items()
            if state.exists and state.content is not None and state.content.repost_of is None
        }

    def contents(self) -> list[Post]:
        return [post for post in self.look().all if post.kind in CONTENT_KINDS]

    def dead(self) -> list[DeadLetter]:
        return [decode(DeadLetter, record.value) for record in self._log.read(DEAD_LETTER, 0, 0, 100_000)]


class Home:
    """A home's log and ledger, read. Use as a context manager."""

    def __init__(self, place: Path, clock: Clock | None = None) -> None:
        if not place.exists():
            place.mkdir()
            new_database(place)
        self.clock = clock or WallClock()
        self.log = EmbeddedLog(place / "log.db", self.clock)
        self.log.ensure([TopicSpec(POSTS, 1, 6 * DAY), TopicSpec(DEAD_LETTER, 1, 6 * DAY)])
        self.engine = open_database(place / "app.db")
        self.ledger, self.held = Ledger(self.engine), Held(self.log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.close()
        self.engine.dispose()


class Collecting(Home):
    """A source at work in a thread of this process, from the time that it is entered on; entered once only."""

    def __init__(
        self,
        place: Path,
        settings: Collected,
        secrets: Mapping[str, str],
        *,
        network: str = "",
        firehose: bool = False,
        wanted: Sequence[Wanted] = (ACME,),
        allowed: Callable[[str], bool] = lambda brand: True,
        clock: Clock | None = None,
        wait: float = 15,
        held: HeldPosts | None = None,
        budget: Budget | None = None,
    ) -> None:
        """`network`: what the posts' ids begin with; empty: the settings' kind. `wait`: entering it waits so many
        seconds at most until the network has answered; 0: it does not."""
        super().__init__(place, clock)
        self.stop, self._wait = threading.Event(), wait
        kind: str = settings.kind  # type: ignore[attr-defined]
        source = Source(
            id=settings.id,
            network=network or kind,
            brands=settings.brands,
            access=settings.access,
            max_lateness=settings.max_lateness,
            firehose=firehose,
        )
        setting = Setting(
            source=source,
            wanted=lambda: wanted,
            secret=lambda name: secrets.get(name),
            clock=self.clock,
            stop=self.stop,
            allowed=allowed,
            notes=SourceNotes(self.engine, settings.id, self.clock.wall),
            tokens=KeptTokens(self.engine, self.clock),
        )
        self.collector: Collector = make(settings, setting)
        self.runner = Runner(
            self.collector, self.log, Cursors(self.engine), self.ledger, self.clock,
            prefilter=compile_prefilter([BRAND]), backoff=Backoff(first=20, most=200, seed=1), stop=self.stop,
            held=held, budget=budget,
        )  # fmt: skip
        self._thread = threading.Thread(target=self.runner.run, name="collecting")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            if self._wait:
                until(lambda: self.connected, lambda: f"it never connected: {self.runner.trouble}", self._wait)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.end(30)
        finally:
            super().__exit__(kind, error, trace)

    def end(self, within: float = 10) -> float:
        """Stop; seconds that it took. The log and the ledger stay readable."""
        since = time.monotonic()
        self.stop.set()
        self._thread.join(within)
        assert not self._thread.is_alive(), f"{type(self.collector).__name__} did not stop within {within} s"
        return time.monotonic() - since

    @property
    def connected(self) -> bool:
        return self.runner._connected.is_set()


@contextmanager
def running(runner: Runner) -> Iterator[Runner]:
    """It runs in a thread of its own as long as the block, and ends with it."""
    thread = threading.Thread(target=runner.run, name="running")
    thread.start()
    try:
        yield runner
    finally:
        runner.stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the runner did not stop within 20 s"


def until(
    check: Callable[[], Any], why: Callable[[], str] = lambda: "it did not come about", seconds: float = 15
) -> None:
    """Return when `check` holds; fail with `why` when it does not come to. A check that takes long is made rarely, for
    what it waits for runs in the same process."""
    end = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if check():
            return
        if time.monotonic() > end:
            pytest.fail(why())
        time.sleep(max(0.02, 4 * (time.monotonic() - began)))


class Child:
    """The same in a process of its own. Use as a context manager: it is killed in the end."""

    def __init__(
        self, place: Path, settings: Collected, secrets: Mapping[str, str], *, network: str = "", firehose: bool = False
    ) -> None:
        """Returns once the network has answered it."""
        where, kind = type(settings), settings.kind  # type: ignore[attr-defined]
        Home(place).__exit__(None, None, None)
        told = {
            "class": [where.__module__, where.__qualname__],
            "kind": kind,
            "module": NETWORKS[kind].module,
            "settings": settings.model_dump(mode="json"),
            "network": network,
            "firehose": firehose,
        }
        root = Path(__file__).resolve().parents[2]
        paths = os.pathsep.join([str(root), *(path for path in sys.path if path)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ingest.collecting", str(place), json.dumps(told)],
            cwd=root,
            env={**os.environ, **secrets, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        self._connected()

    def _connected(self) -> None:
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != b"connected\n":
            assert line, f"the child ended with {self.process.wait()}: {self._last_words()}"

    def kill(self) -> None:
        """As the kernel does when memory ends: nothing is finished or written any more."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _last_words(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()[-2_000:].decode("utf-8", "replace")


def main(home: str, told: str) -> None:
    start = json.loads(told)
    module, name = start["class"]
    NETWORKS.setdefault(start["kind"], Network(start["module"]))
    settings = getattr(import_module(module), name).model_validate(start["settings"])
    at_work = Collecting(
        Path(home), settings, os.environ, network=start["network"], firehose=start["firehose"], wait=60
    )
    with at_work:
        print("connected", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
