"""Foreign text made harmless for a header, a plain text and a link. HTML is escaped by the templates."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, urlsplit

MOST_LINK = 2_000
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows, with which a text could rewrite the lines around it."""


def for_header(text: str, most: int = 120) -> str:
    """One line of visible characters, at most `most`."""
    shown = "".join(" " if _breaks(c) else c for c in text[: most * 4] if c not in _TURNING)
    return shortened(re.sub(r"\s+", " ", shown).strip(), most)


def for_body(text: str, most: int) -> str:
    """Lines of visible characters, at most `most` in all; never three line ends in a row."""
    whole = text[: most * 2].replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    shown = "".join(c for c in whole if c not in _TURNING and (c in "\n\t" or not _breaks(c)))
    return shortened(re.sub(r"\n{3,}", "\n\n", shown).strip(), most)


def for_link(address: str | None) -> str:
    """A web address that can be clicked, in ASCII; empty for anything else."""
    if not address or len(address) > MOST_LINK or any(_breaks(c) or c.isspace() for c in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return quote(address, safe=":/?#[]@!$&'()*+,;=%~-._")


def shortened(text: str, most: int) -> str:
    """At most `most` characters, with an ellipsis where something was cut off."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _breaks(character: str) -> bool:
    """Control characters, lone surrogates, and characters that belong to nobody."""
    return unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co", "Zl", "Zp")
