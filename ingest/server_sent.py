"""Server-sent events out of bytes, wherever they are cut (html.spec.whatwg.org, "Server-sent events", 9.2.6).

Other than a browser, an event that has a name and no data counts: Mastodon sends some.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MOST_EVENT = 2_000_000
"""Bytes of an event; of a longer one nothing is kept."""
MOST_ID = 20_000
"""Bytes of an id; a longer one is none."""


class Event(NamedTuple):
    name: str
    data: bytes
    overlong: bool = False
    id: bytes = b""
    """The last that the stream gave, with this event or before it."""


class Framing:
    """Half an event at the end of a connection is none."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._id = b""
        self._size = 0
        self._overlong = self._in_overlong_line = False

    def feed(self, part: bytes) -> Iterator[Event]:
        self._rest += part
        *lines, last = self._rest.split(b"\n")
        self._rest = bytearray(last)
        for line in lines:
            if self._in_overlong_line:
                self._in_overlong_line = False
            elif found := self._line(bytes(line).removesuffix(b"\r")):
                yield found
        if len(self._rest) > MOST_EVENT:
            self._overlong = self._in_overlong_line = True
            self._rest.clear()

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._ended()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._name = value[:100].decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value if len(value) <= MOST_ID else b""
        elif name == b"data" and not self._overlong:
            self._size += len(value)
            self._overlong = self._size > MOST_EVENT
            if self._overlong:
                self._data.clear()
            else:
                self._data.append(value)
        return None

    def _ended(self) -> Event | None:
        said = self._name or self._data or self._overlong
        event = Event(self._name, b"\n".join(self._data), self._overlong, self._id) if said else None
        self._name, self._data, self._size, self._overlong = "", [], 0, False
        return event
