"""In whatever order the observations of some posts arrive, and in whatever batches, the same stands at the end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from route_home import NOW, RouteHome, passed, reading, said

from routing.risk import reach_bucket
from stream.records import Metrics, Understood

RULES = """
rules:
  - {name: pr, when: "intent:public_issue", queue: pr}
  - {name: support, when: "intent:(complaint OR help_request)", queue: support}
  - {name: sales, when: "intent:purchase_interest", queue: sales}
"""
INTENTS = ("complaint", "help_request", "purchase_interest", "public_issue", "praise")
MOODS = {"complaint": "negative", "public_issue": "negative", "praise": "positive"}


@st.composite
def histories(draw: st.DrawFn) -> list[Understood]:
    """Everything that was ever observed of up to five posts, by increasing times."""
    records: list[Understood] = []
    answerable: list[int] = []
    for n in range(draw(st.integers(1, 5))):
        records += _post(draw, n, answerable)
    return records


def _post(draw: st.DrawFn, n: int, answerable: list[int]) -> list[Understood]:
    intent = draw(st.sampled_from(INTENTS))
    at = NOW + n * 10_000
    post = {
        "reply_to": f"x:{draw(st.sampled_from(answerable))}" if answerable and draw(st.booleans()) else None,
        "author": draw(st.sampled_from(("ann", "bob"))),
    }
    generations: dict[str, int] = {}
    own_words = draw(st.booleans()) or post["reply_to"] is None
    understood = reading("acme", intent, reputation=MOODS.get(intent))

    def version(kind: str, at: int, text: str, named: bool) -> Understood:
        # A newer text may be read by a process of an older generation.
        generation = generations.setdefault(text, draw(st.integers(1, 3)))
        return said(
            str(n), *([understood] if named else []), text=text, at=at, kind=kind,
            edited_at=at if kind == "edited" else None, unnamed=understood if post["reply_to"] else None,
            generation=generation, **post,
        )  # fmt: skip

    records = [version("created", at, f"post {n}", own_words)]
    text, named = f"post {n}", own_words
    # A pr mention stays: what it raised is lowered by people only, so taking it away depends on when.
    if intent != "public_issue":
        for edit in range(draw(st.integers(0, 2))):
            text, named = f"post {n} edit {edit}", own_words and draw(st.booleans())
            records.append(version("edited", at + 100 + edit, text, named))
        deleted = draw(st.booleans())
        # Whether a deleted reply, whose text is gone, was about the brand of the post that it answers is not
        # found out later: nobody answers one here.
        if post["reply_to"] is None or not deleted:
            answerable.append(n)
        if deleted:
            records.append(passed(str(n), "deleted", at + 200))
            if draw(st.booleans()):
                records.append(version("restored", at + 300, text, named))
    else:
        answerable.append(n)
    if draw(st.booleans()):
        records.append(
            passed(str(n), "metrics", at + 400, metrics=Metrics(likes=draw(st.sampled_from((1, 50, 5_000)))))
        )
    return records


CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(st.data())
@settings(CALM, max_examples=60)
def test_any_order_gives_the_same_mentions_cases_and_counts(data: st.DataObject) -> None:
    check(data)


@pytest.mark.soak
@given(st.data())
@settings(CALM, max_examples=3_000)
def test_any_order_gives_the_same_thousands_of_times(data: st.DataObject) -> None:
    check(data)


def check(data: st.DataObject) -> None:
    records = data.draw(histories())
    shuffled = data.draw(st.permutations(records))
    again = data.draw(st.lists(st.sampled_from(records), max_size=3))
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=len(records) + 3, max_size=len(records) + 3))
    assert outcome([*shuffled, *again], sizes) == outcome(records, [1] * len(records))


def outcome(records: list[Understood], sizes: list[int]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = RouteHome(Path(folder), RULES, durable=False)
        try:
            rest = list(records)
            for size in sizes:
                batch, rest = rest[:size], rest[size:]
                if batch:
                    home.take(*batch)
            return _state(home)
        finally:
            home.close()


def _state(home: RouteHome) -> dict[str, Any]:
    mentions = {}
    for id, m in home.mentions().items():
        if m.state == "live" and m.post and m.understanding and m.decision:
            metrics = m.post.metrics
            mentions[id] = (
                m.post.text, m.understanding.intent.label, m.understanding.matched_by, m.decision.queue, m.event_time,
                m.conversation, reach_bucket(None, metrics),
            )  # fmt: skip
    live = {case["id"]: case for case in home.live_cases()}
    members = {id: frozenset(home.members(id)) for id in live}
    for id, case in live.items():
        working = [m for m in members[id] if mentions[m][3] != "none"]
        assert case["mentions"] == len(working), "a case counts its mentions that ask for work"
    counts = {name: value for name, value in home.counted().items() if name != "risk"}
    return {"mentions": mentions, "cases": sorted(map(sorted, members.values())), "counts": counts}
