"""How each source that Clamor asks itself does, told by the process that asks.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collector_standing",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False, comment="the one that asks, or tried to"),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="starting, listening, waiting, paused, cut, refused, broken, ended",
        ),
        sa.Column("trouble", sa.Text(), nullable=False, comment="in words; no text of a post"),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="when it came into this state"),
        sa.Column("appended", sa.BigInteger(), nullable=False, comment="posts, since it was first asked"),
        sa.Column("filled", sa.BigInteger(), nullable=False, comment="posts that filled a hole"),
        sa.Column("filtered", sa.BigInteger(), nullable=False, comment="left out by the pre-filter"),
        sa.Column("dead", sa.BigInteger(), nullable=False, comment="dead letters"),
        sa.Column("cuts", sa.BigInteger(), nullable=False, comment="connections and rounds that failed"),
        sa.Column("reached_at", sa.BigInteger(), nullable=True, comment="up to when all that was asked for came"),
        sa.Column("last_post_at", sa.BigInteger(), nullable=True, comment="null: it never brought any"),
        sa.Column("looked_at", sa.BigInteger(), nullable=False, comment="wall time of this word"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_collector_standing")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("collector_standing")
