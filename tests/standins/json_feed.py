"""A network that nobody has: a list of posts as JSON, paged by number, for tests of what is the same for all networks.

`python -m tests.standins.json_feed WORDS…` is the command line with this kind of source known to it; with `served`
instead of words it is `tests/clamor/command_line.py`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import Field

from config.section import EnvName
from config.sources import Collected
from ingest.collector import Delivery, Denied, Draft, Malformed, Sample, Source, Span, Style, Unfillable
from ingest.setting import Setting
from ingest.wanted import Wanted
from ingest.web import Web
from stream.records import Author
from tests.standins.server import Request, Response, StandIn

PAGE = 50


class JsonFeedSource(Collected):
    """A list of posts."""

    kind: Literal["json_feed"]
    url: str
    token_env: EnvName | None = None
    every: int = 100
    """Milliseconds between two rounds."""
    history: bool = True


class JsonFeed(StandIn):
    """`/posts?after=NUMBER` and `/posts?since=MS&until=MS&after=NUMBER`: at most PAGE, oldest first."""

    def __init__(self, token: str = "") -> None:
        super().__init__()
        self.posts: list[dict[str, object]] = []
        self.token = token

    def publish(self, text: str, at: int | None = None) -> str:
        with self.lock:
            number = len(self.posts) + 1
            self.posts.append({"id": number, "text": text, "at": at or time.time_ns() // 1_000_000})
        return str(number)

    def answer(self, request: Request) -> Response:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return Response.of({"error": "who are you?"}, 401)
        after = int(request.params.get("after", 0))
        since, until = int(request.params.get("since", 0)), int(request.params.get("until", 2**60))
        found = [p for p in self.posts if cast("int", p["id"]) > after and since <= cast("int", p["at"]) < until]
        return Response.of(found[:PAGE])


class JsonFeedCollector:
    style: Style = "poll"
    resumes = True

    def __init__(self, settings: JsonFeedSource, setting: Setting) -> None:
        self.source: Source = setting.source
        self.interval = settings.every
        self._settings, self._setting = settings, setting
        self._live, self._past = self._web(), self._web()

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        after = int(cursor or 0)
        while True:
            found = self._live.get("/posts", {"after": after}).json()
            drafts = [_draft(one) for one in found if one["text"]]
            bad = [Malformed(f"post {one['id']}", "no text", b"{}") for one in found if not one["text"]]
            after = max([after, *(one["id"] for one in found)])
            yield Delivery(drafts=drafts, malformed=bad, cursor=str(after))
            if len(found) < PAGE or self._setting.stop.is_set():
                return

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        if not self._settings.history:
            raise Unfillable("it keeps no history")
        after = int(cursor or 0)
        while True:
            where = {"after": after, "since": span.since, "until": span.until}
            found = self._past.get("/posts", where).json()
            after = max([after, *(one["id"] for one in found)])
            drafts = [_draft(one) for one in found if self._names(query, one["text"])]
            yield Delivery(drafts=drafts, cursor=str(after), query=query, cost=len(found))
            if len(found) < PAGE:
                return

    def sample(self, wanted: Wanted) -> Sample:
        with self._web() as web:
            found = web.get("/posts", {}).json()
        return Sample((sum(any(name in one["text"] for name in wanted.phrases) for one in found), 0), cost=len(found))

    def check(self) -> str:
        with self._web() as web:
            found = web.get("/posts", {}).json()
        return f"answers, and has {len(found)} posts"

    def close(self) -> None:
        self._live.close()
        self._past.close()

    def _names(self, query: str, text: str) -> bool:
        asked = [one for one in self._setting.wanted() if not query or one.brand == query]
        return any(name in text for one in asked for name in one.phrases)

    def _web(self) -> Web:
        name = self._settings.token_env
        token = self._setting.secret(name) if name else ""
        if name and not token:
            raise Denied(f"its token is missing: write {name}=… into secrets.env")
        return Web(self._settings.url, {"Authorization": f"Bearer {token}"} if token else None, timeout=5)


def _draft(one: dict[str, object]) -> Draft:
    return Draft(
        native_id=str(one["id"]),
        text=str(one["text"]),
        author=Author(id="ana", handle="ana"),
        claimed_at=cast("int", one["at"]),
    )


def collector(settings: JsonFeedSource, setting: Setting) -> JsonFeedCollector:
    return JsonFeedCollector(settings, setting)


def install() -> None:
    """Make the kind known, before `config.content` is imported."""
    import config.sources
    from clamor.networks import NETWORKS, Network

    assert "config.content" not in sys.modules
    kinds: TypeAlias = config.sources.FileSource | config.sources.WebhookSource | JsonFeedSource  # type: ignore[valid-type]
    config.sources.Source = Annotated[kinds, Field(discriminator="kind")]  # type: ignore[misc,assignment]
    NETWORKS["json_feed"] = Network("tests.standins.json_feed")


if __name__ == "__main__":
    from tests.standins import json_feed

    json_feed.install()
    if sys.argv[1:] == ["served"]:
        sys.path.insert(0, str(Path(__file__).parents[1] / "clamor"))
        from command_line import main
    else:
        from clamor.cli import main

    main()
