"""Several routers and several mailers on one PostgreSQL: what one of them would have done, and each thing once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import pytest
from mail_home import ANA, SETTINGS, MailHome
from msgspec.structs import replace
from route_home import NOW, SECOND, FixedRegistry, RouteHome, as_log, passed, reading, said
from sqlalchemy import Engine

from database.engine import open_database, read, rows
from routing.counts import fold
from routing.mail.transport import Delivery, Outgoing
from routing.mailer import Mailer
from routing.work import RouteWork
from stream.clock import WallClock
from stream.ports import Commit, Transient
from stream.records import Understood
from tests.places import keeping
from tests.services.postgres_server import PostgresServer

pytestmark = pytest.mark.services

ROUTERS = 4
BATCH = 9


def story(posts: int = 480) -> list[Understood]:
    """Conversations of many authors about two brands, with edits, deletes and near copies."""
    told: list[Understood] = []
    for n in range(posts):
        root, intent = n - n % 12, ("help_request", "complaint", "praise", "public_issue")[n % 4]
        about = reading(("acme", "brisa")[n % 2], intent, reputation="positive" if intent == "praise" else None)
        answers = {} if n == root else {"reply_to": f"x:{root}", "conversation": f"x:{root}"}
        record = said(str(n), about, text=f"words of {n % 50}", author=f"a{n % 17}", at=NOW + n * SECOND, **answers)
        told.append(replace(record, fingerprint=fingerprint(n % 50)))
    told += [passed(str(n), "deleted", NOW + 10_000_000) for n in range(0, posts, 7)]
    return told


def fingerprint(number: int) -> int:
    return int.from_bytes(blake2b(str(number).encode(), digest_size=8).digest(), signed=True)


def partition(record: Understood) -> int:
    """A post's records stay in order."""
    return int(record.post.id.removeprefix("x:")) % ROUTERS


def route(address: str, number: int, records: Sequence[Understood]) -> None:
    """As a stage does it: a batch whose fault passes is tried again."""
    engine = open_database(address)
    work = RouteWork(engine, FixedRegistry())
    work.offsets(frozenset({number}), "log-1")
    raw = as_log(records)
    for at in range(0, len(raw), BATCH):
        batch = raw[at : at + BATCH]
        for _ in range(50):
            try:
                work.run(batch, [Commit("mentions", number, at, at + len(batch))], NOW)
                break
            except Transient:
                continue
        else:
            raise AssertionError("fifty tries")
        fold(engine, most=20)
    work.close()


def test_several_routers_come_to_what_one_comes_to(postgres: PostgresServer, tmp_path: Path) -> None:
    records = story()
    several = RouteHome(tmp_path)
    shares = [[record for record in records if partition(record) == number] for number in range(ROUTERS)]
    faults: list[BaseException] = []

    def one(number: int) -> None:
        try:
            route(several.address, number, shares[number])
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(ROUTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with keeping("sqlite"):
        alone = RouteHome(tmp_path)
    alone.take(*records)
    assert _states(several) == _states(alone)
    assert _counted(several) == _counted(alone)
    assert several.sql("SELECT part, next FROM stored_offset ORDER BY part") == [
        (number, len(share)) for number, share in enumerate(shares)
    ]
    _nothing_twice(several)
    alone.close()
    several.close()


def _states(home: RouteHome) -> dict[str, str]:
    return {id: mention.state for id, mention in home.mentions().items()}


def _counted(home: RouteHome) -> tuple[int, ...]:
    """What does not rest on the order in which posts came."""
    found = home.counted()
    return tuple(found[name] for name in ("mentions", "negative", "positive", "detractors", "own"))


def _nothing_twice(home: RouteHome) -> None:
    assert home.sql("SELECT count(*) - count(DISTINCT id) FROM post") == [(0,)]
    twice = "SELECT 1 FROM cases WHERE live = 1 GROUP BY brand, conversation, queue, author HAVING count(*) > 1"
    assert home.sql(twice) == []
    for case in home.live_cases():
        working = [m for m in home.members(case["id"]) if home.mention(m).state == "live"]
        assert len(working) >= case["mentions"] > 0
    sizes = home.sql("SELECT cluster, count(*) FROM cluster_post GROUP BY cluster HAVING count(*) > 1 ORDER BY 1")
    assert home.sql("SELECT n, posts FROM cluster ORDER BY n") == sizes


class Counting:
    """Takes every mail and counts it by its Message-ID."""

    deadline = 5.0

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def send(self, mail: Outgoing) -> Delivery:
        self.taken[mail.message_id] += 1
        return Delivery("sent", "")

    def hang_up(self) -> None: ...

    def close(self) -> None: ...

    def forget_older(self, before: int) -> None: ...


def test_several_mailers_send_each_mail_once(postgres: PostgresServer, tmp_path: Path) -> None:
    home = MailHome(tmp_path, [ANA])
    for _ in range(5):
        home.severe()
    transport, engines = Counting(), [open_database(home.address) for _ in range(3)]
    stop = threading.Event()

    def mail(engine: Engine) -> None:
        clock = WallClock()
        Mailer(engine, clock, transport, lambda: home.people, SETTINGS).run(stop)  # type: ignore[arg-type]

    threads = [threading.Thread(target=mail, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    _until(lambda: _sent(home.engine) == 5, stop, threads)
    assert sorted(transport.taken.values()) == [1] * 5
    for engine in engines:
        engine.dispose()
    home.close()


def _until(true: object, stop: threading.Event, threads: Sequence[threading.Thread]) -> None:
    waited = threading.Event()
    try:
        for _ in range(300):
            if true():  # type: ignore[operator]
                return
            waited.wait(0.1)
        pytest.fail("not within 30 s")
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _sent(engine: Engine) -> int:
    with read(engine) as connection:
        found: int = rows(connection, "SELECT count(*) FROM mail WHERE state = 'sent'")[0][0]
    return found
