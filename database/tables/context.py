"""What replies in cases answer: who asked for it, and the texts that are kept for it although they name no brand."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from database.base import metadata

context_request = Table(
    "context_request",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("post", BigInteger, primary_key=True, autoincrement=False, comment="n of the reply"),
    Column("parent", BigInteger, nullable=False, index=True, comment="n of the post that it answers"),
    Column("case_id", BigInteger, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("tried_at", BigInteger, nullable=False, server_default="0", comment="when the network was last asked"),
    Column("state", Text, nullable=False, comment="asked, fetched, none (it is not to be had), refused"),
    Column("why", Text, nullable=False, server_default="", comment="in words; no text of a post"),
    comment="People write what they ask for, the collecting process of the source what came of it.",
    sqlite_with_rowid=False,
)
_open = context_request.c.state == "asked"
Index(
    "ix_context_request_open", context_request.c.source_id, context_request.c.tried_at,
    sqlite_where=_open, postgresql_where=_open,
)  # fmt: skip

context_post = Table(
    "context_post",
    metadata,
    Column("id", Text, primary_key=True, comment="of the post"),
    Column("case_id", BigInteger, nullable=False, index=True, comment="the case that asked for it last"),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", LargeBinary, comment="stream.records.Post as JSON, text included; NULL: not here, or a mention"),
    comment="The collecting process lists a post before it is in the log; routing fills in its text and takes it away.",
)
