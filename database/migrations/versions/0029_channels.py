"""Mails that leave by another way than mail: chat, push, signed webhooks.

Revision ID: 0029
Revises: 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "mail",
        sa.Column(
            "channel", sa.Text(), server_default="", nullable=False, comment="by which it leaves; empty: by mail"
        ),
    )


def downgrade() -> None:
    op.execute("DELETE FROM mail_item WHERE mail IN (SELECT id FROM mail WHERE channel != '')")
    op.execute("DELETE FROM mail WHERE channel != ''")
    op.drop_column("mail", "channel")
