"""Channels of one's own on Telegram, by a bot that is an administrator of them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.brands import Slug
from config.section import EnvName, WebAddress
from config.sources.common import Collected
from config.units import Duration

_NAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}", re.ASCII)
_NUMBER = re.compile(r"-100[0-9]{5,13}", re.ASCII)


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not the number of a channel: write it in quotes, such as '-1001234567890'")
    return text


def _channel(text: str) -> str:
    if not (_NAME.fullmatch(text) or _NUMBER.fullmatch(text)):
        raise ValueError("not a channel: write its name as '@acme_news', or its number as '-1001234567890', in quotes")
    return text.lower()


Channel = Annotated[str, AfterValidator(_channel)]
ChannelNumber = Annotated[str, AfterValidator(_number)]


class TelegramSource(Collected):
    """Posts of your own channels on Telegram. What others write there no such program may read: see its page."""

    kind: Literal["telegram"]
    """`telegram`: channels of your own."""
    token_env: EnvName
    """NAME of the variable that holds the token of a bot (@BotFather gives it) that does nothing else."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=100)]
    """Your own channels that the bot is an administrator of, each by its name ('@acme_news') or its number
    ('-1001234567890'), in quotes."""
    private: Annotated[dict[ChannelNumber, Slug], Field(max_length=100)] = Field(default_factory=dict)
    """Number of a channel without a public name: the label of who may read its posts here. While `access` is `public`,
    posts of a private channel that is not named here are left out."""
    interval: Annotated[Duration, Field(ge=50, le=3_600_000)] = 5_000
    """Between two rounds of asking. Telegram keeps what a bot was not told for 24 hours."""
    url: WebAddress = "https://api.telegram.org"
    """Where the Bot API is asked; another one only for a proxy or a Bot API server of your own."""

    @model_validator(mode="after")
    def _no_channel_twice(self) -> Self:
        if len(set(self.channels)) < len(self.channels):
            raise ValueError("a channel is named twice under `channels`")
        return self
