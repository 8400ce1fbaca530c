"""Architecture, promise 1, on Kafka, Elasticsearch and PostgreSQL: nothing lost, nothing twice, whichever process or
server is killed at whatever instant, and however long a server is away."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import psutil
import pytest
from big_program import BigProgram, CatchingUp, Feeder
from program import SOAK, said, wait_until
from stories import doubled, history, judge

ROUNDS = 240 if SOAK else 6
DOWN = 8.0 if SOAK else 3.0
"""Seconds, at most, that a killed server stays away in a round."""
AWAY = 180.0 if SOAK else 20.0
"""Seconds of the long absences."""
POSTS_A_ROUND = 15
pytestmark = [pytest.mark.services, pytest.mark.timeout(6 * 3_600 if SOAK else 1_200)]

Run: TypeAlias = "subprocess.Popen[bytes]"
Fault: TypeAlias = Callable[[BigProgram, Run, random.Random], Run]


def kill_children(program: BigProgram, run: Run, dice: random.Random) -> Run:
    children = program.children(run)
    for victim in dice.sample(children, k=min(dice.choice((1, 1, 2)), len(children))):
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    return run


def kill_supervisor(program: BigProgram, run: Run, dice: random.Random) -> Run:
    run.kill()
    run.wait()
    return program.start_again()


def kill_all(program: BigProgram, run: Run, dice: random.Random) -> Run:
    program.kill(run)
    return program.start("run")


def kill_kafka(program: BigProgram, run: Run, dice: random.Random) -> Run:
    program.engines.kafka.kill()
    time.sleep(dice.uniform(0, DOWN))
    program.engines.kafka.start()
    return run


def kill_elastic(program: BigProgram, run: Run, dice: random.Random) -> Run:
    program.engines.elastic.kill()
    time.sleep(dice.uniform(0, DOWN))
    program.engines.elastic.start()
    return run


def kill_postgres(program: BigProgram, run: Run, dice: random.Random) -> Run:
    program.engines.postgres.stop(signal.SIGKILL)
    time.sleep(dice.uniform(0, DOWN))
    program.engines.postgres.start()
    return run


FAULTS: dict[str, Fault] = {
    "processes": kill_children,
    "kafka": kill_kafka,
    "all of clamor": kill_all,
    "elasticsearch": kill_elastic,
    "supervisor": kill_supervisor,
    "postgresql": kill_postgres,
}


def test_kill_9_of_any_process_and_any_server_under_load(big: BigProgram) -> None:
    """After each: final states in index, cases and counts exactly once, no alert lost, no mail twice."""
    dice = random.Random(ROUNDS)
    run = big.start("run")
    final: dict[int, str | None] = {}
    catching_up = CatchingUp()
    names = list(FAULTS)
    for number in range(ROUNDS):
        fault = names[number % len(names)]
        posts = range(number * POSTS_A_ROUND, (number + 1) * POSTS_A_ROUND)
        with Feeder(big, [history(dice, post, final) for post in posts], pace=0.15):
            time.sleep(dice.uniform(0.0, 2.0))
            run = FAULTS[fault](big, run, dice)
            over = time.monotonic()
        catching_up.wait(big, fault, over)
        judge(big, final, posts)
    judge(big, final)
    print(f"{ROUNDS} rounds, {len(final)} posts, {len(big.mails())} mails; caught up after {catching_up}")
    assert doubled(big) == 0, "a mailbox file leaves no window for a double"
    assert big.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")
    assert big.stop(run) == 0


def test_kafka_is_away_for_long(big: BigProgram) -> None:
    def told(found: subprocess.CompletedProcess[str]) -> None:
        assert "Kafka at" in " ".join(found.stderr.split())

    _away(big, "kafka", big.engines.kafka.kill, big.engines.kafka.start, told)


def test_postgresql_is_away_for_long(big: BigProgram) -> None:
    def told(found: subprocess.CompletedProcess[str]) -> None:
        assert "the database postgresql" in " ".join(found.stderr.split())

    _away(big, "postgresql", lambda: big.engines.postgres.stop(signal.SIGKILL), big.engines.postgres.start, told)


def test_elasticsearch_is_away_for_long_and_alerts_do_not_wait_for_it(big: BigProgram) -> None:
    def told(found: subprocess.CompletedProcess[str]) -> None:
        with Feeder(big, [[said(9_000, text)]], pace=0):
            pass
        wait_until(lambda: big.sql(mailed) == [(1,)], "the alert is mailed while the index is away")

    text = "Marlin Ferries mayday while the index is away"
    mailed = (
        "SELECT count(*) FROM mail JOIN mail_item i ON i.mail = mail.id JOIN alert a ON a.id = i.alert"
        " JOIN mention m ON m.n = a.mention_n JOIN post p ON p.n = m.post WHERE p.id = 'x:9000' AND mail.state = 'sent'"
    )
    final = {9_000: text}
    _away(big, "elasticsearch", big.engines.elastic.kill, big.engines.elastic.start, told, final)


def _away(
    program: BigProgram,
    name: str,
    kill: Callable[[], None],
    start: Callable[[], None],
    told: Callable[[subprocess.CompletedProcess[str]], None],
    also: dict[int, str] | None = None,
) -> None:
    """Posts come before, while it is away and afterwards; a person who asks meanwhile is told which server it is."""
    dice = random.Random(name)
    run = program.start("run")
    final: dict[int, str | None] = {}
    catching_up = CatchingUp()
    with Feeder(program, [history(dice, n, final) for n in range(20)], pace=0.05):
        pass
    with Feeder(program, [history(dice, n, final) for n in range(20, 60)], pace=AWAY / 60):
        kill()
        began = time.monotonic()
        asked = program.clamor("status")
        assert "Traceback" not in asked.stdout + asked.stderr
        told(asked)
        time.sleep(max(0.0, AWAY - (time.monotonic() - began)))
        assert run.poll() is None
        start()
        over = time.monotonic()
    catching_up.wait(program, name, over)
    judge(program, {**final, **(also or {})})
    print(f"away for {AWAY:.0f} s; caught up after {catching_up}")
    assert doubled(program) == 0
    assert program.stop(run) == 0
