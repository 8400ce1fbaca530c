"""Of which kind by the policy for detractors each mention is, and until when.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "behaviour",
        sa.Column("mention", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("author", sa.BigInteger(), nullable=False, comment="author key; 0 where the author is not known"),
        sa.Column("brand", sa.Integer(), nullable=False, comment="dictionary"),
        sa.Column(
            "conversation", sa.BigInteger(), nullable=False, comment="the matter, as it was called when it was found"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="by the policy of that revision"),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="event time of the post"),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="from then on it stands no more"),
        sa.Column("policy", sa.Integer(), nullable=False, comment="revision"),
        sa.Column("record", sa.Text(), nullable=False, comment="truth of what had to be asked (routing.truths)"),
        sa.PrimaryKeyConstraint("mention", name=op.f("pk_behaviour")),
        comment="A row rests on its post and goes with its text. No text of a post.",
    )
    op.create_index(op.f("ix_behaviour_author"), "behaviour", ["author"], unique=False)
    op.create_index(op.f("ix_behaviour_until"), "behaviour", ["until"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_behaviour_until"), table_name="behaviour")
    op.drop_index(op.f("ix_behaviour_author"), table_name="behaviour")
    op.drop_table("behaviour")
