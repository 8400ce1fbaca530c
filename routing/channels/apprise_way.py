"""The way to chat, push and SMS services and pagers: the library Apprise, which the extra `apprise` installs."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

import msgspec

from routing.channels.brief import Brief
from routing.mail.transport import Delivery, Outgoing

DEADLINE = 30.0
"""Seconds: Apprise waits for a connection and for an answer for 4 each, and some services take several."""


def installed() -> bool:
    return find_spec("apprise") is not None


class AppriseWay:
    """One service, by its address as Apprise writes it."""

    deadline = DEADLINE

    def __init__(self, url: str) -> None:
        self._url = url
        self._service: Any = None

    def send(self, mail: Outgoing) -> Delivery:
        said = msgspec.json.decode(mail.content, type=Brief)
        if mail.allowed() <= 0:
            return Delivery("later", "another process follows")
        try:
            if self._service is None:
                self._service = _service(self._url)
            taken = self._service.notify(title=said.title, body=said.body, body_format="text")
        except _Unknown as fault:
            return Delivery("refused", str(fault))
        except Exception as fault:
            # Its words may hold the address.
            return Delivery("later", f"the service failed ({type(fault).__name__})", unsure=True)
        return Delivery("sent") if taken else Delivery("later", "the service did not take it")

    def close(self) -> None:
        self._service = None


class _Unknown(Exception):
    pass


def _service(url: str) -> Any:
    if not installed():
        raise _Unknown("apprise is not installed: pip install 'clamor[apprise]'")
    import apprise

    # It logs addresses and answers of services, which may hold what is secret.
    logger = logging.getLogger("apprise")
    logger.handlers, logger.propagate, logger.disabled = [logging.NullHandler()], False, True
    asset = apprise.AppriseAsset(
        app_id="Clamor", app_desc="Clamor", async_mode=False, secure_logging=True, storage_mode="memory",
        interpret_escapes=False, interpret_emojis=False,
    )  # fmt: skip
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise _Unknown("its address is none that Apprise knows")
    return service
