"""When a post arrived here: what retention counts from, however old the post is.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FROM_MENTIONS = (
    "UPDATE post SET arrived_at = (SELECT min({appended_at}) FROM mention WHERE mention.post = post.n) "
    "WHERE EXISTS (SELECT 1 FROM mention WHERE mention.post = post.n AND {appended_at} > 0)"
)
APPENDED_AT = {
    "sqlite": "json_extract(CAST(body AS TEXT), '$.appended_at')",
    # A post may hold \u0000, which PostgreSQL's JSON does not take. Within a JSON string no such name can stand, since
    # its quotes would have backslashes before them.
    "postgresql": """substring(convert_from(body, 'UTF8') from '"appended_at" *: *([0-9]+)')::bigint""",
}
FROM_SIGHT = "UPDATE post SET arrived_at = seen_at WHERE arrived_at = 0 AND state != 'awaited'"
"""Of a post about no brand nothing tells when it arrived, and nothing of it is kept but ids."""


def upgrade() -> None:
    op.add_column(
        "post",
        sa.Column(
            "arrived_at",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="when its first content arrived here: what `retention: posts` counts from; 0: none yet",
        ),
    )
    op.execute(FROM_MENTIONS.format(appended_at=APPENDED_AT[op.get_context().dialect.name]))
    op.execute(FROM_SIGHT)


def downgrade() -> None:
    with op.batch_alter_table("post") as batch_op:
        batch_op.drop_column("arrived_at")
