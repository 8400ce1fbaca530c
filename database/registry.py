"""What is in force, as each process sees it: read from SQL, kept in memory, looked after between batches."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from config import content
from config.brands import Brand
from config.people import Person
from config.sources import Source
from database import revisions
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
    """

    def __init__(
        self,
        engine: Engine,
        model: str | None,
        *,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._model = engine, model
        self._clock = clock or WallClock()
        self._monotonic = monotonic
        self._looked = float("-inf")
        self._numbers: dict[str, int] = {}
        self._in_force: InForce | None = None
        self._sources: tuple[Source, ...] = ()
        self._people: tuple[Person, ...] = ()

    def current(self) -> InForce:
        """What to work by from the next batch on; the same object until something has changed.

        Before anything was applied: no brands, no rules, revision 0. Raises stream.ports.Transient on a first look that
        fails.
        """
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

    def _first_look(self) -> None:
        if self._model is not None:
            with read(self._engine) as conn:
                last = revisions.last_generation(conn)
            if last is None or last.model != self._model:
                with write(self._engine) as conn:
                    revisions.adopt_model(conn, self._model, self._clock.now())
        self._refresh()

    def _look(self) -> None:
        try:
            self._refresh()
        except Transient as fault:
            self._looked = self._monotonic()
            log.warning("configuration not read, the one in force stays", why=str(fault))

    def _refresh(self) -> None:
        with read(self._engine) as conn:
            self._looked = self._monotonic()
            numbers, generation = revisions.standing(conn, self._model)
            if self._in_force is not None and numbers == self._numbers and generation == self._in_force.generation:
                return
            bodies = {kind: revisions.current(conn, kind) for kind in content.KINDS}
        self._adopt(numbers, generation, {kind: found.body for kind, found in bodies.items() if found is not None})

    def _adopt(self, numbers: dict[str, int], generation: int, bodies: dict[content.Kind, str]) -> None:
        before = self._in_force
        brands: tuple[Brand, ...]
        if before is not None and numbers.get("brands") == self._numbers.get("brands"):
            brands = before.brands
        else:
            brands = content.brands(bodies.get("brands", "[]"))
        self._sources = content.sources(bodies.get("sources", "[]"))
        self._people = content.people(bodies.get("people", "[]"))
        self._in_force = InForce(generation, brands, numbers.get("rules", 0), bodies.get("rules", ""))
        self._numbers = numbers
        log.info("configuration adopted", generation=generation, brands=len(brands), revisions=numbers)
