"""Words that stand in nearly every English or Spanish text: a brand of such a name would be in all of them."""

from __future__ import annotations

import unicodedata

_ENGLISH = """
a about after again all also always am an and any are as at be because been before being but by can could did do
does down even every for from had has have he her here him his how i if in into is it its just me more most much
must my no not now of off on only or other our out over she should so some still such than that the their them then
there these they this those to too under until up us very was we were what when where which while who why will with
would yes yet you your
"""
_SPANISH = """
al algo alguien ahi ahora antes aqui asi aun aunque cada casi como con contra cual cuando cuanto de del desde
despues donde el ella ellos en entre era es esa ese eso esta estan este esto estoy fue ha hasta hay he la las le les
lo los mas me menos mi mis mismo mucho muy nada ni no nos nosotros nuestra nuestro nunca o otra otro para pero poco
por porque pues que quien se sea ser si siempre sin sobre solo son soy su sus tambien tan tanto te tengo tiene todo
todos tu tus un una uno unos va y ya yo
"""
EVERYDAY: frozenset[str] = frozenset(_ENGLISH.split()) | frozenset(_SPANISH.split())
"""In small letters, without accents."""


def everyday(phrase: str) -> bool:
    """Whether the phrase is one such word, case and accents aside."""
    plain = unicodedata.normalize("NFKD", phrase.strip().casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter)) in EVERYDAY
