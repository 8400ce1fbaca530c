"""What the configuration in force has names for: rules that are not applied yet are held against it."""

from __future__ import annotations

from clamor.opening import Opened
from config.known import Known
from config.sources import Source


def names_in_force(opened: Opened) -> Known:
    in_force, sources = opened.registry.current(), opened.registry.sources()
    return Known(
        brands=frozenset(brand.id for brand in in_force.brands) or None,
        sources=frozenset(source.id for source in sources),
        networks=frozenset(filter(None, map(_network, sources))),
        people=frozenset(person.id for person in opened.registry.people()),
        teams=frozenset(team.id for team in in_force.teams),
        deadlines=frozenset(deadline.id for deadline in in_force.deadlines),
    )


def _network(source: Source) -> str | None:
    """That it gives to posts which name none."""
    return getattr(source, "network", None)
