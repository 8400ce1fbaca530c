"""What every collector promises, as tests that run on each of them against its stand-in.

A network's test file makes a `Case` and inherits the tests:

    class TestReddit(Contract):
        @pytest.fixture
        def case(self) -> Iterator[Case]:
            with RedditStandIn() as reddit:
                yield RedditCase(reddit)

Add promises here, never in one network's file, where they hold for all. What a network cannot do it says in its case
(`edits = ""`) or in the attributes of its test class (`burst_kept = False`), and the test checks that the ledger then
says so. The runner, the log, the cursors and the ledger are real, the clock is the wall's.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from database.engine import read, rows
from ingest.collector import Interrupted, Sweepable
from ingest.gaps import SPEND_CAP
from ingest.web import Refused
from stream.clock import HOUR, SECOND
from stream.records import Millis
from tests.ingest.case import (
    Case,
    agree,
    child,
    collecting,
    found_by_sweeps,
    id_here,
    keeps,
    outage,
    sweep,
    wanted,
    went_wrong,
)
from tests.ingest.collecting import Collecting, Home, Purse, Shifted, until
from tests.standins.server import Fault

ANSWERS: dict[str, Fault] = {
    "500": Fault("status", status=500),
    "503": Fault("status", status=503, body=b"<h1>Service Unavailable</h1>"),
    "cut": Fault("cut"),
    "half": Fault("half"),
    "hang": Fault("hang", seconds=3.0),
    "garbage": Fault("garbage"),
    "shape": Fault(
        "status", status=200, body=b'{"unexpected": {"shape": [1]}}', headers={"Content-Type": "application/json"}
    ),
}


class Contract:
    """Inherit, give the fixture `case`; the attributes say what this network cannot do."""

    grain: Millis = SECOND
    """The network's times are right to so much."""
    authors = True
    """Posts have an author."""
    links = True
    """Posts have an address that a person can open."""
    burst = 10_000
    """Posts published at one moment."""
    burst_kept = True
    """False: the network shows only its last posts; the ledger has to say that some were missed."""
    asks_by_brand = True
    """False: what is asked does not depend on the brands (an own page, a firehose), and no brand's cap can hold it."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        return tmp_path / "collecting"

    def rate_limited(self, seconds: int) -> Fault:
        """How the network says: not before so many seconds have passed."""
        return Fault("status", status=429, headers={"Retry-After": str(seconds)})

    # --- what arrives ---

    def test_posts_arrive_as_they_are(self, case: Case, home: Path) -> None:
        """Id, text, time, author, link and source are the network's."""
        with collecting(case, home) as at_work:
            before = at_work.clock.now()
            ids = [case.publish(f"Acme ¿qué tal? {n} 🙂", author="ana") for n in range(3)]
            agree(case, at_work)
            now = at_work.clock.now()
            posts = {post.id: post for post in at_work.held.contents()}
            for native in ids:
                post = posts[id_here(at_work, native)]
                assert post.source_id == "source"
                assert post.claimed_at is not None
                assert before - self.grain <= post.claimed_at <= now + self.grain
                assert before - self.grain <= post.event_time <= now
                if self.authors:
                    assert post.author is not None
                    assert "ana" in f"{post.author.id} {post.author.handle} {post.author.name}"
                if self.links:
                    assert post.link is not None
            assert at_work.held.dead() == []
            assert at_work.runner.trouble == ""

    def test_an_idle_source_brings_nothing_twice_and_stops_at_once(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            for n in range(5):
                case.publish(f"Acme {n}")
            agree(case, at_work)
            seen = len(at_work.held.contents())
            assert seen == len({post.id for post in at_work.held.contents()}), "without a fault nothing comes twice"
            threading.Event().wait(0.5)
            assert len(at_work.held.contents()) == seen
            assert at_work.end(5) < 2.0

    def test_what_comes_in_one_burst_is_not_lost(self, case: Case, home: Path) -> None:
        """The case that costs others 700 of 1,200 posts, and more of it."""
        with collecting(case, home) as at_work:
            since = at_work.clock.now()
            for n in range(self.burst):
                case.publish(f"Acme burst {n}")
            if self.burst_kept:
                agree(case, at_work, 60)
            else:
                case.publish("Acme after the burst")
                until(lambda: "Acme after the burst" in at_work.held.texts().values(), lambda: at_work.runner.trouble)
            at_work.end()
            until_now = at_work.clock.now() + 1
            if not self.burst_kept:
                assert set(at_work.held.texts()) < set(wanted(case, at_work)), "all came: set burst_kept"
                assert at_work.ledger.gaps(["source"], since=since, until=until_now), "the ledger hides what is missing"

    def test_fields_that_nobody_knows_change_nothing(self, case: Case, home: Path) -> None:
        case.standin.odd = True
        with collecting(case, home) as at_work:
            for n in range(5):
                case.publish(f"Acme {n}")
            agree(case, at_work)
            assert at_work.held.dead() == []

    def test_what_is_no_post_goes_to_the_dead_letters_and_the_rest_goes_on(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            case.publish("Acme before")
            case.publish_malformed()
            case.publish("Acme behind")
            agree(case, at_work)
            until(at_work.held.dead, lambda: "it is nowhere in the dead letters")
            case.publish("Acme later")
            agree(case, at_work)
            dead = at_work.held.dead()
            assert all(letter.stage == "ingest" and letter.reason for letter in dead)
            assert len(dead) < 20, "the same thing is buried again and again"

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_a_clock_an_hour_wrong_loses_nothing(self, case: Case, home: Path, hours: int) -> None:
        """Ours runs ahead of the network's, or behind it; a cut makes it matter most."""
        with collecting(case, home, clock=Shifted(hours * HOUR)) as at_work:
            case.publish("Acme one")
            agree(case, at_work)
            outage(case, at_work, ["Acme two", "Acme three"])
            case.publish("Acme four")
            agree(case, at_work)

    # --- faults ---

    @pytest.mark.parametrize("answer", ANSWERS)
    def test_after_a_bad_answer_nothing_is_missing(self, case: Case, home: Path, answer: str) -> None:
        with collecting(case, home) as at_work:
            case.publish("Acme before")
            agree(case, at_work)
            case.standin.misbehave(ANSWERS[answer]._replace(times=2, only=case.first))
            case.standin.cut_streams()
            for n in range(5):
                case.publish(f"Acme meanwhile {n}")
            went_wrong(case)
            until(lambda: at_work.connected, lambda: at_work.runner.trouble)
            case.publish("Acme after")
            agree(case, at_work)

    def test_connections_that_break_all_the_time_cost_nothing(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            for n in range(60):
                case.publish(f"Acme {n}")
                if n % 15 == 7:
                    case.standin.cut_streams()
                threading.Event().wait(0.005)
            agree(case, at_work, 30)

    def test_a_stream_that_falls_silent_while_its_connection_stays_open_is_noticed(
        self, case: Case, home: Path
    ) -> None:
        """As behind a router that forgot the connection: no end comes, and no sign of life."""
        if not getattr(case, "silence", False):
            pytest.skip("this is no stream, or one that may be silent")
        with collecting(case, home, silence=1_500) as at_work:
            case.publish("Acme before")
            agree(case, at_work)
            case.standin.frozen = True
            asked = case.standin.asked(case.first)
            case.publish("Acme unheard")
            until(lambda: case.standin.asked(case.first) > asked, lambda: "it listens to a dead connection for good")
            case.standin.frozen = False
            agree(case, at_work)

    def test_a_rate_limit_is_obeyed_to_the_second(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            asked = len(case.standin.requests)
            case.standin.cut_and(self.rate_limited(1)._replace(only=case.first))
            went_wrong(case)
            case.publish("Acme meanwhile")
            until(
                lambda: "Acme meanwhile" in at_work.held.texts().values() or not keeps(case, at_work),
                lambda: at_work.runner.trouble,
            )
            until(lambda: at_work.connected, lambda: at_work.runner.trouble)
            with case.standin.lock:
                times = [one.at for one in case.standin.requests[asked:] if one.path.startswith(case.first)]
            waits = [after - before for before, after in pairwise(times)]
            assert any(wait >= 0.95 for wait in waits[:3]), f"it waited {max(waits, default=0):.2f} s, not 1 s"
            agree(case, at_work)

    def test_an_outage_is_filled_or_stands_in_the_ledger(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            since = at_work.clock.now()
            case.publish("Acme before")
            agree(case, at_work)
            outage(case, at_work, [f"Acme meanwhile {n}" for n in range(5)])
            case.publish("Acme after")
            agree(case, at_work)
            if keeps(case, at_work):
                _no_gap(at_work, since)
            else:
                at_work.end(10)
                (lost, *_) = at_work.ledger.gaps(["source"], since=since)
                assert (lost.state, lost.missed) == ("lost", None)
                assert lost.reason

    def test_it_stops_at_once_though_it_was_told_to_wait(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            case.standin.cut_and(self.rate_limited(60)._replace(only=case.first))
            until(lambda: at_work.runner.trouble, lambda: "no word of the rate limit in `trouble`")
            assert at_work.end(5) < 2.0

    def test_killed_in_the_middle_of_a_burst_it_goes_on_where_it_was(self, case: Case, home: Path) -> None:
        most = 150 if self.burst_kept else 15
        with Home(home) as reader:
            for round in range(2):
                with child(case, home):
                    held = len(reader.held.texts())
                    for n in range(most):
                        case.publish(f"Acme {round} {n}")
                    _more_than(reader, held)
                for n in range(most // 3):
                    case.publish(f"Acme {round} while nobody listens {n}")
        with collecting(case, home) as at_work:
            case.publish("Acme after")
            agree(case, at_work, 30)
            if keeps(case, at_work):
                _no_gap(at_work)

    # --- edits, deletes ---

    def test_edits_arrive(self, case: Case, home: Path) -> None:
        if case.edits in ("", "webhook"):
            pytest.skip("this network tells of no edits" if not case.edits else "its own test pushes them")
        with collecting(case, home) as at_work:
            ids = [case.publish(f"Acme {n}") for n in range(4)]
            agree(case, at_work)
            case.edit(ids[1], "Acme says something else")
            case.edit(ids[2], "Acme was edited twice")
            case.edit(ids[2], "Acme was edited")
            if case.edits == "sweep":
                sweep(at_work, ids)
            agree(case, at_work)

    def test_deletes_arrive(self, case: Case, home: Path) -> None:
        if case.deletes in ("", "webhook"):
            pytest.skip("this network tells of no deletes" if not case.deletes else "its own test pushes them")
        with collecting(case, home) as at_work:
            ids = [case.publish(f"Acme {n}") for n in range(4)]
            agree(case, at_work)
            case.delete(ids[1])
            if case.deletes == "sweep":
                existence = sweep(at_work, ids)
                assert existence[ids[1]] in ("gone", "absent")
                assert [existence[id] for id in (ids[0], ids[2], ids[3])] == ["there"] * 3
            else:
                agree(case, at_work)

    def test_what_was_looked_up_in_vain_says_so(self, case: Case, home: Path) -> None:
        """Of every id there is an answer, and a fault is one for none of them."""
        if "sweep" not in (case.edits, case.deletes):
            pytest.skip("this network needs no sweep")
        with collecting(case, home) as at_work:
            ids = [case.publish("Acme one"), case.publish("Acme two")]
            agree(case, at_work)
            at_work.end(10)
            at_work.stop.clear()  # nothing else asks any more, and it is not told to stop
            collector = at_work.collector
            assert isinstance(collector, Sweepable)
            case.standin.misbehave(Fault("status", status=503, times=50))
            with pytest.raises(Exception) as fault:
                collector.look_up(ids)
            assert isinstance(fault.value, Interrupted | Refused), repr(fault.value)
            case.standin.recover()
            assert set(collector.look_up(ids).existence) == set(ids)

    # --- budget, ledger, secrets ---

    def test_a_brand_whose_budget_is_spent_is_not_asked_for(self, case: Case, home: Path) -> None:
        if not self.asks_by_brand:
            pytest.skip("what is asked here does not depend on brands")
        room = threading.Event()
        with collecting(case, home, allowed=lambda brand: room.is_set()) as at_work:
            case.publish("Acme unseen")
            threading.Event().wait(0.4)
            assert at_work.held.texts() == {}
            room.set()
            until(
                lambda: case.publish("Acme again") and "Acme again" in at_work.held.texts().values(),
                lambda: "it asks for nothing though there is room again",
            )
            at_work.end(10)
            capped = [row for row in at_work.ledger.rows(["source"]) if "spend cap" in row.reason]
            assert {row.query for row in capped} == {"acme"}
            assert all(row.missed is None for row in capped)

    def test_once_its_budget_is_used_up_nothing_more_is_asked_and_the_ledger_says_so(
        self, case: Case, home: Path
    ) -> None:
        purse = Purse()
        with collecting(case, home, budget=purse) as at_work:
            case.publish("Acme before")
            agree(case, at_work)
            assert purse.requests > 0, "what is asked is paid for"
            purse.used_up.set()
            case.publish("Acme at the end")
            until(lambda: SPEND_CAP in at_work.runner.trouble, lambda: f"trouble is {at_work.runner.trouble!r}")
            asked = len(case.standin.requests)
            case.publish("Acme meanwhile")
            threading.Event().wait(0.4)
            assert len(case.standin.requests) == asked
            assert "Acme meanwhile" not in at_work.held.texts().values()
            (gap,) = [one for one in at_work.ledger.gaps(["source"], fillable=True) if not one.query]
            assert gap.reason.startswith(SPEND_CAP)

    def test_the_ledger_adds_up(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            since = at_work.clock.now()
            for n in range(40):
                case.publish(f"Acme {n}")
            agree(case, at_work)
            at_work.end(10)
            figure = at_work.ledger.figure(since, at_work.clock.now() + 1, sources=["source"])
            assert 40 <= figure.kept <= figure.received <= len(case.truth())
            assert figure.received >= figure.kept + figure.filtered
            assert figure.late == 0
            assert (figure.known_missed, figure.unknown_gaps, figure.refused) == (0, 0, 0)
            assert figure.share == 1.0
            assert sum(row.asked for row in at_work.ledger.rows(["source"])) > 0

    def test_every_request_stands_in_the_ledger_and_is_paid_for(self, case: Case, home: Path) -> None:
        """But for those that the network's case names (`uncounted`), and docs/collectors.md with it."""
        purse = Purse()
        with collecting(case, home, budget=purse) as at_work:
            for n in range(40):
                case.publish(f"Acme {n}")
            agree(case, at_work)
            purse.used_up.set()
            case.publish("Acme at the end")
            until(lambda: SPEND_CAP in at_work.runner.trouble, lambda: f"trouble is {at_work.runner.trouble!r}")
            uncounted = getattr(case, "uncounted", ())
            with case.standin.lock:
                made = Counter(one.path for one in case.standin.requests if not one.path.startswith(uncounted))
            at_work.end(10)
            asked = sum(row.asked for row in at_work.ledger.rows(["source"]))
            assert asked == made.total(), f"{asked} stand there; made were {made}"
            assert purse.requests == asked

    def test_refused_by_the_network_it_says_so_in_words(self, case: Case, home: Path) -> None:
        with collecting(case, home) as at_work:
            case.standin.misbehave(Fault("status", status=401, times=1_000))
            case.standin.cut_streams()
            until(
                lambda: at_work.runner.trouble.startswith("refused by the network"),
                lambda: f"trouble is {at_work.runner.trouble!r}",
            )
            assert len(at_work.runner.trouble) > 40

    def test_secrets_are_nowhere(
        self, case: Case, home: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not even when the network sends them back in its errors."""
        secrets = [value for value in case.secrets().values() if value]
        caplog.set_level(logging.WARNING)
        echo = " ".join(secrets).encode()
        with collecting(case, home) as at_work:
            case.publish("Acme one")
            agree(case, at_work)
            shown = repr(at_work.collector)
            for fault in (
                Fault("status", status=500, body=echo),
                Fault("status", status=400, body=echo),
                Fault("cut"),
                Fault("garbage"),
                ANSWERS["shape"],
                Fault("status", status=401, body=echo, times=1_000),
            ):
                case.standin.misbehave(fault._replace(only=case.first))
                case.standin.cut_streams()
                asked = len(case.standin.requests)
                until(lambda asked=asked: len(case.standin.requests) > asked, lambda: at_work.runner.trouble)  # type: ignore[misc]
                threading.Event().wait(0.1)
                shown += at_work.runner.trouble
                if fault.status != 401:
                    until(lambda: at_work.connected, lambda: at_work.runner.trouble)
            with read(at_work.engine) as connection:
                given = rows(connection, "SELECT access_token, COALESCE(refresh_token, '') FROM credential")
        said = capsys.readouterr()
        shown += said.out + said.err + caplog.text
        files = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
        for secret in secrets:
            assert secret not in shown
            assert secret.encode() not in files
        assert not [token for tokens in given for token in tokens if token and token in shown], (
            "what was traded for them"
        )

    # --- all of it at once ---

    @pytest.mark.soak
    @pytest.mark.timeout(1_200)
    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_happens_in_whatever_order(self, case: Case, home: Path, seed: int) -> None:
        """Posts, edits, deletes, faults and kills, 300 steps of them; what we hold is what the network holds. What the
        network does not promise to tell of by itself is looked up in the end, as sweeps do."""
        dice = random.Random(seed)
        alive: list[str] = []
        edited: list[str] = []
        deleted: list[str] = []
        most = 150 if self.burst_kept else 5
        process = child(case, home)
        try:
            for step in range(300):
                match dice.choices(("post", "edit", "delete", "fault", "cut", "kill"), (12, 3, 2, 2, 2, 0.2))[0]:
                    case "edit" if alive and case.edits not in ("", "webhook"):
                        edited.append(dice.choice(alive))
                        case.edit(edited[-1], f"Acme edited at {step}")
                    case "delete" if alive and case.deletes not in ("", "webhook"):
                        deleted.append(alive.pop(dice.randrange(len(alive))))
                        case.delete(deleted[-1])
                    case "fault":
                        case.standin.misbehave(dice.choice(list(ANSWERS.values()))._replace(times=dice.randint(1, 3)))
                    case "cut":
                        case.standin.cut_streams()
                    case "kill":
                        process.kill()
                        case.standin.recover()
                        process = child(case, home)
                    case _:
                        alive += [case.publish(f"Acme {step} {n}") for n in range(dice.choice((1, 2, most)))]
                threading.Event().wait(dice.uniform(0.0, 0.03))
        finally:
            process.kill()
        case.standin.recover()
        with collecting(case, home) as at_work:
            case.publish("Acme at last")
            resumes, may_miss = at_work.collector.resumes, not self.burst_kept
            unasked = [*(edited if found_by_sweeps(case, case.edits, resumes) else ()),
                       *(deleted if found_by_sweeps(case, case.deletes, resumes) else ())]  # fmt: skip
            if unasked:
                agree(case, at_work, 60, may_miss=may_miss, may_be_old=unasked)
                until(lambda: _swept(at_work, list(dict.fromkeys(unasked))), lambda: "the sweep gets no answer", 60)
                left = at_work.held.texts().keys() & {id_here(at_work, native) for native in deleted}
                assert not left, f"looked up in vain, and still here: {left}"
            agree(case, at_work, 60, may_miss=may_miss)
            if keeps(case, at_work) and self.burst_kept:
                _no_gap(at_work, seconds=180)


def _no_gap(at_work: Collecting, since: Millis = 0, seconds: float = 15) -> None:
    """Wait until the ledger says that all came."""
    until(
        lambda: not at_work.ledger.gaps(["source"], since=since),
        lambda: f"all came, and still there are gaps: {at_work.ledger.gaps(['source'])}",
        seconds,
    )


def _swept(at_work: Collecting, native_ids: Sequence[str]) -> bool:
    try:
        sweep(at_work, native_ids)
    except Interrupted:
        return False
    return True


def _more_than(home: Home, posts: int) -> None:
    until(lambda: len(home.held.texts()) > posts, lambda: "the child brought nothing")
