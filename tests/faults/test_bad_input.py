"""Architecture, promise 3: bad input stops nobody. What cannot be a post is a dead letter with its reason."""

from __future__ import annotations

import json

from program import Program, lines, row, said, wait_until

from clamor import exits
from query.parse import parse
from stream.dead_letters import letters
from stream.ports import ALERTS, EVERYTHING, POSTS, Append
from stream.records import Alert, decode, encode


def test_a_file_with_everything_wrong_goes_through_but_for_what_is_wrong(program: Program) -> None:
    """Promise 3: 10,000 malformed records, wrong encodings, a 1 MB post, control characters, half a last line."""
    good = [row(n, f"Marlin Ferries word{n}") for n in range(200)]
    bad = [
        f'{{"id": "b{n}", "text": "Marlin Ferries broken'.encode() if n % 2 else json.dumps({"id": f"b{n}"}).encode()
        for n in range(10_000)
    ]
    odd = [
        row(900, "Marlin Ferries \x00\x07\x1b[31m\u202e\ud83d word900"),
        json.dumps(row(901, "Marlin Ferries dónde está word901"), ensure_ascii=False).encode("latin-1"),
        row(902, "Marlin Ferries " + "word902 " * 131_072),
        row(903, "Marlin Ferries word903", created_at="the day after tomorrow"),
        b"\xff\xfe\x00\x01" * 100,
    ]
    content = [*good[:100], *bad, *odd, *good[100:]]
    file = lines(program.root / "wild.jsonl", content)
    with file.open("ab") as rest:
        rest.write(b'{"id": "998", "network": "x", "text": "Marlin Ferries word998", "created')
    done = program.clamor("replay", str(file), "--drain")
    assert done.returncode == exits.SOME_REFUSED, done.stderr
    assert "dead-letter list" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    texts = {m.post.text for m in program.mentions().values() if m.post is not None}
    assert {one["text"] for one in good} <= texts
    assert any("word900" in text for text in texts)
    assert not any("\x00" in text or "\x1b" in text for text in texts)
    refused = set(bad) | {b"\xff\xfe\x00\x01" * 100}
    with program.opened() as opened:
        kept = list(letters(opened.log))
        assert len(kept) >= len(refused) + 3
        assert all(one.record.reason for one in kept)
        assert not [one for one in kept if "broken" in one.record.reason]
        assert opened.store.count(parse("brand:marlin", now=0), EVERYTHING).value == len(texts)
    listed = program.clamor("dead-letter", "list", "-n", "5")
    assert listed.returncode == 0
    assert "wild.jsonl" in listed.stdout


def test_files_in_other_encodings_are_read(program: Program) -> None:
    """Promise 3: what the first bytes tell about the encoding is believed."""
    files = []
    for first, encoding in ((0, "utf-8-sig"), (10, "utf-16")):
        rows = (row(first + n, f"Marlin Ferries mañana word{n}") for n in range(3))
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
        files.append(program.root / f"{encoding}.jsonl")
        files[-1].write_bytes(text.encode(encoding))
    done = program.clamor("replay", *map(str, files), "--drain")
    assert done.returncode == 0, done.stderr
    assert program.counted() == {"marlin": 6}
    assert all(m.post is not None and "mañana" in m.post.text for m in program.mentions().values())


def test_a_record_of_another_major_version_pauses_its_stage_and_nothing_is_skipped(program: Program) -> None:
    """Semantics 12: never misread, never a dead letter; the stage waits for a program that can read it."""
    run = program.start("run")
    newer = encode(said(1, "Marlin Ferries word1")).replace(b'"v":1', b'"v":2', 1)
    with program.opened() as opened:
        opened.log.append([Append(POSTS, "x:1", newer)])
        opened.log.append([Append(POSTS, "x:1", encode(said(1, "Marlin Ferries word2")))])

        def alerts() -> list[Alert]:
            return [decode(Alert, record.value) for record in opened.log.read(ALERTS, 0, 0, 100)]

        wait_until(lambda: len(alerts()) >= 1, "an alert about the stage")
        assert alerts()[0].kind == "stage"
        assert "schema version 2" in alerts()[0].why
        assert opened.log.lag("nlp", POSTS) == 2
        assert list(letters(opened.log)) == []
    assert program.mentions() == {}
    state = json.loads(program.clamor("status", "--json").stdout)
    assert "paused" in next(stage["state"] for stage in state["stages"] if stage["stage"] == "nlp")
    assert program.stop(run) == 0
