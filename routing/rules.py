"""Rules as people write them: ordered, the first one whose `when` is true of a mention decides.

`RuleSet.read` gives what routing works by; `routing.check` says everything that is wrong in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, TypeAlias

from config.problems import ConfigurationError, errors
from query.document import Document, effective
from query.predicate import explain
from query.tree import Node
from routing.signature import signature
from stream.records import Mention, Queue

Priority: TypeAlias = Literal["low", "normal", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")
NO_RULE = "default"
LEFT_OUT = "left-out"
MOST_SIGNATURES = 20_000


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
    true_of: Callable[[Document], bool]


class Ruled(NamedTuple):
    """What a rule says of a mention."""

    name: str
    queue: Queue
    priority: Priority
    tags: tuple[str, ...]
    alert: bool
    why: str
    facts: dict[str, bool]


_NAMELESS: Mapping[str, str] = {}
_NOTHING = Ruled(NO_RULE, "none", "low", (), False, "no rule asks anybody to act on it", {})


class RuleSet:
    """The rules of one revision, in order."""

    def __init__(self, rules: tuple[Rule, ...], revision: int, brands: Mapping[str, str] = _NAMELESS) -> None:
        """`brands`: what people call each brand, by id."""
        self.rules, self.revision, self.brands = rules, revision, brands
        self._by_name = {rule.name: rule for rule in rules}
        self._signature = signature(rule.when for rule in rules)
        self._ruled: dict[Hashable, tuple[Rule, dict[str, bool]] | None] = {}

    @classmethod
    def read(
        cls, text: str, revision: int = 0, file: str = "rules.yaml", *, brands: Mapping[str, str] = _NAMELESS
    ) -> RuleSet:
        """Raises config.problems.ConfigurationError with everything that keeps the rules from being used."""
        from routing.rules_file import read_rules

        rules, problems = read_rules(text, file)
        if errors(problems):
            raise ConfigurationError(problems)
        return cls(rules, revision, brands)

    def first(self, document: Document) -> Ruled:
        """What the first rule that is true says; queue `none` where there is none."""
        found = self._found(document)
        if found is None:
            return _NOTHING
        rule, facts = found
        why = sentence(rule, document, "en", self.said(document.mention))
        return Ruled(rule.name, rule.queue, rule.priority, rule.tags, rule.alert, why, facts)

    def said(self, mention: Mention) -> dict[str, str]:
        """Words of PLACES as people know them: the brand by its name."""
        return {"brand": self.brands.get(mention.brand, mention.brand)}

    def named(self, name: str) -> Rule | None:
        return self._by_name.get(name)

    def _found(self, document: Document) -> tuple[Rule, dict[str, bool]] | None:
        if self._signature is None:
            return self._search(document)
        key = self._signature(document)
        try:
            return self._ruled[key]
        except KeyError:
            if len(self._ruled) >= MOST_SIGNATURES:
                self._ruled.clear()
            found = self._ruled[key] = self._search(document)
            return found

    def _search(self, document: Document) -> tuple[Rule, dict[str, bool]] | None:
        for rule in self.rules:
            if rule.true_of(document):
                return rule, explain(rule.when, document)
        return None


def sentence(rule: Rule, document: Document, language: str, said: Mapping[str, str] | None = None) -> str:
    """The rule's reason for this mention, in `language` where the rule has it, else in English. `said` has words of
    PLACES as the reader is to see them (the brand's name, the intent in Spanish)."""
    return sentence_of(rule.why.get(language) or rule.why["en"], document, said or {})


def sentence_of(template: str, document: Document, said: Mapping[str, str]) -> str:
    """A reason with its words of PLACES filled in."""
    return template.format_map(_words(document) | dict(said)) if "{" in template else template


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
