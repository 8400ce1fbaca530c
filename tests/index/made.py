"""Mentions and stores for the tests of the index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from index.embedded import EmbeddedStore
from index.port import IndexStore
from query.parse import parse
from query.tree import Node
from stream.clock import ManualClock
from stream.ports import EVERYTHING, AccessScope
from stream.records import Author, Decided, Decision, Mention, Post, Queue, Scores, Understanding, mention_id

NOW = 1_790_000_000_000


def mention(number: int, text: str = "", *, at: int | None = None, revision: int = 1, **other: Any) -> Mention:
    """Mention `number` of brand acme, a second after the one before."""
    brand, queue = other.pop("brand", "acme"), other.pop("queue", "support")
    time = NOW + 1_000 * number if at is None else at
    post = Post(
        id=f"x:{number}",
        network="x",
        text=text,
        seen_at=time,
        event_time=time,
        author=Author(id="7", handle="ana_viaja"),
    )
    return msgspec.structs.replace(
        Mention(
            id=mention_id(post.id, brand),
            revision=revision,
            post=post,
            post_id=post.id,
            brand=brand,
            network="x",
            event_time=time,
            lang="es",
            understanding=understanding(brand),
            decision=decision(queue, other.pop("risk", number % 101)),
            appended_at=time,
        ),
        **other,
    )


def understanding(brand: str) -> Understanding:
    return Understanding(
        brand=brand,
        sentiment=Scores("negative", (0.8, 0.1, 0.1)),
        intent=Scores("complaint", (1.0,)),
        detractor=Scores("2", (1.0,)),
    )


def decision(queue: Queue, risk: int) -> Decision:
    return Decision(queue=queue, rule="default", rules_revision=1, why="made up", risk=risk)


def gone(number: int, revision: int = 2) -> Mention:
    """The tombstone of mention `number`."""
    return msgspec.structs.replace(
        mention(number, revision=revision), state="deleted", post=None, understanding=None, decision=None
    )


def put(store: IndexStore, *mentions: Mention, epoch: int = 0) -> None:
    store.apply([Decided(epoch=epoch, mention=each) for each in mentions], (), "log", NOW)


@contextmanager
def opened(path: Path, **settings: Any) -> Iterator[EmbeddedStore]:
    with closing(EmbeddedStore(path, ManualClock(NOW), **settings)) as store:
        yield store


def asked(text: str) -> Node:
    return parse(text, now=NOW)


def ids(store: IndexStore, text: str, scope: AccessScope = EVERYTHING, **how: Any) -> list[str]:
    return [hit.mention.post_id for hit in store.search(asked(text), scope, **how).hits]
