"""Bringing a database to this release's tables: called at every start, does nothing where nothing is to be done.

Alembic is imported where it works: most commands only ask whether the tables are there, and are answered sooner.

`python -m database.migrate 0002 "what changes"` drafts the next migration after tables have changed in code.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from database.engine import many, open_database, read, refuse_unfit, unhurried, write

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"


UNFINISHED = "moving-"
"""How the mark begins that stands in the place of the revision while a database is filled from another one."""


class TooNew(Exception):
    """The database was written by a later release."""


class NotWhole(Exception):
    """The database is being filled from another one, and not all of it is there."""


def upgrade(engine: Engine) -> bool:
    """Make or upgrade all tables in one transaction; whether there was anything to do.

    Raises TooNew for a database of a later release, NotWhole for one that is being filled from another, Transient
    where it is locked, DatabaseUnusable for one that cannot hold what is to be kept.
    """
    latest = head()
    if current(engine) == latest:
        return False
    with write(engine) as connection:
        present = _present(connection)
        if present == latest:
            return False
        if present is not None and present.startswith(UNFINISHED):
            raise NotWhole(
                "`clamor move` fills this database from another one and is not through: give the same `clamor move` "
                "again where it was begun, and start the stages when it says so"
            )
        refuse_unfit(connection)
        unhurried(connection)
        from alembic import command

        known = {script.revision for script in _scripts().walk_revisions()}
        if present is not None and present not in known:
            raise TooNew(
                f"the database is at revision {present}, this release knows none after {latest}: "
                "start the release that wrote it, or restore a backup of before"
            )
        command.upgrade(_config(connection), "head")
    return True


def make_aside(engine: Engine, mark: str) -> None:
    """All tables in a database that has none, under `mark` (it begins with UNFINISHED) in the place of the revision:
    until `put_in_use`, no process of Clamor starts on it. Raises as `upgrade` does."""
    from alembic import command

    with write(engine) as connection:
        refuse_unfit(connection)
        unhurried(connection)
        command.upgrade(_config(connection), "head")
        many(connection, "UPDATE alembic_version SET version_num = ?", [(mark,)])


def put_in_use(engine: Engine, mark: str) -> None:
    """The end of `make_aside`. Nothing happens where the mark is gone already."""
    with write(engine) as connection:
        many(connection, "UPDATE alembic_version SET version_num = ? WHERE version_num = ?", [(head(), mark)])


def downgrade(engine: Engine, revision: str) -> None:
    """Back to an earlier revision (`base`: no tables). What has no place there is lost."""
    from alembic import command

    with write(engine) as connection:
        unhurried(connection)
        command.downgrade(_config(connection), revision)


def current(engine: Engine) -> str | None:
    """The database's revision; None for one without tables."""
    with read(engine) as connection:
        return _present(connection)


def head() -> str | None:
    """The revision that this release works on."""
    return _scripts().get_current_head()


def draft(message: str, number: str) -> None:
    """Write the migration from the head to what the tables in code are, to be read and corrected by a person."""
    from alembic import command

    with TemporaryDirectory() as folder:
        engine = open_database(Path(folder) / "app.db")
        upgrade(engine)
        with write(engine) as connection:
            command.revision(_config(connection), message=message, autogenerate=True, rev_id=number)
        engine.dispose()


def _present(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


if __name__ == "__main__":
    draft(sys.argv[2], sys.argv[1])
