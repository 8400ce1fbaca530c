"""A real SMTP server on a socket of this machine (aiosmtpd), which can fail in all the usual ways.

with SmtpServer() as server:
    server.fault = Fault("rcpt", "550 5.1.1 nobody here", only="ana@example.org")
    …
    server.mails[0].subject
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterable
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Place = Literal["greeting", "mail", "rcpt", "data"]


class Fault(NamedTuple):
    """What goes wrong, where. `answer`: a reply line; or `drop` (cut the connection), `hang` (say nothing), `swallow`
    (take the mail, then cut the connection without a word)."""

    place: Place
    answer: str
    only: str | None = None
    """Only for this recipient."""
    times: int | None = None
    """Only so often; None: always."""


class Mail(NamedTuple):
    """A mail that the server took."""

    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def message_id(self) -> str:
        return str(BytesHeaderParser(policy=policy.default).parsebytes(self.content)["Message-ID"])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())


class SmtpServer:
    """Start it with `with`; `down()` and `up()` close and open the same port. Thread-safe to look at."""

    def __init__(
        self,
        *,
        users: dict[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
        tls: Literal["starttls", "tls"] | None = None,
        taken: Path | None = None,
    ) -> None:
        """`certificate`: files of certificate and key. `taken`: a file that gets the Message-ID of each mail taken."""
        self.mails: list[Mail] = []
        self._ids: list[str] = []
        self.sessions = 0
        self.fault: Fault | None = None
        self.port = 0
        self._users = users
        self._context = _server_context(certificate) if certificate else None
        self._tls = tls
        self._taken = taken
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[_Protocol] = set()
        self._fault_lock = threading.Lock()

    def __enter__(self) -> SmtpServer:
        self._thread.start()
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def up(self) -> None:
        """Listen, on the port of before."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def down(self) -> None:
        """Refuse connections and cut those that are open."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    def ids(self) -> list[str]:
        """Message-IDs of what was taken, in order."""
        return list(self._ids)

    def to(self, recipient: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.recipient == recipient]

    def take_fault(self, place: Place, recipients: Iterable[str] = ()) -> str | None:
        """The answer that the fault in force gives here, and one time less of it."""
        with self._fault_lock:
            fault = self.fault
            if fault is None or fault.place != place or (fault.only and fault.only not in recipients):
                return None
            if fault.times is not None:
                self.fault = fault._replace(times=fault.times - 1) if fault.times > 1 else None
            return fault.answer

    def take(self, mail: Mail) -> None:
        self.mails.append(mail)
        self._ids.append(mail.message_id)
        if self._taken is not None:
            with self._taken.open("a") as file:
                file.write(f"{mail.message_id}\n")

    async def _listen(self) -> None:
        if self._server is None:
            context = self._context if self._tls == "tls" else None
            self._server = await self._loop.create_server(self._protocol, "127.0.0.1", self.port, ssl=context)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            for protocol in list(self._open):
                protocol.cut()
            await self._server.wait_closed()
            self._server = None
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _protocol(self) -> _Protocol:
        self.sessions += 1
        return _Protocol(
            self,
            self._open,
            tls_context=self._context if self._tls == "starttls" else None,
            authenticator=self._login if self._users is not None else None,
            auth_required=self._users is not None,
            auth_require_tls=self._tls == "starttls",
            enable_SMTPUTF8=False,
            hostname="mail.test",
            ident="test",
            loop=self._loop,
        )

    def _login(self, server: Any, session: Session, envelope: Envelope, mechanism: str, auth: Any) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        known = (self._users or {}).get(auth.login.decode())
        return AuthResult(success=known is not None and known.encode() == auth.password, handled=False)


class _Protocol(SMTP):
    """One connection."""

    def __init__(self, server: SmtpServer, connections: set[_Protocol], **settings: Any) -> None:
        super().__init__(_Handler(server), **settings)
        self._house, self._connections = server, connections

    def connection_made(self, transport: Any) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    async def push(self, status: Any) -> None:
        line = status
        if isinstance(status, str) and status.startswith("220 mail.test"):
            line = await _act(self, self._house.take_fault("greeting")) or status
        if self.transport is None or self.transport.is_closing():
            return
        await super().push(line)
        if isinstance(line, str) and line.startswith("421"):
            self.transport.close()


class _Handler:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_MAIL(
        self, server: _Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._fault(server, "mail", [])
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(
        self, server: _Protocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._fault(server, "rcpt", [address])
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: _Protocol, session: Session, envelope: Envelope) -> str:
        recipients = [str(address) for address in envelope.rcpt_tos]
        answer = self._server.take_fault("data", recipients)
        if answer is None or answer == "swallow":
            content = envelope.original_content
            assert content is not None
            for recipient in recipients:
                self._server.take(Mail(str(envelope.mail_from), recipient, content))
        return await _act(server, "drop" if answer == "swallow" else answer) or "250 taken"

    async def _fault(self, server: _Protocol, place: Place, recipients: list[str]) -> str | None:
        return await _act(server, self._server.take_fault(place, recipients))


async def _act(server: _Protocol, answer: str | None) -> str | None:
    if answer == "drop":
        server.cut()
        return "421 cut"
    if answer == "hang":
        await asyncio.sleep(3600)
    return answer


def _server_context(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def make_certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate of our own making for an address, and its key, valid for a day. Needs the program `openssl`."""
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not there to make a certificate with")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    alternative = f"subjectAltName=IP:{name}" if name[:1].isdigit() else f"subjectAltName=DNS:{name}"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    told = ["-days", "1", "-subj", f"/CN={name}", "-addext", alternative]
    subprocess.run(
        [*made, *told, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key
