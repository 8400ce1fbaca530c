"""A policy for detractors is read, or everything that is wrong in it is said with its line and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.home import Home
from config.known import Paper
from config.load import check
from config.problems import Problem, errors
from query.parse import parse
from routing.checkers import CHECKERS, shipped
from routing.policy import Policy, default_policy
from routing.policy_check import check_policy, contradictions
from routing.protected import in_query, in_words

SETTINGS = """\
brands:
  - {id: acme, name: Acme}
people:
  - {id: ana, name: Ana, email: ana@example.org}
teams:
  - {id: madrid, name: Madrid, zone: Europe/Madrid, members: [ana], hours: {mon: ["09:00-18:00"]}}
"""
BOTH = {"en": "said in English", "es": "dicho en español"}


def kind(name: str = "angry", when: str = "intent:complaint", **fields: Any) -> dict[str, Any]:
    answer = {
        "queue": "support", "where": "private", "within": "4h", "tone": BOTH, "lines": [BOTH], "not_when": BOTH,
        **fields.pop("answer", {}),
    }  # fmt: skip
    given = {"expires": "30d", "why": BOTH, "tell": [], "stop": BOTH, "answer": answer, **fields}
    return {"name": name, "when": when, **{key: value for key, value in given.items() if value is not None}}


def silent(name: str = "joke", when: str = "irony:yes", **fields: Any) -> dict[str, Any]:
    answer = {"queue": "none", "where": "nowhere", "not_when": BOTH}
    return {**kind(name, when, **fields), "answer": answer}


def written(*kinds: dict[str, Any]) -> str:
    return yaml.safe_dump({"kinds": list(kinds)}, sort_keys=False, allow_unicode=True)


def found(folder: Path, *kinds: dict[str, Any], rules: str | None = None) -> list[Problem]:
    home = Home.at(folder)
    home.settings_file.write_text(SETTINGS)
    home.policy_file.write_text(written(*kinds), encoding="utf-8")
    if rules is not None:
        home.rules_file.write_text(rules)
    return check(home, CHECKERS)


def test_the_shipped_policy_can_be_used_and_all_its_examples_come_true() -> None:
    assert check_policy(default_policy()) == []


def test_the_shipped_rules_and_the_shipped_policy_do_not_contradict_one_another() -> None:
    papers = {kind: Paper(text, f"{kind}.yaml") for kind, text in shipped().items()}
    assert contradictions(papers) == []


def test_a_policy_of_ones_own_is_without_problems(tmp_path: Path) -> None:
    assert (
        found(tmp_path, silent(), kind(tell=["ana", "pr", "madrid"], answer={"person": "ana", "team": "madrid"})) == []
    )


@pytest.mark.parametrize(
    ("wrong", "path", "words"),
    [
        (kind(expires=None), "kinds[0]", "expires is missing: add `expires:` here"),
        (kind(expires="10y"), "kinds[0].expires", "not a span of time"),
        (kind(expires="800d"), "kinds[0].expires", "must be at most 365d"),
        (kind(tell=None), "kinds[0]", "tell is missing"),
        (kind(answer={"lines": [{"en": "only English"}]}), "kinds[0].answer.lines[0]", "es is missing: add `es:` here"),
        (kind(answer={"lines": []}), "kinds[0].answer", "write at least one approved line"),
        (kind(why={"en": "only English"}), "kinds[0].why", "es is missing"),
        (kind(answer={"queue": "marketing"}), "kinds[0].answer.queue", "must be one of sales, support, pr, none"),
        (kind(answer={"queue": "none"}), "kinds[0].answer", "queue none and where nowhere go together"),
        (kind(answer={"within": None}), "kinds[0].answer", "within is missing (found a section): say by when"),
        (kind(remove="always"), "kinds[0].remove", "lawful criticism is never deleted"),
        (kind(answer={"lines": [{"en": "dear {name}", "es": "hola"}]}), "lines[0].en", "unknown word in braces"),
        (kind(why={"en": "of {brand", "es": "de"}), "kinds[0].why.en", "a brace is not closed"),
        (kind(when="intent:"), "kinds[0].when", ""),
        (kind(when="queue:pr"), "kinds[0].when", "queue"),
        (kind(tell=["eva"]), "angry", "there is no person of this id (found 'eva')"),
        (kind(answer={"team": "bogota"}), "angry", "there is no team of this id (found 'bogota')"),
        (kind(answer={"person": "anna"}), "angry", "there is no person of this id (found 'anna'): did you mean 'ana'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, wrong: dict[str, Any], path: str, words: str) -> None:
    (problem,) = errors(found(tmp_path, wrong))
    assert path in problem.path
    assert words in str(problem)
    assert Path(problem.file).name == "detractors.yaml"
    assert problem.line
    assert problem.advice or "must be" in problem.message


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("union-members", "intent:complaint"),
        ("left-activists", "intent:complaint"),
        ("muslim-customers", "intent:complaint"),
        ("employees", "intent:complaint"),
        ("trolls", "intent:complaint"),
        ("angry", "sindicato OR huelga"),
        ("angry", "intent:complaint #comunistas"),
        ("angry", '"trade union"'),
        ("angry", "diabet*"),
        ("angry", "musl* OR sindic*"),
        ("angry", "relig* lesb*"),
        ("angry", "#feminis*"),
        ("angry", "term:discr*"),
        ("angry", "term:acc* detractor:>=1"),
        ("angry", '"disabled customer"'),
        ("angry", "intent:complaint author:@ana"),
        ("angry", "-author:@ana"),
        ("angry", "country:mx"),
        ("angry", "term:access detractor:>=1"),
        ("angry", "term:(discrimination OR legal)"),
    ],
)
def test_a_kind_of_who_somebody_is_is_refused(tmp_path: Path, name: str, when: str) -> None:
    problems = errors(found(tmp_path, kind(name, when)))
    assert problems
    for problem in problems:
        assert "what a person is or believes" in problem.message
        assert "a kind is what somebody does in one matter" in problem.advice


def test_a_reason_that_names_what_somebody_is_is_refused(tmp_path: Path) -> None:
    (problem,) = errors(found(tmp_path, kind(why={"en": "a disabled customer", "es": "un cliente"})))
    assert (problem.path, problem.value) == ("kinds[0].why.en", "'disabled'")


@pytest.mark.parametrize("where", ["stop", "tone", "not_when", "lines"])
def test_advice_that_names_what_somebody_is_is_refused(tmp_path: Path, where: str) -> None:
    said = {"en": "as to any muslim", "es": "como a cualquiera"}
    wrong = kind(stop=said) if where == "stop" else kind(answer={where: [said] if where == "lines" else said})
    (problem,) = errors(found(tmp_path, wrong))
    assert where in problem.path
    assert problem.value == "'muslim'"


def test_an_approved_line_may_speak_of_health_and_of_those_who_answer(tmp_path: Path) -> None:
    line = {"en": "If you feel ill, see a doctor; our employees call you.", "es": "Si está enfermo, llame."}
    assert found(tmp_path, kind(answer={"lines": [line]})) == []


def test_a_stored_policy_stays_readable_whatever_is_refused_later() -> None:
    stored = written(kind("union-members", "risk:>=20"), kind("few", "risk:>=50 musl*"))
    assert [one.name for one in Policy.read(stored).kinds] == ["union-members", "few"]
    assert {one.path for one in errors(check_policy(stored))} == {"kinds[0].name", "kinds[1].when", "few"}


def test_words_of_behaviour_are_not_taken_for_words_of_persons() -> None:
    reasons = (
        "organised-copies", "protesta en público", "the author wants a refund", "la política de devoluciones",
        "you disabled my account", "the card was disabled",
    )  # fmt: skip
    for text in reasons:
        assert list(in_words(text)) == []
    whens = ("-term:access intent:complaint", "protest* OR boycott", "irony:yes followers:>=10k", "brand:union-bank")
    whens += ("acc* OR mu* OR refund*", '"disabled my account"', "-term:acc*", "term:leg*")
    for when in whens:
        assert list(in_query(parse(when, now=0, context="rule"))) == []


def test_kinds_that_are_never_reached_or_never_true_are_told(tmp_path: Path) -> None:
    (hidden,) = found(tmp_path, kind("all", "risk:>=20"), kind("few", "risk:>=50 intent:complaint"))
    assert (hidden.path, hidden.severity) == ("few", "error")
    assert "'all' in line 2 took before" in hidden.message
    (never,) = found(tmp_path, kind(when="intent:praise intent:complaint"))
    assert "exclude one another" in never.message
    (own,) = found(tmp_path, kind(when="speaker:own intent:complaint"))
    assert "none is asked for of the brand's own posts" in own.message
    (rival,) = found(tmp_path, kind(when="kind:competitor"))
    assert "brands that are not own" in rival.message


def test_names_and_examples_are_looked_at_as_those_of_rules(tmp_path: Path) -> None:
    (unknown,) = found(tmp_path, kind(when="brand:acmee"))
    assert "did you mean 'acme'" in str(unknown)
    (example,) = found(tmp_path, kind(match=[{"intent": "praise"}]))
    assert example.message == "an example that must match does not"
    assert "no kind takes it" in example.advice
    (other,) = found(tmp_path, silent(), kind(match=[{"intent": "complaint", "irony": "yes"}]))
    assert "the kind 'joke' takes it" in other.advice
    (double,) = errors(found(tmp_path, kind(), kind(when="intent:praise")))
    assert "the name stands already in line 2" in double.message


RULE = "rules:\n  - name: mine\n    when: '{when}'\n    queue: {queue}\n    alert: {alert}\n"


@pytest.mark.parametrize(
    ("when", "queue", "alert", "words"),
    [
        ("speaker:press followers:>=1000", "none", "false", "sends to none what is of kind 'asks', which pr answers"),
        ("speaker:press", "sales", "false", "sends to sales what is of kind 'asks'"),
        ("*", "support", "false", "sends to support what is of kind 'asks'"),
        ("irony:yes risk:>=10", "pr", "true", "wakes people for what is of kind 'joke'"),
    ],
)
def test_a_rule_that_says_the_contrary_is_told_with_its_line(
    tmp_path: Path, when: str, queue: str, alert: str, words: str
) -> None:
    kinds = (kind("asks", "speaker:press", answer={"queue": "pr"}, tell=["pr"]), silent())
    problems = found(tmp_path, *kinds, rules=RULE.format(when=when, queue=queue, alert=alert))
    (problem,) = [one for one in problems if "of kind" in one.message]
    assert words in problem.message
    assert (Path(problem.file).name, problem.line, problem.path) == ("rules.yaml", 2, "mine")
    assert problem.severity == "warning"
    assert problem.advice


def test_rules_that_agree_with_the_policy_are_no_finding(tmp_path: Path) -> None:
    kinds = (kind("asks", "speaker:press", answer={"queue": "pr"}, tell=["pr"]), silent())
    for when, queue, alert in (("speaker:press", "pr", "true"), ("irony:yes", "support", "false")):
        problems = found(tmp_path, *kinds, rules=RULE.format(when=when, queue=queue, alert=alert))
        assert [one for one in problems if "of kind" in one.message] == []


def test_rules_of_ones_own_are_held_against_the_shipped_policy(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.settings_file.write_text(SETTINGS)
    home.rules_file.write_text(RULE.format(when="speaker:press", queue="none", alert="false"))
    (problem,) = check(home, CHECKERS)
    assert "press-question" in problem.message
    assert "the shipped policy" in problem.message


def test_a_policy_without_kinds_is_a_warning(tmp_path: Path) -> None:
    (problem,) = found(tmp_path)
    assert problem.severity == "warning"
    assert Policy.read("").kinds == ()
