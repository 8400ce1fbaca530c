"""Parameters that a route does not know: they are refused, since an answer without them is not what was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from query.error import did_you_mean, short
from web.errors import Refusal


def refuse_unknown(request: Request) -> None:
    """Raises Refusal 422 that names the parameters that the route takes."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = sorted(_names(route.dependant))
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        takes = f"This route takes {', '.join(known) or 'no parameters'}"
        advice = " ".join(part for part in (did_you_mean(unknown[0], known), takes) if part)
        named = ", ".join(repr(short(name)) for name in unknown[:5])
        raise Refusal(422, f"there is no parameter {named} here", advice)


def _names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for one in dependant.dependencies:
        yield from _names(one)
