"""X keeps what every collector promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from config.sources import XSource
from tests.ingest.case import Case, How
from tests.ingest.contract import Contract
from tests.standins.x import TOKEN, XStandIn


class XCase:
    edits: How = "stream"
    deletes: How = "sweep"
    fills = True
    first = "/2/tweets/search/stream"
    silence = True

    def __init__(self, standin: XStandIn) -> None:
        self.standin = standin
        # Hours of cuts pass in seconds here.
        standin.left = dict.fromkeys(standin.left, 1_000_000)

    def settings(self) -> XSource:
        return XSource.model_validate(
            {
                "kind": "x", "id": "source", "token_env": "X_TOKEN", "url": self.standin.url, "search_lag": "0s",
                "refused_wait": "20ms", "silence": "5s", "rules_every": "50ms",
            }
        )  # fmt: skip

    def secrets(self) -> Mapping[str, str]:
        return {"X_TOKEN": TOKEN}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.publish(text, at=at, author=author)

    def publish_malformed(self) -> None:
        self.standin.publish_malformed()

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        return self.standin.truth()


class TestX(Contract):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with XStandIn(heartbeat=0.1, youngest=-5) as standin:
            yield XCase(standin)
