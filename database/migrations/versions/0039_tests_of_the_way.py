"""Tests of the way to people, and who said that one came.

Revision ID: 0039
Revises: 0038
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chain_test",
        sa.Column("test", sa.Text(), nullable=False, comment="2026-12; of one by hand the moment"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("alert", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), comment="null: nobody clicked"),
        sa.Column("told_at", sa.BigInteger(), comment="when others were told that this one did not"),
        sa.PrimaryKeyConstraint("test", "person", name=op.f("pk_chain_test")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("chain_test")
