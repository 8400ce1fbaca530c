"""What a configuration has names for, so that rules and policy can be asked whether they name what there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeAlias

from config.problems import Problem


@dataclass(frozen=True)
class Known:
    """None: the file does not say, so every name may be right."""

    brands: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    networks: frozenset[str] = frozenset()
    """That sources give to posts which name none."""
    people: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    deadlines: frozenset[str] | None = None
    channels: frozenset[str] | None = None
    """Those that a case can be posted to."""

    @classmethod
    def of(cls, plain: object, standing: Standing) -> Self:
        """From the plain values of clamor.yaml, which may have errors; where they are silent, from what is in force."""
        parts = plain if isinstance(plain, dict) else {}
        brands, sources, people, teams, deadlines = (
            _column(parts.get(section), "id") for section in ("brands", "sources", "people", "teams", "deadlines")
        )
        return cls(
            brands if brands is not None else frozenset(standing.brands) or None,
            sources,
            _column(parts.get("sources"), "network") or frozenset(),
            people if people is not None else standing.people,
            teams if teams is not None else standing.teams or None,
            deadlines if deadlines is not None else standing.deadlines or None,
            webhooks(parts),
        )


class Paper(NamedTuple):
    """Rules or policy as they are written."""

    text: str
    file: str
    """Its name, for findings."""


class Standing(NamedTuple):
    """What is in force already, for files that leave some of it unsaid."""

    brands: tuple[str, ...] = ()
    people: frozenset[str] | None = None
    """None: nobody knows."""
    papers: Mapping[str, Paper] = {}
    """By kind (`rules`, `policy`)."""
    teams: frozenset[str] = frozenset()
    deadlines: frozenset[str] = frozenset()
    channels: frozenset[str] | None = None
    """Those of the home, which are no content: a folder that is applied names them. None: nobody knows."""


NOTHING_STANDS = Standing()
Checker: TypeAlias = Callable[[str, str, Known], Sequence[Problem]]
"""(text of a file, its name, what there is) -> what is wrong in it."""


class Checkers(NamedTuple):
    """Who reads the files that are not clamor.yaml."""

    rules: Checker
    policy: Checker
    together: Callable[[Mapping[str, Paper]], Sequence[Problem]]
    """What rules and policy say against one another; what is not among the papers is as it was shipped."""


def webhooks(parts: Mapping[Any, Any]) -> frozenset[str]:
    """Ids of the channels that are signed webhooks: a case is posted to no other."""
    items = parts.get("channels")
    found = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    return frozenset(str(one.get("id")) for one in found if one.get("kind") == "webhook")


def _column(items: Any, key: str) -> frozenset[str] | None:
    if not isinstance(items, list):
        return None
    found = (item.get(key) for item in items if isinstance(item, dict))
    return frozenset(value for value in found if isinstance(value, str))
