"""How the watch scores on the Numenta Anomaly Benchmark: `python -m bench.nab`, on the series of ../shared/data/nab.

The formula is NAB's own (Lavin and Ahmad 2015, "Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly
Benchmark"; github.com/numenta/NAB at ea702d7, nab/sweeper.py and nab/runner.py), written anew: the first 15 % of the
rows (750 at most) don't count; in a window the earliest detection counts, by a sigmoid of its place; each detection
outside of them costs, the less the shorter it stands behind one; a missed window costs; the sum is put on a scale from
no detection at all (0) to perfect (100). That it is the same formula shows where NAB's windowed Gaussian, run here,
gets NAB's published counts and score, series by series.

Prints tables in Markdown for docs/surges.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.corpus import SHARED
from routing.surge import Watch

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

SETTINGS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""False alarms a month."""
PROFILES: Final = ("standard", "reward_low_FP_rate")
PROBATION, MOST_ROWS = 0.15, 5000
GAUSSIAN_ROWS, GAUSSIAN_STEP = 6400, 100
PUBLISHED_DIGITS = 12
"""Of the scores in NAB's results: without them its published counts do not come out."""
SAMPLES: Final = 2000
THEIRS: Final = ("windowedGaussian", "contextOSE", "ARTime", "numenta")
TRIED: Final = 100
"""Thresholds over the whole of the scores, and as many of the highest."""
TWEETS: Final = "realTweets"


class Series(NamedTuple):
    name: str
    times: tuple[datetime, ...]
    values: Numbers
    windows: tuple[tuple[int, int], ...]
    """First and last row of each."""


class Scored(NamedTuple):
    score: float
    """Before it is put on the scale."""
    windows: int
    found: int
    inside: int
    """Rows."""
    outside: int


def scored(series: Series, detected: Flags, cost: Mapping[str, float]) -> Scored:
    """NAB's score of one series, of rows that were said to be anomalies."""
    rows = len(detected)
    probation = min(math.floor(PROBATION * rows), PROBATION * MOST_ROWS)
    gained = [-cost["fnWeight"]] * len(series.windows)
    lost, inside, outside = 0.0, 0, 0
    for row in np.flatnonzero(detected):
        if row < probation:
            continue
        at = next((place for place, (first, last) in enumerate(series.windows) if first <= row <= last), None)
        if at is not None:
            first, last = series.windows[at]
            place = -(last - row + 1) / (last - first + 1)
            gained[at] = max(gained[at], cost["tpWeight"] * _sigmoid(place) / _sigmoid(-1.0))
            inside += 1
        else:
            before = [(first, last) for first, last in series.windows if last < row]
            behind = (row - before[-1][1]) / (before[-1][1] - before[-1][0]) if before else math.inf
            lost += cost["fpWeight"] * _sigmoid(behind)
            outside += 1
    found = sum(one > 0 for one in gained)
    return Scored(sum(gained) + lost, len(series.windows), found, inside, outside)


def on_the_scale(all_scored: Sequence[Scored], cost: Mapping[str, float]) -> float:
    """Of several series together: 0 for detecting nothing, 100 for every window at its first row and nothing else."""
    windows = sum(one.windows for one in all_scored)
    nothing, perfect = -cost["fnWeight"] * windows, cost["tpWeight"] * windows
    return 100.0 * (sum(one.score for one in all_scored) - nothing) / (perfect - nothing)


def _sigmoid(place: float) -> float:
    return -1.0 if place > 3.0 else 2.0 / (1.0 + math.exp(5.0 * place)) - 1.0


def watched(series: Series, settings: Sequence[float]) -> list[Flags]:
    """Where `clamor surges` says that a surge begins (a score of at least 0.5), for each setting."""
    minutes = [at.timestamp() / 60.0 for at in series.times]
    step = float(np.median(np.diff(minutes)))
    watch = Watch(len(settings), step=step, false_alarms_a_month=np.array(settings))
    begun = np.zeros((len(minutes), len(settings)), dtype=np.bool_)
    last = -math.inf
    for row, (minute, value) in enumerate(zip(minutes, series.values, strict=True)):
        if minute > last:  # one series has an hour twice
            begun[row] = watch.update(minute, np.full(len(settings), value)).begins
            last = minute
    return list(begun.T)


def windowed_gaussian(values: Numbers) -> Numbers:
    """NAB's baseline: one minus the tail of a normal over the last 6,400 rows, moved by 100 at a time."""
    found = np.zeros(len(values))
    mean = deviation = math.nan
    for row in range(1, len(values)):
        moved = max(row - GAUSSIAN_ROWS, 0)
        if moved % GAUSSIAN_STEP == 0:
            seen = values[moved : min(row, moved + GAUSSIAN_ROWS)]
            mean, deviation = float(np.mean(seen)), float(np.std(seen)) or 1e-6
        tail = 0.5 * math.erfc(abs(values[row] - mean) / deviation / math.sqrt(2.0))
        found[row] = round(1.0 - tail, PUBLISHED_DIGITS)
    return found


def load(folder: Path) -> list[Series]:
    windows = json.loads((folder / "windows.json").read_text("utf-8"))
    found = []
    for name, spans in windows.items():
        with gzip.open(folder / f"{name}.gz", "rt", encoding="utf-8") as file:
            rows = [line.rstrip().split(",") for line in file][1:]
        times = tuple(datetime.fromisoformat(f"{at}+00:00") for at, _ in rows)
        places = {at: row for row, at in reversed(list(enumerate(times)))}
        edges = tuple((places[_time(first)], places[_time(last)]) for first, last in spans)
        found.append(Series(name, times, np.array([float(value) for _, value in rows]), edges))
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(f"{text.partition('.')[0]}+00:00")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED / "nab")
    parser.add_argument("--results", type=Path, help="results/ of NAB's repository: its detectors on the tweets")
    asked = parser.parse_args()
    folder = asked.data
    every = load(folder)
    costs = {name: one["CostMatrix"] for name, one in json.loads((folder / "profiles.json").read_text("utf-8")).items()}
    published = json.loads((folder / "scoreboard.json").read_text("utf-8"))["per_series_standard_profile"]
    gaussian = {one.name: windowed_gaussian(one.values) for one in every}
    _the_same_formula(every, gaussian, published, costs["standard"])
    found = {one.name: watched(one, SETTINGS) for one in every}
    tweets = [one for one in every if one.name.startswith(TWEETS)]
    others = [one for one in every if not one.name.startswith(TWEETS)]
    for title, series in (("tweets", tweets), ("known causes", others)):
        _table(title, series, found, gaussian, published, costs)
    _each(every, found, costs)
    _windows(tweets, [found[one.name][SETTINGS.index(1.0)] for one in tweets])
    if asked.results:
        _theirs(tweets, asked.results, costs)


def _the_same_formula(
    every: Sequence[Series], gaussian: Mapping[str, Numbers], published: Mapping[str, object], cost: Mapping[str, float]
) -> None:
    print("\nNAB's windowed Gaussian at its published threshold: score, true and false rows, here and published\n")
    print("| series | here | published |\n|---|---:|---:|")
    for one in every:
        theirs = published[one.name]["windowedGaussian"]  # type: ignore[index]
        ours = scored(one, gaussian[one.name] >= theirs["threshold"], cost)
        print(
            f"| {_short(one)} | {ours.score:.4f} {ours.inside} {ours.outside} "
            f"| {theirs['score']:.4f} {theirs['tp']} {theirs['fp']} |"
        )


def _table(
    title: str,
    series: Sequence[Series],
    found: Mapping[str, Sequence[Flags]],
    gaussian: Mapping[str, Numbers],
    published: Mapping[str, object],
    costs: Mapping[str, Mapping[str, float]],
) -> None:
    windows = sum(len(one.windows) for one in series)
    print(f"\n{len(series)} series, {title}: {windows} windows\n")
    print("| detector | standard (95 %) | low false alarms (95 %) | windows found | false alarms |")
    print("|---|---:|---:|---:|---:|")
    for place, setting in enumerate(SETTINGS):
        _line(f"surges, {setting:g} a month", {one.name: found[one.name][place] for one in series}, series, costs)
    _line("surges, setting of the other series", _left_out(series, found, costs), series, costs, profile_wise=True)
    _line(
        "windowed Gaussian, published threshold", {one.name: gaussian[one.name] >= 1.0 for one in series}, series, costs
    )
    _line(
        "windowed Gaussian, threshold of the other series",
        _gaussian_left_out(series, gaussian, costs),
        series,
        costs,
        profile_wise=True,
    )
    for name in ("contextOSE", "ARTime"):
        total = sum(published[one.name][name]["score"] for one in series)  # type: ignore[index]
        counts = sum(published[one.name][name]["fp"] for one in series)  # type: ignore[index]
        print(
            f"| {name}, published, best threshold over 58 series "
            f"| {100 * (total + windows) / (2 * windows):.1f} | – | – | {counts} rows |"
        )


def _line(
    name: str,
    detected: Mapping[str, Flags] | Mapping[str, Mapping[str, Flags]],
    series: Sequence[Series],
    costs: Mapping[str, Mapping[str, float]],
    *,
    profile_wise: bool = False,
) -> None:
    cells = []
    for profile in PROFILES:
        rows = detected[profile] if profile_wise else detected
        each = [scored(one, rows[one.name], costs[profile]) for one in series]  # type: ignore[index]
        low, high = _interval(each, costs[profile])
        cells.append(f"**{on_the_scale(each, costs[profile]):.1f}** ({low:.0f}–{high:.0f})")
        if profile == PROFILES[0]:
            last = f"{sum(one.found for one in each)} | {sum(one.outside for one in each)}"
    print(f"| {name} | {' | '.join(cells)} | {last} |")


def _interval(each: Sequence[Scored], cost: Mapping[str, float]) -> tuple[float, float]:
    """Of 2,000 bootstrap samples of the series."""
    dice = np.random.default_rng(1)
    drawn = [
        on_the_scale([each[place] for place in dice.integers(len(each), size=len(each))], cost) for _ in range(SAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _left_out(
    series: Sequence[Series], found: Mapping[str, Sequence[Flags]], costs: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, Flags]]:
    """Each series by the setting that is best on all the others."""
    chosen: dict[str, dict[str, Flags]] = {}
    for profile in PROFILES:
        chosen[profile] = {}
        for held in series:
            sums = [
                sum(scored(one, found[one.name][place], costs[profile]).score for one in series if one is not held)
                for place in range(len(SETTINGS))
            ]
            chosen[profile][held.name] = found[held.name][int(np.argmax(sums))]
    return chosen


def _gaussian_left_out(
    series: Sequence[Series], gaussian: Mapping[str, Numbers], costs: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, Flags]]:
    tried = [1.0, *(1.0 - 10.0 ** -(power / 2) for power in range(6, 31))]
    by_threshold = {one.name: [gaussian[one.name] >= threshold for threshold in tried] for one in series}
    chosen: dict[str, dict[str, Flags]] = {}
    for profile in PROFILES:
        sums = {
            one.name: [scored(one, rows, costs[profile]).score for rows in by_threshold[one.name]] for one in series
        }
        chosen[profile] = {
            held.name: by_threshold[held.name][
                int(np.argmax(np.sum([sums[one.name] for one in series if one is not held], axis=0)))
            ]
            for held in series
        }
    return chosen


def _each(
    every: Sequence[Series], found: Mapping[str, Sequence[Flags]], costs: Mapping[str, Mapping[str, float]]
) -> None:
    print("\nSeries by series, standard: score on the scale, windows found, false alarms\n")
    print(
        f"| series | windows | {' | '.join(f'{one:g} a month' for one in SETTINGS)} |\n"
        f"|---|---:|{'---:|' * len(SETTINGS)}"
    )
    for one in every:
        each = [scored(one, rows, costs["standard"]) for rows in found[one.name]]
        cells = [f"{on_the_scale([got], costs['standard']):.0f}, {got.found}, {got.outside}" for got in each]
        print(f"| {_short(one)} | {len(one.windows)} | {' | '.join(cells)} |")


def _windows(series: Sequence[Series], detected: Sequence[Flags]) -> None:
    print("\nAt 1 a month, window by window: the first alarm in it, and those outside (UTC, posts of the row)\n")
    print("| series | window | first alarm |\n|---|---|---|")
    for one, rows in zip(series, detected, strict=True):
        for first, last in one.windows:
            hits = [row for row in np.flatnonzero(rows).tolist() if first <= row <= last]
            span = f"{one.times[first]:%d %b %H:%M} – {one.times[last]:%d %b %H:%M}"
            print(f"| {_short(one)} | {span} | {_alarm(one, hits[0]) if hits else 'missed'} |")
        probation = min(math.floor(PROBATION * len(rows)), PROBATION * MOST_ROWS)
        outside = [
            _alarm(one, row)
            for row in np.flatnonzero(rows).tolist()
            if row >= probation and not any(first <= row <= last for first, last in one.windows)
        ]
        print(f"| {_short(one)} | outside | {'; '.join(outside) or 'none'} |")


def _alarm(series: Series, row: int) -> str:
    return f"{series.times[row]:%d %b %H:%M} ({series.values[row]:.0f})"


def _theirs(series: Sequence[Series], results: Path, costs: Mapping[str, Mapping[str, float]]) -> None:
    """What detectors of NAB's repository get on these series, by the scores that it publishes, with the one threshold
    that is best over them all: as the anchors were chosen."""
    print("\n| published scores, threshold chosen over these series | standard | low false alarms | windows | rows |")
    print("|---|---:|---:|---:|---:|")
    for detector in THEIRS:
        scores = [_published(results, detector, one) for one in series]
        tried = np.unique(np.concatenate(scores))
        tried = np.unique(np.concatenate([np.quantile(tried, np.linspace(0.0, 1.0, TRIED)), tried[-TRIED:]]))
        best: dict[str, tuple[float, int, int]] = {}
        for profile, threshold in ((profile, float(one)) for profile in PROFILES for one in tried):
            each = [scored(one, got >= threshold, costs[profile]) for one, got in zip(series, scores, strict=True)]
            got = (on_the_scale(each, costs[profile]), sum(one.found for one in each), sum(one.outside for one in each))
            best[profile] = max(best.get(profile, (-math.inf, 0, 0)), got)
        standard, low = (best[profile] for profile in PROFILES)
        print(f"| {detector} | {standard[0]:.1f} | {low[0]:.1f} | {standard[1]} | {standard[2]} |")


def _published(results: Path, detector: str, series: Series) -> Numbers:
    group, _, name = series.name.partition("/")
    with (results / detector / group / f"{detector}_{name}").open(encoding="utf-8") as file:
        header = next(file).rstrip().split(",")
        column = header.index("anomaly_score")
        return np.array([float(line.split(",")[column]) for line in file])


def _short(series: Series) -> str:
    return series.name.rpartition("/")[2].removesuffix(".csv")


if __name__ == "__main__":
    main()
