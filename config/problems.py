"""What is wrong in a file that people wrote, where it is, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

Severity: TypeAlias = Literal["error", "warning"]

SHOWN = 80
"""Characters of a value that a message repeats."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. An error keeps the configuration from being used, a warning does not."""

    file: str
    line: int | None = None
    """Counted from 1; None where the finding is about the file as a whole, or about the environment."""
    column: int | None = None
    """Counted from 1."""
    path: str = ""
    """Where in the structure: `brands[2].aliases[0]`; for rules, the rule's name."""
    value: str | None = None
    """What stands there, shortened (see `shown`); never a secret."""
    message: str
    advice: str = ""
    """The way out, as a sentence without a capital or a full stop."""
    severity: Severity = "error"

    def __str__(self) -> str:
        """One line: `clamor.yaml:12:5: error: brands[0].id: … (found 'Acme'): use lower case`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        path = f"{self.path}: " if self.path else ""
        found = f" (found {self.value})" if self.value is not None else ""
        advice = f": {self.advice}" if self.advice else ""
        return f"{place}: {self.severity}: {path}{self.message}{found}{advice}"


class ConfigurationError(Exception):
    """The configuration cannot be used. `problems` holds everything that was found, warnings included."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By file, line and column, as a reader goes through the files; what has no line comes first."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line or 0, problem.column or 0, problem.path))


def shown(value: object) -> str:
    """A value as a message repeats it: on one line, quoted where it is text, at most SHOWN characters."""
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'brands'?`, or the words that are known where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known here: {', '.join(names)}" if names else ""
