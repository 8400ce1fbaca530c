"""A database with mentions, cases and alerts as routing writes them, and the mailer on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from database.engine import many, open_database, read, write
from routing.mail.smtp import SmtpTransport
from routing.mail.transport import Transport
from routing.mailer import Mailer, StepResult
from routing.named import named
from routing.people_to_tell import MailServer, MailSettings, Person
from stream.clock import ManualClock
from stream.records import Author, Decision, Mention, Metrics, Millis, Post, Queue, Scores, Term, Understanding, encode
from tests.places import new_database

START: Millis = 1_790_000_000_000

ANA = Person(id="ana", name="Ana Ruiz", email="ana@example.org", language="es")
BEN = Person(id="ben", name="Ben Low", email="ben@example.org", queues=frozenset({"pr"}))
SETTINGS = MailSettings(
    from_address="clamor@example.net",
    program="clamor --home /srv/clamor",
    brand_names={"acme": "Acme Air", "bakery": "Old Bakery"},
)


class MailHome:
    """`with`-less: call `close`. Numbers of mentions and cases are given out in order."""

    def __init__(self, folder: Path, people: Sequence[Person] = (ANA,), settings: MailSettings = SETTINGS) -> None:
        self.folder = folder
        self.address = new_database(folder)
        self.engine = open_database(self.address)
        self.clock = ManualClock(START)
        self.people: list[Person] = list(people)
        self.settings = settings
        self.mailers: list[Mailer] = []
        self._n = 0
        self._brands: dict[str, int] = {}
        self._new_brands: list[tuple[int, str]] = []
        self._staged: list[tuple[int, tuple[Any, ...]]] = []

    def mailer(
        self, transport: Transport, journal: Path | None = None, owner: str | None = None, *, elsewhere: bool = False
    ) -> Mailer:
        made = Mailer(
            self.engine,
            self.clock,
            transport,
            lambda: self.people,
            self.settings,
            journal=journal,
            elsewhere=elsewhere,
            owner=owner,
        )
        self.mailers.append(made)
        return made

    def close(self) -> None:
        for mailer in self.mailers:
            mailer.close()
        self.engine.dispose()

    def mention(self, text: str = "the plane left without us, never again", **values: object) -> int:
        """Number of a live mention of its own post; `values` as of `_row`."""
        n, row = self._row(text, **values)  # type: ignore[arg-type]
        self._insert([row])
        if values.get("cluster") is not None:
            self._cluster(n, values["cluster"])
        return n

    def _cluster(self, n: int, cluster: object) -> None:
        """As routing notes near copies; every five posts have the same five authors."""
        with write(self.engine) as connection:
            sql = (
                "INSERT INTO cluster_post (post, cluster, fingerprint, author, event_time, joined_at, entry) "
                "VALUES (?, ?, 1, ?, ?, 0, 1)"
            )
            many(connection, sql, [(n, cluster, n % 5, self.clock.at)])
            sql = (
                "INSERT INTO cluster (n, posts) SELECT cluster, count(*) FROM cluster_post WHERE cluster = ? "
                "GROUP BY cluster HAVING count(*) > 1 ON CONFLICT (n) DO UPDATE SET posts = excluded.posts"
            )
            many(connection, sql, [(cluster,)])

    def late_mention(self, source: str, at: Millis) -> int:
        """A mention of a post that a source brought late."""
        post = Post(
            id=f"x:late{at}", network="x", text=f"written at {at}", seen_at=at, event_time=at, origin="gapfill",
            source_id=source,
        )  # fmt: skip
        return self.mention(post=post)

    def stage_severe(self, **values: object) -> None:
        """As `severe`, kept until `write_staged`."""
        n, row = self._row("nothing flies today", case_id=self._n + 1001, **values)  # type: ignore[arg-type]
        self._staged.append((n, row))

    def write_staged(self, alerts: bool = True) -> None:
        """Write what was staged: mentions, with an alert each unless told otherwise."""
        self._insert([row for _, row in self._staged])
        if not alerts:
            self._staged.clear()
        brands = {number: brand for brand, number in self._brands.items()}
        with write(self.engine) as connection:
            many(
                connection,
                "INSERT INTO alert (kind, mention_n, case_id, brand, queue, risk, why, event_time, created_at)"
                " VALUES ('mention', ?, ?, ?, ?, ?, 'severe', ?, ?)",
                [(n, row[7], brands[row[2]], row[5], row[6], self.clock.at, self.clock.at) for n, row in self._staged],
            )
        self._staged.clear()

    def _insert(self, values: Sequence[tuple[Any, ...]]) -> None:
        with write(self.engine) as connection:
            many(connection, "INSERT INTO dictionary (n, kind, value) VALUES (?, 'brand', ?)", self._new_brands)
            self._new_brands.clear()
            many(
                connection,
                "INSERT INTO mention (n, post, brand, revision, state, queue, risk, case_id, event_time, indexed_month,"
                " body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    def delete(self, n: int) -> None:
        """As routing leaves a mention whose post was deleted on its network."""
        with write(self.engine) as connection:
            record = named(connection, "SELECT post, brand FROM mention WHERE n = ?", (n,))[0]
            gone = Mention(
                id=f"x:{n}#acme", revision=2, state="deleted", post_id=f"x:{n}", brand="acme", network="x", event_time=0
            )
            assert record is not None
            many(connection, "UPDATE mention SET state = 'deleted', body = ? WHERE n = ?", [(encode(gone), n)])

    def case(self, number: int, *, queue: str = "pr", mentions: int = 1, brand: str = "acme") -> int:
        """A case, or its new state."""
        with write(self.engine) as connection:
            many(
                connection,
                "INSERT INTO cases (id, brand, conversation, author, queue, state, live, priority, risk, mentions,"
                " opened_at, updated_at) VALUES (?, ?, ?, 0, ?, 'new', ?, 'high', 0, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, mentions = excluded.mentions",
                [(number, self._brand(brand), number, queue, 1, mentions, self.clock.at, self.clock.at)],
            )
        return number

    def alert(
        self,
        mention: int | None,
        *,
        case_id: int | None = None,
        risk: int = 80,
        queue: str = "pr",
        brand: str = "acme",
        kind: str = "mention",
        why: str = "risk is 70 or more",
    ) -> int:
        return self.alerts([(mention, case_id)], risk=risk, queue=queue, brand=brand, kind=kind, why=why)[0]

    def alerts(
        self,
        subjects: Sequence[tuple[int | None, int | None]],
        *,
        risk: int = 80,
        queue: str = "pr",
        brand: str = "acme",
        kind: str = "mention",
        why: str = "risk is 70 or more",
    ) -> list[int]:
        """Alerts as routing's transaction writes them, for (mention, case) each."""
        with write(self.engine) as connection:
            return [
                named(
                    connection,
                    "INSERT INTO alert (kind, mention_n, case_id, brand, queue, risk, why, event_time, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                    (kind, mention, case, brand, queue, risk, why, self.clock.at, self.clock.at),
                )[0].id
                for mention, case in subjects
            ]

    def severe(self, text: str = "the plane left without us", **values: object) -> int:
        """A mention with a case of its own and its alert; the mention's number."""
        n = self.mention(text, case_id=self._n + 1001, **values)  # type: ignore[arg-type]
        queue = str(values.get("queue", "pr"))
        brand = str(values.get("brand", "acme"))
        risk = values.get("risk", 80)
        assert isinstance(risk, int)
        self.case(n + 1000, queue=queue, brand=brand)
        self.alert(n, case_id=n + 1000, risk=risk, queue=queue, brand=brand)
        return n

    def gap(self, source: str, since: Millis, until: Millis, state: str = "gap", brands: str = "") -> None:
        """A span of the coverage ledger."""
        with write(self.engine) as connection:
            many(
                connection,
                "INSERT INTO coverage (source_id, query, part, since, until, state, asked, received, missed, reason,"
                " brands, recorded_at) VALUES (?, '', ?, ?, ?, ?, 1, 0, NULL, 'the network refused us', ?, ?)",
                [(source, str(since), since, until, state, brands, self.clock.at)],
            )

    def mails(self) -> list[tuple[str, str, str, str]]:
        """(person, kind, state, reason) of every mail, oldest first."""
        with read(self.engine) as connection:
            return [tuple(r) for r in named(connection, "SELECT person, kind, state, reason FROM mail ORDER BY id")]

    def states(self) -> list[str]:
        return [state for _, _, state, _ in self.mails()]

    def _row(
        self,
        text: str,
        *,
        brand: str = "acme",
        queue: Queue = "pr",
        risk: int = 80,
        case_id: int | None = None,
        intent: str = "churn_threat",
        cluster: int | None = None,
        post: Post | None = None,
        terms: tuple[Term, ...] = (Term("severity", 36.0, "open anger, or a warning to others (level 2: 80% likely)"),),
        access: str = "public",
        rule: str = "severe",
    ) -> tuple[int, tuple[Any, ...]]:
        self._n += 1
        n = self._n
        written = post or Post(
            id=f"x:{n}",
            network="x",
            text=text,
            author=Author(id=f"a{n}", handle=f"flyer{n}", name=f"Flyer {n}", followers=12_000),
            seen_at=self.clock.at,
            event_time=self.clock.at,
            link=f"https://x.example/{n}",
            metrics=Metrics(likes=30, reposts=12),
            access=access,
        )
        record = Mention(
            id=f"{written.id}#{brand}",
            revision=1,
            post=written,
            post_id=written.id,
            brand=brand,
            network=written.network,
            event_time=written.event_time,
            source_id=written.source_id,
            access=access,
            cluster=cluster,
            understanding=Understanding(
                brand=brand,
                sentiment=Scores("negative", (1.0, 0.0, 0.0)),
                intent=Scores(intent, (1.0,)),
                detractor=Scores("2", (0.0, 0.0, 1.0, 0.0)),
            ),
            decision=Decision(
                queue=queue,
                rule=rule,
                rules_revision=1,
                why="risk is 70 or more",
                alert=True,
                may_wake=True,
                risk=risk,
                terms=terms,
            ),
            case_id=case_id,
            appended_at=self.clock.at - 1_500,
        )
        values = (
            n, n, self._brand(brand), 1, "live", queue, risk, case_id, written.event_time, 202611, encode(record),
        )  # fmt: skip
        return n, values

    def _brand(self, brand: str) -> int:
        if brand not in self._brands:
            self._brands[brand] = number = len(self._brands) + 1
            self._new_brands.append((number, brand))
        return self._brands[brand]


def smtp(port: int, **settings: object) -> SmtpTransport:
    """A transport to a server of this machine, without encryption and with short patience unless told."""
    chosen: dict[str, object] = {"security": "none", "timeout": 5.0, "deadline": 10.0} | settings
    return SmtpTransport(MailServer(host="127.0.0.1", port=port, from_address="clamor@example.net", **chosen))  # type: ignore[arg-type]


def settle(mailer: Mailer, home: MailHome, most: int = 100) -> list[StepResult]:
    """Step until there is nothing to do at this moment."""
    results = []
    for _ in range(most):
        result = mailer.step(home.clock.now())
        results.append(result)
        if result.idle:
            return results
    raise AssertionError(f"still busy after {most} steps: {results[-1]}")
