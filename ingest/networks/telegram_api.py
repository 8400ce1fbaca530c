"""Questions to Telegram's Bot API (https://core.telegram.org/bots/api#making-requests).

The token stands in the path of every address. So no error here says more of an address than its host, and none repeats
a word of an answer in which the token stands.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from config.sources import TelegramSource
from ingest.collector import Denied, Interrupted
from ingest.setting import Setting
from ingest.web import LONGEST_WAIT, Answer, Web, retry_after, words
from stream.clock import SECOND
from stream.records import Millis

HOLD = 1
"""Seconds that Telegram keeps a question for news open: it wants some, and a stop has to wait so long at most."""
_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}", re.ASCII)
_ANY = tuple(range(300, 1_000))
"""Every status there may be: of one that was no answer the error would name the address."""


class Refusing(Exception):
    """Telegram does not show one thing to the bot; the message has its words."""


class Parameters(msgspec.Struct):
    retry_after: float | None = None


class Envelope(msgspec.Struct):
    ok: bool
    result: Any = None
    description: str = ""
    parameters: Parameters | None = None


class Api:
    """One thread's way to Telegram."""

    def __init__(self, settings: TelegramSource, setting: Setting) -> None:
        self._settings, self._setting = settings, setting
        self._web = Web(settings.url, timeout=settings.timeout / 1000 + HOLD)

    def ask(self, method: str, **parameters: Any) -> Any:
        """The result. Raises Refusing where the thing is not shown (400, 403), Denied, Interrupted, Refused."""
        token = self._token()
        answer = self._web.ask("POST", f"/bot{token}/{method}", json=parameters, good=_ANY)
        envelope = _read(answer)
        if answer.status == 200 and envelope is not None and envelope.ok:
            return envelope.result
        raise self._fault(answer, envelope, token)

    def bot_number(self) -> int:
        """The bot's own id, with which its token begins."""
        return int(self._token().partition(":")[0])

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()

    def _token(self) -> str:
        name, id = self._settings.token_env, self._settings.id
        token = (self._setting.secret(name) or "").strip()
        if not token:
            raise Denied(f"source {id} has no bot: write to @BotFather on Telegram, and put its token into {name}")
        if not _TOKEN.fullmatch(token):
            raise Denied(
                f"{name} of source {id} holds no token of a bot, which is a number, a colon and at least 20 letters"
            )
        return token

    def _fault(self, answer: Answer, envelope: Envelope | None, token: str) -> Exception:
        said = "" if envelope is None else words(envelope.description.replace(token, "(the token)").encode())
        if answer.status in (401, 404):
            return Denied(
                f"Telegram knows no bot with the token in {self._settings.token_env} of source {self._settings.id} "
                f"({answer.status}): @BotFather shows the present one"
            )
        if answer.status == 409 and "webhook" in said:
            return Denied(
                f"the bot of source {self._settings.id} has a webhook, and Telegram tells of news in one way only: "
                "give Clamor a bot of its own, or call deleteWebhook for this one"
            )
        if answer.status == 409:
            return Interrupted("another program asks for the same bot's news: give Clamor a bot of its own")
        if answer.status in (400, 403):
            return Refusing(said or f"Telegram answered {answer.status}")
        if answer.status == 200:
            return Interrupted("Telegram's answer is none of the Bot API's, or only half of it")
        return Interrupted(f"Telegram answered {answer.status}", retry_after=_wait(answer, envelope))


def _read(answer: Answer) -> Envelope | None:
    try:
        return answer.decoded(Envelope)
    except Interrupted:
        return None


def _wait(answer: Answer, envelope: Envelope | None) -> Millis | None:
    """By `retry_after` of the answer, else by its headers."""
    if envelope is None or envelope.parameters is None or envelope.parameters.retry_after is None:
        return retry_after(answer.headers)
    return round(min(max(envelope.parameters.retry_after * SECOND, 0), LONGEST_WAIT))
