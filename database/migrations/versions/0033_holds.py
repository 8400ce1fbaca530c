"""Holds: canned replies kept back in the cases of an incident.

Revision ID: 0033
Revises: 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incident_hold",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("incident", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("ended_by", sa.Text()),
        sa.Column("ended_why", sa.Text()),
        sa.PrimaryKeyConstraint("n"),
        sqlite_autoincrement=True,
    )
    stands = sa.text("ended_at IS NULL")
    op.create_index("ix_incident_hold_incident", "incident_hold", ["incident"])
    op.create_index(
        "uq_incident_hold_stands", "incident_hold", ["incident"], unique=True, sqlite_where=stands,
        postgresql_where=stands,
    )  # fmt: skip
    op.create_table(
        "hold_case",
        sa.Column("hold", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("hold", "case_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_hold_case_case_id", "hold_case", ["case_id"])


def downgrade() -> None:
    op.drop_table("hold_case")
    op.drop_table("incident_hold")
