"""Bringing a database to this release's tables: called at every start, does nothing where nothing is to be done."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from database.engine import read, write

MIGRATIONS = Path(__file__).parent / "migrations"


class TooNew(Exception):
    """The database was written by a later release."""


def upgrade(engine: Engine) -> bool:
    """Make or upgrade all tables in one transaction; whether there was anything to do.

    Raises TooNew for a database of a later release, Transient where it is locked.
    """
    if current(engine) == head():
        return False
    with write(engine) as connection:
        present = _present(connection)
        if present == head():
            return False
        known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
        if present is not None and present not in known:
            raise TooNew(
                f"the database is at revision {present}, this release knows none after {head()}: "
                "start the release that wrote it, or restore a backup of before"
            )
        command.upgrade(_config(connection), "head")
    return True


def downgrade(engine: Engine, revision: str) -> None:
    """Back to an earlier revision (`base`: no tables). What has no place there is lost."""
    with write(engine) as connection:
        command.downgrade(_config(connection), revision)


def current(engine: Engine) -> str | None:
    """The database's revision; None for one without tables."""
    with read(engine) as connection:
        return _present(connection)


def head() -> str | None:
    """The revision that this release works on."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config
