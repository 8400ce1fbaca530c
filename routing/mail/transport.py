"""The way a rendered mail leaves: what every transport answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf
from typing import Literal, NamedTuple, Protocol

import msgspec

from stream.records import Millis


class Outgoing(NamedTuple):
    """One mail for one recipient, ready to be handed over."""

    message_id: str
    """With its angle brackets, as in the header."""
    sender: str
    recipient: str
    content: bytes
    """The whole message, lines ended by CRLF."""
    repeated: bool = False
    """It was handed over before and nobody knows how that ended."""
    allowed: Callable[[], float] = lambda: inf
    """Seconds from now for which this process may go on with it; to be asked again and again, since they are
    prolonged. 0: it has to be broken off."""


class Delivery(msgspec.Struct, frozen=True):
    """How handing over one mail went."""

    outcome: Literal["sent", "refused", "later", "down", "unwelcome"]
    """`refused`: never this mail. `later`: this mail again later. `down`: nobody answers, no mail at all for a while.
    `unwelcome`: the server answers and does not want us (login, certificate, sender): none for a longer while."""
    reason: str = ""
    """What the other side said, in one bounded line without control characters."""
    broke_off: bool = False
    """The session broke: if that goes on, the server is at fault and not the mail."""
    unsure: bool = False
    """The text went out and no answer came back: perhaps it was taken."""


class Transport(Protocol):
    @property
    def deadline(self) -> float:
        """Seconds that handing over one mail takes at most."""

    def send(self, mail: Outgoing) -> Delivery:
        """Hand over one mail; returns within the transport's deadline, and where it may take long within what the mail
        is `allowed`. Does not raise for faults of the way."""

    def hang_up(self) -> None:
        """Called when there is nothing more to send for now: end the session politely."""

    def forget_older(self, before: Millis) -> int:
        """Delete mails older than this from what the transport itself keeps, if it keeps any; how many."""

    def close(self) -> None: ...


def one_line(text: object, most: int = 300) -> str:
    """A server's words as one line for a record or a log: no control characters, at most `most` characters."""
    line = re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", str(text)).strip()
    return line if len(line) <= most else line[: most - 1] + "…"
