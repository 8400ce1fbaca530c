"""Mail over SMTP: one session for the mails of a batch, and every fault told apart by whom it concerns.

Reply codes after RFC 5321, section 4.2; enhanced codes are shown to people and never decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Literal

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientRefused, SMTPResponseException, SMTPSenderRefused

from routing.mail.transport import Delivery, Outgoing, one_line
from routing.people_to_tell import MailServer
from stream.records import Millis

ASK_EVERY = 0.25
"""Seconds between two looks at how long a hand-over may still take."""
BROKEN_OFF = "broken off, since this process could not prove for longer that it is the one mailer"
SERVICE_NOT_AVAILABLE = 421
WANTS_LOGIN = frozenset({530, 534, 535, 538})


class SmtpTransport:
    """A transport over one SMTP server. Use it from one thread at a time."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._client: aiosmtplib.SMTP | None = None
        self._text_is_out = False

    @property
    def deadline(self) -> float:
        return self._server.deadline or 3 * self._server.timeout

    def send(self, mail: Outgoing) -> Delivery:
        return self._runner.run(self._send_in_time(mail))

    def hang_up(self) -> None:
        if self._client is not None:
            self._runner.run(self._quit())

    def forget_older(self, before: Millis) -> int:
        return 0

    def close(self) -> None:
        self.hang_up()
        self._runner.close()

    async def _send_in_time(self, mail: Outgoing) -> Delivery:
        loop = asyncio.get_running_loop()
        latest = loop.time() + self.deadline
        self._text_is_out = False
        try:
            async with _Prolonged(lambda: min(latest, loop.time() + mail.allowed())):
                return await self._send(mail)
        except TimeoutError:
            self._drop()
            why = f"no end after {self.deadline:g} s"
            if loop.time() < latest:
                why = BROKEN_OFF
            return Delivery("later", f"{self._place()}: {why}", broke_off=True, unsure=self._text_is_out)

    async def _send(self, mail: Outgoing) -> Delivery:
        reused = self._client is not None and self._client.is_connected
        try:
            client = await self._session()
        except (SMTPException, OSError, ValueError) as fault:
            self._drop()
            return Delivery("unwelcome" if _refuses_us(fault) else "down", f"{self._place()}: {_said(fault)}")
        try:
            return await self._hand_over(client, mail)
        except _SessionIsGone as fault:
            self._drop()
            if reused:
                return await self._send(mail)
            return Delivery("later", f"{self._place()}: {_said(fault.cause)}", broke_off=True)
        except (SMTPException, OSError) as fault:
            self._drop()
            reason = f"{self._place()}, after the text was sent: {_said(fault)}"
            return Delivery("later", reason, broke_off=True, unsure=True)

    async def _session(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self._server
        context = ssl.create_default_context(cafile=server.certificates) if server.security != "none" else None
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=server.timeout,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=context,
            username=server.user or None,
            password=server.password or None,
            local_hostname=_greeting_name(server.from_address),
        )
        await self._client.connect()
        return self._client

    async def _hand_over(self, client: aiosmtplib.SMTP, mail: Outgoing) -> Delivery:
        """MAIL, RCPT, DATA. Raises _SessionIsGone while it is certain that nothing was taken."""
        ascii_only = mail.recipient.isascii() and mail.sender.isascii()
        if not ascii_only and not client.supports_extension("smtputf8"):
            return Delivery("refused", "the address is not ASCII and the server does not know SMTPUTF8 (RFC 6531)")
        options, encoding = ([], "ascii") if ascii_only else (["SMTPUTF8"], "utf-8")
        try:
            await client.mail(mail.sender, options=options, encoding=encoding)
            await client.rcpt(mail.recipient, encoding=encoding)
        except SMTPSenderRefused as refusal:
            self._drop()
            outcome: Literal["down", "unwelcome"] = "unwelcome" if refusal.code >= 500 else "down"
            return Delivery(outcome, f"{self._place()} does not take mail from {mail.sender}: {_said(refusal)}")
        except SMTPRecipientRefused as refusal:
            return await self._refused(client, refusal)
        except (SMTPException, OSError) as fault:
            raise _SessionIsGone(fault) from fault
        if mail.allowed() <= 0:
            # The loop's clock stood still while the machine slept: its time-out may go off behind the server's answer.
            self._drop()
            return Delivery("later", f"{self._place()}: {BROKEN_OFF}", broke_off=True)
        self._text_is_out = True
        try:
            await client.data(mail.content)
        except SMTPResponseException as refusal:
            return await self._refused(client, refusal)
        return Delivery("sent")

    async def _refused(self, client: aiosmtplib.SMTP, refusal: SMTPResponseException) -> Delivery:
        reason = f"{self._place()}: {_said(refusal)}"
        if refusal.code == SERVICE_NOT_AVAILABLE or refusal.code in WANTS_LOGIN:
            self._drop()
            return Delivery("unwelcome" if refusal.code in WANTS_LOGIN else "down", reason)
        try:
            await client.rset()
        except (SMTPException, OSError):
            self._drop()
        return Delivery("refused" if 500 <= refusal.code < 600 else "later", reason)

    async def _quit(self) -> None:
        with contextlib.suppress(SMTPException, OSError):
            if self._client is not None and self._client.is_connected:
                await self._client.quit(timeout=min(2.0, self._server.timeout))
        self._drop()
        # One turn of the loop lets the closed socket go before the loop itself may be closed.
        await asyncio.sleep(0)

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _place(self) -> str:
        return f"{self._server.host}:{self._server.port}"


class _Prolonged:
    """A time-out at `until`, which is asked for again and again; by the loop's clock. Raises TimeoutError."""

    def __init__(self, until: Callable[[], float]) -> None:
        self._until = until
        self._limit = asyncio.timeout_at(until())
        self._next: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._look()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._next is not None:
            self._next.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _look(self) -> None:
        loop, when = asyncio.get_running_loop(), self._limit.when()
        # Once it is due it stays so: of a process that stood still it goes off before the server's answer is heard,
        # and put off by a turn of the loop it would go off behind it.
        if when is not None and when > loop.time():
            self._limit.reschedule(self._until())
            self._next = loop.call_later(ASK_EVERY, self._look)


class _SessionIsGone(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _refuses_us(fault: Exception) -> bool:
    """Whether the server answers and does not want us, as it will tomorrow unless somebody changes something."""
    if isinstance(fault, SMTPResponseException):
        return fault.code >= 500
    return isinstance(fault, ssl.SSLError | ValueError | aiosmtplib.SMTPNotSupported) or isinstance(
        fault.__cause__, ssl.SSLError
    )


def _said(fault: Exception) -> str:
    if isinstance(fault, SMTPResponseException):
        return one_line(f"{fault.code} {fault.message}")
    if isinstance(fault, ssl.SSLCertVerificationError):
        return one_line(f"the server's certificate is not trusted ({fault.verify_message})")
    return one_line(f"{fault or type(fault).__name__}")


def _greeting_name(from_address: str) -> str:
    """What EHLO names: our domain, since looking up this machine's full name can take seconds."""
    domain = from_address.rpartition("@")[2]
    with contextlib.suppress(UnicodeError):
        return domain.encode("idna").decode("ascii") or "localhost"
    return "localhost"
