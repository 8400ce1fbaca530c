"""Questions to LinkedIn's versioned API, its errors, its pages and what it counts of a post.

https://learn.microsoft.com/en-us/linkedin/marketing/versioning, …/shared/api-guide/concepts/error-handling,
…/shared/api-guide/concepts/rate-limits, …/shared/api-guide/concepts/pagination. Parts of a question that are lists or
addresses of things are written as Rest.li 2.0 wants them: each value encoded, the brackets and commas around not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

from config.sources import LinkedinSource
from ingest.collector import Delivery, Denied, Interrupted
from ingest.credentials import Grant
from ingest.loose import count_of, list_of, table, text_of
from ingest.oauth import refreshing
from ingest.patience import Stopped
from ingest.setting import Setting
from ingest.web import PASSES, Answer, Refused, Unauthorized, Web, told_time
from stream.clock import DAY
from stream.records import Millis

AT_ONCE = 50
"""Things in one question."""
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,59}\Z")
_OF_A_DAY = re.compile(r"\bDAY\b")
_ACCESS = "docs/networks/linkedin.md says which it has to have"


class Gone(Exception):
    """There is no such thing (any more)."""


class Hidden(Exception):
    """This token may not see it."""


class Counts(NamedTuple):
    """Of a post."""

    comments: int
    """Answers to comments among them."""
    top: int | None
    """Without them; None: not said."""
    reactions: int | None


def grant_of(settings: LinkedinSource, setting: Setting) -> Grant | None:
    """None: a person gives an access token."""
    app, secret, refresh = settings.client_id_env, settings.client_secret_env, settings.refresh_token_env
    if app is None or secret is None or refresh is None:
        return None
    url = f"{settings.login_url.rstrip('/')}/oauth/v2/accessToken"
    where = "the member has to consent again, docs/networks/linkedin.md says how"
    terms = refreshing(url, client_id=app, client_secret=secret, refresh_token=refresh, where=where)
    return Grant(setting, terms, settings.timeout)


class Api:
    """One thread's way to the API."""

    def __init__(self, settings: LinkedinSource, setting: Setting, grant: Grant | None) -> None:
        self._settings, self._setting, self._grant = settings, setting, grant
        self._web = Web(f"{settings.url.rstrip('/')}/rest/", self._headers, timeout=settings.timeout / 1000)
        self.time: Millis = setting.clock.wall()
        """What time it is there."""

    def get(self, path: str, query: str = "") -> dict[str, Any]:
        """`query` as it is sent. Raises Gone, Hidden, Denied, Interrupted, Refused, and Stopped: a page of mentions, or
        the counts of posts one by one, are many questions, none of which a stop waits for."""
        if self._setting.stop.is_set():
            raise Stopped
        if self._grant is None:
            return self._got(path, query)
        return self._grant.through(lambda: self._got(path, query))

    def _got(self, path: str, query: str) -> dict[str, Any]:
        answer = self._web.ask(
            "GET", f"{path}?{query}" if query else path, good=(400, 401, 403, 404, 410, 422, 426, 429)
        )
        self._noted(answer)
        if answer.status >= 400:
            raise self._fault(answer, path)
        held = answer.json()
        if not isinstance(held, dict):
            raise Interrupted("LinkedIn answered something else than an object")
        return held

    def pages(self, path: str, query: str, count: int, most: int) -> Iterator[tuple[list[Any], bool]]:
        """(what a page lists, whether there are more). Raises what `get` raises."""
        start = 0
        for _ in range(most):
            held = self.get(path, f"{query}&start={start}&count={count}".lstrip("&"))
            listed = held.get("elements")
            if not isinstance(listed, list):
                raise Interrupted("LinkedIn answered without `elements`")
            following = _following(held.get("paging"), start, count, len(listed))
            yield listed, following is not None
            if following is None:
                return
            start = following

    def counts(self, urns: Sequence[str]) -> dict[str, Counts | None]:
        """Of those posts that are there; None: it does not say. Raises Hidden where it is told of none of them, and
        what `get` raises."""
        if self._settings.tier == "development":
            return self._counts_one_by_one(urns)
        found: dict[str, Counts | None] = {}
        hidden = False
        for begin in range(0, len(urns), AT_ONCE):
            some = urns[begin : begin + AT_ONCE]
            held = self.get("socialMetadata", f"ids={listed(some)}")
            if not isinstance(held.get("results"), dict):
                raise Interrupted("LinkedIn answered without `results`")
            results, statuses = _by_urn(held["results"]), _by_urn(held.get("statuses"))
            found |= {urn: _counts(results.get(urn)) for urn in some if urn in results or _refused(statuses.get(urn))}
            hidden = hidden or 403 in statuses.values()
        if hidden and not any(found.values()):
            raise Hidden
        return found

    def _counts_one_by_one(self, urns: Sequence[str]) -> dict[str, Counts | None]:
        found: dict[str, Counts | None] = {}
        hidden = False
        for urn in urns:
            try:
                found[urn] = _counts(self.get(f"socialMetadata/{encoded(urn)}"))
            except Gone:
                continue
            except Hidden:
                hidden, found[urn] = True, None
        if hidden and not any(found.values()):
            raise Hidden
        return found

    def delivery(self, **brought: Any) -> Delivery:
        return Delivery(asked=self.used(), **brought)

    def used(self) -> int:
        return self._web.used()

    def refused(self, what: str) -> Denied:
        """In words, where something is hidden that has to be seen."""
        return Denied(
            f"LinkedIn does not show {what} to the token of source {self._settings.id} ({self._named()}): it lacks a "
            f"permission, or its member has no role on the page any more; {_ACCESS}"
        )

    def close(self) -> None:
        self._web.close()

    def _headers(self) -> Mapping[str, str]:
        asked = {"LinkedIn-Version": self._settings.version, "X-Restli-Protocol-Version": "2.0.0"}
        if self._grant is not None:
            return {**self._grant.headers(), **asked}
        token = self._setting.secret(self._named())
        if not token or not token.strip():
            raise Denied(
                f"source {self._settings.id} has no access token: put one into {self._named()} "
                "(docs/networks/linkedin.md says how to get one)"
            )
        return {"Authorization": f"Bearer {token.strip()}", **asked}

    def _named(self) -> str:
        """NAME of what the access rests on."""
        settings = self._settings
        return (settings.token_env if self._grant is None else settings.refresh_token_env) or ""

    def _noted(self, answer: Answer) -> None:
        there = told_time(answer.headers)
        self.time = self._setting.clock.wall() if there is None else there

    def _fault(self, answer: Answer, path: str) -> Exception:
        """Without the answer's own words: they may hold secrets."""
        settings, (code, said) = self._settings, _error(answer)
        if answer.status == 429:
            return self._limited(answer, said)
        if answer.status in PASSES:
            return self._web.fault(answer)
        if answer.status == 401:
            return Unauthorized(
                f"LinkedIn does not take the access token of source {settings.id} ({code or 401}): one lasts 60 days "
                f"or until the member takes it back; put a new one into {self._named()} (docs/networks/linkedin.md)"
            )
        if answer.status == 426:
            return Denied(
                f"LinkedIn has switched off version {settings.version} of its API ({code or 426}): set `version` of "
                f"source {settings.id} to a newer month (docs/networks/linkedin.md says where they are listed)"
            )
        if answer.status == 403:
            return Hidden(code)
        if answer.status in (404, 410):
            return Gone()
        return Refused(answer.status, f"LinkedIn ({path.partition('/')[0]})", code)

    def _limited(self, answer: Answer, said: str) -> Interrupted:
        """Quotas are of days that begin at midnight UTC, and LinkedIn says no time to wait; a 429 may also protect its
        machines, and passes soon."""
        fault = self._web.fault(answer)
        wait = fault.retry_after if isinstance(fault, Interrupted) else None
        if wait is None and _OF_A_DAY.search(said):
            return Interrupted(
                f"LinkedIn's quota of this day is used up: source {self._settings.id} goes on at midnight UTC",
                DAY - self.time % DAY,
            )
        return Interrupted("LinkedIn asks for fewer requests (429)", wait)


def encoded(urn: str) -> str:
    return quote(urn, safe="")


def listed(urns: Sequence[str]) -> str:
    return f"List({','.join(map(encoded, urns))})"


def _following(paging: Any, start: int, count: int, length: int) -> int | None:
    """Where the next page begins; None: there is none. A page may hold fewer than were asked for although there are
    more (https://github.com/MicrosoftDocs/feedback/issues/972): then its link says where to go on."""
    linked = _linked(list_of(paging, "links"))
    if linked is not None:
        return linked if linked > start else None
    step = min(count_of(paging, "count") or count, count)
    if (total := count_of(paging, "total")) is not None:
        return start + step if length and start + step < total else None
    return start + step if length >= step else None


def _linked(links: Sequence[Any]) -> int | None:
    for link in links:
        if text_of(link, "rel") == "next" and (href := text_of(link, "href")):
            begins = parse_qs(urlsplit(href).query).get("start", [""])[-1]
            return int(begins) if begins.isascii() and begins.isdecimal() and len(begins) < 10 else None
    return None


def _by_urn(held: Any) -> dict[str, Any]:
    """What an answer has of each of several things, whose names in it may be encoded."""
    return {unquote(urn): one for urn, one in held.items()} if isinstance(held, dict) else {}


def _refused(status: Any) -> bool:
    """Of one of several things: a fault or a refusal, and not that there is none."""
    return isinstance(status, int) and status >= 400 and status not in (404, 410)


def _counts(one: Any) -> Counts | None:
    """https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/social-metadata-api"""
    if not isinstance(one, dict):
        return None
    summary, reactions = table(one, "commentSummary"), one.get("reactionSummaries")
    of_each = [kind.get("count") for kind in reactions.values()] if isinstance(reactions, dict) and all(
        isinstance(kind, dict) for kind in reactions.values()) else None  # fmt: skip
    return Counts(
        count_of(summary, "count") or 0,
        count_of(summary, "topLevelCount"),
        None if of_each is None else sum(number for number in of_each if isinstance(number, int)),
    )


def _error(answer: Answer) -> tuple[str, str]:
    """(LinkedIn's word for what is wrong, its sentence)."""
    try:
        held = answer.json()
    except Interrupted:
        return "", ""
    code = text_of(held, "code")
    return code if _CODE.match(code) else "", text_of(held, "message")
