"""The real command line on a home whose database is on a server, and a server that is killed under it."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from living import CONFIGURATION
from route_home import NOW, FixedRegistry, RouteHome, as_log
from route_story import story
from sqlalchemy.engine import make_url
from test_work_kill import calm, state
from typed import clamor

from clamor import exits
from database.engine import open_database
from routing.work import RouteWork
from stream.ports import Commit, Transient
from tests.places import keeping, new_database
from tests.services.postgres_server import USER, PostgresServer

pytestmark = pytest.mark.services

BATCH = 7
"""As test_work_kill's."""
ENGINE = """\
engines:
  database: {{kind: postgres, host: 127.0.0.1, port: {port}, name: {name}, user: {user}, security: none,
    password_env: CLAMOR_TEST_DATABASE}}
"""


def row(number: int, text: str) -> str:
    at = f"2026-03-01T10:{number:02}:00Z"
    return json.dumps({"id": f"x:{number}", "text": text, "created_at": at, "author": "ana"})


def test_a_home_with_its_database_on_a_server(postgres: PostgresServer, tmp_path: Path) -> None:
    name = make_url(new_database(tmp_path, filled=False)).database
    home = tmp_path / "home"
    assert clamor(home, "init").code == exits.OK
    (home / "clamor.yaml").write_text(CONFIGURATION + ENGINE.format(port=postgres.port, name=name, user=USER))
    (home / "secrets.env").write_text(f"CLAMOR_TEST_DATABASE={postgres.password}\n")
    checked = clamor(home, "check")
    assert (checked.code, checked.err) == (exits.OK, "")
    file = tmp_path / "x.jsonl"
    file.write_text("\n".join(row(n, f"Acme Air lost my bag, suitcase number {n}") for n in range(6)) + "\n")
    told = [clamor(home, "replay", str(file)), clamor(home, "search", "brand:acme", "--count")]
    assert [one.code for one in told] == [exits.OK, exits.OK], told
    assert told[1].out == "6\n"
    told += [clamor(home, "explain", "x:1"), clamor(home, "correct", "x:1#acme", "--queue", "pr", "--by", "ana")]
    told += [clamor(home, "status", "--json"), clamor(home, "apply", "--dry-run"), clamor(home, "token", "list")]
    assert [one.code for one in told[2:5]] == [exits.OK] * 3, told[2:5]
    assert json.loads(told[4].out)["posts"] == 6
    refused = clamor(home, "backup", str(tmp_path / "kept"))
    assert refused.code != exits.OK
    assert "pg_dump" in refused.err
    assert not (home / "data" / "app.db").exists()
    assert not any(postgres.password in one.out + one.err for one in (*told, refused))
    holds = [path for path in home.rglob("*") if path.is_file() and postgres.password.encode() in path.read_bytes()]
    assert holds == [home / "secrets.env"]


def test_kill_9_of_the_server_during_batches_leaves_every_effect_exactly_once(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with keeping("sqlite"):
        expected = calm(tmp_path)
    home, done, faults = RouteHome(tmp_path), threading.Event(), list[BaseException]()

    def route() -> None:
        """As a stage does: a fault that passes is tried again, from where SQL says that it stands."""
        engine = open_database(home.address)
        work, records = RouteWork(engine, FixedRegistry()), as_log(story())
        try:
            while not done.is_set():
                try:
                    at = work.offsets(frozenset({0}), "log-1").get(0, 0)
                    while at < len(records):
                        batch = records[at : at + BATCH]
                        work.run(batch, [Commit("mentions", 0, at, at + len(batch))], NOW)
                        at += len(batch)
                    done.set()
                except Transient:
                    time.sleep(0.02)
        except BaseException as fault:
            faults.append(fault)
            done.set()
        finally:
            engine.dispose()

    dice, worker = random.Random(5), threading.Thread(target=route)
    worker.start()
    kills = 0
    while kills < 5 and not done.wait(dice.uniform(0.01, 0.1)):
        postgres.stop(signal.SIGKILL)
        postgres.start()
        kills += 1
    worker.join()
    assert faults == []
    assert kills, "it was done before the first kill"
    assert state(home) == expected
    home.close()
