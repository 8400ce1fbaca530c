"""The way to chat, push and SMS services and pagers: the library Apprise, which the extra `apprise` installs."""

from __future__ import annotations

import logging
import threading
import time
from importlib.util import find_spec
from typing import Any

import msgspec

from routing.channels.brief import Brief
from routing.mail.transport import Delivery, Outgoing

DEADLINE = 30.0
"""Seconds: Apprise waits for a connection and for each piece of an answer for 4, and some services take several."""


def installed() -> bool:
    return find_spec("apprise") is not None


class AppriseWay:
    """One service, by its address as Apprise writes it.

    Apprise knows no time for a whole exchange: an answer without an end would hold up every channel. So it is asked in
    a thread of its own, which is left alone once that time is over; while it lasts, nothing more is handed over.
    """

    def __init__(self, url: str, deadline: float = DEADLINE) -> None:
        self._url, self.deadline = url, deadline
        self._service: Any = None
        self._under_way: threading.Thread | None = None

    def send(self, mail: Outgoing) -> Delivery:
        said = msgspec.json.decode(mail.content, type=Brief)
        if mail.allowed() <= 0:
            return Delivery("later", "another process follows")
        if self._under_way is not None and self._under_way.is_alive():
            return Delivery("later", "the service has not answered what it was told before")
        try:
            if self._service is None:
                self._service = _service(self._url)
        except _Unknown as fault:
            return Delivery("refused", str(fault))
        except Exception as fault:
            return Delivery("later", f"the service failed ({type(fault).__name__})")
        answers: list[Delivery] = []
        service = self._service
        asked = threading.Thread(target=lambda: answers.append(_told(service, said)), name="apprise", daemon=True)
        self._under_way = asked
        asked.start()
        ends = time.monotonic() + self.deadline
        while asked.is_alive() and (left := min(ends - time.monotonic(), mail.allowed())) > 0:
            asked.join(left)
        return answers[0] if answers else Delivery("later", "the service did not answer in time", unsure=True)

    def close(self) -> None:
        self._service = None


def _told(service: Any, said: Brief) -> Delivery:
    try:
        taken = service.notify(title=said.title, body=said.body, body_format="text")
    except Exception as fault:
        # Its words may hold the address.
        return Delivery("later", f"the service failed ({type(fault).__name__})", unsure=True)
    return Delivery("sent") if taken else Delivery("later", "the service did not take it")


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
