"""Cases that are one matter: what shows it, and what is known of two cases.

Revision ID: 0032
Revises: 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

PROPOSED = sa.text("state = 'proposed'")


def upgrade() -> None:
    op.create_table(
        "case_mark",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "key", sa.BigInteger(), nullable=False, comment="hash of what marks a matter, or the cluster's number"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="copy, link, tag, code, name, author, handle, post"),
        sa.Column("mention", sa.BigInteger(), nullable=False, comment="n"),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_case_mark")),
        comment="Of a live mention in a case, for two weeks: numbers, no text. Goes with the mention's text.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_mark_key", "case_mark", ["key", "kind", "n"])
    op.create_index("ix_case_mark_mention", "case_mark", ["mention"])
    op.create_table(
        "case_tie",
        sa.Column("one", sa.BigInteger(), autoincrement=False, nullable=False, comment="the lower id of two cases"),
        sa.Column("other", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="proposed, joined, apart, linked (cases of two brands)"),
        sa.Column("certainty", sa.Integer(), nullable=False, comment="of 10,000"),
        sa.Column(
            "evidence",
            sa.Text(),
            nullable=False,
            comment="JSON: terms with weights, numbers of two mentions; no text",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False, comment="who decided; empty: Clamor"),
        sa.PrimaryKeyConstraint("one", "other", name=op.f("pk_case_tie")),
        comment="What is known of two cases: one matter, perhaps, or not.",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_case_tie_other", "case_tie", ["other"])
    op.create_index("ix_case_tie_proposed", "case_tie", ["certainty"], sqlite_where=PROPOSED, postgresql_where=PROPOSED)
    op.create_table(
        "case_sought",
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False, comment="1"),
        sa.Column("event", sa.BigInteger(), nullable=False, comment="n of the last case_event that was looked at"),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_case_sought")),
        comment="How far cases were compared with one another.",
    )


def downgrade() -> None:
    op.drop_table("case_sought")
    op.drop_table("case_tie")
    op.drop_table("case_mark")
