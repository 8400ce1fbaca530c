"""The part of the configuration that lives in SQL as numbered revisions: brands, aspects, sources, people,
replies, teams, deadlines, playbook, rules, policy.

`clamor.yaml`, `rules.yaml` and `detractors.yaml` are its import and export form. A body is the text that a revision
holds: canonical JSON (sorted keys, defaults left out) for lists, so that equal content has equal bodies; the file's own
text for rules and policy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import yaml
from pydantic import BaseModel, Field, TypeAdapter

from config.aspects import Aspect
from config.brands import Brand
from config.people import Person
from config.playbook import Step
from config.replies import Reply
from config.section import Section, Text
from config.sources import Source
from config.teams import Deadline, Team

Kind: TypeAlias = Literal[
    "brands", "aspects", "sources", "people", "replies", "teams", "deadlines", "playbook", "rules", "policy"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
TextKind: TypeAlias = Literal["rules", "policy"]
TEXTS: tuple[TextKind, ...] = get_args(TextKind)
"""Kinds that are files of their own, and that Clamor ships."""


class ImportPart(Section):
    """The sections of `clamor.yaml` that `clamor apply` takes over. A section that is absent changes nothing."""

    brands: tuple[Brand, ...] | None = None
    """What is listened for."""
    aspects: tuple[Aspect, ...] | None = None
    """What of the brands posts speak about, laid over the aspects that Clamor ships."""
    sources: tuple[Source, ...] | None = None
    """Where posts come from."""
    people: tuple[Person, ...] | None = None
    """Who is told."""
    replies: tuple[Reply, ...] | None = None
    """Canned replies, for cases."""
    teams: tuple[Team, ...] | None = None
    """Who works when."""
    deadlines: tuple[Deadline, ...] | None = None
    """By when cases have to be answered and done."""
    playbook: tuple[Step, ...] | None = Field(default=None, max_length=100)
    """What has to be done in an incident. Not stated: the playbook that Clamor ships; `[]`: nothing."""
    rules: Text | None = None
    """`default` for the shipped rules, or the name of a file in the home. Empty: rules.yaml if it is there, else the
    shipped rules."""
    policy: Text | None = None
    """`default` for the shipped policy for detractors, or the name of a file in the home. Empty: detractors.yaml if it
    is there, else the shipped policy."""


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_brands = TypeAdapter(tuple[Brand, ...])
_aspects = TypeAdapter(tuple[Aspect, ...])
_sources: TypeAdapter[tuple[Source, ...]] = TypeAdapter(tuple[Source, ...])
_people = TypeAdapter(tuple[Person, ...])
_replies = TypeAdapter(tuple[Reply, ...])
_teams = TypeAdapter(tuple[Team, ...])
_deadlines = TypeAdapter(tuple[Deadline, ...])
_playbook = TypeAdapter(tuple[Step, ...])


def body(kind: Kind, items: Sequence[BaseModel]) -> str:
    """Canonical JSON of what has sections of its own, that is of everything but rules."""
    plain = [item.model_dump(mode="json", by_alias=True, exclude_defaults=True) for item in items]
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def brands(text: str) -> tuple[Brand, ...]:
    """The brands of a body. Raises pydantic.ValidationError."""
    return _brands.validate_json(text)


def aspects(text: str) -> tuple[Aspect, ...]:
    """The aspects of a body. Raises pydantic.ValidationError."""
    return _aspects.validate_json(text)


def sources(text: str) -> tuple[Source, ...]:
    """The sources of a body. Raises pydantic.ValidationError."""
    return _sources.validate_json(text)


def people(text: str) -> tuple[Person, ...]:
    """The people of a body. Raises pydantic.ValidationError."""
    return _people.validate_json(text)


def replies(text: str) -> tuple[Reply, ...]:
    """The canned replies of a body. Raises pydantic.ValidationError."""
    return _replies.validate_json(text)


def teams(text: str) -> tuple[Team, ...]:
    """The teams of a body. Raises pydantic.ValidationError."""
    return _teams.validate_json(text)


def deadlines(text: str) -> tuple[Deadline, ...]:
    """The deadlines of a body. Raises pydantic.ValidationError."""
    return _deadlines.validate_json(text)


def playbook(text: str) -> tuple[Step, ...]:
    """The steps of a body. Raises pydantic.ValidationError."""
    return _playbook.validate_json(text)


def as_yaml(kind: Kind, text: str) -> str:
    """A body as people write it: the section of clamor.yaml with its heading; rules and policy as they are."""
    if kind in TEXTS:
        return text
    return _dump({kind: [_reading_order(item) for item in json.loads(text)]})


def _reading_order(item: dict[str, Any]) -> dict[str, Any]:
    first = [key for key in ("id", "name", "kind", "email") if key in item]
    return {key: item[key] for key in (*first, *(key for key in item if key not in first))}


def _dump(plain: object) -> str:
    return str(yaml.dump(plain, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=110))
