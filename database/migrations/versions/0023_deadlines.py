"""By when cases have to be answered and done.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

WAITING = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("cases", sa.Column("deadline", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "case_deadline",
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("deadline", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger()),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("warned_at", sa.BigInteger()),
        sa.Column("missed_at", sa.BigInteger()),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("case_id", "what", name=op.f("pk_case_deadline")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_case_deadline_next_at", "case_deadline", ["next_at"], sqlite_where=WAITING, postgresql_where=WAITING
    )
    op.create_table(
        "case_pause",
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("case_id", "since", name=op.f("pk_case_pause")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deadline_round",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("teams", sa.Integer(), nullable=False),
        sa.Column("deadlines", sa.Integer(), nullable=False),
        sa.Column("after", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_deadline_round")),
    )


def downgrade() -> None:
    for table in ("deadline_round", "case_pause", "case_deadline"):
        op.drop_table(table)
    op.drop_column("cases", "deadline")
