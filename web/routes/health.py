"""For whoever watches the process."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from stream.ports import AccessScope
from web.auth import whole
from web.errors import refusals
from web.models import Health, Readiness
from web.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["health"])
    whole_scope = Depends(whole(services))

    @routes.get("/healthz", summary="The process answers")
    async def healthz() -> Health:
        return Health(status="ok")

    @routes.get(
        "/readyz",
        summary="Log, database and store answer and the stages make progress",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "These parts keep it from serving"}},
    )
    def readyz() -> JSONResponse:
        """Asked without a token it names parts and no reasons: those are in `/api/status` and in the log."""
        missing = sorted(services.ready())
        if missing:
            return JSONResponse({"status": "not ready", "missing": missing}, 503)
        return JSONResponse({"status": "ready", "missing": []})

    @routes.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text format 0.0.4"},
            **refusals(401, 403, 503),
        },
    )
    def metrics(scope: AccessScope = whole_scope) -> Response:
        """For a token that sees everything."""
        return Response(services.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
