"""What a home remembers of a move to other engines: where to, how far it is, and who may start meanwhile."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from clamor.sql import place_of
from config.home import Home, HomeError
from config.load import Configuration
from stream.records import Millis

Phase: TypeAlias = Literal["copying", "stopping", "opening", "done"]
"""`copying`: the home goes on beside it. `stopping`: it stands still and the last of it is copied. `opening`: all was
compared and the new engines are put in use, which is only ever finished. `done`: the old ones are not to be used."""


NOTE, JOURNAL = "move.json", "move.db"
"""In the data folder."""
ROLE = "move"
"""Of the lock that a process holds while it moves the home."""


class Engines(msgspec.Struct, frozen=True):
    """Where the engines of a configuration are; two that are equal name the same data. No secret is part of it."""

    log: str
    store: str
    database: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """`NOTE` in the data folder that is moved away from."""

    id: str
    phase: Phase
    settings: str
    """Name of the file in the home that says where to."""
    source: Engines
    target: Engines
    epoch: str
    """Of the log that is moved to."""
    begun_at: Millis


class MoveError(HomeError):
    """A move cannot be begun or ended; the message says why, and the way out."""


def engines_of(configuration: Configuration) -> Engines:
    home, engines = configuration.home, configuration.settings.engines
    log, store, kafka, place = str(home.log_db), str(home.index_db), engines.log.kafka, place_of(configuration)
    if engines.log.kind == "kafka":
        log = f"kafka {kafka.prefix}@{','.join(sorted(kafka.servers))}"
    if engines.store.kind == "elasticsearch":
        store = f"elasticsearch {engines.store.prefix}@{','.join(sorted(engines.store.hosts))}"
    return Engines(log, store, str(place) if isinstance(place, Path) else place.url.render_as_string())


def noted(home: Home) -> Note | None:
    """What stands in the home's data folder; None where it was never moved."""
    try:
        return msgspec.json.decode(_path(home).read_bytes(), type=Note)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise MoveError(
            f"{_path(home)} cannot be read ({error}), so that nobody knows how far the move of this home is: put the "
            "file back, or delete it if no move was ever begun"
        ) from None


def note(home: Home, what: Note) -> None:
    """Durable on return."""
    draft = _path(home).with_suffix(".new")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(what))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(_path(home))
    _sync(home.data)


def forget(home: Home) -> None:
    _path(home).unlink(missing_ok=True)
    _sync(home.data)


def refuse_moved(configuration: Configuration) -> None:
    """Raises MoveError where these engines are not to be used: those of a home that was moved away from them, those
    that are not filled yet, and all of them while the last of it is copied."""
    found = noted(configuration.home)
    if found is None:
        return
    named = engines_of(configuration)
    again = f"`clamor move --to {found.settings}`"
    if found.phase in ("stopping", "opening"):
        otherwise = ", or `clamor move --give-up` to stay with the former ones" if found.phase == "stopping" else ""
        since = datetime.fromtimestamp(found.begun_at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        raise MoveError(
            f"{configuration.home.data} is being moved to the engines of {found.settings} since {since} UTC (phase "
            f"{found.phase}): wait for that to end. If it was cut short, give {again} again{otherwise}"
        )
    if found.phase == "copying" and named == found.target:
        raise MoveError(
            f"the engines of {configuration.home.settings_file} are being filled and are not whole: give {again} once "
            "more with the former settings in force, and start Clamor when it says so"
        )
    if found.phase == "done" and named == found.source:
        raise MoveError(
            f"this home was moved to the engines of {found.settings}, and {configuration.home.settings_file} still "
            f"names those that it was moved from: put the section `engines` of {found.settings} in its place"
        )


def _path(home: Home) -> Path:
    return home.data / NOTE


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
