"""Spam by its words and its build: with an offer goes something that it points to."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nlp.spam import SHIPPED, Spam
from query.text import analyse
from stream.spam import REASONS, in_words

SPAM = Spam()


def found(text: str, brands: int = 0) -> tuple[str, ...]:
    return SPAM.found(analyse(text), brands)


MARKED = {
    "follow": ("Sígueme y te sigo, @acme 🙌", "follow for follow anyone?", "Seguidores reales al mejor precio"),
    "channel": (
        "Great ad by Acme! Check out my channel",
        "Suscríbete ya a mi canal de viajes",
        "subscribe to me pls",
    ),
    "earnings": ("Make money online like I do", "Gana dinero: https://a.example/x", "dinero fácil y rápido, te enseño"),
    "crypto": ("Acme airdrop live https://a.example", "Duplica tu dinero en una semana"),
    "giveaway": (
        "Acme regala 500 billetes gratis https://a.example/acme",
        "claim your prize at gifts.example.com",
    ),
    "gambling": ("No deposit bonus tonight", "Giros gratis para todos"),
    "adult": ("@acme hot singles near you", "Vendo pack, info al DM"),
    "loan": ("Préstamos rápidos sin aval, WhatsApp 600 123 123", "apply for a loan today"),
    "cure": ("Amarres de amor garantizados", "cheap viagra shipped worldwide"),
    "recovery": ("He recovered my account, write to @fixer_01", "me ayudó a recuperar mi cuenta, es muy bueno"),
    "shortener": ("You won't believe what Acme did http://bit.ly/3xyz", "Entra aquí bit.ly/3xyz"),
    "contact": (
        "Vendo billetes de Acme, mejor precio, llama al 600 123 123",
        "TVs for sale, call +34 600-123-123",
    ),
    "tags": (" ".join(f"#tag{n}" for n in range(9)) + " shop now https://a.example",),
    "handles": ("Best price here https://a.example " + " ".join(f"@user{n}" for n in range(7)),),
    "emoji": ("🔥" * 14 + " 50% discount https://a.example",),
}


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, texts in MARKED.items() for text in texts])
def test_each_reason_in_both_languages(reason: str, text: str) -> None:
    assert reason in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Third time that @acme loses my bag, boycott them https://a.example/petition #acme #boycott #shame",
        "Firma la petición contra Acme: https://a.example/peticion 😡😡😡😡😡😡😡😡😡😡😡😡😡😡",
        "@acme please follow me back so that I can send a DM",
        "Is the 20% discount for students still there?",
        "Llevo una hora al teléfono, llamadme al 600 123 123",
        "@a @b @c @d @e @f @g @h yes, same here https://a.example",
        "Acme abre un casino en Madrid https://news.example/casino",
        "A win for passengers: Acme has to pay https://news.example/1",
        "Acme raises prices https://bit.ly/3abc",
        "#a #b #c #d #e #f #g #h #i #j a lovely evening https://a.example",
        "¿Me dais el código promocional? En la web no sale",
    ],
)
def test_customers_campaigns_and_news_are_no_spam(text: str) -> None:
    assert found(text) == ()


def test_an_offer_that_names_many_of_the_brands_listened_for() -> None:
    text = "Best prices on Acme, Bolt, Crest, Dune and Echo https://a.example"
    assert found(text, brands=5) == ("brands",)
    assert found(text, brands=4) == ()
    assert found(text.replace("Best prices on", "Strike at"), brands=5) == ()


def test_up_to_four_words_may_stand_where_the_lexicon_has_dots() -> None:
    assert found("check this really very very good my channel") == ()
    assert found("check out on YouTube my channel") == ("channel",)


def test_every_reason_of_the_lexicon_has_its_words_in_both_languages() -> None:
    named = set(yaml.safe_load(SHIPPED.read_text("utf-8"))) - {"offer", "shorteners"}
    assert named <= set(REASONS)
    assert set(REASONS) == named | {"contact", "tags", "handles", "emoji", "brands", "copies"}
    assert all(words.keys() == {"en", "es"} for words in REASONS.values())
    assert in_words(("loan", "from-the-future"), "es") == "ofrece préstamos; from-the-future"


def test_the_lexicon_is_written_as_texts_are_folded() -> None:
    held = yaml.safe_load(SHIPPED.read_text("utf-8"))
    wrong = [
        written
        for reason, lists in held.items()
        if reason != "shorteners"
        for by_language in lists.values()
        for texts in by_language.values()
        for written in texts
        for part in str(written).split(" ... ")
        if " ".join(analyse(part).surfaces) != part
    ]
    assert wrong == []


@given(st.text(max_size=200), st.integers(0, 9))
def test_any_text_has_reasons_by_name_each_once(text: str, brands: int) -> None:
    reasons = found(text, brands)
    assert list(reasons) == sorted(set(reasons))
    assert set(reasons) <= set(REASONS)


def test_the_longest_of_posts_costs_no_more_than_its_length() -> None:
    """Where every place were tried anew, these would take minutes."""
    assert found("a giveaway, a gift card for free " + "-" * 99_000) == found("a giveaway, a gift card for free -")
