"""The behavioural suite is one that can be passed, and its rates count what was passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from nlp import heads
from nlp.classifier import Passage, Readings, Target
from nlp.language import Languages
from nlp.linear import LinearClassifier
from stream.records import DETRACTOR_LEVELS, INTENTS, SENTIMENTS, Tier
from training.behaviour.__main__ import opened, written
from training.behaviour.judge import judged, verdict
from training.behaviour.report import Rate, failures, rate, table, wilson
from training.behaviour.suite import CLASSES, Case, Text, load, texts

CASES = load()
STATES = {
    (SENTIMENTS[one.reputation], INTENTS[one.intent], DETRACTOR_LEVELS[one.level], one.queue): one
    for one in heads.STATES
}


class Told:
    """A classifier that was told what to say of each text, and says that nothing is the matter with the rest."""

    model, tier, bands = (
        "told",
        "linear",
        dict.fromkeys(("sentiment", "reputation", "intent", "detractor", "queue"), 0.5),
    )
    tier: Tier

    def __init__(self, states: Mapping[Text, heads.State], sentiments: Mapping[str, str]) -> None:
        self._states, self._sentiments = states, sentiments

    def read(self, passages: Sequence[Passage]) -> Readings:
        states = [self._state(one.text, target) for one in passages for target in one.targets]
        said = [SENTIMENTS.index(self._sentiments.get(one.text, "neutral")) for one in passages]
        return Readings(
            sentiment=np.eye(3)[said],
            owner=np.repeat(np.arange(len(passages)), [len(one.targets) for one in passages]),
            reputation=np.eye(3)[[one.reputation for one in states]],
            intent=np.eye(len(INTENTS))[[one.intent for one in states]],
            detractor=np.eye(4)[[one.level for one in states]],
            act=np.array([float(one.act) for one in states]),
        )

    def _state(self, text: str, target: Target) -> heads.State:
        named = {_joined(text[start:end]) for start, end in target.spans}
        for one, state in self._states.items():
            if one.text == text and (not named or _joined(one.brand) in named):
                return state
        return STATES["neutral", "other", "0", "none"]


def _joined(name: str) -> str:
    return "".join(name.strip("@#").split()).casefold()


def perfect() -> tuple[dict[Text, heads.State], dict[str, str]]:
    """An answer to every text that is right in every case."""
    states: dict[Text, heads.State] = {}
    sentiments: dict[str, str] = {}
    for case in CASES:
        if case.kind == "minimum":
            states[case.text] = next(
                state for (reputation, intent, level, queue), state in STATES.items()
                if all(label in case.expect.get(head, (label,)) for head, label in
                       {"reputation": reputation, "intent": intent, "level": level, "queue": queue}.items())
            )  # fmt: skip
            if "sentiment" in case.expect:
                sentiments[case.text.text] = case.expect["sentiment"][0]
        if case.moves.get("level") == "higher":
            states[case.text] = STATES["negative", "complaint", "3", "pr"]
        if case.moves.get("reputation") == "higher":
            assert case.before is not None
            states[case.before] = STATES["negative", "complaint", "1", "none"]
            states[case.text] = STATES["positive", "praise", "0", "none"]
    return states, sentiments


@pytest.fixture(scope="module")
def languages() -> Languages:
    return Languages()


def test_the_suite_is_large_and_as_spanish_as_it_is_english() -> None:
    assert len(CASES) >= 300
    for lang in ("en", "es"):
        assert sum(case.lang == lang for case in CASES) >= 0.4 * len(CASES)
        assert {case.kind for case in CASES if case.lang == lang} == {"minimum", "invariance", "direction"}
    spoken = {lang: {case.capability for case in CASES if case.lang == lang} for lang in ("en", "es")}
    assert spoken["en"] == spoken["es"]
    assert {label for case in CASES for label in case.expect.get("intent", ())} == set(INTENTS)
    assert {label for case in CASES for label in case.expect.get("level", ())} == set(DETRACTOR_LEVELS)


def test_no_case_stands_twice() -> None:
    changed = [(case.before, case.text) for case in CASES]
    assert len(set(changed)) == len(changed)
    plain = [case.text for case in CASES if case.kind == "minimum"]
    forms = {text for case in CASES if case.before for text in (case.before, case.text)}
    assert len(set(plain)) == len(plain)
    assert not forms & set(plain)


def test_the_guidelines_allow_what_is_expected() -> None:
    """A level above 0 needs a negative reputation, `sales` an interest to buy, `pr` an issue or level 3."""
    for case in CASES:
        level, reputation = case.expect.get("level", ()), case.expect.get("reputation", ())
        assert "0" in level or not level or not reputation or reputation == ("negative",), case
        assert reputation != ("positive",) or set(level) <= {"0"}, case
        if case.expect.get("queue") == ("sales",):
            assert case.expect["intent"] == ("purchase_interest",), case
        if case.expect.get("queue") == ("pr",):
            assert level == ("3",) or case.expect["intent"] == ("public_issue",), case


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("expect: {reputation: positive, level: 2}", "the guidelines exclude"),
        ("expect: {intent: purchase_interest, queue: support}", "the guidelines exclude"),
        ("expect: {reputation: [positive, negative], level: 1}", "the guidelines exclude"),
        ("expect: {reputation: angry}", "reputation: angry is none of"),
        ("expect: {mood: angry}", "mood"),
        ("moves: {intent: higher}", "heads are reputation"),
        ("same: [mood]", "are not heads"),
    ],
)
def test_a_case_that_cannot_be_is_refused_with_its_file(tmp_path: Path, block: str, words: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "some.yaml").write_text(f"thing:\n- {block}\n  texts:\n  - Acme: well\n", "utf-8")
    with pytest.raises(ValueError, match=rf"some\.yaml: thing: .*{words}"):
        load(tmp_path)


def test_a_model_that_is_right_everywhere_passes_everything(languages: Languages) -> None:
    found = judged(Told(*perfect()), languages)
    assert failures(found) == []
    assert rate(found).passed == rate(found).cases == len(CASES)
    assert {head for one in found for head in one.lacking} == {"complaint", "irony"}


def test_a_wrong_answer_costs_the_cases_that_it_stands_in_and_no_others(languages: Languages) -> None:
    states, sentiments = perfect()
    praise = next(case for case in CASES if case.kind == "minimum" and case.expect.get("intent") == ("praise",))
    base = next(case.before for case in CASES if case.kind == "invariance" and "reputation" in case.same)
    assert base is not None
    states[praise.text] = STATES["neutral", "other", "0", "none"]
    states[base] = STATES["negative", "complaint", "2", "support"]
    failed = [one for one in judged(Told(states, sentiments), languages) if one.wrong]
    assert [one.case for one in failed] == [case for case in CASES if praise.text == case.text or case.before == base]
    assert any("reputation neutral, not positive" in line for line in failures(failed))


def test_a_text_without_the_brands_name_is_read_as_a_reply_to_it(languages: Languages) -> None:
    case = Case("minimum", "unnamed", "en", Text("Acme", "you are late"), {"reputation": ("negative",)})
    right = {case.text: STATES["negative", "complaint", "1", "none"]}
    wrong = {Text("Acme", "another text"): STATES["negative", "complaint", "1", "none"]}
    assert judged(Told(right, {}), languages, [case])[0].wrong == ()
    assert judged(Told(wrong, {}), languages, [case])[0].wrong == ("reputation neutral, not negative",)


@pytest.mark.parametrize(
    ("move", "passes"),
    [("higher", (2, 3)), ("lower", (0,)), ("not higher", (0, 1)), ("not lower", (1, 2, 3))],
)
def test_a_move_is_counted_from_before_the_change(move: str, passes: tuple[int, ...]) -> None:
    before, after = Text("Acme", "before"), Text("Acme", "after")
    case = Case("direction", "direction", "en", after, {}, before, moves={"level": move})
    for level in range(4):
        found = verdict(case, {before: {"level": "1"}, after: {"level": str(level)}})
        assert (found.wrong == ()) == (level in passes)


def test_what_a_model_does_not_say_is_left_out_and_not_counted_against_it() -> None:
    text = Text("Acme", "lovely weather for a delay")
    both = Case("minimum", "irony", "en", text, {"reputation": ("negative",), "irony": ("yes",)})
    only = both._replace(expect={"irony": ("yes",)})
    silent, speaking = {text: {"reputation": "negative"}}, {text: {"reputation": "negative", "irony": "no"}}
    assert verdict(both, silent) == (both, (), ("irony",))
    assert verdict(only, silent) == (only, None, ("irony",))
    assert verdict(both, speaking).wrong == ("irony no, not yes",)
    assert rate([verdict(only, silent), verdict(both, speaking)]) == Rate(0, 1)


def test_intervals_are_wilsons() -> None:
    """9 of 10: 59.6 % to 98.2 %, as in Brown, Cai and DasGupta's tables."""
    assert wilson(9, 10) == pytest.approx((0.596, 0.982), abs=0.001)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_the_table_has_a_line_for_each_capability_and_a_total(languages: Languages) -> None:
    states, sentiments = perfect()
    found = {"one": judged(Told(states, sentiments), languages), "two": judged(Told({}, {}), languages)}
    lines = table(found).splitlines()
    assert lines[0] == "| capability | cases en + es | one en | one es | two en | two es |"
    assert len(lines) == 2 + len({case.capability for case in CASES}) + 2
    total = [sum(case.lang == lang for case in CASES) for lang in ("en", "es")]
    assert lines[-1].startswith(f"| **all** | {total[0]} + {total[1]} | 100.0 (")
    assert "`one` says nothing of complaint and irony" in written(found, "2026-01-02")


def test_the_shipped_model_reads_the_whole_suite(languages: Languages) -> None:
    found = judged(opened("linear"), languages)
    assert isinstance(opened("linear"), LinearClassifier)
    assert rate(found).cases == len(CASES)
    assert 0 < rate(found).passed < len(CASES)


def test_every_head_of_the_suite_is_one_that_a_model_can_have() -> None:
    asked = {head for case in CASES for head in (*case.expect, *case.same, *case.moves)}
    assert asked == set(CLASSES)
    assert len(texts()) == len({*(case.text for case in CASES), *(case.before for case in CASES if case.before)})
