"""Cases that people work on: who has them, notes, tags, who watches, what was split off, news for single people.

Revision ID: 0020
Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

PR = sa.text("live = 1 AND queue = 'pr'")
AUTHOR = sa.text("live = 1 AND queue != 'pr'")
WRITTEN = sa.text("text != ''")
ASLEEP = sa.text("state = 'snoozed'")


def upgrade() -> None:
    op.add_column("cases", sa.Column("revision", sa.Integer(), server_default="0", nullable=False))
    op.add_column("cases", sa.Column("strand", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("cases", sa.Column("set_aside_at", sa.BigInteger()))
    op.add_column("cases", sa.Column("snoozed_until", sa.BigInteger()))
    op.add_column("cases", sa.Column("first_response_at", sa.BigInteger()))
    op.add_column("cases", sa.Column("tracking", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE cases SET state = 'resolved' WHERE state = 'solved'")
    _places("strand")
    op.create_index("ix_cases_snoozed", "cases", ["snoozed_until"], sqlite_where=ASLEEP, postgresql_where=ASLEEP)
    op.add_column("case_event", sa.Column("person", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "case_note",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("alert", sa.BigInteger()),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_case_note")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_note_kept", "case_note", ["case_id"], sqlite_where=WRITTEN, postgresql_where=WRITTEN)
    op.create_index(op.f("ix_case_note_alert"), "case_note", ["alert"])
    op.create_table(
        "case_tag",
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "tag", name=op.f("pk_case_tag")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_case_tag_tag", "case_tag", ["tag"])
    op.create_table(
        "case_watcher",
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "person", name=op.f("pk_case_watcher")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alert_recipient",
        sa.Column("alert", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert", "person", name=op.f("pk_alert_recipient")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("alert_recipient", "case_watcher", "case_tag", "case_note"):
        op.drop_table(table)
    op.drop_column("case_event", "person")
    op.drop_index("ix_cases_snoozed", table_name="cases")
    # What was split off has the place of another: the release before has none for it.
    op.execute("UPDATE cases SET live = 0, state = 'closed' WHERE strand != 0")
    _places()
    for column in ("tracking", "first_response_at", "snoozed_until", "set_aside_at", "strand", "revision"):
        op.drop_column("cases", column)


def _places(*more: str) -> None:
    """Of which cases there is one alive."""
    for name, columns, where in (
        ("uq_cases_pr", ("conversation", "brand", *more), PR),
        ("uq_cases_author", ("conversation", "brand", "author", *more), AUTHOR),
    ):
        op.drop_index(name, table_name="cases")
        op.create_index(name, "cases", list(columns), unique=True, sqlite_where=where, postgresql_where=where)
