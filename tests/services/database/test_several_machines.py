"""What one process of all machines does is done by another one within half a minute, however that one ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from database.engine import open_database, read, rows, size_on_server, write
from database.tenure import Tenure
from ingest import taken
from ingest.taken import KEPT, Last, Taken
from stream.clock import WallClock
from stream.ports import Transient
from tests.services.postgres_server import PostgresServer
from web import tokens

pytestmark = pytest.mark.services

WORKER = Path(__file__).with_name("machine_worker.py")
ROOT = Path(__file__).parents[3]
SECONDS = 30.0
"""What docs/scaling.md promises."""


@contextmanager
def another_machine(address: str, *, in_a_transaction: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process there that has the lease by now."""
    command = [sys.executable, str(WORKER), address, "thing", "yes" if in_a_transaction else "no"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds it\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def take_over(tenure: Tenure) -> None:
    """As a chore does it: what passes is tried again."""
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        try:
            if tenure.hold():
                return
        except Transient:
            continue
        time.sleep(0.25)
    pytest.fail(f"nobody has taken over within {SECONDS:g} s")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_who_is_no_more_heard_of_is_followed(address: str, engine: Engine, how: signal.Signals) -> None:
    here = Tenure(engine, "thing", WallClock())
    with another_machine(address) as there:
        assert not here.hold()
        there.send_signal(how)
        take_over(here)
        if how == signal.SIGSTOP:
            assert _goes_on(there) == "LeaseLost\n"
    with write(engine) as connection:
        here.guard(connection)
    assert not _written(engine)


def test_who_stands_still_in_the_middle_of_a_transaction_is_followed(address: str, engine: Engine) -> None:
    here = Tenure(engine, "thing", WallClock())
    with another_machine(address, in_a_transaction=True) as there:
        there.send_signal(signal.SIGSTOP)
        take_over(here)
        assert _goes_on(there) == "Transient\n"
    assert not _written(engine)


def test_what_is_remembered_anew_while_the_old_is_forgotten_stays(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who remembers goes beside other writers."""
    plain, late = taken.many, KEPT + 10
    here, there = Taken(engine), Taken(engine)
    here.remember("shop", {item: Last("1", 1) for item in "abc"}, None, 1)
    there.remember("another shop", {"a": Last("1", late)}, None, 1)

    def after_another(connection: object, sql: str, values: object) -> int:
        if sql.startswith("DELETE FROM webhook_item"):
            monkeypatch.setattr(taken, "many", plain)
            there.remember("shop", {"b": Last("2", late)}, None, late)
        return plain(connection, sql, values)  # type: ignore[arg-type]

    monkeypatch.setattr(taken, "many", after_another)
    here.prune(late)
    assert here.last("shop", ["a", "b", "c"]) == {"b": Last("2", late)}


def test_of_machines_that_start_at_once_one_shows_the_first_token(address: str, engine: Engine) -> None:
    start, shown = threading.Barrier(4), list[str | None]()

    def first() -> None:
        mine = open_database(address)
        start.wait()
        shown.append(tokens.issue_first(mine, 1))
        mine.dispose()

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (token,) = [one for one in shown if one is not None]
    assert tokens.scope_of(engine, token) is not None, "it is good"


def test_the_size_on_the_server_is_known(postgres: PostgresServer, engine: Engine) -> None:
    with read(engine) as connection:
        found = size_on_server(connection)
        assert [(found,)] == rows(connection, "SELECT pg_database_size(current_database())")
    assert found is not None
    assert found > 1_000_000


def _goes_on(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.send_signal(signal.SIGCONT)
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def _written(engine: Engine) -> bool:
    with read(engine) as connection:
        return bool(rows(connection, "SELECT 1 FROM serial WHERE name = 'written too late'"))
