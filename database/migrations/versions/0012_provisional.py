"""Which posts were read by the linear model under overload, and are to be read anew.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "post",
        sa.Column(
            "provisional",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="1: read by the linear model under overload, to be read anew",
        ),
    )
    op.create_index(
        "ix_post_provisional",
        "post",
        ["provisional"],
        unique=False,
        sqlite_where=sa.text("provisional = 1"),
        postgresql_where=sa.text("provisional = 1"),
    )


def downgrade() -> None:
    op.drop_index("ix_post_provisional", table_name="post")
    op.drop_column("post", "provisional")
