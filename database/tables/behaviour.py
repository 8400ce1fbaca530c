"""Of which kind by the policy for detractors each mention is, and until when: what people did in matters."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

behaviour = Table(
    "behaviour",
    metadata,
    Column("mention", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("author", BigInteger, nullable=False, index=True, comment="author key; 0 where the author is not known"),
    Column("brand", Integer, nullable=False, comment="dictionary"),
    Column("conversation", BigInteger, nullable=False, comment="the matter, as it was called when it was found"),
    Column("kind", Text, nullable=False, comment="by the policy of that revision"),
    Column("since", BigInteger, nullable=False, comment="event time of the post"),
    Column("until", BigInteger, nullable=False, index=True, comment="from then on it stands no more"),
    Column("policy", Integer, nullable=False, comment="revision"),
    Column("record", Text, nullable=False, comment="truth of what had to be asked (routing.truths)"),
    comment="A row rests on its post and goes with its text. No text of a post.",
)
