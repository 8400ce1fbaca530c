"""Numbers of rows that are written with every mention do not end at 2 thousand million on PostgreSQL.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("case_event", "conversation_merge", "count_delta")
"""With their number `n`. SQLite's INTEGER has 64 bits."""


def upgrade() -> None:
    _count_with(sa.BigInteger(), sa.Integer())


def downgrade() -> None:
    _count_with(sa.Integer(), sa.BigInteger())


def _count_with(wanted: sa.types.TypeEngine[int], held: sa.types.TypeEngine[int]) -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    kind = "bigint" if isinstance(wanted, sa.BigInteger) else "integer"
    for table in TABLES:
        op.alter_column(table, "n", type_=wanted, existing_type=held, existing_nullable=False)
        op.execute(f"ALTER SEQUENCE {table}_n_seq AS {kind}")
