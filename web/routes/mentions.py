"""One post about one brand, and why it is where it is."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Depends
from sqlalchemy import select

from database.engine import read
from database.tables.dictionary import dictionary
from database.tables.mention import decision as past_decision
from database.tables.mention import mention as mention_table
from database.tables.post import post as post_table
from stream.ports import AccessScope
from stream.records import Decision, Mention, decode
from web.auth import asker
from web.errors import Refusal
from web.models import DecisionOut, MentionOut, decision_out, mention_out
from web.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["mentions"])
    scope_of_asker = Depends(asker(services))

    @routes.get("/mentions/{mention_id:path}/decisions", summary="Every decision about a mention, the newest first")
    def decisions(mention_id: str, scope: AccessScope = scope_of_asker) -> list[DecisionOut]:
        mention, past = _find(services, mention_id, scope)
        every = ([mention.decision] if mention.decision else []) + past
        return [decision_out(one, services.explain(mention, one)) for one in every]

    @routes.get("/mentions/{mention_id:path}", summary="A mention as it is now (`#` in its id is written %23)")
    def mention(mention_id: str, scope: AccessScope = scope_of_asker) -> MentionOut:
        return mention_out(_find(services, mention_id, scope)[0])

    return routes


def _find(services: Services, mention_id: str, scope: AccessScope) -> tuple[Mention, list[Decision]]:
    """The mention in SQL, which is the truth, and its earlier decisions. Raises Refusal 404, also for what is hidden."""
    post_id, _, brand = mention_id.rpartition("#")
    statement = (
        select(mention_table.c.n, mention_table.c.body)
        .join(post_table, post_table.c.n == mention_table.c.post)
        .join(dictionary, dictionary.c.n == mention_table.c.brand)
        .where(post_table.c.id == post_id, dictionary.c.kind == "brand", dictionary.c.value == brand)
    )
    with read(services.engine) as connection:
        row = connection.execute(statement).first()
        found = decode(Mention, row.body) if row else None
        if found is None or found.state != "live" or not visible(found, scope):
            raise Refusal(404, f"no mention {mention_id!r}", "an id is `network:native_id#brand`, its `#` written %23")
        older = connection.execute(
            select(past_decision.c.body)
            .where(past_decision.c.mention == row.n)  # type: ignore[union-attr]
            .order_by(past_decision.c.revision.desc())
            .limit(200)
        )
        return found, [msgspec.json.decode(r.body, type=Decision) for r in older]


def visible(mention: Mention, scope: AccessScope) -> bool:
    queue = mention.decision.queue if mention.decision else "none"
    return (
        (scope.brands is None or mention.brand in scope.brands)
        and (scope.queues is None or queue in scope.queues)
        and (scope.access is None or mention.access in scope.access)
    )


