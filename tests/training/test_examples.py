"""Which rows teach which output: foreign schemes keep to themselves, what is measured on teaches nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import training.corpus
import training.examples
from stream.guidelines import allowed, queue_of
from stream.records import INTENTS, SENTIMENTS
from training.behaviour.suite import load, texts
from training.corpus import Leakage, conversation, key, labels, there, words
from training.examples import UNKNOWN, Collected, Output, as_row, collect, develops, made, mined, ours, recipe, toned
from training.targets import Targets

OURS = {"reputation", "intent", "detractor", "act"}
MEASURED = "the bread of this morning was measured on by everybody here"
MADE = "the lift of Acme plays one song all day and I know it by heart now"
RIVALS = {"set": "made", "lang": "en", "text": "Acme sent me a brick and so I went across the road to Zumbra for good"}
SUITE = max(load(), key=lambda case: len(case.text.text))

needs_data = pytest.mark.skipif(not there(), reason="the training data (../shared) is not part of a clone")


def _write(folder: Path, name: str, part: str, rows: Sequence[Mapping[str, Any]]) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name / f"{part}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand for the shared folder, in words of our own."""
    data, labels = tmp_path / "data", tmp_path / "labels"
    _write(data, "semeval_sentiment_en", "train", [
        {"id": "1", "text": "what a lovely train this is", "label": "positive", "lang": "en"},
        {"id": "2", "text": f"{MEASURED}!", "label": "negative", "lang": "en"},
    ])  # fmt: skip
    _write(data, "tweeteval_sentiment", "validation", [{"id": "9", "text": MEASURED, "label": "neutral"}])
    _write(data, "emoevent", "train", [
        {"id": "1", "text": "the tram was late and I am furious", "label": "anger", "offensive": True, "lang": "en"},
        {"id": "2", "text": "a tram with seats for everybody", "label": "others", "offensive": False, "lang": "en"},
    ])  # fmt: skip
    _write(data, "tweeteval_emotion", "train", [
        {"id": "1", "text": "the tram came, hooray for it", "label": "joy", "lang": "en"},
        {"id": "2", "text": "the tram will come one day", "label": "optimism", "lang": "en"},
    ])  # fmt: skip
    _write(data, "airlines_es", "train", [
        {"id": "1", "text": "otra vez tarde, @volaria", "label": "negative", "lang": "es", "brands": ["Volaria"]}
    ])  # fmt: skip
    _write(data, "airline_us", "train", [{"id": "1", "text": "never to be learnt from", "label": "negative"}])
    _write(data, "ibm_care_stream", "stream", [
        {"id": "v", "text": "my channel is gone, please help me with it", "conversation_id": "measured"},
        {"id": "w", "text": "no answer since the morning of yesterday", "conversation_id": "measured"},
        {"id": "x", "text": "the other thread has a question of its own", "conversation_id": "another"},
    ])  # fmt: skip
    labels.mkdir()
    ours = {"set": "airlines_es", "lang": "es", "brand": "Volaria", "unsure": False}
    rows = [
        {**ours, "id": "1", "text": "volaria no contesta y quiero mi dinero", "sentiment": "negative",
         "intent": "complaint", "detractor": 2, "queue": "support"},
        {**ours, "id": "2", "text": "gracias volaria por el viaje", "sentiment": "positive",
         "intent": "praise", "detractor": 0, "queue": "none", "unsure": True},
    ]  # fmt: skip
    _write(tmp_path, "labels", "train", rows)
    _write(tmp_path, "labels", "validation", [
        {"id": "v", "set": "ibm_care_stream", "text": "my channel is gone, please help me with it"}
    ])  # fmt: skip
    made = {"id": "1", "set": "synthetic", "lang": "en", "brand": "Acme", "sentiment": "negative", "detractor": 1,
            "intent": "complaint", "queue": "support", "unsure": False}  # fmt: skip
    written = [MADE, SUITE.text.text, f"well then: {SUITE.text.text.lower()} https://link.example/1"]
    lines = [json.dumps({**made, "text": text}) + "\n" for text in written]
    (labels / "synthetic-en.jsonl").write_text("".join(lines), "utf-8")
    for module in (training.corpus, training.examples):
        monkeypatch.setattr(module, "SHARED", tmp_path)
    monkeypatch.setattr(training.examples, "FOLDER", tmp_path / "none")
    (tmp_path / "none").mkdir()
    return tmp_path


@pytest.fixture
def collected(shared: Path) -> Collected:
    recipe.cache_clear()
    plan = (Path(training.examples.__file__).parent / "outputs.yaml").read_text("utf-8")
    (shared / "none" / "outputs.yaml").write_text(plan, "utf-8")
    rows = [
        {**RIVALS, "id": "1", "brand": "Acme", "sentiment": "negative", "intent": "churn_threat", "detractor": 2,
         "queue": "support", "tone": "negative"},
        {**RIVALS, "id": "2", "brand": "Zumbra", "sentiment": "neutral", "intent": "other", "detractor": 0,
         "queue": "none"},
    ]  # fmt: skip
    (shared / "none" / "made").mkdir()
    (shared / "none" / "made" / "en.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = collect(Leakage())
    recipe.cache_clear()
    return found


def _of(collected: Collected, name: str) -> list[tuple[str, Any]]:
    return [(one.text, one.labels[name]) for one in collected.examples if name in one.labels]


def test_what_is_measured_on_teaches_nothing(collected: Collected) -> None:
    assert _of(collected, "sentiment")[0] == ("what a lovely train this is", 2)
    assert not [one.text for one in collected.examples if MEASURED in one.text]


def test_a_conversation_that_is_measured_on_teaches_nothing(collected: Collected) -> None:
    assert [one.text for one in collected.texts if one.set == "ibm_care_stream"] == [
        "the other thread has a question of its own"
    ]


@needs_data
def test_no_post_that_we_read_stands_in_a_conversation_that_is_measured_on() -> None:
    classes = {
        "reputation": SENTIMENTS, "intent": INTENTS, "sentiment": SENTIMENTS, "irony": ("no", "yes"),
    }  # fmt: skip
    outputs = [Output(name, "one", "text", of, True) for name, of in classes.items()]
    leakage = Leakage()
    talks = {conversation(row, row["set"]) for row in labels("validation")} - {""}
    assert talks
    barred = {row["text"] for row in mined() if conversation(row, row["set"]) in talks}
    assert not [one.text for one in ours(outputs, leakage, set()) if one.text in barred]


def test_all_turns_of_a_conversation_are_developed_on_or_none() -> None:
    sides = [{develops(f"turn {turn} of {talk}", f"talk {talk}") for turn in range(5)} for talk in range(200)]
    assert all(len(side) == 1 for side in sides)
    assert {False, True} == set().union(*sides)


def test_the_behavioural_suite_teaches_nothing(collected: Collected) -> None:
    """Neither do near copies of its texts, also among rows that were written for training."""
    assert [one.text for one in collected.examples if one.set == "ours:synthetic"] == [MADE]
    leakage = Leakage()
    assert all(leakage.holds(one.text) for one in texts())


def test_a_set_that_is_forbidden_teaches_nothing(collected: Collected) -> None:
    assert not [one for one in (*collected.examples, *collected.texts) if "never" in one.text]


def test_a_class_that_a_set_does_not_speak_of_is_unknown(collected: Collected) -> None:
    """Of anger, disgust, fear, joy, sadness, surprise: the first set chose one of all, the second knows three."""
    found = dict(_of(collected, "emotion"))
    assert found["the tram was late and I am furious"] == [1, 0, 0, 0, 0, 0]
    assert found["a tram with seats for everybody"] == [0] * 6
    assert found["the tram came, hooray for it"] == [0, UNKNOWN, UNKNOWN, 1, 0, UNKNOWN]
    assert "the tram will come one day" not in found


def test_a_text_with_two_labels_of_one_set_is_one_example(collected: Collected) -> None:
    found = [one for one in collected.examples if one.text.startswith("the tram was late")]
    assert len(found) == 1
    assert {"emotion", "emoevent_emotion", "emoevent_offensive"} <= set(found[0].labels)


def test_foreign_labels_of_brands_never_teach_our_heads(collected: Collected) -> None:
    foreign = [one for one in collected.examples if not one.set.startswith("ours:")]
    assert not [one for one in foreign if OURS & set(one.labels)]
    assert _of(collected, "airlines_es") == [("otra vez tarde, @volaria", 0)]


def test_a_level_is_learnt_from_negative_rows_and_a_doubt_counts_half(collected: Collected) -> None:
    ours = {one.text: one for one in collected.examples if one.set == "ours:airlines_es"}
    cross, pleased = ours["volaria no contesta y quiero mi dinero"], ours["gracias volaria por el viaje"]
    assert (cross.labels["detractor"], cross.labels["act"], cross.weight) == (2, 1, 1.0)
    assert ("detractor" in pleased.labels, pleased.weight) == (False, 0.5)


def test_a_post_written_for_training_teaches_all_heads_and_is_not_developed_on(collected: Collected) -> None:
    """The text's sentiment only where the row says it; a text that stands once for each of two brands counts half."""
    acme, zumbra = (one for one in collected.examples if one.set == "ours:made")
    assert acme.labels == {"reputation": 0, "intent": 1, "detractor": 2, "sentiment": 0}
    assert zumbra.labels == {"reputation": 1, "intent": 7}
    assert (acme.weight, acme.development, zumbra.development) == (0.5, False, False)
    rows = [as_row(acme), as_row(zumbra)]
    (mine, beside), (other, _) = (Targets(rows).spans(row) for row in rows)
    assert (acme.text[slice(*mine[0])], beside) == ("Acme", other)


def test_posts_written_for_training_share_no_words_with_the_suite() -> None:
    """No text, and no run of six words: who learns from them has not seen what is measured."""
    keys = {key(one.text) for one in texts()}
    runs = {run for one in texts() for run in _runs(one.text)}
    brands = {one.brand.casefold() for one in texts()}
    for row in made():
        assert key(row["text"]) not in keys, row["text"]
        assert not runs & set(_runs(row["text"])), row["text"]
        assert row["brand"].casefold() not in brands


def test_posts_written_for_training_are_many_in_both_languages_and_follow_the_guidelines() -> None:
    rows = list(made())
    assert len(rows) >= 2_800
    assert len({row["id"] for row in rows}) == len({(key(row["text"]), row["brand"]) for row in rows}) == len(rows)
    for lang in ("en", "es"):
        assert sum(row["lang"] == lang for row in rows) >= 0.45 * len(rows)
    for row in rows:
        sentiment, intent, level = row["sentiment"], row["intent"], row["detractor"]
        assert allowed(sentiment, intent, level), row
        assert row["queue"] in {queue_of(intent, level, act) for act in (False, True)}, row
        assert row.get("tone", sentiment) in SENTIMENTS, row
        assert sentiment == "neutral" or row.get("tone", sentiment) == sentiment, row  # none: it is mixed


def _runs(text: str) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[at : at + 6]) for at in range(len(found) - 5)]


@needs_data
def test_every_row_that_we_read_is_found_again_and_is_measured_nowhere() -> None:
    rows = list(mined())
    path = Path(training.examples.__file__).parent / "labels.jsonl"
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(rows) == len(written) >= 14_000
    assert not [row for row in written if "text" in row]
    leakage = Leakage()
    assert not [row["id"] for row in rows if leakage.holds(row["text"])]
    assert all(key(row["text"]).hex() == row["key"] for row in rows)


@needs_data
def test_every_tone_that_we_read_is_found_again_and_is_measured_nowhere() -> None:
    path = Path(training.examples.__file__).parent / "tones.jsonl"
    written = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert not [row for row in written if "text" in row]
    assert {row["tone"] for row in written} == set(SENTIMENTS)
    sentiment = Output("sentiment", "one", "text", SENTIMENTS, True)
    leakage = Leakage()
    learnt = list(toned([sentiment], leakage, set()))
    assert 0.95 * len(written) < len(learnt) < len(written)  # some are developed on
    assert not [one.text for one in learnt if leakage.holds(one.text) or develops(one.text)]
    chosen = {row["set"] for row in written}
    assert not list(toned([sentiment], leakage, chosen))


def test_what_we_read_does_not_contradict_the_guidelines() -> None:
    path = Path(training.examples.__file__).parent / "labels.jsonl"
    for row in (json.loads(line) for line in path.read_text("utf-8").splitlines()):
        for one in (row, row.get("second", row)):
            severe, intent = one["detractor"] == 3, one["intent"]
            assert not one["detractor"] or one["sentiment"] == "negative", row
            assert (one["queue"] == "pr") == (severe or intent == "public_issue"), row
            assert (one["queue"] == "sales") == (intent == "purchase_interest" and not severe), row
            assert one["queue"] != "none" or intent not in ("help_request", "churn_threat"), row
