"""A replay brings every post of a file to the log, whoever wrote the file and however broken parts of it are."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.files import Options, ReplayReport, Unmapped, Unreadable, network_of, parse_map, replay, survey
from stream.clock import ManualClock, SimulatedClock, WallClock
from stream.embedded import EmbeddedLog
from stream.records import encode
from tests.places import only_sqlite

MOMENT = 1_509_487_847_000


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "text": f"My order {n} is late", "created_at": "2017-10-31T22:10:47Z", **more}
        for n in range(count)
    ]


def jsonl(path: Path, content: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def counted(report: ReplayReport) -> tuple[int, int, int]:
    assert report.read == report.appended + report.dead + report.skipped
    return report.read, report.appended, report.dead


# --- what a post becomes ---


def test_a_support_export_is_read_without_being_told(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    row = {
        "id": "t-3", "text": "@acme nobody answers", "author": "115712", "direction": "inbound", "replies": ["t-1"],
        "created_at": "2017-10-31T22:10:47Z", "in_reply_to": "t-4", "brand": "acme", "conversation_id": "8",
        "lang": "en", "retweet_count": 3,
    }  # fmt: skip
    replay([jsonl(tmp_path / "care_stream.jsonl", [row])], log, clock)
    (post,) = held.posts()
    assert (post.id, post.network, post.text) == ("care_stream:t-3", "care_stream", "@acme nobody answers")
    assert (post.reply_to, post.conversation) == ("care_stream:t-4", "care_stream:8")
    assert (post.author.id, post.author.handle, post.lang) == ("115712", "115712", "en")
    assert (post.metrics.reposts, post.metrics.replies, post.brands) == (3, None, ())
    assert post.claimed_at == post.seen_at == post.event_time == MOMENT
    assert (post.origin, post.source_id, post.clock_doubted) == ("import", "file", False)


def test_nested_fields_of_a_networks_answer_are_found(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    row = {
        "id_str": "99", "full_text": "hi", "created_at": "Tue Oct 31 22:10:47 +0000 2017", "favorite_count": 4,
        "user": {"id_str": "7", "screen_name": "ana", "name": "Ana", "followers_count": 12, "verified": False},
    }  # fmt: skip
    replay([jsonl(tmp_path / "twitter-dump.jsonl", [row])], log, clock)
    (post,) = held.posts()
    assert post.id == "x:99"
    assert (post.author.id, post.author.handle, post.author.name, post.author.followers) == ("7", "ana", "Ana", 12)
    assert post.metrics.likes == 4


def test_clamors_own_posts_come_back_as_they_were(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    row = {
        "id": "bluesky:at://did:plc:a/post/1", "text": "hola", "created_at": "2017-10-31T22:10:47Z", "kind": "edited",
        "edited_at": "2017-10-31T23:00:00Z", "author": {"id": "d", "handle": "ana"}, "revision": 2,
    }  # fmt: skip
    options = Options(network="bluesky", brands=("acme",), access="board")
    replay([jsonl(tmp_path / "a.jsonl", [row])], log, clock, options)
    (first,) = held.posts()
    own = tmp_path / "own.jsonl"
    own.write_bytes(encode(first) + b"\n")
    replay([own], log, clock)
    assert held.posts()[1] == first.__class__(
        **{**{field: getattr(first, field) for field in first.__struct_fields__}, "event_time": first.claimed_at}
    )


def test_stars_are_taken_where_they_are_named_and_a_number_that_is_none_is_refused(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    rows = [
        {"id": n, "text": "a bag", "created_at": 1_509_487_847, "rating": rating}
        for n, rating in enumerate((5, "4.0", "", None, 4.5, "ten"))
    ]
    file = jsonl(tmp_path / "a.jsonl", rows)
    replay([file], log, clock, Options(network="unasked"))
    assert [post.rating for post in held.posts()] == [None] * 6, "nobody said by how many stars it counts"
    replay([file], log, clock, Options(network="asked", mapping=parse_map("rating=rating")))
    assert [post.rating for post in held.posts()[6:]] == [5, 4, None, None]
    assert all("stars from 0 to 5" in letter.reason for letter in held.dead())
    own = tmp_path / "own.jsonl"
    own.write_bytes(encode(held.posts()[6]) + b"\n")
    replay([own], log, clock, Options(network="asked"))
    assert held.posts()[-1].rating == 5


def test_mapping_by_hand_constants_and_dotted_paths(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    row = {"key": 5, "doc": {"inhalt": "gut"}, "wann": 1_509_487_847, "who": "@ana", "marca": "acme;zeta"}
    chosen = parse_map("id=key,text=doc.inhalt,created_at=wann,author=who,network='my, net',brands=marca")
    replay([jsonl(tmp_path / "a.jsonl", [row])], log, clock, Options(mapping=chosen))
    (post,) = held.posts()
    assert (post.id, post.text, post.author.handle, post.brands) == ("my-net:5", "gut", "ana", ("acme", "zeta"))


def test_deletes_edits_and_metrics_stand_in_files_too(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    content = [
        {"kind": "created", "id": "1", "text": "first", "created_at": MOMENT},
        {"kind": "edited", "id": "1", "text": "second", "created_at": MOMENT, "edited_at": MOMENT + 60_000},
        {"kind": "metrics", "id": "1", "seen_at": MOMENT + 90_000, "likes": 5},
        {"kind": "delete", "id": "1", "text": "second", "seen_at": MOMENT + 120_000},
        {"kind": "sparkled", "id": "1"},
        {"kind": "deleted"},
    ]
    assert counted(replay([jsonl(tmp_path / "x.jsonl", content)], log, clock)) == (6, 4, 2)
    _, edited, metrics, deleted = held.posts()
    assert {post.id for post in held.posts()} == {"x:1"}
    assert (edited.kind, edited.edited_at, edited.seen_at) == ("edited", MOMENT + 60_000, MOMENT + 60_000)
    assert (metrics.event_time, metrics.metrics.likes) == (MOMENT + 90_000, 5)
    assert (deleted.kind, deleted.text, deleted.seen_at) == ("deleted", "", MOMENT + 120_000)
    assert "sparkled" in held.dead()[0].reason
    assert "no id" in held.dead()[1].reason


def test_the_same_file_again_gives_the_same_records(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"text": f"post {n}", "created_at": MOMENT + n} for n in range(20)])
    replay([path], log, clock)
    clock.advance(86_400_000)
    replay([path], log, clock)
    posts = held.posts()
    assert posts[:20] == posts[20:]
    assert len({post.id for post in posts}) == 20


def test_a_post_from_the_future_counts_now_and_is_marked(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    replay([jsonl(tmp_path / "a.jsonl", rows(1, created_at="2090-01-01T00:00:00Z"))], log, clock)
    (post,) = held.posts()
    assert (post.event_time, post.clock_doubted) == (clock.now(), True)


# --- forms of files ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_and_packing(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock, encoding: str, form: str, packed: bool
) -> None:
    content = rows(3, text="Añil, señor: 50 € 😀")
    text = json.dumps(content, ensure_ascii=False) if form == "json" else ""
    if form == "jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    elif form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(content[0]))
        writer.writeheader()
        writer.writerows(content)
        text = out.getvalue()
    raw = text.encode(encoding)
    path = tmp_path / "posts"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert counted(replay([path], log, clock)) == (3, 3, 0)
    assert {post.text for post in held.posts()} == {"Añil, señor: 50 € 😀"}


def test_latin_1_is_read_and_said_aloud(tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id;text;fecha\n1;mañana en Coruña;31/10/2017\n2;plain;1/11/2017\n".encode("latin-1"))
    report = replay([path], log, clock)
    assert [post.text for post in held.posts()] == ["mañana en Coruña", "plain"]
    assert any("1 lines are not UTF-8" in note for note in report.files[0].notes)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_with_texts_over_several_lines(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock, delimiter: str
) -> None:
    text = 'Dear "Acme",\nmy order; is late | very\r\n\tAna'
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows(
        [["Post ID", "Text", "Created At"], ["1", text, "2017-10-31 22:10"], [], ["2", "ok", "2017-10-31 22:11"]]
    )
    path = tmp_path / "a.csv"
    path.write_text(out.getvalue(), newline="")
    assert counted(replay([path], log, clock)) == (2, 2, 0)
    assert held.posts()[0].text == text.replace("\r\n", "\n")


def test_an_excel_separator_line_and_an_odd_delimiter(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("sep=;\nid;text;date\n1;uno;31/10/2017\n")
    second.write_text("id^text^date\n2^dos^31/10/2017\n")
    replay([first], log, clock)
    replay([second], log, clock, Options(delimiter="^"))
    assert [post.text for post in held.posts()] == ["uno", "dos"]


def test_dates_that_could_be_either_are_said_aloud(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text,date\n1,a,03/04/2017\n")
    report = replay([path], log, clock)
    assert any("day/month" in note for note in report.files[0].notes)
    replay([path], log, clock, Options(day_order="mdy"))
    assert [post.event_time for post in held.posts()] == [1_491_177_600_000, 1_488_585_600_000]


def test_standard_input(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ingest.files import replay; from stream.clock import WallClock\n"
        "class Log:\n"
        "    def append(self, records):\n"
        "        for record in records: sys.stdout.write(record.key + chr(10))\n"
        "        return []\n"
        "replay([Path('-')], Log(), WallClock())\n"
    )
    raw = "".join(json.dumps(row) + "\n" for row in rows(3)).encode()
    done = subprocess.run(
        [sys.executable, "-c", code], input=gzip.compress(raw), capture_output=True, check=True, cwd=ROOT
    )
    assert [line for line in done.stdout.decode().split() if line.startswith("stdin:")] == [
        "stdin:0",
        "stdin:1",
        "stdin:2",
    ]


# --- broken files ---


def test_broken_rows_are_dead_letters_with_place_and_reason(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps(rows(1)[0]).encode()
    path.write_bytes(
        b"\n".join(
            [good, b"{oops", b"[1, 2]", b'"text"', b"\x00\xff\xfe", b'{"id": "7", "text": "no time"}',
             b'{"id": "8", "text": "x", "created_at": "soon"}', b'{"id": "9", "text": "", "created_at": "2017-10-31"}',
             b'{"id": [1], "text": "x", "created_at": "2017-10-31"}', b"", b"  ", good, b'{"id": "1", "te'],
        )
    )  # fmt: skip
    assert counted(replay([path], log, clock)) == (11, 2, 9)
    dead = held.dead()
    assert [letter.key for letter in dead] == [f"{path}:{line}" for line in (2, 3, 4, 5, 6, 7, 8, 9, 13)]
    assert [letter.offset for letter in dead] == [2, 3, 4, 5, 6, 7, 8, 9, 13]
    assert base64.b64decode(dead[0].payload) == b"{oops"
    assert "half a line" in dead[-1].reason
    assert "no time of creation" in dead[4].reason
    assert "'soon' is no date" in dead[5].reason
    assert {letter.stage for letter in dead} == {"ingest"}


def test_ten_thousand_malformed_rows_stop_nobody(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    good = json.dumps(rows(1)[0]).encode()
    path = tmp_path / "a.jsonl"
    path.write_bytes(good + b"\n" + b'{"id": "half", "text": \n' * 10_000 + good + b"\n")
    assert counted(replay([path], log, clock)) == (10_002, 2, 10_000)
    assert held.dead()[-1].key == f"{path}:10001"


def test_a_post_of_a_megabyte_is_refused_and_the_rest_goes_on(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    content = rows(4)
    content[1]["text"] = "a" * 3_000_000
    content[2]["text"] = "b" * 150_000
    assert counted(replay([jsonl(tmp_path / "a.jsonl", content)], log, clock)) == (4, 2, 2)
    long, text = held.dead()
    assert "1,048,576" in long.reason
    assert "150,000 characters" in text.reason
    assert len(long.payload) < 100_000


def test_a_line_without_end_needs_no_memory(tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as stream:
        stream.write(json.dumps(rows(1)[0]).encode() + b'\n{"text": "')
        for _ in range(30):
            stream.write(b"x" * 1_000_000)
    assert counted(replay([path], log, clock)) == (2, 1, 1)


def test_a_quote_that_is_never_closed_takes_one_line_with_it(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.csv"
    lines = ["id,date,text", "1,2017-10-31,fine", '2,2017-10-31,"never closed']
    lines += [f"{n},2017-10-31,after" for n in range(3, 200)]
    path.write_text("\n".join(lines) + "\n")
    assert counted(replay([path], log, clock)) == (199, 198, 1)
    assert held.dead()[0].key == f"{path}:3"
    assert "never closed" in held.dead()[0].reason


def test_a_csv_with_too_many_fields_or_half_a_line(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,date,text\n1,2017-10-31,well, not quoted\n2,2017-10-31,ok\n3,2017-1")
    assert counted(replay([path], log, clock)) == (3, 1, 2)
    assert [letter.error for letter in held.dead()] == ["TooManyFields", "HalfALine"]


def test_ids_that_a_spreadsheet_rounded_are_refused(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text,date\n9.42743E+17,a,2017-10-31\n942743012337123328,b,2017-10-31\n12.0,c,2017-10-31\n")
    assert counted(replay([path], log, clock)) == (3, 2, 1)
    assert [post.id for post in held.posts()] == ["a:942743012337123328", "a:12"]
    assert "rounded by a spreadsheet" in held.dead()[0].reason


def test_half_a_character_in_a_table_is_replaced_and_counted(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.csv"
    rows = [b"id,text,created_at", b"1,half \xed\xa0\xbd,2017-10-31", b"2,both \xed\xa0\xbd\xed\xb8\x80,2017-10-31"]
    path.write_bytes(b"\n".join([*rows, b"3,plain,2017-10-31", b"4,a\xf1o,2017-10-31", b""]))
    report = replay([path], log, clock)
    assert counted(report) == (4, 4, 0)
    assert [one.text for one in held.posts()] == ["half \ufffd", "both \U0001f600", "plain", "año"]
    assert any("in 1 posts half a character" in note for note in report.files[0].notes)


@pytest.mark.parametrize("paced", [False, True])
def test_addresses_that_are_no_links_are_left_out_and_counted(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock, paced: bool
) -> None:
    path = tmp_path / "a.jsonl"
    links = [
        "javascript:alert(1)",
        "https://ana:secret@x.example/2",
        "https://x.example/3",
        "https://x.example/" + "4" * 3000,
    ]
    rows = [
        {"id": n, "text": "t", "created_at": "2017-10-31", "link": link, "media": [link]}
        for n, link in enumerate(links, 1)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    report = replay([path], log, clock, Options(paced=paced))
    assert counted(report) == (4, 4, 0)
    kept = {one.id: (one.link, one.media) for one in held.posts()}
    assert kept.pop("a:3") == ("https://x.example/3", ("https://x.example/3",))
    assert set(kept.values()) == {(None, ())}
    assert any("in 3 posts an address was left out" in note for note in report.files[0].notes)


def test_control_characters_are_taken_out_and_half_characters_replaced(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"id": "1\\u0000", "text": "a\\u0000b\\ud83dc\\td\\ne\\u0007", "created_at": "2017-10-31", '
        b'"author": "an\\u0001a"}\n'
        b'{"id": "2", "text": "raw\x01\x00control", "created_at": "2017-10-31", "views": NaN}\n'
    )
    assert counted(replay([path], log, clock)) == (2, 2, 0)
    first, second = held.posts()
    assert (first.id, first.text, first.author.handle) == ("a:1", "ab\ufffdc\td\ne", "ana")
    assert second.text == "rawcontrol"


def test_a_truncated_gzip_keeps_what_it_holds(tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock) -> None:
    raw = "".join(json.dumps(row) + "\n" for row in rows(5_000)).encode()
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(raw)[:-2_000])
    report = replay([path], log, clock)
    _, appended, dead = counted(report)
    assert appended > 1_000
    assert dead <= 2
    assert "ends early" in held.dead()[-1].reason


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"PK\x03\x04rest", "Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8bnot really", "gzip data is broken"),
        (b"{oops\n{again\n", "none of its first 2 lines"),
        (b"[1, 2", "JSON array"),
        (b"[" * 200_000, "JSON array"),
    ],
)
def test_what_is_no_table_is_refused_before_anything_is_taken(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock, raw: bytes, words: str
) -> None:
    good, bad = jsonl(tmp_path / "a.jsonl", rows(2)), tmp_path / "b.jsonl"
    bad.write_bytes(raw)
    with pytest.raises(Unreadable, match=words):
        replay([good, bad], log, clock)
    assert held.posts() == []


def test_a_missing_file_names_itself(tmp_path: Path, log: EmbeddedLog, clock: ManualClock) -> None:
    with pytest.raises(Unreadable, match="no-such-file"):
        replay([tmp_path / "no-such-file"], log, clock)


def test_an_empty_file_is_no_fault(tmp_path: Path, log: EmbeddedLog, clock: ManualClock) -> None:
    for content in (b"", b"\n\n", b"id,text,date\n", b"[]"):
        (tmp_path / "a").write_bytes(content)
        assert counted(replay([tmp_path / "a"], log, clock)) == (0, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        bytes(range(256)) * 20,
        b"\x7fELF\x02\x01\x01" + b"\0\0\0\x07binary\x01" * 400,
        gzip.compress(bytes(range(256)) * 20),
        b"id,text\n" + bytes(range(32)) * 40,
    ],
)
def test_the_bytes_of_a_program_are_refused_in_one_sentence_of_words(
    tmp_path: Path, log: EmbeddedLog, clock: ManualClock, content: bytes
) -> None:
    (tmp_path / "program.csv").write_bytes(content)
    with pytest.raises(Unreadable, match=r"program\.csv holds no text but the bytes of some program") as refusal:
        replay([tmp_path / "program.csv"], log, clock)
    assert str(refusal.value).isascii()


def test_a_control_character_that_strays_into_a_text_is_no_program(
    tmp_path: Path, log: EmbeddedLog, clock: ManualClock
) -> None:
    rows = "".join(f'{n},"hello\x02 and\x7f goodbye",2017-10-31\n' for n in range(3))
    (tmp_path / "a.csv").write_text("id,text,date\n" + rows)
    assert counted(replay([tmp_path / "a.csv"], log, clock)) == (3, 3, 0)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a.JSONL"])
def test_an_empty_file_is_what_its_name_says(tmp_path: Path, log: EmbeddedLog, clock: ManualClock, name: str) -> None:
    (tmp_path / name).touch()
    (file,) = replay([tmp_path / name], log, clock).files
    assert (file.format, file.blank) == ("jsonl", True)


def test_an_unmapped_file_lists_its_columns_and_the_command(
    tmp_path: Path, log: EmbeddedLog, clock: ManualClock
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Number,Customer Text,When,Stars\n1,hello,2017-10-31,4\n")
    with pytest.raises(Unmapped) as refusal:
        replay([path], log, clock)
    words = str(refusal.value)
    assert "Number, Customer Text, When, Stars" in words
    assert "--map" in words
    assert "text=Customer Text" in words


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("text", "FIELD=COLUMN"),
        ("txt=body", "did you mean text"),
        ("network=''", "constant"),
        ("created_at='soon'", "no date"),
    ],
)
def test_a_wrong_mapping_says_what_would_work(
    tmp_path: Path, log: EmbeddedLog, clock: ManualClock, chosen: str, words: str
) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows(1))
    with pytest.raises(Unmapped, match=words):
        replay([path], log, clock, Options(mapping=parse_map(chosen)))


def test_a_mapping_to_a_column_that_is_not_there(tmp_path: Path, log: EmbeddedLog, clock: ManualClock) -> None:
    with pytest.raises(Unmapped, match="no column 'body'"):
        replay([jsonl(tmp_path / "a.jsonl", rows(1))], log, clock, Options(mapping={"text": "body"}))


def test_the_network_comes_from_the_files_name() -> None:
    assert network_of(Path("/d/twitter-2017.csv")) == "x"
    assert network_of(Path("/d/airline_us/train.jsonl.gz")) == "airline_us"
    assert network_of(Path("/d/My Export (1).csv")) == "my-export-1"
    assert network_of(Path("-")) == "stdin"


# --- pace ---


def test_paced_posts_come_in_order_when_the_clock_shows_their_time(tmp_path: Path, log: EmbeddedLog, held: Any) -> None:
    first = jsonl(tmp_path / "a.jsonl", [{"id": n, "text": "x", "created_at": MOMENT + n * 1_000} for n in (5, 1, 3)])
    second = jsonl(tmp_path / "b.jsonl", [{"id": n, "text": "y", "created_at": MOMENT + n * 1_000} for n in (4, 0, 2)])
    found = survey([first, second], Options(paced=True))
    assert (found.posts, found.dead, found.first, found.last) == (6, 0, MOMENT, MOMENT + 5_000)
    clock = SimulatedClock(MOMENT, WallClock().now(), 100.0)
    seen: list[int] = []
    report = replay([first, second], log, clock, Options(paced=True), progress=lambda _: seen.append(clock.now()))
    assert counted(report) == (6, 6, 0)
    posts = held.posts()
    assert [post.event_time - MOMENT for post in posts] == [0, 1_000, 2_000, 3_000, 4_000, 5_000]
    assert {post.origin for post in posts} == {"live"}
    assert all(post.seen_at == post.event_time and not post.clock_doubted for post in posts)
    assert seen[-1] >= MOMENT + 5_000


def test_what_has_no_time_cannot_be_played(tmp_path: Path, log: EmbeddedLog, held: Any) -> None:
    content = [
        {"kind": "created", "id": 1, "text": "x", "created_at": MOMENT},
        {"kind": "deleted", "id": 1},
        {"kind": "created", "id": 2, "text": "x", "created_at": "2099-01-01"},
    ]
    path = jsonl(tmp_path / "a.jsonl", content)
    assert survey([path])[:2] == (3, 0)
    assert survey([path], Options(paced=True)) == (1, 2, MOMENT, MOMENT)
    clock = SimulatedClock(MOMENT, WallClock().now(), 100.0)
    assert counted(replay([path], log, clock, Options(paced=True))) == (3, 1, 2)


def test_rows_of_a_megabyte_each_need_no_more_than_a_few(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = json.dumps(rows(1, extra="x" * 1_000_000)[0]).encode() + b"\n"
    path.write_bytes(row * 150)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from ingest.files import replay; from stream.clock import WallClock\n"
        "class Log:\n"
        "    def append(self, records): return []\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "report = replay([Path(sys.argv[1])], Log(), WallClock())\n"
        "print(report.appended, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True, cwd=ROOT)
    appended, kilobytes = done.stdout.split()[-2:]
    assert int(appended) == 150
    assert int(kilobytes) < 60_000


def test_a_network_option_that_is_no_name_is_refused(tmp_path: Path, log: EmbeddedLog, clock: ManualClock) -> None:
    with pytest.raises(Unmapped, match="such as mastodon"):
        replay([jsonl(tmp_path / "a.jsonl", rows(1))], log, clock, Options(network="My Network!"))


def test_order_needs_bounded_memory(tmp_path: Path) -> None:
    from ingest.order import ByTime

    order = ByTime(run=100)
    for n in range(1_000):
        order.put((n * 7_919) % 1_000, b"%d" % n)
    times = [one.time for one in order]
    assert times == sorted(times)
    assert len(times) == 1_000
    order.close()


# --- resuming, waiting, stopping ---


def test_a_hold_keeps_posts_back_and_loses_none(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    answers = iter(["lag", "lag", None])
    report = replay([jsonl(tmp_path / "a.jsonl", rows(10))], log, clock, hold=lambda: next(answers, None))
    assert counted(report) == (10, 10, 0)
    assert next(answers, "used up") == "used up"


def test_a_stop_keeps_the_cursor_and_the_next_replay_goes_on(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock, cursors: Cursors, ledger: Ledger
) -> None:
    from threading import Event

    stop = Event()
    path = jsonl(tmp_path / "a.jsonl", rows(100))
    options = Options(batch=1)
    first = replay(
        [path], log, clock, options, cursors=cursors, ledger=ledger, stop=stop,
        progress=lambda done: stop.set() if done.appended == 55 else None,
    )  # fmt: skip
    assert first.stopped
    assert first.appended == 55
    second = replay([path], log, clock, options, cursors=cursors, ledger=ledger)
    assert counted(second)[0] == 100
    assert second.skipped == 50
    assert {post.id for post in held.posts()} == {f"a:{n}" for n in range(100)}
    third = replay([path], log, clock, options, cursors=cursors, ledger=ledger)
    assert (third.skipped, third.appended) == (0, 100)
    (row,) = ledger.rows()
    assert (row.received, row.missed, row.state) == (100, 0, "complete")


KILLED = """
import sys
from pathlib import Path
from database.engine import open_database
from ingest.cursors import Cursors
from ingest.files import Options, replay
from stream.clock import WallClock
from stream.embedded import EmbeddedLog

home = Path(sys.argv[1])
engine = open_database(home / "app.db")
log = EmbeddedLog(home / "log.db", WallClock())

def tell(done):
    print(done.appended, flush=True)

replay([Path(sys.argv[2])], log, WallClock(), Options(batch=20), cursors=Cursors(engine), progress=tell)
print("end", flush=True)
log.close()
engine.dispose()
"""
ROOT = Path(__file__).parents[2]


@only_sqlite
def test_a_killed_replay_goes_on_without_loss(tmp_path: Path, log: EmbeddedLog, held: Any, cursors: Cursors) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows(3_000))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(path)]
    skipped = []
    for round_ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
            assert running.stdout is not None
            for line in running.stdout:
                if line.strip().isdigit() and int(line) > 700 + 20 * round_:
                    running.kill()
                    break
            running.communicate()
        skipped.append(len(held.posts()))
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    assert b"end" in done.stdout
    posts = held.posts()
    assert {post.id for post in posts} == {f"a:{n}" for n in range(3_000)}
    assert len(posts) < 3_000 + 4 * 20 * 12
