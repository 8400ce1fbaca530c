"""The ledger says what became of what was received: kept, left out, come again, too late.

Rows of before say nothing of it: they stand at 0.

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

COLUMNS = {
    "kept": "of the received: something was appended",
    "filtered": "of the received: left out",
    "duplicates": "times that one came just as it was",
    "late": "of the kept: too late to wake anybody",
}


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.add_column("coverage", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False, comment=comment))


def downgrade() -> None:
    with op.batch_alter_table("coverage") as batch_op:
        for name in COLUMNS:
            batch_op.drop_column(name)
