"""Incidents on made-up brands: how many are nothing, how early an attack is seen, what must stay silent.

Nothing of a brand's month is known to the program beforehand but the two weeks that it learns from. Months differ in
how much is said, by hour, weekday and mood; threads break out by themselves and mean nothing. `python -m
bench.incidents --months 100`.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from routing.incidents.clock import stepped
from routing.incidents.counted import ALWAYS, MOST_SERIES
from routing.incidents.levels import Limits, Standing
from routing.incidents.panels import Panels

DAY, WEEK = 1440, 7 * 1440
LEARNT, JUDGED = 2 * WEEK, 30 * DAY
MONDAY = 4 * DAY
"""1970-01-05."""
NETWORKS = ("x", "reddit", "bluesky")
ATTACK = 240
"""Minutes of an attack."""


class Month(NamedTuple):
    """Counts by minute of a brand, all and negative, per network: shape (LEARNT + JUDGED, networks)."""

    everything: np.ndarray
    negative: np.ndarray
    base: float
    """Posts a minute, on average."""


def month(seed: int) -> Month:
    dice = np.random.default_rng(seed)
    minutes = LEARNT + JUDGED
    base = float(np.exp(dice.uniform(np.log(0.01), np.log(10))))
    at = np.arange(minutes)
    hour, day = (at / 60) % 24, (at // DAY) % 7
    season = np.exp(dice.uniform(0.2, 1.2) * np.cos((hour - dice.uniform(0, 24)) * np.pi / 12))
    season *= np.where(day >= 5, dice.uniform(0.4, 1.1), 1.0)
    season /= season.mean()
    rate = base * season * np.exp(_wandering(dice, minutes, hours=dice.uniform(1, 6), spread=dice.uniform(0.05, 0.35)))
    rate *= dice.gamma(k := float(np.exp(dice.uniform(np.log(2), np.log(30)))), 1 / k, minutes)
    rate += _threads(dice, rate)
    share = dice.dirichlet((4, 2, 1))
    sour = np.clip(dice.uniform(0.08, 0.3) * np.exp(_wandering(dice, minutes, hours=6, spread=0.2)), 0, 0.9)
    everything = dice.poisson(rate[:, None] * share)
    return Month(everything, dice.binomial(everything, sour[:, None]), base)


def _wandering(dice: np.random.Generator, minutes: int, *, hours: float, spread: float) -> np.ndarray:
    """A mood that comes and goes: an autoregression of this length and standard deviation."""
    keep = 1 - 1 / (60 * hours)
    noise = dice.standard_normal(minutes) * spread * np.sqrt(1 - keep * keep)
    found = np.empty(minutes)
    last = 0.0
    for place, one in enumerate(noise):
        last = keep * last + one
        found[place] = last
    return found - spread * spread / 2


def _threads(dice: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Conversations that break out: half an hour long, of a heavy-tailed size, up to 60 posts."""
    begins = dice.random(len(rate)) < np.minimum(0.004 * np.sqrt(rate), 0.01)
    extra = np.zeros(len(rate))
    for place in np.flatnonzero(begins):
        size = min(2 * (dice.pareto(1.6) + 1), 60.0)
        tail = np.exp(-np.arange(180) / 30) / 30
        extra[place : place + 180] += size * tail[: len(rate) - place]
    return extra


class Told(NamedTuple):
    warnings: list[int]
    """Minutes at which it became a warning."""
    crises: list[int]


def watch(months: Sequence[Month], bearable: float, limits: Limits, deaf: Sequence[range] = ()) -> list[Told]:
    """All at once, as the incident clock does with the brands of a home: learns LEARNT minutes and judges the rest.
    `deaf`: by month, minutes in which nothing was heard."""
    panels, told = Panels(bearable), [Told([], []) for _ in months]
    standings = [Standing() for _ in months]
    for place in range(len(months)):
        panels.begin(str(place))
    for minute in range(len(months[0].everything)):
        counts = {str(place): found for place, made in enumerate(months) if (found := _counts(made, minute))}
        covered = {str(place): 0.0 for place, hole in enumerate(deaf) if minute in hole}
        signals = panels.update(MONDAY + minute, counts, (), covered)
        if minute < LEARNT:
            continue
        for place, before in enumerate(standings):
            found = signals.get(str(place), [])
            if before.state == "calm" and not found and not any(before.rising):
                continue
            after = stepped(panels, str(place), before, found, MONDAY + minute, limits)
            if after.state == "warning" and before.state in ("calm", "watch"):
                told[place].warnings.append(minute)
            if after.state == "crisis" and before.state != "crisis":
                told[place].crises.append(minute)
            standings[place] = Standing() if after.state == "over" else after
    return told


def _counts(made: Month, minute: int) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for place, network in enumerate(NETWORKS):
        if everything := int(made.everything[minute, place]):
            counts["all"] += everything
            counts[f"all@{network}"] += everything
        if negative := int(made.negative[minute, place]):
            counts["negative"] += negative
            counts[f"negative@{network}"] += negative
    return dict(counts)


def attack(dice: np.random.Generator, posts: int) -> np.ndarray:
    """Negative posts by minute and network: begins on one network with a trickle, reaches the others in its second and
    third hour, most of it comes at the end."""
    at = np.arange(ATTACK) / ATTACK
    shape = at**3
    reach = np.stack([np.ones(ATTACK), at > 0.25, at > 0.5], axis=1) * np.array([0.5, 0.3, 0.2])
    wanted = shape[:, None] * reach
    return dice.poisson(wanted / wanted.sum() * posts)


class Seen(NamedTuple):
    warned: float | None
    """Share of the attack's posts that were published before the first mail; None: there was none."""
    crisis: float | None
    mails: int
    """To a person who acknowledges, the all-clear among them."""


def attacked(seeds: Sequence[int], bearable: float, limits: Limits, posts: int) -> list[Seen]:
    months, waves, begins = [], [], LEARNT + 10 * DAY + 600
    for seed in seeds:
        made, wave = month(seed), attack(np.random.default_rng(seed + 1_000_000), posts)
        made.everything[begins : begins + ATTACK] += wave
        made.negative[begins : begins + ATTACK] += wave
        months.append(_cut(made, begins + ATTACK + DAY))
        waves.append(wave)
    return [_seen(one, wave, begins) for one, wave in zip(watch(months, bearable, limits), waves, strict=True)]


def _seen(told: Told, wave: np.ndarray, begins: int) -> Seen:
    published = np.concatenate([[0], wave.sum(axis=1).cumsum()]) / max(int(wave.sum()), 1)

    def share(found: Sequence[int]) -> float | None:
        first = next((minute for minute in found if minute >= begins), None)
        return None if first is None else float(published[min(first - begins + 1, ATTACK)])

    since = [minute for minute in sorted((*told.warnings, *told.crises)) if minute >= begins]
    return Seen(share(since), share(told.crises), len(since) + bool(since))


def praised(seeds: Sequence[int], bearable: float, limits: Limits) -> list[Told]:
    """A campaign that everybody likes: twenty times the usual for four hours."""
    months, begins = [], LEARNT + 10 * DAY + 600
    for seed in seeds:
        made, dice = month(seed), np.random.default_rng(seed + 2_000_000)
        made.everything[begins : begins + ATTACK] += dice.poisson(max(20 * made.base, 2.0) / 3, (ATTACK, 3))
        months.append(_cut(made, begins + 720))
    return [_since(one, begins, begins + 720) for one in watch(months, bearable, limits)]


def deaf(seeds: Sequence[int], bearable: float, limits: Limits) -> list[Told]:
    """Six hours without a feed, known as a hole; what was published meanwhile is never told to the watch."""
    begins = LEARNT + 10 * DAY + 480
    hole, months = range(begins, begins + 360), []
    for seed in seeds:
        made = month(seed)
        made.everything[hole] = made.negative[hole] = 0
        months.append(_cut(made, begins + 720))
    return [_since(one, begins, begins + 720) for one in watch(months, bearable, limits, [hole] * len(months))]


def _cut(made: Month, until: int) -> Month:
    return Month(made.everything[:until], made.negative[:until], made.base)


def _since(told: Told, begins: int, until: int) -> Told:
    return Told([m for m in told.warnings if begins <= m < until], [m for m in told.crises if begins <= m < until])


def poisson_band(mean: float) -> tuple[int, int]:
    """Smallest and largest count that are not among the 2.5 % on either side."""
    dice = np.random.default_rng(1).poisson(mean, 400_000)
    return int(np.quantile(dice, 0.025)), int(np.quantile(dice, 0.975))


def quiet(seeds: Sequence[int], bearable: float, limits: Limits) -> list[Told]:
    return watch([month(seed) for seed in seeds], bearable, limits)


def together(brands: int, minutes: int = 15) -> str:
    """Brands that are watched together, each with all the series that one may have."""
    dice, panels = np.random.default_rng(1), Panels(1.0)
    series = [*ALWAYS, *(f"all:topic{number}" for number in range(MOST_SERIES - len(ALWAYS)))]
    names = [str(number) for number in range(brands)]
    for name in names:
        panels.begin(name)
    panels.update(MONDAY, {name: dict.fromkeys(series, 1) for name in names})
    rate = np.exp(dice.uniform(np.log(0.001), np.log(5), (brands, MOST_SERIES)))
    spent = 0.0
    for minute in range(1, minutes + 1):
        posts = dice.poisson(rate)
        counts = {
            name: {series[at]: int(row[at]) for at in np.flatnonzero(row)}
            for name, row in zip(names, posts, strict=True)
        }
        began = time.process_time()
        panels.update(MONDAY + minute, counts)
        spent += time.process_time() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{brands} brands of {MOST_SERIES} series: {spent / minutes:.2f} s of CPU a minute, {most:.0f} MB in all"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=100, help="brand-months without an incident")
    parser.add_argument("--attacks", type=int, default=50)
    parser.add_argument("--posts", type=int, default=2_000, help="of an attack")
    parser.add_argument("--false-alarms-a-month", type=float, default=1.0)
    parser.add_argument("--brands", type=int, help="only: CPU and memory of so many brands of 50 series in a process")
    asked = parser.parse_args()
    if asked.brands:
        print(together(asked.brands))
        return
    bearable, limits = asked.false_alarms_a_month, Limits()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {bearable:g} false alarms a month and brand")
    began = time.process_time()
    months = quiet(range(asked.months), bearable, limits)
    spent = time.process_time() - began
    others = range(500, 500 + asked.attacks)
    storms = attacked(others, bearable, limits, asked.posts)
    for line in report(months, bearable, storms, praised(others, bearable, limits), deaf(others, bearable, limits)):
        print(line)
    minutes = LEARNT + JUDGED
    each = 1000 * spent / minutes
    print(f"{asked.months} brands together: {each:.1f} ms of CPU a minute, making up their months included")


def report(
    told: Sequence[Told], bearable: float, storms: Sequence[Seen], praise: Sequence[Told], holes: Sequence[Told]
) -> Iterator[str]:
    months = len(told)
    low, high = poisson_band(months * bearable)
    warnings, crises = sum(len(one.warnings) for one in told), sum(len(one.crises) for one in told)
    yield f"{months} brand-months without an incident: {warnings} warnings, {crises} crises"
    yield f"  the setting bears {months * bearable:g}; Poisson 95 %: {low} to {high}"
    seen = [one.warned for one in storms if one.warned is not None]
    grave = [one.crisis for one in storms if one.crisis is not None]
    yield f"{len(storms)} attacks of four hours: {len(seen)} warned, {len(grave)} a crisis"
    if seen:
        most = f"9 of 10 at most {np.quantile(seen, 0.9):.1%}, worst {max(seen):.1%}"
        yield f"  posts published before the warning: median {np.median(seen):.1%}, {most}"
    if grave:
        yield f"  posts published before the crisis: median {np.median(grave):.1%}, worst {max(grave):.1%}"
    yield f"  mails to a person who acknowledges: at most {max(one.mails for one in storms)}"
    for name, found in (("viral praise", praise), ("an outage of six hours", holes)):
        warnings, crises = sum(len(one.warnings) for one in found), sum(len(one.crises) for one in found)
        yield f"{len(found)} times {name}: {warnings} warnings, {crises} crises"


if __name__ == "__main__":
    main()
