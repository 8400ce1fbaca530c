"""What runs inside one process: its stages and its repeated chores, a thread each, until it is told to stop."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from stream.ports import Transient, Unusable
from stream.stage import Stage

log = structlog.get_logger(__name__)

LOOK = 0.05
LONGEST_WAIT = 30.0
COLLECT_AFTER = 100_000
"""Objects made and not yet let go before the garbage collector looks for circles: more than a batch makes. What a batch
makes dies with it, and looking at it meanwhile cost a tenth of a stage's time."""


@dataclass(frozen=True)
class Chore:
    """Something done again and again: `step` returns whether there is more to do at once."""

    name: str
    step: Callable[[], bool]
    every: float
    """Seconds to wait when there is nothing more to do."""
    leave: Callable[[], None] = lambda: None
    """Called in its thread when no more steps follow: lets another process go on with it at once."""


def run_threads(stages: Sequence[Stage], chores: Sequence[Chore], stop: Callable[[], bool]) -> None:
    """Blocks until `stop`, then lets every stage drain its batch. Raises what ended a stage that should not have ended.

    A chore that fails is logged and tried again with growing waits: it never takes its process with it.
    """
    gc.set_threshold(COLLECT_AFTER)
    halt = threading.Event()
    fates: list[BaseException] = []

    def run_stage(stage: Stage) -> None:
        try:
            stage.run()
        except BaseException as error:
            fates.append(error)

    threads = [threading.Thread(target=run_stage, args=(stage,), name=stage.status().stage) for stage in stages]
    threads += [threading.Thread(target=repeat, args=(chore, halt), name=chore.name) for chore in chores]
    for thread in threads:
        thread.start()
    while not stop() and not fates:
        time.sleep(LOOK)
    for stage in stages:
        stage.stop()
    halt.set()
    for thread in threads:
        thread.join()
    if fates:
        raise fates[0]


def halt_on(stop: Callable[[], bool]) -> threading.Event:
    """An event that is set soon after `stop` says so: for work that waits on events, in a process that is asked."""
    halt = threading.Event()

    def watch() -> None:
        while not halt.wait(2 * LOOK):
            if stop():
                halt.set()

    threading.Thread(target=watch, daemon=True, name="stop").start()
    return halt


def repeat(chore: Chore, halt: threading.Event) -> None:
    """Do it until `halt`; what fails is logged and tried again with growing waits."""
    wait = chore.every
    while not halt.is_set():
        try:
            more = chore.step()
            wait = 0.0 if more else chore.every
        except Transient as fault:
            wait = min(max(wait, 0.1) * 2, LONGEST_WAIT)
            log.warning("chore waits for a fault to pass", chore=chore.name, why=str(fault), seconds=round(wait, 1))
        except Exception as error:
            wait = min(max(wait, 0.1) * 2, LONGEST_WAIT)
            log.error("chore failed, tried again", chore=chore.name, fault=type(error).__name__, place=_place(error))
        if wait:
            halt.wait(wait)
    try:
        chore.leave()
    except (Transient, Unusable) as fault:
        log.warning("chore not handed on", chore=chore.name, why=str(fault))


def _place(error: Exception) -> str:
    """Where it happened; never what the error says, which may quote a post."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
