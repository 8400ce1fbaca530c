"""Plots of docs/accuracy.md: how sure a model is against how often it is right, and accuracy against speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np

from training.calibrate import BINS, Array
from training.metrics import Share

mpl.use("svg")

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "clamor", "font.size": 8,
    "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip
FEW = 10
"""Rows: a bin with fewer is drawn hollow, for it says little."""


class Panel(NamedTuple):
    title: str
    sure: Array
    """[rows] probability of the label."""
    right: Array
    """[rows] whether it was right."""


def reliability(panels: Sequence[Panel], title: str, path: Path, columns: int = 4) -> None:
    """Writes an SVG. The size of a point goes with the root of its rows."""
    from matplotlib import pyplot

    rows = -(-len(panels) // columns)
    with mpl.rc_context(_STYLE):
        figure, axes = pyplot.subplots(rows, columns, figsize=(2.4 * columns, 2.5 * rows + 0.4), squeeze=False)
        for axis in axes.ravel()[len(panels) :]:
            axis.set_axis_off()
        for axis, panel in zip(axes.ravel(), panels, strict=False):
            _draw(axis, panel)
        figure.suptitle(title)
        figure.supxlabel("how sure it is")
        figure.supylabel("how often it is right")
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def curve(names: Sequence[str], rates: Sequence[float], lines: Mapping[str, Sequence[Share]], path: Path) -> None:
    """Writes an SVG: a line for each figure with its interval, a mark for each model at its posts a second."""
    from matplotlib import pyplot, ticker

    with mpl.rc_context(_STYLE):
        figure, axis = pyplot.subplots(figsize=(6.4, 4.4))
        for name, shares in lines.items():
            below = [(one.value - one.low) * 100 for one in shares]
            above = [(one.high - one.value) * 100 for one in shares]
            values = [one.value * 100 for one in shares]
            axis.errorbar(rates, values, (below, above), label=name, capsize=2, fmt="o", markersize=4, linewidth=1)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.45 * (high - low))  # room for the names and the legend
        for name, rate in zip(names, rates, strict=True):
            axis.annotate(name, (rate, high), rotation=90, fontsize=7, ha="center", va="bottom")
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.FixedLocator([250, 500, 1_000, 1_500, 2_000, 3_000]))
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.set(xlabel="posts a second, two workers", ylabel="per cent, with its 95 % interval")
        axis.legend(frameon=False, fontsize=7)
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _draw(plot: Any, panel: Panel) -> None:
    place = np.minimum((panel.sure * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    used = np.flatnonzero(counts)
    sure = np.bincount(place, panel.sure, BINS)[used] / counts[used]
    right = np.bincount(place, panel.right, BINS)[used] / counts[used]
    few = counts[used] < FEW
    size = 6 + 120 * counts[used] / counts.sum()
    plot.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    plot.scatter(sure[~few], right[~few], s=size[~few], color="#3949ab", zorder=3)
    plot.scatter(sure[few], right[few], s=14, facecolors="none", edgecolors="#3949ab")
    plot.set(xlim=(0.2, 1.02), ylim=(0, 1.02))
    plot.set_title(f"{panel.title} ({len(panel.sure):,})", fontsize=8)
