"""How long deletes took until SQL held no text any more.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delete_latency",
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False, comment="of stream.latency"),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "bucket", name=op.f("pk_delete_latency")),
        sqlite_with_rowid=False,
        comment="From a delete's arrival in the log until SQL held the text no more; the last day.",
    )


def downgrade() -> None:
    op.drop_table("delete_latency")
