"""A process of a home on several machines: `scale_worker.py FOLDER DATABASE PARTITIONS`. Understands, routes, relays,
mails into a file of its own and keeps SQL, as the others do, until SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "simulation"), str(TESTS.parent), str(Path(__file__).parent)]

import simulated_world  # noqa: E402
from scale_posts import said_in_its_world  # noqa: E402
from simulated_posts import BRANDS  # noqa: E402
from simulated_world import MAIL, PERSON, RULES, Understand  # noqa: E402

from clamor.chores import by_one  # noqa: E402
from clamor.threads import Chore, run_threads  # noqa: E402
from config.brands import Brand  # noqa: E402
from database.engine import open_database, read  # noqa: E402
from database.tenure import Tenure  # noqa: E402
from routing import absence  # noqa: E402
from routing.counts import fold  # noqa: E402
from routing.desk import Desk  # noqa: E402
from routing.mail.mailbox import MailboxTransport  # noqa: E402
from routing.mailer import Mailer  # noqa: E402
from routing.relay import Relay  # noqa: E402
from routing.work import RouteWork  # noqa: E402
from stream.clock import DAY, WallClock  # noqa: E402
from stream.embedded import EmbeddedLog, LogSettings  # noqa: E402
from stream.ports import TOPICS, InForce, TopicSpec  # noqa: E402
from stream.stage import Stage, StageOptions  # noqa: E402

IN_FORCE = InForce(1, tuple(Brand(id=brand, name=brand) for brand in BRANDS), 1, RULES)


class Fixed:
    def current(self) -> InForce:
        return IN_FORCE


def open_log(folder: Path, partitions: int) -> EmbeddedLog:
    log = EmbeddedLog(folder / "log.db", WallClock(), LogSettings(fsync="normal"))
    log.ensure([TopicSpec(topic, partitions, 100 * DAY) for topic in TOPICS])
    return log


def main(folder: Path, address: str, partitions: int) -> None:
    told = False

    def stop(*_: object) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, stop)
    # Copies are those of one world.
    simulated_world.said_by = said_in_its_world
    clock, log, engine = WallClock(), open_log(folder, partitions), open_database(address)
    options = StageOptions(max_batch=350)
    routing = RouteWork(open_database(address), Fixed(), epoch=log.epoch(), clock=clock)
    stages = [Stage(log, work, clock, options=options) for work in (Understand(), routing)]
    relay, tenure, desk = Relay(engine, log, clock), Tenure(engine, "keeper", clock), Desk(IN_FORCE)
    mails = Mailer(engine, clock, MailboxTransport(folder / f"{os.getpid()}.mbox"), lambda: [PERSON], MAIL)

    def take_along() -> bool:
        with read(engine) as connection:
            if not absence.waiting(connection):
                return False
        return absence.sweep(engine, desk, clock.now()).more

    chores = [
        Chore("relay", lambda: relay.step() > 0, 0.05, relay.close),
        Chore("mailer", lambda: mails.step(clock.now()).more, 0.25, mails.close),
        *by_one(
            tenure,
            Chore("absences", take_along, 0.2),
            Chore("compactor", lambda: fold(engine) > 0, 0.5),
        ),
    ]
    run_threads(stages, chores, lambda: told)
    log.close()
    engine.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
