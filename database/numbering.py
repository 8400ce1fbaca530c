"""Numbers for rows and for words, taken in blocks inside the writer's transaction.

A block that a rolled-back transaction took was never taken: `forget` must follow a rollback.
"""

from __future__ import annotations

from sqlalchemy import Connection

from database.engine import many, rows


class Serial:
    """Ascending numbers for one table. They are never used twice, also when rows are deleted; gaps are normal."""

    def __init__(self, table: str, block: int = 8_192) -> None:
        self.table, self.block = table, block
        self._next = self._end = 0

    def take(self, connection: Connection) -> int:
        if self._next == self._end:
            self._reserve(connection)
        taken = self._next
        self._next += 1
        return taken

    def forget(self) -> None:
        """Give up the block in memory: after a rollback, or when it could be another process's."""
        self._next = self._end = 0

    def _reserve(self, connection: Connection) -> None:
        many(connection, "INSERT INTO serial (name, next) VALUES (?, 1) ON CONFLICT (name) DO NOTHING", [(self.table,)])
        sql = "UPDATE serial SET next = next + ? WHERE name = ? RETURNING next"
        self._end = rows(connection, sql, (self.block, self.table))[0][0]
        self._next = self._end - self.block


class Dictionary:
    """Small numbers for the words of one kind: brands, networks, intents."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._numbers: dict[str, int] = {}
        self._words: dict[int, str] = {}

    def number(self, connection: Connection, word: str) -> int:
        """The word's number, given to it now if it had none."""
        known = self._numbers.get(word)
        if known is not None:
            return known
        sql = "INSERT INTO dictionary (kind, value) VALUES (?, ?) ON CONFLICT (kind, value) DO NOTHING"
        many(connection, sql, [(self.kind, word)])
        found = self.find(connection, word)
        assert found is not None
        return found

    def find(self, connection: Connection, word: str) -> int | None:
        """The word's number, None where it has none."""
        if word not in self._numbers:
            found = rows(connection, "SELECT n FROM dictionary WHERE kind = ? AND value = ?", (self.kind, word))
            if not found:
                return None
            self._keep(found[0][0], word)
        return self._numbers[word]

    def word(self, connection: Connection, number: int) -> str:
        """Raises KeyError where no word has this number."""
        if number not in self._words:
            found = rows(connection, "SELECT value FROM dictionary WHERE kind = ? AND n = ?", (self.kind, number))
            if not found:
                raise KeyError(f"no {self.kind} has the number {number}")
            self._keep(number, found[0][0])
        return self._words[number]

    def forget(self) -> None:
        """After a rollback: numbers given in it were not given."""
        self._numbers.clear()
        self._words.clear()

    def _keep(self, number: int, word: str) -> None:
        self._numbers[word] = number
        self._words[number] = word
