"""`clamor try`: a brand's posts on the screen from nothing but its name, and kept only where that is asked for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clamor import exits
from clamor.commands.try_it import _home
from clamor.first_look import Asked, configuration, hosts, listened, named
from clamor.opening import open_home
from config.home import Home, HomeError
from config.load import load
from config.sources import FeedsSource
from query.parse import parse
from routing.checkers import CHECKERS
from stream.ports import EVERYTHING
from tests.standins.bluesky import BlueskyStandIn, iso
from tests.standins.feeds import FeedsStandIn

PATIENCE = 90


@pytest.fixture
def bluesky() -> Iterator[BlueskyStandIn]:
    with BlueskyStandIn() as standin:
        yield standin


@pytest.fixture
def site() -> Iterator[FeedsStandIn]:
    with FeedsStandIn() as standin:
        yield standin


def say(bluesky: BlueskyStandIn, text: str, author: str) -> None:
    bluesky.post({"$type": "app.bsky.feed.post", "text": text, "createdAt": iso(time.time())}, author=author)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "clamor.cli", *words]


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def read_until(process: subprocess.Popen[str], enough: Callable[[str], bool]) -> str:
    """Raises AssertionError where the process ends before it said enough."""
    said, ends = "", time.monotonic() + PATIENCE
    assert process.stdout is not None
    while not enough(said):
        line = process.stdout.readline()
        assert line, said
        assert time.monotonic() < ends, said
        said += line
    return said


def test_a_brand_is_heard_and_kept_and_ctrl_c_ends_it_with_the_sum(
    tmp_path: Path, bluesky: BlueskyStandIn, site: FeedsStandIn
) -> None:
    say(bluesky, "Rivera Coffee lost my order again, I am never buying there again", "bea")
    say(bluesky, "A lovely day at the river", "carl")
    site.publish("Rivera Coffee \x1b]0;owned\x07 opens a shop", author="Plaza Daily")
    words = ["--home", str(tmp_path / "home"), "try", "Rivera Coffee", "--keep", "--for", "5m", "--no-searches"]
    places = ["--jetstream", bluesky.stream, "--appview", bluesky.url, "--feed", site.url + "/rss?q={phrase}"]
    process = subprocess.Popen(
        command(*words, *places), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    said = read_until(process, lambda said: "bea" in said and "opens a shop" in said and "→" in said)
    process.send_signal(signal.SIGINT)
    rest, noted = process.communicate(timeout=PATIENCE)
    said += rest
    assert process.returncode == exits.OK, noted
    assert "support" in said
    assert "churn threat" in said
    assert "river\n" not in said, "what is about nobody is not shown"
    assert "\x1b]0" not in said
    assert "\x07" not in said
    assert "2 posts about Rivera Coffee" in said
    assert "closed groups" in said
    assert "127.0.0.1" in noted, "who learns the name is said"
    (request,) = [one for one in site.requests if one.path.startswith("/rss")][:1]
    assert request.params["q"] == '"Rivera Coffee"'
    with open_home(Home.at(tmp_path / "home"), use="check") as kept:
        node = parse("brand:rivera-coffee", now=kept.clock.now(), context="search")
        assert kept.store.count(node, EVERYTHING).value == 2
        assert {one.id for one in kept.registry.sources()} == {"bluesky", "own-feeds"}


def test_without_a_network_it_says_so_soon_and_leaves_nothing(tmp_path: Path) -> None:
    away = closed_port()
    done = subprocess.run(
        command(
            "try", "Rivera", "--no-searches", "--for", "5m", "--jetstream", f"ws://127.0.0.1:{away}",
            "--feed", f"http://127.0.0.1:{away}/rss",
        ),
        capture_output=True, text=True, timeout=PATIENCE, check=False,
        env=environment(TMPDIR=str(tmp_path), CLAMOR_DATA=str(tmp_path / "elsewhere")),
    )  # fmt: skip
    assert done.returncode == exits.FAILED, done.stderr
    assert f"127.0.0.1:{away}" in done.stdout
    assert "connected to the internet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clamor.yaml").write_text("brands: []\n")
    with pytest.raises(HomeError, match="is a home already"), _home(Home.at(tmp_path), keep=True):
        pass


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **more}


# --- the configuration that follows from a name ---


@pytest.mark.parametrize(
    "name", ["Rivera Coffee", 'O\'Neil & "Sons": #1', "La Ñ", "三鷹", "-", "[x]", "{tag}", "a\u0301", "No", "x" * 100]
)
def test_every_name_gives_a_configuration_that_is_right(tmp_path: Path, name: str) -> None:
    if name == "-":
        with pytest.raises(ValueError, match="letter or a digit"):
            named(name)
        return
    home = Home.at(tmp_path)
    asked = Asked(named(name, ["Other  name"]), ("en", "es"), ("https://news.example.org/{tag}.rss",))
    home.settings_file.write_text(configuration(asked, "2026-11-27"), "utf-8")
    found = load(home, CHECKERS, use="check").content.stated
    assert found.brands is not None
    assert found.sources is not None
    (brand,) = found.brands
    assert brand.name == name
    assert "Other name" in brand.aliases
    assert len({source.id for source in found.sources}) == len(found.sources) == 5


def test_only_a_feed_of_ones_own_network_may_lead_there() -> None:
    asked = Asked(named("Rivera"), ("es",), ("http://10.0.0.7/feed", "http://localhost:9/x", "https://example.org/f"))
    private = {one.id: one.private for one in listened(asked)}
    assert private.pop("own-feeds")
    assert not any(private.values())


def test_without_searches_nobody_else_learns_the_name() -> None:
    assert hosts(Asked(named("Rivera"), ("en",), searches=False)) == []
    assert "news.google.com" in hosts(Asked(named("Rivera"), ("en",)))


def test_the_searches_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    for host in hosts(Asked(named("Rivera"), ("en",))):
        assert host in page


def test_the_names_that_follow() -> None:
    found = named("  Café   del Mar ")
    assert found == ("cafe-del-mar", "Café del Mar", ("CafédelMar",), "cafédelmar")
    assert FeedsSource(id="x", kind="feeds", urls=listened(Asked(found, ("en",)))[-1].urls)
