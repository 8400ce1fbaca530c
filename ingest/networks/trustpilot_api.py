"""Questions to Trustpilot: lists of reviews, single ones, and what was deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from config.sources.trustpilot import TrustpilotSource
from ingest.collector import Denied, Interrupted, Span
from ingest.credentials import Grant
from ingest.oauth import client_credentials
from ingest.setting import Setting
from ingest.web import Answer, Refused, Web
from stream.clock import SECOND
from stream.records import Millis

PAGE = 100
MOST_PAGES = 1_000
"""The list of a company ends after 100,000 reviews."""
DELETED_PAGE = 1_000
MOST_DELETED_PAGES = 500
_WHERE = "Trustpilot Business has API keys and secrets under Integrations, Developers, APIs"


class Listed(msgspec.Struct):
    reviews: list[Any]


class Deleted(msgspec.Struct):
    """A page of ids, of reviews or of consumers."""

    reviews: list[Any] = []
    consumers: list[Any] = []
    nextToken: str | None = None


class Company(msgspec.Struct):
    id: str
    displayName: str = ""
    numberOfReviews: dict[str, Any] = {}


def grant_of(settings: TrustpilotSource, setting: Setting) -> Grant | None:
    """What the private answers are asked for with; one for all threads. None: only the public ones are asked for."""
    if settings.api_secret_env is None:
        return None
    terms = client_credentials(
        f"{settings.url}/v1/oauth/oauth-business-users-for-applications/accesstoken",
        client_id=settings.key_env,
        client_secret=settings.api_secret_env,
        where=_WHERE,
    )
    return Grant(setting, terms, settings.timeout)


class Api:
    """One thread's way to Trustpilot. All raise Denied, Interrupted."""

    def __init__(self, settings: TrustpilotSource, setting: Setting, grant: Grant | None) -> None:
        self._settings, self._setting, self._grant = settings, setting, grant
        self._web = Web(settings.url, self._headers, timeout=settings.timeout / 1000)

    def page(self, unit: str, number: int, span: Span | None = None) -> list[Any]:
        """A hundred reviews, the newest first; empty behind the last one. `span`: only those, where the private list
        is asked, which can be; whole seconds, a little more."""
        params: dict[str, str | int] = {"perPage": PAGE, "page": number, "orderBy": "createdat.desc"}
        if span is not None and self._grant is not None:
            params |= {"startDateTime": _moment(span.since), "endDateTime": _moment(span.until + 2 * SECOND)}
        answer = self._shown(f"business-units/{unit}/reviews", params)
        if answer.status >= 400:
            raise self._unknown(unit)
        return answer.decoded(Listed).reviews

    def review(self, id: str) -> Any | None:
        """None where it is not shown."""
        answer = self._shown(f"reviews/{id}")
        return answer.json() if answer.status < 400 else None

    def company(self, unit: str) -> Company:
        answer = self._ask(f"/v1/business-units/{unit}", good=(404,))
        if answer.status == 404:
            raise self._unknown(unit)
        return answer.decoded(Company)

    def deleted(self, what: str, since: Millis) -> Iterator[Deleted]:
        """Pages of what was deleted since the day of `since`; `what`: `reviews` or `consumers`."""
        day = datetime.fromtimestamp(since / 1000, UTC).date().isoformat()
        params: dict[str, str | int] = {"limit": DELETED_PAGE, "startDate": day}
        for _ in range(MOST_DELETED_PAGES):
            found = self._ask(f"/v1/{what}/deletions", params).decoded(Deleted)
            yield found
            if not found.nextToken:
                return
            params = {**params, "nextToken": found.nextToken}
        raise Interrupted(f"the list of deleted {what} has no end")

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()

    def _shown(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        grant, good = self._grant, (404, 410)
        if grant is None:
            return self._ask(f"/v1/{path}", params, good=good)
        return grant.through(lambda: self._ask(f"/v1/private/{path}", params, grant.headers(), good))

    def _ask(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        good: tuple[int, ...] = (),
    ) -> Answer:
        try:
            return self._web.ask("GET", path, params=params, headers=headers, good=good)
        except Refused as refused:
            raise Interrupted(str(refused)) from None

    def _unknown(self, unit: str) -> Denied:
        return Denied(
            f"Trustpilot knows no company {unit}: see `units` of source {self._settings.id}; the id of a company is "
            "what /v1/business-units/find?name=DOMAIN answers"
        )

    def _headers(self) -> Mapping[str, str]:
        name = self._settings.key_env
        key = (self._setting.secret(name) or "").strip()
        if not key:
            raise Denied(f"source {self._settings.id} has no API key: put one into {name}; {_WHERE}")
        return {"apikey": key}


def _moment(at: Millis) -> str:
    """UTC, as the API's examples have it: without a zone."""
    return datetime.fromtimestamp(max(at, 0) / 1000, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
