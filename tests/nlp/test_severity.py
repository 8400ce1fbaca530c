"""Risk terms of a text: named, bounded, in words, without the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nlp.severity import MOST, Cues, terms
from query.text import analyse, fold

CUES = Cues()


def named(text: str) -> list[str]:
    return [cue.name for cue in CUES.found(analyse(text).surfaces)]


def shares(n: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(0.01, 1), min_size=n, max_size=n).map(lambda values: [v / sum(values) for v in values])


@given(shares(4), shares(8), st.floats(0, 1), st.text(max_size=80))
def test_terms_are_positive_bounded_and_sorted(
    detractor: list[float], intent: list[float], negative: float, text: str
) -> None:
    found = terms(detractor, intent, negative, CUES.found(analyse(text).surfaces))
    assert all(term.points > 0 and term.why for term in found)
    assert sum(term.points for term in found) <= MOST + 0.5
    assert [term.points for term in found] == sorted((term.points for term in found), reverse=True)
    assert len({term.name for term in found}) == len(found)


def test_cues_in_both_languages_and_of_several_words() -> None:
    assert named("Me han INTOXICADO y voy a pedir la hoja de reclamaciones") == ["legal", "safety"]
    assert named("My lawyer says this is illegal. Boycott them!") == ["boycott", "legal"]
    assert named("emergency landing on the news channel") == ["press", "safety"]
    assert named("the emergency exit and the landing") == []
    assert named("muy rico todo") == []


def test_everything_in_the_lexicon_is_folded_as_texts_are() -> None:
    for first, phrases in CUES._phrases.items():
        for words, _ in phrases:
            assert words[0] == first
            assert analyse(" ".join(words)).surfaces == words
            assert fold(" ".join(words)) == " ".join(words)


def test_severe_texts_weigh_more_than_mild_ones() -> None:
    intent = [0.0] * 7 + [1.0]
    severe = terms([0.0, 0.0, 0.1, 0.9], intent, 1.0)
    mild = terms([0.2, 0.8, 0.0, 0.0], intent, 0.8)
    assert sum(t.points for t in severe) > 3 * sum(t.points for t in mild)
    assert terms([1.0, 0.0, 0.0, 0.0], intent, 0.0) == ()


def test_a_cue_in_praise_is_no_risk() -> None:
    cues = CUES.found(analyse("la policía me ayudó").surfaces)
    intent = [0.0] * 6 + [1.0, 0.0]
    assert terms([1.0, 0.0, 0.0, 0.0], intent, 0.0, cues) == ()
    assert [t.name for t in terms([0.0, 0.5, 0.5, 0.0], intent, 1.0, cues)] == ["severity", "legal"]


def test_a_call_to_boycott_is_found_in_a_hashtag_too() -> None:
    for text in ("#BoicotAurelia ya", "time to join #boycottAurelia", "boicoteemos esta cadena"):
        assert [cue.name for cue in CUES.found(analyse(text).surfaces)] == ["boycott"]
    assert not CUES.found(analyse("el boletín de hoy").surfaces)
