"""Which spans of a post's text made it match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from query.document import Document
from query.text import stems
from query.tree import And, Near, Node, Or, Phrase, Prefix, Word
from stream.records import Mention


def highlights(query: Node, mention: Mention) -> tuple[tuple[int, int], ...]:
    """Spans [start, end) of `mention.post.text`, in order, none touching another; what is negated gives none."""
    sought = list(sought_in(query))
    if not sought or mention.post is None:
        return ()
    document = Document(mention)
    skipped = len(document.title.surfaces)
    surfaces = document.surfaces
    found = {at - skipped for node in sought for at in _positions(node, surfaces) if at >= skipped}
    spans = document.text.spans
    return _merged([spans[at] for at in sorted(found)])


def sought_in(node: Node) -> Iterator[Word | Phrase | Near | Prefix]:
    """The words and phrases that a query looks for; what it negates is left out."""
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from sought_in(part)
    elif isinstance(node, Word | Phrase | Near | Prefix):
        yield node


def _positions(node: Word | Phrase | Near | Prefix, surfaces: Sequence[str]) -> Iterator[int]:
    match node:
        case Word(surface):
            wanted = set(stems(surface))
            yield from (at for at, found in enumerate(surfaces) if not wanted.isdisjoint(stems(found)))
        case Prefix(start):
            yield from (at for at, found in enumerate(surfaces) if found.startswith(start))
        case Phrase(sought):
            size = len(sought)
            for at in range(len(surfaces) - size + 1):
                if tuple(surfaces[at : at + size]) == sought:
                    yield from range(at, at + size)
        case Near(left, right, distance):
            lefts = [at for at, found in enumerate(surfaces) if found == left]
            rights = [at for at, found in enumerate(surfaces) if found == right]
            for one in lefts:
                for other in rights:
                    if one != other and abs(one - other) - 1 <= distance:
                        yield from (one, other)


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
