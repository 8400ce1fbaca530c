"""The weighted mean of two versions of weights: `python -m training.mean OUT/a 0.2 OUT/b 0.8 OUT/c`.

Stems are as `training.weights` holds them: OUT/a for OUT/a.0.npz … What both have is averaged, number by number, in the
parts that are given (over their sum); a head that only one has is taken from it as it is. Needs numpy only.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from training.weights import load, save, there

HEAD = "head."
"""How the names of the heads' arrays begin: the encoder's have to be in both."""


def mean(
    first: dict[str, np.ndarray], second: dict[str, np.ndarray], parts: tuple[float, float]
) -> dict[str, np.ndarray]:
    """In the order of `first`, then what only `second` has. Raises ValueError naming the arrays: shapes that differ,
    an array of the encoder that only one has, parts that are none."""
    total = sum(parts)
    if not all(math.isfinite(part) and part >= 0 for part in parts) or not total > 0:
        raise ValueError(f"parts of {parts[0]:g} and {parts[1]:g}: neither may be below 0, nor both 0")
    apart = [
        f"{name} ({value.shape}, {second[name].shape})"
        for name, value in first.items()
        if name in second and second[name].shape != value.shape
    ]
    if apart:
        raise ValueError(f"shapes that differ: {', '.join(apart)}; only versions of one network have a mean")
    alone = sorted(name for name in first.keys() ^ second.keys() if not name.startswith(HEAD))
    if alone:
        raise ValueError(f"only one of the two has {', '.join(alone)}; only heads may be missing")
    out = {}
    for name, value in first.items():
        if name in second:
            sums = value.astype(np.float64) * parts[0] + second[name].astype(np.float64) * parts[1]
            out[name] = (sums / total).astype(value.dtype)
        else:
            out[name] = value
    return {**out, **{name: value for name, value in second.items() if name not in first}}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("first", type=Path, help="a stem: OUT/a for OUT/a.0.npz …")
    asked.add_argument("part", type=float, help="how much it counts")
    asked.add_argument("second", type=Path, help="the other stem")
    asked.add_argument("other_part", type=float, help="how much that counts")
    asked.add_argument("out", type=Path, help="the stem that is written: it must not be there yet")
    given = asked.parse_args()
    for stem in (given.first, given.second):
        if not there(stem):
            asked.error(f"there are no weights {stem}.0.npz: give the stem, without .0.npz")
    if there(given.out):
        asked.error(f"{given.out}.0.npz is there already: delete its parts, or name another stem")
    try:
        arrays = mean(load(given.first), load(given.second), (given.part, given.other_part))
    except ValueError as error:
        asked.error(f"{given.first} and {given.second}: {error}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    save(given.out, arrays)
    print(f"{given.out}: {len(arrays)} arrays")


if __name__ == "__main__":
    main()
