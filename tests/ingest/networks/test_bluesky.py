"""Bluesky keeps the contract in both versions of its stream, and what is special to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from config.sources import BlueskySource
from tests.ingest.contract import Contract, How
from tests.standins.bluesky import V1, V2, BlueskyStandIn, iso


class BlueskyCase:
    edits: How = "stream"
    deletes: How = "stream"
    fills = True
    firehose = True

    def __init__(self, standin: BlueskyStandIn, version: int) -> None:
        self.standin, self.version = standin, version
        self.first = V2 if version == 2 else V1

    def settings(self) -> BlueskySource:
        address = self.standin.stream + (V1 if self.version == 1 else "")
        return BlueskySource(id="source", kind="bluesky", hosts=(address,), api=self.standin.url)

    def secrets(self) -> Mapping[str, str]:
        return {}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        created = iso(time.time() if at is None else at / 1_000)
        return self.standin.post({"$type": "app.bsky.feed.post", "text": text, "createdAt": created}, author)

    def publish_malformed(self) -> None:
        self.standin.raw({"$type": "app.bsky.feed.post", "text": {"no": "Acme"}, "createdAt": 7})

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        with self.standin.lock:
            return {uri: held["record"]["text"] for uri, held in self.standin.posts.items()}


class TestBluesky(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[Any]:
        with BlueskyStandIn() as bluesky:
            yield BlueskyCase(bluesky, 2)


class TestBlueskyOfVersion1(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[Any]:
        with BlueskyStandIn() as bluesky:
            yield BlueskyCase(bluesky, 1)
