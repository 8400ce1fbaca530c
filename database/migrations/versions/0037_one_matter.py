"""Incidents of several brands that are one matter.

Revision ID: 0037
Revises: 0036
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

PART = sa.text("part_of IS NOT NULL")


def upgrade() -> None:
    comment = "first incident of the same matter, of another brand; null: its own"
    op.add_column("incident", sa.Column("part_of", sa.BigInteger(), comment=comment))
    op.create_index("ix_incident_part_of", "incident", ["part_of"], sqlite_where=PART, postgresql_where=PART)
    op.create_table(
        "incident_tie",
        sa.Column("one", sa.BigInteger(), autoincrement=False, nullable=False, comment="the lower id of two incidents"),
        sa.Column("other", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="joined or split"),
        sa.Column("evidence", sa.Text(), nullable=False, comment="JSON: what both have in common, as shares; no text"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False, comment="who decided; empty: Clamor"),
        sa.PrimaryKeyConstraint("one", "other", name=op.f("pk_incident_tie")),
        comment="Of incidents of two brands: that they are one matter, or that somebody said they are not.",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("incident_tie")
    op.drop_index("ix_incident_part_of", table_name="incident")
    op.drop_column("incident", "part_of")
