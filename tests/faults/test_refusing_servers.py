"""Servers that are there and refuse: an index that takes no writes, transactions that fail at their end or halfway."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pytest
from big_program import BigProgram, CatchingUp, Feeder
from program import SOAK, wait_until
from stories import doubled, history, judge

from tests.services.postgres_server import USER

BATCHES = 400 if SOAK else 40
BLOCK = "index.blocks.read_only_allow_delete"
pytestmark = [pytest.mark.services, pytest.mark.timeout(7_200 if SOAK else 600)]


def test_an_index_that_is_read_only_since_a_disk_is_full(big: BigProgram) -> None:
    """The cluster sets the block itself at its flood stage, and lifts it when there is room."""
    dice, final = random.Random(1), dict[int, str | None]()
    catching_up = CatchingUp()
    run = big.start("run")
    with Feeder(big, [history(dice, n, final) for n in range(20)], pace=0.05):
        pass
    big.wait()
    with _flood_stage(big):
        wait_until(lambda: "true" in _blocks(big), "the cluster has blocked our indices", 120)
        with Feeder(big, [history(dice, n, final) for n in range(20, 20 + BATCHES)], pace=0.05):
            pass
        wait_until(lambda: "read-only" in big.words(), "the log says why")
        state = json.loads(big.clamor("status", "--json").stdout)
        assert next(one["lag"] for one in state["stages"] if one["stage"] == "index") > 0
    over = time.monotonic()
    catching_up.wait(big, "read-only index", over)
    judge(big, final)
    print(f"caught up after {catching_up}")
    assert doubled(big) == 0
    assert big.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")
    assert big.stop(run) == 0


def test_transactions_that_fail_at_their_very_end(big: BigProgram) -> None:
    """All was written and the commit is refused, for want of disk, one time in three: nothing of it counts."""
    dice, final = random.Random(2), dict[int, str | None]()
    run = big.start("run")
    with _database(big) as ask:
        ask(_FAILS)
        for table in ("stored_offset", "mail"):
            ask(_FAILS_AT_COMMIT.format(table=table))
        with Feeder(big, [history(dice, n, final) for n in range(BATCHES)], pace=0.1):
            pass
        wait_until(lambda: "its disk is full" in big.words(), "a commit failed")
        for table in ("stored_offset", "mail"):
            ask(f"DROP TRIGGER clamor_fails ON {table}")
    _well_again(big, final, "failing commits")
    assert big.stop(run) == 0


def test_connections_that_are_cut_in_the_middle_of_transactions(big: BigProgram) -> None:
    dice, final = random.Random(3), dict[int, str | None]()
    run = big.start("run")
    cut = 0
    with _database(big) as ask, Feeder(big, [history(dice, n, final) for n in range(BATCHES)], pace=0.1):
        end = time.monotonic() + BATCHES * 0.1
        while time.monotonic() < end:
            cut += len(ask(f"SELECT pg_terminate_backend(pid) {_IN_A_TRANSACTION}", big.database))
            time.sleep(dice.uniform(0.0, 0.05))
    assert cut > 0
    _well_again(big, final, f"{cut} cut connections")
    assert big.stop(run) == 0


def test_a_process_of_the_server_that_crashes_in_the_middle_of_a_transaction(big: BigProgram) -> None:
    """The server throws everybody out and recovers."""
    dice, final = random.Random(4), dict[int, str | None]()
    run = big.start("run")
    crashes = 0
    with Feeder(big, [history(dice, n, final) for n in range(BATCHES)], pace=0.2):
        for _ in range(20 if SOAK else 2):
            wait_until(lambda: _crash(big), "a transaction is under way")
            crashes += 1
            time.sleep(dice.uniform(1.0, 3.0))
    _well_again(big, final, f"{crashes} crashes of a backend")
    assert big.stop(run) == 0


def _well_again(program: BigProgram, final: dict[int, str | None], fault: str) -> None:
    catching_up = CatchingUp()
    catching_up.wait(program, fault, time.monotonic())
    judge(program, final)
    print(f"caught up after {catching_up}")
    assert doubled(program) == 0
    assert program.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")


_FAILS = """
CREATE FUNCTION clamor_fails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF random() < 0.33 THEN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END IF;
  RETURN NULL;
END $$
"""
_FAILS_AT_COMMIT = (
    "CREATE CONSTRAINT TRIGGER clamor_fails AFTER INSERT OR UPDATE ON {table} "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION clamor_fails()"
)
_IN_A_TRANSACTION = (
    "FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() AND xact_start IS NOT NULL "
    "AND backend_type = 'client backend'"
)


@contextmanager
def _database(program: BigProgram) -> Iterator[Any]:
    """Asks the home's database, each statement a transaction of its own."""
    import psycopg

    server = program.engines.postgres
    with psycopg.connect(
        host="127.0.0.1", port=server.port, dbname=program.database, user=USER, password=server.password,
        autocommit=True,
    ) as connection:  # fmt: skip

        def ask(sql: str, *values: object) -> list[Any]:
            cursor = connection.execute(sql, values or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

        yield ask


def _crash(program: BigProgram) -> bool:
    """Kills a backend that is in a transaction; whether there was one."""
    import psycopg

    try:
        with _database(program) as ask:
            found = ask(f"SELECT pid {_IN_A_TRANSACTION} LIMIT 1", program.database)
    except psycopg.OperationalError:
        return False
    if not found:
        return False
    try:
        os.kill(found[0][0], signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def _flood_stage(program: BigProgram) -> Iterator[None]:
    """Any disk has less free than the cluster asks for meanwhile."""
    watermark = "cluster.routing.allocation.disk.watermark"
    strict = {
        "cluster.routing.allocation.disk.threshold_enabled": True,
        f"{watermark}.low": "300000gb",
        f"{watermark}.high": "200000gb",
        f"{watermark}.flood_stage": "100000gb",
        "cluster.info.update.interval": "10s",
    }
    loose = {f"{watermark}.low": "3b", f"{watermark}.high": "2b", f"{watermark}.flood_stage": "1b"}
    _tell(program, strict)
    try:
        yield
    finally:
        _tell(program, loose)
        wait_until(lambda: "true" not in _blocks(program), "the cluster has lifted the block", 120)
        _tell(program, dict.fromkeys(strict))


def _tell(program: BigProgram, settings: dict[str, Any]) -> None:
    request = Request(
        f"{program.engines.elastic.address}/_cluster/settings",
        json.dumps({"persistent": settings}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _blocks(program: BigProgram) -> str:
    """What the settings of our indices say of the block."""
    with urlopen(f"{program.engines.elastic.address}/{program.database}-*/_settings/{BLOCK}", timeout=30) as answer:
        found: str = answer.read().decode()
    return found
