"""A collector of the board (`tests.standins.board`): a poll that can look its posts up, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from config.sources import Collected, Swept
from ingest.collector import Delivery, Draft, Existence, Found, Source, Span, Unfillable
from ingest.setting import Setting
from ingest.web import Web
from stream.records import Author, Metrics


class BoardCollector:
    style: Literal["stream", "poll"] = "poll"
    resumes = True
    interval = 50

    def __init__(self, source: Source, url: str, most_looked_up: int = 100) -> None:
        self.source, self.most_looked_up = source, most_looked_up
        self._latest, self._looking, self._context = Web(url), Web(url), Web(url)

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        after, _, deletes = (cursor or "0:0").partition(":")
        answer = self._latest.get("/latest", {"after": after, "deletes": deletes}).json()
        posts = answer["posts"]
        drafts = [draft(one) for one in posts]
        drafts += [Draft(native_id=id, kind="deleted") for id in answer["deletes"]]
        reached = f"{posts[-1]['id'] if posts else after}:{int(deletes) + len(answer['deletes'])}"
        yield Delivery(drafts=drafts, cursor=reached)

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        raise Unfillable("the board has no history")

    def look_up(self, native_ids: Sequence[str]) -> Found:
        answer = self._looking.get("/posts", {"ids": ",".join(native_ids)}).json()
        existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
        existence |= dict.fromkeys(answer["gone"], "gone")
        existence |= {one["id"]: "there" for one in answer["posts"]}
        drafts = [draft(one, kind="edited") for one in answer["posts"]]
        return Found(existence=existence, drafts=drafts, cost=len(native_ids))

    def context(self, native_id: str) -> Iterator[Delivery]:
        for post in self._context.get("/thread", {"id": native_id}).json()["above"]:
            yield Delivery(drafts=[draft(post)], cost=1)

    def close(self) -> None:
        self._latest.close()
        self._looking.close()
        self._context.close()


def draft(post: dict[str, Any], **changes: Any) -> Draft:
    fields: dict[str, Any] = {
        "native_id": post["id"], "text": post["text"], "claimed_at": post["at"],
        "author": Author(id=post["author"], handle=post["author"]), "metrics": Metrics(likes=post["likes"]),
        "reply_to": post.get("answers"),
    }  # fmt: skip
    return Draft(**{**fields, **changes})


class BoardSource(Swept):
    """As a network's class in `config/sources/` would be."""

    kind: Literal["board"] = "board"
    url: str


def collector(settings: Collected, setting: Setting) -> BoardCollector:
    assert isinstance(settings, BoardSource)
    return BoardCollector(setting.source, settings.url)
