"""The measured tables and plots of docs/accuracy.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from nlp.own.f1 import Share
from training.metrics import Figures

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "accuracy.md"
LINEAR = "linear"
_EMOTION = "Of emotion each class is a question of yes or no; accuracy and ECE are of all the questions together."
START, END = "<!-- measured: start -->", "<!-- measured: end -->"


class Line(NamedTuple):
    """One head on one set in one language, by every model."""

    head: str
    set: str
    lang: str
    rows: int
    classes: Sequence[str]
    models: dict[str, Figures]
    gains: dict[str, Share]
    """Macro-F1 above the linear model's on the same rows."""
    vader: Figures | None
    majority: Figures | None


class Machine(NamedTuple):
    name: str
    model: str
    megabytes: float
    micros: float
    """CPU of one post, on one core."""

    @property
    def rate(self) -> float:
        """Posts a second of one core that does nothing else."""
        return 1e6 / self.micros


def write(lines: Sequence[Line], machines: Sequence[Machine], spoken: str, header: str, pages: bool) -> str:
    """The measured part of the page; `pages`: put it there."""
    parts = [header, sizes(machines), comparison(lines, machines), calibration(lines, machines)]
    parts += [confusions(lines, machines), spoken]
    text = "\n\n".join(parts)
    if pages:
        page = PAGE.read_text("utf-8")
        before, after = page.split(START)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{text}\n{END}{after}", "utf-8")
    return text


def sizes(machines: Sequence[Machine]) -> str:
    rows = [
        [one.name, f"`{one.model}`", f"{one.megabytes:.1f}", f"{one.micros:,.0f}", f"{one.rate:,.0f}"]
        for one in machines
    ]
    titles = ["tier", "model", "MB, tokenizer included", "CPU µs a post, reading only", "posts/s, one core"]
    return "### Models\n\n" + table(titles, 2, rows)


def comparison(lines: Sequence[Line], machines: Sequence[Machine]) -> str:
    names = [one.name for one in machines]
    titles = ["head", "set", "language", "rows"]
    titles += [f"**{name}** macro-F1 (95 %)" for name in names]
    titles += [f"{name} − linear" for name in names if name != LINEAR] + ["VADER", "majority"]
    rows = []
    for line in lines:
        cells = [line.head, line.set, line.lang, f"{line.rows:,}"]
        cells += [interval(line.models[name].f1) if name in line.models else "–" for name in names]
        cells += [_gain(line.gains.get(name)) for name in names if name != LINEAR]
        cells += [_percent(of.f1.value if of else None) for of in (line.vader, line.majority)]
        rows.append(cells)
    return "### Heads: macro-F1, in per cent\n\n" + table(titles, 3, rows)


def calibration(lines: Sequence[Line], machines: Sequence[Machine]) -> str:
    parts = []
    titles = ["head", "set", "language", "macro recall (95 %)", "accuracy (95 %)", "QWK (95 %)", "ECE (if perfect)"]
    titles += ["outside the band", "right there"]
    for name in [one.name for one in machines]:
        rows = []
        for line in lines:
            of = line.models.get(name)
            if of is None or of.error is None:
                continue
            cells = [line.head, line.set, line.lang, interval(of.recall), interval(of.accuracy)]
            cells += [interval(of.kappa, 1.0, 2) if of.kappa else "", f"{of.error:.3f} ({of.perfect:.3f})"]
            rows.append([*cells, _percent(of.outside), _percent(of.right)])
        plot = f"![How sure `{name}` is, against how often it is right](images/reliability-{name}.svg)"
        title = f"### `{name}`: recall, accuracy, calibration, in per cent"
        if any(line.head == "emotion" and name in line.models for line in lines):
            title += f"\n\n{_EMOTION}"
        parts.append(f"{title}\n\n{table(titles, 3, rows)}\n\n{plot}")
    return "\n\n".join(parts)


def confusions(lines: Sequence[Line], machines: Sequence[Machine]) -> str:
    """Of our labels, by language, by every model but the linear one."""
    names = [one.name for one in machines if one.name != LINEAR] or [one.name for one in machines]
    parts = []
    for name in names:
        by_head: dict[str, list[Line]] = {}
        for line in lines:
            if line.set == "labels" and "," not in line.lang and name in line.models:
                by_head.setdefault(line.head, []).append(line)
        tables = [f"{head}:\n\n{_confusion(some, name)}" for head, some in by_head.items()]
        title = f"### `{name}` on our labels: which class for which"
        parts.append("\n\n".join([title, "Rows are the truth, by language, columns what it says.", *tables]))
    return "\n\n".join(parts)


def _confusion(lines: Sequence[Line], name: str) -> str:
    """One head; the languages of a class below each other, so that the table stays narrow."""
    classes = lines[0].classes
    counts = [line.models[name].confusion.tolist() for line in lines]
    rows = [
        [f"**{one}**" if line is lines[0] else "", line.lang, *(f"{number:,}" for number in of[at])]
        for at, one in enumerate(classes)
        for line, of in zip(lines, counts, strict=True)
    ]
    return table(["", "", *classes], 2, rows)


def table(titles: Sequence[str], words: int, rows: Iterable[Sequence[str]]) -> str:
    """`words`: so many columns stand left."""
    rule = "|" + "---|" * words + "---:|" * (len(titles) - words)
    return "\n".join(["| " + " | ".join(titles) + " |", rule, *["| " + " | ".join(row) + " |" for row in rows]])


def interval(share: Share, times: float = 100, digits: int = 1) -> str:
    value, low, high = (f"{one * times:.{digits}f}" for one in share)
    return f"**{value}** ({low}–{high})"


def _gain(share: Share | None) -> str:
    if share is None:
        return "–"
    noise = "" if share.low > 0 or share.high < 0 else " (noise)"
    return f"{share.value * 100:+.1f}{noise}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}"
