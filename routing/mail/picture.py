"""The curve of an incident as a picture: what was counted beside what is usual, when it rose, what was not heard.

Drawn by matplotlib, which the extra `pictures` installs; where it is not, a mail has bars of HTML in its place. It
holds numbers and times, no word of a post.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import structlog

from routing.incidents.curve import STRETCH, Point
from routing.mail.letter import IncidentLetter, Missing
from routing.mail.words import Words, words
from routing.people_to_tell import Language
from stream.clock import MINUTE
from stream.records import Millis

log = structlog.get_logger(__name__)

WIDE, HIGH, DOTS = 4.4, 2.7, 250
"""Inches and dots an inch: twice as many dots as a mail shows on a desk, as many as a phone has."""
GREY, BAND, RED, AMBER, INK, HOLE = "#5f6b75", "#cfd6db", "#b3261e", "#a16207", "#1c2126", "#f3e3b3"
MARKED = {"warning": AMBER, "crisis": RED}


def installed() -> bool:
    return find_spec("matplotlib") is not None


def picture(letter: IncidentLetter, reader: Words) -> bytes | None:
    """As PNG. None: there is nothing to draw, or nothing to draw with."""
    if len(letter.curve) < 2 or max(point.observed for point in letter.curve) <= 0 or not installed():
        return None
    try:
        return _drawn(letter.curve, letter.marks, letter.holes, reader.language)
    except Exception as error:
        # A mail without a picture is better than none.
        log.warning("picture_not_drawn", why=type(error).__name__)
        return None


def in_words(letter: IncidentLetter, reader: Words) -> str:
    """The picture for who cannot see it."""
    highest = max(letter.curve, key=lambda point: point.observed)
    said = [
        reader(
            "picture_alt", n=round(highest.observed), span=reader("minutes", n=STRETCH), at=_clock(highest.at),
            usual=round(highest.high),
        )
    ]  # fmt: skip
    said += [f"{reader.label('incident_state', name)}: {_clock(at)}." for name, at in letter.marks]
    if letter.holes:
        said.append(reader("picture_holes_alt"))
    return " ".join(said)


@lru_cache(maxsize=16)
def _drawn(
    curve: tuple[Point, ...], marks: tuple[tuple[str, Millis], ...], holes: tuple[Missing, ...], language: Language
) -> bytes:
    """One for all readers of a language: drawing takes a fifth of a second."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    reader = words(language)
    figure = Figure(figsize=(WIDE, HIGH), dpi=DOTS, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    begin, end = curve[0].at, curve[-1].at + STRETCH * MINUTE
    _shade(axes, holes, begin, end, reader)
    edges = [point.at for point in curve] + [end]
    axes.stairs([point.high for point in curve], edges, fill=True, color=BAND, label=reader("picture_usual"))
    axes.stairs([point.expected for point in curve], edges, color=GREY, linewidth=1.0, linestyle=(0, (4, 2)),
                label=reader("picture_expected"))  # fmt: skip
    axes.stairs(
        [point.observed for point in curve],
        edges,
        color=RED,
        linewidth=1.8,
        baseline=None,
        label=reader("picture_counted", span=reader("minutes", n=STRETCH)),
    )
    highest = max(max(point.observed, point.high) for point in curve)
    _mark(axes, marks, begin, end, highest, reader)
    _dress(axes, begin, end, highest)
    written = BytesIO()
    canvas.print_figure(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _shade(axes: Any, holes: Sequence[Missing], begin: Millis, end: Millis, reader: Words) -> None:
    label: str | None = reader("picture_holes")
    for hole in holes:
        since, until = max(begin, hole.since), min(end, hole.until)
        if since < until:
            axes.axvspan(since, until, facecolor=HOLE, hatch="///", edgecolor="#d9c27a", linewidth=0.0, label=label)
            label = None


def _mark(
    axes: Any, marks: Sequence[tuple[str, Millis]], begin: Millis, end: Millis, highest: float, reader: Words
) -> None:
    for place, (name, at) in enumerate((name, at) for name, at in marks if begin <= at <= end):
        axes.axvline(at, color=MARKED[name], linewidth=1.2)
        left = at > begin + (end - begin) * 0.7
        axes.text(
            at, highest * (1.18 - 0.1 * (place % 2)), f" {reader.label('incident_state', name)} {_clock(at)} ",
            color=MARKED[name], fontsize=8, fontweight="bold", ha="right" if left else "left", va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def _dress(axes: Any, begin: Millis, end: Millis, highest: float) -> None:
    axes.set_xlim(begin, end)
    axes.set_ylim(0, highest * 1.2)
    step = max(1, round((end - begin) / (6 * 60 * MINUTE))) * 60 * MINUTE
    ticks = range(-(-begin // step) * step, end + 1, step)
    axes.set_xticks(list(ticks), [_clock(at) for at in ticks])
    axes.tick_params(colors=GREY, labelsize=8, length=3)
    axes.set_xlabel("UTC", fontsize=8, color=GREY, loc="right", labelpad=1)
    axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    axes.grid(axis="y", color="#e3e6e8", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#9aa5ae")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=8, labelcolor=INK,
                handlelength=1.4, columnspacing=1.2, borderpad=0.0)  # fmt: skip


def _clock(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M")
