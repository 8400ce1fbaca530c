"""Batches of packed rows: padded piece numbers, and what each output is to say of them. Needs numpy and torch only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from nlp.own.network import PAD, SPECIAL
from training.development import NONE
from training.recipes import left_out

TARGET, _, _, HANDLE = SPECIAL


class Output(NamedTuple):
    """As `training.examples` wrote it, which needs more than the machine may have that learns."""

    name: str
    kind: str
    of: str
    classes: tuple[str, ...]
    served: bool


class Pack:
    """What `training.pack` wrote."""

    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / "about.json").read_text("utf-8"))
        self.recipe: dict[str, Any] = self.about["recipe"]
        self.outputs = tuple(Output(**{**one, "classes": tuple(one["classes"])}) for one in self.about["outputs"])
        with np.load(folder / "rows.npz") as held:
            self.arrays = {name: held[name] for name in held.files}
        self.pieces, self.starts = self.arrays["pieces"], self.arrays["starts"]
        self.lengths = np.diff(self.starts)
        self.sets: list[str] = self.about["sets"]
        rows = len(self.arrays["texts"])
        self.labels: dict[str, np.ndarray] = {}
        """Output → label of each row; NONE where it has none."""
        for output in self.outputs:
            at, given = self.arrays[f"at.{output.name}"], self.arrays[f"label.{output.name}"]
            width = () if output.kind == "one" else (len(output.classes),)
            whole = np.full((rows, *width), NONE, np.uint8)
            whole[at] = given
            self.labels[output.name] = whole

    def padded(self, sequences: np.ndarray, unnamed: np.ndarray | None = None) -> torch.Tensor:
        """[n, longest of them, rounded up to 8] piece numbers. `unnamed`: which are to be read towards a brand that
        they do not name, as serving writes that: TARGET comes first."""
        lengths = self.lengths[sequences]
        before = np.zeros(len(sequences), np.int64) if unnamed is None else unnamed.astype(np.int64)
        width = int(-(-(lengths + before).max() // 8) * 8)
        out = np.full((len(sequences), width), PAD, np.int64)
        for row, (number, more) in enumerate(zip(sequences, before, strict=True)):
            pieces = self.pieces[self.starts[number] : self.starts[number + 1]]
            out[row, more : more + len(pieces)] = pieces
            if more:
                out[row, :2] = pieces[0], TARGET
        return torch.from_numpy(out)

    @cached_property
    def targeted(self) -> np.ndarray:
        """[sequences] whether one names a target."""
        counts = np.concatenate(([0], np.cumsum(self.pieces == TARGET)))
        found: np.ndarray = counts[self.starts[1:]] > counts[self.starts[:-1]]
        return found

    def chunks(self, sequences: np.ndarray, tokens: int, draw: np.random.Generator | None) -> Iterator[np.ndarray]:
        """Places in `sequences`, in batches of like length of about `tokens` pieces; shuffled if `draw` is given."""
        order = np.arange(len(sequences)) if draw is None else draw.permutation(len(sequences))
        span = max(1, tokens // 24) * 40 if draw is not None else len(order)
        batches: list[np.ndarray] = []
        for begin in range(0, len(order), max(1, span)):
            part = order[begin : begin + span]
            part = part[np.argsort(self.lengths[sequences[part]], kind="stable")]
            at = 0
            while at < len(part):
                most = 8
                end = at
                while end < len(part):
                    width = -(-int(self.lengths[sequences[part[end]]]) // 8) * 8
                    if (end - at + 1) * max(most, width) > tokens and end > at:
                        break
                    most, end = max(most, width), end + 1
                batches.append(part[at:end])
                at = end
        if draw is not None:
            draw.shuffle(batches)  # type: ignore[arg-type]
        yield from batches


def drawn(pack: Pack, recipe: dict[str, Any], draws: int, draw: np.random.Generator) -> np.ndarray:
    """`draws` rows to learn from, sets by the number of their rows to a power, each set in rounds of its rows."""
    arrays = pack.arrays
    usable = learnt_from(pack, recipe)
    share: dict[int, float] = {}
    for number, name in enumerate(pack.sets):
        rows = int((usable & (arrays["set"] == number)).sum())
        times = recipe["times"].get(name, recipe["times"].get(name.split(":")[0], 1.0))
        share[number] = times * rows ** recipe["power"]
    ours = [number for number, name in enumerate(pack.sets) if name.startswith("ours:")]
    together = sum(int((usable & (arrays["set"] == number)).sum()) for number in ours)
    if together:
        whole = recipe["times"].get("ours", 1.0) * together ** recipe["power"]
        for number in ours:
            share[number] = whole * int((usable & (arrays["set"] == number)).sum()) / together
    total = sum(share.values())
    chosen = []
    for number, part in share.items():
        rows = np.flatnonzero(usable & (arrays["set"] == number))
        wanted = round(draws * part / total)
        if not len(rows):
            continue
        rounds = [draw.permutation(rows) for _ in range(-(-wanted // len(rows)))]
        chosen.append(np.concatenate(rounds)[:wanted] if rounds else rows[:0])
    return np.concatenate(chosen)


def learnt_from(pack: Pack, recipe: dict[str, Any]) -> np.ndarray:
    """[rows] whether one may be drawn: it is not developed on, nor of a set that the recipe is `without`."""
    out: np.ndarray = ~pack.arrays["development"] & ~np.isin(
        pack.arrays["set"], left_out(pack.sets, recipe.get("without", ()))
    )
    return out


def sequences_of(pack: Pack, rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The sequence of each row; of rows that have a roughened form half of the time that one."""
    texts, alt = pack.arrays["texts"][rows], pack.arrays["alt"][rows]
    return np.where((alt >= 0) & (draw.random(len(rows)) < 0.5), alt, texts)


def priors(pack: Pack, recipe: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Output of kind `one` → [sets, classes] log of each class's share among the rows of a set that are learnt from."""
    found = {}
    used = learnt_from(pack, recipe)
    for output in pack.outputs:
        if output.kind != "one":
            continue
        labels = pack.labels[output.name]
        table = np.full((len(pack.sets), len(output.classes)), 1.0)
        for number in range(len(pack.sets)):
            rows = used & (pack.arrays["set"] == number) & (labels != NONE)
            counts = np.bincount(labels[rows], pack.arrays["weight"][rows], minlength=len(output.classes))
            if counts.sum():
                table[number] = counts + 0.5
        found[output.name] = torch.from_numpy(np.log(table / table.sum(1, keepdims=True))).float()
    ours = [number for number, name in enumerate(pack.sets) if name.startswith("ours:")]
    for name in ("reputation", "intent", "detractor", "act"):
        if name in found and ours:
            labels = pack.labels[name]
            rows = used & np.isin(pack.arrays["set"], ours) & (labels != NONE)
            counts = np.bincount(labels[rows], pack.arrays["weight"][rows], minlength=found[name].shape[1]) + 0.5
            found[name][ours] = torch.from_numpy(np.log(counts / counts.sum())).float()
    return found
