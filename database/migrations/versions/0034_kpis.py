"""Key figures of the teams' work, kept as it happens, and mentions by day.

Revision ID: 0034
Revises: 0033
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "kpi_day", *_key(), sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "brand", "queue", "network", "measure", "bucket"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_table(
        "kpi_delta", sa.Column("n", ROW, nullable=False), *_key(), sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("n"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "kpi_added",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "kpi_detractor",
        sa.Column("author", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("brand", sa.Integer(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("author", "case_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_kpi_detractor_resolved_at", "kpi_detractor", ["resolved_at"])
    op.create_index("ix_kpi_detractor_case", "kpi_detractor", ["case_id"])
    op.create_table(
        "kpi_praise",
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mention", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "mention"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_kpi_praise_mention", "kpi_praise", ["mention"])
    op.create_table(
        "count_day",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in ("day", "brand", "network")),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "brand", "network"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO count_day (day, brand, network, mentions) SELECT minute / 1440, brand, network, sum(mentions) "
        "FROM count_minute GROUP BY minute / 1440, brand, network HAVING sum(mentions) != 0"
    )


def _key() -> list[sa.Column[Any]]:
    texts = ("brand", "queue", "network", "measure")
    return [
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
    ]


def downgrade() -> None:
    for table in ("count_day", "kpi_praise", "kpi_detractor", "kpi_added", "kpi_delta", "kpi_day"):
        op.drop_table(table)
