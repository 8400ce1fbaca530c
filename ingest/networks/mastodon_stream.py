"""One stream of a server of Mastodon: server-sent events, read as they come.

Mastodon.py (2.3.3) is gone around. Its `StreamListener.handle_stream` takes the answer byte by byte, each through
several Python objects, with no bound on a line or an event; an event that is no JSON, has no `data`, or is cut ends the
stream with an exception, and the rest is lost with it; run in a thread (`run_async`), every fault on reconnecting is
swallowed by a bare `except`, the status of a refusal and its Retry-After too, so that nobody could say what was missed;
the blocking form cannot be ended from outside. What is said here was read in its `streaming.py` and `internals.py`.

Follows docs.joinmastodon.org: methods/streaming (events, `:thump`), entities/V2 Instance (`configuration.urls`).
"""

from __future__ import annotations

from collections.abc import Generator
from urllib.parse import urlsplit

import msgspec

from ingest.collector import Denied
from ingest.server_sent import Event, Framing
from ingest.web import Answer, Refused, Unending, Web


class Stream:
    """A connection that has begun. `parts` is for one thread; another one may close it."""

    def __init__(self, web: Web, answer: Unending) -> None:
        self._web, self._answer = web, answer
        self.headers = answer.headers

    def parts(self) -> Generator[list[Event], None, None]:
        """What came together, none for a sign of life alone. Ends where the server ends it. Raises Interrupted."""
        framing = Framing()
        try:
            for part in self._answer.parts():
                yield list(framing.feed(part))
        finally:
            self._web.close()

    def close(self) -> None:
        self._answer.close()


def streaming_address(instance: str, web: Web) -> str:
    """Where a server says that it streams, which may be a host of its own. Raises Interrupted, and Denied where that is
    a host that a token must not be sent to unasked."""
    try:
        answer = web.get("/api/v2/instance")
    except (Refused, Denied):
        return instance
    said = _Instance() if answer.status != 200 else _instance(answer)
    told = said.configuration.urls.streaming
    if not told:
        return instance
    here, there = urlsplit(instance), urlsplit(told)
    if there.hostname != here.hostname and not (there.hostname or "").endswith(f".{here.hostname}"):
        raise Denied(
            f"{here.netloc} streams at {there.netloc[:100]!r}, another site: if that is right, name it in "
            "`streaming_urls` of the source"
        )
    if here.scheme == "https" and there.scheme not in ("wss", "https"):
        raise Denied(f"{here.netloc} streams without encryption: name its address in `streaming_urls` of the source")
    return f"{'https' if there.scheme in ('wss', 'https') else 'http'}://{there.netloc}"


class _Urls(msgspec.Struct, frozen=True):
    streaming: str | None = None


class _Configuration(msgspec.Struct, frozen=True):
    urls: _Urls = _Urls()


class _Instance(msgspec.Struct, frozen=True):
    configuration: _Configuration = _Configuration()


def _instance(answer: Answer) -> _Instance:
    """A server of another program may say something else."""
    try:
        return msgspec.convert(answer.json(), _Instance)
    except msgspec.ValidationError:
        return _Instance()
