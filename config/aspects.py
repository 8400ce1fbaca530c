"""What of a brand posts speak about, as people write it: phrases beside the shipped ones, or in their place."""

from __future__ import annotations

import re
from itertools import islice, product
from math import prod
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

SHIPPED = (
    "delivery", "price", "billing", "refund", "app", "website", "support", "staff", "quality", "availability", "store",
    "luggage", "punctuality", "cancellation", "security", "food", "accessibility", "network", "booking", "comfort",
)  # fmt: skip
"""Ids of the aspects that Clamor ships."""

GAP = "..."
"""In a phrase: some other words may stand here."""
FORMS = 100
"""Forms that the brackets of one side of a phrase may make, at most."""
_TRIED = 100_000
_LETTER = re.compile(r"[^\W_]")
_CHOICE = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")


def phrase(text: str) -> str:
    """The text, when it is a phrase that can be looked for. Raises ValueError."""
    sides = text.split(GAP)
    if len(sides) > 2:
        raise ValueError(f"more than one {GAP} in a phrase: write two phrases")
    for side in sides:
        if re.search(r"[()|]", _CHOICE.sub("", side)):
            raise ValueError(f"brackets hold what may stand there, (is|was), none in another, no {GAP} in them")
        found = forms(side)
        if len(found) > FORMS or prod(one.count("|") + 1 for one in _CHOICE.findall(side)) > _TRIED:
            raise ValueError(f"the brackets make more than {FORMS} forms: write several phrases")
        if not all(map(_LETTER.search, found)):
            where = f"on each side of {GAP}" if len(sides) == 2 else "in the phrase"
            raise ValueError(f"no letter or digit {where}: write the words that people use")
        if any("=" in word[1:] or word == "=" for form in found for word in form.split()):
            raise ValueError("an = stands before a word that is meant as written, without a blank: '=fare'")
    return text


def forms(side: str) -> list[str]:
    """What `side` of a phrase stands for: `(is|was) late` is `is late` and `was late`, `(very|) late` also `late`.

    Of more than FORMS those up to there and one more.
    """
    pieces = _CHOICE.split(side)
    choices = [[piece] if n % 2 == 0 else list(dict.fromkeys(piece.split("|"))) for n, piece in enumerate(pieces)]
    found: dict[str, None] = {}
    for one in islice(product(*choices), _TRIED):
        found[" ".join("".join(one).split())] = None
        if len(found) > FORMS:
            break
    return list(found)


Phrase = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(phrase)
]  # fmt: skip


class Phrases(BaseModel):
    """A word stands for its inflections, `=word` as written; `a ... b` may have words between, `(a|b)` is either."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    en: tuple[Phrase, ...] = ()
    """English phrases in which it means something else."""
    es: tuple[Phrase, ...] = ()
    """Spanish phrases in which it means something else."""


class Aspect(BaseModel):
    """One of the ids SHIPPED, or of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: Slug
    """Stands in mentions and in queries (`aspect:delivery`)."""
    mode: Literal["extend", "replace", "off"] = "extend"
    """`extend`: its phrases count beside those that there are; `replace`: in their place; `off`: it is never found."""
    en: tuple[Phrase, ...] = ()
    """English phrases, looked for in all posts but Spanish ones."""
    es: tuple[Phrase, ...] = ()
    """Spanish phrases, looked for in all posts but English ones."""
    unless: Phrases = Phrases()
