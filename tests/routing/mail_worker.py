"""A program that runs the mailer and may be killed at any instant: `mail_worker.py HOME DATABASE PORT`.

Prints the number of the process that mails; for each line on its standard input it starts another, once that is dead.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from mail_home import SETTINGS, smtp

from database.engine import open_database
from routing.mailer import Mailer
from routing.people_to_tell import Person
from stream.clock import WallClock

PEOPLE = [Person(id=f"p{n}", name=f"Person {n}", email=f"p{n}@example.org", max_mails_per_hour=1000) for n in range(2)]


def main(folder: Path, address: str, port: int) -> None:
    while True:
        child = os.fork()
        if child == 0:
            mail(folder, address, port)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        if not sys.stdin.readline():
            return


def mail(folder: Path, address: str, port: int) -> None:
    engine = open_database(address)
    mailer = Mailer(engine, WallClock(), smtp(port), lambda: PEOPLE, SETTINGS, journal=folder / "mail.journal")
    mailer.run(threading.Event())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
