"""What a query leaves out unless it asks: mentions of posts that do not mean the brand."""

from __future__ import annotations

from query.predicate import leaves
from query.tree import And, Equals, Node, Not

ABOUT = "about"


def asks(query: Node) -> bool:
    """Whether the query says anything about mentions that are set aside."""
    return any(getattr(leaf, "field", None) == ABOUT for leaf in leaves(query))


def shown(query: Node) -> Node:
    """The query as every store answers it: without what is set aside, unless it asks for that."""
    return query if asks(query) else And((query, Not(Equals(ABOUT, False))))
