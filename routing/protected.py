"""What a policy may not ask of people: who they are and what they believe, instead of what they do in a matter.

The groups are those that data protection law sets apart (origin, opinions, religion, unions, health, sex life), and two
that make a kind useless as one of behaviour: where somebody works, and a judgement on the person. Words are found by
how they begin, case and accents aside. A list finds what is called by its name, no more: who wants to get round it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        "disabled disabili discapac minusv enfermed illness disease cancer diabet autis psychiatr psiquiatr pregnan "
        "embaraza addict alcoholi wheelchair depression depresion"
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
SHORTEST = 3
"""Letters of a beginning (`musl*`) that can mean one of these words; a shorter one is of too many."""
_DONE = frozenset({"protest"})
"""What people do, though one of these words begins so."""
_SWITCHED_OFF = (
    "a an the my our your his her their its this that these those it account accounts card cards app line lines "
    "service login number sim button option feature"
)
"""What is disabled, as in `you disabled my account`, is no person."""
_VERBS_BEFORE = "is was are were be been being got gets has have had"
_TERMS: Mapping[str, str] = {"access": "health", "discrimination": "belonging to a group"}
ADVICE = (
    "a kind is what somebody does in one matter: ask for intent, irony, copies, risk; press and competitors stand in "
    "the lists of a brand (`press`, `rivals`) and are asked for as speaker:press and speaker:competitor"
)


def in_words(text: str) -> Iterator[Refused]:
    """What a text of the policy names that a person is."""
    surfaces = analyse(text.replace("-", " ").replace("_", " ")).surfaces
    yield from _named(surfaces)
    for surface in surfaces:
        if group := _whole(_OF_PERSONS, surface):
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
        case Equals("term", str(term)) | StartsWith("term", term):
            asked = (group for name, group in _TERMS.items() if _is_asked(node, name, term))
            if holds and (group := next(asked, "")):
                # To leave such posts out of a kind marks nobody.
                yield Refused(unparse(node), group)
        case Prefix(start) | StartsWith("hashtag" | "addressed", start):
            if group := _begun(start):
                yield Refused(unparse(node), group)
        case _:
            for refused in _named(_surfaces(node)):
                yield Refused(unparse(node), refused.group)


def _is_asked(node: Node, name: str, written: str) -> bool:
    return name.startswith(written) if isinstance(node, StartsWith) else name == written


def _surfaces(node: Node) -> tuple[str, ...]:
    match node:
        case Word(surface):
            return (surface,)
        case Phrase(surfaces):
            return surfaces
        case Near(left, right):
            return left, right
        case Equals("hashtag" | "addressed", str(value)):
            return analyse(value).surfaces
    return ()


def _named(surfaces: Sequence[str]) -> Iterator[Refused]:
    for place, surface in enumerate(surfaces):
        group = _group(surface)
        if group and not (surface == "disabled" and _of_a_thing(surfaces, place)):
            yield Refused(surface, group)


def _of_a_thing(surfaces: Sequence[str], place: int) -> bool:
    things, verbs = _SWITCHED_OFF.split(), _VERBS_BEFORE.split()
    before, after = list(surfaces[:place]), surfaces[place + 1 : place + 2]
    if any(one in things for one in after):
        return True
    passive = bool(before) and before[-1] in verbs
    while before and before[-1] in verbs:
        before.pop()
    return passive and bool(before) and before[-1] in things


def _group(surface: str) -> str:
    word = fold(surface)
    for group, beginnings in _BEGINNINGS.items():
        if word.startswith(tuple(beginnings.split())):
            return group
    return _whole(_WHOLE, word)


def _begun(start: str) -> str:
    """The group of a word that begins so."""
    word = fold(start)
    group = _group(word)
    if group or len(word) < SHORTEST or word in _DONE:
        return group
    for groups in (_BEGINNINGS, _WHOLE):
        for group, words in groups.items():
            if meant := next((one for one in words.split() if one.startswith(word)), ""):
                return f"{group} ({meant} begins so: write more of the word that you mean)"
    return ""


def _whole(groups: Mapping[str, str], surface: str) -> str:
    word = fold(surface)
    return next((group for group, words in groups.items() if word in words.split()), "")
