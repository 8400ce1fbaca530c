"""What people write of why they did something to a case stands apart, so that it can be emptied like a note.

Revision ID: 0027
Revises: 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

REASONED = sa.text("reason != ''")
NO_REASONS = ("one matter", "the split was taken back")


def upgrade() -> None:
    op.add_column("case_event", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_case_event_reason", "case_event", ["case_id"], sqlite_where=REASONED, postgresql_where=REASONED)
    op.execute(
        "UPDATE case_event SET reason = detail, detail = '' WHERE person != '' AND change IN ('resolved', 'reopened')"
    )
    op.execute("UPDATE alert SET why = '' WHERE kind IN ('resolved', 'reopened', 'woken')")
    connection = op.get_bind()
    sql = "SELECT n, change, detail FROM case_event WHERE person != '' AND change IN ('merged', 'woken')"
    for n, change, detail in connection.execute(sa.text(sql)).all():
        fixed, reason = _apart(change, detail)
        values = {"n": n, "detail": fixed, "reason": reason}
        connection.execute(sa.text("UPDATE case_event SET detail = :detail, reason = :reason WHERE n = :n"), values)


def _apart(change: str, detail: str) -> tuple[str, str]:
    if change == "woken":
        was, _, reason = detail.partition(": ")
        return was, reason
    reason, into, rest = detail.partition("; into ")
    return (detail, "") if not into or reason in NO_REASONS else (into + rest, reason)


def downgrade() -> None:
    op.execute("UPDATE case_event SET detail = reason WHERE detail = '' AND reason != ''")
    op.drop_index("ix_case_event_reason", table_name="case_event")
    op.drop_column("case_event", "reason")
