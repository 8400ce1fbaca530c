"""Exports of other programs are read by name, without a word about their columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.files import Options, Unmapped, Unreadable, replay
from ingest.foreign import ForeignFile
from ingest.ready import ready, ready_names
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog
from stream.records import Post

ROOT = Path(__file__).parents[2]


@pytest.fixture
def read(log: EmbeddedLog, held: Any, clock: ManualClock) -> Any:
    def _read(path: Path, name: str, **more: Any) -> list[Post]:
        report = replay([path], log, clock, Options(ready=name, **more))
        assert report.read == report.appended + report.dead
        posts: list[Post] = held.posts()
        return posts

    return _read


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp() * 1000  # type: ignore[arg-type, misc]


BRANDWATCH = """\
Report:,Bulk Mentions Download
Brand:,Acme Air
From:,"Sun Mar 01 00:00:00 UTC 2026"
Label:,

Query Id,Query Name,Date,Title,Snippet,Url,Domain,Sentiment,Page Type,Language,Country Code,Author,Full Name,Full Text,\
Resource Id,Twitter Followers,Twitter Retweets,Twitter Reply Count
901,Acme,2026-03-01 10:30:00.0,Post by ana,lost my bag,https://x.com/ana/status/1,x.com,negative,twitter,es,ES,ana,\
Ana Inventada,"Acme Air lost my bag, again",r-1,1500,3,2
901,Acme,2026-03-01 11:00:00.0,Bags are late,Bags of Acme Air are late,https://example.org/a,example.org,neutral,\
News,en,GB,,,,r-2,,,
"""


def test_brandwatch_with_the_rows_above_its_header(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "export.csv"
    path.write_text(BRANDWATCH)
    first, second = read(path, "brandwatch")
    assert (first.id, first.text) == ("x:r-1", "Acme Air lost my bag, again")
    assert (first.author.handle, first.author.name, first.author.followers) == ("ana", "Ana Inventada", 1500)
    assert (first.claimed_at, first.lang, first.country) == (at(2026, 3, 1, 10, 30), "es", "ES")
    assert (first.metrics.reposts, first.metrics.replies) == (3, 2)
    assert (second.network, second.text, second.title) == ("news", "Bags of Acme Air are late", "Bags are late")


def test_a_delimiter_is_found_below_a_title_too(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "export.csv"
    path.write_text("Mentions, all of them; exported\n\n" + BRANDWATCH.partition("\n\n")[2].replace(",", ";"))
    assert len(read(path, "brandwatch")) >= 1


MELTWATER = [
    "Date", "Headline", "URL", "Opening Text", "Hit Sentence", "Source", "Influencer", "Country", "Language", "Reach",
    "Tweet Id", "Twitter Id", "Twitter Screen Name", "Twitter Followers", "Alternate Date Format", "Time",
]  # fmt: skip


def test_meltwater_as_the_text_in_utf_16_and_as_a_workbook(tmp_path: Path, read: Any) -> None:
    rows = [
        ["01-Mar-2026 10:30PM", "", "https://x.com/ana/status/7", "", "Acme Air is late", "Twitter", "@ana", "Spain",
         "English", "12", "7", "70", "ana", "40", "01-Mar-26", "10:30 PM"],
        ["02-Mar-2026 08:05AM", "Late again", "https://example.org/b", "It began at noon.", "", "The Post", "B. Writer",
         "Spain", "English", "9000", "", "", "", "", "02-Mar-26", "8:05 AM"],
    ]  # fmt: skip
    path = tmp_path / "meltwater.csv"
    path.write_text("\n".join("\t".join(row) for row in [MELTWATER, *rows]), encoding="utf-16")
    first, second = read(path, "meltwater")
    assert (first.id, first.text, first.author.handle) == ("x:7", "Acme Air is late", "ana")
    assert first.claimed_at == at(2026, 3, 1, 22, 30)
    assert (second.network, second.text, second.title) == ("news", "It began at noon.", "Late again")
    assert (second.author.handle, second.claimed_at) == ("B. Writer", at(2026, 3, 2, 8, 5))

    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["Export of 2 March"], [], MELTWATER, *rows):
        book.active.append(row)
    book.save(tmp_path / "meltwater.xlsx")
    again = read(tmp_path / "meltwater.xlsx", "meltwater")[2:]
    assert [(post.id, post.text) for post in again] == [(post.id, post.text) for post in (first, second)]


def test_talkwalker_by_the_names_of_its_interface(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "talkwalker.csv"
    path.write_text(
        "url,published,title,content,lang,source_type,domain_url,extra_author_attributes.name,"
        "extra_author_attributes.short_name,article_extended_attributes.twitter_retweets,"
        "article_extended_attributes.facebook_likes\n"
        'https://x.com/ana/status/9,1772361000000,,Acme Air is late,en,"SOCIALMEDIA,SOCIALMEDIA_TWITTER",'
        "https://x.com/,Ana Inventada,ana,4,\n"
        "https://example.org/c,2026-03-01 11:00:00,Late,Bags late,en,ONLINENEWS,https://example.org/,B. Writer,,,5\n"
    )
    first, second = read(path, "talkwalker")
    assert (first.network, first.author.handle, first.author.name) == ("x", "ana", "Ana Inventada")
    assert (first.claimed_at, first.metrics.reposts) == (at(2026, 3, 1, 10, 30), 4)
    assert (second.network, second.title, second.metrics.likes) == ("news", "Late", 5)


def test_vimeo_comments_and_videos_as_its_interface_answers(tmp_path: Path, read: Any) -> None:
    comment = {
        "uri": "/videos/5/comments/6", "type": "video", "text": "the crew!", "created_on": "2026-03-01T10:30:00+00:00",
        "user": {"uri": "/users/8", "name": "Ana"}, "link": "https://vimeo.com/5#comment_6",
        "metadata": {"connections": {"replies": {"total": 2}}},
    }  # fmt: skip
    video = {
        "uri": "/videos/5", "name": "Acme Air lands", "description": "all of it", "link": "https://vimeo.com/5",
        "created_time": "2026-03-01T09:00:00+00:00", "user": {"uri": "/users/9", "name": "Bo"}, "stats": {"plays": 11},
    }  # fmt: skip
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(json.dumps({"total": 1, "data": [one]}) for one in (comment, video)))
    first, second = read(path, "vimeo")
    assert (first.id, first.text, first.author.id) == ("vimeo:/videos/5/comments/6", "the crew!", "/users/8")
    assert (first.metrics.replies, first.claimed_at) == (2, at(2026, 3, 1, 10, 30))
    assert (second.text, second.title, second.metrics.views) == ("all of it", "Acme Air lands", 11)


def test_pinterest_as_one_object_over_many_lines(tmp_path: Path, read: Any) -> None:
    pin = {
        "id": "813", "created_at": "2026-03-01T10:30:00", "title": "Seats", "description": "Seats of Acme Air",
        "link": "https://example.org/seats", "board_owner": {"username": "ana"}, "parent_pin_id": "812",
    }  # fmt: skip
    path = tmp_path / "pins.json"
    path.write_text(json.dumps({"items": [pin, "no pin"], "bookmark": "b"}, indent=2))
    (post,) = read(path, "pinterest")
    assert (post.id, post.text, post.author.handle) == ("pinterest:813", "Seats of Acme Air", "ana")
    assert (post.repost_of, post.link) == ("pinterest:812", None)


def test_google_plus_as_takeout_gave_it_one_file_a_post(tmp_path: Path, read: Any) -> None:
    post = {
        "url": "https://plus.google.com/1/posts/A", "creationTime": "2018-08-08 12:00:00-0700",
        "updateTime": "2018-08-08 12:00:00-0700", "content": "Acme Air<br>was <b>late</b> &amp; cold",
        "author": {"displayName": "Ana Inventada", "resourceName": "users/1"}, "resourceName": "users/1/posts/B",
        "comments": [{"content": "so it was"}],
    }  # fmt: skip
    path = tmp_path / "20180808 - Acme Air.json"
    path.write_text(json.dumps(post, indent=2))
    (found,) = read(path, "google-plus")
    assert (found.id, found.text) == ("google-plus:users/1/posts/B", "Acme Air\nwas late & cold")
    assert (found.author.name, found.claimed_at) == ("Ana Inventada", at(2018, 8, 8, 19, 0))


def test_tuenti_as_a_table_that_somebody_wrote_down(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "muro.csv"
    path.write_text("fecha;autor;comentario\n31/10/2012 22:10;Ana;qué vuelo\n")
    (post,) = read(path, "tuenti")
    assert (post.network, post.text, post.author.handle) == ("tuenti", "qué vuelo", "Ana")


def test_what_is_said_by_map_goes_before_the_ready_mapping(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "export.csv"
    path.write_text(BRANDWATCH)
    first, _ = read(path, "brandwatch", mapping={"text": "Snippet", "network": "'boards'"})
    assert (first.network, first.text) == ("boards", "lost my bag")


def test_a_file_that_is_no_such_export_is_refused_with_the_way_out(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,text,date\n1,a,2026-03-01\n")
    with (
        pytest.raises(Unreadable, match=r"none of its first 2 rows is the header .* leave --as out"),
        ForeignFile(table, Options(ready="brandwatch")).opened(),
    ):
        pass
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"id": 1, "text": "a"}\n')
    with (
        pytest.raises(Unmapped, match="no such export as --as brandwatch reads, which has text: Full Text or"),
        ForeignFile(lines, Options(ready="brandwatch")).opened(),
    ):
        pass
    with pytest.raises(Unmapped, match=r"no ready mapping 'brandwach'; did you mean brandwatch.* There are: "):
        ForeignFile(table, Options(ready="brandwach"))


@pytest.mark.parametrize("name", ready_names())
def test_every_ready_mapping_can_be_read_and_its_page_says_where_its_names_are_from(name: str) -> None:
    found = ready(name)
    assert found.name == name
    assert {"text", "created_at"} <= set(found.fields)
    assert f"`{name}`" in (ROOT / "docs" / "imports.md").read_text("utf-8")
