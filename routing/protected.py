"""What a policy may not ask of people: who they are and what they believe, instead of what they do in a matter.

The groups are those that data protection law sets apart (origin, opinions, religion, unions, health, sex life), and two
that make a kind useless as one of behaviour: where somebody works, and a judgement on the person. Words are found by
how they begin, case and accents aside. A list finds what is called by its name, no more: who wants to get round it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from query.text import analyse, fold
from query.tree import And, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from query.unparse import unparse


class Refused(NamedTuple):
    found: str
    """The word, or the part of the query."""
    group: str


_BEGINNINGS: Mapping[str, str] = {
    "an opinion or ideology": (
        "ideolog leftist rightist izquierdist derechist communis comunis fascis nazi socialis conservativ marxis "
        "anarchis anarquis separatis independentis feminis populis activis vegan votante"
    ),
    "a union": "sindica unionist unionis",
    "religion": (
        "religi muslim musulm islam christians cristianis catholic catolic jewish hindu buddhis budis atheis evangelic "
        "mormon protestant church iglesia mosque mezquita synagog sinagog"
    ),
    "health": (
        "disab discapac minusv enfermed illness disease cancer diabet autis psychiatr psiquiatr pregnan embaraza "
        "addict alcoholi wheelchair depression depresion"
    ),
    "origin": (
        "ethnic etnia etnic racial gypsy gypsies gitan immigrant inmigran migrant foreigner extranjer nationalit "
        "nacionalidad"
    ),
    "sex life": "lesbi bisexual transgender transexual homosexual lgbt",
}  # fmt: skip
_WHOLE: Mapping[str, str] = {
    "an opinion or ideology": "facha voter voters",
    "a union": "union unions",
    "religion": "faith jew jews judio judia judios judias christian cristiana cristianos ateo atea ateos",
    "health": "health salud sick ill enfermo enferma enfermos enfermas hiv vih",
    "origin": "race raza",
    "sex life": "gay gays queer",
}
_OF_PERSONS: Mapping[str, str] = {
    "where somebody works": "employee employees empleado empleada empleados trabajador trabajadora trabajadores",
    "a judgement on the person": (
        "troll trolls hater haters crazy lunatic idiot idiots loco loca locos idiota idiotas pesado"
    ),
}
"""In names and reasons alone: posts speak of a brand's employees, and call it names."""
_FIELDS: Mapping[str, str] = {
    "author": "a person by name",
    "country": "origin",
    "lang": "origin",
    "verified": "who somebody is",
}
_TERMS: Mapping[str, str] = {"access": "health", "discrimination": "belonging to a group"}
ADVICE = (
    "a kind is what somebody does in one matter: ask for intent, irony, copies, risk; press and competitors stand in "
    "the lists of a brand (`press`, `rivals`) and are asked for as speaker:press and speaker:competitor"
)


def in_words(text: str) -> Iterator[Refused]:
    """What a name or a reason names that a person is."""
    for surface in analyse(text.replace("-", " ").replace("_", " ")).surfaces:
        group = _group(surface) or _whole(_OF_PERSONS, surface)
        if group:
            yield Refused(surface, group)


def in_query(node: Node, holds: bool = True) -> Iterator[Refused]:
    """What a query asks for that a person is. `holds`: the part makes the query true, rather than false."""
    match node:
        case Not(part):
            yield from in_query(part, not holds)
        case And(parts) | Or(parts):
            for part in parts:
                yield from in_query(part, holds)
        case Equals(field) | StartsWith(field) | Has(field) if field in _FIELDS:
            yield Refused(unparse(node), _FIELDS[field])
        case Equals("term", value) if holds and value in _TERMS:
            # To leave such posts out of a kind marks nobody.
            yield Refused(unparse(node), _TERMS[str(value)])
        case _:
            for surface in _surfaces(node):
                group = _group(surface)
                if group:
                    yield Refused(unparse(node), group)


def _surfaces(node: Node) -> tuple[str, ...]:
    match node:
        case Word(surface):
            return (surface,)
        case Phrase(surfaces):
            return surfaces
        case Near(left, right):
            return left, right
        case Prefix(start):
            return (start,)
        case Equals("hashtag" | "addressed", str(value)):
            return analyse(value).surfaces
    return ()


def _group(surface: str) -> str:
    word = fold(surface)
    for group, beginnings in _BEGINNINGS.items():
        if word.startswith(tuple(beginnings.split())):
            return group
    return _whole(_WHOLE, word)


def _whole(groups: Mapping[str, str], surface: str) -> str:
    word = fold(surface)
    return next((group for group, words in groups.items() if word in words.split()), "")
