"""What a model passes of the suite: rates with their intervals, as a table of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import NamedTuple

from training.behaviour.judge import Verdict
from training.behaviour.suite import LANGUAGES, Case

Z = 1.96


class Rate(NamedTuple):
    passed: int
    cases: int
    """Those without a verdict are left out."""

    @property
    def share(self) -> float:
        return self.passed / self.cases if self.cases else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Of 95 % (Wilson 1927)."""
        return wilson(self.passed, self.cases)


def wilson(passed: int, cases: int) -> tuple[float, float]:
    if not cases:
        return 0.0, 1.0
    share, square = passed / cases, Z * Z / cases
    middle = (share + square / 2) / (1 + square)
    reach = Z * sqrt(share * (1 - share) / cases + square / cases / 4) / (1 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def rate(verdicts: Sequence[Verdict], of: Callable[[Case], bool] = lambda case: True) -> Rate:
    held = [one.wrong for one in verdicts if one.wrong is not None and of(one.case)]
    return Rate(sum(not wrong for wrong in held), len(held))


def table(verdicts: Mapping[str, Sequence[Verdict]]) -> str:
    """Model → its verdicts, as Markdown: a line a capability, a column a model and language."""
    first = next(iter(verdicts.values()))
    titles = ["capability", "cases en + es", *(f"{model} {lang}" for model in verdicts for lang in LANGUAGES)]
    lines = ["| " + " | ".join(titles) + " |", "|---|---:|" + "---:|" * (len(titles) - 2)]
    for title, of in _lines(first):
        counts = [str(sum(of(one.case) and one.case.lang == lang for one in first)) for lang in LANGUAGES]
        cells = [title, " + ".join(counts)]
        for found in verdicts.values():
            cells += [_cell(rate(found, _both(of, lang))) for lang in LANGUAGES]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(verdicts: Sequence[Verdict]) -> list[str]:
    """One line a failed case."""
    return [
        f"{one.case.lang} {one.case.capability}{' ' + one.case.change if one.case.change else ''} "
        f"[{one.case.text.brand}] {one.case.text.text!r}: {'; '.join(one.wrong)}"
        for one in verdicts if one.wrong
    ]  # fmt: skip


def _lines(verdicts: Sequence[Verdict]) -> list[tuple[str, Callable[[Case], bool]]]:
    names = dict.fromkeys(one.case.capability for one in verdicts)
    lines = [(name.replace("_", " "), _capable(name)) for name in names]
    lines.append(("**all with an expected label**", lambda case: case.kind == "minimum"))
    lines.append(("**all**", lambda case: True))
    return lines


def _capable(name: str) -> Callable[[Case], bool]:
    return lambda case: case.capability == name


def _both(of: Callable[[Case], bool], lang: str) -> Callable[[Case], bool]:
    return lambda case: of(case) and case.lang == lang


def _cell(found: Rate) -> str:
    if not found.cases:
        return "–"
    low, high = found.interval
    return f"{found.share * 100:.1f} ({low * 100:.0f}–{high * 100:.0f})"
