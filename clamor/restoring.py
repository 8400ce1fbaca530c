"""A backup into a home that stands still, so that nothing deleted comes back and nobody is told a thing twice.

Everything is made ready beside the databases in force and put in their place at the end; what was there is kept aside.
What has happened since the backup is lost, but for what must not be undone: deletes, and who may call the API.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from clamor import backed_models
from clamor.backed_models import Returned
from clamor.backup import CLOCK, CONFIGURATION, DATABASES, BackupError, File, Manifest, Show, Source, refuse_server
from clamor.clocks import clock_of
from clamor.former import Former, former
from clamor.moving.note import JOURNAL, NOTE
from clamor.moving.note import ROLE as MOVE
from clamor.opening import unfinished
from clamor.reindexing import reindex
from clamor.stores import index_file, open_store
from config.disk import disk_free
from config.home import AlreadyRunning, Home, prepare
from config.load import Configuration, load
from config.lock import RunLock
from config.secrets import Secrets
from database import epochs
from database.engine import many, open_database, write
from database.migrate import upgrade
from index.embedded import EmbeddedStore
from index.port import IndexStore
from routing import held
from routing.checkers import IN_USE
from stream.clock import Clock
from stream.embedded import EmbeddedLog
from stream.ports import Transient, Unusable
from stream.status import StatusFolder

ROLES = ("run", "start", "routing", "index", "web", "reindex", MOVE)
REPLACED = (*DATABASES, "index.db", CLOCK, NOTE, JOURNAL)
"""Of the data folder. A move that was begun was one of what stood there, and the restored home is in none."""


class Restored(NamedTuple):
    manifest: Manifest
    epoch: int
    mentions: int
    """In the rebuilt index, those that are gone included."""
    deletes: int
    """Deletes, expiries and erasures since the backup that were done again."""
    held: int
    """Mails and alerts that wait for a person's word."""
    aside: Path | None
    """Where the files that were replaced lie; None where there were none."""
    knew_former: bool
    """What had been deleted since the backup was known."""
    models: Returned
    index_left: str = ""
    """Why the index, which is on a cluster, is still the one of before; empty where it is rebuilt."""


def restore(
    home: Home, path: Path, *, force: bool, without_deletes: bool, show: Show = lambda what, done, total: None
) -> Restored:
    """Put the backup `path` into `home`. Nothing is changed before all of it was checked and made ready.

    `force` lets it replace what is there; `without_deletes` lets it go on where the databases that are replaced cannot
    be read. Raises BackupError, AlreadyRunning, ConfigurationError, HomeError.
    """
    with Source(path) as source, ExitStack() as held_open:
        manifest = source.manifest()
        now_at, to, elsewhere = _places(home, source, manifest)
        prepare(to)
        for role in ROLES:
            held_open.enter_context(RunLock(to, role))
        _refuse_living(to)
        if not force:
            _refuse_to_overwrite(home, to, source, manifest)
        _enough_space(home, to, manifest, elsewhere)
        stage = held_open.enter_context(_staging(to.data))
        for file in manifest.files:
            if not backed_models.belongs(file.name):
                source.copy(file, stage / file.name, show)
        of_models = [file for file in manifest.files if backed_models.belongs(file.name)]
        models = held_open.enter_context(_staged_models(home, source, of_models, show))
        aside = _aside(to)
        old = former(_former_place(now_at, to, aside), without_deletes)
        clock = clock_of(Home(home.root, stage))
        settled = _settled(home, stage)
        cluster = _reached(settled, clock, held_open) if index_file(settled) is None else None
        ready = _make_ready(stage, clock, manifest, old, show, with_index=cluster is None)
        returned = _put_back(home, models, of_models)
        replaced = _swap(home, to, stage, aside)
        mentions, left = ready.mentions, ""
        if cluster is not None:
            mentions, left = _fill_cluster(cluster, settled, to, clock, show)
    return Restored(
        manifest, ready.epoch, mentions, ready.deletes, ready.held, aside if replaced else None, old.known, returned,
        left,
    )  # fmt: skip


def _settled(home: Home, stage: Path) -> Configuration:
    """What the home will say, with its data still where they are made ready."""
    found = load(Home.at(stage), IN_USE, use="check")
    return replace(found, home=Home(home.root, stage), secrets=Secrets(home.secrets_file, os.environ))


def _reached(settled: Configuration, clock: Clock, held_open: ExitStack) -> IndexStore:
    """The cluster that will hold the index. Raises BackupError where it does not answer."""
    cluster = held_open.enter_context(closing(open_store(settled, clock)))
    try:
        cluster.standing()
    except (Transient, Unusable) as error:
        raise BackupError(f"{error}. The backup's settings keep the index there; nothing was changed") from error
    return cluster


def _fill_cluster(cluster: IndexStore, settled: Configuration, to: Home, clock: Clock, show: Show) -> tuple[int, str]:
    """(mentions, why there are none). Until it is filled the stage `index` refuses to go on, since its offsets are of
    the log of before, and searches answer as before the restore."""
    if settled.settings.engines.log.kind != "embedded":
        return 0, "its offsets are those of a log on Kafka, which was not restored"
    try:
        with _opened(to.data, clock) as (engine, log):
            return reindex(engine, log, cluster, lambda done, total: show("index", done, total)), ""
    except (Transient, Unusable) as error:
        return 0, str(error)


def _places(home: Home, source: Source, manifest: Manifest) -> tuple[Home, Home, bool]:
    """(the home as it stands, the home as the backup's configuration wants it, whether that keeps its index
    elsewhere)."""
    with tempfile.TemporaryDirectory(prefix="clamor-restore-") as folder:
        for file in manifest.files:
            if file.name in CONFIGURATION:
                source.copy(file, Path(folder) / file.name, lambda *_: None)
        if home.secrets_file.exists():
            shutil.copy2(home.secrets_file, Path(folder) / home.secrets_file.name)
        wanted = load(Home.at(folder), IN_USE, use="check").settings
    standing = wanted
    if home.settings_file.exists():
        standing = load(home, IN_USE, use="check").settings
    for settings in (wanted, standing):
        refuse_server(settings)
    elsewhere = wanted.engines.store.kind != "embedded"
    return home.with_data(standing.data), home.with_data(wanted.data), elsewhere


def _refuse_living(to: Home) -> None:
    living = [one for one in StatusFolder(to.data / "status").read() if one.alive() and one.state != "stopped"]
    if living:
        names = ", ".join(f"{one.stage} (process {one.pid})" for one in living)
        raise AlreadyRunning(f"stages still work on {to.data}: {names}; stop them before a restore")


def _refuse_to_overwrite(home: Home, to: Home, source: Source, manifest: Manifest) -> None:
    there = [path for path in (to.app_db, to.log_db, to.index_db) if path.exists()]
    for file in manifest.files:
        path = home.root / file.name
        if file.name in CONFIGURATION and path.exists():
            with source.open(file.name) as reading:
                if reading.read() != path.read_bytes():
                    there.append(path)
    if there:
        names = ", ".join(str(path) for path in there)
        raise BackupError(
            f"{names}: there already. With --force the backup takes their place (they are kept aside, and what was "
            "deleted since the backup stays deleted); or name another --home"
        )


def _enough_space(home: Home, to: Home, manifest: Manifest, elsewhere: bool) -> None:
    """`elsewhere`: the index takes nothing of the disk here."""
    models = sum(file.bytes for file in manifest.files if backed_models.belongs(file.name))
    data = sum(file.bytes for file in manifest.files) - models
    needed, of_what = (data, "backup needs") if elsewhere else (2 * data, "backup and its index need")
    for folder, size, what in ((to.data, needed, of_what), (home.root, models, "models need")):
        free = disk_free(folder).free
        if free < size:
            raise BackupError(
                f"{folder} has {free / 1e9:.1f} GB free; the {what} about {size / 1e9:.1f} GB: make space (what is "
                "replaced is kept until you delete it)"
            )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    for left in folder.glob(".restore-*"):
        shutil.rmtree(left, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=".restore-", dir=folder))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _staged_models(home: Home, source: Source, files: Sequence[File], show: Show) -> Iterator[Path | None]:
    """The backup's models, whole, on the disk where they will stand; None where it has none."""
    if not files:
        yield None
        return
    home.models.mkdir(mode=0o700, exist_ok=True)
    with _staging(home.models) as stage:
        for file in files:
            target = stage / Path(file.name).relative_to(backed_models.FOLDER)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            source.copy(file, target, show)
        yield stage


# --- made ready beside ---------------------------------------------------------------------------------------------


class Ready(NamedTuple):
    epoch: int
    mentions: int
    deletes: int
    held: int


def _make_ready(stage: Path, clock: Clock, manifest: Manifest, old: Former, show: Show, *, with_index: bool) -> Ready:
    """Figures as of `Restored`; without an index no mentions."""
    with _opened(stage, clock) as (engine, log):
        upgrade(engine)
        deletes = old.delete_again(engine, clock.now(), lambda done: show("deletes since", done, done))
        log.append(old.unrouted_deletes(manifest.made_at, log.topics()))
        identity = str(uuid.uuid4())
        with write(engine) as connection:
            why = f"restored from a backup of {_stamp(manifest.made_at)} UTC"
            epoch = epochs.begin(connection, clock.now(), why, above=old.epoch)
            many(connection, "UPDATE stored_offset SET epoch = ? WHERE epoch = ?", [(identity, log.epoch())])
            many(connection, "UPDATE lease SET expires = 0", [()])
            old.carry_over(connection)
            waiting = held.hold(connection)
            old.settle_mails(connection)
    _rename_log(stage / "log.db", identity)
    mentions = _indexed(stage, clock, show) if with_index else 0
    _one_file_each(stage)
    return Ready(epoch, mentions, deletes, waiting)


def _indexed(stage: Path, clock: Clock, show: Show) -> int:
    with _opened(stage, clock) as (engine, log), closing(EmbeddedStore(stage / "index.db", clock)) as store:
        return reindex(engine, log, store, lambda done, total: show("index", done, total))


@contextmanager
def _opened(stage: Path, clock: Clock) -> Iterator[tuple[Engine, EmbeddedLog]]:
    engine = open_database(stage / "app.db")
    try:
        log = EmbeddedLog(stage / "log.db", clock)
        try:
            yield engine, log
        finally:
            log.close()
    finally:
        engine.dispose()


def _rename_log(path: Path, identity: str) -> None:
    """Its offsets go on where the backup ended: whoever kept a later one must not take it for one of these."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (identity,))
        connection.execute("UPDATE progress SET member = NULL")
        connection.execute("DELETE FROM member")
        connection.execute("COMMIT")


def _one_file_each(stage: Path) -> None:
    """Nothing is left in a write-ahead log that would have to be moved with its database."""
    for name in DATABASES:
        with closing(sqlite3.connect(stage / name, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


# --- put in place ----------------------------------------------------------------------------------------------------


def _aside(to: Home) -> Path:
    """Where what is replaced goes: after a restore that was cut short, where that one had put it."""
    marker = unfinished(to)
    if marker.exists() and (name := marker.read_text(encoding="utf-8").strip()).startswith("replaced-"):
        return to.data / name
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return next(
        path for n in range(1_000) if not (path := to.data / f"replaced-{stamp}{f'-{n}' if n else ''}").exists()
    )


def _former_place(now_at: Home, to: Home, aside: Path) -> Path:
    if unfinished(to).exists() and (aside / "app.db").exists():
        return aside
    return now_at.data if now_at.app_db.exists() else to.data


def _put_back(home: Home, stage: Path | None, files: Sequence[File]) -> Returned:
    """Before the configuration that may name them; one that stands already is never touched."""
    if stage is None:
        return Returned()
    for folder in stage.glob("**/"):
        _sync_folder(folder)
    returned = backed_models.put_back(home, stage, {file.name: file.sha256 for file in files})
    _sync_folder(home.models)
    return returned


def _swap(home: Home, to: Home, stage: Path, aside: Path) -> bool:
    """Put what is staged in place; whether anything was replaced. A mark stands while the home is not whole."""
    marker = unfinished(to)
    fresh = not marker.exists()
    marker.write_text(aside.name, encoding="utf-8")
    _sync_folder(to.data)
    replaced = [path for name in REPLACED for path in _with_company(to.data, name)]
    replaced += [home.root / name for name in CONFIGURATION if _differ(home.root / name, stage / name)]
    if replaced or not fresh:
        aside.mkdir(mode=0o700, exist_ok=True)
    for path in replaced:
        _set_aside(path, aside)
    for path in sorted(stage.iterdir()):
        _put_in_place(path, (home.root if path.name in CONFIGURATION else to.data) / path.name)
    _sync_folder(to.data)
    _sync_folder(home.root)
    marker.unlink()
    _sync_folder(to.data)
    return bool(replaced) or not fresh


def _with_company(folder: Path, name: str) -> Sequence[Path]:
    """A database with its write-ahead log, and for the index the files that it may lead to."""
    stem, _, end = name.partition(".")
    found = [*folder.glob(f"{name}*")]
    if name == "index.db":
        found += folder.glob(f"{stem}-*.{end}*")
    return sorted(found)


def _differ(standing: Path, coming: Path) -> bool:
    return standing.exists() and coming.exists() and standing.read_bytes() != coming.read_bytes()


def _set_aside(path: Path, aside: Path) -> None:
    target = aside / path.name
    kept = target.exists() or target.is_symlink()
    if path.name in CONFIGURATION:
        if not kept:
            shutil.copy2(path, target)
    elif kept:
        path.unlink()  # of a restore that was cut short: what it replaced lies there already
    else:
        path.rename(target)


def _put_in_place(path: Path, target: Path) -> None:
    """In one step, also where the home lies on another disk than its data."""
    draft = target.with_name(f".{target.name}.new")
    shutil.move(path, draft)
    draft.replace(target)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stamp(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M")
