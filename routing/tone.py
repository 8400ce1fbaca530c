"""What was read in a text beside the labels that decide, in words for people; no word of the text."""

from __future__ import annotations

from stream.records import EMOTIONS, NO_YES, Labels, Mention, Scores, Understanding


def in_words(mention: Mention) -> list[str]:
    """Sentences; none where nothing of it was read."""
    understanding = mention.understanding
    if understanding is None:
        return []
    heads = _heads(understanding)
    return [
        *([f"Of the text: {'; '.join(heads)}."] if heads else []),
        *([f"It speaks of {', '.join(understanding.aspects)}."] if understanding.aspects else []),
    ]


def _heads(understanding: Understanding) -> list[str]:
    found = [
        _yes_or_no("complaint", understanding.complaint),
        _several(understanding.emotion),
        _yes_or_no("irony", understanding.irony),
        _yes_or_no("offensive", understanding.offensive),
    ]
    return [words for words in found if words]


def _yes_or_no(name: str, scores: Scores | None) -> str:
    return "" if scores is None else f"{name} {scores.label} ({scores.p[NO_YES.index(scores.label)]:.2f})"


def _several(found: Labels | None) -> str:
    if found is None:
        return ""
    felt = [f"{name} ({p:.2f})" for name, p in zip(EMOTIONS, found.p, strict=True) if name in found.labels]
    return f"emotion {', '.join(felt) or 'none'}"
