"""Epochs: how often the database was restored.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column(
            "number", sa.Integer(), autoincrement=False, nullable=False, comment="the highest is in force; none: 0"
        ),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_epoch")),
    )


def downgrade() -> None:
    op.drop_table("epoch")
