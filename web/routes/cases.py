"""What the teams work on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Select, select

from database.engine import read
from database.tables.cases import case_event, cases
from database.tables.dictionary import dictionary
from database.tables.mention import mention as mention_table
from stream.ports import AccessScope
from stream.records import Mention, decode
from web.auth import asker
from web.errors import Refusal
from web.models import CaseEventOut, CaseOut, CasesOut, CaseWithHistory, at
from web.routes.mentions import visible
from web.services import Services

HISTORY = 500


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["cases"])
    scope_of_asker = Depends(asker(services))

    @routes.get("/cases", summary="Cases, the newest first")
    def many(
        queue: Literal["sales", "support", "pr"] | None = None,
        brand: Annotated[str | None, Query(max_length=64)] = None,
        live: Annotated[bool | None, Query(description="true: neither closed nor merged")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(description="`cursor` of the page before")] = None,
        scope: AccessScope = scope_of_asker,
    ) -> CasesOut:
        statement = _seen_by(scope).order_by(cases.c.id.desc()).limit(limit + 1)
        if queue is not None:
            statement = statement.where(cases.c.queue == queue)
        if brand is not None:
            statement = statement.where(dictionary.c.value == brand)
        if live is not None:
            statement = statement.where(cases.c.live == int(live))
        if cursor is not None:
            statement = statement.where(cases.c.id < cursor)
        with read(services.engine) as connection:
            rows = list(connection.execute(statement))
        more = rows[limit - 1].id if len(rows) > limit else None
        return CasesOut(cases=[CaseOut(**_fields(row)) for row in rows[:limit]], cursor=more)

    @routes.get("/cases/{case_id}", summary="A case with its mentions and its history")
    def one(case_id: int, scope: AccessScope = scope_of_asker) -> CaseWithHistory:
        with read(services.engine) as connection:
            row = connection.execute(_seen_by(scope).where(cases.c.id == case_id)).first()
            if row is None:
                raise Refusal(404, f"no case {case_id}", "see /api/cases for those that you may see")
            bodies = connection.execute(
                select(mention_table.c.n, mention_table.c.body).where(mention_table.c.case_id == case_id).limit(HISTORY)
            )
            held = {r.n: decode(Mention, r.body) for r in bodies}
            shown = {n: m for n, m in held.items() if visible(m, scope)}
            if held and not shown:
                raise Refusal(404, f"no case {case_id}", "see /api/cases for those that you may see")
            events = connection.execute(
                select(case_event).where(case_event.c.case_id == case_id).order_by(case_event.c.n).limit(HISTORY)
            )
            history = [
                CaseEventOut(
                    at=at(e.at),
                    change=e.change,
                    mention=shown[e.mention].id if e.mention in shown else None,
                    detail=e.detail,
                )
                for e in events
            ]
        return CaseWithHistory(
            **_fields(row), mention_ids=[m.id for m in shown.values() if m.state == "live"], history=history
        )

    return routes


def _seen_by(scope: AccessScope) -> Select[Any]:
    """Cases with their brand's id, narrowed to what the asker may see."""
    statement = select(cases, dictionary.c.value.label("brand_id")).join(dictionary, dictionary.c.n == cases.c.brand)
    if scope.brands is not None:
        statement = statement.where(dictionary.c.value.in_(sorted(scope.brands)))
    if scope.queues is not None:
        statement = statement.where(cases.c.queue.in_(sorted(scope.queues)))
    return statement


def _fields(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "brand": row.brand_id,
        "queue": row.queue,
        "state": row.state,
        "priority": row.priority,
        "risk": row.risk,
        "mentions": row.mentions,
        "opened_at": at(row.opened_at),
        "updated_at": at(row.updated_at),
        "closed_at": at(row.closed_at) if row.closed_at is not None else None,
        "assignee": row.assignee,
        "merged_into": row.merged_into,
    }
