"""A query answers for a mention what its words say, and every part can be asked for its own answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from query.document import Document
from query.parse import parse
from query.predicate import compile_predicate, explain, leaves
from query.text import stems
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from stream.records import Author, Correction, Decision, Labels, Mention, Metrics, Post, Scores, Term, Understanding
from tests.strategies import mentions, nodes, texts, words

NOW = 1_790_000_000_000
TEXT = "¡Reclamaciones a @Acme_Air! No me dejan volar, y ya van 3 vuelos #Huelga https://www.acme.example/a 😡"

MENTION = Mention(
    id="x:1#acme",
    revision=1,
    post=Post(
        id="x:1",
        network="x",
        text=TEXT,
        title="Carta al señor director",
        rating=2,
        author=Author(id="7", handle="Ana_Viaja", name="Ana Pérez", followers=12_000, verified=False),
        country="ES",
        seen_at=NOW,
        event_time=NOW,
        reply_to="x:0",
        link="https://social.example/ana/1",
        metrics=Metrics(likes=0, reposts=40),
    ),
    post_id="x:1",
    brand="acme",
    network="x",
    event_time=NOW,
    lang="es",
    source_id="stream",
    understanding=Understanding(
        brand="acme",
        sentiment=Scores("negative", (0.9, 0.1, 0.0)),
        intent=Scores("complaint", (1.0,)),
        detractor=Scores("2", (0.0, 0.0, 1.0, 0.0)),
        complaint=Scores("yes", (0.1, 0.9)),
        emotion=Labels(("anger", "disgust"), (0.9, 0.6, 0.0, 0.0, 0.2, 0.0)),
        irony=Scores("no", (0.9, 0.1)),
        aspects=("delivery",),
        suggested="support",
        review=("intent",),
    ),
    decision=Decision(
        terms=(Term("reach", 8.0, "many followers"), Term("calm", -4.0, "no insult")),
        queue="support",
        rule="default",
        rules_revision=1,
        why="",
        tags=("Órdenes",),
        risk=64,
        alert=True,
        model="linear-1",
    ),
    case_id=12,
)

TRUE = r"""
*
reclamacion
RECLAMACIÓN
vuelo
volar
acme_air
"no me dejan"
"director reclamaciones"
"vuelos"
recla*
no NEAR/1 dejan
dejan NEAR/1 no
carta NEAR/2 director
😡
https://acme.example
#huelga
#hue*
@acme_air
addressed:acme_air
hashtag:HUELGA
brand:acme
brand:(nimbus OR acme)
kind:own
network:x
author:ana_viaja
author:@Ana_Viaja
author:7
author:"ana perez"
author:ana*
followers:>10k
followers:12000
verified:no
has:verified
country:es
lang:es
link:acme.example
link:acme*
site:social.example
address:"https://social.example/ana/1"
rating:2
rating:<=2
rating:1..3
estrellas:<3
has:rating
likes:0
has:likes
reposts:10..40
is:reply
reply_to:"x:0"
origin:live
source:stream
matched:text
speaker:public
sentiment:negative
intent:complaint
intent:(praise OR complaint OR other)
detractor:>=2
complaint:yes
is:complaint
queja:sí
emotion:anger
emotion:asco
emotion:(anger disgust)
irony:no
-offensive:yes
aspect:delivery
spam:no
risk:64
risk:>63
risk:<=64
risk:60..<65
term:reach
suggested:support
review:intent
model:linear-1
tier:linear
queue:support
rule:default
priority:normal
tag:ordenes
tag:órd*
is:alerted
corrected:no
case:12
id:"x:1"
id:"x:1#acme"
state:live
since:2026-01-01
created:>=-1m
-lang:pt
-views:0
-reputation:positive
NOT person:eva
brand:acme (risk:>90 OR vuelo) -speaker:own
NOT (praise OR lang:en)
""".strip().splitlines()

FALSE = r"""
avion
"dejan no me"
"vuelo"
no NEAR/0 dejan
air*
huel
#acme_air
hashtag:hue
brand:nimbus
has:views
has:reputation
has:person
has:quote_of
reputation:negative
views:>=0
views:0
likes:>0
verified:yes
followers:>12000
rating:>2
rating:0
complaint:no
emotion:joy
irony:yes
has:offensive
offensive:no
aspect:price
is:spam
risk:>64
risk:<64
risk:>60..<64
term:calm
link:www.acme.example
site:acme.example
author:ana_
sentiment:positive
is:corrected
until:2026-01-01
-brand:acme
lang:es -vuelo
NOT *
""".strip().splitlines()


@pytest.mark.parametrize("text", TRUE)
def test_what_holds(text: str) -> None:
    assert compile_predicate(parse(text, now=NOW))(Document(MENTION))


@pytest.mark.parametrize("text", FALSE)
def test_what_does_not_hold(text: str) -> None:
    assert not compile_predicate(parse(text, now=NOW))(Document(MENTION))


def test_a_person_s_word_stands_in_place_of_the_model_s() -> None:
    correction = Correction(
        person="Eva", at=NOW, content_hash="", sentiment="neutral", intent="praise", detractor="0", queue="pr"
    )
    fields = {name: getattr(MENTION, name) for name in MENTION.__struct_fields__} | {"correction": correction}
    document = Document(Mention(**fields))
    for text in ("sentiment:neutral", "intent:praise", "detractor:0", "queue:pr", "is:corrected", "person:eva"):
        assert compile_predicate(parse(text, now=NOW))(document), text


def test_spam_is_what_the_text_shows_and_what_its_copies_show() -> None:
    spam = compile_predicate(parse("is:spam", now=NOW))
    assert MENTION.understanding is not None
    assert not spam(Document(MENTION))
    assert spam(Document(replace(MENTION, spam=("copies",))))
    assert spam(Document(replace(MENTION, understanding=replace(MENTION.understanding, spam=("links",)))))
    assert Document(replace(MENTION, understanding=None, spam=("copies",))).value("spam") is None


def test_risk_and_terms_are_known_before_the_decision() -> None:
    fields = {name: getattr(MENTION, name) for name in MENTION.__struct_fields__} | {"decision": None}
    undecided = Mention(**fields)
    asked = compile_predicate(parse("risk:>=70 term:safety", now=NOW, context="rule"))
    assert not asked(Document(undecided))
    assert asked(Document(undecided, risk=80, terms=(Term("safety", 9.0, "smoke"),)))


def test_every_part_says_its_own_truth() -> None:
    node = parse('brand:acme (risk:>=70 OR "no me dejan") -lang:pt -vuelo', now=NOW)
    assert explain(node, Document(MENTION)) == {
        "brand:acme": True,
        "risk:>=70": False,
        '"no me dejan"': True,
        "lang:pt": False,
        "vuelo": True,
    }


def test_a_field_that_does_not_exist_is_refused_before_any_mention_is_read() -> None:
    for node in (
        Equals("brnd", "acme"),
        Has("brnd"),
        Between("brnd", 1.0),
        StartsWith("brnd", "ac"),
        Equals("brnd", 1.0),
    ):
        with pytest.raises(ValueError, match="brnd"):
            compile_predicate(node)


@settings(max_examples=400)
@given(mentions(), nodes(leaves=8))
def test_the_predicate_says_what_a_literal_reading_says(mention: Mention, node: Node) -> None:
    document = Document(mention)
    assert compile_predicate(node)(document) is literally(node, document)
    truth = list(explain(node, document).values())
    assert truth == [literally(leaf, document) for leaf in dict.fromkeys(leaves(node))]


@given(texts(), texts(), words())
def test_words_are_found_in_title_and_text(title: str, text: str, node: Node) -> None:
    fields = {name: getattr(MENTION, name) for name in MENTION.__struct_fields__}
    mention = Mention(**fields | {"post": Post(id="x:1", network="x", title=title, text=text, seen_at=1, event_time=1)})
    document = Document(mention)
    assert compile_predicate(node)(document) is literally(node, document)


def literally(node: Node, document: Document) -> bool:
    """The meanings of query/tree.py, word by word and without haste."""
    surfaces = document.surfaces
    match node:
        case All():
            return True
        case And(parts):
            return all(literally(part, document) for part in parts)
        case Or(parts):
            return any(literally(part, document) for part in parts)
        case Not(part):
            return not literally(part, document)
        case Word(surface):
            return any(set(stems(surface)) & set(stems(other)) for other in surfaces)
        case Phrase(sought):
            return any(surfaces[at : at + len(sought)] == sought for at in range(len(surfaces)))
        case Near(left, right, distance):
            return any(
                {surfaces[one], surfaces[other]} == {left, right} and other - one - 1 <= distance
                for one in range(len(surfaces))
                for other in range(one + 1, len(surfaces))
            )
        case Prefix(start):
            return any(surface.startswith(start) for surface in surfaces)
        case Has(field):
            return document.value(field) is not None
        case Equals(field, wanted):
            value = document.value(field)
            return wanted in value if isinstance(value, tuple) else value is not None and value == wanted
        case StartsWith(field, start):
            value = document.value(field)
            return isinstance(value, tuple) and any(each.startswith(start) for each in value)
        case Between(field, low, high, with_low, with_high):
            value = document.value(field)
            if value is None:
                return False
            assert not isinstance(value, tuple)
            above = low is None or value > low or (with_low and value == low)
            below = high is None or value < high or (with_high and value == high)
            return above and below


@given(st.data())
def test_asking_twice_says_the_same(data: st.DataObject) -> None:
    document, holds = Document(data.draw(mentions())), compile_predicate(data.draw(nodes()))
    assert holds(document) is holds(document)
