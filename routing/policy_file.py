"""Reading `detractors.yaml`: every kind with its place, and everything that keeps the policy from being used."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from config.detractors import Behaviour, DetractorsYaml, Said
from config.explain import explain
from config.marked import Node as Yaml
from config.marked import Path, Sheet
from config.marked import read as read_yaml
from config.problems import Problem, shown
from query.impossible import implies, impossible
from query.parse import QueryError, parse
from routing.policy import Kind
from routing.protected import ADVICE, Refused, in_query, in_words
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
    problems += _shadowed(kinds, file)
    return tuple(kinds), problems


def kind_nodes(text: str, file: str) -> dict[str, Yaml]:
    """The place of each kind in the file, by name; of a text that `read_policy` could read."""
    root, _ = read_yaml(text.encode(), file)
    listed = root.child("kinds") if root is not None else None
    nodes = listed.items if listed is not None and listed.items is not None else []
    return {str(name.scalar): node for node in nodes if (name := node.child("name")) is not None}


def _kind(sheet: Sheet, at: Path, behaviour: Behaviour) -> tuple[Kind | None, list[Problem]]:
    problems = [*_named(sheet, at, behaviour), *_braces(sheet, at, behaviour)]
    try:
        when = parse(behaviour.when, now=0, context="rule")
    except QueryError as error:
        found = error.piece or behaviour.when
        problems.append(
            sheet.problem((*at, "when"), error.message.rstrip("."), error.hint or "see the query language", value=found)
        )
        return None, problems
    problems += [
        _refused(sheet, (*at, "when"), refused, "asks for what a person is or believes") for refused in in_query(when)
    ]
    line = sheet.problem(at, "").line or 1
    return Kind(behaviour, when, line), problems


def _named(sheet: Sheet, at: Path, behaviour: Behaviour) -> Iterator[Problem]:
    texts: list[tuple[Path, str]] = [((*at, "name"), behaviour.name)]
    texts += [((*at, "why", language), behaviour.why.within(language)) for language in ("en", "es")]
    for path, text in texts:
        for refused in in_words(text):
            yield _refused(sheet, path, refused, "names what a person is or believes")


def _refused(sheet: Sheet, path: Path, refused: Refused, what: str) -> Problem:
    return sheet.problem(path, f"the kind {what}: {refused.group}", ADVICE, value=shown(refused.found))


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


def _shadowed(kinds: Sequence[Kind], file: str) -> Iterator[Problem]:
    for place, kind in enumerate(kinds):
        if impossible(kind.when) is not None:
            continue  # that is another finding
        for before in kinds[:place]:
            if implies(kind.when, before.when):
                message = (
                    f"the kind is never reached: whatever is of it, {before.name!r} in line {before.line} took before"
                )
                advice = f"put it above {before.name!r}, narrow that one, or delete it"
                yield Problem(file=file, line=kind.line, path=kind.name, message=message, advice=advice)
                break
