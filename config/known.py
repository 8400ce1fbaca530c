"""What a configuration has names for, so that a rule can be asked whether it names what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from config.problems import Problem


@dataclass(frozen=True)
class Known:
    """None: the file does not say, so every name may be right."""

    brands: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    networks: frozenset[str] = frozenset()
    """That sources give to posts which name none."""

    @classmethod
    def of(cls, plain: object, brands_in_force: Iterable[str] = ()) -> Self:
        """From the plain values of clamor.yaml, which may have errors."""
        parts = plain if isinstance(plain, dict) else {}
        brands, sources = (_column(parts.get(section), "id") for section in ("brands", "sources"))
        return cls(
            brands if brands is not None else frozenset(brands_in_force) or None,
            sources,
            _column(parts.get("sources"), "network") or frozenset(),
        )


Checker: TypeAlias = Callable[[str, str, Known], Sequence[Problem]]
"""(text of a file, its name, what there is) -> what is wrong in it."""


def _column(items: Any, key: str) -> frozenset[str] | None:
    if not isinstance(items, list):
        return None
    found = (item.get(key) for item in items if isinstance(item, dict))
    return frozenset(value for value in found if isinstance(value, str))
