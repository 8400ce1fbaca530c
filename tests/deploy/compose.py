"""docker-compose.yml as the tests read it: with its variables at their defaults, or as they are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
IMAGE = "clamor:local"
"""Ours, by its default name."""


@cache
def written() -> dict[str, Any]:
    """As it stands, variables and all."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def services(**told: str) -> dict[str, Any]:
    """By name, variables filled in. Raises KeyError for one that has no default and is not told."""

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return VARIABLE.sub(lambda found: _value(found, told), value)
        if isinstance(value, list):
            return [fill(item) for item in value]
        return {key: fill(item) for key, item in value.items()} if isinstance(value, dict) else value

    found: dict[str, Any] = fill(written()["services"])
    return found


def stages() -> dict[str, list[str]]:
    """The commands of our own containers, by service, in the file's order."""
    return {name: one["command"] for name, one in _with_password().items() if one["image"] == IMAGE}


def copies(service: str) -> int:
    return int(_with_password()[service].get("deploy", {}).get("replicas", 1))


def seconds(duration: str) -> float:
    """A duration as the Compose specification writes it. Raises ValueError."""
    if not re.fullmatch(r"(\d+(us|ms|s|m|h))+", duration):
        raise ValueError(f"{duration!r} is no duration")
    units = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3_600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)(us|ms|s|m|h)", duration))


def _with_password() -> dict[str, Any]:
    return services(CLAMOR_DATABASE_PASSWORD="told")


def _value(found: re.Match[str], told: Mapping[str, str]) -> str:
    name, sign, default = found.groups()
    return told[name] if name in told or sign != "-" else default
