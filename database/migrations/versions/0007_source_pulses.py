"""When something last came from a push source, and since when it is listened to.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_pulse",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("listening_since", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False, comment="up to when it is known to have been open"),
        sa.Column("last_post_at", sa.BigInteger(), nullable=True, comment="null: it never brought any"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source_pulse")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("source_pulse")
