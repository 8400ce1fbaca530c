"""Canned replies: words that were agreed on, with places for who is answered."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from config.brands import Slug
from config.section import Section

PLACES: Mapping[str, str] = {
    "author": "whom the reply is for, as the network shows the name",
    "brand": "the brand's name",
    "case": "the case's tracking key, such as ACM-2026-000123",
}


def template(text: str) -> str:
    """The text, when its places are known. Raises ValueError."""
    known = ", ".join(f"{{{name}}}" for name in PLACES)
    try:
        found = [(name, spec, how) for _, name, spec, how in string.Formatter().parse(text) if name is not None]
    except ValueError:
        raise ValueError(f"a brace is not closed: write {known}, or a doubled brace") from None
    for name, spec, how in found:
        if name not in PLACES or spec or how:
            raise ValueError(f"{{{name}}} has no meaning here: use {known}, or a doubled brace")
    return text


Template = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5_000), AfterValidator(template)
]


class Reply(Section):
    id: Slug
    """What `clamor case reply --template` calls it."""
    en: Template | None = None
    """The English words. `{author}`, `{brand}` and `{case}` are filled in."""
    es: Template | None = None
    """The Spanish words."""
    brands: tuple[Slug, ...] = ()
    """Brands that it may be used for. Empty: all."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.en is None and self.es is None:
            raise ValueError("it has no words: write `en: …`, `es: …`, or both")
        return self

    def filled(self, language: Literal["en", "es"], values: Mapping[str, str]) -> str | None:
        """The words in this language, with `values` for PLACES; None where it has none."""
        words = self.en if language == "en" else self.es
        return words.format_map(values) if words is not None else None
