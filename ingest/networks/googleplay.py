"""Google Play: reviews of one's own apps, by the developer's API.

Its list shows the reviews that were written or changed in the last week, those that were last first. Each review can be
asked for by its id, so that older ones are looked up again for what the list does not show any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from config.sources.googleplay import GoogleplaySource
from ingest.collector import Delivery, Denied, Draft, Existence, Found, Interrupted, Sample, Span, Style
from ingest.credentials import Grant
from ingest.networks.googleplay_reviews import page_of, read_review
from ingest.networks.review_lists import Lists, Page, Review, Unlisted, edited
from ingest.service_account import account_of, service_account
from ingest.setting import Setting
from ingest.told import REPLY
from ingest.wanted import Wanted
from ingest.web import Answer, Refused, Web, retry_after
from stream.clock import DAY, MINUTE
from stream.records import Millis

SCOPE = "https://www.googleapis.com/auth/androidpublisher"
WHERE = "docs/networks/googleplay.md says how to get one"
PAGE = 100
MOST_PAGES = 1_000
WEEK: Millis = 7 * DAY
QUOTA: frozenset[str] = frozenset(
    {"quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "RESOURCE_EXHAUSTED",
     "RATE_LIMIT_EXCEEDED"}
)  # fmt: skip
"""What a refusal names that passes (https://developers.google.com/webmaster-tools/v1/errors lists the first four)."""
QUOTA_WAIT: Millis = 10 * MINUTE
"""Where Google names no time: the quota is one of an hour."""


def collector(settings: GoogleplaySource, setting: Setting) -> Googleplay:
    return Googleplay(settings, setting)


class Googleplay:
    """Keeps `Collector`, `Sweepable`, `Contextual`, `Estimable`, `Checkable`."""

    style: Style = "poll"
    resumes: Literal[True] = True
    most_looked_up = 10

    def __init__(self, settings: GoogleplaySource, setting: Setting) -> None:
        self.source, self.interval = setting.source, settings.interval
        self._settings, self._setting = settings, setting
        terms = service_account(settings.key_env, scope=SCOPE, where=WHERE, url=settings.token_url)
        self.grant = Grant(setting, terms, settings.timeout)
        self._apps = self._new_apps()
        self._lists = Lists(self._apps, setting, settings.look_back)

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        return self._lists.collect(cursor)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        with closing(self._new_apps()) as apps:
            yield from self._lists.fill(apps, span, cursor)

    def look_up(self, native_ids: Sequence[str]) -> Found:
        """A review that Google does not know is absent: that it was deleted its pages do not say. An answer that is not
        with its review any more is gone. One that cannot be read is there, and so is one of an app that is not read any
        more: nobody asks for it, and it is not deleted for that."""
        existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
        drafts: list[Draft] = []
        with closing(self._new_apps()) as apps:
            for review in dict.fromkeys(id.removesuffix(REPLY) for id in native_ids):
                asked = [id for id in native_ids if id.removesuffix(REPLY) == review]
                try:
                    found = apps.one(review)
                except Unread:
                    existence |= dict.fromkeys(asked, "there")
                    continue
                if found is None:
                    continue
                held = {one.draft.native_id: one for one in found}
                existence |= {id: "there" if id in held else "gone" for id in asked}
                drafts += [edited(one) for id, one in held.items() if id in native_ids]
            return Found(existence=existence, drafts=drafts, asked=apps.used())

    def context(self, native_id: str) -> Iterator[Delivery]:
        """The review that an answer is to, and the answer to a review."""
        with closing(self._new_apps()) as apps:
            try:
                found = apps.one(native_id.removesuffix(REPLY)) or []
            except Unread:
                found = []
            yield Delivery(drafts=[one.draft for one in found], asked=apps.used())

    def sample(self, wanted: Wanted) -> Sample:
        with closing(self._new_apps()) as apps:
            return self._lists.sample(apps, wanted)

    def check(self) -> str:
        with closing(self._new_apps()) as apps:
            name = apps.names[0]
            try:
                page = next(apps.pages(name, most=1))
            except Unlisted as unlisted:
                raise Denied(f"{unlisted}: see the names in apps of {self._settings.id}") from None
        account = account_of(self._setting.secret(self._settings.key_env) or "", self._settings.key_env, WHERE)
        found = "has reviews of the last week" if page.reviews else "has no review of the last week"
        return f"{account} reads the reviews of {name}; it {found}"

    def close(self) -> None:
        self._apps.close()

    def _new_apps(self) -> Apps:
        return Apps(self._settings, self.grant)


class Unread(Exception):
    """A review is there, as far as is known, but cannot be read, or is not to be."""


class Apps:
    """Keeps `review_lists.Place`: one thread's way to the reviews of all apps, each by its package name."""

    window: Millis | None = WEEK
    always = False

    def __init__(self, settings: GoogleplaySource, grant: Grant) -> None:
        self._settings, self._grant = settings, grant
        self._web = Web(settings.url, grant.headers, timeout=settings.timeout / 1000)
        self.names: Sequence[str] = list(settings.apps)

    def brands(self, name: str) -> tuple[str, ...]:
        return self._settings.apps.get(name, ())

    def pages(self, name: str, most: int = PAGE) -> Iterator[Page]:
        token = ""
        for _ in range(MOST_PAGES):
            asked: dict[str, str | int] = {"maxResults": most, **({"token": token} if token else {})}
            held = self._get(f"{_path(name)}/reviews", asked)
            if held is None:
                raise Unlisted(f"Google Play knows no app {name} that this account may read")
            further = held.get("tokenPagination")
            following = str(further.get("nextPageToken") or "") if isinstance(further, dict) else ""
            # Where there is no review, there is no list of them either.
            listed = held.get("reviews", [])
            if not isinstance(listed, list):
                raise Interrupted("what Google Play answered is no list of reviews")
            last = not following or following == token
            yield page_of(listed, name, self.brands(name), last=last)
            if last:
                return
            token = following

    def one(self, native_id: str) -> list[Review] | None:
        """The review, and the answer to it; None where there is none. Raises Interrupted, Denied, Unread."""
        package, _, id = native_id.partition("/")
        if not id:
            return None
        if package not in self._settings.apps:
            raise Unread
        held = self._get(f"{_path(package)}/reviews/{quote(id, safe='')}", {})
        if held is None:
            return None
        try:
            found = read_review(held, package, self.brands(package))
        except (msgspec.ValidationError, ValueError):
            if held.get("reviewId") == id:
                raise Unread from None
            raise Interrupted("what Google Play answered is no review") from None
        return [one for one in found if one is not None]

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()

    def _get(self, path: str, params: dict[str, str | int]) -> dict[str, Any] | None:
        """None: Google says that there is none. Raises Interrupted, Denied."""
        try:
            answer = self._grant.through(lambda: self._web.ask("GET", path, params=params, good=(403, 404)))
        except Refused as refused:
            raise Interrupted(str(refused)) from None
        if answer.status == 404 and _named(answer.body):
            return None
        if answer.status >= 400:
            raise self._fault(answer)
        held = answer.json()
        if not isinstance(held, dict):
            raise Interrupted("what Google Play answered is not what was asked for")
        return held

    def _fault(self, answer: Answer) -> Exception:
        named = _named(answer.body)
        if answer.status == 404:
            return Interrupted("what answered 404 is not Google Play: look at url, or at the proxy")
        if named & QUOTA:
            return Interrupted("Google Play asks for fewer requests (quota)", retry_after(answer.headers) or QUOTA_WAIT)
        fault = self._web.fault(answer)
        return Denied(f"{fault}: may the account see the app, with the permission to reply to reviews? {WHERE}")


def _path(package: str) -> str:
    return f"/androidpublisher/v3/applications/{package}"


def _named(body: bytes) -> frozenset[str]:
    """What an error of Google's names: its status, and the reasons. Empty: it is none of Google's."""
    try:
        error = msgspec.json.decode(body)["error"]
        listed = [one.get("reason") for one in [*error.get("errors", []), *error.get("details", [])]]
        return frozenset(str(one) for one in (*listed, error.get("status")) if one)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return frozenset()
