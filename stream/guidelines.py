"""What the labels of one reading may be together, and the queue that they give: the guidelines, for whoever reads.

A complaint is negative and praise is positive, who threatens to leave is not pleased, a level above 0 goes with a
negative reputation, and level 3 with an issue, a complaint, a request or a threat to leave. A category has no
reputation, so no level either.
"""

from __future__ import annotations

from stream.records import Queue

SEVERE = 3
"""The level that is a matter for pr, whatever the intent."""
_MAY_BE_SEVERE = frozenset({"public_issue", "churn_threat", "help_request", "complaint"})


def allowed(reputation: str | None, intent: str, level: int) -> bool:
    """`reputation` is None of a category."""
    if level and reputation != "negative":
        return False
    if level == SEVERE and intent not in _MAY_BE_SEVERE:
        return False
    if intent == "complaint":
        return reputation in ("negative", None)
    if intent == "praise":
        return reputation in ("positive", None)
    return intent != "churn_threat" or reputation != "positive"


def queue_of(intent: str, level: int, act: bool) -> Queue:
    """The queue that the guidelines give. `act`: an agent can act on it (it matters for a complaint only)."""
    if intent == "public_issue" or level == SEVERE:
        return "pr"
    if intent == "purchase_interest":
        return "sales"
    if intent in ("help_request", "churn_threat") or (intent == "complaint" and act):
        return "support"
    return "none"
