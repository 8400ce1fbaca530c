"""How the program does."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from stream.ports import AccessScope
from web.auth import asker
from web.models import StatusOut
from web.services import Services


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["status"])
    scope_of_asker = Depends(asker(services))

    @routes.get("/status", summary="Lag of each stage, coverage, last alert, disk")
    def status(scope: AccessScope = scope_of_asker) -> StatusOut:
        return StatusOut(**services.status())

    return routes
