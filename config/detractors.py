"""The policy for detractors as people write it: kinds of behaviour in a matter, and what is advised for each.

A kind is what somebody does in one matter, never what a person is or believes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from config.brands import Slug
from config.section import Section
from config.units import Duration
from stream.records import Queue

LONGEST = 365 * 86_400_000
"""So long a kind may stand: a behaviour is not for life."""
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


class Said(Section):
    """One sentence or a few, in both languages."""

    en: Sentence
    es: Sentence

    def within(self, language: str) -> str:
        return self.es if language == "es" else self.en


def _no_deletes(value: object) -> object:
    if value not in ("never", "unlawful_only"):
        raise ValueError(
            "lawful criticism is never deleted, on whatever page it stands: write never, or unlawful_only for threats "
            "and private data that the law lets you take down"
        )
    return value


class Answer(Section):
    """Who answers, where, by when, and in which words."""

    queue: Queue
    """Whose answer it is; `none`: nobody answers."""
    team: Slug | None = None
    """Id of a team that serves the queue, where it is to be that one."""
    person: Slug | None = None
    """Id of the one person who does."""
    where: Literal["public", "private", "public_then_private", "nowhere"]
    """`public_then_private`: a short word where others read it, the rest between two. `nowhere`: queue none."""
    within: Duration | None = Field(default=None, ge=60_000, le=30 * 86_400_000)
    """By when, from the post on."""
    tone: Said | None = None
    lines: tuple[Said, ...] = ()
    """Approved, as they may be sent; `{brand}` is the brand's name."""
    not_when: Said
    """When it is better not to answer."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.queue == "none") != (self.where == "nowhere"):
            raise ValueError(
                "queue none and where nowhere go together: name the team that answers, or say nowhere and none in both"
            )
        if self.queue == "none":
            if self.person or self.team or self.within is not None or self.lines:
                raise ValueError("nobody answers, so team, person, within and lines cannot stand here: delete them")
            return self
        if self.within is None:
            raise ValueError("within is missing: say by when the answer is due, such as 4h")
        if self.tone is None:
            raise ValueError("tone is missing: say in `en` and `es` how the answer is to sound")
        if not self.lines:
            raise ValueError("lines is missing: write at least one approved line, in `en` and `es`")
        return self


class Behaviour(Section):
    """One kind, and the advice for it."""

    name: Slug
    """Stands in histories: never change what it means."""
    when: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
    """A query over the mention, as a rule's."""
    expires: Duration = Field(ge=3_600_000, le=LONGEST)
    """So long after a post it stands for its author in this matter."""
    why: Said
    """The reason, as the person may read it too."""
    answer: Answer
    remove: Annotated[Literal["never", "unlawful_only"], BeforeValidator(_no_deletes)] = "never"
    """What may be taken off a page of one's own."""
    tell: tuple[Slug, ...]
    """Who must be told: queues (sales, support, pr), ids of people and of teams. Empty: nobody."""
    stop: Said
    """When to stop answering."""
    match: tuple[dict[str, Any], ...] = ()
    """Examples of mentions that are of this kind, as in rules."""
    no_match: tuple[dict[str, Any], ...] = ()


class DetractorsYaml(Section):
    """The whole of `detractors.yaml`."""

    kinds: tuple[Behaviour, ...] = Field(max_length=100)
    """The first whose `when` is true is the mention's."""
