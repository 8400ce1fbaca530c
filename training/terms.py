"""What the encoders learn from, and on what terms: `python -m training.terms` writes the table of docs/model-card.md.

Set, outputs that it teaches, licence as its README states it, risk. Needs `../shared`.
"""

from __future__ import annotations

import re
from pathlib import Path

from training.corpus import SHARED, read
from training.examples import FOLDER, WRITTEN, recipe, risks
from training.page import table

CARD = Path(__file__).parents[1] / "docs" / "model-card.md"
_PLACE = re.compile(r"(<!-- terms: start -->\n).*(<!-- terms: end -->)", re.DOTALL)
_OURS = "our labels"


def main() -> None:
    text = CARD.read_text("utf-8")
    CARD.write_text(_PLACE.sub(lambda found: f"{found[1]}{listed()}\n{found[2]}", text), "utf-8")


def listed() -> str:
    known = risks()
    taught = teaches()
    rows = [[f"`{name}`", ", ".join(taught[name]), licence(name), known[name]] for name in sorted(taught)]
    return table(["set", "teaches", "licence as stated", "risk"], 4, rows)


def teaches() -> dict[str, list[str]]:
    """Set → the outputs that learn from it; `text` where it is read without labels."""
    plan = recipe()
    found: dict[str, list[str]] = {}
    for group in ("heads", "auxiliary"):
        for output, entry in plan[group].items():
            for name in entry["sets"]:
                found.setdefault(name, []).append(output if group == "heads" else f"({output})")
    for name in plan["texts_only"]:
        found.setdefault(name, []).append("text")
    for path, word in ((FOLDER / "labels.jsonl", _OURS), (FOLDER / "tones.jsonl", "sentiment")):
        for name in {row["set"] for row in read(path)}:
            found.setdefault(name, [])
            if word not in found[name]:
                found[name].append(word)
    for name in {row["set"] for row in read(SHARED / "labels" / "train.jsonl.gz")} - set(WRITTEN):
        if _OURS not in found.setdefault(name, []):
            found[name].append(_OURS)
    return {name: sorted(outputs) for name, outputs in found.items()}


def licence(name: str) -> str:
    """One line of a set's README, without what would break a table."""
    text = (SHARED / "data" / name / "README.md").read_text("utf-8")
    found = re.search(r"^- Licence as stated: (.*)$", text, re.M)
    return found[1].replace("|", "/") if found else "not stated"


if __name__ == "__main__":
    main()
