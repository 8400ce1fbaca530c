"""The way to another program: one signed POST, answered by 2xx."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import httpx

from routing.channels import signature
from routing.mail.transport import Delivery, Outgoing
from stream.clock import SECOND, Clock
from stream.public import NotPublic, PublicTransport

NEVER = frozenset({400, 410, 413, 415, 422})
"""Answers by which this body will not be taken however often it is sent."""


class WebhookWay:
    """Posts to one address. Follows no redirect, goes through no proxy, and by default into no private network."""

    def __init__(
        self, url: str, keys: Sequence[str], clock: Clock, *, timeout: float = 10.0, anywhere: bool = False
    ) -> None:
        """`timeout`: seconds for a whole exchange. `anywhere`: private addresses, and http, are allowed."""
        self._url, self._keys, self._clock, self._timeout, self._anywhere = url, keys, clock, timeout, anywhere
        self.deadline = timeout
        self._transport = PublicTransport(ssl.create_default_context(), anywhere=anywhere)
        self._client = httpx.Client(transport=self._transport, timeout=timeout, follow_redirects=False, trust_env=False)

    def send(self, mail: Outgoing) -> Delivery:
        if not self._anywhere and not self._url.startswith("https://"):
            return Delivery("refused", "its address is not https (see allow_private)")
        id = mail.message_id.strip("<>")
        signed = signature.headers(id, self._clock.wall() // SECOND, mail.content, self._keys)
        if mail.allowed() <= 0:
            return Delivery("later", "another process follows")
        self._transport.within(self._timeout, mail.allowed)
        try:
            # The body of an answer says nothing that is needed here, and might be endless.
            with self._client.stream(
                "POST", self._url, content=mail.content, headers={**_HEADERS, **signed}
            ) as response:
                return _meant(response.status_code)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            return Delivery("refused", "its address is none")
        except httpx.ConnectError as fault:
            if isinstance(fault.__cause__, NotPublic):
                return Delivery("refused", f"{fault.__cause__}: allow_private is not set")
            return Delivery("later", "nobody answers there")
        except httpx.ConnectTimeout:
            return Delivery("later", "nobody answers there in time")
        except httpx.HTTPError as fault:
            # An address, with what is secret in it, may stand in the fault's words.
            return Delivery("later", f"no answer ({type(fault).__name__})", unsure=True)

    def close(self) -> None:
        self._client.close()


def _meant(status: int) -> Delivery:
    if 200 <= status < 300:
        return Delivery("sent")
    if status in NEVER:
        return Delivery("refused", f"answered {status}")
    why = "redirects are not followed" if 300 <= status < 400 else ""
    return Delivery("later", f"answered {status}" + (f": {why}" if why else ""))


_HEADERS = {"Content-Type": "application/json", "User-Agent": "Clamor"}
