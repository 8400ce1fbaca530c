"""Words of people on what means a brand, and the filters learnt from them.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "about_word",
        sa.Column(
            "n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment="in the order of saying"
        ),
        sa.Column("mention", sa.BigInteger(), nullable=False),
        sa.Column("brand", sa.BigInteger(), nullable=False, comment="number in dictionary"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.Integer(), nullable=False, comment="1: it means the brand"),
        sa.Column("kept", sa.Integer(), nullable=False, comment="1: it counted until then; 0: it was set aside"),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the brand's filter then in force; 0: none"),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_about_word")),
        comment="Every word of a person on whether a post means the brand; the last one on a mention holds.",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_about_word_brand", "about_word", ["brand"], unique=False)
    op.create_table(
        "brand_filter",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column(
            "version", sa.Integer(), autoincrement=False, nullable=False, comment="the highest of a brand is in force"
        ),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="JSON: hashed places and weights; empty: no filter from then on"
        ),
        sa.Column("measured", sa.Text(), nullable=False, comment="JSON: counts of the cross-validation"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("brand", "version", name=op.f("pk_brand_filter")),
        comment="What was learnt of which posts mean a brand, version by version.",
    )


def downgrade() -> None:
    op.drop_table("brand_filter")
    op.drop_index("ix_about_word_brand", table_name="about_word")
    op.drop_table("about_word")
