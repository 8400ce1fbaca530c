"""Processes that collect take up and let go of sources as they are applied; what was before is fetched by hand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typed import JSON_FEED, Done, clamor

from config.home import Home
from database.engine import open_database
from ingest.coverage import Ledger
from ingest.standing import CollectorStanding, Standings
from stream.clock import DAY, WallClock
from stream.embedded import EmbeddedLog
from stream.ports import POSTS
from stream.records import Post, decode
from tests.standins.json_feed import PAGE, JsonFeed

PATIENCE = 60.0
CONFIGURATION = """\
brands:
  - {id: acme, name: Acme}
mail: {host: null}
"""
SOURCES = """\
sources:
  - {{id: feed, kind: json_feed, url: "{url}", listen_for: [acme]}}
"""
NO_SOURCES = "sources: []\n"


class Program:
    def __init__(self, root: Path) -> None:
        self.root, self.home = root, Home.at(root)
        root.mkdir()
        self.home.settings_file.write_text(CONFIGURATION)

    def command(self, *words: str, feed: str = "") -> Done:
        return clamor(self.root, *words, feed=feed, json_feed=True)

    def apply(self, sources: str) -> None:
        self.home.settings_file.write_text(CONFIGURATION + sources)
        done = self.command("apply")
        assert done.code == 0, done.err

    def start(self) -> subprocess.Popen[bytes]:
        command = [*JSON_FEED, "--home", str(self.root), "stage", "collect"]
        with (self.root / "words.txt").open("ab") as said:
            return subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)

    def standing(self) -> CollectorStanding | None:
        engine = open_database(self.home.app_db)
        try:
            return Standings(engine).all().get("feed")
        finally:
            engine.dispose()

    def posts(self) -> list[Post]:
        log = EmbeddedLog(self.home.log_db, WallClock())
        try:
            found = [log.read(POSTS, partition, 0, 10_000) for partition in log.bounds(POSTS)]
            return [decode(Post, record.value) for records in found for record in records]
        finally:
            log.close()

    def origins(self) -> Counter[str]:
        """Of the distinct posts, by the first time that each came."""
        first: dict[str, str] = {}
        for post in self.posts():
            first.setdefault(post.id, post.origin)
        return Counter(first.values())


@pytest.fixture
def feed() -> Iterator[JsonFeed]:
    with JsonFeed() as made:
        yield made


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "home")


def until(holds: Callable[[], Any], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.1)


def test_a_source_that_is_applied_is_asked_within_seconds_by_one_of_two_processes_whoever_is_killed(
    program: Program, feed: JsonFeed
) -> None:
    for _ in range(2 * PAGE):
        feed.publish("Acme is late", at=time.time_ns() // 1_000_000 - 3 * DAY)
    running = {process.pid: process for process in (program.start(), program.start())}
    try:
        program.apply(SOURCES.format(url=feed.url))
        until(lambda: (one := program.standing()) and one.appended == 2 * PAGE, "it is asked")
        first = program.standing()
        assert first is not None
        assert (first.state, first.trouble) == ("listening", "")

        pid = int(first.process.rpartition(":")[2])
        os.kill(pid, signal.SIGKILL)
        for number in range(PAGE):
            feed.publish(f"Acme is late again, {number}")
        until(lambda: len({post.id for post in program.posts()}) == 3 * PAGE, "what came meanwhile is fetched")
        until(lambda: (one := program.standing()) and one.process != first.process, "the other one says so")

        (told,) = [json.loads(line) for line in program.command("sources", "list", "--json").out.splitlines()]
        assert (told["source"], told["kind"], told["state"]) == ("feed", "json_feed", "listening")
        assert program.command("sources", "test").out == f"feed: answers, and has {PAGE} posts\n"

        program.apply(NO_SOURCES)
        until(lambda: not asked_within(feed, 0.5), "it is let go of")
        running.pop(pid).wait()
        (left,) = running.values()
        left.send_signal(signal.SIGTERM)
        assert left.wait(PATIENCE) == 0
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def asked_within(feed: JsonFeed, seconds: float) -> bool:
    before = feed.asked("/")
    time.sleep(seconds)
    return feed.asked("/") > before


def test_the_past_is_fetched_by_hand_and_goes_on_where_it_was_stopped(program: Program, feed: JsonFeed) -> None:
    program.apply(SOURCES.format(url=feed.url))
    now = time.time_ns() // 1_000_000
    for number in range(3 * PAGE):
        feed.publish(f"Acme {number}" if number % 2 else "nobody", at=now - DAY)
    words = ("backfill", "--source", "feed", "--since", "-2d", "--brand", "acme")
    refused = program.command(*words, feed="n\n")
    assert (refused.code, program.origins()) == (1, Counter())
    assert "feed: " in refused.err
    assert "for acme" in refused.err
    found = re.search(r"about ([\d,]+) posts \(([\d,]+) to ([\d,]+)\)", refused.err)
    assert found, refused.err
    about, least, most = (int(number.replace(",", "")) for number in found.groups())
    assert least <= 600 <= most, "as many were written in the day before"
    assert least < about < most

    feed.token = "withdrawn"
    stopped = program.command(*words, "--yes")
    assert stopped.code == 1
    assert "refused: " in stopped.err
    feed.token = ""
    done = program.command(*words, "--yes")
    assert (done.code, done.err.count("Traceback")) == (0, 0)
    assert f"{3 * PAGE // 2:,} posts, 4 requests" in done.out
    assert program.origins() == {"backfill": 3 * PAGE // 2}
    engine = open_database(program.home.app_db)
    (row,) = Ledger(engine).rows(["feed"])
    engine.dispose()
    assert (row.state, row.query, row.received, row.missed) == ("backfilled", "acme", 3 * PAGE // 2, 0)
    assert "does not listen for 'zephyr'" in program.command(*words[:-1], "zephyr").err
