"""What was asked for, received and missed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ingest.coverage import UNSEEN, figure
from stream.clock import DAY
from stream.ports import AccessScope
from stream.records import Millis
from web import ledger, models
from web.auth import asker
from web.errors import Refusal, refusals
from web.services import Services
from web.shown import at, coverage_row

SHOWN = 1_000
LONGEST: Millis = 400 * DAY


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["coverage"], responses=refusals(401, 422, 503))
    scope_of_asker = Depends(asker(services))

    @routes.get("/coverage", summary="How much of what was asked for came in, and what is missing")
    def coverage(
        source: Annotated[str | None, Query(max_length=64, description="Only this source.")] = None,
        since: Annotated[datetime | None, Query(description="By default seven days before `until`.")] = None,
        until: Annotated[datetime | None, Query(description="By default now. UTC where no zone is named.")] = None,
        scope: AccessScope = scope_of_asker,
    ) -> models.Coverage:
        end = _millis(until) if until else services.clock.now()
        start = _millis(since) if since else end - 7 * DAY
        if not 0 < end - start <= LONGEST:
            raise Refusal(422, "`since` must lie before `until`, by 400 days at most", "ask for a shorter time")
        found = ledger.rows(
            services.engine, scope, start, end, ledger.FIGURED + 1, source=source, unasked=services.unasked()
        )
        known = figure(found[: ledger.FIGURED], start, end)
        return models.Coverage(
            since=at(start),
            until=at(end),
            share=known.share,
            received=known.received,
            kept=known.kept,
            filtered=known.filtered,
            duplicates=known.duplicates,
            late=known.late,
            refused=known.refused,
            known_missed=known.known_missed,
            unknown_gaps=known.unknown_gaps,
            rows=[coverage_row(row) for row in found[:SHOWN]],
            truncated=len(found) > ledger.FIGURED,
            unseen=list(UNSEEN),
        )

    return routes


def _millis(time: datetime) -> Millis:
    """Raises Refusal 422 for a year that cannot be counted with."""
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if not 1971 <= time.year <= 9000:
        raise Refusal(422, "a year before 1971 or after 9000", "write a time such as 2026-11-24T10:00:00Z")
    return int(time.timestamp() * 1000)
