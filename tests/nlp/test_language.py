"""Languages of short posts, written for this test."""

from __future__ import annotations

import pytest

from nlp.language import OTHER, Languages
from nlp.normalise import normalise


@pytest.fixture(scope="module")
def languages() -> Languages:
    return Languages()


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("My parcel has been stuck in the depot since Monday", "en"),
        ("can't believe they did it again lol", "en"),
        ("No me llega el pedido y nadie contesta", "es"),
        ("jajaja q risa ese anuncio", "es"),
        ("No vull tornar a volar amb aquesta companyia", "ca"),
        ("Ninguén colle o teléfono e levo toda a mañá agardando", "gl"),
        ("Ez dute telefonoa hartzen eta ordu bat daramat zain", "eu"),
        ("Não consigo entrar no aplicativo desde ontem", "pt"),
        ("Je n'ai toujours pas reçu ma commande", "fr"),
        ("Non riesco a capire perché il treno è in ritardo", "it"),
        ("Ich habe heute wieder keine Antwort bekommen", "de"),
        ("私の荷物が届きません", OTHER),
        ("Мой заказ так и не пришёл", OTHER),
        ("Ik heb mijn bestelling nog steeds niet ontvangen", OTHER),
    ],
)
def test_short_posts(languages: Languages, text: str, lang: str) -> None:
    [(found, sure)] = languages.identify([normalise(text)], [None])
    assert (found, sure > 0.5 or found == OTHER) == (lang, True)


def test_the_networks_hint_decides_where_the_text_does_not(languages: Languages) -> None:
    assert languages.identify(["😀😀"], ["es-MX"]) == [("es", 0.0)]
    assert languages.identify(["123"], [None]) == [(OTHER, 0.0)]
    [(found, _)] = languages.identify(["No me llega el pedido y nadie contesta"], ["en"])
    assert found == "es"


def test_the_same_alone_and_in_a_batch(languages: Languages) -> None:
    texts = ["hello there", "hola a todos", "", "bonjour", "x" * 900]
    together = languages.identify(texts, [None] * len(texts))
    assert together == [languages.identify([text], [None])[0] for text in texts]
    assert languages.identify([], []) == []
