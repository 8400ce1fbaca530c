"""Where collectors stand, what they asked for, received and missed, and which pushes were already taken."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

collector_cursor = Table(
    "collector_cursor",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("name", Text, primary_key=True, comment="empty for a network's one cursor; identity of a file; a span"),
    Column("value", Text, nullable=False, comment="the collector's own"),
    Column("updated_at", BigInteger, nullable=False),
    comment="Written after the posts before it are durable in the log.",
    sqlite_with_rowid=False,
)

coverage = Table(
    "coverage",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("query", Text, primary_key=True),
    Column("part", Text, primary_key=True, comment="span, page cursor or file: fetched again, its row is replaced"),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False, comment="exclusive"),
    Column("state", Text, nullable=False, comment="complete, partial, gap, backfilled or lost"),
    Column("asked", Integer, nullable=False, comment="requests"),
    Column("received", BigInteger, nullable=False, comment="distinct native ids"),
    Column("kept", BigInteger, nullable=False, server_default="0", comment="of the received: something was appended"),
    Column("filtered", BigInteger, nullable=False, server_default="0", comment="of the received: left out"),
    Column("duplicates", BigInteger, nullable=False, server_default="0", comment="times that one came just as it was"),
    Column("late", BigInteger, nullable=False, server_default="0", comment="of the kept: too late to wake anybody"),
    Column("missed", BigInteger, comment="null: nobody can say how many"),
    Column(
        "refused",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="could be no post: dead letters, or told to who pushed them",
    ),
    Column("reason", Text, nullable=False),
    Column("brands", Text, nullable=False, comment="|a|b| where the source is of certain brands, else empty: all"),
    Column("recorded_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_coverage_until", coverage.c.until)
_open = coverage.c.state.in_(("gap", "partial"))
Index("ix_coverage_open", coverage.c.since, sqlite_where=_open, postgresql_where=_open)

webhook_request = Table(
    "webhook_request",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("key", Text, primary_key=True, comment="the Idempotency-Key"),
    Column("digest", Text, nullable=False, comment="of the body: the same key with another body is refused"),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False, comment="JSON; counts and places, no text of a post"),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_webhook_request_at", webhook_request.c.at)

webhook_item = Table(
    "webhook_item",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("item", Text, primary_key=True, comment="hash of a post's id, of an account, or of a refused item"),
    Column("at", BigInteger, nullable=False, comment="when it was taken, or as which it was stamped"),
    Column("version", Text, nullable=False, server_default="", comment="hash of what was taken last"),
    sqlite_with_rowid=False,
)
Index("ix_webhook_item_at", webhook_item.c.at)

source_pulse = Table(
    "source_pulse",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("listening_since", BigInteger, nullable=False),
    Column("looked_at", BigInteger, nullable=False, comment="up to when it is known to have been open"),
    Column("last_post_at", BigInteger, comment="null: it never brought any"),
    sqlite_with_rowid=False,
)

collector_standing = Table(
    "collector_standing",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("process", Text, nullable=False, comment="the one that asks, or tried to"),
    Column("state", Text, nullable=False, comment="starting, listening, waiting, paused, cut, refused, broken, ended"),
    Column("trouble", Text, nullable=False, comment="in words; no text of a post"),
    Column("since", BigInteger, nullable=False, comment="when it came into this state"),
    Column("appended", BigInteger, nullable=False, comment="posts, since it was first asked"),
    Column("filled", BigInteger, nullable=False, comment="posts that filled a hole"),
    Column("filtered", BigInteger, nullable=False, comment="left out by the pre-filter"),
    Column("dead", BigInteger, nullable=False, comment="dead letters"),
    Column("cuts", BigInteger, nullable=False, comment="connections and rounds that failed"),
    Column("reached_at", BigInteger, comment="up to when all that was asked for came"),
    Column("last_post_at", BigInteger, comment="null: it never brought any"),
    Column("looked_at", BigInteger, nullable=False, comment="wall time of this word"),
    Column("ends_at", BigInteger, comment="when its credential ends, by the wall clock; null: not known"),
    sqlite_with_rowid=False,
)
