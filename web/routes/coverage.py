"""What was asked for, received and missed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from stream.clock import DAY
from stream.ports import AccessScope
from web.auth import asker
from web.models import CoverageOut, coverage_out
from web.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["coverage"])
    scope_of_asker = Depends(asker(services))

    @routes.get("/coverage", summary="The ledger of the collectors, by default of the last seven days")
    def coverage(
        source: Annotated[str | None, Query(max_length=64)] = None,
        since: datetime | None = None,
        until: datetime | None = None,
        scope: AccessScope = scope_of_asker,
    ) -> list[CoverageOut]:
        now = services.clock.now()
        start = int(since.timestamp() * 1000) if since else now - 7 * DAY
        end = int(until.timestamp() * 1000) if until else now
        return [coverage_out(row) for row in services.coverage.rows([source] if source else None, None, start, end)[:1_000]]

    return routes
