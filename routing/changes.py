"""What moved between two decisions about one mention, and what was behind it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from routing.explain import stated
from stream.records import Correction, Decision, Term, Understanding


class Stand(NamedTuple):
    """A decision with what it rested on, where that is kept."""

    decision: Decision
    read: Understanding | None = None
    correction: Correction | None = None


def stand(decision: Decision, read: Understanding | None = None, correction: Correction | None = None) -> Stand:
    """`read`, `correction`: the mention's, for the decision in force; one that was replaced has its own."""
    return Stand(decision, decision.read or read, decision.correction or correction)


def changed(before: Stand, after: Stand) -> list[str]:
    """Sentences: what is otherwise, then what was behind it; none where nothing that is kept says so."""
    moved, behind = list(_moved(before.decision, after.decision)), list(_behind(before, after))
    lines = [f"{'; '.join(moved)}."] if moved else []
    return [*lines, f"Behind it: {'; '.join(behind)}."] if behind else lines


def _moved(old: Decision, new: Decision) -> Iterator[str]:
    for what, was, now in (
        ("queue", old.queue, new.queue),
        ("rule", old.rule, new.rule),
        ("priority", old.priority, new.priority),
        ("tags", ", ".join(old.tags) or "none", ", ".join(new.tags) or "none"),
        ("asks for an alert", _yes(old.alert), _yes(new.alert)),
        ("case for", ", ".join(old.assign) or "nobody", ", ".join(new.assign) or "nobody"),
        ("deadline", old.deadline or "of its queue", new.deadline or "of its queue"),
        ("case posted to", old.crm or "nowhere", new.crm or "nowhere"),
        ("held while the model is unsure", _yes(old.hold), _yes(new.hold)),
    ):
        if was != now:
            yield f"{what} {was} -> {now}"
    terms = ", ".join(_terms(old.terms, new.terms))
    if old.risk != new.risk or terms:
        yield f"risk {old.risk} -> {new.risk}" + (f" ({terms})" if terms else "")


def _terms(old: tuple[Term, ...], new: tuple[Term, ...]) -> Iterator[str]:
    was, now = ({term.name: term.points for term in terms} for terms in (old, new))
    for name in dict.fromkeys((*was, *now)):
        if name not in now:
            yield f"without {name}"
        elif name not in was:
            yield f"{name} {now[name]:+g}"
        elif was[name] != now[name]:
            yield f"{name} {was[name]:g} -> {now[name]:g}"


def _behind(before: Stand, after: Stand) -> Iterator[str]:
    old, new = before.decision, after.decision
    word, spoken = after.correction, before.correction.at if before.correction is not None else old.decided_at
    if word is not None and word.at > spoken:
        yield f"{word.person} stated {stated(word)}"
    elif word is not None and before.correction is not None and word.stale != before.correction.stale:
        yield f"the text has changed since {word.person} spoke"
    if old.rules_revision != new.rules_revision:
        yield f"rules of revision {old.rules_revision} -> {new.rules_revision}"
    if old.brands_revision != new.brands_revision:
        yield f"brands of revision {old.brands_revision} -> {new.brands_revision}"
    if (old.model, old.tier) != (new.model, new.tier):
        yield f"read by {old.model or 'no model'} -> {new.model or 'no model'}"
    elif old.generation != new.generation:
        yield f"read anew, generation {old.generation} -> {new.generation}"
    if before.read is not None and after.read is not None:
        labels = list(_labels(before.read, after.read))
        if labels:
            yield f"read as {', '.join(labels)}"


def _labels(old: Understanding, new: Understanding) -> Iterator[str]:
    for head in ("sentiment", "reputation", "intent", "detractor"):
        was, now = (scores.label if (scores := getattr(one, head)) is not None else "unknown" for one in (old, new))
        if was != now:
            yield f"{head} {was.replace('_', ' ')} -> {now.replace('_', ' ')}"


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
