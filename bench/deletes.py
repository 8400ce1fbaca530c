"""How long a text can still be reached after the network has said that its post is gone.

    python -m bench.deletes                      by sweeps, then by deletes that the network tells of itself
    python -m bench.deletes --by sweep --seconds 120 --held 2000

The program measured is the real one in its own processes, on a home in a temporary folder; only its network is a
stand-in on this machine (`tests/standins/board.py`), on which posts appear and go meanwhile. The time runs from the
stand-in's answer that first says `gone` until the post is seen no more in SQL, in its case, in a search of the index,
and in the API's answers, each looked at again and again from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.pipeline import wait_for
from tests.board import BoardSource
from tests.standins.board import Board

CONFIGURATION = """\
brands:
  - {id: acme, name: Acme Air}
mail: {host: null}
understanding: {model: linear}
"""
BY = ("sweep", "stream")
PLACES = ("SQL", "cases", "search", "API")
LOOK = 0.02
PATIENCE = 180.0


class Seen(NamedTuple):
    """Ids of posts that can be reached in a place, and when that was known."""

    ids: set[str]
    at: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by", choices=BY, nargs="+", default=list(BY))
    parser.add_argument("--held", type=int, default=600, help="posts that are there before")
    parser.add_argument("--rate", type=float, default=5.0, help="posts a second that come meanwhile")
    parser.add_argument("--deletes", type=float, default=2.0, help="a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--program", nargs=3, metavar=("HOME", "URL", "BY"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.program:
        program(*asked.program)
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; the linear model")
    for by in asked.by:
        measure(by, asked.held, asked.rate, asked.deletes, asked.seconds)


def program(home: str, url: str, by: str) -> None:
    """`clamor run` with the board among its networks."""
    from clamor import cli
    from clamor.networks import NETWORKS, Network
    from database.registry import SqlRegistry

    every = [{"younger_than": "1d", "every": "2s"}] if by == "sweep" else []
    source = BoardSource.model_validate({"id": "board", "url": url, "look_again": every})
    NETWORKS["board"] = Network("tests.board")
    adopt: Any = SqlRegistry._adopt

    def adopted(registry: Any, *held: Any) -> None:
        adopt(registry, *held)
        registry._sources = (source,)
        registry._in_force = registry._in_force._replace(swept=frozenset({"board"} if every else ()))

    SqlRegistry._adopt = adopted  # type: ignore[method-assign]
    cli.program("run")(args=["--home", home, "run"])


def measure(by: str, held: int, rate: float, deletes: float, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, Board() as board:
        board.tells = by == "stream"
        home, port = Path(folder) / "home", random.randint(20_000, 60_000)
        home.mkdir()
        (home / "clamor.yaml").write_text(CONFIGURATION, encoding="utf-8")
        with running(home, board.url, by, port) as environment:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            found = watched(board, home, port, (held, rate, deletes, seconds))
            command = [sys.executable, "-m", "clamor.cli", "--home", str(home), "status", "--json"]
            status = json.loads(subprocess.check_output(command, env=environment))
    own = status["erasure"]["unreachable"]
    print(f"\nby {by}: {held} posts held, {rate:g} more and {deletes:g} deletes a second for {seconds:g} s")
    for place in PLACES:
        took = sorted(found[place])
        figures = ", ".join(f"{name} {value:.2f} s" for name, value in figures_of(took).items())
        print(f"  {place:7} {figures} over {len(took)} deletes")
    for place, spans in own.items():
        took = spans["hour"]
        print(f"  as clamor status says, {place}: p50 {took['p50']} ms, p99 {took['p99']} ms over {took['count']}")


@contextmanager
def running(home: Path, url: str, by: str, port: int) -> Iterator[dict[str, str]]:
    environment = {**os.environ, "CLAMOR_API__PORT": str(port)}
    command = [sys.executable, "-m", "bench.deletes", "--program", str(home), url, by]
    started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield environment
    finally:
        started.terminate()
        started.wait(60)


def watched(board: Board, home: Path, port: int, asked: tuple[int, float, float, float]) -> dict[str, list[float]]:
    """Seconds from the network's word to unreachable, by place."""
    from clamor.opening import open_home
    from config.home import Home

    held, rate, deletes, seconds = asked
    for number in range(held):
        publish(board, number)
    with open_home(Home.at(home), use="check") as opened:
        places = Places(opened, token(home), port)
        until(lambda: len(places.live()) == held)
        until(lambda: places.look({str(held)})["search"].ids)
        began, number, gone = time.monotonic(), held, set[str]()
        when: dict[str, dict[str, float]] = {place: {} for place in PLACES}
        while (passed := time.monotonic() - began) < seconds or any(gone - when[place].keys() for place in PLACES):
            if passed < seconds:
                while number - held < passed * rate:
                    publish(board, number)
                    number += 1
                while len(gone) < passed * deletes:
                    id = next(id for id in board.posts if random.random() < 0.1)
                    board.delete(id, loudly=True)
                    gone.add(id)
            elif passed > seconds + PATIENCE:
                left = {place: len(gone - when[place].keys()) for place in PLACES}
                raise SystemExit(f"deletes that did not come through: {left}")
            told = gone & board.told_at.keys()
            pending = {id for id in told if any(id not in when[place] for place in PLACES)}
            for place, seen in places.look(pending).items():
                for id in told - when[place].keys() - seen.ids:
                    when[place][id] = seen.at
            time.sleep(LOOK)
        until(lambda: places.counted() == len(places.live()))
    return {place: [at - board.told_at[id] for id, at in ends.items()] for place, ends in when.items()}


class Places:
    """Where a text can be reached, from outside the program."""

    def __init__(self, opened: Any, key: str, port: int) -> None:
        self._opened, self._key, self._port = opened, key, port

    def look(self, pending: set[str]) -> dict[str, Seen]:
        in_case = "EXISTS (SELECT 1 FROM cases c WHERE c.id = m.case_id AND c.live = 1)"
        return {
            "SQL": Seen(self.live() & pending, time.time()),
            "cases": Seen(self.live(in_case) & pending, time.time()),
            "search": Seen({id for id in pending if self._found(id)}, time.time()),
            "API": Seen({id for id in pending if self._answered(id)}, time.time()),
        }

    def live(self, which: str = "1 = 1") -> set[str]:
        from database.engine import read, rows

        sql = f"SELECT p.id FROM mention m JOIN post p ON p.n = m.post WHERE m.state = 'live' AND {which}"
        with read(self._opened.engine) as connection:
            return {native(id) for (id,) in rows(connection, sql)}

    def counted(self) -> int:
        """Mentions by the counts that dashboards show."""
        from database.engine import read, rows

        both = "SELECT mentions FROM count_minute UNION ALL SELECT mentions FROM count_delta"
        with read(self._opened.engine) as connection:
            return int(rows(connection, f"SELECT coalesce(sum(mentions), 0) FROM ({both}) AS counted")[0][0])

    def _found(self, id: str) -> bool:
        from query.parse import parse
        from stream.ports import EVERYTHING

        node = parse(f'id:"board:{id}"', now=self._opened.clock.now(), context="search")
        return bool(self._opened.store.search(node, EVERYTHING, limit=1).hits)

    def _answered(self, id: str) -> bool:
        address = f"http://127.0.0.1:{self._port}/api/mentions/board:{id}%23acme"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self._key}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return b"lost my bag" in answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False


def token(home: Path) -> str:
    command = [sys.executable, "-m", "clamor.cli", "--home", str(home), "token", "new", "bench"]
    said = subprocess.check_output(command, text=True).split()
    return max(said, key=len)


def publish(board: Board, number: int) -> None:
    board.publish(f"Acme Air lost my bag again, number {number}, I want my money back", int(time.time() * 1000))


def native(id: str) -> str:
    return id.partition(":")[2]


def until(holds: Any) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > ends:
            raise SystemExit("what the program holds did not become what was published")
        time.sleep(0.2)


def figures_of(ordered: list[float]) -> dict[str, float]:
    last = len(ordered) - 1
    return {"p50": ordered[last // 2], "p99": ordered[min(last, round(0.99 * last))], "most": ordered[last]}


if __name__ == "__main__":
    main()
