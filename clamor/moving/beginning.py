"""What must be so before a home is moved, and what is made where it is moved to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from clamor.clocks import pace_of
from clamor.moving.journal import Journal
from clamor.moving.mentions import ALL
from clamor.moving.note import JOURNAL, ROLE, MoveError, Note, engines_of, forget, note, noted
from clamor.opening import Opened, refuse_unfinished
from config.home import Home, prepare
from config.load import Configuration, load
from config.lock import RunLock
from database.closing import open_again
from database.migrate import UNFINISHED, current, head, make_aside
from routing.checkers import IN_USE
from stream.embedded import EmbeddedLog
from stream.ports import EVERYTHING, TOPICS


class Moved(NamedTuple):
    """Which engines another configuration has elsewhere."""

    log: bool
    store: bool
    database: bool


class Begun(NamedTuple):
    source: Opened
    target: Opened
    note: Note
    moved: Moved
    journal: Journal


@contextmanager
def begun(home: Home, settings: str) -> Iterator[Begun]:
    """The move of a home to the engines of the file `settings` in it: a new one, or that which was cut short.

    Raises MoveError, AlreadyRunning, ConfigurationError, HomeError, Transient, Unusable.
    """
    here, there = _configured(home), _configured(home.with_settings(settings))
    with ExitStack() as held:
        held.enter_context(RunLock(here.home, ROLE))
        source, target = held.enter_context(Opened(here)), held.enter_context(Opened(there))
        moved = _moved(source, target)
        found = noted(here.home)
        if found is None:
            found = _first(source, target, moved)
        _refuse_another(found, source, target, moved)
        if moved.database and current(target.engine) is None:
            make_aside(target.engine, mark(found))
        journal = Journal(_journal(here.home))
        held.callback(journal.close)
        yield Begun(source, target, found, moved, journal)


def give_up(home: Home) -> Note:
    """Forget a move that is not at its end: the home goes on as it is. What was copied stays where it is."""
    here = _configured(home)
    with RunLock(here.home, ROLE), Opened(here) as source:
        found = noted(here.home)
        if found is None:
            raise MoveError(f"no move of {here.home.data} is under way")
        if found.phase in ("opening", "done"):
            raise MoveError(
                f"the move of {here.home.data} to the engines of {found.settings} is at its end and cannot be given up"
                + ("" if found.phase == "done" else f": give `clamor move --to {found.settings}` once more")
            )
        if engines_of(here) != found.source:
            raise MoveError(
                f"{here.home.settings_file} names other engines than those that are moved from, which may be closed "
                "and would stay so: put them back, and give `clamor move --give-up` again"
            )
        if isinstance(source.log, EmbeddedLog):
            source.log.open_again()
        if source.engine.dialect.name == "sqlite":
            open_again(source.engine)
        Journal(_journal(here.home)).remove()
        forget(here.home)
    return found


def mark(found: Note) -> str:
    """Stands in the database that is filled, until it is put in use."""
    return f"{UNFINISHED}{found.id}"


def _configured(home: Home) -> Configuration:
    configuration = load(home, IN_USE, use="check")
    prepare(configuration.home)
    refuse_unfinished(configuration.home)
    return configuration


def _journal(home: Home) -> Path:
    return home.data / JOURNAL


def _moved(source: Opened, target: Opened) -> Moved:
    """Raises MoveError where nothing is to be moved, or not from there."""
    here, there = engines_of(source.configuration), engines_of(target.configuration)
    moved = Moved(here.log != there.log, here.store != there.store, here.database != there.database)
    name = target.home.settings_file.name
    if not any(moved):
        raise MoveError(
            f"{name} names the same log, store and database as {source.home.settings_file.name}: nothing is to be "
            "moved. Variables CLAMOR_ENGINES__… of the environment go before both files"
        )
    for what, moves, servers in (
        ("log", moved.log, source.settings.engines.log.kind != "embedded"),
        ("database", moved.database, source.settings.engines.database.kind != "sqlite"),
    ):
        if moves and servers:
            raise MoveError(
                f"{name} has the {what} elsewhere, and it is on servers already: processes of other machines may work "
                "with it, and from here nobody can hold them. Move it by the servers' own means"
            )
    for opened in (source, target):
        if pace_of(opened.home) is not None:
            raise MoveError(f"{opened.home.data} lives in simulated time: such a home is not moved")
    return moved


def _first(source: Opened, target: Opened, moved: Moved) -> Note:
    """Checks both sides and writes down that a move has begun: what the target holds from now on is its own."""
    if not source.home.app_db.exists() and source.settings.engines.database.kind == "sqlite":
        raise MoveError(
            f"{source.home.data} holds no database yet, so there is nothing to move: put the engines of "
            f"{target.home.settings_file.name} into clamor.yaml and start `clamor run`"
        )
    if (present := current(source.engine)) != head():
        raise MoveError(
            f"the database of {source.home.data} is at revision {present}, this release works on {head()}: start it "
            "once with this release, which upgrades it, and move then"
        )
    _refuse_filled(target, moved)
    made = Note(
        id=secrets.token_hex(6),
        phase="copying",
        settings=target.home.settings_file.name,
        source=engines_of(source.configuration),
        target=engines_of(target.configuration),
        epoch=(target if moved.log else source).log.epoch(),
        begun_at=source.clock.wall(),
    )
    Journal(_journal(source.home)).remove()
    note(source.home, made)
    return made


def _refuse_filled(target: Opened, moved: Moved) -> None:
    """What is moved to is empty: nothing of anybody else is mixed with it, or overwritten."""
    if moved.database and (present := current(target.engine)) is not None:
        raise MoveError(
            f"the database of {target.home.settings_file.name} has tables of Clamor already (revision {present}): name "
            "an empty one, or remove what a move that was given up has left there"
        )
    if moved.log:
        for topic in TOPICS:
            if any(low < end for low, end in target.log.bounds(topic).values()):
                raise MoveError(
                    f"topic {topic!r} of the log of {target.home.settings_file.name} holds records already: name "
                    "another `prefix`, or remove what a move that was given up has left there"
                )
    if moved.store:
        standing = target.store.standing()
        if standing.log is not None or target.store.search(ALL, EVERYTHING, limit=1).hits:
            raise MoveError(
                f"the store of {target.home.settings_file.name} holds mentions already, or has been used: name another "
                "`prefix`, or remove what a move that was given up has left there"
            )


def _refuse_another(found: Note, source: Opened, target: Opened, moved: Moved) -> None:
    """The move that was begun is this one, and what it has filled is still what it was."""
    if (found.source, found.target) != (engines_of(source.configuration), engines_of(target.configuration)):
        raise MoveError(
            f"a move of this home to the engines of {found.settings} was begun, between other places than these files "
            "name now: put them back, or `clamor move --give-up`"
        )
    if found.phase == "done":
        raise MoveError(
            f"this home was moved to the engines of {found.settings} already: put them into clamor.yaml, if they are "
            "not there yet"
        )
    if moved.log and target.log.epoch() != found.epoch:
        raise MoveError(
            f"the log of {found.settings} was made anew since the move began: `clamor move --give-up`, remove what was "
            "copied, and begin anew"
        )
    if not moved.database:
        return
    present = current(target.engine)
    fits = present in (None, mark(found)) if found.phase != "opening" else present in (mark(found), head())
    if not fits:
        raise MoveError(
            f"the database of {found.settings} is at revision {present}, and not what this move has made of it: "
            "another program works with it. Name an empty one and begin anew, after `clamor move --give-up`"
        )
