"""Clusters of near copies.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cluster_post",
        sa.Column(
            "n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment="in the order of joining"
        ),
        sa.Column("post", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.BigInteger(), nullable=True, comment="key, as in post"),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column(
            "joined_at", sa.BigInteger(), nullable=False, comment="when it was routed: what retention counts from"
        ),
        sa.Column(
            "entry",
            sa.Integer(),
            nullable=False,
            comment="1: others are compared with it; 0: enough others like it are",
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_cluster_post")),
        comment="A live post with a fingerprint, for as long as later posts are compared with it.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_cluster_post_post", "cluster_post", ["post"], unique=False)
    op.create_index("ix_cluster_post_cluster", "cluster_post", ["cluster"], unique=False)
    op.create_table(
        "cluster",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("posts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_cluster")),
        comment="How many rows of cluster_post a cluster has, where they are two or more.",
    )


def downgrade() -> None:
    op.drop_table("cluster")
    op.drop_table("cluster_post")
