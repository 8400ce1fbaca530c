"""Secrets come from the environment or from `secrets.env` in the home; they are never shown, logged or repeated."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from config.problems import Problem

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_MAX_BYTES = 64_000


class Secrets:
    """Values by the NAMES that the settings give (`password_env`, `secret_env`)."""

    def __init__(self, in_file: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._in_file = {name: SecretStr(value) for name, value in in_file.items()}
        self._environ = environ

    def get(self, name: str) -> SecretStr | None:
        """The environment goes before the file; an empty value counts as none."""
        value = self._environ.get(name)
        return SecretStr(value) if value else self._in_file.get(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __repr__(self) -> str:
        return f"Secrets({len(self._in_file)} in the file)"


def read_secrets(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Secrets, list[Problem]]:
    """(the secrets, what is wrong with the file); no file is nothing wrong. A file that others may read is not read."""
    name = str(path)
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except FileNotFoundError:
        return Secrets({}, environ), []
    except OSError as error:
        problem = Problem(file=name, message=f"cannot be read ({error.strerror})", advice=f"chmod 600 {path}")
        return Secrets({}, environ), [problem]
    if stat.S_IMODE(mode) & 0o077:
        message = f"others may read the secrets (mode {stat.S_IMODE(mode):03o}), so they are not used"
        return Secrets({}, environ), [Problem(file=name, message=message, advice=f"chmod 600 {path}")]
    if len(raw) > _MAX_BYTES:
        problem = Problem(file=name, message=f"has {len(raw):,} bytes, at most {_MAX_BYTES:,} are read")
        return Secrets({}, environ), [problem]
    found, problems = _parse(raw, name)
    return Secrets(found, environ), problems


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
