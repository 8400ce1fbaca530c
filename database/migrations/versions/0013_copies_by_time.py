"""The lately published copies of a large cluster are found without a look at all of it.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_cluster_post_cluster_event_time", "cluster_post", ["cluster", "event_time"], unique=False)
    op.drop_index("ix_cluster_post_cluster", table_name="cluster_post")


def downgrade() -> None:
    op.create_index("ix_cluster_post_cluster", "cluster_post", ["cluster"], unique=False)
    op.drop_index("ix_cluster_post_cluster_event_time", table_name="cluster_post")
