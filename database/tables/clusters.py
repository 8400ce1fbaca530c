"""Which live posts of late are near copies of one another: fingerprints and numbers, no text."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table

from database.base import metadata

cluster_post = Table(
    "cluster_post",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="in the order of joining"),
    Column("post", BigInteger, nullable=False),
    Column("cluster", BigInteger, nullable=False),
    Column("fingerprint", BigInteger, nullable=False),
    Column("author", BigInteger, comment="key, as in post"),
    Column("event_time", BigInteger, nullable=False),
    Column("joined_at", BigInteger, nullable=False, comment="when it was routed: what retention counts from"),
    Column("entry", Integer, nullable=False, comment="1: others are compared with it; 0: enough others like it are"),
    Index("ix_cluster_post_post", "post"),
    Index("ix_cluster_post_cluster_event_time", "cluster", "event_time"),
    comment="A live post with a fingerprint, for as long as later posts are compared with it.",
    sqlite_autoincrement=True,
)

cluster = Table(
    "cluster",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("posts", BigInteger, nullable=False),
    comment="How many rows of cluster_post a cluster has, where they are two or more.",
)
