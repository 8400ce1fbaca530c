"""The policy for detractors at work: of which kind is what somebody does in this matter? The first that is true.

A kind is asked for of mentions of an own brand that somebody else than the brand wrote. `Policy.read` gives what
routing works by; `routing.policy_check` says everything that is wrong in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from config.detractors import Behaviour
from config.problems import ConfigurationError, errors
from query.document import Document, set_aside
from query.tree import Node
from routing.rules import sentence_of
from routing.ruling import Rulings
from routing.truths import Unreadable
from stream.records import Mention, Millis, Term


class Kind(NamedTuple):
    behaviour: Behaviour
    when: Node
    line: int

    @property
    def name(self) -> str:
        return self.behaviour.name


class Found(NamedTuple):
    """The kind of a mention, as it is stored."""

    kind: str
    policy: int
    """Revision."""
    expires: Millis
    """So long after the post."""
    tell: tuple[str, ...]
    """Ids of people and of teams who must be told; who hears of a queue is told by the rules."""
    record: str
    """Truth of each part that had to be asked of this kind and of those before it: see routing.truths."""


QUEUES = frozenset({"sales", "support", "pr"})
_NAMELESS: Mapping[str, str] = {}


class Policy:
    """The kinds of one revision, in order."""

    def __init__(self, kinds: tuple[Kind, ...], revision: int, brands: Mapping[str, str] = _NAMELESS) -> None:
        """`brands`: what people call each brand, by id."""
        self.kinds, self.revision, self.brands = kinds, revision, brands
        self._by_name = {kind.name: kind for kind in kinds}
        self._tell = [tuple(who for who in kind.behaviour.tell if who not in QUEUES) for kind in kinds]
        self._rulings = Rulings([kind.when for kind in kinds])

    @classmethod
    def read(
        cls, text: str, revision: int = 0, file: str = "detractors.yaml", *, brands: Mapping[str, str] = _NAMELESS
    ) -> Policy:
        """An empty text is a policy without kinds. Raises config.problems.ConfigurationError with everything that keeps
        it from being used."""
        from routing.policy_file import read_policy

        if not text:
            return cls((), revision, brands)
        kinds, problems = read_policy(text, file)
        if errors(problems):
            raise ConfigurationError(problems)
        return cls(kinds, revision, brands)

    def of(self, mention: Mention, risk: int, terms: Sequence[Term]) -> Found | None:
        """The mention's kind, from its labels and the decision's risk and terms; None where it has none."""
        if not self.kinds or not asked_of(mention):
            return None
        ruling = self._rulings.first(Document(mention, risk=risk, terms=terms))
        if ruling.place is None:
            return None
        kind = self.kinds[ruling.place]
        return Found(kind.name, self.revision, kind.behaviour.expires, self._tell[ruling.place], ruling.record)

    def facts(self, record: str) -> dict[str, bool]:
        """Truth of each part of the kind that a record tells of; nothing where it was made of other kinds."""
        try:
            ruling = self._rulings.replayed(record)
        except Unreadable:
            return {}
        return ruling.facts if ruling is not None else {}

    def replayed(self, record: str) -> Kind | None:
        """The kind that a record tells of; None where it tells of none, or not enough. Raises
        routing.truths.Unreadable for one that was made of other kinds."""
        ruling = self._rulings.replayed(record)
        return self.kinds[ruling.place] if ruling is not None and ruling.place is not None else None

    def named(self, name: str) -> Kind | None:
        return self._by_name.get(name)

    def place(self, name: str) -> int:
        """Of the kind in the file, from 0; behind all where this revision does not have it."""
        return next((place for place, kind in enumerate(self.kinds) if kind.name == name), len(self.kinds))

    def why(self, kind: Kind, mention: Mention, language: str, risk: int, said: Mapping[str, str] | None = None) -> str:
        """The kind's reason for this mention, in `language`."""
        words = {"brand": self.brands.get(mention.brand, mention.brand), **(said or {})}
        return sentence_of(kind.behaviour.why.within(language), Document(mention, risk=risk), words)


def asked_of(mention: Mention) -> bool:
    """Whether a kind is asked for at all: of an own brand, by somebody else than the brand, and meant."""
    read = mention.understanding
    return read is not None and mention.brand_kind == "own" and read.speaker != "own" and not set_aside(mention)


@cache
def default_policy() -> str:
    """Text of the shipped policy."""
    return files("routing").joinpath("default_detractors.yaml").read_text(encoding="utf-8")
