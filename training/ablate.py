"""What each part of the recipe is worth: `python -m training.ablate PACK --out FOLDER [--draws N] [--only NAME]`.

Small students learn by the recipe and by each variation of it that `ablations.yaml` names, once a seed, and are
measured on the rows that are developed on. A run that is finished is not run again, one under way goes on where it was
stopped; after each FOLDER/ablations.md has the table. Needs torch and PyYAML, but not to show what is finished.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, TypeAlias

from training.page import table
from training.recipes import laid_over, left_out

HERE = Path(__file__).parent
BASE = "base"
_NAME = re.compile(r"[a-z][a-z0-9-]*")
ALL = "all"
"""The mean of the heads."""
STUDENT = (0.0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""By the number of seeds less one: how many standard errors a mean has to lie from 0 for 95 of 100 (Student 1908)."""

Figures: TypeAlias = Mapping[str, float]
"""Macro-F1 by head."""


class Variation(NamedTuple):
    name: str
    tried: str
    """What differs from the base, in words."""
    plan: dict[str, Any]
    """What its students learn by: a recipe's `teach`."""


class Ablations(NamedTuple):
    base: Variation
    variations: tuple[Variation, ...]
    seeds: tuple[int, ...]
    pack: str = ""
    """A digest of the rows that are learnt from."""


class Gain(NamedTuple):
    mean: float
    error: float
    """Standard error of the mean, over the seeds."""
    certain: bool
    """Whether it lies outside the noise of the seeds."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("pack", type=Path, help="of training.pack")
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--draws", type=int, help="rows that each student learns from, instead of the file's")
    asked.add_argument(
        "--only", action="append", metavar="NAME", help="this variation, and the base it is held against"
    )
    asked.add_argument("--file", type=Path, default=HERE / "ablations.yaml", help="of variations")
    asked.add_argument("--seconds", type=float, default=7e6, help="stop with an error after so long")
    given = asked.parse_args()
    try:
        found = read(given.file, given.draws, given.only)._replace(pack=_digest((given.pack / "rows.npz").read_bytes()))
        about = json.loads((given.pack / "about.json").read_text("utf-8"))
        heads = [output["name"] for output in about["outputs"] if output["served"]]
        for one in (found.base, *found.variations):
            left_out(about["sets"], one.plan.get("without", ()))
        page(found, given.out, heads)
    except (OSError, ValueError) as error:
        asked.error(str(error))
    print(run(found, given.out, heads, students(found, given.pack, given.out, given.seconds, heads)))


def read(file: Path, draws: int | None = None, only: Sequence[str] | None = None) -> Ablations:
    """Raises ValueError naming the file, the variation and what is wrong with it; OSError."""
    import yaml  # where a pack travels to there may be none

    held = yaml.safe_load(file.read_text("utf-8"))
    recipe, stated = yaml.safe_load((file.parent / held["recipe"]).read_text("utf-8")), held["variations"]
    plan = _plan(
        f"{file}: {BASE}", recipe["teach"], held["base"] if draws is None else {**held["base"], "draws": draws}
    )
    plan.pop("seeds", None)
    seeds = tuple(held["seeds"])
    if not 2 <= len(seeds) <= len(STUDENT) or len(set(seeds)) < len(seeds):
        raise ValueError(f"{file}: seeds are {list(seeds)}: state from 2 to {len(STUDENT)} different ones")
    for name in only or ():
        if name not in stated:
            raise ValueError(f"{file} has no variation {name!r}; there are {', '.join(stated)}")
    variations = [_variation(file, name, one, plan) for name, one in stated.items() if not only or name in only]
    return Ablations(Variation(BASE, "", plan), tuple(variations), seeds)


def _variation(file: Path, name: str, stated: Mapping[str, Any], base: Mapping[str, Any]) -> Variation:
    if name == BASE or not _NAME.fullmatch(name):
        raise ValueError(f"{file}: {name!r} cannot be a variation's name: a to z, 0 to 9 and -, and not {BASE}")
    plan = _plan(f"{file}: {name}", base, stated["teach"])
    if plan == base:
        raise ValueError(f"{file}: {name} varies nothing: the base says the same already")
    return Variation(name, stated["tried"], plan)


def _plan(place: str, base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return laid_over(base, change)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


# --- the runs --------------------------------------------------------------------------------------------------------

Learn: TypeAlias = Callable[[Variation, int], Figures]
"""Has a student of a variation and a seed learn, and measures it."""


def run(ablations: Ablations, folder: Path, heads: Sequence[str], learn: Learn) -> str:
    """All runs that are not finished yet, the base's first; the page, which is written after each of them."""
    folder.mkdir(parents=True, exist_ok=True)
    text = ""
    for variation in (ablations.base, *ablations.variations):
        for seed in ablations.seeds:
            if finished(ablations, folder, variation, seed) is None:
                _keep(_file(folder, variation, seed), _told(ablations, variation, seed), learn(variation, seed))
            text = page(ablations, folder, heads)
            (folder / "ablations.md").write_text(text, "utf-8")
    return text


def finished(ablations: Ablations, folder: Path, variation: Variation, seed: int) -> Figures | None:
    """What a run measured; None where it is not finished. Raises ValueError where it learnt something else."""
    file = _file(folder, variation, seed)
    if not file.exists():
        return None
    held: dict[str, Any] = json.loads(file.read_text("utf-8"))
    figures: Figures = held.pop("figures")
    if held != _told(ablations, variation, seed):
        raise ValueError(
            f"{file} is of another pack or recipe than asked for now: delete it, or name another folder by --out"
        )
    return figures


def students(ablations: Ablations, pack: Path, out: Path, seconds: float, heads: Sequence[str]) -> Learn:
    """Opens the pack when the first student is to learn."""
    opened: list[Any] = []

    def learn(variation: Variation, seed: int) -> Figures:
        from training.learn import Learner

        if not opened:
            opened.append(Learner(pack, out, seconds, 1.0, {"teach": ablations.base.plan}))
        learner, told = opened[0], json.dumps(_told(ablations, variation, seed))
        # By its digest, so that what was begun by another recipe is not gone on with.
        name = f"{variation.name} {seed} {_digest(told.encode())}"
        found = learner.figures(learner.taught(name, variation.plan, seed))
        learner.finished(name)
        return {head: found[head] for head in heads}

    return learn


def _file(folder: Path, variation: Variation, seed: int) -> Path:
    return folder / f"{variation.name}-{seed}.json"


def _told(ablations: Ablations, variation: Variation, seed: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps({"pack": ablations.pack, "seed": seed, "plan": variation.plan}))
    return told


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _keep(file: Path, told: Mapping[str, Any], figures: Figures) -> None:
    """Whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({**told, "figures": figures}, indent=1) + "\n", "utf-8")
    fresh.replace(file)


# --- the table -------------------------------------------------------------------------------------------------------


def page(ablations: Ablations, folder: Path, heads: Sequence[str]) -> str:
    """Markdown: the base's figures, and what each variation adds to them, head by head."""
    plan, seeds = ablations.base.plan, ablations.seeds
    base = _by_seed(ablations, folder, ablations.base)
    rows = [[f"the base, {len(base)} of {len(seeds)} seeds", *_means(list(base.values()), heads), ""]] if base else []
    rows += _rows(ablations, folder, heads, base)
    told = (
        f"Students of {plan.get('layers', 12)} layers × {plan.get('ffn', 1536)}, each from {plan['draws']:,} rows, "
        f"seeds {', '.join(map(str, seeds))}. Macro-F1 in per cent on the development rows: of the base the mean "
        "over the seeds, of each variation the mean of its differences to the base seed by seed, ± its standard error; "
        "**bold** where 95 % of Student's t leave 0 out. Kept is a variation that gains by more than that noise "
        "in the mean of all heads, and certainly loses in none."
    )
    return f"{told}\n\n{table(['tried', *heads, ALL, 'kept'], 1, rows)}\n"


def _rows(ablations: Ablations, folder: Path, heads: Sequence[str], base: Mapping[int, Figures]) -> Iterator[list[str]]:
    for variation in ablations.variations:
        mine = _by_seed(ablations, folder, variation)
        both = [seed for seed in ablations.seeds if seed in mine and seed in base]
        if len(both) > 1:
            gains = gained([base[seed] for seed in both], [mine[seed] for seed in both], heads)
            done = len(both) == len(ablations.seeds)
            yield [variation.tried, *map(_shown, gains.values()), kept(gains) if done else f"{len(both)} seeds so far"]


def gained(base: Sequence[Figures], other: Sequence[Figures], heads: Sequence[str]) -> dict[str, Gain]:
    """By head, and of ALL: what `other` adds to `base`, which stand in the same order of seeds, two at least."""
    pairs = list(zip(base, other, strict=True))
    found = {head: _gain([theirs[head] - mine[head] for mine, theirs in pairs]) for head in heads}
    return {**found, ALL: _gain([_all(theirs, heads) - _all(mine, heads) for mine, theirs in pairs])}


def kept(gains: Mapping[str, Gain]) -> str:
    """Yes, or why not."""
    if not gains[ALL].certain:
        return "no: noise"
    losing = [head for head, gain in gains.items() if gain.certain and gain.mean < 0]
    if ALL in losing:
        return "no: loses"
    return f"no: loses {', '.join(losing)}" if losing else "yes"


def _gain(differences: Sequence[float]) -> Gain:
    mean, error = fmean(differences), stdev(differences) / math.sqrt(len(differences))
    return Gain(mean, error, abs(mean) > STUDENT[len(differences) - 1] * error)


def _by_seed(ablations: Ablations, folder: Path, variation: Variation) -> dict[int, Figures]:
    found = {seed: finished(ablations, folder, variation, seed) for seed in ablations.seeds}
    return {seed: figures for seed, figures in found.items() if figures is not None}


def _all(figures: Figures, heads: Sequence[str]) -> float:
    return fmean(figures[head] for head in heads)


def _means(figures: Sequence[Figures], heads: Sequence[str]) -> list[str]:
    means = [fmean(one[head] for one in figures) for head in heads]
    return [f"{mean * 100:.1f}" for mean in (*means, fmean(means))]


def _shown(gain: Gain) -> str:
    text = f"{gain.mean * 100:+.1f} ± {gain.error * 100:.1f}"
    return f"**{text}**" if gain.certain else text


if __name__ == "__main__":
    main()
