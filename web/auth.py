"""Who asks, and what they may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from stream.ports import AccessScope
from web.errors import Refusal
from web.parameters import refuse_unknown
from web.services import Services

_bearer = HTTPBearer(
    scheme_name="token",
    auto_error=False,
    description="The token shown at the first start; `clamor token new NAME` makes another.",
)


def asker(services: Services) -> Callable[..., AccessScope]:
    """A dependency that gives the asker's scope. Raises Refusal 401 without a living token, 422 for a parameter that
    the route does not know."""

    def scope(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> AccessScope:
        found = services.scope_of(credentials.credentials) if credentials else None
        if found is None:
            raise Refusal(
                401,
                "this route wants a bearer token" if credentials is None else "this token is unknown or revoked",
                "send `Authorization: Bearer TOKEN`; `clamor token new NAME` makes a token",
            )
        refuse_unknown(request)
        return found

    return scope


def whole(services: Services) -> Callable[..., AccessScope]:
    """A dependency for what is told of the whole program. Raises Refusal 403 for a token that sees only a part."""
    of_asker = Depends(asker(services))

    def scope(found: AccessScope = of_asker) -> AccessScope:
        if limited(found):
            raise Refusal(
                403,
                "this route tells of the whole program, and this token sees a part of it",
                "use a token made without --brand, --queue and --access",
            )
        return found

    return scope


def acting(services: Services) -> Callable[..., AccessScope]:
    """A dependency for what people do. Raises Refusal 403 for a token that reads only."""
    of_asker = Depends(asker(services))

    def scope(found: AccessScope = of_asker) -> AccessScope:
        if not found.acts:
            raise Refusal(
                403,
                "this route does something in a person's name, and this token only reads",
                "use a token made with `clamor token new NAME --acts`",
            )
        return found

    return scope


def limited(scope: AccessScope) -> bool:
    """Whether it hides anything."""
    return scope.brands is not None or scope.queues is not None or scope.access is not None
