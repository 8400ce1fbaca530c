"""The watch on real storms and on made months: `python -m bench.surges`, with ../shared/data.

Real: keyword samples of crises (CrisisLex T26), and the counts of `airline_us` (February 2015) and `airlines_es`
(October 2017 to January 2018), by ten minutes. Made: 100 brand-months by the minute (bench.storms), false alarms
against the setting; a slow attack and a viral post, on the same brands; speed and bytes a series. Prints figures only.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import math
import resource
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.corpus import SHARED
from bench.storms import DAY, MONDAY, World, brands, slow_start, viral
from routing.surge import Watch

Numbers = NDArray[np.float64]

WARM, MONTH = 28, 30
BRANDS: Final = 100
SETTINGS: Final = (1.0, 4.0)
"""False alarms a month."""
TEN: Final = 10.0
QUIET_DAYS: Final = 7
BEGINS_AT: Final = 0.02
"""A storm of a keyword sample begins where ten minutes hold so much of its highest ten minutes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED)
    folder = parser.parse_args().data
    speed()
    crises(folder / "crisislex_t26" / "volume")
    airlines(folder)
    months()


def crises(folder: Path) -> None:
    print(f"\nCrisisLex: keyword samples by ten minutes, after {QUIET_DAYS} made days without a post\n")
    print("| crisis | days before | alarms before, 1; 4 a month | minutes to the alarm | of the first day's posts |")
    print("|---|---:|---:|---:|---:|")
    found: list[list[Crisis]] = [[], []]
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [line.rstrip().split(",") for line in file][1:]
        counts = np.array([float(count) for _, count in rows])
        start = datetime.fromisoformat(rows[0][0]).timestamp() / 60.0 - QUIET_DAYS * DAY
        begins = int(np.argmax(counts >= max(BEGINS_AT * counts.max(), 3.0)))
        both = _alarms(np.concatenate([np.zeros(QUIET_DAYS * 144), counts]), start)
        pair = [_crisis(counts, begins, hits - QUIET_DAYS * 144) for hits in both]
        for one, every in zip(pair, found, strict=True):
            every.append(one)
        cells = ("; ".join(texts) for texts in zip(*([str(x.before), *x.words()] for x in pair), strict=True))
        print(f"| {path.name[:-7].replace('_', ' ')} | {begins / 144:.1f} | {' | '.join(cells)} |")
    for setting, every in zip(SETTINGS, found, strict=True):
        print(
            f"\n{setting:g} a month: median {np.median([one.minutes for one in every]):.0f} min and "
            f"{100 * np.median([one.share for one in every]):.1f} % of the first day's posts, "
            f"{sum(one.minutes <= 60 for one in every)} of {len(every)} within an hour; "
            f"{sum(one.before for one in every)} alarms before"
        )


class Crisis(NamedTuple):
    minutes: float
    """From the beginning to the alarm; infinite where there was none."""
    share: float
    before: int

    def words(self) -> tuple[str, str]:
        if math.isinf(self.minutes):
            return "never", "–"
        return f"{self.minutes:.0f}", f"{100 * self.share:.1f} %" if self.minutes <= DAY else "all"


def _crisis(counts: Numbers, begins: int, hits: NDArray[np.int64]) -> Crisis:
    after = hits[hits >= begins]
    before = int((hits < begins).sum())
    if not len(after):
        return Crisis(math.inf, math.inf, before)
    share = float(counts[begins : after[0] + 1].sum() / counts[begins : begins + 144].sum())
    return Crisis((int(after[0]) - begins + 1) * TEN, share, before)


def airlines(folder: Path) -> None:
    print("\nAirlines, all brands of the set together, by ten minutes. Days without a post are holes\n")
    print("| set | posts | days | a month | alarms (UTC): posts in the hour around, in the median hour of that time |")
    print("|---|---:|---:|---:|---|")
    for name in ("airline_us", "airlines_es"):
        stamps = sorted(_stamps(folder / name))
        tens = Counter(int(at // 600) for at in stamps)
        first, last = min(tens), max(tens)
        counts = np.array([float(tens[ten]) for ten in range(first, last + 1)])
        days = Counter(int(at // 86400) for at in stamps)
        cover = np.array([1.0 if days[ten // 144] else 0.0 for ten in range(first, last + 1)])
        for setting, hits in zip(SETTINGS, _alarms(counts, first * TEN, cover), strict=True):
            told = []
            for hit in hits:
                hour = counts[max(hit - 3, 0) : hit + 3].sum()
                same = [
                    counts[at - 3 : at + 3].sum() for at in range(hit % 144, len(counts), 144) if at > 3 and cover[at]
                ]
                told.append(
                    f"{datetime.fromtimestamp((first + int(hit)) * 600, UTC):%d %b %H:%M} "
                    f"({hour:.0f}, {np.median(same):.0f})"
                )
            print(f"| {name} | {len(stamps)} | {len(days)} | {setting:g} | {'; '.join(told) or 'none'} |")


def months() -> None:
    """False alarms of calm months, then attacks on the same brands."""
    made = brands(BRANDS, seed=1)
    world = World(made, seed=2, holidays=(12, 25, 37, 48))
    watch = Watch(BRANDS * len(SETTINGS), false_alarms_a_month=np.repeat(SETTINGS, BRANDS))
    dice = np.random.default_rng(3)
    alarms = np.zeros((len(SETTINGS), BRANDS))
    for day in range(WARM + MONTH):
        now = world.day(day)
        seen = dice.binomial(now.counts.astype(np.int64), now.cover).astype(np.float64)
        for minute in range(DAY):
            reading = watch.update(
                MONDAY + day * DAY + minute,
                np.tile(seen[minute], len(SETTINGS)),
                np.tile(now.cover[minute], len(SETTINGS)),
                now.holiday,
            )
            if day >= WARM:
                alarms += reading.begins.reshape(alarms.shape)
    print(f"\n{BRANDS} made brand-months by the minute (after {WARM} days), two holidays, holes of coverage\n")
    print(
        "| setting | false alarms | Poisson 95 % band | a brand under 10 posts an hour | over |\n"
        "|---:|---:|---:|---:|---:|"
    )
    low = made.posts * 60 < 10
    for place, setting in enumerate(SETTINGS):
        hoped = setting * BRANDS
        edge = 1.96 * math.sqrt(hoped)
        rates = [alarms[place][low].mean(), alarms[place][~low].mean()]
        print(
            f"| {setting:g} | {alarms[place].sum():.0f} | {hoped - edge:.0f}–{hoped + edge:.0f} "
            f"| {rates[0]:.2f} | {rates[1]:.2f} |"
        )
    print(
        "\nAttacks on these brands at 9:00 of the day after: detected (of 100); median posts and minutes until then\n"
    )
    print("| attack | posts | setting | detected | posts before it | minutes |\n|---|---|---:|---:|---:|---:|")
    calm = [world.day(WARM + MONTH + extra).counts for extra in range(2)]
    for name, shape in (
        ("slow: doubles every 30 minutes for 4 h", slow_start()),
        ("viral: up in 40 minutes, halves every hour", viral()),
    ):
        for words, size in (
            ("300 + a day's", 300 + made.posts * DAY),
            ("100 + a quarter day's", 100 + made.posts * DAY / 4),
        ):
            posts = dice.poisson(shape[:, None] * size)
            _attack(name, words, copy.deepcopy(watch), np.concatenate(calm), posts)


def _attack(name: str, words: str, watch: Watch, calm: Numbers, posts: NDArray[np.int64]) -> None:
    nine = 9 * 60
    first = np.full((len(SETTINGS), BRANDS), -1)
    for minute in range(nine + len(posts)):
        values = calm[minute] + (posts[minute - nine] if minute >= nine else 0)
        begins = watch.update(MONDAY + (WARM + MONTH) * DAY + minute, np.tile(values, len(SETTINGS))).begins
        if minute >= nine:
            first[begins.reshape(first.shape) & (first < 0)] = minute - nine
    so_far = np.cumsum(posts, axis=0) / posts.sum(axis=0)
    for place, setting in enumerate(SETTINGS):
        hit = first[place] >= 0
        shares = so_far[first[place][hit], np.flatnonzero(hit)]
        print(
            f"| {name} | {words} | {setting:g} | {hit.sum()} | {100 * np.median(shares):.1f} % "
            f"| {np.median(first[place][hit]) + 1:.0f} |"
        )


def speed(series: int = 50_000, minutes: int = 20) -> None:
    """1,000 brands of 50 series, in this process."""
    dice = np.random.default_rng(1)
    posts = np.exp(dice.uniform(np.log(0.001), np.log(20), series))
    watch = Watch(series)
    values = [dice.poisson(posts).astype(np.float64) for _ in range(minutes)]
    watch.update(MONDAY, values[0])
    began = time.process_time()
    for minute in range(1, minutes):
        watch.update(MONDAY + minute, values[minute])
    took = (time.process_time() - began) / (minutes - 1)
    saved = len(msgspec.msgpack.encode(watch.save(0)))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\n{series} series: {took:.3f} s of CPU a minute, {series / took:,.0f} series-minutes/s; "
        f"{saved} bytes a series; {most:.0f} MB in all"
    )
    alone = Watch(1)
    began = time.process_time()
    for minute in range(2000):
        alone.update(MONDAY + minute, values[minute % minutes][:1])
    print(f"one series alone: {2000 / (time.process_time() - began):,.0f} steps/s")


def _alarms(counts: Numbers, start: float, cover: Numbers | None = None) -> list[NDArray[np.int64]]:
    """Rows at which a surge begins, for each setting of SETTINGS."""
    watch = Watch(len(SETTINGS), step=TEN, false_alarms_a_month=np.array(SETTINGS))
    share = np.ones(len(counts)) if cover is None else cover
    begun = [
        watch.update(start + row * TEN, np.full(len(SETTINGS), count), float(share[row])).begins
        for row, count in enumerate(counts)
    ]
    return [np.flatnonzero(column) for column in np.array(begun).T]


def _stamps(folder: Path) -> list[float]:
    found = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found += [datetime.fromisoformat(json.loads(line)["created_at"]).timestamp() for line in file]
    return found


if __name__ == "__main__":
    main()
