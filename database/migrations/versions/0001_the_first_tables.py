"""The first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="mention, or found_late (gap-filled, too old to wake anybody)"
        ),
        sa.Column("mention_n", sa.BigInteger(), nullable=True),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("risk", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alert_pending",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.create_table(
        "api_token",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False, comment="SHA-256 of the token, hexadecimal"),
        sa.Column("scope", sa.Text(), nullable=False, comment="stream.ports.AccessScope as JSON"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_api_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_token_hash")),
        sa.UniqueConstraint("name", name=op.f("uq_api_token_name")),
    )
    op.create_table(
        "author",
        sa.Column("author", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("brand", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.Column("negatives", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="latest event time"),
        sa.PrimaryKeyConstraint("author", "brand", name=op.f("pk_author")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "author_absence",
        sa.Column("author", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=False),
        sa.Column("back_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("author", name=op.f("pk_author_absence")),
        comment="Authors whose account went away; their posts that arrive later are gone as well.",
    )
    op.create_table(
        "case_event",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "change",
            sa.Text(),
            nullable=False,
            comment="opened, grew, raised, shrank, closed, reopened, merged, parted",
        ),
        sa.Column("mention", sa.BigInteger(), nullable=True, comment="n of the mention that moved it"),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_case_event")),
        comment="History of a case.",
    )
    with op.batch_alter_table("case_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_case_event_case_id"), ["case_id"], unique=False)

    op.create_table(
        "case_party",
        sa.Column("case_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("author", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "author", name=op.f("pk_case_party")),
        comment="Authors whose matter a pr case took over: what they write next in the conversation joins it.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("brand", sa.Integer(), nullable=False, comment="dictionary"),
        sa.Column("conversation", sa.BigInteger(), nullable=False),
        sa.Column(
            "author", sa.BigInteger(), nullable=False, comment="author key; 0 in pr and where the author is not known"
        ),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="new, open, waiting, solved, closed, merged"),
        sa.Column("live", sa.Integer(), nullable=False, comment="1: neither closed nor merged into another"),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("risk", sa.Integer(), nullable=False, comment="the worst of its live mentions"),
        sa.Column("mentions", sa.Integer(), nullable=False, comment="live mentions that ask for work"),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_why", sa.Text(), nullable=True),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True, comment="the case that took its mentions over"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index(
            "ix_cases_past",
            ["conversation"],
            unique=False,
            sqlite_where=sa.text("live = 0"),
            postgresql_where=sa.text("live = 0"),
        )
        batch_op.create_index(
            "uq_cases_author",
            ["conversation", "brand", "author"],
            unique=True,
            sqlite_where=sa.text("live = 1 AND queue != 'pr'"),
            postgresql_where=sa.text("live = 1 AND queue != 'pr'"),
        )
        batch_op.create_index(
            "uq_cases_pr",
            ["conversation", "brand"],
            unique=True,
            sqlite_where=sa.text("live = 1 AND queue = 'pr'"),
            postgresql_where=sa.text("live = 1 AND queue = 'pr'"),
        )

    op.create_table(
        "collector_cursor",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="empty for a network's one cursor; identity of a file; a span"
        ),
        sa.Column("value", sa.Text(), nullable=False, comment="the collector's own"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "name", name=op.f("pk_collector_cursor")),
        comment="Written after the posts before it are durable in the log.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conversation",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "joined",
            sa.BigInteger(),
            nullable=True,
            comment="the conversation that it was united with; NULL: stands alone",
        ),
        sa.Column(
            "heat", sa.Float(), server_default="0", nullable=False, comment="negative mentions, halved every 30 minutes"
        ),
        sa.Column("heat_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_conversation")),
        comment="Only conversations that have more than one post.",
    )
    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_conversation_joined"), ["joined"], unique=False)

    op.create_table(
        "conversation_merge",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("loser", sa.BigInteger(), nullable=False),
        sa.Column("winner", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_conversation_merge")),
        comment="Each union of two conversations, so that it can be taken back.",
    )
    op.create_table(
        "count_delta",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("brand", sa.Integer(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False, comment="minutes since 1970 UTC, event time"),
        sa.Column("network", sa.Integer(), nullable=False),
        sa.Column("intent", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.Column("positive", sa.Integer(), nullable=False),
        sa.Column("detractors", sa.Integer(), nullable=False),
        sa.Column("severe", sa.Integer(), nullable=False),
        sa.Column("risk", sa.Integer(), nullable=False),
        sa.Column("own", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_count_delta")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "count_minute",
        sa.Column("brand", sa.Integer(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("network", sa.Integer(), nullable=False),
        sa.Column("intent", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.Column("positive", sa.Integer(), nullable=False),
        sa.Column("detractors", sa.Integer(), nullable=False),
        sa.Column("severe", sa.Integer(), nullable=False),
        sa.Column("risk", sa.Integer(), nullable=False),
        sa.Column("own", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("brand", "minute", "network", "intent", "queue", name=op.f("pk_count_minute")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "coverage",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column(
            "part", sa.Text(), nullable=False, comment="span, page cursor or file: fetched again, its row is replaced"
        ),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False, comment="exclusive"),
        sa.Column("state", sa.Text(), nullable=False, comment="complete, partial, gap, backfilled or lost"),
        sa.Column("asked", sa.Integer(), nullable=False, comment="requests"),
        sa.Column("received", sa.BigInteger(), nullable=False, comment="distinct native ids"),
        sa.Column("missed", sa.BigInteger(), nullable=True, comment="null: nobody can say how many"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "brands", sa.Text(), nullable=False, comment="|a|b| where the source is of certain brands, else empty: all"
        ),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "query", "part", name=op.f("pk_coverage")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("coverage", schema=None) as batch_op:
        batch_op.create_index(
            "ix_coverage_open",
            ["since"],
            unique=False,
            sqlite_where=sa.text("state IN ('gap', 'partial')"),
            postgresql_where=sa.text("state IN ('gap', 'partial')"),
        )
        batch_op.create_index("ix_coverage_until", ["until"], unique=False)

    op.create_table(
        "customer",
        sa.Column("author", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("brand", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="normal, valued or key"),
        sa.PrimaryKeyConstraint("author", "brand", name=op.f("pk_customer")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision",
        sa.Column("mention", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, comment="last revision of the mention that rested on it"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="when it was replaced"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="stream.records.Decision as JSON"),
        sa.PrimaryKeyConstraint("mention", "revision", name=op.f("pk_decision")),
        comment="Decisions that were replaced; the one in force stands in the mention.",
    )
    op.create_table(
        "dictionary",
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="brand, network or intent"),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_dictionary")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_dictionary_kind_value")),
    )
    op.create_table(
        "generation",
        sa.Column(
            "number",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="grows with every change, going back included",
        ),
        sa.Column("brands", sa.Integer(), nullable=False, comment="revision of the brands; 0 before the first"),
        sa.Column("model", sa.Text(), nullable=False, comment="name and version; empty before the first"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_generation")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False, comment="grows with every change of hands"),
        sa.Column("expires", sa.BigInteger(), nullable=False, comment="wall clock"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False, comment="the same for every try, so that a double shows"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="alert, summary, found_late, operations, incident or chain_test"
        ),
        sa.Column("brand", sa.Text(), server_default="", nullable=False),
        sa.Column("queue", sa.Text(), server_default="none", nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="gathering, pending, sending, sent, failed or dropped"),
        sa.Column(
            "reason", sa.Text(), server_default="", nullable=False, comment="why failed, dropped or not yet sent"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("latest_at", sa.BigInteger(), nullable=False, comment="when the last alert joined it"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="when it was sent, failed or dropped"),
        sa.Column(
            "arrived_at",
            sa.BigInteger(),
            nullable=True,
            comment="when the log took the post of its alert: what the latency counts from",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "repeated",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
            comment="it may have reached the server before",
        ),
        sa.Column("first_try", sa.BigInteger(), nullable=True, comment="wall clock"),
        sa.Column("next_try", sa.BigInteger(), server_default="0", nullable=False, comment="wall clock"),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True, comment="wall clock of the last hand-over's start"),
        sa.Column("fence", sa.BigInteger(), nullable=True, comment="lease under which it was claimed"),
        sa.Column("content_hash", sa.Text(), nullable=True, comment="SHA-256 of what was last handed over"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mail_message_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.create_index("ix_mail_ended_at", ["ended_at"], unique=False)
        batch_op.create_index(
            "ix_mail_open",
            ["next_try"],
            unique=False,
            sqlite_where=sa.text("state IN ('gathering', 'pending', 'sending')"),
            postgresql_where=sa.text("state IN ('gathering', 'pending', 'sending')"),
        )

    op.create_table(
        "mention",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("post", sa.BigInteger(), nullable=False),
        sa.Column("brand", sa.Integer(), nullable=False, comment="dictionary"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("risk", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("indexed_month", sa.Integer(), nullable=False, comment="yyyymm of its first revision, never changed"),
        sa.Column(
            "contribution",
            sa.Text(),
            nullable=True,
            comment="what it added to the counts (routing.contribution); NULL: nothing",
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="stream.records.Mention as JSON"),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_mention")),
    )
    with op.batch_alter_table("mention", schema=None) as batch_op:
        batch_op.create_index(
            "ix_mention_case_id",
            ["case_id"],
            unique=False,
            sqlite_where=sa.text("case_id IS NOT NULL"),
            postgresql_where=sa.text("case_id IS NOT NULL"),
        )
        batch_op.create_index("uq_mention_post_brand", ["post", "brand"], unique=True)

    op.create_table(
        "operation_alert",
        sa.Column("key", sa.Text(), nullable=False, comment="what is wrong, and with what: `stage:nlp`, `disk:app.db`"),
        sa.Column("alert", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_operation_alert")),
        comment="Troubles of Clamor itself: told once until they are resolved.",
    )
    op.create_table(
        "outbox",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="decided, or the change of a case (opened, grew, raised, …)"
        ),
        sa.Column("mention", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("queue", sa.Text(), server_default="none", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "post",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "author", sa.BigInteger(), nullable=True, comment="63-bit key of network and author id (routing.keys)"
        ),
        sa.Column("parent", sa.BigInteger(), nullable=True, comment="n of the post that this one answers"),
        sa.Column("conversation", sa.BigInteger(), nullable=False, comment="n of its root, before merges"),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="awaited (only referred to), live, deleted, expired, forgotten"
        ),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="latest observation: what retention counts from"),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False, comment="place in stream.records.TIERS"),
        sa.Column(
            "parts", sa.LargeBinary(), nullable=False, comment="what its observations are merged by (routing.parts)"
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_post")),
        sa.UniqueConstraint("id", name=op.f("uq_post_id")),
    )
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_post_author"), ["author"], unique=False)
        batch_op.create_index(
            "ix_post_conversation",
            ["conversation"],
            unique=False,
            sqlite_where=sa.text("conversation != n"),
            postgresql_where=sa.text("conversation != n"),
        )

    op.create_table(
        "revision",
        sa.Column("kind", sa.Text(), nullable=False, comment="brands, sources, people, rules"),
        sa.Column(
            "number",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="1, 2, … in each kind; the highest is in force",
        ),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical JSON; for rules, the YAML text"),
        sa.Column("hash", sa.Text(), nullable=False, comment="SHA-256 of the body"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("kind", "number", name=op.f("pk_revision")),
    )
    op.create_table(
        "serial",
        sa.Column("name", sa.Text(), nullable=False, comment="the table whose rows are numbered"),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_serial")),
    )
    op.create_table(
        "stored_offset",
        sa.Column("consumer_group", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, comment="partition"),
        sa.Column("epoch", sa.Text(), nullable=False, comment="identity of the log that the offset belongs to"),
        sa.Column("next", sa.BigInteger(), nullable=False, comment="everything below is done"),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "part", name=op.f("pk_stored_offset")),
    )
    op.create_table(
        "told",
        sa.Column(
            "subject",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="case; minus the mention without one",
        ),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False, comment="risk level last told"),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "person", name=op.f("pk_told")),
        comment="How bad a case was when a person was last told of it.",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("told", schema=None) as batch_op:
        batch_op.create_index("ix_told_at", ["at"], unique=False)

    op.create_table(
        "waiting",
        sa.Column("post", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="stream.records.Understood as JSON, text included"),
        sa.PrimaryKeyConstraint("post", name=op.f("pk_waiting")),
        comment="Replies about no brand, kept for a while: the post that they answer may turn out to be about one.",
    )
    with op.batch_alter_table("waiting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_waiting_kept_at"), ["kept_at"], unique=False)

    op.create_table(
        "webhook_item",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False, comment="hash of post id, kind and revision or content"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "item", name=op.f("pk_webhook_item")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("webhook_item", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_item_at", ["at"], unique=False)

    op.create_table(
        "webhook_request",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="the Idempotency-Key"),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="of the body: the same key with another body is refused"
        ),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False, comment="JSON; counts and places, no text of a post"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_webhook_request")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("webhook_request", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_request_at", ["at"], unique=False)

    op.create_table(
        "mail_item",
        sa.Column("mail", sa.BigInteger(), nullable=False),
        sa.Column("alert", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["mail"], ["mail.id"], name=op.f("fk_mail_item_mail_mail")),
        sa.PrimaryKeyConstraint("mail", "alert", name=op.f("pk_mail_item")),
        comment="The alerts that a mail tells of.",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("mail_item")
    with op.batch_alter_table("webhook_request", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_request_at")

    op.drop_table("webhook_request")
    with op.batch_alter_table("webhook_item", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_item_at")

    op.drop_table("webhook_item")
    with op.batch_alter_table("waiting", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_waiting_kept_at"))

    op.drop_table("waiting")
    with op.batch_alter_table("told", schema=None) as batch_op:
        batch_op.drop_index("ix_told_at")

    op.drop_table("told")
    op.drop_table("stored_offset")
    op.drop_table("serial")
    op.drop_table("revision")
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_post_conversation",
            sqlite_where=sa.text("conversation != n"),
            postgresql_where=sa.text("conversation != n"),
        )
        batch_op.drop_index(batch_op.f("ix_post_author"))

    op.drop_table("post")
    op.drop_table("outbox")
    op.drop_table("operation_alert")
    with op.batch_alter_table("mention", schema=None) as batch_op:
        batch_op.drop_index("uq_mention_post_brand")
        batch_op.drop_index(
            "ix_mention_case_id",
            sqlite_where=sa.text("case_id IS NOT NULL"),
            postgresql_where=sa.text("case_id IS NOT NULL"),
        )

    op.drop_table("mention")
    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_mail_open",
            sqlite_where=sa.text("state IN ('gathering', 'pending', 'sending')"),
            postgresql_where=sa.text("state IN ('gathering', 'pending', 'sending')"),
        )
        batch_op.drop_index("ix_mail_ended_at")

    op.drop_table("mail")
    op.drop_table("lease")
    op.drop_table("generation")
    op.drop_table("dictionary")
    op.drop_table("decision")
    op.drop_table("customer")
    with op.batch_alter_table("coverage", schema=None) as batch_op:
        batch_op.drop_index("ix_coverage_until")
        batch_op.drop_index(
            "ix_coverage_open",
            sqlite_where=sa.text("state IN ('gap', 'partial')"),
            postgresql_where=sa.text("state IN ('gap', 'partial')"),
        )

    op.drop_table("coverage")
    op.drop_table("count_minute")
    op.drop_table("count_delta")
    op.drop_table("conversation_merge")
    with op.batch_alter_table("conversation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_conversation_joined"))

    op.drop_table("conversation")
    op.drop_table("collector_cursor")
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_cases_pr",
            sqlite_where=sa.text("live = 1 AND queue = 'pr'"),
            postgresql_where=sa.text("live = 1 AND queue = 'pr'"),
        )
        batch_op.drop_index(
            "uq_cases_author",
            sqlite_where=sa.text("live = 1 AND queue != 'pr'"),
            postgresql_where=sa.text("live = 1 AND queue != 'pr'"),
        )
        batch_op.drop_index("ix_cases_past", sqlite_where=sa.text("live = 0"), postgresql_where=sa.text("live = 0"))

    op.drop_table("cases")
    op.drop_table("case_party")
    with op.batch_alter_table("case_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_event_case_id"))

    op.drop_table("case_event")
    op.drop_table("author_absence")
    op.drop_table("author")
    op.drop_table("api_token")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_alert_pending", sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'")
        )

    op.drop_table("alert")
