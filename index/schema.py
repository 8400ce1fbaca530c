"""The tables of `index.db` and what they are for.

A mention's number `n` is its time: milliseconds shifted left by SLOT_BITS, plus a slot that tells mentions of one
millisecond apart. So every list of numbers, those of FTS5 included, is already in order of time, the newest twenty hits
of any query are read from its end, and no second index on time is needed. The one index with a random key is `place`.

`hits` is an FTS5 table without content: column `text` holds the analyser's surfaces, `stem` the stems that differ from
them, `fact` one token per keyword value of a mention (see `index.terms`). So `brand:acme refund -lang:pt` is one
expression of one inverted index.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from pathlib import Path

from msgspec.structs import replace

from index.files import IndexUnusable, speaking
from index.terms import terms
from query.document import Document
from stream.records import Correction, Labels, Mention, Millis, Post, Scores, Term, Understanding

LAYOUT = 3
"""Number of this layout: an index of another one is rebuilt, never converted."""

SLOT_BITS = 6
SLOTS = 1 << SLOT_BITS
FARTHEST: Millis = 1 << 55

# Every ASCII character but the blank belongs to a token, and FTS5's ascii tokenizer takes all others as they are: what
# the analyser gave survives byte for byte.
_ASCII = "".join(chr(code) for code in range(1, 128) if chr(code) != " " and not chr(code).isalnum())
_TOKENIZE = "ascii tokenchars '" + _ASCII.replace("'", "''").replace('"', '""') + "'"

# Measured on 40,000 mentions: merging by sixteens and pages that fill one of the file save a tenth of the writing.
HITS_SETTINGS = {"automerge": 16, "crisismerge": 64, "usermerge": 4, "pgsz": 8_100}


def reading() -> str:
    """A digest of how texts and values become tokens: differs where an index written so far would not be found in."""
    canary = "Reclamación cancelada: vuelos, FLIGHTS delayed #Huelga @acme don't 😡 uña https://www.example.org/a 漢字"
    mention = Mention(
        id="x:1#acme", revision=1, post_id="x:1", brand="acme", network="x", event_time=0, lang="es",
        post=Post(id="x:1", network="x", text=canary, title=canary, link="https://a.example/", seen_at=0, event_time=0),
        understanding=Understanding(
            brand="acme", sentiment=Scores("negative", (1.0,)), intent=Scores("complaint", (1.0,)),
            detractor=Scores("2", (1.0,)), terms=(Term("reach", 5.0, ""),),
            complaint=Scores("yes", (0.0, 1.0)), emotion=Labels(("anger",), (1.0,)), irony=Scores("no", (1.0, 0.0)),
            aspects=("delivery",),
        ),
    )  # fmt: skip
    corrected = replace(mention, correction=Correction(person="eva", at=0, content_hash="", reputation="neutral"))
    tokens = [*terms(Document(mention)), *terms(Document(corrected))]
    return hashlib.blake2b("\n".join(tokens).encode(), digest_size=8).hexdigest()


def first_number(time: Millis) -> int:
    """The lowest number that a mention of this millisecond can have."""
    return max(-FARTHEST, min(FARTHEST, time)) << SLOT_BITS


_TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE offset (
    topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
-- What is known of every mention id, erased ones included: their n is NULL, their revision stays.
CREATE TABLE place (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, revision INTEGER NOT NULL, n INTEGER) WITHOUT ROWID;
CREATE TABLE mention (
    n INTEGER PRIMARY KEY, came INTEGER NOT NULL, reads INTEGER NOT NULL, tone INTEGER NOT NULL,
    ruled INTEGER NOT NULL, risk INTEGER, created INTEGER NOT NULL, seen INTEGER, edited INTEGER, decided INTEGER,
    followers INTEGER, likes INTEGER, reposts INTEGER, replies INTEGER, views INTEGER, "case" INTEGER,
    copies INTEGER
);
CREATE TABLE body (n INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE VIRTUAL TABLE hits USING fts5 (text, stem, fact, content='', detail=full, tokenize="{_TOKENIZE}");
-- Fact tokens that many mentions share, group by group (see index.terms); `mention` refers to them by number.
CREATE TABLE profile (id INTEGER PRIMARY KEY, tokens TEXT NOT NULL UNIQUE);
-- Where the next free number is sought for a millisecond whose slots are all taken.
CREATE TABLE crowd (at INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
-- Keys begin so that what is written together stands together: the pages that a batch touches are few.
CREATE TABLE minute (
    at INTEGER, brand INTEGER, access INTEGER, queue INTEGER, count INTEGER NOT NULL,
    PRIMARY KEY (at, brand, access, queue)
) WITHOUT ROWID;
CREATE TABLE hour (
    field INTEGER, at INTEGER, brand INTEGER, value INTEGER, access INTEGER, queue INTEGER, count INTEGER NOT NULL,
    PRIMARY KEY (field, at, brand, value, access, queue)
) WITHOUT ROWID;
CREATE TABLE latency (
    minute INTEGER, bucket INTEGER, count INTEGER NOT NULL, PRIMARY KEY (minute, bucket)
) WITHOUT ROWID;
CREATE TABLE erasure (id INTEGER PRIMARY KEY, asked INTEGER NOT NULL, batch INTEGER NOT NULL DEFAULT 0);
"""
_ADDED = """
CREATE TABLE IF NOT EXISTS hidden (
    minute INTEGER, bucket INTEGER, count INTEGER NOT NULL, PRIMARY KEY (minute, bucket)
) WITHOUT ROWID
"""
"""Beside this layout, and not read by whoever does not know of it: made where an index was written without it."""


def create(connection: sqlite3.Connection, *, secret: bytes | None = None) -> None:
    """Lay the tables that are missing. `secret` signs the cursors; a rebuilt index goes on with the old one's."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not has_tables(connection):
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            for name, value in HITS_SETTINGS.items():
                connection.execute("INSERT INTO hits (hits, rank) VALUES (?, ?)", (name, value))
            connection.executemany(
                "INSERT INTO meta (name, value) VALUES (?, ?)",
                [
                    ("layout", LAYOUT),
                    ("reading", reading()),
                    ("secret", secret or secrets.token_bytes(16)),
                    ("drift", 0),
                ],
            )
        connection.execute(_ADDED)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def has_tables(connection: sqlite3.Connection) -> bool:
    found: int = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
    return found > 0


def meta(connection: sqlite3.Connection, name: str) -> int | str | bytes | None:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raises IndexUnusable where the file was laid out, or its texts read, by a version that differs from this one."""
    with speaking(path, "open"):
        if not has_tables(connection):
            raise IndexUnusable(f"{path} holds no index: build it anew with `clamor reindex`")
        layout, was = meta(connection, "layout"), meta(connection, "reading")
    if layout != LAYOUT or was != reading():
        raise IndexUnusable(
            f"{path} was written by another version of Clamor (layout {layout!s}, this one writes {LAYOUT}; texts "
            f"{'read alike' if was == reading() else 'are read differently now'}): rebuild it with `clamor reindex`"
        )
