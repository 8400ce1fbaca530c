"""One post about one brand, and why it is where it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from query.error import short
from stream.ports import AccessScope
from web import models, truth
from web.auth import asker
from web.errors import Refusal, refusals
from web.services import Services
from web.shown import decision, mention, without_copies

MentionId = Annotated[
    str,
    Path(
        max_length=1_000,
        description="`network:native_id#brand`; in an address its # is written %23, its / may stand as it is.",
        examples=["mastodon:113#aurelia"],
    ),
]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["mentions"], responses=refusals(401, 404, 422, 503))
    scope_of_asker = Depends(asker(services))

    @routes.get("/mentions/{mention_id:path}/decisions", summary="Why it is where it is, and where it was before")
    def decisions(mention_id: MentionId, scope: AccessScope = scope_of_asker) -> list[models.Decision]:
        """The decision in force, then those that it replaced, the newest first (up to 200)."""
        found = without_copies(_find(services, mention_id, scope))
        every = ([found.mention.decision] if found.mention.decision else []) + found.past
        return [decision(one, services.explain(found.mention, one)) for one in every]

    @routes.get("/mentions/{mention_id:path}", summary="A mention as it is now")
    def one(mention_id: MentionId, scope: AccessScope = scope_of_asker) -> models.Mention:
        found = _find(services, mention_id, scope)
        return mention(found.mention, found.hidden)

    return routes


def _find(services: Services, mention_id: str, scope: AccessScope) -> truth.Found:
    """Raises Refusal 404, in the same words whether it never was, is deleted, or is not for the asker."""
    found = truth.find(services.engine, mention_id, scope) if "\0" not in mention_id else None
    if found is None:
        raise Refusal(
            404,
            f"no mention {short(mention_id)!r}",
            "an id is `network:native_id#brand`, its # written %23; a deleted post has none any more",
        )
    return found
