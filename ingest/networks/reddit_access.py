"""Asking Reddit: a token, a name that Reddit wants to see, and never more than it allows.

Tokens and connections are prawcore's, praw's lower half. Its session and praw's generators are not used: they sleep
where nobody can wake them, repeat on their own, and a stream of theirs reads one page of a hundred a round.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from threading import Event, Lock
from typing import Any, NamedTuple

import msgspec
import requests
from prawcore import ReadOnlyAuthorizer, Requestor, ScriptAuthorizer, TrustedAuthenticator
from prawcore.exceptions import InvalidInvocation, OAuthException, RequestException, ResponseException

from config.sources.reddit import RedditSource
from ingest.collector import Denied, Interrupted
from ingest.web import LONGEST_WAIT, MAX_BYTES, PASSES, retry_after, user_agent
from stream.clock import SECOND, Clock
from stream.records import Millis

KEPT_BACK = 3
"""Requests of a window that are left over: several threads, and what else runs under the same app, may ask at once."""
CHUNK = 65_536
APPS = "reddit.com/prefs/apps"
_CLOSED = frozenset({"private", "banned", "quarantined", "gated", "gold_only", "employees_only", "restricted"})
_NO_TOKEN = frozenset({"invalid_grant", "unsupported_grant_type", "unauthorized_client", "invalid_client"})


class Closed(Denied):
    """Reddit refuses this page (private, banned, quarantined, not there), not the app."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes


class Limit:
    """What Reddit said last of the requests that are left: shared by every thread that asks as the same app."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, Lock()
        self._left: float | None = None
        self._ends: Millis = 0

    def take(self) -> Millis:
        """Claim a request. 0: go ahead; else how long to wait before asking again."""
        with self._lock:
            now = self._clock.steady()
            if self._left is None or now >= self._ends:
                self._left = None
                return 0
            if self._left <= KEPT_BACK:
                return self._ends - now
            self._left -= 1
            return 0

    def told(self, headers: Mapping[str, str]) -> None:
        """https://support.reddithelp.com/hc/en-us/articles/16160319875092: `X-Ratelimit-Remaining` may be a fraction,
        `X-Ratelimit-Reset` is in seconds from now."""
        left, reset = _number(headers.get("x-ratelimit-remaining")), _number(headers.get("x-ratelimit-reset"))
        if left is None or reset is None:
            return
        with self._lock:
            self._left = left
            self._ends = self._clock.steady() + round(min(max(reset, 1.0) * SECOND, LONGEST_WAIT))

    @property
    def left(self) -> int | None:
        return None if self._left is None else int(self._left)


class Access:
    """One thread's way to Reddit."""

    def __init__(self, settings: RedditSource, secret: Callable[[str], str | None], limit: Limit, stop: Event) -> None:
        self._settings, self._secret, self._limit, self._stop = settings, secret, limit, stop
        self._requestor = self._new_requestor()
        self._authorizer: ReadOnlyAuthorizer | ScriptAuthorizer | None = None
        self._signed_in_with: tuple[str, ...] = ()
        self.asked = 0
        """Requests made so far, those for tokens not counted."""

    def get(self, path: str, params: Mapping[str, str | int]) -> Any:
        """The JSON at `path`. Waits while Reddit's limit says so. Raises Interrupted, Denied, Closed."""
        answer = self._ask(path, params)
        if answer.status == 401:
            # A token may end before its time.
            self._authorizer = None
            answer = self._ask(path, params)
        if answer.status == 200:
            return _json(answer.body)
        raise _fault(answer, path)

    def close(self) -> None:
        self._requestor.close()

    def _ask(self, path: str, params: Mapping[str, str | int]) -> Answer:
        token = self._token()
        while wait := self._limit.take():
            if self._stop.wait(wait / 1000):
                raise Interrupted("told to stop")
        self.asked += 1
        answer = self._exchange(f"{self._settings.url}{path}", {**params, "raw_json": 1}, token)
        self._limit.told(answer.headers)
        return answer

    def _exchange(self, address: str, params: Mapping[str, str | int], token: str) -> Answer:
        def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # As `auth`, since a header would be written over by what a .netrc holds.
            request.headers["Authorization"] = f"bearer {token}"
            return request

        try:
            response = self._requestor.request(
                "GET", address, params=params, auth=signed, allow_redirects=False, stream=True
            )
            with response:
                body = _bounded_body(response)
        except RequestException as fault:
            raise Interrupted(f"no answer from Reddit: {type(fault.original_exception).__name__}") from None
        except requests.RequestException as fault:
            raise Interrupted(f"Reddit broke off: {type(fault).__name__}") from None
        return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)

    def _token(self) -> str:
        secrets = self._secrets()
        if self._authorizer is None or secrets != self._signed_in_with or not self._authorizer.is_valid():
            self._authorizer, self._signed_in_with = self._sign_in(*secrets), secrets
        return str(self._authorizer.access_token)

    def _secrets(self) -> tuple[str, ...]:
        settings = self._settings
        names = [settings.client_id_env, settings.client_secret_env]
        names += [settings.password_env] if settings.password_env else []
        found = [self._secret(name) for name in names]
        missing = [name for name, value in zip(names, found, strict=True) if not value]
        if missing:
            raise Denied(f"{' and '.join(missing)} not set: what belongs there is shown at {APPS}")
        return tuple(value or "" for value in found)

    def _sign_in(self, client_id: str, client_secret: str, password: str = "") -> ReadOnlyAuthorizer | ScriptAuthorizer:
        # On a connection of its own: prawcore has it closed after the answer, and the next question would meet its end.
        requestor = self._new_requestor()
        app = TrustedAuthenticator(requestor=requestor, client_id=client_id, client_secret=client_secret)
        authorizer: ReadOnlyAuthorizer | ScriptAuthorizer = (
            ScriptAuthorizer(authenticator=app, username=self._settings.username, password=password)
            if self._settings.password_env
            else ReadOnlyAuthorizer(authenticator=app)
        )
        try:
            authorizer.refresh()
        except OAuthException as refusal:
            said = refusal.error if refusal.error in _NO_TOKEN else "for a reason that is not documented"
            raise Denied(f"Reddit gives no token ({said}): {self._which()}") from None
        except ResponseException as fault:
            raise self._no_token(fault.response) from None
        except RequestException as fault:
            raise Interrupted(f"no token from Reddit: {type(fault.original_exception).__name__}") from None
        except (InvalidInvocation, ValueError, KeyError, TypeError, AttributeError):
            raise Interrupted("what Reddit answered to the question for a token is none") from None
        finally:
            requestor.close()
        return authorizer

    def _new_requestor(self) -> Requestor:
        return Requestor(
            oauth_url=self._settings.url,
            reddit_url=self._settings.login_url,
            timeout=self._settings.timeout / 1000,
            user_agent=signature(self._settings.username),
        )

    def _no_token(self, response: requests.Response) -> Exception:
        status = response.status_code
        if status in PASSES:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Interrupted(f"Reddit gives no token now ({status})", retry_after=retry_after(headers))
        return Denied(f"Reddit gives no token ({status}): {self._which()}")

    def _which(self) -> str:
        settings = self._settings
        held = f"{settings.client_id_env} and {settings.client_secret_env} hold what {APPS} shows of the app"
        if settings.password_env is None:
            return f"see that {held}"
        return (
            f"see that {held}, that it is a script app of u/{settings.username}, "
            f"and that {settings.password_env} holds that account's password"
        )


def signature(username: str) -> str:
    """The User-Agent as Reddit wants it: platform, app, version, and who answers for it."""
    app, _, version = user_agent().lower().partition("/")
    return f"{platform.system().lower() or 'python'}:{app}:v{version} (by /u/{username})"


def _bounded_body(response: requests.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(CHUNK):
        size += len(part)
        if size > MAX_BYTES:
            raise Interrupted(f"an answer of Reddit has more than {MAX_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Interrupted("what Reddit answered is no JSON, or only half of it") from None


def _fault(answer: Answer, path: str) -> Exception:
    if answer.status in PASSES:
        return Interrupted(f"Reddit answered {answer.status}", retry_after=retry_after(answer.headers))
    if answer.status == 401:
        return Denied("Reddit refuses a token that it has just given: the app may have been shut off")
    if answer.status in (302, 403, 404, 451):
        reason = _reason(answer)
        if answer.status == 403 and reason is None:
            return Denied("Reddit answered 403 with a page for people: it blocks this machine's address or this app")
        return Closed(f"Reddit refuses {path}: {reason or answer.status}", answer.status)
    return Interrupted(f"Reddit answered {answer.status} to {path}")


def _reason(answer: Answer) -> str | None:
    """Why a page is closed; None: the body is no data. Nothing else of it is repeated: it may hold what was sent."""
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    reason = said.get("reason") if isinstance(said, dict) else None
    return str(reason) if reason in _CLOSED else str(answer.status)


def _number(said: str | None) -> float | None:
    try:
        number = float(said or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
