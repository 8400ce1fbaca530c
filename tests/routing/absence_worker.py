"""A process for the kill test: takes along the posts of accounts that went away, two at a time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from route_home import NOW, FixedRegistry  # noqa: E402

from database.engine import open_database  # noqa: E402
from routing import absence  # noqa: E402
from routing.desk import Desk  # noqa: E402


def main(path: str) -> None:
    engine = open_database(path)
    desk = Desk(FixedRegistry().current())
    print("ready", flush=True)
    while absence.sweep(engine, desk, NOW, most=2).more:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
