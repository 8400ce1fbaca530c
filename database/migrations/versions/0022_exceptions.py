"""Exceptions from the policy are found by the case: their words go when no text of it is kept any more.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KEPT = sa.text("change = 'exception' AND detail != ''")


def upgrade() -> None:
    op.create_index(
        "ix_case_event_exception", "case_event", ["case_id"], unique=False, sqlite_where=KEPT, postgresql_where=KEPT
    )


def downgrade() -> None:
    op.drop_index("ix_case_event_exception", table_name="case_event", sqlite_where=KEPT, postgresql_where=KEPT)
