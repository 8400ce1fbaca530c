"""A home whose stages work in this process, one after the other, until nothing is left to do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clamor.chores import Absences
from clamor.mail import mailer
from clamor.opening import Opened, open_home
from clamor.processes import route, searchable, understand
from clamor.starting import make_ready
from config.home import Home
from database import epochs
from database.engine import read, rows
from query.parse import parse
from routing.relay import Relay
from stream.clock import ManualClock
from stream.ports import EVERYTHING, POSTS, Append
from stream.records import Author, Mention, Millis, Post, decode, encode
from stream.stage import Stage, StageOptions

NOW: Millis = 1_790_000_000_000

CONFIGURATION = """\
brands:
  - {id: acme, name: Acme Air}
people:
  - {id: ana, name: Ana Example, email: ana@example.org, operations: false}
mail: {host: null}
understanding: {model: linear}
"""

ZEPHYR = "  - {id: zephyr, name: Zephyr, kind: competitor}\n"


def settled_home(root: Path, configuration: str = CONFIGURATION) -> Home:
    root.mkdir(parents=True, exist_ok=True)
    home = Home.at(root)
    home.settings_file.write_text(configuration, encoding="utf-8")
    return home


class Living:
    """Use as a context manager."""

    def __init__(self, home: Home, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock(NOW)
        self._closing = ExitStack()
        self.opened: Opened = self._closing.enter_context(open_home(home, self.clock))
        self.home = self.opened.home
        make_ready(self.opened)
        self.stages: list[Stage] = []
        for work in (understand(self.opened), route(self.opened), searchable(self.opened)):
            stage = Stage(self.opened.log, work, self.clock, options=StageOptions(pace=0))
            self._closing.callback(stage.close)
            self.stages.append(stage)
        with read(self.opened.engine) as connection:
            epoch = epochs.current(connection)
        self.relay = Relay(self.opened.engine, self.opened.log, self.clock, "test", epoch=epoch)
        self.mailer = mailer(self.opened)
        self._absences = Absences(self.opened)
        self._closing.callback(self.relay.close)
        self._closing.callback(self.mailer.close)

    def take(self, *posts: Post) -> None:
        self.opened.log.append([Append(POSTS, post.id, encode(post)) for post in posts])

    def drain(self) -> None:
        idle = 0
        while idle < 2:
            done = sum(stage.step(0) for stage in self.stages) + self._absences.step() + self.relay.step()
            if any(stage.status().state == "retrying" for stage in self.stages):
                self.clock.advance(1_000)
                done += 1
            idle = 0 if done else idle + 1

    def live(self, *posts: Post) -> None:
        self.take(*posts)
        self.drain()

    def mail(self) -> int:
        """Mails sent."""
        return self.mailer.step(self.clock.now()).sent

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with read(self.opened.engine) as connection:
            return [tuple(row) for row in rows(connection, statement, values)]

    def mention(self, id: str) -> Mention | None:
        post, _, brand = id.rpartition("#")
        found = self.sql(
            "SELECT m.body FROM mention m JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = m.brand "
            "WHERE p.id = ? AND d.value = ?", post, brand,
        )  # fmt: skip
        return decode(Mention, found[0][0]) if found else None

    def found(self, query: str = "") -> set[str]:
        node = parse(query, now=self.clock.now(), context="search")
        return {hit.mention.id for hit in self.opened.store.search(node, EVERYTHING, limit=1_000).hits}

    def truth(self) -> dict[str, Sequence[Any]]:
        """What must come out the same: mentions, cases and counts, whatever their numbers."""
        return {
            "mentions": self.sql(
                "SELECT p.id, d.value, m.state, m.queue, m.risk FROM mention m JOIN post p ON p.n = m.post "
                "JOIN dictionary d ON d.n = m.brand ORDER BY p.id, d.value"
            ),
            "cases": self.sql(
                "SELECT p.id, c.queue, c.live, c.mentions FROM cases c JOIN post p ON p.n = c.conversation "
                "ORDER BY p.id, c.queue, c.live"
            ),
            "counts": self.sql(
                "SELECT minute, queue, sum(mentions), sum(negative), sum(risk) FROM "
                "(SELECT minute, queue, mentions, negative, risk FROM count_minute UNION ALL "
                "SELECT minute, queue, mentions, negative, risk FROM count_delta) AS counted GROUP BY minute, queue "
                "HAVING sum(mentions) > 0 ORDER BY minute, queue"
            ),
        }

    def close(self) -> None:
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def post(number: int | str, text: str = "Acme Air lost my bag again, I want my money back", **changes: Any) -> Post:
    """A live post of just now; `at` moves it in time."""
    at = changes.pop("at", NOW)
    fields: dict[str, Any] = {
        "id": f"x:{number}", "network": "x", "text": text, "claimed_at": at, "seen_at": at, "event_time": at,
        "author": Author(id=f"a{number}", handle=f"a{number}"),
    }  # fmt: skip
    return Post(**{**fields, **changes})


def gone(number: int, at: Millis = NOW + 1_000, kind: Any = "deleted") -> Post:
    return Post(id=f"x:{number}", network="x", kind=kind, seen_at=at, event_time=at)
