"""Below 5 % of free disk (semantics 24): nothing but deletes is written, and these overtake what waits."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from living import NOW, Living, gone, post, settled_home
from msgspec.structs import replace

from clamor import chores
from clamor.chores import Watch
from clamor.deletes import IndexedDeletes, RoutedDeletes
from clamor.processes import searchable, understand
from config.disk import DiskFree
from database import revisions
from database.engine import write
from ingest.files import Options, replay
from stream.clock import HOUR
from stream.ports import DECIDED, MENTIONS, POSTS, Append
from stream.records import Author, Post, encode
from stream.stage import Stage, StageOptions
from stream.watchdog import stuck

MINUTE = 60_000


def free(percent: int) -> DiskFree:
    return DiskFree(percent * 10**9, 100 * 10**9)


class Disk:
    """As much is free as a test says."""

    def __init__(self, percent: int) -> None:
        self.percent = percent

    def __call__(self, folder: Path | None = None) -> DiskFree:
        return free(self.percent)


class Lanes:
    """The delete chores of a home whose stages are held, and the relay between them."""

    def __init__(self, living: Living) -> None:
        self._living = living
        self._routed = RoutedDeletes(living.opened, lambda: True)
        self._indexed = IndexedDeletes(living.opened, lambda: True)

    def run(self) -> None:
        for step in (self._routed.step, lambda: self._living.relay.step() > 0, self._indexed.step):
            while step():
                pass


def test_a_delete_overtakes_the_posts_before_it(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1), post(2), post(3))
        stood = offsets(living)
        living.take(*(post(n) for n in range(10, 60)), gone(1), gone(10), gone(99, kind="forgotten"))
        Lanes(living).run()
        assert living.found() == {"x:2#acme", "x:3#acme"}
        assert living.sql("SELECT state FROM post WHERE id IN ('x:1', 'x:10', 'x:99') ORDER BY id") == [
            ("deleted",), ("deleted",), ("forgotten",),
        ]  # fmt: skip
        assert (
            b"lost my bag"
            not in living.sql("SELECT m.body FROM mention m JOIN post p ON p.n = m.post WHERE p.id = 'x:1'")[0][0]
        )
        assert offsets(living) == stood, "the stages have everything still before them"
        living.drain()
        assert living.found() == {f"x:{n}#acme" for n in (2, 3, *range(11, 60))}


def test_rules_that_cannot_be_used_keep_no_delete_waiting(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1))
        lanes, keeper, absences = Lanes(living), chores.Keeper(living.opened), chores.Absences(living.opened)
        with write(living.opened.engine) as connection:
            revisions.adopt(connection, "rules", "rules:\n  - nonsense: 1\n", "ana", NOW)
        living.opened.registry._looked = float("-inf")
        assert "nonsense" in living.opened.registry.current().rules_yaml
        living.take(gone(1))
        lanes.run()
        assert living.found() == set()
        assert not keeper.step()
        assert not absences.step()


def test_deletes_that_wait_anywhere_on_the_way_are_found(tmp_path: Path) -> None:
    """Behind nlp, behind routing, behind the relay, behind the index."""
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(*(post(n) for n in range(1, 5)))
        nlp, routing, _ = living.stages
        living.take(gone(1))
        work(nlp, routing)
        living.relay.step()
        living.take(gone(2))
        work(nlp, routing)
        living.take(gone(3))
        work(nlp)
        living.take(gone(4))
        assert len(living.found()) == 4
        Lanes(living).run()
        assert living.found() == set()
        before = living.truth()
        living.drain()
        assert living.truth() == before


@pytest.mark.parametrize("seed", range(12))
def test_whatever_waits_where_the_end_is_as_if_nothing_had_overtaken(tmp_path: Path, seed: int) -> None:
    """Random histories, held at a random point, deletes ahead in random portions, then everything goes on."""
    rng = random.Random(seed)
    history = [observation(rng, at) for at in range(80)]
    with Living(settled_home(tmp_path / "plain")) as plain:
        plain.live(*history)
        wanted = outcome(plain)
    with Living(settled_home(tmp_path / "held")) as living:
        cut = rng.randrange(10, 60)
        living.take(*history[:cut])
        for _ in range(rng.randrange(12)):
            rng.choice(living.stages).step(0)
            living.relay.step()
        lanes = Lanes(living)
        for start in range(cut, len(history), 15):
            living.take(*history[start : start + 15])
            lanes.run()
            if rng.random() < 0.3:
                lanes = Lanes(living)
        deleted = {one.id for one in history if one.kind == "deleted"} - {
            one.id for one in history if one.kind == "restored"
        }
        assert not {id.partition("#")[0] for id in living.found()} & deleted
        living.drain()
        assert outcome(living) == wanted


def test_the_stages_are_held_and_are_not_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "LOOK", 0.0)
    disk = Disk(4)
    with Living(settled_home(tmp_path / "home")) as living:
        living.opened.disk = disk  # type: ignore[method-assign]
        living.take(post(1))
        options = StageOptions(pace=0)
        nlp = Stage(
            living.opened.log, understand(living.opened), living.clock, options=options,
            pressure=chores.pressure(living.opened, ("routing", MENTIONS), 10),
        )  # fmt: skip
        index = Stage(
            living.opened.log, searchable(living.opened), living.clock, options=options,
            pressure=chores.pressure(living.opened),
        )  # fmt: skip
        try:
            assert (nlp.step(0), nlp.status().state) == (0, "held")
            assert (index.step(0), index.status().state) == (0, "held")
            living.clock.advance(HOUR)
            assert nlp.step(0) == 0
            assert nlp.status().lag == 1
            assert stuck([nlp.status(), index.status()], living.clock.wall()) == []
            disk.percent = 6
            assert nlp.step(0) == 1
            assert nlp.status().state == "working"
        finally:
            nlp.close()
            index.close()


def test_nothing_is_looked_for_ahead_while_the_disk_has_room(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1))
        living.take(gone(1))
        assert not RoutedDeletes(living.opened, lambda: False).step()
        assert not IndexedDeletes(living.opened, lambda: False).step()
        assert living.found() == {"x:1#acme"}


def test_one_record_that_cannot_be_done_does_not_keep_the_others(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1), post(2))
        broken = b'{"v": 1, "id": "x:5", "kind": "deleted"}', b'{"kind": "deleted"', b'{"v": 9, "kind": "deleted"}'
        living.opened.log.append([Append(POSTS, f"x:{n}", raw) for n, raw in enumerate(broken)])
        living.take(gone(1))
        Lanes(living).run()
        assert living.found() == {"x:2#acme"}


def test_people_are_told_twice_as_it_gets_worse(tmp_path: Path) -> None:
    disk = Disk(9)
    with Living(settled_home(tmp_path / "home")) as living:
        living.opened.disk = disk  # type: ignore[method-assign]
        watch = Watch(living.opened)

        def open_troubles() -> set[str]:
            watch.step()
            return {key for (key,) in living.sql("SELECT key FROM operation_alert WHERE resolved_at IS NULL")}

        assert open_troubles() == {"disk:data"}
        disk.percent = 4
        assert open_troubles() == {"disk:data", "disk:data:stop"}
        assert open_troubles() == {"disk:data", "disk:data:stop"}
        told = [why for (why,) in living.sql("SELECT why FROM alert ORDER BY id")]
        assert len(told) == 2
        assert "below 10% streams pause" in told[0]
        assert "below 5% nothing but deletes is written" in told[1]
        disk.percent = 50
        assert open_troubles() == set()


def test_one_that_falls_at_once_is_told_once(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.opened.disk = Disk(1)  # type: ignore[method-assign]
        Watch(living.opened).step()
        assert len(living.sql("SELECT 1 FROM alert")) == 1


def test_a_file_of_deletes_is_replayed_though_the_disk_is_nearly_full(tmp_path: Path) -> None:
    """The way to delete a post by hand stays open."""
    file = tmp_path / "delete.jsonl"
    file.write_bytes(encode(gone(1)) + b"\n")
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1))
        report = replay([file], living.opened.log, living.clock, Options(), hold=lambda: "disk")
        assert report.appended == 1
        Lanes(living).run()
        assert living.found() == set()


def outcome(living: Living) -> Any:
    """What is live and what is counted. Which mentions were retracted and which cases closed on the way depends on how
    posts fell into batches; so does the risk, since an author's earlier complaints are those known at the time."""
    truth = living.truth()
    mentions = [row[:-1] for row in truth["mentions"] if row[2] != "retracted"]
    return mentions, [row for row in truth["cases"] if row[2]], [row[:-1] for row in truth["counts"]], living.found()


def observation(rng: random.Random, at: int) -> Post:
    """Of one of fifteen posts by six authors: mostly content, some of it edited, restored, deleted."""
    number, time = rng.randrange(15), NOW + at * MINUTE
    author = Author(id=f"a{number % 6}", handle=f"a{number % 6}")
    kind = rng.choice(["created", "edited", "edited", "deleted", "restored", "metrics", "deleted", "author_gone"])
    if kind == "deleted":
        return gone(number, time)
    if kind == "author_gone":
        return replace(gone(100 + number, time, kind), author=author)
    words = rng.choice(["Acme Air lost my bag", "I love Acme Air", "nobody is named here"])
    return post(number, words, at=time, kind=kind, author=author)


def offsets(living: Living) -> Sequence[Any]:
    log, store = living.opened.log, living.opened.store
    return [
        log.committed("nlp", POSTS),
        living.sql("SELECT part, next FROM stored_offset WHERE topic = ? ORDER BY part", MENTIONS),
        dict(store.offsets(DECIDED, frozenset(range(4)), log.epoch())),
    ]


def work(*stages: Stage) -> None:
    for stage in stages:
        while stage.step(0):
            pass
