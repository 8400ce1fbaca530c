"""From the files of a home to a checked configuration: all that is wrong is reported at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from config.consistency import Use, check_content, check_engine
from config.content import TEXTS, ImportPart, TextKind
from config.disk import disk_free, network_file_system, writable
from config.explain import explain
from config.home import Home, low_disk
from config.known import NOTHING_STANDS, Checkers, Known, Paper, Standing
from config.marked import Node, Sheet, decode, read
from config.problems import ConfigurationError, Problem, did_you_mean, errors, in_order
from config.schema import ENV_PREFIX, ClamorYaml, EnginePart, Settings
from config.secrets import Secrets

SHIPPED = "default"
"""`rules: default`, `policy: default` in clamor.yaml: those that Clamor ships."""


@dataclass(frozen=True)
class Content:
    """What `clamor apply` takes over from a folder. A section that is None is not stated there."""

    stated: ImportPart
    rules_text: str | None
    """Text of the rules file; None where there is none, or where `rules: default` asks for the shipped ones."""
    policy_text: str | None = None
    """As `rules_text`, of the policy for detractors."""

    def text(self, kind: TextKind) -> str | None:
        return self.rules_text if kind == "rules" else self.policy_text

    def shipped(self, kind: TextKind) -> bool:
        """The file asks for the shipped ones by name."""
        return (self.stated.rules if kind == "rules" else self.stated.policy) == SHIPPED


@dataclass(frozen=True)
class Configuration:
    """Everything that a home says. `home` has the data folder that the settings name."""

    home: Home
    settings: Settings
    content: Content
    secrets: Secrets
    warnings: tuple[Problem, ...]


_ALONE = Standing(channels=frozenset())
"""A home's own file is all that there is: it has its channels."""


def check(home: Home, checkers: Checkers | None = None, use: Use = "check") -> list[Problem]:
    """All findings in clamor.yaml, the files of rules and policy, secrets.env, the environment and the data folder, in
    reading order."""
    return _examine(home, checkers, use)[1]


def load(home: Home, checkers: Checkers | None = None, use: Use = "run") -> Configuration:
    """The checked configuration. Raises ConfigurationError with all findings when one of them is an error."""
    found, problems = _examine(home, checkers, use)
    if found is None or errors(problems):
        raise ConfigurationError(problems)
    return found


def load_content(
    folder: Path,
    checkers: Checkers | None = None,
    standing: Standing = NOTHING_STANDS,
    secrets_file: Path | None = None,
) -> tuple[Content, tuple[Problem, ...]]:
    """(what a folder states for `clamor apply`, warnings). Its engine part is checked too.

    `secrets_file`: the home's, where that is another folder. Raises ConfigurationError.
    """
    home = Home.at(folder)
    sheet, problems = _read_sheet(home)
    secrets = Secrets(secrets_file or home.secrets_file, os.environ)
    problems += secrets.problems
    content: Content | None = None
    if sheet is not None:
        _, engine_problems = _settings(sheet, environ={})
        content, content_problems = _content(home, sheet, secrets, checkers, standing)
        problems += [*_unknown_sections(sheet), *engine_problems, *content_problems]
    if content is None or errors(problems):
        raise ConfigurationError(problems)
    return content, tuple(in_order(problems))


def _examine(home: Home, checkers: Checkers | None, use: Use) -> tuple[Configuration | None, list[Problem]]:
    sheet, problems = _read_sheet(home)
    secrets = Secrets(home.secrets_file, os.environ)
    problems += secrets.problems
    if sheet is None:
        return None, in_order(problems)
    problems += [*_unknown_sections(sheet), *_unknown_variables(os.environ)]
    settings, engine_problems = _settings(sheet, os.environ)
    content, content_problems = _content(home, sheet, secrets, checkers, _ALONE)
    problems += engine_problems + content_problems
    if settings is not None:
        home = home.with_data(settings.data)
        problems += check_engine(sheet, settings, secrets, use)
        problems += _disk(home, sheet)
    problems = in_order(problems)
    if settings is None or content is None:
        return None, problems
    return Configuration(home, settings, content, secrets, tuple(problems)), problems


def _read_sheet(home: Home) -> tuple[Sheet | None, list[Problem]]:
    file = str(home.settings_file)
    try:
        raw = home.settings_file.read_bytes()
    except FileNotFoundError:
        advice = f"run `clamor init --home {home.root}`, or name the right folder with --home or CLAMOR_HOME"
        return None, [Problem(file=file, message="there is no such file", advice=advice)]
    except OSError as error:
        return None, [
            Problem(file=file, message=f"cannot be read ({error.strerror})", advice="look at its owner and mode")
        ]
    root, problems = read(raw, file)
    if root is None:
        return None, problems
    if root.entries is None and root.scalar is None and root.items is None:
        root = Node(root.line, root.column, entries={})
    if root.entries is None:
        message, advice = "the file must hold sections such as `brands:`", "see docs/configuration.md, or `clamor init`"
        return None, [*problems, Problem(file=file, line=root.line, column=root.column, message=message, advice=advice)]
    return Sheet(file, root), problems


def _parts(sheet: Sheet, model: type[Any]) -> dict[str, Any]:
    """The stated sections that belong to `model`. An empty section counts as not stated."""
    plain = sheet.root.plain()
    assert isinstance(plain, dict)
    return {key: value for key, value in plain.items() if key in model.model_fields and value is not None}


def _unknown_sections(sheet: Sheet) -> list[Problem]:
    known = ClamorYaml.model_fields
    return [
        sheet.problem((key,), f"{key!r} is not known here", did_you_mean(key, known), at_key=True)
        for key in sheet.root.entries or ()
        if key not in known
    ]


def _placed(sheet: Sheet, error: ErrorDetails, model: type[Any]) -> Problem:
    found = explain(error, model)
    return sheet.problem(found.path, found.message, found.advice, value=found.value, at_key=found.at_key)


# --- the engine part ----------------------------------------------------------------------------------------------


def _settings(sheet: Sheet, environ: Mapping[str, str]) -> tuple[Settings | None, list[Problem]]:
    parts = _parts(sheet, EnginePart)
    engines = parts.get("engines")
    if isinstance(engines, dict):
        parts["engines"] = {key: value for key, value in engines.items() if value is not None}
    try:
        if environ is os.environ:
            return Settings(**parts), []
        EnginePart.model_validate(parts)
        return None, []
    except ValidationError as invalid:
        names = {name.upper() for name in environ}
        return None, [_engine_problem(sheet, error, names) for error in invalid.errors()]
    except SettingsError as error:
        section = re.search(r'field "(\w+)"', str(error))
        name = ENV_PREFIX + (section[1].upper() if section else "")
        advice = f"set single values, such as {name}__…=…"
        return None, [Problem(file="environment", path=name, message="cannot be read as a section", advice=advice)]


def _engine_problem(sheet: Sheet, error: ErrorDetails, names: set[str]) -> Problem:
    location = [str(step) for step in error["loc"]]
    for length in range(len(location), 0, -1):
        name = ENV_PREFIX + "__".join(location[:length]).upper()
        if name in names:
            found = explain(error, EnginePart)
            return Problem(
                file="environment", path=name, message=found.message, advice=found.advice, value=found.value
            )  # fmt: skip
    return _placed(sheet, error, EnginePart)


def _unknown_variables(environ: Mapping[str, str]) -> list[Problem]:
    """Warnings about variables that look like settings and name no section: a typing error would pass unseen."""
    known = [f"{ENV_PREFIX}{name}".upper() for name in EnginePart.model_fields]
    found = []
    for name in environ:
        section = name.upper().split("__", 1)[0]
        if name.upper().startswith(ENV_PREFIX) and "__" in name and section not in known:
            message, advice = "names no section of the settings", did_you_mean(section, known)
            found.append(Problem(file="environment", path=name, message=message, advice=advice, severity="warning"))
    return found


def _disk(home: Home, sheet: Sheet) -> list[Problem]:
    kind = network_file_system(home.data)
    if kind is not None:
        message = f"{home.data} lies on a network file system ({kind}), where SQLite's locks do not hold"
        return [sheet.problem(("data",), message, "choose a folder on a local disk")]
    if not writable(home.data):
        advice = "choose another folder, or give this user the right to write there"
        return [sheet.problem(("data",), f"{home.data} cannot be written", advice)]
    free = disk_free(home.data)
    if not free.pause:
        return []
    message, _, advice = low_disk(home.data, free).partition(": ")
    return [sheet.problem(("data",), message, advice, severity="warning")]


# --- the part for SQL ---------------------------------------------------------------------------------------------


def _content(
    home: Home, sheet: Sheet, secrets: Secrets, checkers: Checkers | None, standing: Standing
) -> tuple[Content | None, list[Problem]]:
    problems = list(check_content(sheet, secrets, standing.brands, standing.people, standing.teams, standing.channels))
    stated: ImportPart | None = None
    try:
        stated = ImportPart.model_validate(_parts(sheet, ImportPart))
    except ValidationError as invalid:
        problems += [_placed(sheet, error, ImportPart) for error in invalid.errors()]
    found: dict[TextKind, Paper] = {}
    for kind in TEXTS:
        paper, wrong = _paper(kind, home, sheet)
        problems += wrong
        if paper is not None:
            found[kind] = paper
    if checkers is not None:
        problems += _read_by(checkers, found, Known.of(sheet.root.plain(), standing), standing, sheet)
    if stated is None:
        return None, problems
    texts = {kind: paper.text for kind, paper in found.items()}
    return Content(stated, texts.get("rules"), texts.get("policy")), problems


def _read_by(
    checkers: Checkers, found: Mapping[TextKind, Paper], known: Known, standing: Standing, sheet: Sheet
) -> Iterator[Problem]:
    """What is stated is read, and what is not and stays in force: it may name what these files take away."""
    papers = {kind: paper for kind, paper in standing.papers.items() if _asked(sheet, kind) != SHIPPED}
    papers.update({str(kind): paper for kind, paper in found.items()})
    if "rules" in found:
        rules = found["rules"]
        yield from checkers.rules(rules.text, rules.file, known)
    if "policy" in papers:
        policy = papers["policy"]
        yield from checkers.policy(policy.text, policy.file, known)
    yield from checkers.together(papers)


def _asked(sheet: Sheet, kind: str) -> str | None:
    named = sheet.root.child(kind)
    return named.scalar if named is not None and isinstance(named.scalar, str) else None


def _paper(kind: TextKind, home: Home, sheet: Sheet) -> tuple[Paper | None, list[Problem]]:
    """The file of rules or policy, where the home has one."""
    asked, usual = _asked(sheet, kind), home.rules_file if kind == "rules" else home.policy_file
    path = usual if asked is None else home.path(asked)
    if asked == SHIPPED:
        if not usual.exists():
            return None, []
        what = f"the shipped {kind}"
        message = f"{usual.name} lies in the home and is not read, because `{kind}: default` asks for {what}"
        return None, [sheet.problem((kind,), message, "delete one of the two", severity="warning")]
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if asked is None:
            return None, []
        advice = f"write `default` for the shipped {kind}, or the name of a file in the home"
        return None, [sheet.problem((kind,), f"{path} does not exist", advice)]
    except OSError as error:
        return None, [Problem(file=str(path), message=f"cannot be read ({error.strerror})")]
    text, problems = decode(raw, str(path))
    return (Paper(text, str(path)) if text is not None else None), problems
