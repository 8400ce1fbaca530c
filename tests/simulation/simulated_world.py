"""The whole program in one thread: real stages, files and SQL, a clock that stands still, and ports that may kill.

Each process of the program is a set of objects with its own log and engine. A seeded scheduler lets one of them take a
step at a time; any call of a port (log, SQL, store, mail) may end the process that makes it, before or after the call
had its effect. Its objects are thrown away as they are and made anew later.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from simulated_posts import BRANDS, START, said_by
from simulated_truth import SEVERE
from sqlalchemy import Connection, Engine, event

import database.tables  # noqa: F401
from config.brands import Brand
from database.base import metadata
from database.engine import open_database, read, rows, write
from index.embedded import EmbeddedStore
from index.work import IndexWork
from routing import absence
from routing.counts import fold
from routing.desk import Desk
from routing.mail.transport import Delivery, Outgoing
from routing.mailer import Mailer
from routing.people_to_tell import MailSettings, Person
from routing.policy import default_policy
from routing.relay import Relay
from routing.work import RouteWork
from stream.clock import DAY, SECOND, ManualClock
from stream.embedded import EmbeddedLog, LogSettings
from stream.merge import content_hash
from stream.ports import (
    DECIDED,
    MENTIONS,
    POSTS,
    TOPICS,
    Append,
    Commit,
    InForce,
    LogRecord,
    TopicSpec,
    Transient,
    Work,
)
from stream.records import (
    CONTENT_KINDS,
    DETRACTOR_LEVELS,
    INTENTS,
    SENTIMENTS,
    Decided,
    Millis,
    Post,
    Scores,
    Understanding,
    Understood,
    decode,
    encode,
)
from stream.stage import Stage, StageOptions

RULES = f"""
rules:
  - {{name: severe, when: "intent:{SEVERE}", queue: support, alert: true}}
  - {{name: pr, when: "intent:public_issue", queue: pr}}
  - {{name: support, when: "intent:(complaint OR help_request)", queue: support}}
  - {{name: sales, when: "intent:purchase_interest", queue: sales}}
"""
PERSON = Person(id="ana", name="Ana", email="ana@example.org", max_mails_per_hour=1_000)
MAIL = MailSettings(from_address="clamor@example.net")
PARTITIONS = 3
OPTIONS = StageOptions(first_batch=7, max_batch=7, pace=0)


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing after this line runs."""


class World:
    """Feeds `observations`, lets the program live and die through `turns`, then lets it finish in peace."""

    def __init__(self, seed: int, folder: Path, observations: Sequence[Post]) -> None:
        self.dice = random.Random(seed)
        self.folder, self.clock = folder, ManualClock(START + 600 * SECOND)
        self.left = list(observations)
        self.trace: deque[str] = deque(maxlen=40)
        self.dangerous = False
        self.risk = self.dice.choice((0.0, 0.01, 0.03, 0.08))
        self.deaths: Counter[str] = Counter()
        self.mails: list[tuple[str, str]] = []
        """(Message-ID, text) of each mail that the server took."""
        self.births = 0
        _tables(folder)
        self.eye = open_database(folder / "app.db")
        makers: dict[str, Callable[[], Process]] = {
            "feed": lambda: Feed(self),
            "nlp-1": lambda: Understanders(self),
            "nlp-2": lambda: Understanders(self),
            "routing": lambda: Routing(self),
            "index": lambda: Index(self),
        }
        self._makers = makers
        self.living: dict[str, Process] = {}

    def live(self, turns: int) -> None:
        self.dangerous = True
        names = list(self._makers)
        for _ in range(turns):
            self.clock.advance(self.dice.choice((0, 0, 50, 500, 4_000)))
            self.turn(self.dice.choice(names))
        self.dangerous = False

    def finish(self) -> None:
        """Until nothing waits any more. Raises AssertionError where that does not come."""
        for _ in range(150):
            self.clock.advance(6 * SECOND)
            for name in self._makers:
                for _ in range(3):
                    self.turn(name)
            if not self.left and not self.waiting():
                return
        raise AssertionError(f"does not come to rest: {self.waiting()}")

    def turn(self, name: str) -> None:
        try:
            process = self.living.get(name)
            if process is None:
                process = self.living[name] = self._makers[name]()
            self.trace.append(f"{self.clock.at - START} {name}: {process.step()}")
        except Killed as death:
            self.trace.append(f"{self.clock.at - START} {name} killed {death}")
            self.deaths[str(death)] += 1
            gone = self.living.pop(name, None)
            if gone is not None:
                gone.abandon()

    def port(self, name: str) -> None:
        """Called wherever a process touches what lies outside of it."""
        if self.dangerous:
            chance = self.dice.random()
            if chance < self.risk:
                raise Killed(name)
            if chance < self.risk * 1.5 and name.endswith("before"):
                raise Transient(f"{name} is not to be had")

    def waiting(self) -> dict[str, int]:
        routing = self.living["routing"]
        index = self.living["index"]
        assert isinstance(routing, Routing)
        assert isinstance(index, Index)
        with read(self.eye) as connection:
            routed = dict(rows(connection, "SELECT part, next FROM stored_offset"))
            outbox = rows(connection, "SELECT count(*) FROM outbox")[0][0]
            accounts = absence.waiting(connection)
            alerts = rows(connection, "SELECT count(*) FROM alert WHERE state = 'pending'")[0][0]
            mails = rows(connection, "SELECT count(*) FROM mail WHERE state NOT IN ('sent', 'dropped')")[0][0]
        indexed = index.store.offsets(DECIDED, frozenset(range(PARTITIONS)), routing.log.epoch())
        left = {
            "nlp": routing.log.lag("nlp", POSTS),
            "routing": _left(routing.log, MENTIONS, routed),
            "outbox": outbox,
            "absences": accounts,
            "index": _left(routing.log, DECIDED, indexed),
            "alerts": alerts,
            "mails": mails,
        }
        return {name: count for name, count in left.items() if count}

    def close(self) -> None:
        for process in self.living.values():
            process.abandon()
        self.eye.dispose()


class Process:
    """Part of the program: what it holds open dies with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.births += 1
        self.name = f"process-{world.births}"
        self._engines: list[Engine] = []
        self.log = MortalLog(world)

    def step(self) -> object:
        raise AssertionError("the simulation asks nothing of this")

    def engine(self) -> Engine:
        made = open_database(self.world.folder / "app.db")
        event.listen(made, "connect", _fast)
        event.listen(made, "commit", self._commit)
        self._engines.append(made)
        return made

    def abandon(self) -> None:
        self.log.abandon()
        for engine in self._engines:
            engine.dispose()

    def _commit(self, connection: Connection) -> None:
        if not connection.get_execution_options().get("clamor_write"):
            return
        self.world.port("SQL before")
        try:
            self.world.port("SQL after")
        except BaseException:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.commit()
            raise


class Feed(Process):
    """A collector: what it is not sure to have appended, it appends again."""

    def step(self) -> object:
        batch = self.world.left[: self.world.dice.randint(1, 9)]
        if batch:
            with suppress(Transient):
                self.log.append([Append(POSTS, post.id, encode(post)) for post in batch])
                del self.world.left[: len(batch)]
        return [f"{post.id} {post.kind} {post.text}" for post in batch]


class Understanders(Process):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.stage = _stage(world, self.log, Understand())

    def step(self) -> object:
        return self.stage.step(timeout=0), self.stage.status().error


class Routing(Process):
    """Routing, the relay, the mailer and the compactor, as in one process of the program."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        brands = tuple(Brand(id=brand, name=brand) for brand in BRANDS)
        in_force = InForce(1, brands, 1, RULES, policy_revision=1, policy_yaml=default_policy())
        self.stage = _stage(world, self.log, RouteWork(self.engine(), _Fixed(in_force), epoch=self.log.epoch()))
        self.sql, self.desk = self.engine(), Desk(in_force)
        self.relay = Relay(self.sql, self.log, world.clock, self.name, batch=world.dice.choice((3, 1_000)))
        self.mailer = Mailer(
            self.sql, world.clock, Server(world), lambda: [PERSON], MAIL,
            journal=world.folder / "mails.journal", owner=self.name,
        )  # fmt: skip

    def step(self) -> object:
        # A stage takes an error of the work for a passing fault; a chore of the process waits and tries again.
        part = self.world.dice.choice(("stage", "stage", "relay", "mailer", "fold", "absences"))
        with suppress(Transient):
            if part == "stage":
                return self.stage.step(timeout=0), self.stage.status().error
            if part == "relay":
                return part, self.relay.step()
            if part == "mailer":
                return part, self.mailer.step(self.world.clock.at)
            if part == "absences":
                return part, absence.sweep(self.sql, self.desk, self.world.clock.at, most=2)
            return part, fold(self.sql)
        return part, "not now"

    def abandon(self) -> None:
        self.mailer._journal.close()
        super().abandon()


class Index(Process):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.store = MortalStore(world)
        self.stage = _stage(world, self.log, IndexWork(self.store, self.log.epoch()))

    def step(self) -> object:
        return self.stage.step(timeout=0), self.stage.status().error

    def abandon(self) -> None:
        self.store.close()
        super().abandon()


class MortalLog(EmbeddedLog):
    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(world.folder / "log.db", world.clock, LogSettings(fsync="normal", rebalance=0))
        self.writer._connection.execute("PRAGMA synchronous = OFF")
        self.ensure([TopicSpec(topic, PARTITIONS, 100 * DAY) for topic in TOPICS])

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        self.world.port("append before")
        places = super().append(records)
        self.world.port("append after")
        return places

    def consumer(self, group: str, topic: str, **callbacks: Any) -> Any:
        consumer = super().consumer(group, topic, **callbacks)
        plain = consumer.commit

        def commit(commits: Sequence[Commit]) -> None:
            self.world.port("commit before")
            plain(commits)
            self.world.port("commit after")

        consumer.commit = commit  # type: ignore[method-assign]
        return consumer


class MortalStore(EmbeddedStore):
    def __init__(self, world: World) -> None:
        super().__init__(world.folder / "index.db", world.clock)
        self.world = world

    def apply(self, decided: Sequence[Decided], commits: Sequence[Commit], epoch: str, now: Millis) -> None:
        self.world.port("store before")
        super().apply(decided, commits, epoch, now)
        self.world.port("store after")


class Server:
    """A mail server that remembers, and asks at each mail whether what it tells may be told."""

    deadline = 1.0

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, mail: Outgoing) -> Delivery:
        with suppress(Transient):
            self._world.port("send before")
        message = message_from_bytes(mail.content, policy=policy.default)
        text = "".join(part.get_content() for part in message.walk() if part.get_content_maintype() == "text")
        with read(self._world.eye) as connection:
            gone = rows(connection, "SELECT id FROM post WHERE state IN ('deleted', 'forgotten')")
        for (id,) in gone:
            assert f"t{id.partition(':')[2]}v" not in text, f"a mail tells of {id}, which is gone"
        self._world.mails.append((mail.message_id, text))
        self._world.port("send after")
        return Delivery("sent")

    def hang_up(self) -> None: ...

    def close(self) -> None: ...

    def forget_older(self, before: Millis) -> int:
        return 0


class Understand:
    """Stands for `nlp`: brands and intent are words of the text."""

    name = group = "nlp"
    topic = POSTS
    owns_offsets = False

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> list[Append]:
        return [
            Append(MENTIONS, post.id, encode(_understood(post, record.time, now)))
            for record in records
            for post in (decode(Post, record.value),)
        ]

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        return {}

    def idle(self, now: Millis) -> None: ...

    def close(self) -> None: ...


def _understood(post: Post, appended: Millis, now: Millis) -> Understood:
    if post.kind not in CONTENT_KINDS:
        return Understood(post=post, appended_at=appended, understood_at=now)
    words = post.text.split()
    intent, brands = words[-1], [word for word in words if word in BRANDS]
    return Understood(
        post=post, appended_at=appended, understood_at=now, content_hash=content_hash(post), lang="en", generation=1,
        fingerprint=said_by(post.text), mentions=tuple(_reading(brand, intent) for brand in brands),
        unnamed=_reading("", intent) if post.reply_to else None,
    )  # fmt: skip


def _reading(brand: str, intent: str) -> Understanding:
    mood = "positive" if intent == "praise" else "negative" if intent in ("complaint", SEVERE) else "neutral"
    level = "3" if intent == SEVERE else "0"
    return Understanding(
        brand=brand, sentiment=_sure(mood, SENTIMENTS), reputation=_sure(mood, SENTIMENTS),
        intent=_sure(intent, INTENTS), detractor=_sure(level, DETRACTOR_LEVELS),
    )  # fmt: skip


def _sure(label: str, classes: tuple[str, ...]) -> Scores:
    return Scores(label, tuple(1.0 if name == label else 0.0 for name in classes))


class _Fixed:
    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force

    def current(self) -> InForce:
        return self._in_force


def _stage(world: World, log: EmbeddedLog, work: Work) -> Stage:
    return Stage(log, work, world.clock, options=OPTIONS)


def _left(log: EmbeddedLog, topic: str, done: Mapping[int, int]) -> int:
    return sum(end - max(low, done.get(p, 0)) for p, (low, end) in log.bounds(topic).items())


def _fast(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _tables(folder: Path) -> None:
    """The tables, made once a session and copied."""
    ready = folder.parent / "empty.db"
    if not ready.exists():
        engine = open_database(ready)
        with write(engine) as connection:
            metadata.create_all(connection)
        engine.dispose()
    shutil.copy(ready, folder / "app.db")
