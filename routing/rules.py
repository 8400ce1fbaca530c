"""Rules as people write them: ordered, the first one whose `when` is true of a mention decides.

`RuleSet.read` gives what routing works by; `routing.check` says everything that is wrong in a file.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, TypeAlias

from config.problems import ConfigurationError, errors
from query.document import Document, effective
from query.tree import Node
from routing.rule_actions import Actions
from routing.ruling import Ruling, Rulings
from routing.truths import Parts
from stream.records import Mention, Queue

Priority: TypeAlias = Literal["low", "normal", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")
NO_RULE = "default"
LEFT_OUT = "left-out"


class Rule(NamedTuple):
    name: str
    when: Node
    written: str
    """`when` as it stands in the file."""
    queue: Queue
    priority: Priority
    tags: tuple[str, ...]
    alert: bool
    why: Mapping[str, str]
    """By language (en, es): a sentence, with `{intent}` and other words of PLACES in it."""
    line: int
    actions: Actions = Actions()


class Ruled(NamedTuple):
    """What a rule says of a mention."""

    name: str
    queue: Queue
    priority: Priority
    tags: tuple[str, ...]
    alert: bool
    why: str
    facts: dict[str, bool]
    record: str
    """Truth of each part that had to be asked of this rule and of those before it: see routing.truths."""
    words: dict[str, str]
    """What stands in the braces of the reason, in whatever language."""
    actions: Actions = Actions()


_NAMELESS: Mapping[str, str] = {}
NOTHING_ASKS = "no rule asks anybody to act on it"


class RuleSet:
    """The rules of one revision, in order."""

    def __init__(
        self, rules: tuple[Rule, ...], revision: int, brands: Mapping[str, str] = _NAMELESS, brands_revision: int = 0
    ) -> None:
        """`brands`: what people call each brand, by id, in this revision of the brands."""
        self.rules, self.revision, self.brands, self.brands_revision = rules, revision, brands, brands_revision
        self._by_name = {rule.name: rule for rule in rules}
        self._rulings = Rulings([rule.when for rule in rules])
        self._places = [_places(rule) for rule in rules]

    @classmethod
    def read(
        cls,
        text: str,
        revision: int = 0,
        file: str = "rules.yaml",
        *,
        brands: Mapping[str, str] = _NAMELESS,
        brands_revision: int = 0,
    ) -> RuleSet:
        """Raises config.problems.ConfigurationError with everything that keeps the rules from being used."""
        from routing.rules_file import read_rules

        rules, problems = read_rules(text, file)
        if errors(problems):
            raise ConfigurationError(problems)
        return cls(rules, revision, brands, brands_revision)

    def first(self, document: Document) -> Ruled:
        """What the first rule that is true says; queue `none` where there is none."""
        found = self._rulings.first(document)
        reads = found.place is not None and self._places[found.place]
        return self._said(found, _words(document) | self.said(document.mention) if reads else {})

    def partly(self, document: Document, unknown: int, known: int, true: int) -> Ruled | None:
        """What the rules say where the parts with the bits `unknown` cannot be asked (see Rulings.partly)."""
        found = self._rulings.partly(document, unknown, known, true)
        if found is None:
            return None
        return self._said(found, _words(document) | self.said(document.mention))

    @property
    def parts(self) -> Parts:
        return self._rulings.parts

    def replayed(self, record: str, words: Mapping[str, str]) -> Ruled | None:
        """What the rules say where the truth of their parts is what a record tells, and `words` are what stood in the
        reason's braces; None where that does not suffice. Raises routing.truths.Unreadable."""
        found = self._rulings.replayed(record)
        if found is None or (found.place is not None and not words.keys() >= set(self._places[found.place])):
            return None
        return self._said(found, words)

    def _said(self, found: Ruling, words: Mapping[str, str]) -> Ruled:
        if found.place is None:
            return Ruled(NO_RULE, "none", "low", (), False, NOTHING_ASKS, {}, found.record, {})
        rule, used = self.rules[found.place], {place: words[place] for place in self._places[found.place]}
        why = filled(rule.why["en"], used)
        return Ruled(
            rule.name, rule.queue, rule.priority, rule.tags, rule.alert, why, found.facts, found.record, used,
            rule.actions,
        )  # fmt: skip

    def said(self, mention: Mention) -> dict[str, str]:
        """Words of PLACES as people know them: the brand by its name."""
        return {"brand": self.brands.get(mention.brand, mention.brand)}

    def named(self, name: str) -> Rule | None:
        return self._by_name.get(name)


def _places(rule: Rule) -> tuple[str, ...]:
    """Words of PLACES that stand in braces in the rule's reasons."""
    parsed = [piece for text in rule.why.values() for piece in string.Formatter().parse(text)]
    return tuple(dict.fromkeys(name for _, name, _, _ in parsed if name))


def sentence(rule: Rule, document: Document, language: str, said: Mapping[str, str] | None = None) -> str:
    """The rule's reason for this mention, in `language` where the rule has it, else in English. `said` has words of
    PLACES as the reader is to see them (the brand's name, the intent in Spanish)."""
    return sentence_of(rule.why.get(language) or rule.why["en"], document, said or {})


def sentence_of(template: str, document: Document, said: Mapping[str, str]) -> str:
    """A reason with its words of PLACES filled in."""
    return filled(template, _words(document) | dict(said)) if "{" in template else template


def filled(template: str, words: Mapping[str, str]) -> str:
    """A reason with these words in its braces."""
    return template.format_map(words) if "{" in template else template


PLACES: Mapping[str, str] = {
    "brand": "name of the brand",
    "network": "network of the post",
    "intent": "what the author is doing",
    "reputation": "what it says of the brand",
    "detractor": "level, 0 to 3",
    "speaker": "who speaks",
    "followers": "followers of the author",
    "risk": "0 to 100",
}
"""Words that may stand in braces in a `why`."""


def _words(document: Document) -> dict[str, str]:
    mention = document.mention
    post, understanding = mention.post, mention.understanding
    followers = post.author.followers if post and post.author else None
    return {
        "brand": mention.brand,
        "network": mention.network,
        "intent": (effective(mention, "intent") or "unknown").replace("_", " "),
        "reputation": effective(mention, "reputation") or "unknown",
        "detractor": effective(mention, "detractor") or "unknown",
        "speaker": understanding.speaker if understanding else "public",
        "followers": f"{followers:,}" if followers is not None else "unknown",
        "risk": str(document.risk or 0),
    }


@cache
def default_rules() -> str:
    """Text of the shipped rules."""
    return files("routing").joinpath("default_rules.yaml").read_text(encoding="utf-8")
