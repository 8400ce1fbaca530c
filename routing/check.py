"""Everything that is wrong in a rules file: its form, and its examples decided by the rules themselves."""

from __future__ import annotations

from config.known import Known
from config.problems import Problem, errors, in_order
from query.document import Document
from routing.examples import tried
from routing.rules import RuleSet
from routing.rules_file import read_rules, rule_nodes
from routing.sense import doubts

NOTHING_SAID = Known()


def check_rules(text: str, file: str = "rules.yaml", known: Known = NOTHING_SAID) -> list[Problem]:
    """All findings, in the file's order; empty for rules that can be used and whose examples come true.

    `known`: what the configuration beside them has names for; a rule that asks for another is a warning.
    """
    rules, problems = read_rules(text, file)
    if errors(problems):
        return in_order(problems)
    ruleset, nodes = RuleSet(rules, 0), rule_nodes(text, file)[0]
    problems += doubts(rules, dict(nodes), known, file)

    def taker(document: Document) -> str:
        name = ruleset.first(document).name
        return name if ruleset.named(name) else ""

    for name, node in nodes:
        problems += tried(name, node, file, taker, "rule")
    return in_order(problems)
