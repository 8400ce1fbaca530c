"""Which stages run in which process, and what each process does besides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import structlog

from clamor import chores, logs
from clamor.clocks import pace_of
from clamor.opening import Opened, open_home
from clamor.rescoring import Rescoring
from clamor.roles import COLLECT
from clamor.supervisor import ProcessSpec
from clamor.threads import run_threads
from config.home import Home
from config.schema import Device, Settings
from database.engine import write
from database.registry import SqlRegistry
from database.revisions import adopt_model
from index.work import IndexWork
from nlp.shelf import LINEAR, in_force, models, named, open_folder, same, sealed
from routing.work import RouteWork
from stream.ports import DECIDED, MENTIONS, Work
from stream.stage import Stage, StageOptions
from stream.status import Pressure

if TYPE_CHECKING:
    from nlp.classifier import Classifier
    from nlp.language import Languages
    from nlp.linear import LinearClassifier
    from nlp.shelf import Card
    from nlp.valve import Valve
    from nlp.work import UnderstandWork

log = structlog.get_logger(__name__)

Stop = Callable[[], bool]

BATCH = 500
SQL_BATCH = 350
"""What routing writes to SQL in one transaction: others wait for it, 50 ms at most on a quiet machine."""
LEAVING = 5.0
"""Seconds that a look at the accounts has to end with the process that collects."""
FULL = 20_000
"""Records that may wait on the next topic before a stage takes no more."""


class Chosen(NamedTuple):
    """What a program reads by, from its start on."""

    card: Card
    device: Device
    why: str
    """A sentence where it is not the model that the settings ask for."""


def warm(home: Home, asked: str, device: Device = "cpu") -> Chosen:
    """Import and read what the processes will need, before the first fork, so that they share it; but for a session of
    ONNX Runtime, which each opens for itself. Commands that only ask do without: this takes longer than most questions
    to answer. The model to read with. Raises nlp.shelf.ModelError where the one `asked` for cannot be used on
    `device`."""
    import nlp.work  # noqa: F401
    from nlp.encoder import load_libraries

    card, why = in_force(asked, home, device)
    if card.format != "linear":
        load_libraries()
    linear()
    languages()
    return Chosen(card, device, why)


@cache
def linear() -> LinearClassifier:
    """The shipped linear model, read once a process tree."""
    from nlp.linear import LinearClassifier

    return LinearClassifier()


@cache
def languages() -> Languages:
    """Read once a process tree."""
    from nlp.language import Languages

    return Languages()


@cache
def classifier(card: Card, device: Device = "cpu") -> Classifier:
    """The model of this card on `device`, opened once a process."""
    if card.shipped and card.format == "linear" and device == "cpu":
        return linear()
    return open_folder(card, device)


def understand(opened: Opened, chosen: Chosen | None = None) -> UnderstandWork:
    """The work of stage `nlp`, by the model `chosen` at the start of the program while that is there unchanged, else by
    the one of the settings. Raises nlp.shelf.ModelError where that cannot be used."""
    from nlp.work import UnderstandWork

    if chosen is None or not any(same(chosen.card, one) for one in models(opened.home)):
        asked = opened.settings.understanding
        card, why = in_force(asked.model, opened.home, asked.device)
        reads, begins = Chosen(card, asked.device, why), True
    else:
        reads, begins = chosen, False
    if reads.why:
        log.warning("another model than the one of the settings", why=reads.why)
    model = classifier(reads.card, reads.device)
    registry = SqlRegistry(opened.engine, model.model, clock=opened.clock, begins=begins)
    return UnderstandWork(model, languages(), registry, valve(opened, model))


def valve(opened: Opened, model: Classifier) -> Valve | None:
    """None where the settings want none, the linear model is in force, or time is simulated: there the machine's own
    slowness is minutes, and makes nothing late."""
    from nlp.valve import Limits, Valve

    overload = opened.settings.understanding.overload
    if not overload.auto or model.tier == LINEAR or pace_of(opened.home) is not None:
        return None
    limits = Limits(overload.opens_at, overload.closes_at)
    return Valve(linear(), limits, lambda: opened.log.lag("routing", MENTIONS) > FULL // 2)


def route(opened: Opened) -> Work:
    """The work of stage `routing`."""
    return RouteWork(opened.engine, opened.registry, epoch=opened.log.epoch(), clock=opened.clock)


def searchable(opened: Opened) -> Work:
    """The work of stage `index`."""
    return IndexWork(opened.store, opened.log.epoch())


def nlp_stage(opened: Opened, rescoring: Rescoring, options: StageOptions) -> Stage:
    """Stage `nlp`, which re-scores in its spare time."""
    return Stage(
        opened.log,
        rescoring.work,
        opened.clock,
        options=options,
        pressure=chores.pressure(opened, ("routing", MENTIONS), FULL),
        publish=opened.statuses.write,
        spare=rescoring.step,
        overloaded=rescoring.work.overloaded,
        model_time=rescoring.work.model_time,
    )


def nlp_process(home: Home, chosen: Chosen | None = None) -> Callable[[Stop], None]:
    """However often it is started, it reads by the model `chosen` (see `understand`)."""

    def body(stop: Stop) -> None:
        with _process(home, "nlp") as opened, Rescoring(opened, understand(opened, chosen)) as rescoring:
            run_threads([nlp_stage(opened, rescoring, StageOptions(max_batch=BATCH))], [], stop)

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


def collect_process(home: Home) -> Callable[[Stop], None]:
    """What Clamor asks itself. Without such a source it is a process that looks once a second whether there is one."""

    def body(stop: Stop) -> None:
        from clamor.accounts import Accounts
        from clamor.collecting import collect

        with _process(home, "collect") as opened:
            accounts = Accounts(opened)
            looking = threading.Thread(target=accounts.run, name="accounts", daemon=True)
            looking.start()
            try:
                collect(opened, stop)
            finally:
                accounts.stop()
                looking.join(LEAVING)

    return body


def all_processes(home: Home, settings: Settings, nlp_workers: int | None = None) -> list[ProcessSpec]:
    """In the order in which they are asked to stop: posts cease to come in first. `nlp_workers` goes before the
    setting. The model is chosen here, and its generation begins, for all that is started from now on: a process that is
    started again reads by no other. Raises nlp.shelf.ModelError where the model of the settings cannot be used."""
    chosen = warm(home, settings.understanding.model, settings.understanding.device)
    chosen = chosen._replace(card=sealed(chosen.card))
    with open_home(home, use="check") as opened, write(opened.engine) as connection:
        adopt_model(connection, named(chosen.card, chosen.device), opened.clock.now())
    workers = nlp_workers or settings.nlp_workers
    return [
        ProcessSpec(COLLECT, collect_process(home)),
        ProcessSpec("web", web_process(home)),
        *(ProcessSpec(f"nlp-{number + 1}", nlp_process(home, chosen)) for number in range(workers)),
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
        COLLECT: collect_process,
    }[name](home)


STAGES: Sequence[str] = ("nlp", "routing", "index", "web", COLLECT)


def _process(home: Home, name: str) -> Opened:
    opened = open_home(home)
    logs.configure(opened.settings.logging.format, opened.settings.logging.level, name)
    return opened


def _stage(opened: Opened, work: Work, pressure: Pressure, batch: int = BATCH) -> Stage:
    options = StageOptions(max_batch=batch)
    return Stage(opened.log, work, opened.clock, options=options, pressure=pressure, publish=opened.statuses.write)
