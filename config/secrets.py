"""Secrets come from the environment, from files that it names, or from `secrets.env` in the home; they are never shown,
logged or repeated."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pydantic import SecretStr

from config.problems import Problem

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_MAX_BYTES = 64_000

SHORTEST_KEY = 16
"""Characters of a signing key; bodies signed with a shorter one are refused."""


class Secrets:
    """Values by the NAMES that the settings give (`password_env`, `secret_env`).

    A changed file counts from the next question on, so that a secret can be replaced while the program runs.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path, self._environ = path, environ
        self._stamp: Stamp = None
        self._in_file: Mapping[str, SecretStr] = {}
        self.problems: list[Problem] = []
        """What is wrong with the file as it was read last; lines that are right count all the same."""
        self._read()

    def get(self, name: str) -> SecretStr | None:
        """The environment goes before the file, and in each `NAME` before the file that `NAME_FILE` names (as secrets
        are given to containers); an empty value counts as none."""
        if _stamp(self._path) != self._stamp:
            self._read()
        for given in (self._environ.get, self._held):
            if value := given(name) or _whole(given(f"{name}_FILE")):
                return SecretStr(value)
        return None

    def _held(self, name: str) -> str:
        found = self._in_file.get(name)
        return "" if found is None else found.get_secret_value()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __repr__(self) -> str:
        return f"Secrets({len(self._in_file)} in the file)"

    def _read(self) -> None:
        self._stamp = _stamp(self._path)
        found, self.problems = _look_into(self._path)
        self._in_file = {name: SecretStr(value) for name, value in found.items()}


Stamp: TypeAlias = tuple[int, int, int, int] | None
"""What tells whether a file is still the same: when it was changed, its inode, size and mode; None: not there."""


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode


def _whole(named: str | None) -> str:
    """What the file of one secret holds, but for the line's end after it; empty where it cannot be read."""
    if not named:
        return ""
    try:
        with Path(named).open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        return "" if len(raw) > _MAX_BYTES else raw.decode("utf-8-sig").rstrip("\r\n")
    except (OSError, ValueError):
        return ""


def _look_into(path: Path) -> tuple[dict[str, str], list[Problem]]:
    """(values by name, what is wrong); no file is nothing wrong. A file that others may read is not read."""
    name = str(path)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            message = f"others may read the secrets (mode {mode:03o}), so they are not used"
            return {}, [Problem(file=name, message=message, advice=f"chmod 600 {path}")]
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [Problem(file=name, message=f"cannot be read ({error.strerror})", advice=f"chmod 600 {path}")]
    if len(raw) > _MAX_BYTES:
        message, advice = f"has more than {_MAX_BYTES:,} bytes", "keep nothing but NAME=value lines in it"
        return {}, [Problem(file=name, message=message, advice=advice)]
    return _parse(raw, name)


def _parse(raw: bytes, file: str) -> tuple[dict[str, str], list[Problem]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = raw[: error.start].count(b"\n") + 1
        return {}, [Problem(file=file, line=at, message="not UTF-8", advice="save the file as UTF-8")]
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            message, advice = "not a line of the form NAME=value", "write the name in capitals, then =, then the value"
            problems.append(Problem(file=file, line=number, message=message, advice=advice))
        elif name.strip() in found:
            message = f"{name.strip()} stands here already"
            problems.append(Problem(file=file, line=number, message=message, advice="keep one of the two"))
        elif value.strip():
            found[name.strip()] = value.strip()
    return found, problems
