"""A database with routing at work on it, and posts as `nlp` hands them over, for this room's tests."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import event

from config.brands import Brand
from database.base import metadata
from database.engine import open_database, read, rows
from routing import absence
from routing.desk import Desk
from routing.policy import default_policy
from routing.rules import default_rules
from routing.work import RouteWork
from stream.ports import Commit, InForce, LogRecord
from stream.records import (
    DETRACTOR_LEVELS,
    INTENTS,
    SENTIMENTS,
    Author,
    Mention,
    Metrics,
    Post,
    Scores,
    Term,
    Understanding,
    Understood,
    decode,
    encode,
)
from tests.places import new_database

NOW = 1_790_000_000_000
SECOND = 1_000
DAY = 86_400_000
MINUTE = 60_000
BRANDS = (
    Brand(id="acme", name="Acme Air", customers={"goldie": "key"}),
    Brand(id="brisa", name="Brisa"),
    Brand(id="rival", name="Rival", kind="competitor"),
    Brand(id="flights", name="flights", kind="category"),
)


class FixedRegistry:
    def __init__(self, rules: str | None = None, revision: int = 1) -> None:
        self.in_force = InForce(
            1, BRANDS, revision, rules or default_rules(), policy_revision=1, policy_yaml=default_policy()
        )

    def current(self) -> InForce:
        return self.in_force


class RouteHome:
    """`take` routes records as one batch, with offsets."""

    def __init__(self, folder: Path, rules: str | None = None, *, durable: bool = True) -> None:
        """Where power loss is no matter, not `durable` is several times as fast."""
        self.path = folder / "app.db"
        """Of a database that is a file."""
        self.address = new_database(folder)
        self.engine = open_database(self.address)
        self.is_file = self.engine.dialect.name == "sqlite"
        if self.is_file and not durable:
            event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        self.registry = FixedRegistry(rules)
        self.work = RouteWork(self.engine, self.registry)
        self.work.offsets(frozenset({0}), "log-1")
        self.offset = 0

    def take(self, *records: Understood, now: int = NOW) -> None:
        raw = as_log(records, self.offset)
        self.work.run(raw, [Commit("mentions", 0, self.offset, self.offset + len(raw))], now)
        self.offset += len(raw)

    def sweep(self, now: int = NOW, most: int = absence.CHUNK) -> int:
        """Take along the posts of accounts that went away, to the end; how many chunks that took."""
        desk, chunks = Desk(self.registry.current()), 1
        while absence.sweep(self.engine, desk, now, most).more:
            chunks += 1
        return chunks

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with read(self.engine) as connection:
            return [tuple(row) for row in rows(connection, statement, values)]

    def mention(self, id: str) -> Mention:
        return self.mentions()[id]

    def mentions(self) -> dict[str, Mention]:
        found = [decode(Mention, body) for (body,) in self.sql("SELECT body FROM mention ORDER BY n")]
        return {mention.id: mention for mention in found}

    def number(self, id: str) -> int:
        sql = (
            "SELECT m.n FROM mention m JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = m.brand "
            "WHERE p.id || '#' || d.value = ?"
        )
        n: int = self.sql(sql, id)[0][0]
        return n

    def cases(self) -> dict[int, dict[str, Any]]:
        names = ("id", "queue", "state", "live", "risk", "mentions", "author", "priority", "conversation")
        found = self.sql(f"SELECT {', '.join(names)} FROM cases ORDER BY id")
        return {row[0]: dict(zip(names, row, strict=True)) for row in found}

    def live_cases(self) -> list[dict[str, Any]]:
        return [case for case in self.cases().values() if case["live"]]

    def members(self, case: int) -> set[str]:
        return {m.id for m in self.mentions().values() if m.case_id == case}

    def counted(self) -> dict[str, int]:
        """Sums of every count."""
        names = ("mentions", "negative", "positive", "detractors", "severe", "risk", "own")
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
        columns = ", ".join(names)
        both = f"(SELECT {columns} FROM count_delta UNION ALL SELECT {columns} FROM count_minute) counted"
        return dict(zip(names, self.sql(f"SELECT {sums} FROM {both}")[0], strict=True))

    def alerts(self) -> list[tuple[Any, ...]]:
        return self.sql("SELECT kind, brand, queue, risk FROM alert ORDER BY id")

    def bytes_on_disk(self) -> bytes:
        """Every byte of the database's files; of a server's, every value of every row."""
        if self.is_file:
            return b"".join(path.read_bytes() for path in sorted(self.path.parent.glob("app.db*")))
        found = [row for table in sorted(metadata.tables) for row in self.sql(f"SELECT * FROM {table}")]
        values = [value for row in found for value in row]
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)

    def close(self) -> None:
        self.work.close()


def as_log(records: Sequence[Understood], first: int = 0) -> list[LogRecord]:
    return [
        LogRecord("mentions", 0, first + place, record.post.id, encode(record), NOW)
        for place, record in enumerate(records)
    ]


def reading(
    brand: str = "acme",
    intent: str = "help_request",
    *,
    reputation: str | None = None,
    detractor: int = 0,
    terms: Sequence[tuple[str, float]] = (),
    **fields: Any,
) -> Understanding:
    mood = reputation or ("negative" if detractor or intent in ("complaint", "churn_threat") else "neutral")
    suggested = {"purchase_interest": "sales", "public_issue": "pr", "help_request": "support", "complaint": "support"}
    return Understanding(
        brand=brand, sentiment=sure(mood, SENTIMENTS), reputation=sure(mood, SENTIMENTS), intent=sure(intent, INTENTS),
        detractor=sure(str(detractor), DETRACTOR_LEVELS),
        terms=tuple(Term(name, points, f"because of {name}") for name, points in terms),
        **{"suggested": suggested.get(intent, "none"), **fields},
    )  # fmt: skip


def sure(label: str, classes: tuple[str, ...]) -> Scores:
    return Scores(label, tuple(0.9 if name == label else 0.1 / (len(classes) - 1) for name in classes))


def said(
    id: str,
    *mentions: Understanding,
    text: str = "where is my bag",
    author: str | None = None,
    at: int = NOW,
    followers: int | None = None,
    metrics: Metrics | None = None,
    unnamed: Understanding | None = None,
    generation: int = 1,
    tier: str = "linear",
    **post: Any,
) -> Understood:
    """A post as `nlp` hands it over; about nothing unless readings are given."""
    id = id if ":" in id else f"x:{id}"
    fields: dict[str, Any] = {
        "seen_at": at, "event_time": at, "network": id.split(":")[0],
        "author": Author(id=author or f"a-{id}", handle=author, followers=followers),
        "metrics": metrics, **post,
    }  # fmt: skip
    return Understood(
        post=Post(id=id, text=text, **fields), appended_at=at, understood_at=at, content_hash=hash_of(text),
        lang="en", generation=generation, tier=tier, model="linear-1", mentions=mentions, unnamed=unnamed,  # type: ignore[arg-type]
    )  # fmt: skip


def hash_of(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def passed(id: str, kind: str, at: int = NOW, **post: Any) -> Understood:
    """A record that passes `nlp` unclassified: a delete, new metrics, …"""
    id = id if ":" in id else f"x:{id}"
    fields: dict[str, Any] = {"seen_at": at, "event_time": at, "network": id.split(":")[0], **post}
    return Understood(post=Post(id=id, kind=kind, **fields), appended_at=at, understood_at=at)  # type: ignore[arg-type]
