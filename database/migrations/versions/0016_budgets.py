"""What each source has used up of its money, its quota and its rate.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_used",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False, comment="empty: the source as a whole"),
        sa.Column("measure", sa.Text(), nullable=False, comment="money, units or requests"),
        sa.Column(
            "since", sa.BigInteger(), autoincrement=False, nullable=False, comment="begin of the day, month or slice"
        ),
        sa.Column("used", sa.BigInteger(), nullable=False, comment="what is reserved included; money in millionths"),
        sa.Column("level", sa.Integer(), nullable=False, comment="per cent of the cap reached: 0, 50, 80, 100"),
        sa.PrimaryKeyConstraint("source_id", "brand", "measure", "since", name=op.f("pk_budget_used")),
        comment="What a process reserved and died before using stays used: nobody can say whether it was billed.",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("budget_used")
