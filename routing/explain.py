"""A decision in words, from what is stored of it: neither model nor text is asked again."""

from __future__ import annotations

from query.document import Document
from query.labels import Labels, labels, overruled, read_labels
from routing.decide import PERSON, held_for_review, text_terms
from routing.rules import LEFT_OUT, NO_RULE, RuleSet, filled, sentence
from stream.records import Correction, Decision, Mention
from stream.spam import in_words as spam_in_words


def in_words(mention: Mention, rules: RuleSet | None = None, language: str = "en") -> list[str]:
    """Sentences, the most important first; one sentence where the mention is not decided.

    `rules` are those of the decision's revision, where they are at hand: they know the reason in `language`.
    """
    decision = mention.decision
    if decision is None:
        return [f"{mention.id} is {mention.state}: nothing is decided about it"]
    lines = [f"Queue {decision.queue}, priority {decision.priority}: {_why(mention, decision, rules, language)}."]
    if decision.rule == PERSON:
        otherwise = f" Without that word rule {decision.overruled} decides." if decision.overruled else ""
        lines.append(f"{decision.person} decided it.{otherwise}")
    elif decision.rule == LEFT_OUT:
        lines.append("It is kept, and neither counted nor routed; no rule was asked.")
    elif decision.rule == NO_RULE:
        lines.append(f"No rule of revision {decision.rules_revision} asks for it.")
    else:
        lines.append(f"Rule {decision.rule}, revision {decision.rules_revision} of the rules.")
    if decision.facts:
        lines.append("; ".join(f"{part} is {str(holds).lower()}" for part, holds in decision.facts.items()) + ".")
    if decision.terms:
        terms = "; ".join(f"{term.name} {term.points:+g} ({term.why})" for term in decision.terms)
        lines.append(f"Risk {decision.risk} of 100: {terms}.")
    else:
        lines.append(f"Risk {decision.risk} of 100.")
    lines.append(f"Read by {decision.model or 'no model'} ({decision.tier}), generation {decision.generation}.")
    if decision.provisional:
        lines.append("That was under overload: the model in force will read it anew.")
    spam = _spam(mention)
    if spam:
        lines.append(f"It looks like spam: {spam_in_words(spam, language)}.")
    if mention.correction is not None:
        stale = "; the text has changed since" if mention.correction.stale else ""
        lines.append(f"{mention.correction.person} stated: {stated(mention.correction)}{stale}.")
        lines += _followed(mention, mention.correction)
    if decision.assign:
        lines.append(f"A case that nobody has goes to {', else '.join(decision.assign)}.")
    if decision.deadline:
        lines.append(f"Deadline {decision.deadline}.")
    if decision.crm:
        lines.append(f"Its case is posted to {decision.crm}, once.")
    if held_for_review(mention):
        heads = ", ".join(mention.understanding.review) if mention.understanding is not None else ""
        lines.append(f"It is held: the model is unsure of {heads}, and wakes nobody until a person has looked at it.")
    elif decision.alert:
        lines.append(
            "It asks that people be told" + ("." if decision.may_wake else ", but it came too late to wake them.")
        )
    return lines


def stated(correction: Correction) -> str:
    """What a person said, in words."""
    heads = ("sentiment", "reputation", "intent", "detractor", "queue")
    said = [f"{head} {_plain(label)}" for head in heads if (label := getattr(correction, head)) is not None]
    if correction.about is not None:
        said.append("that it means the brand" if correction.about else "that it does not mean the brand")
    return ", ".join(said) or "nothing"


def _followed(mention: Mention, correction: Correction) -> list[str]:
    """What nobody stated, and is not as it was read since a person stated something else."""
    read = mention.understanding
    if read is None or not overruled(mention):
        return []
    pairs = zip(Labels._fields, labels(mention), read_labels(read), strict=True)
    moved = [
        f"{head} {_plain(now)} (read: {_plain(was)})"
        for head, now, was in pairs
        if now != was and getattr(correction, head, None) is None
    ]
    kept = text_terms(mention, read)
    left = [term.name for term in read.terms if term not in kept]
    said = [", ".join(moved)] if moved else []
    if left:
        said.append(f"left out of the risk: {', '.join(left)}")
    return [f"From that follows: {'; '.join(said)}."] if said else []


def _plain(label: str | None) -> str:
    return (label or "unknown").replace("_", " ")


def _spam(mention: Mention) -> tuple[str, ...]:
    read = mention.understanding
    return (read.spam if read is not None else ()) + mention.spam


def _why(mention: Mention, decision: Decision, rules: RuleSet | None, language: str) -> str:
    rule = rules.named(decision.rule) if rules is not None and rules.revision == decision.rules_revision else None
    if rule is None or rules is None:
        return decision.why
    if decision.record:
        return filled(rule.why.get(language) or rule.why["en"], decision.words)
    return sentence(rule, Document(mention), language, rules.said(mention))
