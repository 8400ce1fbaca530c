"""Where a home's database is: a file in its data folder, or on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from clamor.clocks import pace_of
from config.load import Configuration
from database.engine import Server


def place_of(configuration: Configuration) -> Path | Server:
    """For `database.engine.open_database`.

    A home that lives in simulated time has a file, whatever server its settings name: a replay's home is made from the
    settings of another one, in whose database nothing of those days may be written.
    """
    home, asked = configuration.home, configuration.settings.engines.database
    if asked.kind == "sqlite" or pace_of(home) is not None:
        return home.app_db
    secrets, name = configuration.secrets, asked.password_env

    def password() -> str | None:
        found = secrets.get(name) if name is not None else None
        return None if found is None else found.get_secret_value()

    return Server(
        asked.host, asked.name, asked.user, asked.port, password,
        tls=asked.security == "tls",
        certificates=str(home.path(asked.certificates)) if asked.certificates is not None else None,
    )  # fmt: skip


def file_of(configuration: Configuration) -> Path | None:
    """The file; None where the database is on a server."""
    place = place_of(configuration)
    return place if isinstance(place, Path) else None
