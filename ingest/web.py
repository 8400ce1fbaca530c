"""Questions over HTTP, as every network's file without a client library of its own asks them.

What passes is raised as `Interrupted`, what a person has to mend as `Denied`, anything else that is no answer as
`Refused`. Answers are bounded; no error says more of an address than its host and path, since a query may hold a key,
and none repeats what was sent, should the network's answer do so.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import httpx
import msgspec

from ingest.collector import Denied, Interrupted
from ingest.unpacking import OFFERED, Unpackable, unpacked
from ingest.unreached import unreached
from stream.clock import SECOND
from stream.public import NotPublic, PublicTransport
from stream.records import Millis

T = TypeVar("T")

MAX_BYTES = 20_000_000
TIMEOUT = 30.0
LONGEST_ANSWER = 300.0
"""Seconds that an answer may take in all: one that comes byte by byte keeps within every time-out."""
MOST_REDIRECTS = 5
LONGEST_WAIT: Millis = 24 * 3600 * SECOND
"""What a network may make us wait in one answer; a longer wait is taken as this."""
PASSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
MOST_SAID = 65_536
"""Bytes of an error's body that are looked at."""
_SHORTEST_SECRET = 8
_BLANK = re.compile(r"\s+")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class Refused(Exception):
    """An answer that is none of those that were hoped for: its status and the beginning of its body."""

    def __init__(self, status: int, place: str, said: str) -> None:
        super().__init__(f"{place} answered {status}: {said}" if said else f"{place} answered {status}")
        self.status, self.place, self.said = status, place, said


class Unauthorized(Denied):
    """401: the credential itself is refused, not what was asked for."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes
    url: str
    """Where it came from in the end, redirects followed."""

    def json(self) -> Any:
        """Raises Interrupted where it is no JSON: half an answer passes."""
        return self.decoded(object)

    def decoded(self, shape: type[T]) -> T:
        """Raises Interrupted where it is none of these, as well."""
        try:
            try:
                return msgspec.json.decode(self.body, type=shape)
            except msgspec.ValidationError:
                raise
            except (msgspec.DecodeError, UnicodeDecodeError):
                return msgspec.json.decode(_whole(self.body), type=shape)
        except msgspec.ValidationError:
            raise Interrupted("the answer is JSON of another shape than was asked for") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Interrupted("the answer is no JSON, or only half of it") from None


class Web:
    """One network's address. Not for several threads at once: each takes a `Web` of its own."""

    def __init__(
        self,
        base: str = "",
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        *,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
        longest: float = LONGEST_ANSWER,
        redirects: bool = False,
        public_only: bool = False,
    ) -> None:
        """`headers` may be a function that is asked before each request (a token that changes). `longest`: seconds
        that an answer may take in all. `public_only`: for addresses that strangers named; whatever leads into a private
        network is Refused, and no proxy is used."""
        self._headers = headers
        self._max_bytes, self._longest = max_bytes, longest
        self._public = PublicTransport(certificates()) if public_only else None
        self._client = httpx.Client(
            base_url=base,
            headers={"User-Agent": user_agent(), "Accept-Encoding": OFFERED},
            timeout=timeout,
            follow_redirects=redirects,
            max_redirects=MOST_REDIRECTS,
            verify=certificates(),
            trust_env=True,
            transport=self._public,
            # None is kept: no network needs one, strangers' have no end, and one may be set for other hosts' names too.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
        self._sent: frozenset[str] = frozenset()
        self.asked = 0
        """Requests made so far."""
        self._told = 0

    def get(
        self, path: str, params: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, its status 2xx, 304, 404 or 410. Raises Interrupted, Denied (401, 403), Refused."""
        return self.ask("GET", path, params=params, headers=headers)

    def post(
        self,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        json: object = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return self.ask("POST", path, params=params, headers=headers, form=form, json=json)

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        good: tuple[int, ...] = (304, 404, 410),
    ) -> Answer:
        """`good`: what is an answer besides 2xx; `body`: what is sent as it stands."""
        sent = {**self._now(), **(headers or {})}
        content = body
        if json is not None:
            content, sent = msgspec.json.encode(json), {**sent, "Content-Type": "application/json"}
        self.asked += 1
        self._sent = _sent(sent, params, form, json)
        until = time.monotonic() + self._longest
        if self._public is not None:
            self._public.within(self._longest)
        try:
            with self._client.stream(
                method, path, params=dict(params) if params else None, headers=sent, data=form, content=content
            ) as response:
                said = self._read(response, until)
        except (httpx.InvalidURL, UnicodeError):
            # A name that no rule for names allows, or half a character.
            place = path.partition("?")[0].encode("ascii", "replace").decode()
            raise Refused(0, place[:200], "this is no address") from None
        except httpx.UnsupportedProtocol:
            raise Refused(0, path.partition("?")[0][:200], "only http and https are asked") from None
        except httpx.TooManyRedirects:
            raise Refused(0, path.partition("?")[0][:200], "it redirects in a circle") from None
        except Unpackable:
            raise Interrupted(f"the answer of {self._host(path)} is packed in a way that cannot be read") from None
        except httpx.TransportError as fault:
            if isinstance(fault.__cause__, NotPublic):
                raise Refused(0, self._host(path), str(fault)) from None
            raise Interrupted(f"no answer from {self._host(path)}: {unreached(fault)}") from None
        names = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, names, said, str(response.url))
        if 200 <= answer.status < 300 or answer.status in good:
            return answer
        raise self.fault(answer)

    def listen(self, path: str, params: Mapping[str, str] | None = None, *, silence: float) -> Unending:
        """An answer without an end. Its beginning has to come within the time-out; of `silence` seconds without a byte
        it is lost. Raises as `get` does, and Refused for 404 and 410 as well."""
        sent = {**self._now(), "Accept-Encoding": "identity"}
        self.asked += 1
        self._sent = _sent(sent, params)
        if self._public is not None:
            self._public.within(math.inf)
        request = self._client.build_request("GET", path, params=dict(params) if params else None, headers=sent)
        try:
            response = self._client.send(request, stream=True)
            if response.status_code == 200:
                # The transport looks at this where the body begins.
                request.extensions["timeout"]["read"] = silence
                return Unending(response, self._host(path), silence)
            try:
                said = self._read(response, time.monotonic() + self._longest)
            finally:
                response.close()
        except Unpackable:
            raise Interrupted(f"the answer of {self._host(path)} is packed in a way that cannot be read") from None
        except httpx.TransportError as fault:
            raise Interrupted(f"no answer from {self._host(path)}: {unreached(fault)}") from None
        names = {name.lower(): value for name, value in response.headers.items()}
        raise self.fault(Answer(response.status_code, names, said, str(response.url)))

    def fault(self, answer: Answer) -> Exception:
        """What an answer means that is no good one."""
        place = httpx.URL(answer.url).copy_with(query=None, userinfo=b"", fragment=None)
        said = words(_without(answer.body, self._sent))
        if answer.status in PASSES:
            return Interrupted(f"{place} answered {answer.status}", retry_after=retry_after(answer.headers))
        if answer.status in (401, 403):
            kind = Unauthorized if answer.status == 401 else Denied
            return kind(f"{place} answered {answer.status}: {said}" if said else f"{place} answered {answer.status}")
        return Refused(answer.status, str(place), said)

    def used(self) -> int:
        """Requests made since this was asked last."""
        asked, self._told = self.asked - self._told, self.asked
        return asked

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _now(self) -> Mapping[str, str]:
        return self._headers() if callable(self._headers) else self._headers or {}

    def _read(self, response: httpx.Response, until: float) -> bytes:
        """Raises Unpackable, Refused, and Interrupted where it is not over by `until`."""
        parts, size = [], 0
        for part in unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
            size += len(part)
            if time.monotonic() > until:
                raise Interrupted(
                    f"the answer of {self._host(str(response.url))} takes longer than {self._longest:g} s"
                )
            if size > self._max_bytes:
                raise Refused(
                    response.status_code, self._host(str(response.url)), f"more than {self._max_bytes:,} bytes"
                )
            parts.append(part)
        return b"".join(parts)

    def _host(self, path: str) -> str:
        return httpx.URL(path).host or self._client.base_url.host or "?"


class Unending:
    """An answer that is read as it comes, by one thread; another one may close it."""

    def __init__(self, response: httpx.Response, host: str, silence: float) -> None:
        self._response, self._host, self._silence = response, host, silence
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    def parts(self) -> Iterator[bytes]:
        """Bytes as they come, until the other side ends it. Raises Interrupted."""
        try:
            yield from unpacked(self._response.iter_raw(), self._response.headers.get("content-encoding", ""))
        except Unpackable:
            raise Interrupted(f"the stream of {self._host} is packed in a way that cannot be read") from None
        except httpx.ReadTimeout:
            raise Interrupted(
                f"nothing came from {self._host} for {self._silence:g} s, not even a sign of life"
            ) from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as fault:
            raise Interrupted(f"{self._host} cut the stream: {type(fault).__name__}") from None
        finally:
            self._response.close()

    def close(self) -> None:
        """Whoever waits for more wakes."""
        connection = self._response.extensions.get("network_stream")
        connected = connection.get_extra_info("socket") if connection is not None else None
        if connected is not None:
            # Closing alone does not wake a thread that waits for it.
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


@cache
def certificates() -> ssl.SSLContext:
    """Whom a connection trusts, for all of them: reading it anew takes longer than most questions."""
    return httpx.create_ssl_context()


def _whole(body: bytes) -> bytes:
    """JSON with U+FFFD for half a pair of surrogates and for bytes that are no UTF-8: some cut texts where they like,
    and one such text must not hide all others of its page."""
    return _ESCAPE.sub(_mended, body.decode("utf-8", "replace").encode())


def _mended(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] is not None else escape[0]


def _sent(*parts: object) -> frozenset[str]:
    """What of a request may be a secret: its values, and the words of them, but for the shortest."""
    values = [value for part in parts if isinstance(part, Mapping) for value in part.values() if isinstance(value, str)]
    return frozenset(word for value in values for word in (value, *value.split()) if len(word) >= _SHORTEST_SECRET)


def _without(body: bytes, sent: Collection[str]) -> bytes:
    body = body[:MOST_SAID]
    for word in sorted(sent, key=len, reverse=True):
        body = body.replace(word.encode(), b"(what was sent)")
    return body


def user_agent() -> str:
    return f"Clamor/{version('clamor')}"


def retry_after(headers: Mapping[str, str], wall: float | None = None) -> Millis | None:
    """Milliseconds to wait by `Retry-After` (RFC 9110, 10.2.3: seconds or a date) or by `X-RateLimit-Reset` (seconds
    since 1970, or from now, or a time of ISO 8601); None where neither says so."""
    now = time.time() if wall is None else wall
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return _bounded(float(said[:9]))
    if said:
        try:
            return _bounded(parsedate_to_datetime(said).timestamp() - now)
        except (ValueError, OverflowError):
            pass
    reset = headers.get("x-ratelimit-reset", headers.get("x-rate-limit-reset", "")).strip()
    try:
        number = float(reset)
    except ValueError:
        return _until(reset, now)
    if number != number:
        return None
    return _bounded(number - now if number > 1e9 else number)


def told_time(headers: Mapping[str, str]) -> Millis | None:
    """What time it was there, by `Date`, in whole seconds; None where it does not say."""
    try:
        return round(parsedate_to_datetime(headers["date"]).timestamp() * SECOND)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def words(body: bytes, most: int = 200) -> str:
    """The beginning of an error's body on one line, without control characters."""
    text = _BLANK.sub(" ", body[: 4 * most].decode("utf-8", "replace")).strip()
    return "".join(sign for sign in text if sign.isprintable())[:most]


def _until(moment: str, now: float) -> Millis | None:
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return _bounded(found.timestamp() - now) if found.tzinfo is not None else None


def _bounded(seconds: float) -> Millis:
    return round(min(max(seconds, 0.0) * SECOND, LONGEST_WAIT))
