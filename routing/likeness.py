"""Accounts that look like a brand's own and are not: by their handle or their shown name.

The skeleton of a name is what remains when letters that look alike are one (after the idea of Unicode TS 39, section 4,
with a small table of the pairs that are met in handles: digits for letters, Cyrillic and Greek for Latin, `rn` for
`m`). Two names with one skeleton look the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from config.brands import Brand
from stream.records import Author

SHORTEST_SAME, SHORTEST_NEAR = 4, 6
"""Characters of a skeleton from which on the same one, or one that differs in a sign, is more than chance."""
_ALIKE = str.maketrans(
    "01345789il|!$@" + "аеорсухіѕјкмтвнгԁԛһӏ" + "αεορυχικντβημ",
    "oleastbgllllsa" + "aeopcyxlsjkmtbhrdqhl" + "aeopyxlkvtbhm",
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_ADDED = (
    "help", "support", "official", "care", "service", "team", "info", "news", "giveaway", "refund",
    "oficial", "ayuda", "soporte", "atencion", "servicio",
)  # fmt: skip
"""Words that are put beside a brand's handle to pass for its service."""
_NO_LETTER = re.compile(r"[^\w]|_")


def skeleton(name: str) -> str:
    """Two names that look the same have the same one; empty where nothing is left."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = _NO_LETTER.sub("", plain.translate(_ALIKE))
    for pair, one in _PAIRS:
        plain = plain.replace(pair, one)
    return plain


def resembles(brand: Brand, network: str, author: Author) -> str:
    """Why the author may pass for the brand, in words; empty: it is one that the brand knows, or does not look like it.

    A brand that names no account of its own cannot be told from others.
    """
    if not brand.accounts or _known(brand, network, author):
        return ""
    handle = skeleton(_local(author.handle or ""))
    for own in _own(brand):
        looks = skeleton(_local(own))
        if len(looks) >= SHORTEST_SAME and handle == looks:
            return f"its handle looks the same as {own}"
        if len(looks) >= SHORTEST_SAME and handle in {f"{looks}{word}" for word in _SKELETONS} | {
            f"{word}{looks}" for word in _SKELETONS
        }:
            return f"its handle is {own} with a word beside it"
        if len(looks) >= SHORTEST_NEAR and _one_apart(handle, looks):
            return f"its handle differs in one sign from {own}"
    shown = skeleton(author.name or "")
    for name in (brand.name, *brand.aliases):
        if len(skeleton(name)) >= SHORTEST_SAME and shown == skeleton(name):
            return f"it calls itself {name}"
    return ""


_SKELETONS = frozenset(map(skeleton, _ADDED))


def _own(brand: Brand) -> Iterable[str]:
    return dict.fromkeys((*(account.partition(":")[2] or account for account in brand.accounts), *brand.handles))


def _known(brand: Brand, network: str, author: Author) -> bool:
    """Whether the configuration says whose account it is."""
    listed = (*brand.accounts, *brand.press, *brand.rivals, *brand.customers, *brand.handles)
    return any(is_account(account, network, author) for account in listed)


def is_account(listed: str, network: str, author: Author) -> bool:
    """Whether an entry of a brand's lists, `network:handle` or `@handle`, is this account. Networks without handles are
    named by their ids."""
    names = {name.lstrip("@").casefold() for name in (author.handle, author.id) if name}
    of, _, handle = listed.rpartition(":") if not listed.startswith("did:") else ("", "", listed)
    return of.casefold() in ("", network.casefold()) and handle.lstrip("@").casefold() in names


def _local(handle: str) -> str:
    """`acme` of `@acme`, `acme@social.example`, `acme.bsky.social`, `acme.example`."""
    return handle.lstrip("@").partition("@")[0].partition(".")[0]


def _one_apart(one: str, other: str) -> bool:
    """One sign more, less, another, or two neighbours changed round."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if len(one) == len(other):
        turned = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
        return one[at + 1 :] == other[at + 1 :] or turned
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer[at + 1 :] == shorter[at:]
