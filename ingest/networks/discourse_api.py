"""Questions to a Discourse community, and which of its categories not everybody may read."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from config.sources import DiscourseSource
from ingest.collector import Denied, Interrupted
from ingest.loose import list_of
from ingest.networks.discourse_posts import Access, community
from ingest.setting import Setting
from ingest.web import Answer, Web
from stream.clock import MINUTE, SECOND, passed
from stream.records import Millis

KNOWN_FOR: Millis = MINUTE
"""How long a list of categories is believed."""


class Refusing(Exception):
    """The community does not show one thing: its status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Api:
    """One thread's way to a community."""

    def __init__(self, settings: DiscourseSource, setting: Setting) -> None:
        self._settings, self._setting = settings, setting
        self._web = Web(settings.url.rstrip("/") + "/", self._headers, timeout=settings.timeout / 1000)

    def get(self, path: str, **params: int) -> Any:
        """Raises Refusing where the thing is not shown (403, 404, 410), Denied, Interrupted, Refused."""
        answer = self._web.ask("GET", path, params=params or None, good=(401, 403, 404, 410, 429))
        if answer.status == 429:
            raise Interrupted("the community asks for fewer requests", _wait(answer, self._web))
        if answer.status == 401:
            raise denied(self._settings, Refusing(401))
        if answer.status >= 400:
            raise Refusing(answer.status)
        return answer.json()

    def used(self) -> int:
        return self._web.used()

    def close(self) -> None:
        self._web.close()

    def _headers(self) -> Mapping[str, str]:
        settings = self._settings
        if settings.key_env is None:
            return {}
        key = self._setting.secret(settings.key_env)
        if not key:
            raise Denied(
                f"source {settings.id} has no API key: put one into {settings.key_env} "
                "(in the community: Admin, Advanced, API keys, a read-only one)"
            )
        return {"Api-Key": key.strip(), "Api-Username": settings.user}


class Categories:
    """Which categories there are, asked anew now and then; several threads may ask."""

    def __init__(self, settings: DiscourseSource, setting: Setting) -> None:
        self._settings, self._setting, self._lock = settings, setting, threading.Lock()
        self._api = Api(settings, setting)
        self._restricted: dict[int, bool] = {}
        self._at: Millis = 0

    def access(self, category: int | None = None) -> Access:
        """For a `category` that is not known yet they are asked for anew. Raises what `Api.get` raises, Denied."""
        with self._lock:
            wall = self._setting.clock.wall()
            unknown = category is not None and category not in self._restricted and passed(self._at, wall, SECOND)
            if not self._at or unknown or passed(self._at, wall, KNOWN_FOR):
                self._restricted, self._at = self._asked(), wall
            return Access(self._settings, self._restricted)

    def ask(self) -> None:
        """Anew, however young what is known. Raises what `access` raises."""
        with self._lock:
            self._restricted, self._at = self._asked(), self._setting.clock.wall()

    def used(self) -> int:
        with self._lock:
            return self._api.used()

    def close(self) -> None:
        with self._lock:
            self._api.close()

    def _asked(self) -> dict[int, bool]:
        try:
            site = self._api.get("site.json")
        except Refusing as refused:
            raise denied(self._settings, refused) from None
        found: dict[int, bool] = {}
        for one in list_of(site, "categories"):
            if isinstance(one, dict) and isinstance(one.get("id"), int):
                found[one["id"]] = one.get("read_restricted") is not False
        return found


def _wait(answer: Answer, web: Web) -> Millis | None:
    """By Retry-After, else by `extras.wait_seconds` of the error."""
    fault = web.fault(answer)
    if isinstance(fault, Interrupted) and fault.retry_after is not None:
        return fault.retry_after
    try:
        seconds = float(msgspec.json.decode(answer.body)["extras"]["wait_seconds"])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return None
    return round(min(max(seconds, 0), 86_400) * SECOND) if seconds == seconds else None


def denied(settings: DiscourseSource, refused: Refusing) -> Denied:
    how = (
        "its API key, and whether its user may read there" if settings.key_env else "whether it wants a login: key_env"
    )
    return Denied(f"{community(settings.url)} answered {refused.status}: look at {how} (source {settings.id})")
