"""The kinds of sources that there are, by the name that stands in `kind`."""

from __future__ import annotations

from typing import get_args

from config.sources import AnySource, Collected, Source
from config.sources.budget import Costs


def costs_of(kind: str) -> Costs:
    """What the network of such sources documents of its prices and quotas; of one that is not known, nothing."""
    kinds: tuple[type[AnySource], ...] = get_args(get_args(Source)[0])
    return next((one.costs for one in kinds if issubclass(one, Collected) and _kind(one) == kind), Costs())


def _kind(source: type[AnySource]) -> str:
    return str(get_args(source.model_fields["kind"].annotation)[0])
