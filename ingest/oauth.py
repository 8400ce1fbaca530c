"""How networks give access tokens (OAuth 2.0): what is asked, and what an answer means.

https://www.rfc-editor.org/rfc/rfc6749 (4.4 client credentials, 5 answers and errors, 6 refreshing).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import quote_plus

from ingest.collector import Interrupted
from ingest.web import Answer
from stream.clock import DAY, SECOND
from stream.records import Millis

LONGEST: Millis = 10 * 365 * DAY
"""What a network may say of a token's life; more seconds than that are a time since 1970."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_OF_THE_APP = frozenset({"invalid_client", "unauthorized_client"})
_ITS_OWN = frozenset({"client_id", "client_secret"})
_ERRORS = _OF_THE_APP | {"invalid_grant", "invalid_request", "invalid_scope", "unsupported_grant_type", "access_denied"}
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})

Given: TypeAlias = Mapping[str, str]
"""Secrets, by what they are called in `Terms.secrets`."""


@dataclass(frozen=True)
class Question:
    """What is sent for a token."""

    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    as_json: bool = False


@dataclass(frozen=True)
class Traded:
    """What was given for it. Lives are from now."""

    access: str = field(repr=False)
    life: Millis | None = None
    refresh: str | None = field(default=None, repr=False)
    refresh_life: Millis | None = None


@dataclass(frozen=True)
class Terms:
    """How one network gives tokens."""

    url: str
    secrets: Mapping[str, str]
    """What a person gives: what it is called -> its NAME."""
    rests_on: str
    """Which of `secrets` the network takes no more when it answers `invalid_grant`."""
    where: str
    """In words, where a person gets what is missing."""
    ask: Callable[[Given, str | None, Millis], Question]
    """Of the secrets, the newest refresh token that the network gave, and the time of the wall."""
    read: Callable[[Answer, Millis], Traded]
    """Raises Interrupted for what is no answer, `Refusal` for a refusal."""

    @property
    def name(self) -> str:
        return self.secrets[self.rests_on]

    def blamed(self, code: str) -> list[str]:
        """NAMES of the secrets that an error may be about."""
        its_own = [name for what, name in self.secrets.items() if what in _ITS_OWN]
        return its_own if code in _OF_THE_APP and its_own else list(self.secrets.values())


class Refusal(Exception):
    """The network gives no token: its error's code, `passes` where it may the next time."""

    def __init__(self, code: str, *, passes: bool = False) -> None:
        super().__init__(code)
        self.code, self.passes = code, passes


Send = Literal["form", "json", "basic"]
"""How the app says who it is: in the form, in JSON instead of a form, or by HTTP Basic (RFC 6749, 2.3.1)."""


def refreshing(
    url: str,
    *,
    client_id: str,
    client_secret: str,
    refresh_token: str,
    where: str,
    send: Send = "form",
    app: str = "client_id",
    read: Callable[[Answer, Millis], Traded] | None = None,
) -> Terms:
    """A refresh token that a person got once, by giving the app leave. The three are NAMES of secrets; `app`: what the
    network calls the id of an app."""
    secrets = {"client_id": client_id, "client_secret": client_secret, "refresh_token": refresh_token}

    def ask(given: Given, newer: str | None, wall: Millis) -> Question:
        form = {"grant_type": "refresh_token", "refresh_token": newer or given["refresh_token"]}
        return _as_app(given, form, send, app)

    return Terms(url, secrets, "refresh_token", where, ask, read or answered)


def client_credentials(
    url: str,
    *,
    client_id: str,
    client_secret: str,
    where: str,
    send: Send = "basic",
    scope: str = "",
    read: Callable[[Answer, Millis], Traded] | None = None,
) -> Terms:
    """The id and the secret of an app, which asks in its own name."""
    secrets = {"client_id": client_id, "client_secret": client_secret}

    def ask(given: Given, newer: str | None, wall: Millis) -> Question:
        form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
        return _as_app(given, form, send, "client_id")

    return Terms(url, secrets, "client_secret", where, ask, read or answered)


def answered(answer: Answer, wall: Millis) -> Traded:
    """As RFC 6749, 5 has it, and what networks make of it: lives as text, or as times since 1970; errors with 200."""
    try:
        held = answer.json()
    except Interrupted:
        if answer.status < 400:
            raise
        held = {}
    if answer.status >= 400 and not (isinstance(held, dict) and "error" in held):
        raise Refusal(str(answer.status))
    return traded(held, wall)


def traded(held: Any, wall: Millis) -> Traded:
    """Of an object with `access_token`, `expires_in`, `refresh_token` and `refresh_token_expires_in` (or
    `refresh_expires_in`). Raises Interrupted, Refusal."""
    if not isinstance(held, dict):
        raise Interrupted("what was answered to the question for a token is none")
    if "error" in held:
        code = held["error"]
        known = code if isinstance(code, str) and code in _ERRORS | _PASSING else "for a reason that is not documented"
        raise Refusal(known, passes=known in _PASSING)
    access, refresh = held.get("access_token"), held.get("refresh_token")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise Interrupted("what was answered to the question for a token is none")
    refresh_life = held.get("refresh_token_expires_in", held.get("refresh_expires_in"))
    return Traded(
        access=access,
        life=_life(held.get("expires_in"), wall),
        refresh=refresh if isinstance(refresh, str) and _TOKEN.fullmatch(refresh) else None,
        refresh_life=_life(refresh_life, wall),
    )


def _as_app(given: Given, form: Mapping[str, str], send: Send, app: str) -> Question:
    if send == "basic":
        both = f"{quote_plus(given['client_id'])}:{quote_plus(given['client_secret'])}"
        return Question(form, {"Authorization": f"Basic {b64encode(both.encode()).decode()}"})
    named = {app: given["client_id"], "client_secret": given["client_secret"], **form}
    return Question(named, as_json=send == "json")


def _life(said: Any, wall: Millis) -> Millis | None:
    """Of seconds from now, or since 1970. None: that is neither."""
    try:
        seconds = float(said)
    except (TypeError, ValueError):
        return None
    if not 0 < seconds < 1e12:
        return None
    life = round(seconds * SECOND)
    return life if life <= LONGEST else max(life - wall, SECOND)
