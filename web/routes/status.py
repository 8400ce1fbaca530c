"""How the program does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from stream.ports import AccessScope
from web.auth import asker, limited
from web.errors import refusals
from web.models import Status
from web.services import Services

FOR_ALL = ("now", "simulated", "running", "stages", "waiting", "latency")
"""What says nothing of any brand, queue or source."""


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["status"], responses=refusals(401, 503))
    scope_of_asker = Depends(asker(services))

    @routes.get("/status", summary="Lag of each stage, sources, coverage, disk", response_model_exclude_unset=True)
    def status(scope: AccessScope = scope_of_asker) -> Status:
        found = services.status()
        return Status(**(_part(found) if limited(scope) else found))

    return routes


def _part(found: dict[str, Any]) -> dict[str, Any]:
    """A stage's last error may name anything, so it stays out."""
    part = {key: found[key] for key in FOR_ALL if key in found}
    part["stages"] = [{key: value for key, value in stage.items() if key != "error"} for stage in found["stages"]]
    return part
