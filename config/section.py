"""The common shape of all settings, and the kinds of text that they share."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


class Section(BaseModel):
    """Common shape of a section: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def email_address(text: str) -> str:
    """The text, when it is one bare address. Raises ValueError."""
    if len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise ValueError("not an e-mail address: write it as ana@example.org")
    return text


def sender_address(text: str) -> str:
    """The text, when it is one address, with or without a name before it. Raises ValueError."""
    if len(text) > 320 or not text.isprintable() or not _ADDRESS.fullmatch(parseaddr(text)[1]):
        raise ValueError("not an e-mail address: write it as clamor@example.org or Clamor <clamor@example.org>")
    return text


def time_zone(name: str) -> str:
    """The name, when there is such a zone. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone: write a name such as Europe/Madrid or UTC") from None
    return name


_ADDRESS = re.compile(r"[^@\s<>\"(),:;\[\]\\]+@(?:(?:[\w-]+\.)+[\w-]{2,}|localhost)")
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,99}$")]
"""Name of an environment variable, never a secret itself."""
Address = Annotated[str, AfterValidator(email_address)]
Sender = Annotated[str, AfterValidator(sender_address)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
TimeZone = Annotated[str, AfterValidator(time_zone)]
Port = Annotated[int, Field(ge=1, le=65535)]
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(?:/[^\s?#]*[^\s?#/])?$", max_length=300)]
"""Where an API is asked: `http` or `https`, a host, at most a path; no login, no query, no slash at its end."""
