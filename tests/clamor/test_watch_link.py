"""`clamor watch`: a link is listened for like a brand, the post behind it comes in, and `clamor apply` leaves it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living, post, settled_home
from typer.testing import CliRunner

from clamor import exits
from clamor.cli import program
from clamor.watching import brand_of, link
from config.home import Home, HomeError
from tests.standins.bluesky import BlueskyStandIn, iso
from tests.standins.reddit import CLIENT_ID, CLIENT_SECRET, RedditStandIn
from tests.standins.server import Fault
from tests.standins.x import TOKEN, XStandIn

STORY = "https://news.example.org/2026/bridge"


@pytest.fixture
def bluesky() -> Iterator[BlueskyStandIn]:
    with BlueskyStandIn() as standin:
        yield standin


def clamor(home: Home, *words: str, code: int = exits.OK) -> str:
    done = CliRunner().invoke(program(), ["--home", str(home.root), *words])
    assert done.exit_code == code, done.output
    return done.output


def configuration(bluesky: BlueskyStandIn) -> str:
    return (
        "brands:\n  - {id: acme, name: Acme Air}\nunderstanding: {model: linear}\nsources:\n"
        f"  - {{id: sky, kind: bluesky, hosts: ['{bluesky.stream}'], api: '{bluesky.url}'}}\n"
    )


def test_posts_that_share_a_link_are_mentions_of_it(tmp_path: Path) -> None:
    home = settled_home(tmp_path)
    with Living(home):
        pass
    said = clamor(home, "watch", STORY + "?utm_source=mail")
    id = link(STORY).brand
    assert id in said
    with Living(home) as living:
        living.live(
            post(1, f"Have you seen it? {STORY}/?fbclid=1"), post(2, "A bridge at news.example.org"), post(3, STORY)
        )
        assert living.found(f"brand:{id}") == {f"x:1#{id}", f"x:3#{id}"}
        mention = living.mention(f"x:1#{id}")
        assert mention is not None
        assert mention.understanding is not None
        assert mention.understanding.reputation is None
    listed = clamor(home, "watch")
    assert STORY in listed
    assert "2" in listed
    assert "is watched already" in clamor(home, "watch", STORY)
    clamor(home, "apply")
    assert STORY in clamor(home, "watch"), "what the file does not speak of stays"
    clamor(home, "watch", STORY, "--stop")
    clamor(home, "watch", STORY, "--stop", code=exits.FAILED)
    assert "no link is watched" in clamor(home, "watch")


def test_the_post_behind_a_link_comes_in_with_its_numbers(tmp_path: Path, bluesky: BlueskyStandIn) -> None:
    uri = bluesky.post(
        {"$type": "app.bsky.feed.post", "text": "Our bridge is open", "createdAt": iso(time.time())}, author="bea"
    )
    bluesky.posts[uri]["likeCount"] = 41
    home = settled_home(tmp_path, configuration(bluesky))
    with Living(home):
        pass
    pasted = f"https://bsky.app/profile/bea.bsky.example/post/{uri.rpartition('/')[2]}"
    said = clamor(home, "watch", pasted)
    assert "numbers are followed by sky" in said
    assert "listened for by sky" in said
    with Living(home) as living:
        living.drain()
        assert living.found(f"brand:{link(pasted).brand}") == {f"bluesky:{uri}#{link(pasted).brand}"}
    assert "41 likes" in clamor(home, "watch")


@pytest.mark.parametrize("network", ["reddit", "x"])
def test_an_old_post_of_a_network_that_looks_up_reach_alone_comes_in_whole(tmp_path: Path, network: str) -> None:
    old = int((time.time() - 86_400) * 1_000)
    with RedditStandIn() if network == "reddit" else XStandIn() as standin:
        id = standin.publish("Our bridge is open", at=old)
        sources = {
            "x": f"kind: x, url: '{standin.url}', token_env: KEY",
            "reddit": f"kind: reddit, url: '{standin.url}', login_url: '{standin.url}', username: ana, "
            "client_id_env: APP, client_secret_env: KEY, subreddits: [acme]",
        }
        brands = "brands: [{id: acme, name: Acme Air}]\nunderstanding: {model: linear}\n"
        home = settled_home(tmp_path, f"{brands}sources: [{{id: it, {sources[network]}}}]\n")
        (home.root / "secrets.env").write_text(f"APP={CLIENT_ID}\nKEY={TOKEN if network == 'x' else CLIENT_SECRET}\n")
        (home.root / "secrets.env").chmod(0o600)
        with Living(home):
            pass
        posted = f"x.com/acme/status/{id}" if network == "x" else f"reddit.com/r/acme/comments/{id[3:]}/a/"
        said = clamor(home, "watch", posted)
    assert "numbers are followed by it" in said
    with Living(home) as living:
        living.drain()
        (found,) = living.found(f"brand:{link(posted).brand}")
        mention = living.mention(found)
        assert mention is not None
        assert mention.post is not None
        assert "Our bridge is open" in mention.post.text


def test_without_an_answer_the_reason_is_said_and_the_link_once_more_asks_once_more(
    tmp_path: Path, bluesky: BlueskyStandIn
) -> None:
    uri = bluesky.post(
        {"$type": "app.bsky.feed.post", "text": "Our bridge is open", "createdAt": iso(time.time())}, author="bea"
    )
    pasted = f"https://bsky.app/profile/bea.bsky.example/post/{uri.rpartition('/')[2]}"
    home = settled_home(tmp_path, configuration(bluesky))
    with Living(home):
        pass
    bluesky.misbehave(Fault("status", status=503, times=2))
    said = clamor(home, "watch", pasted)
    assert "whose post it is" in said
    assert "numbers are not followed" in said
    assert "numbers are followed by sky" in clamor(home, "watch", pasted)
    assert clamor(home, "watch").count("https://") == 1


def test_of_a_link_to_anything_else_it_is_said_that_no_numbers_are_followed(tmp_path: Path) -> None:
    home = settled_home(tmp_path)
    with Living(home):
        pass
    assert "numbers of its own are not followed" in clamor(home, "watch", "https://www.instagram.com/p/CxYz/")


@pytest.mark.parametrize(
    ("pasted", "network", "native_id"),
    [
        ("twitter.com/ana/status/17?s=20", "x", "17"),
        ("https://old.reddit.com/r/trains/comments/abc12/late_again/", "reddit", "t3_abc12"),
        ("https://youtu.be/abcdefghijk", "youtube", "abcdefghijk"),
        ("https://news.ycombinator.com/item?id=42", "hackernews", "42"),
        ("https://social.example/@ana/1234", "mastodon", "https://social.example/users/ana/statuses/1234"),
        ("https://bsky.app/profile/did:plc:ana/post/3k", "bluesky", "at://did:plc:ana/app.bsky.feed.post/3k"),
        (STORY, "", ""),
    ],
)
def test_what_a_link_is(pasted: str, network: str, native_id: str) -> None:
    found = link(pasted)
    assert (found.network, found.native_id) == (network, native_id)
    assert brand_of(found).id == found.brand


@pytest.mark.parametrize(
    "pasted", ["", "example.org", "https://example.org/", "a word", "https://example.org/" + "x" * 300]
)
def test_what_is_no_link_is_refused_with_the_way_out(tmp_path: Path, pasted: str) -> None:
    with pytest.raises(ValueError, match="address"):
        link(pasted)


def test_nothing_is_watched_in_a_home_without_brands(tmp_path: Path) -> None:
    done = CliRunner().invoke(program(), ["--home", str(settled_home(tmp_path).root), "watch", STORY])
    assert isinstance(done.exception, HomeError)
