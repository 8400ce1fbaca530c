"""Reading `rules.yaml`: every rule with its place, and everything that is wrong in one go."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import get_args

from config.marked import Node as Yaml
from config.marked import read as read_yaml
from config.problems import Problem, did_you_mean, shown
from query.parse import QueryError, parse
from query.tree import All, And, Node
from routing import rule_actions
from routing.rules import LEFT_OUT, NO_RULE, PLACES, PRIORITIES, Priority, Rule
from stream.records import QUEUES, Queue

MOST_RULES = 500
KEYS = ("name", "when", "queue", "priority", "tags", "alert", *rule_actions.KEYS, "why", "match", "no_match")
LANGUAGES = ("en", "es")
_TAKEN = {
    NO_RULE: "where no rule matched",
    "person": "where somebody decided",
    LEFT_OUT: "where the post does not mean the brand",
}


def read_rules(text: str, file: str) -> tuple[tuple[Rule, ...], list[Problem]]:
    """(the rules that can be used, in order; what is wrong)."""
    found, problems = rule_nodes(text, file)
    rules = []
    for _, node in found:
        reader = _Reader(node, file)
        rule = reader.rule()
        problems += reader.problems
        if rule is not None:
            rules.append(rule)
    problems += _names(rules, file)
    problems += _unreachable(rules, file)
    return tuple(rules), problems


def rule_nodes(text: str, file: str) -> tuple[list[tuple[str, Yaml]], list[Problem]]:
    """The (name, YAML node) of each entry under `rules`."""
    root, problems = read_yaml(text.encode(), file)
    if root is None:
        return [], problems
    items = root.child("rules")
    if items is None or items.items is None:
        advice = (
            "begin the file with `rules:` and a list below it, or move it away: then the shipped rules work, and "
            "`clamor init --rules` writes them as a file to start from"
        )
        problems.append(Problem(file=file, line=root.line, message="there is no list `rules`", advice=advice))
        return [], problems
    for key, (where, _) in (root.entries or {}).items():
        if key != "rules":
            advice = did_you_mean(key, ["rules"]) or "only `rules` may stand here"
            problems.append(Problem(file=file, line=where.line, value=shown(key), message="unknown key", advice=advice))
    if len(items.items) > MOST_RULES:
        message = f"{len(items.items)} rules, at most {MOST_RULES} are read"
        problems.append(Problem(file=file, line=items.line, message=message, advice="join rules that do the same"))
    return [(_name(node), node) for node in items.items[:MOST_RULES]], problems


def _name(node: Yaml) -> str:
    name = node.child("name")
    return str(name.scalar) if name is not None and name.scalar is not None else f"rule in line {node.line}"


class _Reader:
    """One rule, read key by key."""

    def __init__(self, node: Yaml, file: str) -> None:
        self.node, self.file, self.name = node, file, _name(node)
        self.problems: list[Problem] = []

    def rule(self) -> Rule | None:
        """None where it cannot be used."""
        if self.node.entries is None:
            self._wrong(self.node, "a rule is a map with name, when, queue", self.node.scalar, "write `- name: …`")
            return None
        for key, (where, _) in self.node.entries.items():
            if key not in KEYS:
                self._wrong(where, "unknown key", key, did_you_mean(key, KEYS) or f"use {', '.join(KEYS)}")
        name, when, queue = self._text("name"), self._when(), self._queue()
        actions = rule_actions.read_actions(self.node, self._wrong)
        priority, alert = self._one_of("priority", PRIORITIES, "normal"), self._flag("alert")
        tags, why = tuple(self._list("tags")), self._why()
        if name is None or when is None or queue is None or self.problems:
            return None
        return Rule(
            name, when, self._text("when", may_be_empty=True) or "", _queue(queue), _priority(priority), tags, alert,
            why or {"en": f"rule {name} matched"}, self.node.line, actions,
        )  # fmt: skip

    def _queue(self) -> str | None:
        """`ignore: true` is another word for queue none, and for nothing else."""
        if not rule_actions.flag(self.node, "ignore", self._wrong):
            return self._one_of("queue", QUEUES)
        for key in ("queue", "alert", "assign", "deadline", "hold", "crm"):
            if (found := self.node.child(key)) is not None:
                advice = f"delete `{key}`, or `ignore`"
                self._wrong(found, f"what is ignored has no `{key}`", found.plain(), advice)
        return "none"

    def _when(self) -> Node | None:
        node = self.node.child("when")
        text = self._text("when", may_be_empty=True)
        if node is None or text is None:
            return None
        try:
            return parse(text, now=0, context="rule")
        except QueryError as error:
            self._wrong(node, error.message.rstrip("."), error.piece or text, error.hint or "see the query language")
            return None

    def _text(self, key: str, *, may_be_empty: bool = False) -> str | None:
        node = self.node.child(key)
        if node is None:
            if not any(problem.message.endswith(f"`{key}`") for problem in self.problems):
                self._wrong(self.node, f"the rule has no `{key}`", None, f"add `{key}: …`")
            return None
        if node.items is not None or node.entries is not None:
            self._wrong(node, f"`{key}` must be text", node.plain(), "write it on one line, in quotes")
            return None
        text = "" if node.scalar is None else str(node.scalar)
        if not text.strip() and not may_be_empty:
            self._wrong(node, f"`{key}` is empty", text, "write a word there")
            return None
        return text

    def _one_of(self, key: str, words: Iterable[str], otherwise: str | None = None) -> str | None:
        if otherwise is not None and self.node.child(key) is None:
            return otherwise
        text = self._text(key)
        known = list(words)
        if text is None or text in known:
            return text
        self._wrong(self.node.child(key), f"`{key}` is not known", text, f"use one of {', '.join(known)}")
        return None

    def _flag(self, key: str) -> bool:
        node = self.node.child(key)
        if node is None or isinstance(node.scalar, bool):
            return bool(node and node.scalar)
        self._wrong(node, f"`{key}` is yes or no", node.plain(), "write true or false")
        return False

    def _list(self, key: str) -> Iterator[str]:
        node = self.node.child(key)
        if node is None:
            return
        if node.items is None:
            self._wrong(node, f"`{key}` must be a list", node.plain(), f"write `{key}: [one, another]`")
            return
        for item in node.items:
            if item.scalar is None:
                self._wrong(item, f"`{key}` holds words", item.plain(), "write words, without nested lists")
            else:
                yield str(item.scalar)

    def _why(self) -> dict[str, str]:
        node = self.node.child("why")
        if node is None:
            return {}
        if node.entries is None:
            text = self._text("why")
            return {"en": self._template(node, text)} if text else {}
        found = {}
        for language, (where, value) in node.entries.items():
            if language not in LANGUAGES:
                self._wrong(where, "`why` in an unknown language", language, f"use {' or '.join(LANGUAGES)}")
            elif value.scalar is None:
                self._wrong(value, "`why` must be text", value.plain(), "write a sentence")
            else:
                found[language] = self._template(value, str(value.scalar))
        if "en" not in found:
            self._wrong(
                node, "`why` has no English sentence", None, "add `en: …`; it is shown where others are missing"
            )
        return found

    def _template(self, node: Yaml, text: str) -> str:
        known = ", ".join(f"{{{place}}}" for place in PLACES)
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError:
            self._wrong(node, "a brace is not closed", text, f"write {known}, or a doubled brace")
            return text
        for name in names:
            if name not in PLACES:
                self._wrong(node, "unknown word in braces", f"{{{name}}}", f"use {known}")
        return text

    def _wrong(self, node: Yaml | None, message: str, value: object, advice: str) -> None:
        where = node or self.node
        self.problems.append(
            Problem(
                file=self.file, line=where.line, column=where.column, path=self.name, message=message, advice=advice,
                value=shown(value) if value is not None else None,
            )
        )  # fmt: skip


def _names(rules: list[Rule], file: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for rule in rules:
        if rule.name in _TAKEN:
            message = f"the name says in a decision {_TAKEN[rule.name]}"
            yield Problem(file=file, line=rule.line, path=rule.name, message=message, advice="choose another name")
        if rule.name in seen:
            message = f"the name stands already in line {seen[rule.name]}"
            yield Problem(
                file=file, line=rule.line, path=rule.name, message=message, advice="each rule needs its own name"
            )
        seen.setdefault(rule.name, rule.line)


def _unreachable(rules: list[Rule], file: str) -> Iterator[Problem]:
    for place, rule in enumerate(rules):
        for before in rules[:place]:
            if _conditions(before.when) <= _conditions(rule.when):
                message = (
                    f"the rule is never reached: whatever it takes, {before.name!r} in line {before.line} took before"
                )
                advice = f"put it above {before.name!r}, or delete it"
                yield Problem(file=file, line=rule.line, path=rule.name, message=message, advice=advice)
                break


def _conditions(when: Node) -> frozenset[Node]:
    if isinstance(when, All):
        return frozenset()
    return frozenset(when.parts) if isinstance(when, And) else frozenset((when,))


def _queue(word: str) -> Queue:
    found: Queue = next(queue for queue in get_args(Queue) if queue == word)
    return found


def _priority(word: str | None) -> Priority:
    return next((priority for priority in PRIORITIES if priority == word), "normal")
