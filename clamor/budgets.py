"""What the sources of a home have used up of their caps, and what people are told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clamor.commands.search import when
from clamor.opening import Opened
from config.sources import Collected
from ingest.budget import Budgets, SourceBudget, Spent, spent_of
from ingest.caps import Rank
from ingest.wanted import Wanted

LAST = 100
_KINDS: dict[Rank, str] = {"competitor": "competitors", "category": "categories", "own": "own brands"}


def budget_of(opened: Opened, source: Collected, wanted: Callable[[], Sequence[Wanted]]) -> SourceBudget | None:
    """None: nothing is capped or counted there."""
    return Budgets(opened.engine, opened.clock).of(source, wanted)


def count_besides(opened: Opened, source: Collected, used: tuple[int, int]) -> None:
    """(requests, units) that were used up besides collecting, by a test of the access or a look at an account. Too
    little to be refused where a cap is reached; the collectors wait the longer for it. Raises Transient."""
    budget = budget_of(opened, source, tuple)
    requests, cost = used
    if budget is not None and (requests or cost):
        budget.spent(source.id, cost, requests, opened.clock.wall())


def budgets(opened: Opened) -> list[Spent]:
    """Of each source in force that has caps or costs, in the order of the configuration; then of its brands."""
    now = opened.clock.wall()
    sources = [one for one in opened.registry.sources() if isinstance(one, Collected)]
    return [one for source in sources for one in spent_of(opened.engine, source, now)]


def caps_reached(opened: Opened) -> dict[str, str]:
    """Of each cap of which 50, 80 or 100 % was reached in this period: the key of a trouble, and what is told."""
    reached = [one for one in budgets(opened) if one.level and one.limit is not None]
    return {f"budget:{one.source}:{one.brand}:{one.measure}:{one.since}:{one.level}": _told(one) for one in reached}


def _told(one: Spent) -> str:
    names = [name for rank, name in _KINDS.items() if rank in one.left_out]
    if one.brand and one.level >= LAST:
        after = "it is not asked for any more"
    elif "urgent" in one.left_out:
        after = "nothing is asked for any more"
    elif names:
        kept = "what is left is kept for brands with an open incident"
        after = f"{_listed(names)} are not asked for any more" + (f", {kept}" if "own" in one.left_out else "")
    else:
        after = "competitors are left out first, then categories, then own brands"
    setting = "`budget: brands`" if one.brand else f"`budget: {one.measure}`"
    return (
        f"{one.told} ({one.level} % reached): {after}, until {when(one.until)} UTC; raise {setting} of the source, or "
        "listen for less; what is left out stands in clamor coverage as spend cap"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
