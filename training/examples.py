"""The shared sets as examples: a text, the brand it is read towards, and what each output should say of it.

`outputs.yaml` says which set teaches which output. Texts that are measured on, or nearly so, never become examples.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from training.corpus import SHARED, Leakage, Row, conversation, data, key, labels, read

FOLDER = Path(__file__).parent
PARTS = ("train", "unlabelled", "stream")
DEVELOPMENT = 25
"""One text in so many, by its key, is developed on and not trained on."""
FROM_DATA = "from data"
WRITTEN = ("synthetic", "made")
"""Sets of rows that were written for training: nothing is measured on them."""
TONE = "tone"
"""Set of the rows of `tones.jsonl`."""
UNKNOWN = 2
"""Label of a class that a set says nothing of, in outputs of kind `many`."""


class Output(NamedTuple):
    name: str
    kind: str
    """`one` (of several classes) or `many` (several at once)."""
    of: str
    """`text`, or `target`."""
    classes: tuple[str, ...]
    served: bool


class Example(NamedTuple):
    text: str
    set: str
    lang: str
    brand: str
    """Empty: the set names no brand."""
    weight: float
    labels: dict[str, Any]
    """Output → class number; for kind `many` one of 0, 1, UNKNOWN for each class."""
    development: bool


class Collected(NamedTuple):
    outputs: tuple[Output, ...]
    examples: list[Example]
    texts: list[Example]
    """Without labels."""


@cache
def recipe() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((FOLDER / "outputs.yaml").read_text("utf-8"))
    return found


def risks() -> dict[str, str]:
    """Set → low, medium or high, as the table of the shared sets says."""
    rows = re.findall(r"^\| \[(\w+)\]\(.*\| (low|medium|high) \|$", (SHARED / "data" / "README.md").read_text(), re.M)
    return dict(rows)


def collect(leakage: Leakage, without_high_risk: bool = False) -> Collected:
    """Every example of every output, texts that carry several outputs in one set once."""
    plan = recipe()
    barred = set(plan["never"])
    if without_high_risk:
        barred |= {name for name, risk in risks().items() if risk == "high"}
    outputs: list[Output] = []
    found: dict[tuple[str, str], Example] = {}
    for group, served in (("heads", True), ("auxiliary", False)):
        for name, entry in plan[group].items():
            sets = {one: terms for one, terms in entry["sets"].items() if one not in barred}
            output = Output(name, entry["kind"], entry["of"], _classes(entry, sets), served)
            outputs.append(output)
            for one, terms in sets.items():
                _add(found, output, one, terms, leakage)
    outputs += [
        Output(name, entry["kind"], entry["of"], tuple(entry["classes"]), True) for name, entry in plan["ours"].items()
    ]
    examples = [*found.values(), *toned(outputs, leakage, barred), *ours(outputs, leakage, barred)]
    texts = [
        Example(record["text"], name, record.get("lang", ""), "", 1.0, {}, False)
        for name in plan["texts_only"] if name not in barred
        for part in PARTS
        for record in _records(name, part)
        if not leakage.bars(record, name)
    ]  # fmt: skip
    return Collected(tuple(outputs), examples, texts)


def kept_out(head: str, name: str, leakage: Leakage) -> list[Example]:
    """The rows of set `name` for a head that no training of version 3 or later has seen, where it has no other part."""
    entry = recipe()["heads"][head]
    output = Output(head, entry["kind"], entry["of"], tuple(entry["classes"]), True)
    found: dict[tuple[str, str], Example] = {}
    _add(found, output, name, entry["sets"][name], leakage)
    return [example for example in found.values() if example.development]


def ours(outputs: Iterable[Output], leakage: Leakage, barred: set[str]) -> Iterator[Example]:
    """Rows by our guidelines: the shared ones, the synthetic ones, those of `labels.jsonl` and those of `made/`.

    A text that stands n times counts once in all; a row whose reader was in doubt counts half.
    """
    classes = {output.name: output.classes for output in outputs}
    rows = [*labels("train"), *mined(), *labels("synthetic"), *made()]
    rows = [row for row in rows if row["set"] not in barred and not leakage.bars(row, row["set"])]
    copies = Counter(key(row["text"]) for row in rows)
    for row in rows:
        marks: dict[str, Any] = {
            "reputation": classes["reputation"].index(row["sentiment"]),
            "intent": classes["intent"].index(row["intent"]),
        }
        if row["sentiment"] == "negative":
            marks["detractor"] = int(row["detractor"])
        if row["intent"] == "complaint" and row["detractor"] < 3:
            marks["act"] = int(row["queue"] == "support")
        if "tone" in row:
            marks["sentiment"] = classes["sentiment"].index(row["tone"])
        if "irony" in row:
            marks["irony"] = classes["irony"].index(row["irony"])
        weight = (0.5 if row.get("unsure") else 1.0) / copies[key(row["text"])]
        held = row["set"] not in WRITTEN and develops(row["text"], conversation(row, row["set"]))
        yield Example(row["text"], f"ours:{row['set']}", row["lang"], row["brand"], weight, marks, held)


def toned(outputs: Iterable[Output], leakage: Leakage, barred: set[str]) -> Iterator[Example]:
    """Posts of `tones.jsonl`, of which a reader said what the text feels, whatever it is about.

    Texts that are developed on are left out: other sets say something of them there."""
    classes = {output.name: output.classes for output in outputs}["sentiment"]
    for row in _found(FOLDER / "tones.jsonl"):
        if row["set"] not in barred and not leakage.holds(row["text"]) and not develops(row["text"]):
            weight, marks = 0.5 if row.get("unsure") else 1.0, {"sentiment": classes.index(row["tone"])}
            yield Example(row["text"], TONE, row["lang"], "", weight, marks, False)


def mined() -> Iterator[dict[str, Any]]:
    """Posts that we read by the guidelines: labels from `labels.jsonl`, texts from the shared sets."""
    return _found(FOLDER / "labels.jsonl")


def _found(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of ids and labels, with their texts from the shared sets."""
    wanted: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in read(path) if path.exists() else ():
        wanted.setdefault((row["set"], row["part"]), {})[row["key"]] = row
    for (name, part), rows in wanted.items():
        for record in _records(name, part):
            row = rows.pop(key(record["text"]).hex(), None)
            if row is not None:
                yield {**row, "text": record["text"]}


def made() -> Iterator[dict[str, Any]]:
    """Posts written for training, like the synthetic ones; `tone` is the sentiment of the text, where it is plain;
    `irony` says whether it means something else than it says."""
    for path in sorted((FOLDER / "made").glob("*.jsonl")):
        yield from read(path)


def as_row(example: Example) -> Row:
    """For `training.targets`."""
    return Row(example.text, None, example.set.removeprefix("ours:"), example.lang, example.weight, example.brand)


def develops(text: str, talk: str = "") -> bool:
    """`talk`: its conversation, all turns of which are on one side."""
    return int.from_bytes(key(talk or text)[:4], "big") % DEVELOPMENT == 0


def _add(
    found: dict[tuple[str, str], Example], output: Output, name: str, terms: dict[str, Any], leakage: Leakage
) -> None:
    for record in _records(name, "train"):
        if any(record.get(field) not in values for field, values in terms.get("when", {}).items()):
            continue
        label = _label(output, record, terms)
        if label is None:
            continue
        brand = _brand(record) if output.of == "target" else ""
        place = (name, str(record["id"]) + "\0" + brand)
        held = found.get(place)
        if held is None:
            if leakage.holds(record["text"]):
                continue
            lang = record.get("lang") or ("es" if name.endswith("_es") else "en")
            weight = terms.get("weight", 1.0)
            held = Example(record["text"], name, lang, brand, weight, {}, develops(record["text"]))
            found[place] = held
        held.labels[output.name] = label


def _label(output: Output, record: dict[str, Any], terms: dict[str, Any]) -> Any:
    value = record.get(terms.get("field", "label"))
    if value is None:
        return None
    renamed = {str(old): new for old, new in terms.get("map", {}).items()}
    names = [renamed.get(str(one), str(one)) for one in (value if isinstance(value, list) else [value])]
    if "-" in names:
        return None
    if output.kind == "one":
        return output.classes.index(names[0])
    known = terms.get("known_in", {}).get(record.get("lang"), terms.get("known", output.classes))
    return [int(one in names) if one in known else UNKNOWN for one in output.classes]


def _classes(entry: dict[str, Any], sets: Iterable[str]) -> tuple[str, ...]:
    if entry["classes"] != FROM_DATA:
        return tuple(entry["classes"])
    seen: set[str] = set()
    for name in sets:
        for record in _records(name, "train"):
            value = record.get(entry["sets"][name].get("field", "label"))
            seen.update(str(one) for one in (value if isinstance(value, list) else [value]))
    return tuple(sorted(seen))


def _brand(record: dict[str, Any]) -> str:
    return str(record.get("brand") or record.get("target") or ", ".join(record.get("brands") or ()) or "?")


def _records(name: str, part: str) -> Iterator[dict[str, Any]]:
    if (SHARED / "data" / name / f"{part}.jsonl.gz").exists():
        for number, record in enumerate(data(name, part)):
            yield record if "id" in record else {**record, "id": number}
