"""The parts of a post as SQL holds them say what `stream.merge` says, whatever was observed in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from route_home import NOW, passed, said

from routing.parts import Parts, held, stored
from stream.merge import is_bare_restore, merge, state_of
from stream.records import CONTENT_KINDS, Metrics, Understood


@st.composite
def observations(draw: st.DrawFn) -> Understood:
    at = NOW + draw(st.integers(0, 5))
    kind = draw(st.sampled_from(("created", "edited", "restored", "deleted", "metrics", "expired", "forgotten")))
    metrics = draw(st.none() | st.builds(Metrics, likes=st.integers(0, 2), views=st.none() | st.integers(0, 2)))
    if kind not in CONTENT_KINDS:
        return passed("1", kind, at, metrics=metrics if kind == "metrics" else None)
    texts = ("a", "b", "") if kind == "restored" else ("a", "b")
    return said(
        "1", text=draw(st.sampled_from(texts)), kind=kind, at=at, metrics=metrics,
        edited_at=at + draw(st.integers(-2, 9)) if draw(st.booleans()) else None,
        claimed_at=draw(st.none() | st.integers(NOW - 1, NOW + 9)), revision=draw(st.none() | st.integers(1, 2)),
    )  # fmt: skip


@given(st.lists(observations(), min_size=1, max_size=7))
@settings(max_examples=150, deadline=None)
def test_the_stored_parts_are_the_merged_state(records: list[Understood]) -> None:
    parts = Parts()
    state = state_of(records[0])
    for record in records:
        take(parts, record)
        state = merge(state, state_of(record))
    parts = held(stored(parts))
    assert (parts.state == "forgotten") == state.forgotten
    if state.forgotten:
        return
    assert (parts.state in ("live", "expired") and bool(parts.content_hash)) == state.exists
    if state.exists:
        assert (parts.state == "expired") == state.expired
    if state.key is not None:
        assert (parts.revision, parts.written_at, parts.seen_at, parts.content_hash) == state.key
    if state.metrics is not None:
        assert (parts.metrics_at, parts.metrics()) == state.metrics


def test_what_an_earlier_program_stored_gives_way_to_what_was_seen_later_and_to_nothing_else() -> None:
    for kind in ("created", "edited"):
        parts = Parts(seen_at=NOW, content_hash="ab", expired_at=NOW + 1)
        take(parts, said("1", text="before", kind=kind, at=NOW - 5, claimed_at=NOW - 9))
        assert (parts.content_hash, parts.seen_at, parts.state) == ("ab", NOW, "expired")
        later = said("1", text="after", kind=kind, at=NOW + 5, claimed_at=NOW - 9)
        take(parts, later)
        assert (parts.content_hash, parts.seen_at, parts.state) == (later.content_hash, NOW + 5, "live")


def take(parts: Parts, record: Understood) -> None:
    post = record.post
    if is_bare_restore(post) or (post.kind not in CONTENT_KINDS and post.kind != "metrics"):
        parts.take_existence(post.kind, post.seen_at)
        return
    if post.kind == "restored":
        parts.take_existence("restored", post.seen_at)
    if post.kind in CONTENT_KINDS:
        parts.take_content(post, record.content_hash)
    if post.metrics is not None:
        parts.take_metrics(post.metrics, post.seen_at)
