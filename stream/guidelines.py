"""What the labels of one reading may be together, and the queue that they give: the guidelines, for whoever reads.

A complaint is negative and praise is positive, who threatens to leave is not pleased, a level above 0 goes with a
negative reputation, and level 3 with an issue, a complaint, a request or a threat to leave. A category has no
reputation, so no level either.
"""

from __future__ import annotations

from msgspec.structs import replace

from stream.records import Queue, Scores, Term, Understanding

SEVERE = 3
"""The level that is a matter for pr, whatever the intent."""
SEVERITY, ISSUE, LEAVING = "severity", "public issue", "leaving"
"""Names of the risk terms of the level, of a public issue and of a threat to leave; others are of cues."""
LEAST = 1.0
"""Risk terms of fewer points are left out."""
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


def of_category(read: Understanding) -> Understanding:
    """A reading towards a brand, as one of a category: without reputation and level, and what rests on them.

    The queue is that of the intent; risk terms of the level and of leaving go, cues count by the public issue alone.
    """
    if read.reputation is None:
        return read
    issue = read.intent.p[0]
    share = issue / max(read.reputation.p[0], issue, 1e-9)
    kept = [one for one in read.terms if one.name not in (SEVERITY, LEAVING)]
    cues = [one if one.name == ISSUE else Term(one.name, round(one.points * share, 1), one.why) for one in kept]
    return replace(
        read,
        reputation=None,
        detractor=Scores("0", (1.0, 0.0, 0.0, 0.0)),
        suggested=queue_of(read.intent.label, 0, read.suggested == "support"),
        terms=tuple(one for one in cues if one.points >= LEAST),
        review=tuple(head for head in read.review if head not in ("reputation", "detractor")),
    )
