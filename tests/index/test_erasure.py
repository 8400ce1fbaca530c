"""What was deleted on its network is gone here: from every answer at once, from the bytes after the next round."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import erasure
from stream.records import Mention
from tests.index.made import NOW, gone, ids, mention, opened, put

SECRET = "zanahorindigo"


def bytes_of(path: Path) -> bytes:
    return b"".join(part.read_bytes() for part in path.parent.iterdir() if part.is_file())


def edited(number: int) -> Mention:
    return mention(number, "nothing to see", revision=2)


@pytest.mark.parametrize("after", [gone(30), edited(30)], ids=["deleted", "edited"])
def test_an_erased_text_leaves_the_files_bytes(tmp_path: Path, after: Mention) -> None:
    path = tmp_path / "index.db"
    with opened(path, erase_every=0) as store:
        for start in range(0, 200, 20):
            put(store, *[mention(n, SECRET if n == 30 else f"word{n} flight") for n in range(start, start + 20)])
        assert ids(store, SECRET) == ["x:30"]
        assert SECRET.encode() in bytes_of(path)

        put(store, after)
        assert ids(store, SECRET) == []
        steps = 0
        while store.erase_step(NOW):
            steps += 1
            put(store, mention(1_000 + steps, "posts come in meanwhile"))
            assert steps < 100

        assert SECRET.encode() not in bytes_of(path)
        assert SECRET[:9].encode() not in bytes_of(path)
        assert len(ids(store, "flight", limit=500)) == 199
        assert not store.erase_step(NOW)
        assert store.erasing().waiting == 0
        assert store.erasing().rounds_left > 900


def test_no_round_begins_where_the_index_has_no_room_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "MOST_LEVELS", 1)
    with opened(tmp_path / "index.db", erase_every=0) as store:
        put(store, mention(1, SECRET))
        put(store, gone(1))
        assert not store.erase_step(NOW)
        assert store.erasing().rounds_left == 0
        assert store.erasing().waiting == 1


def test_a_round_of_erasure_waits_for_its_time(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db", erase_every=1_000) as store:
        put(store, mention(1, SECRET))
        put(store, gone(1))
        assert not store.erase_step(NOW + 999)
        assert (store.erasing().waiting, store.erasing().since) == (1, NOW)
        assert store.erase_step(NOW + 1_000)


def test_a_search_under_way_delays_a_round_and_does_not_break_it(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path, erase_every=0) as store, opened(path) as other:
        put(store, mention(1, SECRET), mention(2, "flight"))
        with other._readers.reading("look") as connection:
            assert connection.execute("SELECT count(*) FROM mention").fetchone() == (2,)
            put(store, gone(1))
            for _ in range(5):
                assert store.erase_step(NOW)
        while store.erase_step(NOW):
            pass
        assert SECRET.encode() not in bytes_of(path)


def test_a_late_older_revision_does_not_bring_back_what_was_deleted(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, gone(1, revision=5))
        put(store, mention(1, SECRET, revision=4))
        put(store, mention(1, SECRET, revision=5))
        assert ids(store, "") == []
        assert SECRET.encode() not in bytes_of(tmp_path / "index.db")
        put(store, mention(1, "restored", revision=6))
        assert ids(store, "restored") == ["x:1"]
