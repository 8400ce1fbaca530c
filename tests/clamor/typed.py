"""The command line as a person or a script types it: one process for each command."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

PLAIN = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"NO_COLOR": "1", "TERM": "dumb"}


class Done(NamedTuple):
    code: int
    out: str
    err: str


JSON_FEED = (sys.executable, "-m", "tests.standins.json_feed")
"""The command line that knows the network of the tests as well."""
_SERVER = (sys.executable, str(Path(__file__).with_name("command_line.py")))


@cache
def _server(command: tuple[str, ...]) -> subprocess.Popen[str]:
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=PLAIN)
    atexit.register(server.communicate)
    return server


def clamor(home: Path, *words: str, feed: str = "", columns: int | None = None, json_feed: bool = False) -> Done:
    """`columns`: as a terminal of so many shows it; else as it is piped on."""
    server = _server((*JSON_FEED, "served") if json_feed else _SERVER)
    assert server.stdin is not None
    assert server.stdout is not None
    with TemporaryDirectory() as folder:
        names = {name: str(Path(folder) / name) for name in ("in", "out", "err")}
        Path(names["in"]).write_text(feed)
        server.stdin.write(json.dumps({"words": ["--home", str(home), *words], "columns": columns, **names}) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        out, err = (Path(names[name]).read_text() for name in ("out", "err"))
    assert "Traceback" not in err, err
    return Done(code, out, err)
