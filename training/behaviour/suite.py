"""The cases of the suite, one folder a language, read from YAML and held to the guidelines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from nlp import heads
from stream.records import DETRACTOR_LEVELS, INTENTS, QUEUES, SENTIMENTS

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "es")
CLASSES: Mapping[str, tuple[str, ...]] = {
    "reputation": SENTIMENTS,
    "sentiment": SENTIMENTS,
    "intent": INTENTS,
    "level": DETRACTOR_LEVELS,
    "queue": QUEUES,
    "complaint": ("no", "yes"),
    "irony": ("no", "yes"),
}
ORDERED = ("reputation", "sentiment", "level")
MOVES = ("higher", "lower", "not higher", "not lower")
_YES = {True: "yes", False: "no"}
_STATES = [
    {
        "reputation": SENTIMENTS[state.reputation],
        "intent": INTENTS[state.intent],
        "level": DETRACTOR_LEVELS[state.level],
        "queue": state.queue,
    }
    for state in heads.STATES
]

Kind = Literal["minimum", "invariance", "direction"]


class Text(NamedTuple):
    brand: str
    """What the text is read towards; where the text does not name it, it is a reply to it."""
    text: str


class Case(NamedTuple):
    kind: Kind
    capability: str
    lang: str
    text: Text
    expect: Mapping[str, tuple[str, ...]]
    """Head → labels that are right (kind `minimum`)."""
    before: Text | None = None
    """The text without the change (the other kinds)."""
    change: str = ""
    same: tuple[str, ...] = ()
    """Heads whose label the change must not touch."""
    moves: Mapping[str, str] = {}
    """Head → one of MOVES, from before the change to after it."""


@cache
def load(folder: Path = FOLDER) -> tuple[Case, ...]:
    """Every case. Raises ValueError, naming the file, where one is malformed or contradicts the guidelines."""
    cases: list[Case] = []
    for lang in LANGUAGES:
        for path in sorted((folder / lang).glob("*.yaml")):
            for capability, blocks in yaml.safe_load(path.read_text("utf-8")).items():
                for block in blocks:
                    try:
                        cases += _cases(block, capability, lang)
                    except (KeyError, TypeError, ValueError) as error:
                        raise ValueError(f"{path}: {capability}: {error}") from error
    return tuple(cases)


def texts(cases: Iterable[Case] | None = None) -> list[Text]:
    """Every text of the suite once, those before a change included."""
    found = load() if cases is None else cases
    return list(dict.fromkeys(chain.from_iterable(_texts(case) for case in found)))


def possible(expect: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the guidelines allow each of the expected labels beside the others."""
    wanted = {head: labels for head, labels in expect.items() if head in _STATES[0]}
    left = [state for state in _STATES if all(state[head] in labels for head, labels in wanted.items())]
    return all(label in {state[head] for state in left} for head, labels in wanted.items() for label in labels)


def _texts(case: Case) -> Iterator[Text]:
    if case.before is not None:
        yield case.before
    yield case.text


def _cases(block: Mapping[str, Any], capability: str, lang: str) -> Iterator[Case]:
    if "expect" in block:
        expect = {head: _labels(head, given) for head, given in block["expect"].items()}
        if not possible(expect):
            raise ValueError(f"the guidelines exclude {dict(block['expect'])}")
        for entry in block["texts"]:
            yield Case("minimum", capability, lang, _text(entry), expect)
    elif "same" in block:
        same = tuple(block["same"])
        if not same or not set(same) <= set(CLASSES):
            raise ValueError(f"same: {same} are not heads: {', '.join(CLASSES)}")
        before = _text(block["base"])
        for change, entry in block["forms"].items():
            yield Case("invariance", capability, lang, _text(entry), {}, before, change, same=same)
    else:
        moves = dict(block["moves"])
        if not moves or not set(moves) <= set(ORDERED) or not set(moves.values()) <= set(MOVES):
            raise ValueError(f"moves: {moves}: heads are {', '.join(ORDERED)}; moves are {', '.join(MOVES)}")
        for entry in block["pairs"]:
            [(brand, (before, after))] = entry.items()
            yield Case("direction", capability, lang, Text(brand, after), {}, Text(brand, before), moves=moves)


def _text(entry: Mapping[str, str]) -> Text:
    [(brand, text)] = entry.items()
    return Text(brand, text)


def _labels(head: str, given: Any) -> tuple[str, ...]:
    found = tuple(
        _YES[one] if isinstance(one, bool) else str(one) for one in (given if isinstance(given, list) else [given])
    )
    if not found or not set(found) <= set(CLASSES[head]):
        raise ValueError(f"{head}: {given} is none of {', '.join(CLASSES[head])}")
    return found
