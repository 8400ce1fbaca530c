"""X's API: tweepy's methods over our own transport, and the stream read line by line.

tweepy knows the paths and parameters. Its own transport has one host and no time-out and writes the token into the
debug log; its stream swallows every fault, tries again by itself and ends its thread. Here each fault is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec
import tweepy

from config.sources.x import XSource
from ingest.collector import Denied, Interrupted
from ingest.networks.x_posts import FIELDS
from ingest.read_ahead import ReadAhead
from ingest.web import PASSES, Answer, Web, retry_after, words
from stream.clock import HOUR, SECOND
from stream.records import Millis

STREAM = "/2/tweets/search/stream"
CAP_WAIT: Millis = HOUR
"""Between two questions whether the month's cap is over."""
MOST_REFUSED = 16
"""Times the first wait: the longest one after a refused connection."""
NOISE: Millis = 2 * SECOND
"""A difference of clocks below this is that of the seconds in which X tells the time."""
MOST_HELD = 64_000_000
"""Bytes of the stream that wait here; then X waits, and ends the connection when its own buffer is full."""
MOST_LINE = 1_000_000


class Rejected(Exception):
    """X says that the request is wrong: with what, and what it answered."""

    def __init__(self, status: int, problem: Problem, body: Mapping[str, Any]) -> None:
        super().__init__(f"X answered {status}: {problem.words}")
        self.status, self.problem, self.body = status, problem, body


class Problem(NamedTuple):
    kind: str
    """The last part of its type: `usage-capped`, `streaming-connection`."""
    words: str


class Access:
    """What all connections of one source share: the token, the time at X, and how often it refused a connection."""

    def __init__(self, settings: XSource, secret: Callable[[str], str | None], wall: Callable[[], Millis]) -> None:
        self.settings, self.token_env = settings, settings.token_env
        self._secret, self._wall = secret, wall
        self._refused = 0
        self.skew: Millis = 0
        """X's clock minus ours, as its last answer showed."""

    def web(self) -> Web:
        """For one thread, which closes it."""
        return _Web(self)

    def headers(self) -> dict[str, str]:
        """Raises Denied where there is no token."""
        token = (self._secret(self.token_env) or "").strip()
        if not token:
            raise Denied(
                f"no token for X: {self.token_env} is not set; write the app's Bearer Token from console.x.com into it"
            )
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Denied(f"{self.token_env} holds no Bearer Token: it has signs that none has; copy it anew")
        return {"Authorization": f"Bearer {token}"}

    def heard(self, headers: Mapping[str, str]) -> None:
        try:
            skew = round(parsedate_to_datetime(headers["date"]).timestamp() * 1000) - self._wall()
        except (KeyError, ValueError, TypeError, OverflowError):
            return
        self.skew = 0 if abs(skew) < NOISE else skew

    def seconds_there(self) -> float:
        """Since 1970, by X's clock."""
        return (self._wall() + self.skew) / 1000

    def connected(self) -> None:
        self._refused = 0

    def fault(self, answer: Answer) -> Exception:
        """What an answer means that brings nothing. Its words never repeat the token, should X do so."""
        status, headers, body, _ = answer
        token = (self._secret(self.token_env) or "").strip()
        body = body.replace(token.encode("utf-8", "replace"), b"(the token)") if token else body
        held = decoded(body)
        problem = problem_of(held, status, body)
        wait = retry_after(headers, self.seconds_there())
        if status == 401:
            return Denied(f"X refused the token in {self.token_env} ({problem.words}): copy the Bearer Token anew")
        if status == 402:
            return Denied(f"X wants to be paid ({problem.words}): buy credits, or raise the limit, at console.x.com")
        if status == 403:
            return Denied(f"X does not allow this ({problem.words}): see at console.x.com what the app's plan has")
        if problem.kind == "usage-capped":
            return Interrupted(f"the cap of posts that may be read is used up at X ({problem.words})", wait or CAP_WAIT)
        if problem.kind == "streaming-connection":
            return Interrupted(
                f"X refused the connection ({problem.words}): is another program connected?", self.longer()
            )
        if status == 429:
            return Interrupted("too many requests for X", wait if wait is not None else self.longer())
        if status in PASSES or status >= 500:
            named = {name: value for name, value in headers.items() if name == "retry-after"}
            return Interrupted(f"X answered {status}", retry_after(named))
        return Rejected(status, problem, held)

    def longer(self) -> Millis:
        """Twice as long each time, up to a bound, until a connection holds."""
        wait = self.settings.refused_wait * min(1 << self._refused, MOST_REFUSED)
        self._refused = min(self._refused + 1, MOST_REFUSED)
        return wait


class _Web(Web):
    """Where each answer tells the time at X, and one that brings nothing means what X means by it."""

    def __init__(self, access: Access) -> None:
        super().__init__(access.settings.url, access.headers, timeout=access.settings.timeout / 1000)
        self._access = access

    def fault(self, answer: Answer) -> Exception:
        self._access.heard(answer.headers)
        return self._access.fault(answer)


class _Over:
    """tweepy's requests, asked by us."""

    web: Web
    access: Access
    spent: Answer
    """The last answer."""

    def request(self, method: str, route: str, params: Any = None, json: Any = None, user_auth: bool = False) -> Answer:
        """Raises Interrupted, Denied, Rejected."""
        answer = self.web.ask(method, route, params=params, json=json, good=())
        self.access.heard(answer.headers)
        self.spent = answer
        return answer


class Posts(_Over, tweepy.Client):
    """Search, counts, look-up and compliance jobs. For one thread; `web` is closed by whoever made it."""

    def __init__(self, access: Access, web: Web) -> None:
        tweepy.Client.__init__(self, return_type=dict)
        self.access, self.web = access, web

    def until_reset(self) -> Millis | None:
        """How long to wait before the next question of this kind; None: it may be asked at once."""
        headers = self.spent.headers
        if headers.get("x-rate-limit-remaining", "").strip() != "0":
            return None
        return retry_after(headers, self.access.seconds_there())


class Rules(_Over, tweepy.StreamingClient):
    """The rules of the stream."""

    def __init__(self, access: Access, web: Web) -> None:
        tweepy.StreamingClient.__init__(self, bearer_token="", return_type=dict)
        self.access, self.web = access, web


class Lines:
    """The stream."""

    def __init__(
        self, access: Access, now: Callable[[], Millis], path: str = STREAM, asked: Mapping[str, str] | None = None
    ) -> None:
        """Connects. `asked`: None: what the filtered stream is asked. Raises Interrupted, Denied, Rejected (409: there
        are no rules)."""
        self._web = access.web()
        try:
            answer = self._web.listen(
                path,
                dict(_of_stream(access.settings.backfill_minutes) if asked is None else asked),
                silence=access.settings.silence / 1000,
            )
        except BaseException:
            self._web.close()
            raise
        access.heard(answer.headers)
        access.connected()
        self._ahead = ReadAhead(answer, _Framing().feed, bytes, now, most=MOST_HELD, whose="X")

    @property
    def heard_at(self) -> Millis:
        """When anything came last."""
        return self._ahead.heard_at

    def take(self, most: int, seconds: float) -> list[bytes]:
        """Whole lines, as `ReadAhead.take`."""
        return self._ahead.take(most, seconds)

    def close(self) -> None:
        self._ahead.close()
        self._web.close()


class _Framing:
    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, part: bytes) -> list[bytes]:
        """Raises Interrupted. X's signs of life say nothing, and would wait without bound."""
        self._rest += part
        *lines, last = self._rest.split(b"\n")
        self._rest = bytearray(last)
        if len(self._rest) > MOST_LINE:
            raise Interrupted(f"a line of the stream has more than {MOST_LINE:,} bytes")
        return [line for one in lines if (line := bytes(one).strip())]


def _of_stream(backfill_minutes: int) -> dict[str, str]:
    """What is asked of the stream, in X's own names for it."""
    asked = {name.replace("_", ".", 1): value for name, value in FIELDS.items()}
    return {**asked, "backfill_minutes": str(backfill_minutes)} if backfill_minutes else asked


@contextmanager
def unrejected() -> Iterator[None]:
    """For questions that we hold for right: that X holds them for wrong may pass, and is told in its words."""
    try:
        yield
    except Rejected as fault:
        raise Interrupted(str(fault)) from None


def whole(answer: Any) -> Mapping[str, Any]:
    """An answer that has one of the parts that answers have. Raises Interrupted."""
    if not isinstance(answer, dict) or not answer.keys() & {"data", "meta", "errors"}:
        raise Interrupted("X answered something that is none of its answers")
    return answer


def decoded(body: bytes) -> Mapping[str, Any]:
    """The object in a body; empty where there is none."""
    try:
        held = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def problem_of(held: Mapping[str, Any], status: int = 0, body: bytes = b"") -> Problem:
    """What X says is wrong, from an answer or from a message of the stream."""
    errors = held.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    told = held if "title" in held or "detail" in held else first
    kind = str(told.get("type", "")).rstrip("/").rpartition("/")[2]
    detail = told.get("detail") or told.get("title") or told.get("message")
    said = words(str(detail).encode("utf-8", "replace")) if detail else words(body) or str(status)
    return Problem(kind, said)
