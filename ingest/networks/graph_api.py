"""Questions to Meta's Graph API, its errors and how near its limits are.

https://developers.facebook.com/docs/graph-api/guides/error-handling, …/overview/rate-limiting,
…/guides/secure-requests (appsecret_proof), …/reference/debug_token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from config.sources.graph import GraphSource
from ingest.collector import NEVER, Delivery, Denied, Interrupted
from ingest.setting import Setting
from ingest.web import Answer, Refused, Web, told_time
from stream.clock import MINUTE, SECOND
from stream.records import Millis

NEAR = 75
"""Percent of a limit from which on rounds are longer; `FULL`: nothing is asked for a while."""
FULL = 95
SLOWEST = 10
"""Times the interval."""
COOL: Millis = 5 * MINUTE
_LIMITS = frozenset({4, 17, 32, 341, 368, 613, *range(80_000, 80_015)})
_PASSING = frozenset({1, 2})
_TOKEN = frozenset({102, 190, 463, 467})
_RIGHT = frozenset({3, 10, *range(200, 300)})
_LEADS_ON = frozenset({"after", "until", "since", "offset", "__paging_token"})


class Gone(Exception):
    """There is no such object, or none that this token may read: the API tells these apart for nobody."""


class Odd(Exception):
    """The API does not take the question: its code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the Graph API does not take the question (code {code})")


class Api:
    """One thread's way to the API."""

    def __init__(self, settings: GraphSource, setting: Setting) -> None:
        self._settings, self._setting = settings, setting
        self._web = Web(
            f"{settings.url.rstrip('/')}/{settings.version}/", self._headers, timeout=settings.timeout / 1000
        )
        self._cool_until: Millis = 0
        self.usage = 0.0
        """Percent of the limit that is nearest, as the last answer said."""
        self.time: Millis = setting.clock.wall()
        """What time it is there."""

    def get(self, path: str, **params: str | int) -> dict[str, Any]:
        """Raises Gone, Odd, Denied, Interrupted."""
        wait = self._cool_until - self._setting.clock.steady()
        if wait > 0:
            raise Interrupted(f"{self.usage:.0f} % of the Graph API's limit are used up", wait)
        proof = self._proof()
        try:
            answer = self._web.ask("GET", path, params={**params, **proof}, good=(400, 401, 403, 404, 429, 500, 503))
        except Refused as refused:
            raise Interrupted(str(refused)) from None
        self._noted(answer)
        try:
            held = answer.json()
        except Interrupted:
            if answer.status >= 400:
                raise self._plain_fault(answer) from None
            raise
        if answer.status >= 400 or (isinstance(held, dict) and "error" in held):
            raise self._fault(answer, held)
        if not isinstance(held, dict):
            raise Interrupted("the Graph API answered something else than an object")
        return held

    def pages(self, path: str, most: int, **params: str | int) -> Iterator[tuple[list[Any], bool]]:
        """(what a page of an edge lists, whether there are more). Followed by cursors, not by the addresses that the
        API gives, which hold the token. Raises what `get` raises."""
        after: dict[str, str] = {}
        for _ in range(most):
            held = self.get(path, **params, **after)
            listed, paging = held.get("data"), held.get("paging")
            if not isinstance(listed, list):
                raise Interrupted("the Graph API answered without `data`")
            following = _following(paging)
            yield listed, bool(following)
            if not following or following == after:
                return
            after = following

    def delivery(self, **brought: Any) -> Delivery:
        return Delivery(asked=self.used(), **brought)

    def used(self) -> int:
        return self._web.used()

    def pace(self) -> int:
        """How many times as long as set the interval is to be."""
        if self.usage < NEAR:
            return 1
        return min(SLOWEST, 2 + round((self.usage - NEAR) / (FULL - NEAR) * (SLOWEST - 2)))

    def token(self) -> str:
        found = self._setting.secret(self._settings.token_env)
        if not found or not found.strip():
            raise Denied(
                f"source {self._settings.id} has no access token: put one into {self._settings.token_env} "
                f"(docs/networks/{self._setting.source.network}.md says how to get one that lasts)"
            )
        return found.strip()

    def close(self) -> None:
        self._web.close()

    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}

    def _proof(self) -> dict[str, str]:
        name = self._settings.secret_env
        secret = self._setting.secret(name) if name else None
        if not secret:
            return {}
        return {"appsecret_proof": hmac.new(secret.encode(), self.token().encode(), hashlib.sha256).hexdigest()}

    def _noted(self, answer: Answer) -> None:
        self.usage = _usage(answer.headers)
        if self.usage >= FULL:
            self._cool_until = self._setting.clock.steady() + (_regained(answer.headers) or COOL)
        there = told_time(answer.headers)
        self.time = self._setting.clock.wall() if there is None else there

    def _plain_fault(self, answer: Answer) -> Exception:
        """Without a word of the answer: it may hold secrets that were not in this question."""
        fault = self._web.fault(answer)
        if isinstance(fault, Interrupted):
            return fault
        said = f"the Graph API answered {answer.status}, and not in its own form"
        return (
            Denied(f"{said}: look at url and {self._settings.token_env}") if answer.status == 401 else Interrupted(said)
        )

    def _fault(self, answer: Answer, held: Any) -> Exception:
        error = held.get("error") if isinstance(held, dict) else None
        named = error if isinstance(error, dict) else {}
        code, sub, said = named.get("code"), named.get("error_subcode"), str(named.get("message"))
        if code in _LIMITS or answer.status == 429:
            fault = self._web.fault(answer)
            wait = fault.retry_after if isinstance(fault, Interrupted) else None
            return Interrupted(f"the Graph API's limit is reached (code {code})", wait or _regained(answer.headers))
        if code in _PASSING or answer.status >= 500 or not isinstance(code, int):
            return self._plain_fault(answer)
        if code in _TOKEN:
            return Denied(
                f"the access token in {self._settings.token_env} does not count any more (code {code}, {sub}): "
                f"make a new one (docs/networks/{self._setting.source.network}.md)"
            )
        if code in _RIGHT:
            return Denied(
                f"the access token in {self._settings.token_env} lacks a permission (code {code}): "
                "see docs/networks for those that are needed"
            )
        no_object = code == 100 and (sub == 33 or said.startswith("Object does not exist"))
        if no_object or code == 803 or answer.status == 404:
            return Gone()
        return Odd(code)


def _following(paging: Any) -> dict[str, str]:
    """What to ask besides for the next page; empty: there is none. Some edges page by time and name no cursor: of the
    address that they give, what leads on is taken, and nothing else."""
    following = paging.get("next") if isinstance(paging, dict) else None
    if not isinstance(following, str):
        return {}
    cursors = paging.get("cursors")
    if isinstance(cursors, dict) and isinstance(cursors.get("after"), str):
        return {"after": cursors["after"]}
    return {name: value for name, value in parse_qsl(urlsplit(following).query) if name in _LEADS_ON}


def token_ends(api: Api) -> Millis:
    """When the token has to be replaced, by the wall clock; NEVER where it has no end. Raises what `Api.get` raises."""
    return _ends(_debugged(api))


def checked(api: Api, settings: GraphSource, wall: Millis, needs: tuple[str, ...]) -> Millis:
    """As `token_ends`. Raises Denied where the token does not count or lacks a permission as well."""
    data = _debugged(api)
    if data.get("is_valid") is False:
        raise Denied(f"the access token in {settings.token_env} does not count any more: make a new one")
    scopes = data.get("scopes")
    lacking = [need for need in needs if isinstance(scopes, list) and need not in scopes]
    if lacking:
        raise Denied(f"the access token in {settings.token_env} lacks {', '.join(lacking)}: grant it to the app")
    ends = _ends(data)
    if ends <= wall:
        raise Denied(f"the access token in {settings.token_env} has ended: make a new one")
    return ends


def _debugged(api: Api) -> dict[str, Any]:
    held = api.get("debug_token", input_token=api.token()).get("data")
    return held if isinstance(held, dict) else {}


def _ends(data: Mapping[str, Any]) -> Millis:
    """Of a token that does not end both are 0. Access to data ends 90 days after a person has last agreed to it."""
    named = [data.get(name) for name in ("expires_at", "data_access_expires_at")]
    return min((at * SECOND for at in named if isinstance(at, int) and 0 < at < 1e11), default=NEVER)


def _usage(headers: Mapping[str, str]) -> float:
    """https://developers.facebook.com/docs/graph-api/overview/rate-limiting: percent, by app and by business."""
    app = _object(headers.get("x-app-usage"))
    business = _object(headers.get("x-business-use-case-usage"))
    parts = [app, *(one for rows in business.values() if isinstance(rows, list) for one in rows)]
    names = ("call_count", "total_time", "total_cputime")
    found = [one.get(name) for one in parts if isinstance(one, dict) for name in names]
    return max((float(one) for one in found if isinstance(one, int | float)), default=0.0)


def _regained(headers: Mapping[str, str]) -> Millis | None:
    rows = [row for rows in _object(headers.get("x-business-use-case-usage")).values() for row in _list(rows)]
    said = [row.get("estimated_time_to_regain_access") for row in rows if isinstance(row, dict)]
    minutes = max((float(one) for one in said if isinstance(one, int | float)), default=0.0)
    return round(min(minutes, 24 * 60) * MINUTE) or None


def _object(header: str | None) -> dict[str, Any]:
    try:
        held = msgspec.json.decode(header) if header else {}
    except msgspec.MsgspecError:
        return {}
    return held if isinstance(held, dict) else {}


def _list(held: object) -> list[Any]:
    return held if isinstance(held, list) else []
