"""Risk terms of a text: named, bounded, in words, without the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steps import steps

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


MEANT = {
    "access": (
        "they broke my wheelchair again",
        "My guide dog was not let in",
        "no step-free access since July",
        "llevan un año sin rampa",
        "me devuelven la silla de ruedas partida",
        "la asistencia a personas con movilidad reducida no llega",
    ),
    "discrimination": (
        "your staff are racist",
        "they turned away a woman in a wheelchair",
        "Denied boarding because I use a wheelchair",
        "we were told to leave because I am black",
        "me echaron por ser gitana",
        "no me dejaron subir al avión con mi silla de ruedas",
        "le negaron la entrada a mi hijo con discapacidad",
    ),
    "safety": (
        "the battery caught fire",
        "my son ended up in hospital",
        "this car was recalled for its brakes",
        "mi abuela acabó en urgencias",
        "mi papá se murió esperando",
    ),
    "press": ("I am taking this to the press", "soy periodista", "salimos en los titulares"),
    "legal": ("presento una demanda", "see you in small claims court"),
}
NOT_MEANT = {
    "discrimination": (
        "they broke my wheelchair again",
        "me devuelven la silla de ruedas partida",
        "they refused to refund the repair of my wheelchair",
        "el taxi no llega a por la silla de ruedas",
        "the app turned away half of its customers",
        "state passes anti-discrimination bill",
    ),
    "access": ("my account is disabled", "a system accessible from any device", "me hace oídos sordos"),
    "safety": (
        "the battery died after a day",
        "I don't recall placing an order",
        "it won't play on Fire TV",
        "se me murió el móvil",
        "¿qué teléfono es el de urgencias del hogar?",
        "casi me desmayo en la cola",
    ),
    "press": ("here is the press release", "soy el titular de la cuenta", "los titulares de la tarjeta"),
    "legal": ("vídeo a demanda", "a mi juicio es caro", "hay mucha demanda"),
}


@pytest.mark.parametrize(("cue", "text"), [(cue, text) for cue, texts in MEANT.items() for text in texts])
def test_a_cue_fires_on_what_it_means(cue: str, text: str) -> None:
    assert cue in named(text)


@pytest.mark.parametrize(("cue", "text"), [(cue, text) for cue, texts in NOT_MEANT.items() for text in texts])
def test_a_cue_is_silent_where_its_words_mean_something_else(cue: str, text: str) -> None:
    assert cue not in named(text)


def test_words_stand_beside_a_cue_as_far_as_the_lexicon_says_and_no_further() -> None:
    for between in (10, 11, 12, 40):
        far = "so " * between
        for text in (f"kicked out {far}wheelchair", f"wheelchair {'so ' * (between + 1)}kicked out"):
            assert ("discrimination" in named(text)) == (between <= 10)
    assert "discrimination" in named(f"wheelchair {'so ' * 50} kicked out on a wheelchair {'so ' * 50} wheelchair")


@pytest.mark.parametrize("text", ["kicked off ", "kicked off wheelchair ", "wheelchair kicked off unsafe "])
def test_work_grows_as_a_text_does(text: str) -> None:
    once, more = (analyse(text * times).surfaces for times in (50, 400))
    assert steps(lambda: CUES.found(more)) <= 8.8 * steps(lambda: CUES.found(once))


def test_everything_in_the_lexicon_is_folded_as_texts_are() -> None:
    for word, phrases in CUES._phrases.items():
        for place, phrase in phrases:
            assert phrase.words[place] == word
            for words in (phrase.words, *(longer for _, longer in phrase.unless)):
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
