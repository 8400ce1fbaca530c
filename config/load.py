"""From the files of a home to a checked configuration: all that is wrong is reported at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from config.consistency import Use, check_content, check_engine
from config.content import ImportPart
from config.disk import disk_free, network_file_system, writable
from config.explain import explain
from config.home import Home, low_disk
from config.known import Checker, Known
from config.marked import Node, Sheet, decode, read
from config.problems import ConfigurationError, Problem, did_you_mean, errors, in_order
from config.schema import ENV_PREFIX, ClamorYaml, EnginePart, Settings
from config.secrets import Secrets

SHIPPED = "default"
"""`rules: default` in clamor.yaml: the rules that Clamor ships."""


@dataclass(frozen=True)
class Content:
    """What `clamor apply` takes over from a folder. A section that is None is not stated there."""

    stated: ImportPart
    rules_text: str | None
    """Text of the rules file; None where there is none, or where `rules: default` asks for the shipped ones."""

    @property
    def rules_shipped(self) -> bool:
        """The file asks for the shipped rules by name."""
        return self.stated.rules == SHIPPED


@dataclass(frozen=True)
class Configuration:
    """Everything that a home says. `home` has the data folder that the settings name."""

    home: Home
    settings: Settings
    content: Content
    secrets: Secrets
    warnings: tuple[Problem, ...]


def check(home: Home, extra_checkers: Sequence[Checker] = (), use: Use = "check") -> list[Problem]:
    """All findings in clamor.yaml, the rules file, secrets.env, the environment and the data folder, in reading order.

    `extra_checkers` get (text, file name, what the configuration has names for) of the rules file.
    """
    return _examine(home, extra_checkers, use)[1]


def load(home: Home, extra_checkers: Sequence[Checker] = (), use: Use = "run") -> Configuration:
    """The checked configuration. Raises ConfigurationError with all findings when one of them is an error."""
    found, problems = _examine(home, extra_checkers, use)
    if found is None or errors(problems):
        raise ConfigurationError(problems)
    return found


def load_content(
    folder: Path,
    extra_checkers: Sequence[Checker] = (),
    known_brands: Iterable[str] = (),
    secrets_file: Path | None = None,
) -> tuple[Content, tuple[Problem, ...]]:
    """(what a folder states for `clamor apply`, warnings). Its engine part is checked too.

    `known_brands`: ids in force, for a folder that states none. `secrets_file`: the home's, where that is another
    folder. Raises ConfigurationError.
    """
    home = Home.at(folder)
    sheet, problems = _read_sheet(home)
    secrets = Secrets(secrets_file or home.secrets_file, os.environ)
    problems += secrets.problems
    content: Content | None = None
    if sheet is not None:
        _, engine_problems = _settings(sheet, environ={})
        content, content_problems = _content(home, sheet, secrets, extra_checkers, known_brands)
        problems += [*_unknown_sections(sheet), *engine_problems, *content_problems]
    if content is None or errors(problems):
        raise ConfigurationError(problems)
    return content, tuple(in_order(problems))


def _examine(home: Home, checkers: Sequence[Checker], use: Use) -> tuple[Configuration | None, list[Problem]]:
    sheet, problems = _read_sheet(home)
    secrets = Secrets(home.secrets_file, os.environ)
    problems += secrets.problems
    if sheet is None:
        return None, in_order(problems)
    problems += [*_unknown_sections(sheet), *_unknown_variables(os.environ)]
    settings, engine_problems = _settings(sheet, os.environ)
    content, content_problems = _content(home, sheet, secrets, checkers, ())
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
    home: Home, sheet: Sheet, secrets: Secrets, checkers: Sequence[Checker], known_brands: Iterable[str]
) -> tuple[Content | None, list[Problem]]:
    problems = list(check_content(sheet, secrets, known_brands))
    stated: ImportPart | None = None
    try:
        stated = ImportPart.model_validate(_parts(sheet, ImportPart))
    except ValidationError as invalid:
        problems += [_placed(sheet, error, ImportPart) for error in invalid.errors()]
    named = sheet.root.child("rules")
    asked = named.scalar if named is not None and isinstance(named.scalar, str) else None
    rules_text, rules_problems = _rules(home, sheet, asked, checkers, Known.of(sheet.root.plain(), known_brands))
    problems += rules_problems
    return (Content(stated, rules_text) if stated is not None else None), problems


def _rules(
    home: Home, sheet: Sheet, asked: str | None, checkers: Sequence[Checker], known: Known
) -> tuple[str | None, list[Problem]]:
    path = home.rules_file if asked is None else home.path(asked)
    if asked == SHIPPED:
        if not home.rules_file.exists():
            return None, []
        message = "rules.yaml lies in the home and is not read, because `rules: default` asks for the shipped rules"
        return None, [sheet.problem(("rules",), message, "delete one of the two", severity="warning")]
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if asked is None:
            return None, []
        advice = "write `default` for the shipped rules, or the name of a file in the home"
        return None, [sheet.problem(("rules",), f"{path} does not exist", advice)]
    except OSError as error:
        return None, [Problem(file=str(path), message=f"cannot be read ({error.strerror})")]
    text, problems = decode(raw, str(path))
    if text is None:
        return None, problems
    return text, [*problems, *(problem for checker in checkers for problem in checker(text, str(path), known))]
