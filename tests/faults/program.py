"""`clamor` in subprocesses on a home, killed without mercy at the end, and what stands in its files."""

from __future__ import annotations

import json
import mailbox
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psutil

from clamor import exits
from clamor.backlog import backlog
from clamor.opening import Opened, open_home
from config.home import Home
from database.engine import read, rows
from stream.ports import POSTS, Append, Transient
from stream.records import Author, Mention, Post, decode, encode

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
SOAK = bool(os.environ.get("CLAMOR_SOAK"))

CONFIGURATION = """\
brands:
  - {id: marlin, name: Marlin Ferries, aliases: [Marlin]}
  - {id: tulip, name: Tulip Bank}
people:
  - {id: ana, name: Ana, email: ana@example.org, max_mails_per_hour: 1000, operations: true}
rules: rules.yaml
processes: {nlp_workers: 2}
mail: {from: clamor@example.net%s}
"""
RULES = """\
rules:
  - {name: loud, when: "mayday", queue: pr, priority: urgent, alert: true, why: {en: "it calls mayday", es: "pide auxilio"}}
  - {name: all, when: "-spam", queue: support, why: {en: "somebody writes", es: "alguien escribe"}}
"""  # noqa: E501


class Program:
    """One home. `end` kills whatever of it still runs."""

    def __init__(self, root: Path, mail: str = "") -> None:
        self.root = root
        root.mkdir(parents=True)
        (root / "clamor.yaml").write_text(CONFIGURATION % mail)
        (root / "rules.yaml").write_text(RULES)
        self.home = Home.at(root)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, ready: bool = True, **environment: str) -> subprocess.Popen[bytes]:
        """`clamor ARGUMENTS` in a session of its own; its words go to a file. `clamor run` is waited for."""
        words = self.root / f"words-{len(self._started)}.txt"
        with words.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "clamor.cli", "--home", str(self.root), *arguments],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
                env=self._environment(environment),
            )  # fmt: skip
        self._started.append(process)
        if ready and arguments[0] == "run":
            wait_until(lambda: process.poll() is not None or len(self.children(process)) == 6, "its processes start")
            assert process.poll() is None, words.read_text()
        return process

    def start_again(self) -> subprocess.Popen[bytes]:
        """`clamor run` after its supervisor's death: its children end by themselves, then a new one may start."""
        end = time.monotonic() + PATIENCE
        while True:
            run = self.start("run", ready=False)
            while run.poll() is None and len(self.children(run)) < 6:
                time.sleep(0.05)
            if run.poll() is None:
                return run
            assert run.returncode == exits.BUSY, self.words()
            assert time.monotonic() < end

    def clamor(
        self, *arguments: str, timeout: float = PATIENCE, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself."""
        return subprocess.run(
            [sys.executable, "-m", "clamor.cli", "--home", str(self.root), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, cwd=ROOT,
            env=self._environment(environment), check=False,
        )  # fmt: skip

    def words(self) -> str:
        """All that the started processes said."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.root.glob("words-*.txt")))

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        with open_home(self.home) as opened:
            yield opened

    def append(self, posts: Sequence[Post]) -> None:
        """As a collector does: again, until the log says that it has them."""
        with self.opened() as opened:
            append(opened, posts)

    def settled(self) -> bool:
        """Everything is decided, searchable and told."""
        try:
            with self.opened() as opened:
                waits = backlog(opened)
                with read(opened.engine) as connection:
                    alerts = rows(connection, "SELECT count(*) FROM alert WHERE state = 'pending'")[0][0]
                    mails = rows(connection, "SELECT count(*) FROM mail WHERE state NOT IN ('sent', 'dropped')")[0][0]
                return waits.drained and not alerts and not mails
        except Transient:
            return False

    def wait(self, seconds: float = PATIENCE) -> None:
        wait_until(self.settled, "all is decided, searchable and told", seconds)

    def mentions(self) -> dict[str, Mention]:
        """As SQL holds them, by id."""
        with self.opened() as opened, read(opened.engine) as connection:
            return {
                m.id: m for (body,) in rows(connection, "SELECT body FROM mention") for m in (decode(Mention, body),)
            }

    def sql(self, statement: str) -> list[Any]:
        with self.opened() as opened, read(opened.engine) as connection:
            return [tuple(row) for row in rows(connection, statement)]

    def counted(self) -> Counter[str]:
        """Mentions by brand, as they are counted."""
        both = "SELECT brand, mentions FROM count_delta UNION ALL SELECT brand, mentions FROM count_minute"
        sums = f"SELECT d.value, sum(c.mentions) FROM ({both}) c JOIN dictionary d ON d.n = c.brand GROUP BY d.value"
        return Counter(dict(self.sql(sums)))

    def mails(self) -> list[EmailMessage]:
        path = self.root / "mail" / "clamor.mbox"
        if not path.exists():
            return []
        box = mailbox.mbox(path, factory=_message)  # type: ignore[arg-type]
        try:
            return list(box)  # type: ignore[arg-type]
        finally:
            box.close()

    def children(self, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        try:
            found = psutil.Process(process.pid).children()
            return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
        except psutil.NoSuchProcess:
            return []

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """The whole group at once, as when the machine stops."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, process: subprocess.Popen[bytes]) -> int:
        process.terminate()
        return process.wait(60)

    def end(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("CLAMOR_")}
        return {**plain, "CLAMOR_API__PORT": str(free_port()), "PYTHONPATH": str(ROOT), **more}


def append(opened: Opened, posts: Sequence[Post]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            opened.log.append([Append(POSTS, post.id, encode(post)) for post in posts])
            return
        except Transient:
            assert time.monotonic() < end


def said(number: int, text: str, kind: str = "created", at: int | None = None, **fields: Any) -> Post:
    """A live post by an author of its own, seen now."""
    now = time.time_ns() // 1_000_000 if at is None else at
    return Post(
        id=f"x:{number}", network="x", kind=kind, text=text, seen_at=now, event_time=now,  # type: ignore[arg-type]
        author=Author(id=f"author{number}", handle=f"author{number}"), **fields,
    )  # fmt: skip


def gone(number: int) -> Post:
    now = time.time_ns() // 1_000_000
    return Post(id=f"x:{number}", network="x", kind="deleted", seen_at=now, event_time=now)


def lines(path: Path, content: Sequence[dict[str, Any] | bytes]) -> Path:
    """A file of JSON lines; bytes go in as they are."""
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in content) + b"\n")
    return path


def row(number: int, text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number), "network": "x", "text": text, "author": f"author{number}",
        "created_at": "2026-03-02T10:00:00Z", **more,
    }  # fmt: skip


def wait_until(true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _message(file: Any) -> EmailMessage:
    from email import message_from_binary_file

    return message_from_binary_file(file, policy=policy.default)  # type: ignore[return-value]
