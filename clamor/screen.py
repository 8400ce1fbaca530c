"""The live picture of a demo: posts a second, queues, decisions with their reasons, mails, coverage."""

from __future__ import annotations

import email.header
import time
from collections import deque
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clamor.commands.search import when
from clamor.opening import Opened
from clamor.roles import COLLECT, WEB
from clamor.status import status
from database.engine import read, rows
from stream.records import Mention, decode

DECISIONS, MAILS = 7, 5
MOST_COLUMNS = 160
COLOURS = {"pr": "red", "support": "yellow", "sales": "green", "none": "dim"}


class Screen:
    """Remembers only what a rate needs."""

    def __init__(self, name: str, posts: int, mailbox: Path) -> None:
        self._name, self._posts, self._mailbox = name, posts, mailbox
        self._seen: deque[tuple[float, int]] = deque(maxlen=12)
        self._read_to = 0
        self._subjects: deque[str] = deque(maxlen=MAILS)
        self._mails = 0

    def draw(self, opened: Opened) -> RenderableType:
        found = status(opened)
        self._listen()
        picture = Group(
            self._head(found), self._stages(found), decisions(opened), self._mail_panel(), self._coverage(found)
        )
        return Constrain(picture, MOST_COLUMNS)

    def _head(self, found: dict[str, Any]) -> RenderableType:
        self._seen.append((time.monotonic(), found["posts"]))
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        rate = (now - before) / (last - first) if last > first else 0.0
        line = Text(f"{self._name}   ", style="bold")
        line.append(when(found["now"]), style="bold cyan")
        line.append(f"   {found['posts']:,} of {self._posts:,} posts, {rate:,.0f} posts/s", style="default")
        return line

    def _stages(self, found: dict[str, Any]) -> RenderableType:
        table = Table.grid(padding=(0, 3))
        lags = "  ".join(
            f"{one['stage']} {one['lag']:,}" for one in found["stages"] if one["stage"] not in (WEB, COLLECT)
        )
        cases = Text()
        for queue in ("pr", "support", "sales"):
            cases.append(f"{queue} {found['cases'].get(queue, 0):,}  ", style=COLOURS[queue])
        table.add_row(Text("waiting", style="dim"), lags, Text("live cases", style="dim"), cases)
        return table

    def _mail_panel(self) -> RenderableType:
        lines = Text("\n".join(self._subjects) or "none yet")
        return Panel(lines, title=f"mails: {self._mails}", title_align="left")

    def _coverage(self, found: dict[str, Any]) -> RenderableType:
        coverage = found["coverage"]
        if coverage["share"] is None:
            return Text("coverage: nothing asked for yet", style="dim")
        text = Text(f"coverage of the last day: {coverage['share']:.1%}", style="dim")
        for gap in coverage["gaps"][:2]:
            text.append(
                f"   {gap['source_id']}: {gap['state']} {when(gap['since'])} to {when(gap['until'])} ({gap['reason']})",
                style="yellow",
            )
        return text

    def _listen(self) -> None:
        """Subjects of the mails that came into the mailbox file since the last look."""
        try:
            with self._mailbox.open("rb") as file:
                file.seek(self._read_to)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n\n") + 1]
        self._read_to += len(whole)
        for block in whole.split(b"\nFrom ") if whole else []:
            headers = block.split(b"\n\n", 1)[0].replace(b"\n ", b" ").replace(b"\n\t", b" ")
            for line in headers.split(b"\n"):
                if line.lower().startswith(b"subject:"):
                    self._mails += 1
                    self._subjects.append(_decoded(line[8:].decode("ascii", "replace").strip()))


def decisions(opened: Opened) -> RenderableType:
    """The newest posts that were understood, with the queue and why."""
    with read(opened.engine) as connection:
        found = rows(connection, f"SELECT body FROM mention ORDER BY n DESC LIMIT {DECISIONS}")
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, width=8)
    table.add_column(no_wrap=True, width=8)
    table.add_column(no_wrap=True, width=4, justify="right")
    table.add_column(no_wrap=True, ratio=3)
    table.add_column(no_wrap=True, ratio=2)
    for mention in (decode(Mention, body) for (body,) in found):
        decision = mention.decision
        if decision is None:
            continue
        style = COLOURS[decision.queue]
        table.add_row(
            Text(mention.brand, style="bold"),
            Text(decision.queue, style=style),
            Text(str(decision.risk), style=style),
            Text(_line(mention.post.text) if mention.post else "(deleted)", style="default"),
            Text(decision.why, style="dim"),
        )
    return Panel(table, title="latest decisions: queue, risk, post, reason", title_align="left")


def _decoded(subject: str) -> str:
    return _line(str(email.header.make_header(email.header.decode_header(subject))))


def _line(text: str) -> str:
    """On one line, without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]
