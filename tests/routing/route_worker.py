"""A routing process for the kill test: routes the story from its stored offset on, batch by batch."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from route_home import NOW, FixedRegistry, as_log  # noqa: E402
from route_story import story  # noqa: E402

from database.engine import open_database  # noqa: E402
from routing.counts import fold  # noqa: E402
from routing.work import RouteWork  # noqa: E402
from stream.ports import Commit  # noqa: E402

BATCH = 7


def main(path: str) -> None:
    engine = open_database(path)
    work = RouteWork(engine, FixedRegistry())
    at = work.offsets(frozenset({0}), "log-1").get(0, 0)
    records = as_log(story())
    print("ready", flush=True)
    while at < len(records):
        batch = records[at : at + BATCH]
        work.run(batch, [Commit("mentions", 0, at, at + len(batch))], NOW)
        at += len(batch)
        fold(engine, most=5)
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
