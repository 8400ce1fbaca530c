"""The playbook as people write it: what has to be done when an incident comes so far, by whom, by when.

Where no home has one of its own, `default_playbook.yaml` beside this file is in force.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints, TypeAdapter

from config.brands import Slug
from config.section import Section
from config.units import Duration

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
State = Literal["warning", "crisis", "over"]


class InBoth(Section):
    """The same in both languages."""

    en: Sentence
    """In English."""
    es: Sentence
    """In Spanish."""


class Step(Section):
    """One task."""

    id: Slug
    """Stands in histories: never change what it means."""
    when: State
    """The task appears when an incident comes into this state, or past it; `over`: once a warning or a crisis is."""
    made_of: tuple[Literal["negative", "detractors", "severe"], ...] = ()
    """Only of incidents with a surge of such posts. Empty: of all."""
    brands: tuple[Slug, ...] = ()
    """Only of incidents of these brands. Empty: of all."""
    do: InBoth
    """What is to be done."""
    who: tuple[Slug, ...] = Field(default=("pr",), min_length=1, max_length=20)
    """Ids of people and of teams, and queues (sales, support, pr). Any one of them may do it."""
    hold: tuple[InBoth, ...] = Field(default=(), max_length=5)
    """Approved lines; `{brand}` is the brand's name. Where there are some, canned replies are held back in the cases of
    the incident from then on, and these take their place. Empty: nothing is held back."""
    within: Duration = Field(ge=60_000, le=30 * 86_400_000)
    """By when, from the moment on in which the task appears."""


_STEPS = TypeAdapter(tuple[Step, ...])


@cache
def shipped() -> tuple[Step, ...]:
    """In force where a home has no playbook of its own."""
    text = files("config").joinpath("default_playbook.yaml").read_text(encoding="utf-8")
    return _STEPS.validate_python(yaml.safe_load(text)["playbook"])
