"""What routing keeps from batch to batch: numbers, the rules, policy and brands in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, Engine

from config.brands import Brand
from config.problems import ConfigurationError
from database.engine import write
from database.numbering import Dictionary, Serial
from routing.near import Near
from routing.policy import Policy
from routing.rules import RuleSet
from stream.ports import InForce
from stream.records import Author, BrandKind

log = structlog.get_logger(__name__)


class Desk:
    """One per process that changes mentions. Not for several threads at once."""

    def __init__(self, in_force: InForce, *, simulated: bool = False) -> None:
        """`simulated`: the home lives in simulated time."""
        self.simulated = simulated
        self.posts, self.mentions, self.cases = Serial("post"), Serial("mention"), Serial("cases")
        self.clusters = Serial("cluster")
        self.near = Near()
        self.brands, self.networks, self.intents = Dictionary("brand"), Dictionary("network"), Dictionary("intent")
        self.adopt(in_force)

    def adopt(self, in_force: InForce) -> None:
        """Work by this configuration from now on. Raises config.problems.ConfigurationError for rules or a policy that
        cannot be used; what was in force stays."""
        names = {brand.id: brand.name for brand in in_force.brands}
        self.rules = RuleSet.read(
            in_force.rules_yaml, in_force.rules_revision, brands=names, brands_revision=in_force.brands_revision
        )
        self.policy = Policy.read(in_force.policy_yaml, in_force.policy_revision, brands=names)
        self.in_force = in_force
        self.kinds: dict[str, BrandKind] = {brand.id: brand.kind for brand in in_force.brands}
        self._customers = _customers(in_force.brands)

    def keep_up(self, current: InForce) -> None:
        """Adopt what is in force now, where that is another: what cannot be used keeps no delete waiting."""
        if current == self.in_force:
            return
        try:
            self.adopt(current)
        except ConfigurationError as error:
            log.error(
                "rules_refused", revision=current.rules_revision, policy=current.policy_revision,
                problems=len(error.problems),
            )  # fmt: skip

    def kind(self, brand: str) -> BrandKind:
        return self.kinds.get(brand, "own")

    def customer(self, brand: str, author: Author | None) -> str | None:
        """Value of a customer whom the brand's own list names."""
        if not self._customers or author is None or not author.handle:
            return None
        return self._customers.get((brand, author.handle.lstrip("@").casefold()))

    @contextmanager
    def transaction(self, engine: Engine) -> Iterator[Connection]:
        """One in which numbers are given: rolled back, it leaves none of them."""
        try:
            with write(engine) as connection:
                yield connection
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """After a rollback: what was numbered in it was not."""
        serials = (self.posts, self.mentions, self.cases, self.clusters)
        for numbering in (*serials, self.brands, self.networks, self.intents):
            numbering.forget()


def _customers(brands: Iterable[Brand]) -> dict[tuple[str, str], str]:
    return {
        (brand.id, handle.lstrip("@").casefold()): value
        for brand in brands
        for handle, value in brand.customers.items()
    }
