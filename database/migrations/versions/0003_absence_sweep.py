"""Authors who went away and whose posts are being taken along.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "absence_sweep",
        sa.Column("author", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False, comment="number of the last post that was looked at"),
        sa.Column(
            "learnt_at", sa.BigInteger(), nullable=False, comment="when the log took the word of it; 0: not counted"
        ),
        sa.PrimaryKeyConstraint("author", name=op.f("pk_absence_sweep")),
        comment="Authors whose account went away, while their earlier posts are taken along.",
    )


def downgrade() -> None:
    op.drop_table("absence_sweep")
