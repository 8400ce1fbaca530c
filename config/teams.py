"""Teams and the deadlines that they keep: who works when, which queues they serve, and by when what has to be done."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from config.brands import Slug
from config.rota import OnCall
from config.section import Section, Text, TimeZone
from config.units import Duration, parse_duration
from config.week import DAYS, Hours, kept

Queue = Literal["sales", "support", "pr"]
_WORKING_DAYS = re.compile(r"(\d{1,3})\s+working\s+days?")


def target(text: str) -> tuple[int, str]:
    """(milliseconds, `calendar` or `business`), or (how many, `days`). Raises ValueError."""
    days = _WORKING_DAYS.fullmatch(text)
    if days is not None and int(days[1]):
        return int(days[1]), "days"
    span, _, kind = text.partition(" ")
    try:
        length = parse_duration(span)
    except ValueError:
        length = 0
    if kind not in ("", "business") or not length:
        raise ValueError("not a target: write 4h, `4h business` for business hours, or `3 working days`")
    return length, kind or "calendar"


Target = Annotated[str, StringConstraints(strip_whitespace=True, max_length=30), kept(target)]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Za-z0-9]{1,10})?$")]


class Week(Section):
    """Business hours by weekday, in the team's time zone; a day without any is a day off."""

    mon: tuple[Hours, ...] = ()
    """Monday's hours: 09:00-18:00; 22:00-06:00 ends on the next day."""
    tue: tuple[Hours, ...] = ()
    """Tuesday's hours, likewise."""
    wed: tuple[Hours, ...] = ()
    """Wednesday's hours, likewise."""
    thu: tuple[Hours, ...] = ()
    """Thursday's hours, likewise."""
    fri: tuple[Hours, ...] = ()
    """Friday's hours, likewise."""
    sat: tuple[Hours, ...] = ()
    """Saturday's hours, likewise."""
    sun: tuple[Hours, ...] = ()
    """Sunday's hours, likewise."""

    @model_validator(mode="after")
    def _open_at_all(self) -> Self:
        if not any(getattr(self, day) for day in DAYS):
            raise ValueError("it is never open: write `mon: ['09:00-18:00']` and the other days")
        return self


class Team(Section):
    id: Slug
    """Rules name it, as in `assign: {round-robin: madrid}`."""
    name: Text
    """As people call it."""
    zone: TimeZone
    """Time zone of its hours, such as Europe/Madrid."""
    members: tuple[Slug, ...] = ()
    """Ids of people."""
    queues: tuple[Queue, ...] = ()
    """Queues that it serves. Several teams may serve one: its business hours are those of all of them together. Empty:
    all."""
    brands: tuple[Slug, ...] = ()
    """Brands that it serves. Empty: all."""
    hours: Week
    """When it works."""
    holidays: Region | None = None
    """Country or part of one (`ES`, `ES-MD`) whose public holidays are days off."""
    days_off: tuple[date, ...] = ()
    """Further days off, such as 2026-12-24."""
    capacity: int = Field(default=20, ge=1, le=10_000)
    """Cases that a member may have at once before `round-robin` passes them by."""
    channels: tuple[Slug, ...] = ()
    """Ids of `channels` that are told, once, of what any of its members is told."""
    on_call: OnCall | None = None
    """Who of it is told of incidents and severe posts. Empty: everybody who is configured for them."""
    hands_over_to: Slug | None = None
    """Team that its open cases go to when its day ends and that one works. Empty: they stay."""


class ByPriority(Section):
    """A target for each priority; a priority without one has no deadline."""

    urgent: Target | None = None
    """`1h`: hours of the clock. `4h business`: hours in which a team works. `3 working days`: the end of the third day
    on which a team works; the day on which the case opened is not counted."""
    high: Target | None = None
    """As for `urgent`."""
    normal: Target | None = None
    """As for `urgent`."""
    low: Target | None = None
    """As for `urgent`."""


class Deadline(Section):
    id: Slug
    """Rules name it, as in `deadline: complaint`."""
    queues: tuple[Queue, ...] = ()
    """Queues whose cases have this deadline where no rule names one: of several, the first that fits. Empty: all."""
    brands: tuple[Slug, ...] = ()
    """Brands, likewise. Empty: all."""
    only_by_rule: bool = False
    """Has nothing but what a rule gives it."""
    first_response: ByPriority = ByPriority()
    """By when the brand has to answer."""
    resolution: ByPriority = ByPriority()
    """By when the matter has to be done. The clock stands still while the case waits for its customer."""
    warn_before: Duration = 1_800_000
    """How long ahead the assignee is warned."""
    escalate: tuple[Slug, ...] = ()
    """People who are told, one after the other, when it was missed: the first at once."""
    escalate_every: Annotated[Duration, Field(ge=60_000, le=30 * 86_400_000)] = 3_600_000
    """How long until the next of them is told."""
