"""Access tokens that are renewed, and until when the credential of each source counts.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="hash of where it is asked for and of the secrets it is asked by"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="NAME of the secret that it rests on"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="grows with every renewal"),
        sa.Column("access_token", sa.Text(), nullable=False, comment="secret"),
        sa.Column("ends", sa.BigInteger(), comment="wall clock; null: the network did not say"),
        sa.Column(
            "refresh_token", sa.Text(), comment="secret; newer than the one that a person gave; null: there is none"
        ),
        sa.Column("refresh_ends", sa.BigInteger(), comment="wall clock; null: not at all, or the network did not say"),
        sa.Column(
            "extends",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="each renewal puts off refresh_ends as well",
        ),
        sa.Column("given_at", sa.BigInteger(), nullable=False, comment="wall clock, before it was asked for"),
        sa.Column("used_at", sa.BigInteger(), nullable=False, comment="wall clock, to a day"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
        comment="Secrets: backups leave it out.",
        sqlite_with_rowid=False,
    )
    op.add_column(
        "collector_standing",
        sa.Column("ends_at", sa.BigInteger(), comment="when its credential ends, by the wall clock; null: not known"),
    )


def downgrade() -> None:
    op.drop_column("collector_standing", "ends_at")
    op.drop_table("credential")
