"""What is in force, as each process sees it: read from SQL, kept in memory, looked after between batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from pydantic import ValidationError
from sqlalchemy import Engine

from config import content
from config.aspects import Aspect
from config.brands import Brand
from config.marked import written
from config.people import Person
from config.playbook import Step, shipped
from config.problems import ConfigurationError, Problem
from config.replies import Reply
from config.sources import Source, Swept
from database import filters, revisions
from database.engine import read, write
from stream.clock import Clock, WallClock
from stream.ports import InForce, Transient

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks into SQL by one process."""


class SqlRegistry:
    """Keeps `stream.ports.Registry`, and gives sources and people the same way.

    `model` is the name and version of the model that this process understands posts with: its first look opens a new
    generation when that is a change. None for processes without a model. Costs one small statement a second at most;
    bodies are read only when a number has changed. Where SQL cannot be read for a moment, what was in force stays so.
    Several threads may ask: one of them looks, so that brands and numbers are of one moment.
    """

    def __init__(
        self,
        engine: Engine,
        model: str | None,
        *,
        begins: bool = True,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Where it does not begin, the model goes on under the last generation that it had."""
        self._engine, self._model, self._begins = engine, model, begins
        self._clock = clock or WallClock()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._standing = revisions.Standing({}, 0, 0)
        self._in_force: InForce | None = None
        self._sources: tuple[Source, ...] = ()
        self._people: tuple[Person, ...] = ()
        self._replies: tuple[Reply, ...] = ()
        self._playbook: tuple[Step, ...] = ()

    def current(self) -> InForce:
        """What to work by from the next batch on; the same object until something has changed.

        Before anything was applied: no brands, no rules, revision 0. On the first look raises stream.ports.Transient
        when SQL cannot be read, ConfigurationError when a revision holds what this version does not know.
        """
        with self._lock:
            if self._in_force is None:
                self._first_look()
            elif self._monotonic() - self._looked >= LOOK_EVERY:
                self._look()
            assert self._in_force is not None
            return self._in_force

    def sources(self) -> tuple[Source, ...]:
        self.current()
        return self._sources

    def people(self) -> tuple[Person, ...]:
        self.current()
        return self._people

    def replies(self) -> tuple[Reply, ...]:
        self.current()
        return self._replies

    def playbook(self) -> tuple[Step, ...]:
        """The home's own, else the shipped one."""
        self.current()
        return self._playbook

    def _first_look(self) -> None:
        if self._model is not None and self._begins:
            with read(self._engine) as conn:
                last = revisions.last_generation(conn)
            if last is None or last.model != self._model:
                with write(self._engine) as conn:
                    revisions.adopt_model(conn, self._model, self._clock.now())
        self._refresh()
        self._looked = self._monotonic()

    def _look(self) -> None:
        try:
            self._refresh()
        except Transient as fault:
            log.warning("configuration not read, the one in force stays", why=str(fault))
        except ConfigurationError as fault:
            log.error("configuration not understood, the one in force stays", why=str(fault))
        finally:
            self._looked = self._monotonic()

    def _refresh(self) -> None:
        with read(self._engine) as conn:
            standing = revisions.standing(conn, self._model)
            if self._in_force is not None and standing == self._standing:
                return
            bodies = {kind: revisions.current(conn, kind) for kind in content.KINDS}
            learnt = filters.in_force(conn)
        held = {kind: found.body for kind, found in bodies.items() if found is not None}
        self._adopt(standing, held, learnt)

    def _adopt(
        self,
        standing: revisions.Standing,
        bodies: dict[content.Kind, str],
        learnt: tuple[tuple[str, str], ...],
    ) -> None:
        before, numbers = self._in_force, standing.numbers
        brands: tuple[Brand, ...]
        aspects: tuple[Aspect, ...] = _understood("aspects", numbers, content.aspects, bodies)
        if before is not None and numbers.get("brands") == self._standing.numbers.get("brands"):
            brands = before.brands
        else:
            brands = _understood("brands", numbers, content.brands, bodies)
        sources = _understood("sources", numbers, content.sources, bodies)
        self._people = _understood("people", numbers, content.people, bodies)
        self._replies = _understood("replies", numbers, content.replies, bodies)
        self._playbook = (
            _understood("playbook", numbers, content.playbook, bodies) if "playbook" in bodies else shipped()
        )
        self._sources = sources
        self._in_force = InForce(
            standing.generation, brands, numbers.get("rules", 0), bodies.get("rules", ""), aspects, learnt,
            frozenset(source.id for source in sources if isinstance(source, Swept) and source.look_again),
            numbers.get("policy", 0), bodies.get("policy", ""),
            numbers.get("brands", 0),
            self._people,
            _understood("teams", numbers, content.teams, bodies),
            _understood("deadlines", numbers, content.deadlines, bodies),
            (numbers.get("teams", 0), numbers.get("deadlines", 0)),
        )  # fmt: skip
        self._standing = standing
        log.info("configuration adopted", generation=standing.generation, brands=len(brands), revisions=numbers)


Items = TypeVar("Items")


def _understood(
    kind: content.Kind, numbers: dict[str, int], reader: Callable[[str], Items], bodies: dict[content.Kind, str]
) -> Items:
    try:
        return reader(bodies.get(kind, "[]"))
    except ValidationError as invalid:
        first = invalid.errors()[0]
        problem = Problem(
            file=f"revision {numbers[kind]} of {kind}",
            path=written((kind, *first["loc"])),
            message="holds what this version of Clamor does not know; a newer one wrote it",
            advice="upgrade this process, or put an earlier revision back in force",
        )
        raise ConfigurationError([problem]) from None
