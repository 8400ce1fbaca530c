"""Mails into a mailbox file, for the demo and for homes without a mail server: mbox (RFC 4155)."""

from __future__ import annotations

import mmap
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path

from routing.mail.transport import Delivery, Outgoing, one_line
from stream.records import Millis

_LENGTH = re.compile(rb"\nContent-Length: (\d+)\n")
_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


class MailboxTransport:
    """A transport that appends to one file, which it creates with its folder. Each mail is there once, tries or not."""

    deadline = 30.0

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, mail: Outgoing) -> Delivery:
        if mail.allowed() <= 0:
            return Delivery("later", "this process could not prove that it is the one mailer")
        try:
            if mail.repeated and self._has(mail.message_id):
                return Delivery("sent", "was already in the mailbox")
            self._append(_entry(mail))
        except OSError as fault:
            return Delivery("down", one_line(f"the mailbox {self.path} cannot be written: {fault.strerror or fault}"))
        return Delivery("sent")

    def forget_older(self, before: Millis) -> int:
        """Take mails dated before `before` out of the file; how many. The file is replaced as a whole."""
        if not self.path.exists():
            return 0
        kept, gone = [], 0
        for entry in _entries(self.path.read_bytes()):
            if _dated(entry) < before:
                gone += 1
            else:
                kept.append(entry)
        if gone:
            fresh = self.path.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.writelines(kept)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        return gone

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
    """Up to where the file holds whole entries: the last one says by its Content-Length where it ends."""
    size = os.fstat(file).st_size
    if not size:
        return 0
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as content:
        found = content.rfind(b"\n\nFrom ")
        start = found + 2 if found >= 0 else 0
        text = content.find(b"\n\n", start)
        length = _LENGTH.search(content[start : text + 1]) if text >= 0 else None
    end = text + 2 + int(length[1]) + 1 if length else size + 1
    return end if end <= size else start


def _entries(content: bytes) -> list[bytes]:
    starts = [0, *(found.start() + 2 for found in re.finditer(rb"\n\nFrom ", content)), len(content)]
    return [content[start:end] for start, end in pairwise(starts) if start < end]


def _dated(entry: bytes) -> Millis:
    """The date in an entry's first line; far ahead for one that has none, so that it stays."""
    line = entry.partition(b"\n")[0].decode("ascii", "replace")
    with suppress(ValueError):
        at = datetime.strptime(line.split(" ", 2)[-1], "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        return int(at.timestamp() * 1000)
    return 2**62


def _entry(mail: Outgoing) -> bytes:
    headers, _, text = mail.content.replace(b"\r\n", b"\n").partition(b"\n\n")
    said = BytesHeaderParser().parsebytes(headers)["Date"]
    at = parsedate_to_datetime(said) if said else datetime.fromtimestamp(0, UTC)
    first = f"From {mail.sender} {at.astimezone(UTC).strftime('%a %b %d %H:%M:%S %Y')}\n".encode("ascii", "replace")
    body = _FROM_LINE.sub(rb">\1", text).rstrip(b"\n") + b"\n"
    return b"%s%s\nContent-Length: %d\n\n%s\n" % (first, headers, len(body), body)
