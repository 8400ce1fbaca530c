"""Reading `detractors.yaml`: every kind with its place, and everything in its form that keeps it from being used.

What a policy may say is asked when one is put in force (routing.policy_check): one that is stored stays readable,
whatever a later release refuses.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from config.detractors import Behaviour, DetractorsYaml, Said
from config.explain import explain
from config.marked import Path, Sheet
from config.marked import read as read_yaml
from config.problems import Problem
from query.parse import QueryError, parse
from routing.policy import Kind
from routing.rules import PLACES

IN_LINES = ("brand",)
"""Words that may stand in braces in an approved line."""


def read_policy(text: str, file: str) -> tuple[tuple[Kind, ...], list[Problem]]:
    """(the kinds that can be used, in order; what is wrong)."""
    root, problems = read_yaml(text.encode(), file)
    if root is None:
        return (), problems
    sheet = Sheet(file, root)
    try:
        held = DetractorsYaml.model_validate(root.plain())
    except ValidationError as invalid:
        for error in invalid.errors():
            found = explain(error, DetractorsYaml)
            problems.append(
                sheet.problem(found.path, found.message, found.advice, value=found.value, at_key=found.at_key)
            )
        return (), problems
    kinds = []
    for place, behaviour in enumerate(held.kinds):
        kind, wrong = _kind(sheet, ("kinds", place), behaviour)
        problems += wrong
        if kind is not None:
            kinds.append(kind)
    problems += _doubles(sheet, held.kinds)
    return tuple(kinds), problems


def sheet_of(text: str, file: str) -> Sheet:
    """The places of a text that `read_policy` could read."""
    root, _ = read_yaml(text.encode(), file)
    assert root is not None
    return Sheet(file, root)


def _kind(sheet: Sheet, at: Path, behaviour: Behaviour) -> tuple[Kind | None, list[Problem]]:
    problems = list(_braces(sheet, at, behaviour))
    try:
        when = parse(behaviour.when, now=0, context="rule")
    except QueryError as error:
        found = error.piece or behaviour.when
        problems.append(
            sheet.problem((*at, "when"), error.message.rstrip("."), error.hint or "see the query language", value=found)
        )
        return None, problems
    line = sheet.problem(at, "").line or 1
    return Kind(behaviour, when, line), problems


def _braces(sheet: Sheet, at: Path, behaviour: Behaviour) -> Iterator[Problem]:
    """Places that are not closed, or that nobody fills."""
    texts: list[tuple[Path, Said, Sequence[str]]] = [((*at, "why"), behaviour.why, tuple(PLACES))]
    lines = enumerate(behaviour.answer.lines)
    texts += [((*at, "answer", "lines", place), line, IN_LINES) for place, line in lines]
    for path, said, known in texts:
        for language in ("en", "es"):
            words = ", ".join(f"{{{place}}}" for place in known)
            try:
                names = [name for _, name, _, _ in string.Formatter().parse(said.within(language)) if name is not None]
            except ValueError:
                yield sheet.problem((*path, language), "a brace is not closed", f"write {words}, or a doubled brace")
                continue
            for name in names:
                if name not in known:
                    found = f"{{{name}}}"
                    yield sheet.problem((*path, language), "unknown word in braces", f"use {words}", value=found)


def _doubles(sheet: Sheet, kinds: Sequence[Behaviour]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for place, kind in enumerate(kinds):
        path: Path = ("kinds", place, "name")
        if kind.name in seen:
            first = sheet.problem(("kinds", seen[kind.name], "name"), "").line
            yield sheet.problem(path, f"the name stands already in line {first}", "each kind needs its own name")
        seen.setdefault(kind.name, place)
