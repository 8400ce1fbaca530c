"""Which stages run in which process, and what each process does besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import structlog

from clamor import chores, logs
from clamor.opening import Opened, open_home
from clamor.supervisor import ProcessSpec
from clamor.threads import run_threads
from config.home import Home
from database.registry import SqlRegistry
from index.work import IndexWork
from routing.work import RouteWork
from stream.ports import DECIDED, MENTIONS, Work
from stream.stage import Stage, StageOptions
from stream.status import Pressure

if TYPE_CHECKING:
    from nlp.language import Languages
    from nlp.linear import LinearClassifier

log = structlog.get_logger(__name__)

Stop = Callable[[], bool]

BATCH = 500
SQL_BATCH = 350
"""What routing writes to SQL in one transaction: others wait for it, 50 ms at most on a quiet machine."""
FULL = 20_000
"""Records that may wait on the next topic before a stage takes no more."""


def warm() -> None:
    """Import and read what the processes will need, before the first fork, so that they share it. Commands that only
    ask do without: this takes longer than most questions to answer."""
    import nlp.work  # noqa: F401

    models()


@cache
def models() -> tuple[LinearClassifier, Languages]:
    """The shipped models, read once a process tree."""
    from nlp.language import Languages
    from nlp.linear import LinearClassifier

    return LinearClassifier(), Languages()


def understand(opened: Opened) -> Work:
    """The work of stage `nlp`."""
    from nlp.work import UnderstandWork

    classifier, languages = models()
    registry = SqlRegistry(opened.engine, classifier.model, clock=opened.clock)
    return UnderstandWork(classifier, languages, registry)


def route(opened: Opened) -> Work:
    """The work of stage `routing`."""
    return RouteWork(opened.engine, opened.registry, epoch=opened.log.epoch(), clock=opened.clock)


def searchable(opened: Opened) -> Work:
    """The work of stage `index`."""
    return IndexWork(opened.store, opened.log.epoch())


def nlp_process(home: Home) -> Callable[[Stop], None]:
    def body(stop: Stop) -> None:
        with _process(home, "nlp") as opened:
            pressure = chores.pressure(opened, ("routing", MENTIONS), FULL)
            run_threads([_stage(opened, understand(opened), pressure)], [], stop)

    return body


def routing_process(home: Home) -> Callable[[Stop], None]:
    """Routing, what leaves SQL (topics, mails), and the keeping of SQL and log."""

    def body(stop: Stop) -> None:
        with _process(home, "routing") as opened:
            pressure = chores.pressure(opened, ("index", DECIDED), FULL)
            run_threads([_stage(opened, route(opened), pressure, SQL_BATCH)], chores.of_routing(opened), stop)

    return body


def index_process(home: Home) -> Callable[[Stop], None]:
    def body(stop: Stop) -> None:
        with _process(home, "index") as opened:
            stage = _stage(opened, searchable(opened), chores.pressure(opened))
            run_threads([stage], chores.of_index(opened), stop)

    return body


def web_process(home: Home) -> Callable[[Stop], None]:
    """The API and the webhooks."""

    def body(stop: Stop) -> None:
        from clamor.serving import serve

        with _process(home, "web") as opened:
            serve(opened, stop)

    return body


def all_processes(home: Home, nlp_workers: int) -> list[ProcessSpec]:
    """In the order in which they are asked to stop: posts cease to come in first."""
    warm()
    return [
        ProcessSpec("web", web_process(home)),
        *(ProcessSpec(f"nlp-{number + 1}", nlp_process(home)) for number in range(nlp_workers)),
        ProcessSpec("routing", routing_process(home)),
        ProcessSpec("index", index_process(home)),
    ]


def one_stage(home: Home, name: str) -> Callable[[Stop], None]:
    """The process of one stage alone (`clamor stage NAME`)."""
    return {
        "nlp": nlp_process,
        "routing": routing_process,
        "index": index_process,
        "web": web_process,
    }[name](home)


STAGES: Sequence[str] = ("nlp", "routing", "index", "web")


def _process(home: Home, name: str) -> Opened:
    opened = open_home(home)
    logs.configure(opened.settings.logging.format, opened.settings.logging.level, name)
    return opened


def _stage(opened: Opened, work: Work, pressure: Pressure, batch: int = BATCH) -> Stage:
    options = StageOptions(max_batch=batch)
    return Stage(opened.log, work, opened.clock, options=options, pressure=pressure, publish=opened.statuses.write)
