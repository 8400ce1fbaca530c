"""The networks of a checkout's tests, in a process of their own, and what the log holds beside what stands there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from stream.merge import PostState, merge, state_of
from stream.ports import POSTS, Log
from stream.records import Post, decode

MODULE = "tests.standins.town"
PATIENCE = 10.0
AT_ONCE = 2_000

Truth = Mapping[str, Mapping[str, str]]
"""Source → post id → text."""


class NoCheckout(Exception):
    """The stand-ins are not here; the message says where they are."""


def checkout() -> Path:
    """Where this program's source lies with its tests. Raises NoCheckout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "tests" / "standins" / "town.py").exists():
        raise NoCheckout(
            "the stand-ins of the networks belong to the tests and are not part of an installed package: "
            "take a checkout of Clamor's repository and run `make install` and `.venv/bin/clamor demo --live` there"
        )
    return root


class Town:
    """A running `tests.standins.town`. Use as a context manager. One thread may ask it."""

    def __init__(self, root: Path, **plan: Any) -> None:
        """`plan`: fields of its Plan. Raises RuntimeError where it ends before it listens."""
        paths = os.pathsep.join([str(root), *(path for path in sys.path if path)])
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", MODULE],
            cwd=root,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        told = self._ask(json.dumps(plan))
        self.sources: list[dict[str, Any]] = told["sources"]
        """For a configuration's `sources`."""
        self.secrets: dict[str, str] = told["secrets"]

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE / 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def figures(self) -> dict[str, dict[str, int]]:
        """By source: published, edited, deleted, troubles."""
        found: dict[str, dict[str, int]] = self._ask("figures")
        return found

    def write(self) -> None:
        """People begin to write, and things to go wrong."""
        self._ask("write")

    def still(self) -> None:
        """Nothing is written any more, and nothing goes wrong."""
        self._ask("still")

    def truth(self) -> Truth:
        found: Truth = self._ask("truth")
        return found

    def _ask(self, line: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise RuntimeError(f"the process of the stand-ins ended with {self.process.wait(PATIENCE)}")
        return json.loads(answer)


class Compared(NamedTuple):
    """One source: what stands on its network beside what is held."""

    stands: int
    held: int
    missing: int
    old: int
    """Held with another text than stands there."""
    too_many: int
    """Held though they are not there any more."""

    @property
    def same(self) -> bool:
        return not (self.missing or self.old or self.too_many)


class InLog:
    """What a home's log holds of the posts, read on from where it was."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._states: dict[str, PostState] = {}
        self.of_source: dict[str, set[str]] = {}
        self.kinds: Counter[str] = Counter()
        """Of the records."""
        self.again: Counter[str] = Counter()
        """By source, records of a post's first text that was in the log already: what came twice, without effect."""

    def look(self, log: Log) -> None:
        for partition, (low, high) in log.bounds(POSTS).items():
            at = max(low, self._next.get(partition, 0))
            while at < high and (records := log.read(POSTS, partition, at, AT_ONCE)):
                at = self._next[partition] = records[-1].offset + 1
                for record in records:
                    self._add(decode(Post, record.value))

    def _add(self, post: Post) -> None:
        found, known = state_of(post), self._states.get(post.id)
        self.kinds[post.kind] += 1
        self.again[post.source_id] += known is not None and post.kind == "created"
        self._states[post.id] = found if known is None else merge(known, found)
        self.of_source.setdefault(post.source_id, set()).add(post.id)

    def texts(self, source: str) -> dict[str, str]:
        """Of the posts of a source that exist."""
        states = ((id, self._states[id]) for id in self.of_source.get(source, ()))
        return {id: one.content.text for id, one in states if one.exists and one.content is not None}

    def gone(self, source: str) -> int:
        return sum(not self._states[id].exists for id in self.of_source.get(source, ()))

    def beside(self, truth: Truth) -> dict[str, Compared]:
        return {source: compared(stands, self.texts(source)) for source, stands in truth.items()}


def compared(stands: Mapping[str, str], held: Mapping[str, str]) -> Compared:
    """Both by post id."""
    return Compared(
        stands=len(stands),
        held=len(held),
        missing=sum(id not in held for id in stands),
        old=sum(id in held and held[id] != text for id, text in stands.items()),
        too_many=sum(id not in stands for id in held),
    )
