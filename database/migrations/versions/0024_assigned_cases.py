"""Who has which cases, and who had an author's last one, are found without reading all cases.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

ASSIGNED = sa.text("assignee IS NOT NULL")


def upgrade() -> None:
    for name, columns in (("ix_cases_assigned", ["assignee"]), ("ix_cases_agent", ["author", "brand"])):
        op.create_index(name, "cases", columns, sqlite_where=ASSIGNED, postgresql_where=ASSIGNED)


def downgrade() -> None:
    for name in ("ix_cases_agent", "ix_cases_assigned"):
        op.drop_index(name, table_name="cases")
