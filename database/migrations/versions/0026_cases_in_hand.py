"""Who has which cases is found without those that are over, and what was over or waited before there were deadlines
stands still since then.

Revision ID: 0026
Revises: 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

IN_HAND = sa.text("live = 1 AND assignee IS NOT NULL")
ASSIGNED = sa.text("assignee IS NOT NULL")
STANDING = (
    "INSERT INTO case_pause (case_id, since) SELECT c.id, c.{since} FROM cases c WHERE {over} "
    "AND c.{since} IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM case_pause p WHERE p.case_id = c.id AND (p.until IS NULL OR p.since = c.{since}))"
)


def upgrade() -> None:
    op.drop_index("ix_cases_assigned", table_name="cases")
    op.create_index("ix_cases_assigned", "cases", ["assignee"], sqlite_where=IN_HAND, postgresql_where=IN_HAND)
    op.execute(STANDING.format(since="closed_at", over="c.live = 0"))
    op.execute(STANDING.format(since="set_aside_at", over="c.live = 1 AND c.state = 'waiting'"))


def downgrade() -> None:
    op.drop_index("ix_cases_assigned", table_name="cases")
    op.create_index("ix_cases_assigned", "cases", ["assignee"], sqlite_where=ASSIGNED, postgresql_where=ASSIGNED)
