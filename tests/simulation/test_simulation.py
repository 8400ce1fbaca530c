"""Semantics 25: whatever interleaving, whatever process dies at whatever call, what stands at the end is the truth."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated_posts import posts_of
from simulated_truth import QUEUES, Truth, cases, copies, counted, truth_of
from simulated_world import PARTITIONS, Index, Routing, World

from database.engine import read, rows
from query.parse import parse
from routing.policy import Policy, default_policy
from stream.ports import ALERTS, DEAD_LETTER, EVERYTHING
from stream.records import Alert, Mention, decode

SOAK = bool(os.environ.get("CLAMOR_SOAK"))
SEEDS = 10_000 if SOAK else 200
STRETCH = 25
FOUND = (330, 1102, 1321, 1431)
"""Seeds that once failed."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """In memory where the system has such a folder: power cuts are no part of this, processes that end are."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("first", range(0, SEEDS, STRETCH))
def test_what_stands_at_the_end_is_the_truth(first: int, place: Path) -> None:
    for seed in range(first, first + STRETCH):
        simulate(seed, place)


@pytest.mark.parametrize("seed", FOUND)
def test_seeds_that_once_failed(seed: int, place: Path) -> None:
    simulate(seed, place)


def simulate(seed: int, place: Path) -> World:
    random.seed(seed)
    dice = random.Random(seed)
    observations = posts_of(dice, most=24)
    folder = place / str(seed)
    folder.mkdir()
    world = World(seed, folder, observations)
    try:
        world.live(turns=dice.choice((60, 120, 200)))
        world.finish()
        judge(world, truth_of(observations))
    except Exception as error:
        steps = "\n".join(world.trace)
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}\nits last steps:\n{steps}") from error
    finally:
        world.close()
        shutil.rmtree(folder)
    return world


def judge(world: World, truth: dict[str, Truth]) -> None:
    """Raises AssertionError where log, SQL, index or mails hold anything else than the truth."""
    held = _mentions(world)
    live = {m.post_id for m in held.values() if m.state == "live"}
    _texts(world, truth, held)
    _counts(world, truth, live)
    _cases(world, truth, held, live)
    _copies(world, truth, held, live)
    _kinds(world, held)
    _index(world, truth, held)
    _mails(world, truth)
    _alerts(world)


def _mentions(world: World) -> dict[str, Mention]:
    with read(world.eye) as connection:
        found = [decode(Mention, body) for (body,) in rows(connection, "SELECT body FROM mention")]
    return {mention.id: mention for mention in found}


def _texts(world: World, truth: dict[str, Truth], held: dict[str, Mention]) -> None:
    """Every post's final text, brands and time, and nothing of what is gone, waits included."""
    for one in truth.values():
        expected = {f"{one.id}#{brand}" for brand in one.about} if one.shown else set()
        found = {id: m for id, m in held.items() if m.post_id == one.id and m.state == "live"}
        assert set(found) == expected, f"{one}: {sorted(found)}"
        for m in found.values():
            assert m.post is not None
            assert (m.post.text, m.event_time) == (one.text, one.event_time), one
            assert m.decision is not None
            assert m.decision.queue == QUEUES[one.intent], one
    with read(world.eye) as connection:
        stored = b"".join(body for (body,) in rows(connection, "SELECT body FROM mention"))
        stored += b"".join(body for (body,) in rows(connection, "SELECT body FROM waiting"))
    for one in truth.values():
        if not one.shown:
            for word in one.words:
                assert word.encode() + b" " not in stored, f"{word} of {one.id} is still in SQL"


def _counts(world: World, truth: dict[str, Truth], live: set[str]) -> None:
    both = " UNION ALL ".join(
        f"SELECT brand, minute, intent, mentions FROM {table}" for table in ("count_delta", "count_minute")
    )
    with read(world.eye) as connection:
        words = dict(rows(connection, "SELECT n, value FROM dictionary"))
        found: Counter[tuple[str, int, str]] = Counter()
        for brand, minute, intent, mentions in rows(connection, both):
            found[words[brand], minute, words[intent]] += mentions
        authors = rows(connection, "SELECT sum(mentions) FROM author")[0][0] or 0
    expected = counted(truth, live)
    assert {key: n for key, n in found.items() if n} == dict(expected), "counts"
    assert authors == expected.total(), "mentions by author"


def _cases(world: World, truth: dict[str, Truth], held: dict[str, Mention], live: set[str]) -> None:
    with read(world.eye) as connection:
        stored = {id: row for id, *row in rows(connection, "SELECT id, queue, live, mentions FROM cases")}
    members: dict[int, set[str]] = {}
    for m in held.values():
        if m.state == "live" and m.decision is not None and m.decision.queue != "none":
            assert m.case_id is not None, f"{m.id} asks for work and is in no case"
            members.setdefault(m.case_id, set()).add(m.id)
            queue, is_live, _ = stored[m.case_id]
            assert is_live, f"{m.id} is in a case that is closed"
            assert m.decision.queue != "pr" or queue == "pr", f"{m.id} is for pr, its case is not"
    for id, (_, is_live, mentions) in stored.items():
        if is_live:
            assert mentions == len(members.get(id, ())), f"case {id} counts {mentions}, it has {members.get(id)}"
            assert mentions, f"case {id} is live and empty"
    expected = cases(truth, live)
    calm = {id for ids in expected for id in ids}
    assert {frozenset(ids) for ids in members.values() if ids & calm} == expected, "cases"


def _copies(world: World, truth: dict[str, Truth], held: dict[str, Mention], live: set[str]) -> None:
    """Near copies share a cluster, and the tables hold what the mentions say."""
    found: dict[int, set[str]] = {}
    for m in held.values():
        assert (m.cluster is None) == (m.state != "live" or not m.fingerprint), m.id
        if m.cluster is not None:
            found.setdefault(m.cluster, set()).add(m.post_id)
    assert {frozenset(ids) for ids in found.values()} == copies(truth, live), "clusters"
    with read(world.eye) as connection:
        rows_of = rows(connection, "SELECT c.cluster, p.id FROM cluster_post c JOIN post p ON p.n = c.post")
        sizes = dict(rows(connection, "SELECT n, posts FROM cluster"))
    assert sorted(rows_of) == sorted((n, id) for n, ids in found.items() for id in ids), "rows of clusters"
    assert sizes == {n: len(ids) for n, ids in found.items() if len(ids) > 1}, "sizes of clusters"


def _kinds(world: World, held: dict[str, Mention]) -> None:
    """By the policy for detractors every live mention has the kind that follows from what is stored, and nothing that
    is gone has one."""
    policy, expected = Policy.read(default_policy(), 1), {}
    for m in held.values():
        if m.state == "live" and m.decision is not None:
            found = policy.of(m, m.decision.risk, m.decision.terms)
            expected |= {m.id: (found.kind, m.event_time + found.expires)} if found is not None else {}
    with read(world.eye) as connection:
        stored = rows(connection, _BEHAVIOUR)
    assert {f"{post}#{brand}": (kind, until) for post, brand, kind, until in stored} == expected, "kinds"


_BEHAVIOUR = (
    "SELECT p.id, d.value, b.kind, b.until FROM behaviour b JOIN mention m ON m.n = b.mention "
    "JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = b.brand"
)


def _index(world: World, truth: dict[str, Truth], held: dict[str, Mention]) -> None:
    process = world.living["index"]
    assert isinstance(process, Index)
    store = process.store
    shown = {id for id, m in held.items() if m.state == "live"}
    for id, m in held.items():
        found = store.get(id, EVERYTHING)
        assert found == (m if id in shown else None), f"index and SQL differ in {id}"
    for brand in ("acme", "brisa"):
        query = parse(f"brand:{brand}", now=world.clock.at)
        expected = sum(1 for id in shown if id.endswith(f"#{brand}"))
        assert store.count(query, EVERYTHING).value == expected
        assert sum(bucket.count for bucket in store.histogram(query, EVERYTHING, 60_000).buckets) == expected
    for one in truth.values():
        for word in one.words:
            hits = {hit.mention.id for hit in store.search(parse(word, now=world.clock.at), EVERYTHING).hits}
            assert hits == {id for id in shown if held[id].post_id == one.id and one.text.startswith(f"{word} ")}, word
    assert not [p for p, (low, end) in process.log.bounds(DEAD_LETTER).items() if end > low], "dead letters"


def _alerts(world: World) -> None:
    """Each alert to people is on its topic, at least once, and nothing else is."""
    routing = world.living["routing"]
    assert isinstance(routing, Routing)
    told = {
        decode(Alert, record.value).id
        for partition in range(PARTITIONS)
        for record in routing.log.read(ALERTS, partition, 0, 10_000)
    }
    with read(world.eye) as connection:
        assert told == {id for (id,) in rows(connection, "SELECT id FROM alert")}


def _mails(world: World, truth: dict[str, Truth]) -> None:
    with read(world.eye) as connection:
        written = dict(rows(connection, "SELECT message_id, state FROM mail"))
        told = rows(connection, _TOLD)
    taken = Counter(id for id, _ in world.mails)
    assert {id for id, state in written.items() if state == "sent"} <= set(taken), "a mail was lost"
    assert set(taken) <= set(written)
    doubles = sum(times - 1 for times in taken.values())
    assert doubles <= world.deaths["send after"], "only death between the server's taking and the journal doubles"
    must = {f"{one.id}#{brand}" for one in truth.values() if one.must_wake for brand in one.about}
    assert must <= {f"{post}#{brand}" for post, brand in told}, "a severe post that nobody was told of"


_TOLD = """
SELECT p.id, d.value FROM mention m JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = m.brand
WHERE EXISTS (
    SELECT 1 FROM mail JOIN mail_item i ON i.mail = mail.id JOIN alert a ON a.id = i.alert
    LEFT JOIN cases c ON c.id = a.case_id
    WHERE mail.state = 'sent' AND (a.mention_n = m.n OR m.case_id IN (c.id, c.merged_into))
)
"""
