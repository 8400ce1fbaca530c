"""Learns the models from a pack, stage by stage: `python -m training.learn PACK --out FOLDER [--stage …]`.

pretrain → one encoder; teach → several teachers; soften → what they say of every text; distil → the students. A stage
whose weights are there already is not done again. Needs numpy and torch only; uses the GPU where there is one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nlp.own.network import (
    MASK,
    PAD,
    Encoder,
    Model,
    Shape,
    arrays_of,
    encoder_from,
    load_heads,
    mean,
    rate,
)
from training.batches import HANDLE, TARGET, Pack, drawn, learnt_from, priors, sequences_of
from training.development import NONE, UNKNOWN, figures
from training.weights import load, read_base, save, there

STAGES = ("pretrain", "teach", "soften", "distil")
KEPT = 240.0
"""Seconds between two savings of a stage under way."""


class Learner:
    def __init__(
        self, folder: Path, out: Path, seconds: float, fraction: float, recipe: dict[str, Any] | None = None
    ) -> None:
        """`recipe`: in place of the pack's own."""
        self.pack, self.out = Pack(folder), out
        self.recipe = recipe or self.pack.recipe
        self.base = read_base(folder / "base.npz")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.until = time.monotonic() + seconds
        self.fraction = fraction
        self.begun = time.monotonic()
        out.mkdir(parents=True, exist_ok=True)

    # --- stages ----------------------------------------------------------------------------------------------------

    def pretrain(self) -> None:
        """Masked-language training of the whole encoder on every sequence."""
        plan = self.recipe["pretrain"]
        draw = np.random.default_rng(1)
        encoder = encoder_from(self.base, Shape()).to(self.device)
        bias = torch.nn.Parameter(torch.zeros(encoder.words.shape[0], device=self.device))
        turn = torch.nn.Linear(384, 384).to(self.device)
        torch.nn.init.eye_(turn.weight)
        sequences = draw.permutation(self._free())[: plan.get("most")]
        epochs = [
            [sequences[one] for one in self.pack.chunks(sequences, plan["tokens"], draw)]
            for _ in range(max(1, round(plan["epochs"] * self.fraction)))
        ]
        batches = [one for epoch in epochs for one in epoch]
        encoder.drop(plan.get("dropout", 0.1))
        optimiser = torch.optim.AdamW(
            [*encoder.parameters(), *turn.parameters(), bias], lr=plan["rate"], weight_decay=0.01, betas=(0.9, 0.98)
        )
        learnt = torch.nn.ModuleDict({"encoder": encoder, "turn": turn})
        learnt.register_parameter("bias", bias)

        def step(batch: np.ndarray) -> Tensor:
            return self._masked(encoder, turn, bias, batch, plan["masked"])

        self._run("pretrain", batches, optimiser, step, learnt)
        self._whole("pretrain", self.out / "pretrained", encoder)

    def _masked(self, encoder: Encoder, turn: Any, bias: Tensor, batch: np.ndarray, share: float) -> Tensor:
        ids = self.pack.padded(batch).to(self.device)
        free = (ids > 3) & (ids != MASK)
        chosen = free & (torch.rand(ids.shape, device=self.device) < share)
        kept = chosen & (torch.rand(ids.shape, device=self.device) < 0.1)
        x = encoder(ids, masked=chosen & ~kept)[chosen]
        logits = F.linear(F.gelu(turn(x)), encoder.table().to(x.dtype), bias.to(x.dtype))
        return F.cross_entropy(logits.float(), ids[chosen])

    def teach(self) -> None:
        """One teacher a seed, on all outputs."""
        plan = self.recipe["teach"]
        for seed in plan["seeds"]:
            if not there(self.out / f"teacher-{seed}"):
                self._teach(plan, seed)

    def _teach(self, plan: dict[str, Any], seed: int) -> None:
        name = f"teacher {seed}"
        model = self.taught(name, plan, seed)
        self._whole(name, self.out / f"teacher-{seed}", model)
        self._report(model, name)

    def taught(self, name: str, plan: dict[str, Any], seed: int) -> Model:
        """What has learnt all outputs by `plan`, a recipe's `teach`; with `layers`, `ffn` and `from` a smaller encoder,
        which begins with these layers. The run of this name goes on where it was stopped, until it is `finished`."""
        torch.manual_seed(seed)
        draw = np.random.default_rng(seed)
        model = self._fresh(plan).to(self.device)
        model.encoder.drop(plan.get("dropout", 0.1))
        rows = drawn(self.pack, plan, round(plan["draws"] * self.fraction), draw)
        sequences = sequences_of(self.pack, rows, draw)
        batches = list(self.pack.chunks(sequences, plan["tokens"], draw))
        adjust = {one: table.to(self.device) for one, table in priors(self.pack, plan).items()}
        groups = _by_layer(model, plan["rate"], plan["decay"])
        optimiser = torch.optim.AdamW(groups, lr=plan["rate"], weight_decay=0.01, fused=True)

        def step(batch: np.ndarray) -> Tensor:
            ids = self._targeted(sequences[batch], draw, plan["swap"], plan["unnamed"])
            return self._loss(model(ids), rows[batch], adjust, plan["prior"])

        self._run(name, batches, optimiser, step, model)
        return model

    def soften(self) -> None:
        """What the teachers say of every sequence: mean logits of the served outputs.

        Of one teacher the students hear it in passing (`_distil`): it runs for its layers anyway.
        """
        models = [self._loaded(Shape(), load(self.out / f"teacher-{seed}")) for seed in self.recipe["teach"]["seeds"]]
        everything = np.arange(len(self.pack.lengths))
        names = [output.name for output in self.pack.outputs if output.served]
        widths = {output.name: len(output.classes) for output in self.pack.outputs}
        said = {name: np.zeros((len(everything), widths[name]), np.float32) for name in names}
        with torch.no_grad(), self._mixed():
            for model in models:
                model.eval()
                for batch in self.pack.chunks(everything, 4 * self.recipe["teach"]["tokens"], None):
                    logits = model(self.pack.padded(batch, ~self.pack.targeted[batch]).to(self.device))
                    for name in names:
                        said[name][batch] += logits[name].float().cpu().numpy() / len(models)
        self.said = said

    def distil(self) -> None:
        plan = self.recipe["distil"]
        for name, student in plan["students"].items():
            if not there(self.out / name):
                self._distil(name, {**plan, **student})

    def _distil(self, name: str, plan: dict[str, Any]) -> None:
        alone = len(self.recipe["teach"]["seeds"]) == 1 and plan["hidden"]
        if not alone and not hasattr(self, "said"):
            self.soften()
        torch.manual_seed(11)
        draw = np.random.default_rng(11)
        first = load(self.out / f"teacher-{self.recipe['teach']['seeds'][0]}")
        teacher = self._loaded(Shape(), first).eval()
        shape = Shape(layers=plan["layers"], ffn=plan["ffn"])
        begun = load(self.out / plan["start"]) if "start" in plan else first
        layers = None if "start" in plan else plan["from"]
        encoder = encoder_from({**self.base, **begun}, shape, layers, dropout=0.05)
        served = {output.name: len(output.classes) for output in self.pack.outputs if output.served}
        student = Model(encoder, served, dropout=0.05)
        load_heads(student, begun)
        student.to(self.device)
        owner = self._labelled()
        sequences = self._heard(plan, draw)
        batches = [
            sequences[one]
            for _ in range(max(1, round(plan["epochs"] * self.fraction)))
            for one in self.pack.chunks(sequences, plan["tokens"], draw)
        ]
        rounded = len(batches) * (1 - plan["rounded"])
        said = {} if alone else {one: torch.from_numpy(values).to(self.device) for one, values in self.said.items()}
        kinds = {output.name: output.kind for output in self.pack.outputs}
        adjust = {one: table.to(self.device) for one, table in priors(self.pack, self.recipe["teach"]).items()}
        optimiser = torch.optim.AdamW(student.parameters(), lr=plan["rate"], weight_decay=0.01, fused=True)
        numbers = itertools.count()

        def step(batch: np.ndarray) -> Tensor:
            student.quantise(next(numbers) >= rounded)
            ids = self._targeted(batch, draw, self.recipe["teach"]["swap"], self.recipe["teach"]["unnamed"])
            outputs = student.encoder(ids, every=True)
            pooled = student.dropout(mean(outputs[-1], ids))
            logits = {one: head(pooled) for one, head in student.heads.items()}
            place = torch.from_numpy(batch).to(self.device)
            heard = {one: values[place] for one, values in said.items()}
            if plan["hidden"]:
                with torch.no_grad():
                    shown = teacher.encoder(ids, every=True)
                    whole = mean(shown[-1], ids)
                    heard = heard or {one: teacher.heads[one](whole) for one in logits}
            loss = sum(_apart(kinds[one], logits[one], heard[one]) for one in logits)
            if plan["hidden"]:
                seen = (ids != PAD)[..., None]
                for mine, theirs in zip(outputs, plan["from"], strict=True):
                    gap = ((mine.float() - shown[theirs].float()) ** 2) * seen
                    loss = loss + plan["hidden"] * gap.sum() / (seen.sum() * mine.shape[-1])
            rows = owner[batch]
            mine = rows >= 0
            if plan["hard"] and mine.any():
                picked = torch.from_numpy(np.flatnonzero(mine)).to(self.device)
                some = {one: values[picked] for one, values in logits.items()}
                loss = loss + plan["hard"] * self._loss(some, rows[mine], adjust, self.recipe["teach"]["prior"])
            return loss

        self._run(name, batches, optimiser, step, student, numbers)
        self._whole(name, self.out / name, student)
        self._report(student, name)

    def _heard(self, plan: dict[str, Any], draw: np.random.Generator) -> np.ndarray:
        """The sequences of an epoch: `most` of all, and those of `drawn` rows, by the shares that the teachers had."""
        sequences = draw.permutation(self._free())[: plan.get("most")]
        if "drawn" in plan:
            rows = drawn(self.pack, self.recipe["teach"], plan["drawn"], draw)
            sequences = np.concatenate((sequences, sequences_of(self.pack, rows, draw)))
        return sequences

    def _free(self) -> np.ndarray:
        """The sequences that may be learnt from: no soft label either is heard of a text that is developed on."""
        arrays = self.pack.arrays
        held = arrays["development"]
        return np.setdiff1d(np.arange(len(self.pack.lengths)), [arrays["texts"][held], arrays["alt"][held]])

    # --- parts -----------------------------------------------------------------------------------------------------

    def _fresh(self, plan: dict[str, Any]) -> Model:
        """All outputs upon the weights `start`, with its heads; or upon the pre-trained encoder, where there is one."""
        start = plan.get("start")
        held = self.out / (start or "pretrained")
        arrays = {**self.base, **(load(held) if start or there(held) else {})}
        shape = Shape(**{name: plan[name] for name in ("layers", "ffn") if name in plan})
        encoder = encoder_from(arrays, shape, plan.get("from"))
        model = Model(encoder, {one.name: len(one.classes) for one in self.pack.outputs})
        if start:
            load_heads(model, arrays)
        return model

    def _loaded(self, shape: Shape, arrays: dict[str, np.ndarray]) -> Model:
        heads = {
            name.split(".")[1]: len(value)
            for name, value in arrays.items()
            if name.startswith("head.") and name.endswith("weight")
        }
        model = Model(encoder_from({**self.base, **arrays}, shape), heads)
        load_heads(model, arrays)
        return model.to(self.device)

    def _labelled(self) -> np.ndarray:
        """Sequence → one row that it belongs to and that is learnt from, or -1."""
        owner = np.full(len(self.pack.lengths), -1, np.int64)
        usable = np.flatnonzero(learnt_from(self.pack, self.recipe["teach"]))
        owner[self.pack.arrays["texts"][usable]] = usable
        return owner

    def _targeted(self, sequences: np.ndarray, draw: np.random.Generator, swap: float, unnamed: float) -> Tensor:
        """[n, length] pieces of sequences; of those without a target a share is read as if to one that is not named,
        and in a share of the others the first handle is the target: what a text says must not hang on the mark."""
        free = ~self.pack.targeted[sequences]
        chance = draw.random(len(sequences))
        ids = self.pack.padded(sequences, free & (chance < unnamed))
        chosen = torch.from_numpy(free & (chance >= 1 - swap))
        handles = (ids == HANDLE) & chosen[:, None]
        first = handles & (handles.cumsum(1) == 1)
        return torch.where(first, torch.full_like(ids, TARGET), ids).to(self.device)

    def _loss(
        self, logits: dict[str, Tensor], rows: np.ndarray, adjust: dict[str, Tensor], power: dict[str, float]
    ) -> Tensor:
        """Weighted mean over rows of each output's cross-entropy, each output by its share of the rows."""
        weight = torch.from_numpy(self.pack.arrays["weight"][rows].astype(np.float32)).to(self.device)
        sets = torch.from_numpy(self.pack.arrays["set"][rows].astype(np.int64)).to(self.device)
        total = torch.zeros((), device=self.device)
        for output in self.pack.outputs:
            if output.name not in logits:
                continue
            labels = self.pack.labels[output.name][rows]
            has = np.flatnonzero(labels != NONE if labels.ndim == 1 else labels[:, 0] != NONE)
            if not len(has):
                continue
            at = torch.from_numpy(has).to(self.device)
            y = torch.from_numpy(labels[has].astype(np.int64)).to(self.device)
            z = logits[output.name][at].float()
            if output.kind == "one":
                z = z + power.get(output.name, 0.0) * adjust[output.name][sets[at]]
                loss = F.cross_entropy(z, y, reduction="none")
            else:
                known = y != UNKNOWN
                loss = F.binary_cross_entropy_with_logits(z, (y == 1).float(), reduction="none")
                loss = (loss * known).sum(1) / known.sum(1).clamp_min(1) * 2
            total = total + (loss * weight[at]).sum() / len(rows)
        return total

    def _run(
        self,
        name: str,
        batches: Sequence[Any],
        optimiser: Any,
        step: Callable[[Any], Tensor],
        model: torch.nn.Module,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """All batches, from where a run of the same stage was stopped; kept every KEPT seconds, until `_whole`."""
        rates = [group["lr"] for group in optimiser.param_groups]
        kept = self._kept(name)
        first = 0
        if kept.exists():
            held = torch.load(kept, map_location=self.device, weights_only=True)
            model.load_state_dict(held["model"])
            optimiser.load_state_dict(held["optimiser"])
            torch.set_rng_state(held["random"].cpu())
            first = held["batch"]
            print(f"{name}: goes on from batch {first}", flush=True)
        for _ in range(first):
            next(numbers) if numbers is not None else None
        begun = shown = saved = time.monotonic()
        smooth: float | None = None
        for number, batch in enumerate(batches[first:], first):
            now = time.monotonic()
            if now > self.until or now - saved > KEPT:
                saved = now
                part = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "batch": number}
                torch.save({**part, "random": torch.get_rng_state()}, f"{kept}.new")
                Path(f"{kept}.new").replace(kept)
            if now > self.until:
                raise TimeoutError(
                    f"{name}: out of time after {number} of {len(batches)} batches; it goes on from here"
                )
            share = rate(number, len(batches), 0.06)
            for group, top in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = top * share
            with self._mixed():
                loss = step(batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([one for group in optimiser.param_groups for one in group["params"]], 1.0)
            optimiser.step()
            if smooth is None or number % 20 == 0:
                value = float(loss.detach())
                smooth = value if smooth is None else 0.8 * smooth + 0.2 * value
            if now - shown > 20:
                shown = now
                print(f"{name}: {number}/{len(batches)} loss {smooth:.4f} {shown - begun:.0f} s", flush=True)
        print(f"{name}: done, loss {smooth or 0:.4f}, {time.monotonic() - begun:.0f} s", flush=True)

    def _kept(self, name: str) -> Path:
        return self.out / f"{name.replace(' ', '-')}.part"

    def _whole(self, name: str, stem: Path, model: Model | Encoder) -> None:
        """Saves what a stage learnt, and only then drops what it was to go on from."""
        save(stem, arrays_of(model))
        self.finished(name)

    def finished(self, name: str) -> None:
        """Drops what the run of this name was to go on from."""
        self._kept(name).unlink(missing_ok=True)

    def _report(self, model: Model, name: str) -> None:
        found = self.figures(model)
        print(name, json.dumps(found), flush=True)
        (self.out / f"{name.replace(' ', '-')}.json").write_text(json.dumps(found))

    def figures(self, model: Model) -> dict[str, float]:
        """Macro-F1 of each of its outputs on the development rows, of all languages together."""
        model.eval()
        held = np.flatnonzero(self.pack.arrays["development"])
        sequences = self.pack.arrays["texts"][held]
        said: dict[str, np.ndarray] = {}
        with torch.no_grad(), self._mixed():
            for batch in self.pack.chunks(sequences, 2 * self.recipe["teach"]["tokens"], None):
                ids = self.pack.padded(sequences[batch], ~self.pack.targeted[sequences[batch]])
                for one, logits in model(ids.to(self.device)).items():
                    if one not in said:
                        said[one] = np.zeros((len(held), logits.shape[1]), np.float32)
                    said[one][batch] = logits.float().cpu().numpy()
        model.train()
        return figures(self.pack.outputs, {one: labels[held] for one, labels in self.pack.labels.items()}, said)

    def _mixed(self) -> Any:
        """16 bits where the machine computes in them: elsewhere a CPU would only imitate it, and take longer."""
        fit = self.device.type == "cuda" or computes_in_bf16()
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fit)


@cache
def computes_in_bf16(flags: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this CPU has instructions for bfloat16; where that cannot be looked up, no."""
    try:
        return bool(re.search(r"^flags\b.*\b(avx512_bf16|amx_bf16)\b", flags.read_text("utf-8"), re.M))
    except OSError:
        return False


def _apart(kind: str, mine: Tensor, theirs: Tensor) -> Tensor:
    """Distance of two answers in probabilities: Kullback-Leibler, of the teachers' from the student's."""
    mine, theirs = mine.float(), theirs.float()
    if kind == "one":
        return F.kl_div(F.log_softmax(mine, -1), F.log_softmax(theirs, -1), reduction="batchmean", log_target=True)
    p = theirs.sigmoid()
    gap = F.binary_cross_entropy_with_logits(mine, p, reduction="none") - F.binary_cross_entropy_with_logits(
        theirs, p, reduction="none"
    )
    return gap.sum(1).mean()


def _by_layer(model: Model, top: float, decay: float) -> list[dict[str, Any]]:
    layers = model.encoder.layers
    groups = [{"params": list(model.heads.parameters()), "lr": 5 * top}]
    for number, layer in enumerate(layers):
        groups.append({"params": list(layer.parameters()), "lr": top * decay ** (len(layers) - 1 - number)})
    rest = [model.encoder.special, *model.encoder.positions.parameters(), *model.encoder.norm.parameters()]
    groups.append({"params": rest, "lr": top * decay ** len(layers)})
    return groups


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("pack", type=Path)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--stage", choices=STAGES, action="append", help="only these; all by default")
    asked.add_argument("--seconds", type=float, default=7e6, help="stop with an error after so long")
    asked.add_argument(
        "--fraction", type=float, default=1.0, help="of the recipe's epochs and draws (to try the way out)"
    )
    asked.add_argument("--recipe", type=Path, help="a recipe (YAML) in place of the one in the pack")
    given = asked.parse_args()
    recipe = None
    if given.recipe:
        import yaml  # where a pack travels to there may be none

        recipe = yaml.safe_load(given.recipe.read_text())
    learner = Learner(given.pack, given.out, given.seconds, given.fraction, recipe)
    for stage in given.stage or STAGES:
        if stage == "pretrain" and there(given.out / "pretrained"):
            continue
        if not given.stage and (stage == "soften" or stage not in learner.recipe):
            continue
        getattr(learner, stage)()


if __name__ == "__main__":
    main()
