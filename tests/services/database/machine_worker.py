"""A process on another machine: `machine_worker.py DATABASE NAME IN_A_TRANSACTION`. Takes the lease NAME and says so;
then stands still, where it is asked to in the middle of a transaction under that lease; at last says how that ended.
"""

from __future__ import annotations

import logging
import sys

import structlog

from database.engine import many, open_database, write
from database.tenure import LeaseLost, Tenure
from stream import process
from stream.clock import WallClock
from stream.ports import Transient

WRITTEN = "INSERT INTO serial (name, next) VALUES ('written too late', 1)"


def main(address: str, name: str, in_a_transaction: bool) -> None:
    # Its words are read line by line: a log on the same way would come between them.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    process.here = lambda: "another machine"
    engine = open_database(address)
    mine = Tenure(engine, name, WallClock())
    assert mine.hold()
    if not in_a_transaction:
        print("holds it", flush=True)
        sys.stdin.readline()
    try:
        with write(engine) as connection:
            mine.guard(connection)
            if in_a_transaction:
                print("holds it", flush=True)
                sys.stdin.readline()
            many(connection, WRITTEN, [()])
    except (LeaseLost, Transient) as late:
        print(type(late).__name__, flush=True)
        return
    print("written", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "yes")
