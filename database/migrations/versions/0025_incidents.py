"""Incidents, their history, what the watch over each brand knows, and alerts about incidents.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "incident",
        sa.Column("id", number, nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="watch, warning, crisis or over"),
        sa.Column("since", sa.BigInteger(), nullable=False, comment="event time of the first minute that was unusual"),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False, comment="when it came into this state"),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="event time of the last minute that was unusual"),
        sa.Column("worst", sa.Text(), nullable=False, comment="the gravest state that it was in"),
        sa.Column("over_at", sa.BigInteger()),
        sa.Column("evidence", sa.Text(), nullable=False, comment="JSON: series, span, numbers; no text of a post"),
        sa.Column("acknowledged_by", sa.Text(), comment="who looks after it; null: nobody said so"),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column(
            "told",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="the gravest state that people were told of",
        ),
        sa.Column("told_at", sa.BigInteger(), comment="when people were last told; null: never"),
        sa.Column(
            "steps", sa.Integer(), nullable=False, comment="how many steps of the chain were told without an answer"
        ),
        sa.Column("silent_until", sa.BigInteger(), comment="nobody is told before; null: people are told"),
        sa.Column("proved", sa.Text(), comment="real or false, as somebody said in the end"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sqlite_autoincrement=True,
    )
    live = sa.text("state != 'over'")
    op.create_index("ix_incident_live", "incident", ["brand"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_index("ix_incident_brand", "incident", ["brand", "opened_at"])
    op.create_table(
        "incident_event",
        sa.Column("n", number, nullable=False),
        sa.Column("incident", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "change",
            sa.Text(),
            nullable=False,
            comment="watch, warning, crisis, over, acknowledged, told, note, proved",
        ),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_incident_event")),
        comment="History of an incident: references and numbers, and what people wrote.",
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_incident_event_incident"), "incident_event", ["incident"])
    op.create_table(
        "watch_state",
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False, comment="minutes since 1970 UTC: those below are settled"),
        sa.Column("state", sa.LargeBinary(), nullable=False, comment="what its series were like up to there"),
        sa.Column("standing", sa.Text(), nullable=False, comment="JSON: how far the rise and the calm have come"),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_watch_state")),
        comment="What the incident clock knows of a brand; made anew from the counts where it is lost.",
        sqlite_with_rowid=False,
    )
    op.add_column("alert", sa.Column("incident", sa.BigInteger(), comment="null: it is about a mention or a trouble"))
    op.add_column(
        "alert",
        sa.Column(
            "step",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="of an incident's chain: 0 the people of the brand",
        ),
    )

    op.create_table(
        "link_key",
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="secret"),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_link_key")),
        comment="One row, made when the first link is; backups leave it out: links of before are void then.",
    )
    op.create_table(
        "link_used",
        sa.Column("id", sa.Text(), nullable=False, comment="hash of the link"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_used")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("link_used")
    op.drop_table("link_key")
    op.drop_column("alert", "step")
    op.drop_column("alert", "incident")
    op.drop_table("watch_state")
    op.drop_index(op.f("ix_incident_event_incident"), table_name="incident_event")
    op.drop_table("incident_event")
    op.drop_index("ix_incident_brand", table_name="incident")
    op.drop_index("ix_incident_live", table_name="incident")
    op.drop_table("incident")
