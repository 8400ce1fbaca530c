"""What is asked for at a network: the brands in force, as far as asking needs to know them, the most urgent first."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from config.brands import Brand
from stream.records import BrandKind

_ORDER: dict[str, int] = {"own": 0, "category": 1, "competitor": 2}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One brand to ask for. A network's file writes it in the network's own query language; its id is the query's name
    in posts (`query_ids`) and in the coverage ledger."""

    brand: str
    kind: BrandKind = "own"
    phrases: tuple[str, ...] = ()
    """Name and aliases."""
    handles: tuple[str, ...] = ()
    """With `@`."""
    hashtags: tuple[str, ...] = ()
    """With `#`."""
    accounts: tuple[str, ...] = ()
    """Its own, as `network:handle` or `@handle`."""
    require: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    urgent: bool = False
    """It has an open incident: the last to be left out where a budget ends."""


def wanted(brands: Iterable[Brand], only: Collection[str] = (), urgent: Collection[str] = ()) -> tuple[Wanted, ...]:
    """Of these brands those in `only` (empty: all): urgent ones first, then own, categories, competitors."""
    chosen = [
        Wanted(
            brand=brand.id,
            kind=brand.kind,
            phrases=(brand.name, *brand.aliases),
            handles=brand.handles,
            hashtags=brand.hashtags,
            accounts=brand.accounts,
            require=brand.require,
            exclude=brand.exclude,
            urgent=brand.id in urgent,
        )
        for brand in brands
        if not only or brand.id in only
    ]
    return tuple(sorted(chosen, key=lambda one: (not one.urgent, _ORDER[one.kind])))
