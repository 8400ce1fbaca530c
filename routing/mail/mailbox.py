"""Mails into a mailbox file, for the demo and for homes without a mail server: mbox (RFC 4155)."""

from __future__ import annotations

import mmap
import os
import re
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from routing.mail.transport import Delivery, Outgoing, one_line

_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


class MailboxTransport:
    """A transport that appends to one file, which it creates with its folder. Each mail is there once, tries or not."""

    deadline = 30.0

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, mail: Outgoing) -> Delivery:
        try:
            if mail.repeated and self._has(mail.message_id):
                return Delivery("sent", "was already in the mailbox")
            self._append(_entry(mail))
        except OSError as fault:
            return Delivery("down", one_line(f"the mailbox {self.path} cannot be written: {fault.strerror or fault}"))
        return Delivery("sent")

    def hang_up(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _append(self, entry: bytes) -> None:
        """All of it or nothing: what a full disk or a killed process cut off is taken back."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            before = _whole(file)
            os.ftruncate(file, before)
            try:
                left = memoryview(entry)
                while left:
                    left = left[os.write(file, left) :]
                os.fsync(file)
            except OSError:
                os.ftruncate(file, before)
                raise
        finally:
            os.close(file)

    def _has(self, message_id: str) -> bool:
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        line = f"\nMessage-ID: {message_id}\n".encode("ascii", "replace")
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return 0 <= content.find(line) < _whole(file.fileno())


def _whole(file: int) -> int:
    """Size of the file without a last entry that has no end."""
    size = os.fstat(file).st_size
    if not size or os.pread(file, 2, max(0, size - 2)) == b"\n\n":
        return size
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as content:
        start = content.rfind(b"\n\nFrom ")
        return start + 2 if start >= 0 else 0


def _entry(mail: Outgoing) -> bytes:
    lines = mail.content.replace(b"\r\n", b"\n")
    headers = BytesHeaderParser().parsebytes(lines)
    at = parsedate_to_datetime(headers["Date"]) if headers["Date"] else datetime.fromtimestamp(0, UTC)
    start = f"From {mail.sender} {at.astimezone(UTC).strftime('%a %b %d %H:%M:%S %Y')}\n".encode("ascii", "replace")
    return start + _FROM_LINE.sub(rb">\1", lines).rstrip(b"\n") + b"\n\n"
