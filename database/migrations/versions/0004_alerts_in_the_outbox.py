"""Alerts leave by the outbox too.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("alert", sa.BigInteger(), comment="the alert to tell of, of kind alert"))


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'alert'")
    op.drop_column("outbox", "alert")
