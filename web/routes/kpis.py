"""How fast and how well the teams work, and how loud the brands are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query

from database.engine import read
from database.registry import SqlRegistry
from routing.kpi.asked import Asked, Figures, figures
from stream.clock import DAY
from stream.ports import AccessScope
from stream.records import Millis
from web import kpi_models as models
from web.auth import asker
from web.errors import Refusal, refusals
from web.ledger import hears_all
from web.services import Services
from web.shown import at

LONGEST: Millis = 1_100 * DAY
MOST_NAMES = 50
Names = Annotated[list[Annotated[str, Query(max_length=64)]] | None, Query(max_length=MOST_NAMES)]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["kpis"], responses=refusals(401, 403, 422, 503))
    scope_of_asker = Depends(asker(services))
    registry = SqlRegistry(services.engine, None)

    @routes.get("/kpis", summary="Key figures of the teams' work")
    def kpis(
        by: Annotated[
            list[Literal["brand", "queue", "network", "day", "week"]] | None,
            Query(max_length=5, description="What each row is of; by default week and brand."),
        ] = None,
        brand: Names = None,
        queue: Annotated[list[Literal["sales", "support", "pr"]] | None, Query(max_length=3)] = None,
        network: Names = None,
        since: Annotated[datetime | None, Query(description="By default 28 days before `until`.")] = None,
        until: Annotated[datetime | None, Query(description="By default the end of today, UTC.")] = None,
        scope: AccessScope = scope_of_asker,
    ) -> models.Kpis:
        """Whole days, UTC. Figures are made of all posts, whatever their source: a token from which sources are hidden
        gets none."""
        end = _millis(until) if until else services.clock.now() // DAY * DAY + DAY
        start = _millis(since) if since else end - 28 * DAY
        if not 0 < end - start <= LONGEST:
            raise Refusal(422, "`since` must lie before `until`, by 1,100 days at most", "ask for a shorter time")
        asked = Asked(
            start, end, tuple(by or ("week", "brand")), _within(brand, scope.brands), _within(queue, scope.queues),
            frozenset(network) if network else None,
        )  # fmt: skip
        kinds = {one.id: one.kind for one in registry.current().brands}
        with read(services.engine) as connection:
            if not hears_all(connection, scope):
                raise Refusal(
                    403,
                    "key figures are made of the posts of all sources, and this token may not see all of them",
                    "use a token with --access for every private source",
                )
            found = figures(connection, asked, kinds)
        return models.Kpis(rows=[_row(one, whole=scope.brands is None) for one in found])

    return routes


def _within(asked: list[str] | list[Literal["sales", "support", "pr"]] | None, allowed: frozenset[str] | None) -> (
    frozenset[str] | None
):  # fmt: skip
    """What is asked for, as far as the token may see it."""
    if not asked:
        return allowed
    return frozenset(asked) if allowed is None else frozenset(asked) & allowed


def _row(found: Figures, *, whole: bool) -> models.Figures:
    fields = msgspec.structs.asdict(found)
    fields["since"] = at(found.since) if found.since is not None else None
    return models.Figures(**(fields if whole else fields | {"voice": None}))


def _millis(moment: datetime) -> Millis:
    placed = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(placed.timestamp() * 1_000)
