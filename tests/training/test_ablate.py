"""What a part of the recipe is worth is told by its gain over the seeds; what is finished is not learnt again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.ablate import ALL, Ablations, Variation, gained, kept, read, run
from training.corpus import there
from training.examples import TONE, recipe, risks
from training.recipes import laid_over, left_out

HEADS = ("sentiment", "intent")
SHIPPED = Path(__file__).resolve().parents[2] / "training" / "ablations.yaml"
RECIPE = "teach: {seeds: [7], draws: 900, power: 0.5, times: {ours: 4.0, far: 0.0}, prior: {sentiment: 1.0}}\n"
STATED = """\
recipe: recipe.yaml
base: {draws: 40, layers: 2}
seeds: [1, 2, 3]
variations:
  no-prior: {tried: no prior, teach: {prior: {sentiment: 0.0}}}
  far-sets: {tried: far sets, teach: {times: {far: 0.3}}}
"""


def written(folder: Path, stated: str = STATED) -> Path:
    (folder / "recipe.yaml").write_text(RECIPE, "utf-8")
    file = folder / "ablations.yaml"
    file.write_text(stated, "utf-8")
    return file


class Students:
    """Stand-ins for what learns, with figures that are set; they stop after so many."""

    def __init__(self, figures: Mapping[tuple[str, int], tuple[float, float]], most: int = 99) -> None:
        self.figures, self.most = figures, most
        self.learnt: list[tuple[str, int]] = []

    def __call__(self, variation: Variation, seed: int) -> Mapping[str, float]:
        if len(self.learnt) == self.most:
            raise TimeoutError("out of time")
        self.learnt.append((variation.name, seed))
        return dict(zip(HEADS, self.figures[variation.name, seed], strict=True))


FIGURES = {
    ("base", 1): (0.60, 0.50), ("base", 2): (0.62, 0.50), ("base", 3): (0.64, 0.50),
    ("no-prior", 1): (0.62, 0.52), ("no-prior", 2): (0.65, 0.53), ("no-prior", 3): (0.68, 0.54),
    ("far-sets", 1): (0.59, 0.53), ("far-sets", 2): (0.65, 0.49), ("far-sets", 3): (0.64, 0.50),
}  # fmt: skip


def test_a_variation_is_the_base_with_its_own_laid_over(tmp_path: Path) -> None:
    found = read(written(tmp_path))
    base = {"draws": 40, "power": 0.5, "times": {"ours": 4.0, "far": 0.0}, "prior": {"sentiment": 1.0}, "layers": 2}
    assert found.base.plan == base
    assert found.seeds == (1, 2, 3)
    assert [(one.name, one.tried, one.plan) for one in found.variations] == [
        ("no-prior", "no prior", {**base, "prior": {"sentiment": 0.0}}),
        ("far-sets", "far sets", {**base, "times": {"ours": 4.0, "far": 0.3}}),
    ]
    only = read(written(tmp_path), draws=7, only=["far-sets"])
    assert [one.name for one in only.variations] == ["far-sets"]
    assert {one.plan["draws"] for one in (only.base, *only.variations)} == {7}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("prior: {sentiment: 0.0}", "priors: {sentiment: 0.0}", "no-prior: priors is nothing that teaching knows"),
        ("layers: 2", "layer: 2", "layer is nothing that teaching knows"),
        ("far: 0.3", "far: 0.0", "far-sets varies nothing"),
        ("far-sets:", "base:", "'base' cannot be a variation's name"),
        ("far-sets:", "../far:", "cannot be a variation's name"),
        ("[1, 2, 3]", "[1]", r"seeds are \[1\]"),
        ("[1, 2, 3]", "[1, 1, 2]", r"seeds are \[1, 1, 2\]"),
    ],
)
def test_what_would_vary_nothing_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(written(tmp_path, STATED.replace(old, new)))
    with pytest.raises(ValueError, match="has no variation 'no-tone'; there are no-prior, far-sets"):
        read(written(tmp_path), only=["no-tone"])


def test_a_run_that_is_finished_is_not_run_again(tmp_path: Path) -> None:
    found, out = read(written(tmp_path)), tmp_path / "out"
    first = Students(FIGURES, most=4)
    with pytest.raises(TimeoutError):
        run(found, out, HEADS, first)
    assert first.learnt == [("base", 1), ("base", 2), ("base", 3), ("no-prior", 1)]
    second = Students(FIGURES)
    text = run(found, out, HEADS, second)
    assert second.learnt == [("no-prior", 2), ("no-prior", 3), ("far-sets", 1), ("far-sets", 2), ("far-sets", 3)]
    assert (out / "ablations.md").read_text("utf-8") == text
    (out / "no-prior-2.json").unlink()
    third = Students(FIGURES)
    assert run(found, out, HEADS, third) == text
    assert third.learnt == [("no-prior", 2)]


def test_a_run_of_another_recipe_or_pack_is_not_taken_for_this_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(read(written(tmp_path)), out, HEADS, Students(FIGURES))
    for other in (read(written(tmp_path), draws=41), read(written(tmp_path))._replace(pack="another")):
        with pytest.raises(ValueError, match=r"base-1\.json is of another pack or recipe than asked for now: delete"):
            run(other, out, HEADS, Students(FIGURES))


def test_the_table_has_the_mean_of_the_differences_and_their_error(tmp_path: Path) -> None:
    text = run(read(written(tmp_path)), tmp_path / "out", HEADS, Students(FIGURES))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows == [
        "| tried | sentiment | intent | all | kept |",
        "|---|---:|---:|---:|---:|",
        "| the base, 3 of 3 seeds | 62.0 | 50.0 | 56.0 |  |",
        "| no prior | **+3.0 ± 0.6** | **+3.0 ± 0.6** | **+3.0 ± 0.6** | yes |",
        "| far sets | +0.7 ± 1.2 | +0.7 ± 1.2 | +0.7 ± 0.3 | no: noise |",
    ]


def test_there_is_no_verdict_before_all_seeds_are_there(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        run(read(written(tmp_path)), tmp_path, HEADS, Students(FIGURES, most=5))
    text = (tmp_path / "ablations.md").read_text("utf-8")
    assert "| no prior | +2.5 ± 0.5 | +2.5 ± 0.5 | +2.5 ± 0.5 | 2 seeds so far |" in text
    assert "far sets" not in text
    assert json.loads((tmp_path / "no-prior-2.json").read_text("utf-8"))["figures"] == {
        "sentiment": 0.65,
        "intent": 0.53,
    }


@pytest.mark.parametrize(
    ("sentiment", "intent", "verdict"),
    [
        ((0.02, 0.03, 0.04), (0.02, 0.03, 0.04), "yes"),
        ((0.08, 0.09, 0.10), (-0.02, -0.02, -0.03), "no: loses intent"),
        ((0.08, 0.09, 0.10), (-0.03, 0.01, -0.03), "yes"),
        ((-0.02, -0.03, -0.04), (0.0, 0.0, 0.0), "no: loses"),
        ((0.01, 0.05, 0.00), (0.01, 0.05, 0.00), "no: noise"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "no: noise"),
    ],
)
def test_a_gain_inside_the_noise_is_not_kept(
    sentiment: tuple[float, ...], intent: tuple[float, ...], verdict: str
) -> None:
    base = [{"sentiment": 0.5, "intent": 0.5}] * 3
    other = [{"sentiment": 0.5 + one, "intent": 0.5 + two} for one, two in zip(sentiment, intent, strict=True)]
    gains = gained(base, other, HEADS)
    assert list(gains) == [*HEADS, ALL]
    assert kept(gains) == verdict


def test_a_name_leaves_out_the_sets_that_it_means() -> None:
    sets = ["made", "ours:made", "ours:sanders", "sanders", "tone"]
    assert left_out(sets, ()) == []
    assert left_out(sets, ["ours:made", "tone"]) == [1, 4]
    assert left_out(sets, ["*sanders", "sanders"]) == [2, 3]
    with pytest.raises(ValueError, match="without ours:mad: no set of the pack is called so"):
        left_out(sets, ["ours:mad"])


def test_what_is_laid_over_changes_nothing_beneath() -> None:
    plan = {"times": {"ours": 4.0}, "prior": {"intent": 0.5}}
    assert laid_over(plan, {"times": {"tone": 0.0}, "without": ["tone"]}) == {
        "times": {"ours": 4.0, "tone": 0.0}, "prior": {"intent": 0.5}, "without": ["tone"],
    }  # fmt: skip
    assert plan == {"times": {"ours": 4.0}, "prior": {"intent": 0.5}}


@pytest.fixture
def shipped() -> Ablations:
    return read(SHIPPED)


def test_the_shipped_variations_name_sets_that_there_are(shipped: Ablations) -> None:
    plan = recipe()
    heads, auxiliary = (
        {name for output in plan[group].values() for name in output["sets"]} for group in ("heads", "auxiliary")
    )
    foreign = heads | auxiliary
    sets = [*foreign, *(f"ours:{name}" for name in (*foreign, *plan["texts_only"], "made", "synthetic")), TONE]
    for one in shipped.variations:
        left_out(sets, one.plan.get("without", ()))
        assert one.plan["times"].keys() <= {*foreign, TONE, "ours"}
    plans = {one.name: one.plan for one in shipped.variations}
    drawn = {name for name in auxiliary - heads if shipped.base.plan["times"].get(name, 1.0)}
    assert set(plans["no-auxiliary"]["without"]) == drawn
    assert {name for name, times in shipped.base.plan["times"].items() if not times} == {
        name for name, times in plans["far-sets"]["times"].items() if times != shipped.base.plan["times"][name]
    }


@pytest.mark.skipif(not there(), reason="the training data (../shared) is not part of a clone")
def test_the_variation_without_high_risk_leaves_out_all_sets_of_high_risk(shipped: Ablations) -> None:
    known = risks()
    sets = [*known, *(f"ours:{name}" for name in known), TONE]
    (without,) = (one.plan["without"] for one in shipped.variations if one.name == "no-high-risk")
    named = {sets[number] for number in left_out(sets, without)}
    high = {name for name, risk in known.items() if risk == "high"}
    assert named == high | {f"ours:{name}" for name in high} | {TONE}
