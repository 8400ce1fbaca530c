"""Who may call the API: tokens by their hash, with what each may see."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

api_token = Table(
    "api_token",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False, unique=True, comment="SHA-256 of the token, hexadecimal"),
    Column("scope", Text, nullable=False, comment="stream.ports.AccessScope as JSON"),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)
