"""A backup: both databases, each of one moment, the configuration and the home's own models, with a manifest of
checksums; never secrets.

SQL is taken a moment before the log: what routing had not done by then is in the log, and is done again after a
restore. The index is not taken, since it is rebuilt from SQL. Writers are not held up: a reader of a write-ahead log
keeps its moment while they go on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Self

import msgspec
from msgspec.structs import replace

from clamor import backed_models
from config.disk import disk_free
from config.home import Home, HomeError
from config.schema import Settings
from stream.records import Millis

FORMAT = 2
READ = (1, 2)
"""Formats; the first one holds no models."""
MANIFEST = "manifest.json"
DATABASES = ("app.db", "log.db")
CONFIGURATION = ("clamor.yaml", "rules.yaml", "detractors.yaml")
CLOCK = "clock.json"
"""Only in a home that lives in simulated time."""
KNOWN = (*DATABASES, *CONFIGURATION, CLOCK)
ARCHIVES = (".tar", ".tar.gz", ".tgz")
PAGES = 512
"""Copied at a time: 4 MB."""
BLOCK = 1 << 20
MANIFEST_MOST = 16 * BLOCK

Show = Callable[[str, int, int], None]
"""Called with (what is done, how far, of how much)."""


class BackupError(HomeError):
    """A backup cannot be made or used; the message names the file and the way out."""


class File(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`: what the backup holds. `checksum` is the SHA-256 of this record with an empty one."""

    kind: str = "clamor-backup"
    format: int = FORMAT
    clamor: str
    """Version of the program that made it."""
    made_at: Millis
    posts: int
    mentions: int
    files: tuple[File, ...]
    checksum: str = ""

    def signed(self) -> Self:
        return replace(self, checksum=self._digest())

    def whole(self) -> bool:
        return self.checksum == self._digest()

    def _digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(replace(self, checksum=""))).hexdigest()


def backup(home: Home, target: Path, now: Millis, show: Show = lambda what, done, total: None) -> tuple[Path, Manifest]:
    """Write a backup of `home` (with its data folder) to `target`; where it lies, and what it holds.

    A name that ends in .tar, .tar.gz or .tgz makes one file, any other a folder; in a folder that exists already, a new
    one is made. It appears under its name once it is whole. Raises BackupError.
    """
    if not home.app_db.exists() or not home.log_db.exists():
        raise BackupError(
            f"{home.data} holds no databases yet, so there is nothing to back up: start `clamor run` once"
        )
    place = _place(target, now)
    _enough_space(home, place)
    draft: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=".clamor-backup-", dir=place.parent))
        manifest = _fill(home, draft, now, show)
        if place.name.endswith(ARCHIVES):
            _pack(draft, place, manifest, show)
        else:
            draft.rename(place)
        _sync_folder(place.parent)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise BackupError(
            f"no backup was made in {place}: {_why(error)}; free space or choose another place"
        ) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    return place, manifest


def refuse_server(settings: Settings) -> None:
    """Raises BackupError where database or log is not a file: log and SQL could not be copied as of one moment."""
    asked = settings.engines.database
    if asked.kind != "sqlite":
        raise BackupError(
            f"the database {asked.name} is on the server {asked.host}, and `clamor backup` and `clamor restore` copy "
            "files: stop the stages, take the database by `pg_dump -Fc`, then the home's folder; what has to follow a "
            "`pg_restore` is told in docs/postgresql.md"
        )
    log = settings.engines.log
    if log.kind == "kafka":
        raise BackupError(
            f"the log is on Kafka at {', '.join(log.kafka.servers)}, and `clamor backup` and `clamor restore` copy "
            "files: its brokers keep it, on as many of them as `replication` says; see docs/kafka.md"
        )


class Source:
    """A backup that is read, folder or archive alike. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises BackupError where there is no such backup."""
        self.path = path
        self._archive: tarfile.TarFile | None = None
        if path.is_dir():
            return
        try:
            self._archive = tarfile.open(path)  # noqa: SIM115
        except _UNREADABLE as error:
            raise BackupError(f"{path} is no backup ({_why(error)}): name what `clamor backup` wrote") from error

    def manifest(self) -> Manifest:
        """Raises BackupError: not a backup of Clamor, of another format, or changed since it was made."""
        try:
            with self.open(MANIFEST) as file:
                manifest = msgspec.json.decode(file.read(MANIFEST_MOST), type=Manifest)
        except msgspec.DecodeError as error:
            raise BackupError(f"{self.path} is not a backup of Clamor: its {MANIFEST} says something else") from error
        if manifest.kind != "clamor-backup":
            raise BackupError(f"{self.path} is not a backup of Clamor, but of {manifest.kind[:40]!r}")
        if manifest.format not in READ:
            raise BackupError(
                f"{self.path} has format {manifest.format} (made by Clamor {manifest.clamor}), this release reads up "
                f"to {FORMAT}: restore it with the release that made it, then upgrade"
            )
        if not manifest.whole() or not _holds_what_one_does(manifest.files):
            raise BackupError(f"{self.path} is damaged: its manifest has changed since it was made; take another")
        return manifest

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Raises BackupError where the backup lacks it."""
        try:
            found = self._member(name) if self._archive else (self.path / name).open("rb")
        except (KeyError, *_UNREADABLE) as error:
            raise BackupError(f"{self.path} is no whole backup of Clamor: it lacks {name} ({_why(error)})") from error
        if found is None:
            raise BackupError(f"{self.path} is no backup of Clamor: {name} is not a file in it")
        with found:
            yield found

    def _member(self, name: str) -> IO[bytes] | None:
        """None for a link or a device: `clamor backup` writes none, and following one leads anywhere."""
        assert self._archive is not None
        found = self._archive.getmember(name)
        return self._archive.extractfile(found) if found.isreg() else None

    def copy(self, file: File, target: Path, show: Show) -> None:
        """Write the file to `target`, mode 600, and check it. Raises BackupError where it is damaged."""
        digest, size = hashlib.sha256(), 0
        try:
            with self.open(file.name) as reading, open(os.open(target, _NEW, 0o600), "wb") as writing:  # noqa: PTH123
                while size <= file.bytes and (block := reading.read(BLOCK)):
                    digest.update(block)
                    size += len(block)
                    writing.write(block)
                    show(file.name, size, file.bytes)
                writing.flush()
                os.fsync(writing.fileno())
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise BackupError(f"{self.path} is damaged: {file.name} cannot be read ({_why(error)})") from error
        if (size, digest.hexdigest()) != (file.bytes, file.sha256):
            raise BackupError(
                f"{self.path} is damaged: {file.name} has {size} bytes and another checksum than when it was made "
                f"({file.bytes} bytes); nothing was changed, take another backup"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError)
"""What an archive raises that is none, or was cut off."""


def _holds_what_one_does(files: Sequence[File]) -> bool:
    names = {file.name for file in files}
    return (
        len(names) == len(files)
        and names >= set(DATABASES)
        and all(name in KNOWN or backed_models.belongs(name) for name in names)
        and not backed_models.too_large((file.name, file.bytes) for file in files if file.name not in KNOWN)
    )


def _place(target: Path, now: Millis) -> Path:
    if target.is_dir():
        stamp = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%d-%H%M%S")
        return target / f"clamor-{stamp}"
    if target.exists():
        raise BackupError(f"{target} exists already and is left as it is: choose another name")
    return target


def _enough_space(home: Home, place: Path) -> None:
    models = [home.root / name for name in backed_models.held(home).files]
    needed = sum(path.stat().st_size for path in (home.app_db, home.log_db, *models))
    if place.name.endswith(ARCHIVES):
        needed *= 2
    folder = next(folder for folder in place.absolute().parents if folder.exists())
    free = disk_free(folder).free
    if free < needed:
        raise BackupError(
            f"{folder} has {free / 1e9:.1f} GB free and the backup needs {needed / 1e9:.1f} GB: make space"
        )


def _fill(home: Home, folder: Path, now: Millis, show: Show) -> Manifest:
    with closing(_moment(home.app_db)) as app, closing(_moment(home.log_db)) as log:
        posts, mentions = app.execute("SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM mention)").fetchone()
        for connection, name in ((app, "app.db"), (log, "log.db")):
            _copy_database(connection, folder / name, show)
    for path in (home.settings_file, home.rules_file, home.policy_file, home.data / CLOCK):
        if path.exists():
            shutil.copyfile(path, folder / path.name)
    models = _copy_models(home, folder, show)
    files = tuple(_file(folder, name) for name in (*KNOWN, *models) if (folder / name).exists())
    manifest = Manifest(
        clamor=version("clamor"), made_at=now, posts=posts, mentions=mentions, files=files
    ).signed()  # fmt: skip
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        _sync(path)
    return manifest


def _moment(path: Path) -> sqlite3.Connection:
    """A connection whose reads are all of this moment."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _copy_database(source: sqlite3.Connection, path: Path, show: Show) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")
        source.backup(target, pages=PAGES, progress=lambda _, left, total: show(path.name, total - left, total))
        _leave_out_secrets(target)
        target.execute("PRAGMA journal_mode = DELETE")
        found = target.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupError(f"{path.name} is damaged ({found}): restore an earlier backup, or ask for help with this one")


def _leave_out_secrets(target: sqlite3.Connection) -> None:
    """Tokens that networks gave for what a person gave Clamor, and what links in mails are signed with; their places
    are zeros afterwards."""
    for table in ("credential", "link_key"):
        if target.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            target.execute("PRAGMA journal_mode = MEMORY")
            target.execute("PRAGMA secure_delete = ON")
            target.execute(f"DELETE FROM {table}")


def _copy_models(home: Home, folder: Path, show: Show) -> Sequence[str]:
    """Names of what was copied, relative to either."""
    names = backed_models.held(home).files
    for done, name in enumerate(names):
        show("models", done, len(names))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home.root / name, folder / name)
    return names


def _file(folder: Path, name: str) -> File:
    path = folder / name
    with path.open("rb") as file:
        return File(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _pack(folder: Path, place: Path, manifest: Manifest, show: Show) -> None:
    draft = folder / place.name  # in the folder that is ours alone: beside `place` others could wait with a link
    mode = "w" if place.suffix == ".tar" else "w:gz"
    try:
        with open(os.open(draft, _NEW, 0o600), "wb") as raw:  # noqa: PTH123
            with tarfile.open(fileobj=raw, mode=mode, **({} if mode == "w" else {"compresslevel": 3})) as archive:  # type: ignore[call-overload]
                for done, name in enumerate((MANIFEST, *(file.name for file in manifest.files))):
                    show("packing", done, len(manifest.files) + 1)
                    archive.add(folder / name, arcname=name)
            raw.flush()
            os.fsync(raw.fileno())
        draft.rename(place)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_sync_folder = _sync


def _why(error: BaseException) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).splitlines()[0].rstrip(":")
