"""Which posts of a firehose are worth a look: those that may name a brand.

Whatever brand matching finds passes (it looks for the same token sequences, and then asks more of them); what passes
need not be about a brand. A post that is about a brand only by the post that it answers is not found by its text: a
firehose brings such posts where they name a brand too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from config.brands import Brand
from query import address
from query.text import analyse, spellings


def compile_prefilter(brands: Iterable[Brand]) -> Callable[[str], bool]:
    """`may_match(text)`, true where the text holds a name, alias, handle, hashtag or own account of one of the brands,
    or links to one whose name is an address.

    A post is asked with `title + "\\n" + text`, followed by its author's handle on a line of its own, so that the
    brands' own posts pass. Without brands nothing passes.
    """
    single: set[str] = set()
    runs: dict[str, list[str]] = {}
    links: set[str] = set()
    for brand in brands:
        accounts = [account.rpartition(":")[2] for account in brand.accounts]
        for name in (brand.name, *brand.aliases, *brand.handles, *brand.hashtags, *accounts):
            if form := address.whole(name):
                links.add(form)
                continue
            for surfaces in spellings(name):
                if len(surfaces) == 1:
                    single.add(surfaces[0])
                else:
                    runs.setdefault(surfaces[0], []).append(f" {' '.join(surfaces)} ")
    apart = frozenset(single).isdisjoint
    begins = frozenset(runs)
    elsewhere = frozenset(host for form in links for host in address.hosts(form)).isdisjoint

    def may_match(text: str) -> bool:
        analysis = analyse(text)
        surfaces = analysis.surfaces
        if not apart(surfaces):
            return True
        if not elsewhere(surfaces) and any(form in links for form, _ in address.linked(analysis)):
            return True
        begun = begins.intersection(surfaces)
        if not begun:
            return False
        line = f" {' '.join(surfaces)} "
        return any(run in line for first in begun for run in runs[first])

    return may_match
