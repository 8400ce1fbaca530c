"""Architecture, promise 5: a deleted post is deleted here, at once in every answer and in time from every byte."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request

from program import Program, append, free_port, gone, said, wait_until

from clamor.opening import Opened
from database.engine import many, read, rows, write
from routing.erasure import wipe
from stream.clock import DAY
from stream.retention import sweep

SECRET = "xylophonist"


def test_a_deleted_word_is_in_no_answer_and_later_in_no_byte(program: Program) -> None:
    """Semantics 9: unreachable within the minute; gone from the files by retention, secure_delete and merges."""
    port = free_port()
    run = program.start("run", CLAMOR_API__PORT=str(port))
    token = program.clamor("token", "new", "reader").stdout.strip()
    with program.opened() as opened:
        append(opened, [said(n, f"Tulip Bank {SECRET if n == 3 else 'plain'} word{n}") for n in range(40)])
        append(opened, [said(90, f"no brand and {SECRET}", reply_to="x:91"), gone(90)])
        now = opened.clock.now()
        with write(opened.engine) as connection:
            # As somebody who looks at a case has it fetched: the post that a reply answers.
            many(connection, "INSERT INTO context_post (id, case_id, asked_at) VALUES ('x:92', 1, ?)", [(now,)])
        append(opened, [said(92, f"above a reply, and {SECRET}")])
        program.wait()
        assert kept_above(opened) == [True]
        append(opened, [gone(92)])
        program.wait()
        assert kept_above(opened) == []
        assert program.clamor("search", SECRET, "--count").stdout.strip() == "1"
        deleted = time.monotonic()
        append(opened, [gone(3)])
        wait_until(lambda: program.clamor("search", SECRET, "--count").stdout.strip() == "0", "unreachable", 60)
        assert time.monotonic() - deleted < 60
    wait_until(lambda: _listens(port), "the API listens")
    for path in (f"/api/search?q={SECRET}", "/api/mentions/x%3A3%23tulip", "/api/search?q=brand:tulip", "/api/cases"):
        assert SECRET not in _answer(port, path, token).replace(f"q={SECRET}", ""), path
    assert SECRET not in program.clamor("search", "", "--json", "-n", "500").stdout
    assert program.stop(run) == 0
    assert SECRET not in program.words(), "no log line quotes a post"
    with program.opened() as opened:
        later = opened.clock.now() + 8 * DAY
        sweep(opened.log, later)
        while opened.store.erase_step(later):
            pass
        assert wipe(opened.engine)
        files = [path for name in ("log.db", "app.db", "index.db") for path in opened.home.data.glob(f"{name}*")]
        assert len(files) >= 3
        for path in files:
            held = path.read_bytes()
            assert SECRET.encode() not in held, f"{SECRET} is still in {path.name}"
            assert b"xylophon" not in held, f"its stem is still in {path.name}"
    left = program.clamor("search", "brand:tulip", "--count")
    assert left.stdout.strip() == "39"


def kept_above(opened: Opened) -> list[bool]:
    with read(opened.engine) as connection:
        return [body is not None for (body,) in rows(connection, "SELECT body FROM context_post")]


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _answer(port: int, path: str, token: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            body: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    json.loads(body)
    return body
