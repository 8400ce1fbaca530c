"""A model learnt from the team's corrections: kept only where it gains on corrections that it has not seen.

The model that it starts from stays as it is. What is learnt lies in a draft until it has been weighed. Heads that
nobody can correct (SAID) are not taught, and have to say of other posts what they said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nlp.classifier import Floats, Passage, softmax
from nlp.encoder import TransformerClassifier, read_card
from nlp.own.labelled import Kept, Labelled, marks
from nlp.own.measure import Figure, Gain, Labels, Same, alike, figures, gain, read_labels
from nlp.pieces import FILE, passage_text

if TYPE_CHECKING:
    from nlp.own.learn import Plan

ENOUGH = 100
"""Corrections to begin with."""
SHARES = 6
"""Of rows, by their words: two of so many are measured on, one sets the temperatures, the others are learnt from."""
MOST_LOST = 0.01
"""Of a head's macro-F1."""
LEAST_SAME = 0.99
"""Of the posts that were kept aside: so many have to keep the label of a head that nobody can correct."""
MEASURED_POSTS = 1_000
"""That nobody corrected, at most a quarter of them: calibrated and compared on, not learnt from."""
FEW_POSTS = 100
"""Of the home: with fewer, written ones that were held out are compared on as well."""
_REMADE = ("format", "shape", "proof", "figures")
"""Of a card: what holds for its own weights alone."""
_TEMPERATURES = np.geomspace(0.5, 2.0, 81)


class Weighed(NamedTuple):
    """The new model against the one that it was learnt from."""

    gain: Gain
    corrections: list[Figure]
    """On the corrections that were held out."""
    written: list[Figure]
    """On the written posts that were held out."""
    same: Sequence[Same] = ()
    """Of the heads that nobody can correct, on posts that nobody corrected and that were kept aside."""

    @property
    def reasons(self) -> list[str]:
        """Why it is not kept; none: it is."""
        out = []
        if self.gain.low <= 0:
            out.append(
                f"the gain on corrections that were held out is not certain: {_points(self.gain.mean)} points, with "
                f"95 % between {_points(self.gain.low)} and {_points(self.gain.high)}"
            )
        for what, found in (("corrections", self.corrections), ("written posts", self.written)):
            for one in found:
                lost = (one.other or 0.0) - one.f1
                if lost > MOST_LOST:
                    out.append(f"head {one.head} loses {lost * 100:.1f} points on {what} that were held out")
        out += [
            f"head {same.head} says what it said of {percent(same.share)} only of {same.posts:,} posts that were kept "
            f"aside: {LEAST_SAME:.0%} are asked for, since nobody has corrected it"
            for same in self.same
            if same.share < LEAST_SAME
        ]
        return out


class Shares(NamedTuple):
    learnt: list[Labelled]
    fitted: list[Labelled]
    """Temperatures are set on them."""
    held: list[Labelled]
    """Nothing is set on them: they are measured on."""


def shares(rows: Sequence[Labelled]) -> Shares:
    """The same words stand in the same share, today and tomorrow."""
    found = Shares([], [], [])
    for row in rows:
        at = int(row.key[:8], 16) % SHARES
        (found.held if at < 2 else found.fitted if at == 2 else found.learnt).append(row)
    return found


def train(
    base: Path,
    draft: Path,
    kept: Kept,
    written: Sequence[Labelled],
    told: Mapping[str, Any],
    plan: Plan | None = None,
) -> Weighed:
    """Writes the new model to `draft` and weighs it. `told`: name, version and what else its card is to say.

    Raises ValueError: too few corrections, none that is held out, a model that cannot be learnt from, a loss that is no
    number; ImportError where torch is not installed."""
    if len(kept.corrections) < ENOUGH:
        raise ValueError(too_few(len(kept.corrections)))
    mine, ours = shares(kept.corrections), shares(written)
    if not mine.held or not mine.learnt:
        raise ValueError("all corrections are of the same words: there is nothing to measure on")
    aside = min(MEASURED_POSTS, len(kept.posts) // 4)
    from nlp.own.learn import learnt

    arrays = learnt(base, mine.learnt, [*ours.learnt, *ours.fitted], kept.posts[aside:], plan)
    card = {**read_card(base), **told}
    write(draft, base, arrays, card)
    old, new = TransformerClassifier(base), TransformerClassifier(draft)
    card["heads"] = calibrated(new, old, card, mine.fitted, kept.posts[:aside])
    write(draft, base, arrays, card)
    return weigh(old, TransformerClassifier(draft), mine.held, ours.held, kept.posts[:aside])


def write(folder: Path, base: Path, arrays: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    from nlp.own.graph import export

    made = {name: value for name, value in card.items() if name not in _REMADE}
    export(arrays, made, json.loads((base / FILE).read_text("utf-8")), folder)


def weigh(
    old: TransformerClassifier,
    new: TransformerClassifier,
    held: Sequence[Labelled],
    written: Sequence[Labelled],
    posts: Sequence[Passage],
) -> Weighed:
    """`held`, `written`: that were held out. `posts`: that nobody corrected, and that were not learnt from."""
    before, after = _said(old, held), _said(new, held)
    compared = list(posts)
    if len(compared) < FEW_POSTS:
        compared += [row.passage for row in written[: MEASURED_POSTS - len(compared)]]
    return Weighed(
        gain(held, after, before),
        figures(held, after, before),
        figures(written, _said(new, written), _said(old, written)) if written else [],
        alike(compared, new, old) if compared else [],
    )


def note(draft: Path, weighed: Weighed) -> None:
    """The draft's card says what was measured."""
    file = draft / "card.json"
    card = json.loads(file.read_text("utf-8"))
    card["figures"] = {
        "corrections held out": [one._asdict() for one in weighed.corrections],
        "written posts held out": [one._asdict() for one in weighed.written],
        "the same as before": [one._asdict() for one in weighed.same],
        "gain": weighed.gain._asdict(),
    }
    file.write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", "utf-8")


def too_few(count: int) -> str:
    return (
        f"{count} corrections are too few to learn from: at least {ENOUGH} are needed (by `clamor correct`); "
        "until then `clamor model evaluate` measures on them"
    )


def calibrated(
    new: TransformerClassifier,
    old: TransformerClassifier,
    card: Mapping[str, Any],
    fitted: Sequence[Labelled],
    posts: Sequence[Passage],
) -> dict[str, Any]:
    """The card's heads, each with the temperature under which the corrections `fitted`, and what the old model says of
    posts that nobody corrected, are likeliest. The bias of a class stays: corrections are no sample of the stream."""
    texts = [passage_text(row.passage, row.passage.targets[0]) for row in fitted]
    free = [passage_text(post, target) for post in posts for target in post.targets]
    mine, mine_free, theirs = new.logits(texts), new.logits(free), old.logits(free)
    heads: dict[str, Any] = {}
    start = 0
    for name, head in card["heads"].items():
        end = start + len(head["classes"])
        wanted = _targets(name, end - start, fitted)
        labels = np.concatenate([wanted, softmax(_scaled(theirs[:, start:end], head))])
        logits = np.concatenate([mine[:, start:end], mine_free[:, start:end]]).astype(np.float64)
        heads[name] = head if name == "emotion" else {**head, "temperature": _temperature(logits, labels, head)}
        start = end
    return heads


def _targets(name: str, classes: int, rows: Sequence[Labelled]) -> Floats:
    """[rows, classes]; a row of zeros where the post has no label of this head."""
    out = np.zeros((len(rows), classes))
    for row, one in zip(out, rows, strict=True):
        said = marks(one)
        if name in said:
            row[said[name]] = 1.0
    return out


def _temperature(logits: Floats, labels: Floats, head: Mapping[str, Any]) -> float:
    before = float(head.get("temperature", 1.0))
    if not labels.any():
        return before
    tried = [before * float(one) for one in _TEMPERATURES]
    losses = [-(labels * np.log(softmax(_scaled(logits, {**head, "temperature": one})) + 1e-12)).sum() for one in tried]
    return round(tried[int(np.argmin(losses))], 4)


def _scaled(logits: Any, head: Mapping[str, Any]) -> Floats:
    out: Floats = logits.astype(np.float64) / float(head.get("temperature", 1.0)) + np.array(head.get("bias", 0.0))
    return out


def _said(classifier: TransformerClassifier, rows: Sequence[Labelled]) -> dict[str, Labels]:
    return read_labels(classifier, [row.passage for row in rows])


def percent(share: float) -> str:
    """Cut off, not rounded: what is below a bound is not shown as if it were on it."""
    return f"{math.floor(share * 1000) / 10:.1f} %"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
