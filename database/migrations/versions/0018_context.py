"""What replies in cases answer: who asked for it, and what came.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

OPEN = sa.text("state = 'asked'")


def upgrade() -> None:
    op.create_table(
        "context_request",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("post", sa.BigInteger(), autoincrement=False, nullable=False, comment="n of the reply"),
        sa.Column("parent", sa.BigInteger(), nullable=False, comment="n of the post that it answers"),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column(
            "tried_at", sa.BigInteger(), server_default="0", nullable=False, comment="when the network was last asked"
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="asked, fetched, none (it is not to be had), refused"),
        sa.Column("why", sa.Text(), server_default="", nullable=False, comment="in words; no text of a post"),
        sa.PrimaryKeyConstraint("source_id", "post", name=op.f("pk_context_request")),
        comment="People write what they ask for, the collecting process of the source what came of it.",
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_context_request_parent"), "context_request", ["parent"], unique=False)
    op.create_index(
        "ix_context_request_open",
        "context_request",
        ["source_id", "tried_at"],
        unique=False,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "context_post",
        sa.Column("id", sa.Text(), nullable=False, comment="of the post"),
        sa.Column("case_id", sa.BigInteger(), nullable=False, comment="the case that asked for it last"),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "body",
            sa.LargeBinary(),
            comment="stream.records.Post as JSON, text included; NULL: not here, or a mention",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_context_post")),
        comment="The collecting process lists a post before it is in the log; "
        "routing fills in its text and takes it away.",
    )
    op.create_index(op.f("ix_context_post_case_id"), "context_post", ["case_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_context_post_case_id"), table_name="context_post")
    op.drop_table("context_post")
    op.drop_index("ix_context_request_open", table_name="context_request")
    op.drop_index(op.f("ix_context_request_parent"), table_name="context_request")
    op.drop_table("context_request")
