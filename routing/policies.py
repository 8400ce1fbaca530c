"""The policies of a database, by revision: what a stored kind meant, and what is advised today."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection

from config import content
from config.problems import ConfigurationError
from database import revisions
from database.revisions import NoSuchRevision
from query.predicate import leaves
from routing.behaviour import Stands
from routing.policy import Policy
from routing.truths import Unreadable
from stream.records import Mention


class Policies:
    """One that cannot be read any more is as if it were not there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        brands = revisions.current(connection, "brands")
        self._names = {brand.id: brand.name for brand in content.brands(brands.body)} if brands is not None else {}
        current = revisions.current(connection, "policy")
        read = _read(current.body, current.number) if current is not None else None
        self.in_force = read or Policy((), 0)

    def of(self, revision: int) -> Policy | None:
        if revision == self.in_force.revision:
            return self.in_force
        try:
            return _read(revisions.get(self._connection, "policy", revision).body, revision)
        except NoSuchRevision:
            return None

    def name(self, brand: str) -> str:
        """What people call it."""
        return self._names.get(brand, brand)

    def why(self, one: Stands, mention: Mention, language: str) -> str:
        """The reason of the kind, by the policy that found it; empty where that is not to be had."""
        policy = self.of(one.policy)
        kind = policy.named(one.kind) if policy is not None else None
        if policy is None or kind is None:
            return ""
        risk = mention.decision.risk if mention.decision is not None else 0
        return policy.why(kind, mention, language, risk, {"brand": self.name(mention.brand)})

    def asks_for(self, one: Stands, fields: frozenset[str]) -> bool:
        """Whether the kind's condition asks for one of these fields; also where nobody can tell."""
        policy = self.of(one.policy)
        kind = policy.named(one.kind) if policy is not None else None
        return kind is None or any(getattr(leaf, "field", "") in fields for leaf in leaves(kind.when))

    def replayed(self, one: Stands) -> str:
        """The kind's name as it follows from its record once more; empty where that is not to be told."""
        policy = self.of(one.policy)
        try:
            kind = policy.replayed(one.record) if policy is not None else None
        except Unreadable:
            return ""
        return kind.name if kind is not None else ""


@lru_cache(maxsize=32)
def _read(body: str, revision: int) -> Policy | None:
    try:
        return Policy.read(body, revision)
    except ConfigurationError:
        return None
