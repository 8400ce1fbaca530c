"""`python -m web.openapi` writes the API's schema to docs/schemas/openapi.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from web.app import create_app
from web.services import Services

PLACE = Path(__file__).parent.parent / "docs" / "schemas" / "openapi.json"
VERSION = "1"
"""Of the API: grows when a program that used it would have to change."""


def openapi() -> dict[str, Any]:
    """The schema; nothing of a home is needed for it."""
    return create_app(_unused(), VERSION).openapi()


def text() -> str:
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"


def _unused() -> Services:
    """Services of an application that is asked nothing."""
    fields: dict[str, Any] = dict.fromkeys(Services.__dataclass_fields__)
    return Services(**fields)


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
