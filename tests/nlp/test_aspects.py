"""Aspects: what of a brand a text speaks about, by phrases that people can read and change."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from steps import steps

from config.aspects import GAP, SHIPPED, Aspect, Phrases, forms
from config.brands import Brand
from nlp import aspects
from nlp.aspects import Aspects
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.reading import Reader
from query.text import analyse
from stream.records import Post

ACME = Brand(id="acme", name="Acme")
BOLT = Brand(id="bolt", name="Bolt", kind="competitor")


@pytest.fixture(scope="module")
def shipped() -> Aspects:
    return Aspects()


def said(found: Aspects, text: str, lang: str = "en", brand: str = "") -> tuple[str, ...]:
    return found.said(analyse(text), lang, [(brand, ())])[0]


def test_the_shipped_lexicon_has_every_aspect_in_both_languages() -> None:
    held = yaml.safe_load(aspects.SHIPPED.read_text("utf-8"))
    assert tuple(held) == SHIPPED
    for name, one in held.items():
        assert one["about"]
        for lang in ("en", "es"):
            phrases = one[lang]
            assert len(phrases) >= 25, (name, lang)
            assert len(set(phrases)) == len(phrases), (name, lang)
            assert Aspect(id=name, **{lang: phrases})


@pytest.mark.parametrize("lang", ["en", "es"])
def test_every_shipped_phrase_is_found_where_it_stands_alone(shipped: Aspects, lang: str) -> None:
    for name, one in yaml.safe_load(aspects.SHIPPED.read_text("utf-8")).items():
        for phrase in one[lang]:
            sides = [forms(side.replace("=", "")) for side in phrase.split(GAP)]
            for n in range(max(map(len, sides))):
                text = f" {'hoy' if lang == 'es' else 'today'} ".join(side[n % len(side)] for side in sides)
                assert name in said(shipped, text, lang), (name, phrase, text)


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("They still have not delivered it", "en", {"delivery"}),
        ("El REPARTIDOR dejó los paquetes mojados", "es", {"delivery"}),
        ("no me ha llegado nada", "es", {"delivery"}),
        ("they charged my poor grandmother twice", "en", {"billing"}),
        ("they charged me. We went home, ate, slept well and woke up twice", "en", {"billing", "food"}),
        ("carísima la suscripción", "es", {"price"}),
        ("la contrasena no vale", "es", {"website"}),
        ("#PesimoServicio", "es", {"support"}),
        ("#pesimoservicio", "es", {"support"}),
        ("las máscaras del carnaval", "es", set()),
        ("#lost_luggage again", "en", {"luggage"}),
        ("ni un retraso en todo el año", "es", {"punctuality"}),
        ("como siempre, una maravilla", "es", set()),
        ("the meeting went well", "en", set()),
        ("", "en", set()),
        ("it stopped working after two weeks", "en", {"quality"}),
        ("a los dos días se me descompuso", "es", {"quality"}),
        ("se le murió la batería y no prende", "es", {"quality"}),
        ("waited 3 hours", "en", {"punctuality"}),
        ("llevo dos horas esperando", "es", {"punctuality"}),
        ("they charged me twice", "en", {"billing"}),
        ("me cobraron de más", "es", {"billing"}),
        ("nobody answers", "en", {"support"}),
        ("ya no contestan, puro bot", "es", {"support"}),
        ("nos quedamos sin luz desde ayer", "es", {"network"}),
        ("nos vamos para allá", "es", set()),
    ],
)
def test_inflections_gaps_hashtags_and_accents(shipped: Aspects, text: str, lang: str, expected: set[str]) -> None:
    assert set(said(shipped, text, lang)) == expected


def test_what_means_something_else_takes_away_only_what_it_covers(shipped: Aspects) -> None:
    assert said(shipped, "found it in the app store") == ("app",)
    assert said(shipped, "not in the app store, but the store in town has it") == ("app", "store")


def test_a_phrase_counts_in_its_language_and_in_third_ones(shipped: Aspects) -> None:
    assert said(shipped, "the delivery", "es") == ("delivery",)
    assert said(shipped, "the luggage", "es") == ()
    assert said(shipped, "el equipaje", "en") == ()
    assert said(shipped, "el equipaje, the luggage", "ca") == ("luggage",)


def test_the_configuration_extends_replaces_and_turns_off() -> None:
    stated = (
        Aspect(id="delivery", es=("el dron",), unless=Phrases(es=("repartidor de pizzas",))),
        Aspect(id="price", mode="replace", en=("=toll",)),
        Aspect(id="staff", mode="off"),
        Aspect(id="miles", en=("frequent flyer",), es=("=millas",)),
    )
    found = Aspects(stated)
    assert said(found, "los drones no vuelan y el paquete tampoco", "es") == ("delivery",)
    assert said(found, "un repartidor de pizzas", "es") == ("food",)
    assert said(found, "expensive") == ()
    assert said(found, "a toll, tolled by the bell") == ("price",)
    assert said(found, "the tolls") == ()
    assert said(found, "rude staff") == ()
    assert said(found, "mis millas", "es") == ("miles",)


def test_brackets_hold_what_may_stand_there() -> None:
    found = Aspects((Aspect(id="miles", en=("(lost|missing) (my|) miles", "(earn|spend) ... (point|mile)")),))
    for text in ("missing miles", "lost my miles", "earning twice as many points", "spent no mile"):
        assert ("miles" in said(found, text)) == (text != "spent no mile"), text
    assert said(found, "my miles") == said(found, "#lostmymiles") == ()


def test_what_means_something_else_may_have_a_gap() -> None:
    found = Aspects((Aspect(id="miles", en=("=miles",), unless=Phrases(en=("miles ... (away|davis)",))),))
    assert said(found, "miles and miles away") == ()
    assert said(found, "my miles, and yours are all too far away") == ("miles",)


@pytest.mark.parametrize("phrase", ["(late", "late|delayed", "(a|(b|c))", "(late ... hour|day)", "(late)", "(|) (|)"])
def test_brackets_that_say_nothing_are_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"brackets hold|no letter"):
        Aspect(id="miles", en=(phrase,))


def test_brackets_make_a_hundred_forms_at_most() -> None:
    ten = "|".join("abcdefghij")
    assert len(forms(f"({ten}) ({ten})")) == 100
    assert forms("(a|b)" + "(x|x)" * 7) == ["axxxxxxx", "bxxxxxxx"]
    assert forms("(red|blue)" + " (|)" * 7 + " bus") == ["red bus", "blue bus"]
    Aspect(id="miles", en=(f"({ten}) ({ten}) ... (on|off)",))
    with pytest.raises(ValueError, match="more than 100 forms"):
        Aspect(id="miles", en=(f"({ten}) ({ten}) (on|off)",))
    with pytest.raises(ValueError, match="more than 100 forms"):
        Aspect(id="miles", en=("(a|b) " * 30,))


def test_a_brands_own_aspects_are_its_own() -> None:
    acme = Brand(
        id="acme", name="Acme", aspects=(Aspect(id="lounge", en=("sky garden",)), Aspect(id="food", mode="off"))
    )
    found = Aspects((Aspect(id="miles", en=("frequent flyer",)),), [acme, BOLT])
    text = "frequent flyer, no breakfast in the sky garden"
    assert said(found, text, "en", "acme") == ("lounge", "miles")
    assert said(found, text, "en", "bolt") == ("food", "miles")
    assert said(found, text) == ("food", "miles")


def test_a_word_as_written_and_its_stem_live_side_by_side() -> None:
    found = Aspects((Aspect(id="one", en=("=tolled",)), Aspect(id="two", en=("toll booth",))))
    assert said(found, "tolled") == ("one",)
    assert said(found, "tolled booths") == ("one", "two")
    assert said(found, "toll booth") == ("two",)


def test_each_mention_has_what_is_said_of_its_brand() -> None:
    reader = Reader(LinearClassifier(), Languages(), [ACME, BOLT], [Aspect(id="miles", en=("frequent flyer",))])
    text = "Acme lost my luggage. I never had that with Bolt, and their staff is kind. No frequent flyer there"
    post = Post(id="x:1", network="x", text=text, seen_at=0, event_time=0, lang="en")
    [found] = reader.read([post])
    assert [(one.brand, one.aspects) for one in found.mentions] == [
        ("acme", ("luggage",)),
        ("bolt", ("miles", "staff")),
    ]


def test_a_reply_has_the_aspects_of_what_names_no_other_brand() -> None:
    reader = Reader(LinearClassifier(), Languages(), [BOLT])
    text = "Your app is broken again. With Bolt the delivery was quick."
    post = Post(id="x:1", network="x", text=text, seen_at=0, event_time=0, reply_to="x:0")
    [found] = reader.read([post])
    assert found.unnamed is not None
    assert found.unnamed.aspects == ("app", "quality")
    assert "delivery" in found.mentions[0].aspects


def test_what_was_read_before_does_not_matter(shipped: Aspects) -> None:
    texts = ["my parcel", "parcel", "the app store", "app", "charged me twice", "twice", "#LateFlight"] * 3
    fresh = Aspects()
    backwards = [said(fresh, text) for text in reversed(texts[:7])]
    assert [said(shipped, text) for text in texts] == backwards[::-1] * 3


def test_overlong_hashtags_are_split_and_not_remembered(shipped: Aspects) -> None:
    aspects._pieces.cache_clear()
    assert said(shipped, "#LateDelivery") == ("delivery", "punctuality")
    assert aspects._pieces.cache_info().currsize == 1
    assert said(shipped, "#LateDelivery" + "OfNothing" * 10_000) == ("delivery", "punctuality")
    assert aspects._pieces.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("first", "then"), [("pedido ", "llegar "), ("pedido llegar ", ""), ("taken ", "staff app store ")]
)
def test_work_grows_as_a_text_does(first: str, then: str) -> None:
    found = Aspects([Aspect(id="one", en=("staff", "app", "taken"), unless=Phrases(en=("app store", "taken")))])
    once, more = (analyse(first * times + then * times) for times in (30, 240))
    for text in (once, more):
        found.said(text, "", [("", ())])
    most = 8.8 * steps(lambda: found.said(once, "", [("", ())]))
    assert steps(lambda: found.said(more, "", [("", ())])) <= most


def test_nothing_of_the_texts_stays_in_the_vocabulary(shipped: Aspects) -> None:
    matcher = shipped._matchers["en"]
    said(shipped, "delivery zyxwv staff")  # the sign for what is between
    before = len(matcher._phrases._vocab.strings), len(matcher._phrases._vocab)
    for number in range(50):
        said(
            shipped,
            f"delivery unheardof{number} #Unheard{number}OfParcel with staff and refund and price and store and app",
        )
    assert (len(matcher._phrases._vocab.strings), len(matcher._phrases._vocab)) == before


def test_the_documentation_names_every_shipped_aspect() -> None:
    page = (Path(__file__).parents[2] / "docs" / "aspects.md").read_text("utf-8")
    held = yaml.safe_load(aspects.SHIPPED.read_text("utf-8"))
    for name, one in held.items():
        assert f"| `{name}` | {one['about']} |" in page
