"""What the teams work on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query

from routing.advice import Advice
from routing.matters.seeking import in_words
from routing.tracking import tracking_key
from stream.ports import AccessScope
from web import casebook, context, models
from web.auth import asker
from web.errors import Refusal, refusals
from web.services import Services
from web.shown import at

MAX_ID = 2**63 - 1


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["cases"], responses=refusals(401, 422, 503))
    scope_of_asker = Depends(asker(services))

    @routes.get("/cases", summary="Cases, the newest first")
    def many(
        queue: Literal["sales", "support", "pr"] | None = None,
        brand: Annotated[str | None, Query(max_length=64)] = None,
        live: Annotated[bool | None, Query(description="true: neither resolved, closed nor merged.")] = None,
        state: Annotated[str | None, Query(max_length=16)] = None,
        assignee: Annotated[str | None, Query(max_length=64, description="Empty: nobody.")] = None,
        tag: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(ge=1, le=MAX_ID, description="`cursor` of the page before.")] = None,
        scope: AccessScope = scope_of_asker,
    ) -> models.CasePage:
        wanted = casebook.Filter(queue, brand, live, state, assignee, tag)
        found, more = casebook.page(services.engine, scope, wanted, limit, cursor)
        return models.CasePage(cases=[models.Case(**_fields(case)) for case in found], cursor=more)

    @routes.get("/cases/proposals", summary="Cases that may be one matter, the most certain first")
    def proposals(
        limit: Annotated[int, Query(ge=1, le=200)] = 50, scope: AccessScope = scope_of_asker
    ) -> list[models.CaseProposal]:
        found = casebook.proposals(services.engine, scope, limit)
        return [
            models.CaseProposal(one=tie.one, other=tie.other, certainty=tie.certainty, why=in_words(tie.evidence.terms))
            for tie in found
        ]

    @routes.get("/cases/{case_id}", summary="A case with its mentions and its history", responses=refusals(404))
    def one(
        case_id: Annotated[int, Path(ge=1, le=MAX_ID)],
        language: Annotated[Literal["en", "es"], Query(description="Of the policy's advice.")] = "en",
        scope: AccessScope = scope_of_asker,
    ) -> models.CaseWithHistory:
        found = casebook.one(services.engine, case_id, scope)
        if found is None:
            raise Refusal(404, f"no case {case_id}", "see /api/cases for those that you may see")
        return models.CaseWithHistory(
            **_fields(found.case),
            mention_ids=found.mentions,
            history=[
                models.CaseEvent(
                    at=at(each.at), change=each.change, mention=each.mention, detail=each.detail, person=each.person
                )
                for each in found.history
            ],
            tags=found.tags,
            watchers=found.watchers,
            deadlines=[
                models.CaseDeadline(
                    what=each.what,
                    deadline=each.deadline,
                    target=each.target,
                    due=at(each.due) if each.due is not None else None,
                    done_at=at(each.done_at) if each.done_at is not None else None,
                    missed=each.missed,
                )
                for each in found.deadlines
            ],
            notes=[
                models.CaseNote(at=at(each.at), person=each.person, text=each.text, case=each.case)
                for each in found.notes
            ],
            threads=[_thread(each) for each in context.threads(services.engine, found.live, scope)],
            policy=[
                _advice(each)
                for each in casebook.advice(services.engine, case_id, scope, language, services.clock.now())
            ],
            matters=[
                models.CaseMatter(**{**each._asdict(), "mentions": list(each.mentions)})
                for each in casebook.matters(services.engine, case_id, scope)
            ],
            holds=[
                models.CaseHold(**{**each._asdict(), "since": at(each.since)})
                for each in casebook.holds(services.engine, case_id, scope, language)
            ],
        )

    @routes.post(
        "/cases/{case_id}/context",
        status_code=202,
        summary="Ask the networks what the replies of a case answer",
        responses=refusals(404),
    )
    def ask(case_id: Annotated[int, Path(ge=1, le=MAX_ID)], scope: AccessScope = scope_of_asker) -> models.ContextAsked:
        """They are asked within the budgets of their sources; what comes is kept until 30 days after the case has
        closed. Asked again, nothing that is under way is done twice."""
        now = services.clock.now()
        done = context.ask(services.engine, case_id, scope, "the API", now, services.collected)
        if done is None:
            raise Refusal(404, f"no case {case_id}", "see /api/cases for those that you may see")
        return models.ContextAsked(**done._asdict())

    return routes


def _advice(advice: Advice) -> models.CaseAdvice:
    fields = msgspec.structs.asdict(advice)
    del fields["facts"]
    times = {name: at(fields[name]) for name in ("since", "until")}
    due = at(advice.due) if advice.due is not None else None
    return models.CaseAdvice(**(fields | times | {"due": due}))


def _thread(thread: context.Thread) -> models.CaseThread:
    return models.CaseThread(
        mention=thread.mention,
        state=thread.state,
        why=thread.why,
        above=[
            models.AbovePost(
                post=one.post.id,
                network=one.post.network,
                title=one.post.title,
                text=one.post.text,
                author=(one.post.author.handle or one.post.author.id) if one.post.author else None,
                link=one.post.link,
                time=at(one.post.event_time),
                mentions=list(one.mentions),
            )
            for one in thread.above
        ],
    )


def _fields(case: casebook.Case) -> dict[str, Any]:
    row = case.row
    return {
        "id": row.id,
        "brand": row.brand_id,
        "queue": row.queue,
        "state": row.state,
        "priority": row.priority,
        "risk": case.risk,
        "mentions": case.mentions,
        "opened_at": at(row.opened_at),
        "updated_at": at(row.updated_at),
        "closed_at": at(row.closed_at) if row.closed_at is not None else None,
        "closed_why": row.closed_why,
        "assignee": row.assignee,
        "merged_into": case.merged_into,
        "tracking": row.tracking or tracking_key(row.brand_id, row.opened_at, row.id),
        "revision": row.revision,
        "snoozed_until": at(row.snoozed_until) if row.snoozed_until is not None else None,
        "first_response_at": at(row.first_response_at) if row.first_response_at is not None else None,
    }
