"""Risk, 0 to 100, as a sum of named terms: what the text gives (from `nlp`) and what only history and reach can tell.

Reach and history weigh only on a mention that hurts: praise by a star is no risk. The points are ours; they are
settled so that no reach alone makes an ordinary complaint severe, and any severe text becomes urgent when it is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream.records import Metrics, Term

MOST_OF_TEXT = 60
TEXT_TERMS: tuple[str, ...] = (
    "severity", "public issue", "leaving", "safety", "access", "discrimination", "legal", "boycott", "press",
)  # fmt: skip
"""Names of the terms that a text can have."""
ADDED_TERMS: tuple[str, ...] = ("reach", "reactions", "spread", "history", "customer")
"""Names of the terms that only reach and history can give."""

_FOLLOWERS = (1_000, 10_000, 100_000, 1_000_000)
_FOLLOWER_POINTS = (0, 4, 9, 14, 18)
_REACTIONS = (10, 100, 1_000, 10_000)
_REACTION_POINTS = (0, 3, 8, 14, 20)
_HEAT = (3.0, 10.0, 30.0)
_HEAT_POINTS = (0, 5, 10, 16)
_COMPLAINTS = (2, 5)
_COMPLAINT_POINTS = (0, 4, 7)
_CUSTOMER_POINTS = {"valued": 4, "key": 8}


class History(NamedTuple):
    """What routing knows of a mention beside the post itself."""

    heat: float = 0.0
    """Negative mentions in its conversation just before, halved every 30 minutes."""
    complaints: int = 0
    """Negative mentions of this author about this brand before this one."""
    customer: str | None = None
    """`normal`, `valued` or `key` where the team keeps a list of customers."""


NOTHING_KNOWN = History()


def reach_bucket(followers: int | None, metrics: Metrics | None) -> tuple[int, int]:
    """(bucket of followers, bucket of reactions), 0 to 4 each: new metrics within the buckets change nothing."""
    return _bucket(_FOLLOWERS, followers or 0), _bucket(_REACTIONS, reactions(metrics))


def reactions(metrics: Metrics | None) -> int:
    """Likes, reposts and replies together."""
    if metrics is None:
        return 0
    return (metrics.likes or 0) + (metrics.reposts or 0) + (metrics.replies or 0)


def added_terms(followers: int | None, metrics: Metrics | None, history: History) -> tuple[Term, ...]:
    """The terms beside the text's, for a mention that hurts the brand; those without points are left out."""
    terms = []
    fans, reacted = reach_bucket(followers, metrics)
    if fans:
        terms.append(Term("reach", _FOLLOWER_POINTS[fans], f"the author has {_about(_FOLLOWERS[fans - 1])} followers"))
    if reacted:
        points = _REACTION_POINTS[reacted]
        terms.append(Term("reactions", points, f"it has {_about(_REACTIONS[reacted - 1])} likes, reposts and replies"))
    if history is not NOTHING_KNOWN:
        terms += _history_terms(history)
    return tuple(terms)


def risk_of(terms: Sequence[Term]) -> int:
    """The score: the text's terms up to 60, everything up to 100, never below 0."""
    text = sum(term.points for term in terms if term.name not in ADDED)
    added = sum(term.points for term in terms if term.name in ADDED)
    return max(0, min(100, round(min(text, MOST_OF_TEXT) + added)))


ADDED = frozenset({"reach", "reactions", "spread", "history", "customer"})


def _history_terms(history: History) -> list[Term]:
    terms = []
    heat = _bucket(_HEAT, history.heat)
    if heat:
        why = f"about {round(history.heat)} negative mentions in this conversation within the hour"
        terms.append(Term("spread", _HEAT_POINTS[heat], why))
    repeated = _bucket(_COMPLAINTS, history.complaints)
    if repeated:
        why = f"the author complained {history.complaints} times before"
        terms.append(Term("history", _COMPLAINT_POINTS[repeated], why))
    points = _CUSTOMER_POINTS.get(history.customer or "", 0)
    if points:
        terms.append(Term("customer", points, f"the author is a {history.customer} customer"))
    return terms


def _bucket(bounds: Sequence[float], value: float) -> int:
    return sum(1 for bound in bounds if value >= bound)


def _about(number: int) -> str:
    return f"{number:,} or more"
