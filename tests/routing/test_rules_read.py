"""Rules as people write them: what decides, and what is said of a file that cannot be used."""

from __future__ import annotations

import pytest

from config.problems import ConfigurationError
from routing.check import check_rules
from routing.examples import example
from routing.rules import RuleSet, default_rules
from routing.rules_file import rule_nodes


def test_the_shipped_rules_can_be_used_and_all_their_examples_come_true() -> None:
    assert check_rules(default_rules(), "default_rules.yaml") == []


def test_every_shipped_rule_says_why_in_both_languages_and_shows_an_example() -> None:
    for rule in RuleSet.read(default_rules()).rules:
        assert set(rule.why) == {"en", "es"}, rule.name
    assert default_rules().count("    match:") == len(RuleSet.read(default_rules()).rules)


def test_every_finding_is_told_at_once_with_line_rule_value_and_way_out() -> None:
    text = """
rules:
  - name: one
    when: "intent:complant"
    queue: suport
    alert: perhaps
  - when: "risk:>=70"
    queue: pr
    why: "at {height}"
  - name: three
    when: "queue:pr"
    queue: pr
    colour: red
"""
    problems = check_rules(text, "rules.yaml")
    told = [str(problem) for problem in problems]
    assert [problem.line for problem in problems] == sorted(problem.line or 0 for problem in problems)
    for piece in ("complant", "suport", "perhaps", "no `name`", "{height}", "queue", "colour"):
        assert any(piece in line for line in told), piece
    assert all(problem.advice for problem in problems), told
    assert len(problems) == 7, told


def test_examples_are_decided_by_the_rules_themselves() -> None:
    text = """
rules:
  - name: complaints
    when: "intent:complaint"
    queue: support
    match:
      - {intent: praise}
    no_match:
      - {intent: complaint, text: "it is late"}
  - name: angry
    when: "intent:complaint detractor:>=2"
    queue: pr
"""
    problems = check_rules(text)
    assert [(problem.line, problem.path) for problem in problems] == [(10, "angry")], "form first"
    reordered = text.replace('"intent:complaint"', '"intent:complaint detractor:<2"')
    assert [(problem.line, problem.message) for problem in check_rules(reordered)] == [
        (7, "an example that must match does not"),
        (9, "an example that must not match does"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules:\n  - {name: a, when: '', queue: pr}\n  - {name: b, when: 'risk:>5', queue: pr}", "never reached"),
        (
            "rules:\n  - {name: a, when: 'risk:>5', queue: pr}\n  - {name: a, when: 'risk:<3', queue: pr}",
            "already in line 2",
        ),
        ("rules:\n  - {name: person, when: 'risk:>5', queue: pr}", "somebody decided"),
        ("rule: []", "no list `rules`"),
        ("rules:\n  - {name: a, when: 'risk:>5', queue: pr, match: [{followers: many}]}", "is a number"),
        ("rules:\n  - {name: a, when: 'risk:>5', queue: pr, match: [{intent: joy}]}", "use one of"),
        ("rules:\n  - {name: a, when: 'is:complaint', queue: pr, match: [{complaint: maybe}]}", "is yes or no"),
        ("rules:\n  - {name: a, when: 'risk:>5', queue: pr, match: [{emotion: anger}]}", "is a list of emotions"),
        ("rules: [\n", "this is not YAML"),
    ],
)
def test_what_cannot_be_used_is_said_in_words(text: str, words: str) -> None:
    assert any(words in str(problem) for problem in check_rules(text))


def test_rules_that_cannot_be_used_are_not_used() -> None:
    with pytest.raises(ConfigurationError, match="no list `rules`"):
        RuleSet.read("- nothing")


def test_the_first_rule_that_is_true_decides_and_its_parts_are_kept() -> None:
    text = """
rules:
  - {name: late, when: 'late OR delayed', queue: support, why: "{intent} at {network}"}
  - {name: all, when: '', queue: none}
"""
    rules = RuleSet.read(text, 4)
    spec = "rules:\n  - {text: 'my bag is late', intent: help_request, network: forum}"
    ruled = rules.first(example(rule_nodes(spec, "x")[0][0][1]))
    assert (ruled.name, ruled.queue, ruled.why) == ("late", "support", "help request at forum")
    assert ruled.facts == {"late": True, "delayed": False}
    assert ruled.words == {"intent": "help request", "network": "forum"}


@pytest.mark.parametrize("field", ["complaint", "irony", "offensive", "spam", "emotion", "aspect"])
def test_a_rule_may_ask_for_how_a_text_is_said_and_its_examples_may_tell(field: str) -> None:
    said = {"emotion": "[anger, fear]", "aspect": "[delivery]"}.get(field, "yes")
    asked = {"emotion": "emotion:fear", "aspect": "aspect:delivery"}.get(field, f"{field}:yes")
    text = f"rules:\n  - {{name: a, when: '{asked}', queue: pr, match: [{{{field}: {said}}}], no_match: [{{}}]}}"
    assert check_rules(text) == []
    swapped = text.replace("no_match", "x").replace(" match", " no_match").replace("x:", "match:")
    assert len(check_rules(swapped)) == 2
