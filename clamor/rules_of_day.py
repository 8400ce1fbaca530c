"""The rules as they stood when a decision was made."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from config import content
from config.problems import ConfigurationError
from database import revisions
from database.engine import read
from database.revisions import NoSuchRevision
from routing.rules import RuleSet


class RulesOfDay:
    """By revision; each is read once, in a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._read: dict[int, RuleSet | str] = {}

    def of(self, revision: int) -> RuleSet | str:
        """The rules of a revision, or why they are not to be had."""
        if revision not in self._read:
            self._read[revision] = self._found(revision)
        return self._read[revision]

    def _found(self, revision: int) -> RuleSet | str:
        if not revision:
            return "it was made before any rules were in force"
        try:
            with read(self._engine) as connection:
                body, names = revisions.get(connection, "rules", revision).body, _names(connection)
            return RuleSet.read(body, revision, f"revision {revision} of the rules", brands=names)
        except NoSuchRevision as error:
            return f"the rules of that day are gone: {error}"
        except ConfigurationError as error:
            first = str(error.problems[0])
            return f"this release cannot read the rules of that day (revision {revision}): {first}"


def _names(connection: Connection) -> dict[str, str]:
    brands = revisions.current(connection, "brands")
    return {one.id: one.name for one in content.brands(brands.body)} if brands else {}
