"""Every post that was seen or referred to: its number, author, parent and the parts of its merge. No text, ever."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table, Text

from database.base import metadata

post = Table(
    "post",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("author", BigInteger, index=True, comment="63-bit key of network and author id (routing.keys)"),
    Column("parent", BigInteger, comment="n of the post that this one answers"),
    Column("conversation", BigInteger, nullable=False, comment="n of its root, before merges"),
    Column("state", Text, nullable=False, comment="awaited (only referred to), live, deleted, expired, forgotten"),
    Column("seen_at", BigInteger, nullable=False, comment="when the latest word of it arrived: `retention: ids`"),
    Column("event_time", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("tier", Integer, nullable=False, comment="place in stream.records.TIERS"),
    Column("parts", LargeBinary, nullable=False, comment="what its observations are merged by (routing.parts)"),
    Column(
        "arrived_at",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="when its first content arrived here: what `retention: posts` counts from; 0: none yet",
    ),
    Column(
        "provisional",
        Integer,
        nullable=False,
        server_default="0",
        comment="1: read by the linear model under overload, to be read anew",
    ),
)
Index(
    "ix_post_conversation", post.c.conversation,
    sqlite_where=post.c.conversation != post.c.n, postgresql_where=post.c.conversation != post.c.n,
)  # fmt: skip
Index(
    "ix_post_provisional", post.c.provisional,
    sqlite_where=post.c.provisional == 1, postgresql_where=post.c.provisional == 1,
)  # fmt: skip

conversation = Table(
    "conversation",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("joined", BigInteger, index=True, comment="the conversation that it was united with; NULL: stands alone"),
    Column("heat", Float, nullable=False, server_default="0", comment="negative mentions, halved every 30 minutes"),
    Column("heat_at", BigInteger, nullable=False, server_default="0"),
    comment="Only conversations that have more than one post.",
)

conversation_merge = Table(
    "conversation_merge",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("loser", BigInteger, nullable=False),
    Column("winner", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("undone_at", BigInteger),
    comment="Each union of two conversations, so that it can be taken back.",
)

waiting = Table(
    "waiting",
    metadata,
    Column("post", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("kept_at", BigInteger, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False, comment="stream.records.Understood as JSON, text included"),
    comment="Replies about no brand, kept for a while: the post that they answer may turn out to be about one.",
)

author_absence = Table(
    "author_absence",
    metadata,
    Column("author", BigInteger, primary_key=True, autoincrement=False),
    Column("gone_at", BigInteger, nullable=False),
    Column("back_at", BigInteger, nullable=False),
    comment="Authors whose account went away; their posts that arrive later are gone as well.",
)

absence_sweep = Table(
    "absence_sweep",
    metadata,
    Column("author", BigInteger, primary_key=True, autoincrement=False),
    Column("after", BigInteger, nullable=False, comment="number of the last post that was looked at"),
    Column("learnt_at", BigInteger, nullable=False, comment="when the log took the word of it; 0: not counted"),
    comment="Authors whose account went away, while their earlier posts are taken along.",
)
