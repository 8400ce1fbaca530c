"""Four processes on six partitions come to what one process on one partition comes to, killed ones included."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from scale_outcome import Outcome, judge, judge_decided, outcome
from scale_posts import shuffled, worlds
from scale_worker import IN_FORCE, open_log
from simulated_truth import truth_of
from sqlalchemy import Engine

from database.engine import open_database, read, rows
from routing import absence
from routing.corrections import decide_anew
from routing.desk import Desk
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, MENTIONS, POSTS, Append
from stream.records import Post, encode
from tests.places import keeping, new_database

pytestmark = [pytest.mark.services, pytest.mark.timeout(3_600)]

SEED = 20_261_126
WORKER = Path(__file__).with_name("scale_worker.py")
ROOT = Path(__file__).parents[3]
AT_ONCE = 2_000
STILL = 120.0
"""Seconds without any progress after which it does not come to rest."""


@pytest.mark.parametrize("posts", [4_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_posts_in_any_order(address: str, tmp_path: Path, posts: int) -> None:
    made = worlds(posts, SEED)
    observations = shuffled(made, SEED)
    with keeping("sqlite"):
        alone = new_database(tmp_path)
    with running(tmp_path / "one", alone, 1, observations) as (log, engine, _):
        settled(log, engine)
        judge_decided(log, engine)
        one = after_a_reprocess(engine)
    with running(tmp_path / "four", address, 6, observations, processes=4) as (log, engine, workers):
        until(lambda: routed(engine) > len(observations) // 3, lambda: routed(engine))
        workers.killed()
        settled(log, engine)
        judge_decided(log, engine)
        four = after_a_reprocess(engine)
    judge(one, made)
    judge(four, made)
    assert four.mentions == one.mentions
    assert four.decisions == one.decisions
    assert four.counts == one.counts
    assert four.clusters == one.clusters


def test_mails_of_conversations_whose_posts_came_in_one_order(address: str, tmp_path: Path) -> None:
    """A post's versions stay in their order; each post is a conversation, with an author of its own. Of a version that
    was overtaken within its batch nobody is told, so that only what was severe from first to last can be compared."""
    observations = [
        replace(post, reply_to=None, author=replace(post.author, id=post.id, handle=None) if post.author else None)
        for post in shuffled(worlds(1_000, SEED + 1), SEED)
        if not post.kind.startswith("author_")
    ]
    with keeping("sqlite"):
        alone = new_database(tmp_path)
    told = []
    for folder, where, partitions, processes in (("one", alone, 1, 1), ("four", address, 6, 4)):
        place = tmp_path / folder
        with running(place, where, partitions, observations, processes=processes) as (log, engine, _):
            settled(log, engine, mails=True)
            told.append(_told(engine))
        ids = Counter(id for box in place.glob("*.mbox") for id in _MESSAGE_ID.findall(box.read_bytes()))
        assert set(ids.values()) == {1}, "each mail once"
    must = {(one.id, brand) for one in truth_of(observations).values() if one.must_wake for brand in one.about}
    assert len(must) > 20
    assert told[0] & must == told[1] & must == must


class Workers:
    def __init__(self, folder: Path, address: str, partitions: int) -> None:
        self._command = [sys.executable, str(WORKER), str(folder), address, str(partitions)]
        self._living: list[subprocess.Popen[bytes]] = []

    def one_more(self) -> None:
        self._living.append(subprocess.Popen(self._command, cwd=ROOT))

    def killed(self) -> None:
        """The first one ends as by a power cut, and another begins."""
        first = self._living.pop(0)
        first.kill()
        first.wait()
        self.one_more()

    def ended(self) -> list[int]:
        for process in self._living:
            process.send_signal(signal.SIGTERM)
        return [process.wait(60) for process in self._living]

    def fell(self) -> bool:
        return any(process.poll() is not None for process in self._living)


@contextmanager
def running(
    folder: Path, address: str, partitions: int, observations: Sequence[Post], *, processes: int = 1
) -> Iterator[tuple[EmbeddedLog, Engine, Workers]]:
    """A log with all of them, and processes at work on it."""
    folder.mkdir()
    log, engine, workers = open_log(folder, partitions), open_database(address), Workers(folder, address, partitions)
    try:
        for at in range(0, len(observations), AT_ONCE):
            log.append([Append(POSTS, post.id, encode(post)) for post in observations[at : at + AT_ONCE]])
        for _ in range(processes):
            workers.one_more()
        yield log, engine, workers
        assert not workers.fell(), "a worker ended by itself; its words are above"
    finally:
        workers.ended()
        log.close()
        engine.dispose()


def settled(log: EmbeddedLog, engine: Engine, *, mails: bool = False) -> None:
    """Wait until nothing waits anywhere."""
    until(lambda: not any(waiting(log, engine, mails)), lambda: waiting(log, engine, mails))
    assert not [p for p, (low, end) in log.bounds(DEAD_LETTER).items() if end > low], "dead letters"


def waiting(log: EmbeddedLog, engine: Engine, mails: bool) -> tuple[int, ...]:
    """Records, rows and accounts that wait, in the order in which posts go."""
    nlp = log.lag("nlp", POSTS)
    with read(engine) as connection:
        done = dict(rows(connection, "SELECT part, next FROM stored_offset"))
        left = sum(end - max(low, done.get(p, 0)) for p, (low, end) in log.bounds(MENTIONS).items())
        accounts = absence.waiting(connection)
        outbox = rows(connection, "SELECT count(*) FROM outbox")[0][0]
        alerts = rows(connection, "SELECT count(*) FROM alert WHERE state = 'pending'")[0][0]
        unsent = rows(connection, "SELECT count(*) FROM mail WHERE state NOT IN ('sent', 'dropped')")[0][0]
    return (nlp, left, accounts, outbox, *((alerts, unsent) if mails else ()))


def routed(engine: Engine) -> int:
    with read(engine) as connection:
        found: int = rows(connection, "SELECT coalesce(sum(next), 0) FROM stored_offset")[0][0]
    return int(found)


def until(true: Callable[[], bool], standing: Callable[[], object]) -> None:
    """Fails where nothing moves for STILL seconds."""
    last, moved = standing(), time.monotonic()
    while not true():
        time.sleep(0.5)
        now = standing()
        if now != last:
            last, moved = now, time.monotonic()
        elif time.monotonic() - moved > STILL:
            pytest.fail(f"nothing moves any more: {now}")


def after_a_reprocess(engine: Engine) -> Outcome:
    """What stands once today's rules have decided every mention anew."""
    desk, after, done = Desk(IN_FORCE), 0, False
    while not done:
        progress = decide_anew(engine, desk, 0, 2**62, time.time_ns() // 1_000_000, after=after)
        after, done = progress.after, progress.done
    return outcome(engine)


def _told(engine: Engine) -> set[tuple[str, str]]:
    """(post, brand) of every alert that a sent mail tells of."""
    with read(engine) as connection:
        return set(map(tuple, rows(connection, _TOLD)))


_MESSAGE_ID = re.compile(rb"^Message-ID: (.+)$", re.MULTILINE)
_TOLD = (
    "SELECT p.id, d.value FROM mail JOIN mail_item i ON i.mail = mail.id JOIN alert a ON a.id = i.alert "
    "JOIN mention m ON m.n = a.mention_n JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = m.brand "
    "WHERE mail.state = 'sent'"
)
