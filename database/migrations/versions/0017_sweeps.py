"""Which posts are looked up again on their networks, and how that goes.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

DOUBTED = sa.text("absent_since IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "swept_post",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("post", sa.BigInteger(), autoincrement=False, nullable=False, comment="n of table post"),
        sa.Column("due_at", sa.BigInteger(), comment="may be looked up from then on; NULL: not planned yet"),
        sa.Column("limit_at", sa.BigInteger(), comment="has to be looked up by then"),
        sa.Column("looked_at", sa.BigInteger(), comment="when a sweep last saw it there; NULL: never"),
        sa.Column("absent_since", sa.BigInteger(), comment="not there since then, and not yet taken for deleted"),
        sa.Column("gone_at", sa.BigInteger(), comment="when a sweep took it for deleted"),
        sa.PrimaryKeyConstraint("source_id", "post", name=op.f("pk_swept_post")),
        comment="Routing adds the posts that became mentions; the sweeper of the source plans, looks up and removes.",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_swept_post_due", "swept_post", ["source_id", "due_at"], unique=False)
    op.create_index(
        "ix_swept_post_doubted",
        "swept_post",
        ["source_id"],
        unique=False,
        sqlite_where=DOUBTED,
        postgresql_where=DOUBTED,
    )
    op.create_table(
        "sweep",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False, comment="that its posts were planned by"),
        sa.Column("looked_at", sa.BigInteger(), nullable=False, comment="when the sweeper last said how it does"),
        sa.Column("held", sa.BigInteger(), nullable=False, comment="posts that it looks after"),
        sa.Column("overdue", sa.BigInteger(), nullable=False, comment="of these: not looked up in time"),
        sa.Column("oldest_limit", sa.BigInteger(), comment="of those overdue, the first"),
        sa.Column("paused_at", sa.BigInteger(), comment="too many were gone at once: a person has to look"),
        sa.Column("why", sa.Text(), nullable=False, comment="it is paused or does not get on; empty: all is well"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_sweep")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("sweep")
    op.drop_index("ix_swept_post_doubted", table_name="swept_post")
    op.drop_index("ix_swept_post_due", table_name="swept_post")
    op.drop_table("swept_post")
