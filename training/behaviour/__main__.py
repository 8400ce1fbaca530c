"""Measures models on the behavioural suite: `python -m training.behaviour [--model FOLDER|TIER] [--verbose] [--write]`.

Prints how many cases each passes, by capability and language, with 95 % intervals; `--verbose` adds what failed,
`--write` puts the table into docs/accuracy.md. Needs no training data.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from nlp.classifier import Classifier
from nlp.encoder import TransformerClassifier
from nlp.language import Languages
from nlp.linear import SHIPPED, LinearClassifier
from stream.records import Tier
from training.behaviour.judge import Verdict, judged
from training.behaviour.report import failures, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
START, END = "<!-- behaviour: start -->", "<!-- behaviour: end -->"


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m training.behaviour", description=__doc__)
    tiers = ", ".join(get_args(Tier))
    models = f"a model's folder, or a shipped model: {tiers}; may be given several times; default linear"
    asked.add_argument("--model", action="append", metavar="FOLDER|TIER", help=models)
    asked.add_argument("--verbose", action="store_true", help="list the cases that fail")
    asked.add_argument("--write", action="store_true", help="put the table into docs/accuracy.md")
    given = asked.parse_args()
    try:
        classifiers = [opened(name) for name in given.model or ["linear"]]
    except (FileNotFoundError, ValueError) as error:
        asked.error(str(error))
    languages = Languages()
    verdicts = {one.model: judged(one, languages) for one in classifiers}
    section = written(verdicts, time.strftime("%Y-%m-%d", time.gmtime()))
    print(section)
    if given.verbose:
        for name, found in verdicts.items():
            print(f"\n{name}:", *failures(found), sep="\n")
    if given.write:
        page = PAGE.read_text("utf-8")
        before, after = page.split(START)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{section}\n{END}{after}", "utf-8")


def opened(name: str) -> Classifier:
    """The shipped model of a tier, or that of a folder. Raises FileNotFoundError or ValueError, naming the folder."""
    folder = SHIPPED.parent / name if name in get_args(Tier) else Path(name)
    if (folder / "weights.npz").exists():
        return LinearClassifier(folder)
    return TransformerClassifier(folder)


def written(verdicts: Mapping[str, Sequence[Verdict]], day: str) -> str:
    lines = [
        f"Measured {day} by `python -m training.behaviour`: share of cases passed, in per cent, and its 95 % interval."
    ]
    for name, found in verdicts.items():
        lacks = sorted({head for one in found for head in one.lacking})
        if lacks:
            lines.append(f"`{name}` says nothing of {' and '.join(lacks)}: that part of a case is left out.")
    return " ".join(lines) + "\n\n" + table(verdicts)


if __name__ == "__main__":
    main()
