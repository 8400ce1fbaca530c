"""Of each pushed post the version taken last: only that one again is a duplicate.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What was known are hashes of versions, of which nobody can say which was the last: taken again, they do no harm.
    op.execute("DELETE FROM webhook_item")
    op.add_column(
        "webhook_item",
        sa.Column("version", sa.Text(), server_default="", nullable=False, comment="hash of what was taken last"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM webhook_item")
    with op.batch_alter_table("webhook_item") as batch_op:
        batch_op.drop_column("version")
