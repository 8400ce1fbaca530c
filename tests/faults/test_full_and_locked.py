"""A disk that is full and databases that are held: a clear message, nothing lost, and on it goes when it is over."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from program import Program, append, gone, lines, row, said, wait_until

from clamor import exits
from index.embedded import EmbeddedStore
from stream.ports import Append, Transient, Unusable
from stream.records import encode


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if _mount("-t", "tmpfs", "-o", "size=100m", "tmpfs", str(place)) != 0:
        pytest.skip("a file system of its own needs the right to mount one (root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def test_a_full_disk_stops_nothing_for_good(small_disk: Path) -> None:
    """Promise 1: what the log took before the disk was full is decided once there is room, and counted once."""
    program = Program(small_disk / "home")
    try:
        run = program.start("run")
        with program.opened() as opened:
            append(opened, [said(0, "Marlin Ferries word0")])
            program.wait()
            _fill(small_disk, leave=600_000)
            taken, why = 1, ""
            while not why:
                batch = [said(n, f"Marlin Ferries word{n} {'filler ' * 300}") for n in range(taken, taken + 20)]
                try:
                    opened.log.append([Append("posts", post.id, encode(post)) for post in batch])
                    taken += len(batch)
                except Transient as full:
                    why = str(full)
            assert "disk is full: free space" in why
            pids = {child.pid for child in program.children(run)}
            assert program.clamor("search", "word0", "--count").stdout.strip() == "1"
            wait_until(lambda: "disk" in program.words() or "retrying" in program.words(), "it says so")
            assert _mount("-o", "remount,size=400m", str(small_disk)) == 0
            (small_disk / "filler").unlink()
            program.wait()
        assert program.counted() == {"marlin": taken}
        assert {child.pid for child in program.children(run)} == pids, "no process ended for it"
        assert program.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")
        assert program.stop(run) == 0
    finally:
        program.end()


def test_a_disk_that_is_nearly_full_takes_deletes_and_nothing_else(small_disk: Path) -> None:
    """Semantics 24: at 5 % all writes but deletes stop. A delete overtakes the posts that wait, nothing is lost."""
    program = Program(small_disk / "home")
    try:
        run = program.start("run")
        with program.opened() as opened:
            append(opened, [said(n, f"Marlin Ferries word{n}") for n in range(10)])
            program.wait()
            _fill(small_disk, leave=4_000_000)
            wait_until(lambda: "held" in program.clamor("status").stdout, "the stages are held")
            append(opened, [said(n, f"Tulip Bank word{n}") for n in range(10, 60)])
            append(opened, [gone(3), gone(20)])
            wait_until(lambda: _state_of(program, "x:3") == "deleted", "SQL has lost it")
            wait_until(lambda: program.clamor("search", "word3", "--count").stdout.strip() == "0", "the index too")
            assert program.counted() == {"marlin": 9}
            assert program.clamor("search", "brand:tulip", "--count").stdout.strip() == "0"
            assert "only deletes are written" in program.clamor("status").stdout
            wait_until(lambda: "below 5%" in program.words(), "people are told")
            (small_disk / "filler").unlink()
            program.wait()
        assert program.counted() == {"marlin": 9, "tulip": 49}
        assert program.clamor("search", "word20", "--count").stdout.strip() == "0"
        assert program.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")
        assert program.stop(run) == 0
    finally:
        program.end()


def test_databases_that_another_program_holds_are_waited_for(program: Program) -> None:
    """Semantics 11: locked beyond every patience, stages and relay try again; no record is blamed or lost."""
    run = program.start("run")
    with program.opened() as opened:
        held = [sqlite3.connect(opened.home.data / name, isolation_level=None) for name in ("app.db", "index.db")]
        for one in held:
            one.execute("BEGIN IMMEDIATE")
        append(opened, [said(n, f"Tulip Bank word{n}") for n in range(50)])
        held.append(sqlite3.connect(opened.home.log_db, isolation_level=None))
        held[-1].execute("BEGIN IMMEDIATE")
        wait_until(lambda: "is locked" in program.words() or "retrying" in program.words(), "patience runs out")
        pids = {child.pid for child in program.children(run)}
        for one in held:
            one.execute("ROLLBACK")
            one.close()
    program.wait()
    assert program.counted() == {"tulip": 50}
    assert {child.pid for child in program.children(run)} == pids
    assert program.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")
    assert program.stop(run) == 0


def test_a_damaged_index_is_named_and_pauses_its_stage(program: Program) -> None:
    """Promise 1: the index is a projection; a damaged one costs nothing but the command that builds it anew."""
    file = lines(program.root / "a.jsonl", [row(n, f"Tulip Bank word{n}") for n in range(30)])
    assert program.clamor("replay", str(file), "--drain").returncode == 0
    index = program.home.index_db
    for beside in index.parent.glob("index.db-*"):
        beside.unlink()
    index.write_bytes(os.urandom(50_000))
    with closing(EmbeddedStore(index)) as store, pytest.raises(Unusable, match="clamor reindex"):
        store.offsets("decided", frozenset({0}), "any")
    found = program.clamor("search", "brand:tulip", "--count")
    assert found.returncode == exits.FAILED
    assert "clamor reindex" in found.stderr.replace("\n", " ")
    assert "Traceback" not in found.stderr
    index.unlink()
    assert program.clamor("reindex").returncode == 0
    assert program.clamor("search", "brand:tulip", "--count").stdout.strip() == "30"


def _state_of(program: Program, post: str) -> str:
    return str(program.sql(f"SELECT state FROM post WHERE id = '{post}'")[0][0])


def _mount(*arguments: str) -> int:
    try:
        return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode
    except FileNotFoundError:
        return 1


def _fill(disk: Path, leave: int) -> None:
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "filler").open("wb") as file:
        file.write(b"\0" * (free - leave))
