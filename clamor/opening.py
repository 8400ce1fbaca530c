"""One home, opened: its settings, its clock, its three engines, each made when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine

from clamor import losses
from clamor.clocks import clock_of, sends_mails
from clamor.kafka_log import on_kafka, open_kafka
from clamor.moving.note import refuse_moved
from clamor.sql import place_of
from clamor.stores import open_store
from config.consistency import Use
from config.disk import DiskFree, disk_free
from config.home import Home, HomeError, prepare
from config.load import Configuration, load
from database.engine import open_database
from database.registry import SqlRegistry
from index.port import IndexStore
from ingest.coverage import Ledger
from routing.checkers import IN_USE
from stream.clock import Clock
from stream.embedded import EmbeddedLog, LogSettings
from stream.losses import Loss
from stream.ports import ALERTS, DEAD_LETTER, DECIDED, ESCALATIONS, MENTIONS, POSTS, Log, TopicSpec
from stream.status import StatusFolder


class Opened:
    """Use as a context manager. Not to be carried over a fork: each process opens its own."""

    def __init__(
        self, configuration: Configuration, clock: Clock | None = None, disk: Callable[[Path], DiskFree] = disk_free
    ) -> None:
        self.configuration = configuration
        self._disk = disk
        self.home = configuration.home
        self.settings = configuration.settings
        self.clock = clock or clock_of(self.home)
        self._pid = os.getpid()

    @cached_property
    def engine(self) -> Engine:
        return open_database(place_of(self.configuration))

    @cached_property
    def log(self) -> Log:
        log: Log
        if on_kafka(self.configuration):
            log = open_kafka(self.configuration, self._lost)
        else:
            log = EmbeddedLog(self.home.log_db, self.clock, log_settings(self.configuration))
        try:
            log.ensure(topic_specs(self.configuration))
        except ValueError as error:
            log.close()
            raise HomeError(f"{error}: set `engines: log: partitions` back in {self.home.settings_file}") from error
        except BaseException:
            log.close()
            raise
        return log

    def _lost(self, loss: Loss) -> None:
        losses.record(self.ledger, loss, self.clock.now())

    @cached_property
    def store(self) -> IndexStore:
        """Any process may search it; the embedded one is written by one."""
        return open_store(self.configuration, self.clock)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.engine)

    @cached_property
    def registry(self) -> SqlRegistry:
        """Without a model: for processes that do not understand posts themselves."""
        return SqlRegistry(self.engine, None, clock=self.clock)

    @cached_property
    def statuses(self) -> StatusFolder:
        return StatusFolder(self.home.data / "status")

    def disk(self) -> DiskFree:
        """What is free under the data folder, at this moment. Raises OSError."""
        return self._disk(self.home.data)

    def close(self) -> None:
        made = self.__dict__
        for name in ("log", "store"):
            if name in made:
                made[name].close()
        if "engine" in made:
            self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_home(
    home: Home,
    clock: Clock | None = None,
    *,
    use: Use = "run",
    disk: Callable[[Path], DiskFree] = disk_free,
) -> Opened:
    """For `use="check"` a secret that is missing is only a warning: to ask, no mail server is needed.

    Raises ConfigurationError with all that is wrong, HomeError where the folder cannot be used.
    """
    configuration = load(home, IN_USE, use="check")
    if use == "run" and sends_mails(configuration.home):
        configuration = load(home, IN_USE, use="run")
    prepare(configuration.home)
    refuse_unfinished(configuration.home)
    refuse_moved(configuration)
    return Opened(configuration, clock, disk)


def unfinished(home: Home) -> Path:
    """Stands in the data folder while `clamor restore` changes its files."""
    return home.data / "restore-unfinished"


def refuse_unfinished(home: Home) -> None:
    """Raises HomeError where a restore was cut short: new, empty databases must not be taken for the restored ones."""
    if unfinished(home).exists():
        raise HomeError(
            f"a restore into {home.data} was cut short and its files are not whole: give the same "
            "`clamor restore --force BACKUP` again; what it had replaced lies in the home's folders replaced-*"
        )


def log_settings(configuration: Configuration) -> LogSettings:
    fsync = configuration.settings.engines.log.fsync
    return LogSettings(fsync="always" if fsync == "full" else "normal")


def topic_specs(configuration: Configuration) -> list[TopicSpec]:
    """Topics that are worked through in parallel have all the partitions, those that people read have one."""
    log = configuration.settings.engines.log
    many = {POSTS, MENTIONS, DECIDED}
    names = (POSTS, MENTIONS, DECIDED, *ESCALATIONS.values(), ALERTS, DEAD_LETTER)
    return [
        TopicSpec(name, log.partitions if name in many else 1, log.retention, log.retention_bytes) for name in names
    ]
