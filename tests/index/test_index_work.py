"""The index stage: what cannot be read, or be taken by the store, is refused; the rest of the batch is not held up."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index.embedded import EmbeddedStore
from index.refusals import NotIndexed, Refusal
from index.work import IndexWork
from stream.ports import DECIDED, Commit, LogRecord, Refused
from stream.records import Decided, UnknownMajor, encode
from tests.index.made import NOW, ids, mention


def record(offset: int, value: bytes) -> LogRecord:
    return LogRecord(DECIDED, 0, offset, f"key{offset}", value, NOW)


def good(offset: int) -> LogRecord:
    return record(offset, encode(Decided(mention=mention(offset, "flight"))))


def test_all_that_cannot_be_read_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "index.db")
    with closing(IndexWork(store, "log")) as work:
        bad = [record(1, b"{"), record(3, b'{"mention": 7}'), record(4, b"\xff\xfe")]
        with pytest.raises(Refused) as refused:
            work.run([good(0), bad[0], good(2), *bad[1:]], [Commit(DECIDED, 0, 0, 5)], NOW)
        assert [each[0] for each in refused.value.records] == bad
        assert work.offsets(frozenset({0}), "log") == {}
        assert ids(store, "") == []


def test_a_schema_from_the_future_pauses_the_stage(tmp_path: Path) -> None:
    with closing(IndexWork(EmbeddedStore(tmp_path / "index.db"), "log")) as work, pytest.raises(UnknownMajor):
        work.run([record(0, b'{"v": 99, "mention": {"id": "x"}}')], [], NOW)


def test_what_the_store_cannot_take_is_refused_by_its_record_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddedStore(tmp_path / "index.db")
    take = store.apply

    def picky(decided: list[Decided], *rest: Any) -> None:
        bad = [each.mention for each in decided if each.mention.post_id == "x:1"]
        if bad:
            raise NotIndexed([Refusal(each.id, each.revision, "too strange", "mapper_parsing") for each in bad])
        take(decided, *rest)

    monkeypatch.setattr(store, "apply", picky)
    with closing(IndexWork(store, "log")) as work:
        commits = [Commit(DECIDED, 0, 0, 3)]
        with pytest.raises(Refused) as refused:
            work.run([good(0), good(1), good(2)], commits, NOW)
        assert refused.value.records == [(good(1), "too strange", "mapper_parsing")]
        assert work.offsets(frozenset({0}), "log") == {}
        work.run([good(0), good(2)], commits, NOW)
        assert work.offsets(frozenset({0}), "log") == {0: 3}
