"""Run by Alembic; the connection comes from `database.migrate`. What SQLite cannot alter is rebuilt."""

from __future__ import annotations

from alembic import context

import database.tables  # noqa: F401
from database.base import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
