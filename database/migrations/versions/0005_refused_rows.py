"""What can be no post is refused, not missed: a number of its own in the coverage ledger.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OF_FILES = "% rows of the file were refused"
"""What the ledger said of a file of which nothing but refused rows was missing: of others nobody can tell any more."""


def upgrade() -> None:
    op.add_column(
        "coverage",
        sa.Column(
            "refused",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="could be no post: dead letters, or told to who pushed them",
        ),
    )
    op.execute(
        sa.text(
            "UPDATE coverage SET refused = missed, missed = 0, state = 'complete' "
            "WHERE state = 'partial' AND missed > 0 AND reason LIKE :words"
        ).bindparams(words=OF_FILES)
    )


def downgrade() -> None:
    op.execute(
        sa.text(
            "UPDATE coverage SET missed = missed + refused, state = 'partial' "
            "WHERE refused > 0 AND missed IS NOT NULL AND state IN ('complete', 'partial')"
        )
    )
    with op.batch_alter_table("coverage") as batch_op:
        batch_op.drop_column("refused")
