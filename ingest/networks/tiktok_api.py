"""Questions to TikTok's API for Business, and what its answers mean.

https://business-api.tiktok.com/portal/docs?id=1738084387220481 (tokens), 1738084416214017 and 1740029171730433
(limits), 1760232109619202 (lists that go on by `cursor` and `has_more`). An error comes with status 200 and a `code`
that is not 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from config.sources.tiktok import TiktokSource
from ingest.collector import Delivery, Denied, Interrupted
from ingest.credentials import Grant
from ingest.oauth import Refusal, Traded, refreshing, traded
from ingest.setting import Setting
from ingest.web import Answer, Refused, Unauthorized, Web, told_time
from stream.clock import MINUTE
from stream.records import Millis

_NUMBER = re.compile(r"[0-9]{1,20}")
PAUSE: Millis = 5 * MINUTE
"""After more requests in a minute than are allowed, so the page on limits says."""
_LIMITS = frozenset({40_100, 51_021})
_TOKEN = frozenset(range(40_102, 40_110))
_APP = frozenset({40_101, 40_110})
_RIGHT = frozenset({40_001})


class Odd(Exception):
    """The API does not take the question, or shows nothing there: its code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"TikTok does not take the question (code {code})")
        self.code = code


class Page(NamedTuple):
    listed: list[Any]
    more: bool
    """It says that there are more behind these."""
    stuck: bool = False
    """It says so, and not where: nothing leads on."""
    cursor: str = ""
    """Where those are."""

    def ends_early(self, last: bool) -> bool:
        """Whether some are never asked for, where this is the `last` page that is."""
        return self.stuck or (last and self.more)


def granted(settings: TiktokSource, setting: Setting) -> Grant:
    """The account's access token, which counts for a day."""
    terms = refreshing(
        f"{settings.url}/tt_user/oauth2/refresh_token/",
        client_id=settings.client_id_env,
        client_secret=settings.client_secret_env,
        refresh_token=settings.refresh_token_env,
        where="docs/networks/tiktok.md says how to get them",
        send="json",
        read=_traded,
    )
    return Grant(setting, terms, settings.timeout)


class Api:
    """One thread's way to the API, for one account."""

    def __init__(self, settings: TiktokSource, setting: Setting, grant: Grant) -> None:
        self._settings, self._setting, self._grant = settings, setting, grant
        self._web = Web(settings.url + "/", self._headers, timeout=settings.timeout / 1000)
        self.time: Millis = setting.clock.wall()
        """What time it is there."""

    def get(self, path: str, **params: object) -> dict[str, Any]:
        """`data` of the answer. Raises Odd, Denied, Interrupted."""
        asked: dict[str, str | int] = {"business_id": self._settings.account}
        for name, value in params.items():
            asked[name] = value if isinstance(value, str | int) else msgspec.json.encode(value).decode()
        return self._grant.through(lambda: self._got(path, asked))

    def pages(self, path: str, key: str, most: int, begin: str = "", **params: object) -> Iterator[Page]:
        """What a list holds, page by page, from the cursor `begin` on. Raises what `get` raises."""
        leads_on: dict[str, object] = {"cursor": begin} if begin else {}
        for _ in range(most):
            data = self.get(path, **{**params, **leads_on})
            listed, cursor = data.get(key), data.get("cursor")
            if listed is not None and not isinstance(listed, list):
                raise Interrupted(f"TikTok answered without a list of {key}")
            more = data.get("has_more") is True
            stuck = more and (not _is_number(cursor) or str(cursor) == str(leads_on.get("cursor")))
            yield Page(listed or [], more, stuck, str(cursor) if more and not stuck else "")
            if not more or stuck:
                return
            leads_on = {"cursor": str(cursor)}

    def delivery(self, **brought: Any) -> Delivery:
        return Delivery(asked=self.used(), **brought)

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()

    def _headers(self) -> Mapping[str, str]:
        return {"Access-Token": self._grant.token()}

    def _got(self, path: str, asked: Mapping[str, str | int]) -> dict[str, Any]:
        try:
            answer = self._web.ask("GET", path, params=asked, good=(401, 403))
        except Refused as refused:
            raise Interrupted(f"{refused.place} answered {refused.status}") from None
        self._noted(answer)
        if answer.status in (401, 403):
            kind = Unauthorized if answer.status == 401 else Denied
            raise kind(
                f"TikTok answered {answer.status}, and not in its own form: look at `url` of source {self._settings.id}"
            )
        held = answer.json()
        code = _code(held)
        if code is None or answer.status >= 300:
            raise Interrupted("TikTok answered something else than its API does")
        if code != 0:
            raise self._fault(code)
        data = held.get("data")
        return data if isinstance(data, dict) else {}

    def _noted(self, answer: Answer) -> None:
        there = told_time(answer.headers)
        self.time = self._setting.clock.wall() if there is None else there

    def _fault(self, code: int) -> Exception:
        """Without a word of the answer: it may repeat what was sent."""
        settings = self._settings
        if code in _LIMITS:
            return Interrupted(f"TikTok's limit of requests is reached (code {code})", PAUSE)
        if code in _TOKEN:
            return Unauthorized(
                f"the access token of source {settings.id} does not count any more (code {code}): let the account "
                "agree again (docs/networks/tiktok.md)"
            )
        if code in _APP:
            return Denied(
                f"TikTok does not know the app of source {settings.id} (code {code}): look at its number and secret"
            )
        if code in _RIGHT:
            return Denied(
                f"the app of source {settings.id} may not ask this of the account (code {code}): it needs the "
                f"permissions Get Account Media, Get Business Comment{_also(settings)}, granted by the account's "
                "owner; and `account` has to be its open_id (docs/networks/tiktok.md)"
            )
        return Interrupted(f"TikTok has a fault of its own (code {code})") if code >= 50_000 else Odd(code)


def _traded(answer: Answer, wall: Millis) -> Traded:
    """A pair of tokens, in the same wrapping as everything else."""
    held = answer.json()
    code = _code(held)
    if code is None:
        raise Interrupted("TikTok answered something else than its API does")
    if code == 0:
        return traded(held.get("data"), wall)
    if code in _LIMITS or code >= 50_000:
        raise Refusal(f"code {code}", passes=True)
    raise Refusal("invalid_client" if code in _APP else "invalid_grant" if code in _TOKEN else f"code {code}")


def _also(settings: TiktokSource) -> str:
    return " and Mentions (or `mentions: false`)" if settings.mentions or settings.hashtags else ""


def _code(held: object) -> int | None:
    code = held.get("code") if isinstance(held, dict) else None
    if isinstance(code, str) and code.isascii() and code.isdigit():
        return int(code[:9])
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _is_number(cursor: object) -> bool:
    if isinstance(cursor, bool):
        return False
    return isinstance(cursor, int | str) and _NUMBER.fullmatch(str(cursor)) is not None
