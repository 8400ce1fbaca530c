"""Silences that people make: of a brand, a query or an incident, once or every week.

Revision ID: 0035
Revises: 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "silence",
        sa.Column("id", number, nullable=False),
        sa.Column("brand", sa.Text(), server_default="", nullable=False, comment="empty: all"),
        sa.Column(
            "query", sa.Text(), server_default="", nullable=False, comment="only severe posts that it finds; empty: all"
        ),
        sa.Column("incident", sa.BigInteger(), comment="only this one; null: all"),
        sa.Column(
            "crisis", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="a crisis is silenced, too"
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="who made it"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column(
            "weekly",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="begins then: sun 02:00; empty: once",
        ),
        sa.Column(
            "length", sa.BigInteger(), server_default="0", nullable=False, comment="of a weekly one, in milliseconds"
        ),
        sa.Column("zone", sa.Text(), server_default="UTC", nullable=False, comment="of a weekly one"),
        sa.Column("ended_at", sa.BigInteger(), comment="null: nobody ended it before its time"),
        sa.Column("ended_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("silence")
