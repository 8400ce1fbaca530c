"""For whoever watches the process."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse

from stream.ports import AccessScope
from web.auth import asker
from web.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["health"])
    scope_of_asker = Depends(asker(services))

    @routes.get("/healthz", summary="The process answers")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz", summary="Log, database and store answer and the stages make progress")
    def readyz() -> JSONResponse:
        missing = services.ready()
        if missing:
            return JSONResponse({"status": "not ready", "missing": missing}, 503)
        return JSONResponse({"status": "ready"})

    @routes.get("/metrics", summary="Prometheus metrics", response_class=Response)
    def metrics(scope: AccessScope = scope_of_asker) -> Response:
        return Response(services.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
