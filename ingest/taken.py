"""What was pushed before: the answers given under an Idempotency-Key, and of each post the version taken last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from database.engine import many, read, rows, rows_in, write
from stream.clock import DAY
from stream.records import Millis

KEPT: Millis = 7 * DAY
_PRUNE_EVERY = 1_000
_PRUNED_AT_ONCE = 5_000


class Last(NamedTuple):
    """What was taken last of a post."""

    version: str
    """Hash of it."""
    at: Millis
    """When it was taken, or the observation time that it was stamped with where that is later."""


class Taken:
    """Durable for a week; a push remembered here is not appended again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._remembered = 0

    def answer(self, source_id: str, key: str) -> tuple[str, int, str] | None:
        """(digest of the body, status, JSON) that was answered under an Idempotency-Key."""
        with read(self.engine) as connection:
            found = rows(
                connection,
                "SELECT digest, status, answer FROM webhook_request WHERE source_id = ? AND key = ?",
                (source_id, key),
            )
        return (found[0][0], found[0][1], found[0][2]) if found else None

    def last(self, source_id: str, items: Sequence[str]) -> dict[str, Last]:
        """By item, where anything of it was taken."""
        with read(self.engine) as connection:
            found = rows_in(
                connection,
                "SELECT item, version, at FROM webhook_item WHERE source_id = ? AND item IN (??)",
                list(items),
                (source_id,),
            )
        return {item: Last(version, at) for item, version, at in found}

    def remember(
        self, source_id: str, items: Mapping[str, Last], answered: tuple[str, str, int, str] | None, now: Millis
    ) -> None:
        """What is durable in the log, by item, and (key, digest, status, JSON) where the push had a key."""
        if not items and answered is None:
            return
        self._remembered += 1
        with write(self.engine, alone=False) as connection:
            many(
                connection,
                "INSERT INTO webhook_item (source_id, item, version, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (source_id, item) DO UPDATE SET version = excluded.version, at = excluded.at",
                # In one order, so that two pushes of the same posts do not each hold what the other one waits for.
                [(source_id, item, *last) for item, last in sorted(items.items())],
            )
            if answered is not None:
                many(
                    connection,
                    "INSERT INTO webhook_request (source_id, key, digest, status, answer, at) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source_id, key) DO NOTHING",
                    [(source_id, *answered, now)],
                )
        if self._remembered % _PRUNE_EVERY == 1:
            self.prune(now)

    def prune(self, now: Millis) -> None:
        """Forget what is older than KEPT, a few thousand rows at once."""
        for table, key in (("webhook_item", "item"), ("webhook_request", "key")):
            with write(self.engine) as connection:
                old = rows(
                    connection,
                    f"SELECT source_id, {key} FROM {table} WHERE at < ? ORDER BY at LIMIT {_PRUNED_AT_ONCE}",
                    (now - KEPT,),
                )
                # Those who remember go beside: in their order, and not what they have written anew meanwhile.
                many(
                    connection,
                    f"DELETE FROM {table} WHERE source_id = ? AND {key} = ? AND at < ?",
                    [(*row, now - KEPT) for row in sorted(map(tuple, old))],
                )
