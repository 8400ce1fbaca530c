"""Rules as people write them: ordered, the first one whose `when` is true of a mention decides.

`RuleSet.read` gives what routing works by; `routing.check` says everything that is wrong in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, TypeAlias

from config.problems import ConfigurationError, errors
from query.document import Document, effective
from query.predicate import compile_predicate, explain
from query.tree import Node
from stream.records import Queue

Priority: TypeAlias = Literal["low", "normal", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")
NO_RULE = "default"


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


_NOTHING = Ruled(NO_RULE, "none", "low", (), False, "no rule asks anybody to act on it", {})


class RuleSet:
    """The rules of one revision, in order."""

    def __init__(self, rules: tuple[Rule, ...], revision: int) -> None:
        self.rules, self.revision = rules, revision
        self._by_name = {rule.name: rule for rule in rules}

    @classmethod
    def read(cls, text: str, revision: int = 0, file: str = "rules.yaml") -> RuleSet:
        """Raises config.problems.ConfigurationError with everything that keeps the rules from being used."""
        from routing.rules_file import read_rules

        rules, problems = read_rules(text, file)
        if errors(problems):
            raise ConfigurationError(problems)
        return cls(rules, revision)

    def first(self, document: Document) -> Ruled:
        """What the first rule that is true says; queue `none` where there is none."""
        for rule in self.rules:
            if rule.true_of(document):
                facts = explain(rule.when, document)
                return Ruled(
                    rule.name, rule.queue, rule.priority, rule.tags, rule.alert, sentence(rule, document, "en"), facts
                )
        return _NOTHING

    def named(self, name: str) -> Rule | None:
        return self._by_name.get(name)


def predicate(node: Node) -> Callable[[Document], bool]:
    return compile_predicate(node)


def sentence(rule: Rule, document: Document, language: str) -> str:
    """The rule's reason for this mention, in `language` where the rule has it, else in English."""
    template = rule.why.get(language) or rule.why["en"]
    return template.format_map(_words(document)) if "{" in template else template


PLACES: Mapping[str, str] = {
    "brand": "id of the brand",
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
