"""What is unusual about a brand, why, and who looks after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import Connection

from database.engine import write
from routing.incidents import book
from routing.incidents.cause import Cause, Heap
from routing.incidents.cause import Share as Part
from stream.ports import AccessScope
from stream.records import Millis
from web import incident_models as models
from web import incidentbook
from web.auth import acting, asker
from web.errors import Refusal, refusals
from web.incidentbook import Seen
from web.services import Services
from web.shown import at, mention
from web.truth import Hidden

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["incidents"], responses=refusals(401, 422, 503))
    scope_of_asker = Depends(asker(services))
    scope_of_actor = Depends(acting(services))

    @routes.get("/incidents", summary="Incidents, the newest first")
    def many(
        brand: Annotated[str | None, Query(max_length=64)] = None,
        state: Literal["watch", "warning", "crisis", "over"] | None = None,
        live: Annotated[bool | None, Query(description="true: not over.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`cursor` of the page before.")] = None,
        scope: AccessScope = scope_of_asker,
    ) -> models.IncidentPage:
        found, more = incidentbook.page(services.engine, scope, brand, state, live, limit, cursor)
        return models.IncidentPage(incidents=[models.Incident(**_fields(one)) for one in found], cursor=more)

    @routes.get(
        "/incidents/{incident_id}",
        summary="An incident: its numbers, what it is made of, what happened",
        responses=refusals(404),
    )
    def one(incident_id: Id, scope: AccessScope = scope_of_asker) -> models.IncidentWithHistory:
        found = incidentbook.one(services.engine, incident_id, scope, services.clock.now())
        if found is None:
            raise _none(incident_id)
        return models.IncidentWithHistory(
            **_fields(found.seen),
            cause=_cause(found.cause, found.hidden, whole=found.seen.whole),
            curve=[
                models.IncidentPoint(
                    time=at(point.at), observed=point.observed, expected=point.expected, high=point.high
                )
                for point in found.curve
            ],
            history=[
                models.IncidentEvent(time=at(each.at), change=each.change, person=each.person, detail=each.detail)
                for each in found.history
            ],
            matter=found.matter,
        )

    def act(id: int, scope: AccessScope, deed: Callable[[Connection, Millis], object]) -> models.Incident:
        with write(services.engine) as connection:
            if incidentbook.find(connection, id, scope) is None:
                raise _none(id)
            try:
                deed(connection, services.clock.now())
            except ValueError as late:
                raise Refusal(409, str(late), "see /api/incidents for how it stands now") from None
            done = incidentbook.find(connection, id, scope)
        assert done is not None
        return models.Incident(**_fields(done))

    @routes.post(
        "/incidents/{incident_id}/acknowledge",
        summary="Say who looks after it: nothing is repeated and nobody further is told",
        responses=refusals(403, 404, 409),
    )
    def acknowledge(incident_id: Id, asked: models.Acknowledge, scope: AccessScope = scope_of_actor) -> models.Incident:
        """As often as one likes for the same person; refused where it is over or somebody else looks after it."""
        return act(incident_id, scope, lambda connection, now: book.acknowledge(connection, incident_id, asked.by, now))

    @routes.post(
        "/incidents/{incident_id}/prove",
        summary="Say in the end whether it was one",
        responses=refusals(403, 404),
    )
    def prove(incident_id: Id, asked: models.Prove, scope: AccessScope = scope_of_actor) -> models.Incident:
        return act(
            incident_id, scope, lambda connection, now: book.prove(connection, incident_id, asked.by, asked.proved, now)
        )

    return routes


def _none(id: int) -> Refusal:
    return Refusal(404, f"no incident {id}", "see /api/incidents for those that you may see")


def _fields(seen: Seen) -> dict[str, Any]:
    held = seen.incident
    times = ("over_at", "acknowledged_at", "told_at", "silent_until")
    return {
        "id": held.id,
        "brand": held.brand,
        "state": held.state,
        "worst": held.worst,
        "since": at(held.since),
        "seen_at": at(held.seen_at),
        "opened_at": at(held.opened_at),
        "state_at": at(held.state_at),
        **{name: at(value) if (value := getattr(held, name)) is not None else None for name in times},
        "acknowledged_by": held.acknowledged_by,
        "proved": held.proved,
        "signals": [
            models.IncidentSignal(
                series=one.series, minutes=one.minutes, observed=one.observed, expected=round(one.expected, 2),
                high=round(one.high, 2), probability=one.percent / 100,
            )
            for one in (held.evidence.signals if seen.whole else ())
        ],
        "complete": held.evidence.complete if seen.whole else None,
    }  # fmt: skip


def _cause(cause: Cause, hidden: Hidden, *, whole: bool) -> models.IncidentCause:
    return models.IncidentCause(
        posts=cause.posts,
        authors=cause.authors,
        reach=cause.reach,
        networks=_parts(cause.networks),
        intents=_parts(cause.intents),
        words=_parts(cause.words),
        links=_parts(cause.links),
        authors_most=_parts(cause.loudest),
        copies=[] if hidden.copies else _heaps(cause.copies),
        threads=_heaps([one for one in cause.threads if whole or one.name == one.post_id]),
        top=[mention(one, hidden) for _, one in cause.top],
    )


def _parts(parts: Sequence[Part]) -> list[models.IncidentPart]:
    return [models.IncidentPart(name=one.name, posts=one.posts, share=min(1.0, one.share)) for one in parts]


def _heaps(heaps: Sequence[Heap]) -> list[models.IncidentHeap]:
    return [
        models.IncidentHeap(
            name=one.name, posts=one.posts, authors=one.authors, share=min(1.0, one.share), first=one.post_id
        )
        for one in heaps
    ]
