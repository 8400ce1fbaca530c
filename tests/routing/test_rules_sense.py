"""`clamor check` says of a rule that it asks for what is not there, or for what excludes itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from config.home import Home
from config.load import check
from config.problems import Problem
from nlp.language import Languages
from nlp.severity import SHIPPED as CUES
from nlp.severity import terms
from routing.checkers import CHECKERS
from routing.risk import ADDED_TERMS, TEXT_TERMS, History, added_terms
from routing.rules import default_rules
from routing.sense import LANGUAGES
from stream.records import Metrics

SETTINGS = """\
brands:
  - {id: acme, name: Acme}
sources:
  - {id: survey, kind: file, network: opinions}
people:
  - {id: ana, name: Ana, email: ana@example.org}
"""


def _checked(folder: Path, *rules: str, settings: str = SETTINGS) -> list[Problem]:
    home = Home.at(folder)
    home.settings_file.write_text(settings)
    lines = [f"  - {{name: rule{n}, {rule}}}" for n, rule in enumerate(rules)]
    home.rules_file.write_text("\n".join(["rules:", *lines]) if rules else "rules: []")
    return check(home, CHECKERS)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("brand:nope", "no brand has this id (found brand:nope): write the brand first"),
        ("brand:acmee", "did you mean 'acme'?"),
        ("-brand:nope", "no brand has this id"),
        ("term:sefety", "no such risk term (found term:sefety): did you mean 'safety'?"),
        ("network:twiter", "no network is known by this name (found network:twiter): did you mean 'x'?"),
        ("network:insta OR risk:>5", "did you mean 'instagram'?"),
        ("lang:xx", "no text is found to be in this language (found lang:xx): use one of en, es"),
        ("risk:>5 (source:nope OR lang:es)", "no source has this id (found source:nope)"),
        ("intent:praise intent:complaint", "`intent:praise` and `intent:complaint` exclude one another"),
        ("risk:>=50 risk:<10", "`risk:>=50` and `risk:<10` exclude one another"),
    ],
)
def test_a_rule_that_asks_for_what_is_not_there_is_told_with_its_line(tmp_path: Path, when: str, words: str) -> None:
    (problem,) = _checked(tmp_path, 'when: "link:example.org", queue: pr', f'when: "{when}", queue: pr')
    assert words in str(problem)
    assert (problem.line, problem.path, problem.severity) == (3, "rule1", "warning")
    assert problem.advice


def test_what_the_configuration_names_is_known(tmp_path: Path) -> None:
    whens = ("brand:acme", "brand:ac*", "source:survey", "source:file", "network:opinions", "term:safety", "lang:gl")
    assert _checked(tmp_path, *(f'when: "{when}", queue: pr' for when in whens)) == []


def test_where_a_file_states_no_brands_every_brand_may_be_right(tmp_path: Path) -> None:
    assert _checked(tmp_path, 'when: "brand:nope source:nope", queue: pr', settings="brands:\n") == []


def test_an_alert_that_no_queue_takes_and_a_list_without_rules_are_told(tmp_path: Path) -> None:
    (problem,) = _checked(tmp_path, 'when: "risk:>=90", queue: none, alert: true')
    assert "an alert in queue none has no case" in problem.message
    (problem,) = _checked(tmp_path)
    assert "every mention goes to queue none" in problem.message


@pytest.mark.parametrize(
    ("whens", "taken"),
    [
        (("risk:>=50", "risk:>=70"), "'rule0' in line 2 took before"),
        (
            ("intent:complaint risk:>50", "lang:es", "intent:complaint lang:en risk:>=70"),
            "'rule0' in line 2 took before",
        ),
        (("-followers:>=1000", "risk:>5", "-has:followers"), "'rule0' in line 2 took before"),
        (
            ("intent:praise", "intent:complaint", "(intent:praise OR intent:complaint) risk:>5"),
            "'rule0' in line 2 and 'rule1' in line 3 took before",
        ),
        (("refund", '"refund now"'), "'rule0' in line 2 took before"),
    ],
)
def test_a_rule_that_others_leave_nothing_to_is_told_with_its_line(
    tmp_path: Path, whens: tuple[str, ...], taken: str
) -> None:
    (problem,) = _checked(tmp_path, *(f"when: '{when}', queue: pr" for when in whens))
    assert f"the rule is never reached: whatever it asks for, {taken}" in problem.message
    assert (problem.line, problem.severity) == (len(whens) + 1, "warning")
    assert "put it above" in problem.advice


def test_a_narrow_rule_above_a_wide_one_is_as_it_should_be(tmp_path: Path) -> None:
    whens = ("risk:>=70", "risk:>=50", "intent:complaint", "'(intent:complaint OR intent:praise)'")
    assert _checked(tmp_path, *(f"when: {when}, queue: pr" for when in whens)) == []


def test_the_shipped_rules_ask_only_for_what_there_is(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.settings_file.write_text(SETTINGS)
    home.rules_file.write_text(default_rules())
    assert check(home, CHECKERS) == []


def test_the_names_of_terms_and_languages_are_those_that_are_given() -> None:
    read = terms((0.0, 0.0, 0.0, 1.0), (0.5, 0.5, *[0.0] * 6), 1.0)
    cues = yaml.safe_load(CUES.read_text("utf-8"))
    assert {*(term.name for term in read), *cues} == set(TEXT_TERMS)
    worst = History(heat=30.0, complaints=9, customer="key")
    assert {term.name for term in added_terms(10**6, Metrics(likes=10**5), worst)} == set(ADDED_TERMS)
    assert Languages().labels == LANGUAGES
