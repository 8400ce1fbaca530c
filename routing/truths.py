"""Whether each part of the rules was true of a mention, in some letters: what a decision is replayed from.

The parts are the words, phrases and comparisons of all rules, each once, in the rules' order; part n has bit n. A
record is a digest of them all, the bits of those that were asked, and the bits of those that were true. By the digest a
release which reads the rules of that day otherwise notices it and misreads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from query.predicate import leaves
from query.tree import Node
from query.unparse import unparse


class Unreadable(ValueError):
    """A record that was made of other parts."""


class Truths(NamedTuple):
    asked: int
    true: int


class Parts:
    """The parts of these queries."""

    def __init__(self, queries: Iterable[Node]) -> None:
        self.leaves = tuple(dict.fromkeys(leaf for query in queries for leaf in leaves(query)))
        self.bit: dict[Node, int] = {leaf: 1 << n for n, leaf in enumerate(self.leaves)}
        named = "\n".join(map(unparse, self.leaves))
        self.digest = blake2b(named.encode(), digest_size=4).hexdigest()

    def written(self, found: Truths) -> str:
        return f"{self.digest}.{found.asked:x}.{found.true:x}"

    def read(self, record: str) -> Truths:
        """Raises Unreadable."""
        digest, _, words = record.partition(".")
        if digest != self.digest:
            raise Unreadable(f"the record was made of parts with the digest {digest}, these have {self.digest}")
        asked, _, true = words.partition(".")
        try:
            found = Truths(int(asked, 16), int(true, 16))
        except ValueError:
            raise Unreadable("the record holds no two numbers") from None
        if found.asked >> len(self.leaves) or found.true & ~found.asked or min(found) < 0:
            raise Unreadable(f"the record tells of other parts than the {len(self.leaves)} that there are")
        return found
