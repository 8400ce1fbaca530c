"""A post's observations give one state, whatever their order, grouping and number."""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.merge import PostState, content_hash, merge, state_of
from stream.records import Metrics, Post, Scores, Understanding, Understood

ID = "bluesky:1"
TIMES = st.integers(0, 6)
READING = Understanding(
    brand="acme",
    sentiment=Scores("negative", (0.8, 0.1, 0.1)),
    intent=Scores("complaint", (1.0,)),
    detractor=Scores("1", (1.0,)),
)


def post(kind: str = "created", seen_at: int = 1, text: str = "", **rest: object) -> Post:
    fields = {"id": ID, "network": "bluesky", "event_time": seen_at, **rest}
    return msgspec.convert({"kind": kind, "seen_at": seen_at, "text": text, **fields}, Post)


def understood(content: Post, **rest: object) -> Understood:
    fields = {"post": content, "appended_at": 1, "understood_at": 1, "mentions": (), **rest}
    return Understood(content_hash=content_hash(content), **fields)  # type: ignore[arg-type]


def after(*records: Post | Understood) -> PostState:
    return reduce(merge, map(state_of, records))


def shown(*records: Post) -> str | None:
    visible = after(*records).visible
    return visible and visible.text


contents = st.builds(
    post,
    st.sampled_from(["created", "edited", "restored"]),
    TIMES,
    st.sampled_from(["", "the bread is late", "the bread is here"]),
    revision=st.sampled_from([None, 1, 2]),
    edited_at=st.sampled_from([None, 2, 4, 99]),
    claimed_at=st.sampled_from([None, 1, 3, 99]),
    event_time=TIMES,
    source_id=st.sampled_from(["", "a", "b"]),
    metrics=st.sampled_from([None, Metrics(likes=1), Metrics(likes=2, views=9)]),
    rating=st.sampled_from([None, 1, 5]),
)
posts = contents | st.builds(
    post,
    st.sampled_from(["deleted", "deleted", "restored", "metrics", "expired", "forgotten", "author_gone"]),
    TIMES,
    metrics=st.sampled_from([None, Metrics(likes=3), Metrics(replies=1)]),
)
readings = st.builds(
    understood,
    contents,
    generation=st.integers(0, 1),
    tier=st.sampled_from(["linear", "fast", "accurate"]),
    mentions=st.sampled_from([None, (), (READING,)]),
    lang=st.sampled_from(["en", "es"]),
)
records = posts | readings
states = st.lists(records, min_size=1, max_size=5).map(lambda found: after(*found))


@given(states, states)
def test_merge_is_commutative(a: PostState, b: PostState) -> None:
    assert merge(a, b) == merge(b, a)


@given(states, states, states)
@settings(max_examples=300)
def test_merge_is_associative(a: PostState, b: PostState, c: PostState) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(states)
def test_merge_is_idempotent(a: PostState) -> None:
    assert merge(a, a) == a


@given(st.lists(records, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(found: list[Post | Understood], random: object) -> None:
    again = [*found, *found]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert after(*again) == after(*found)


@given(st.lists(records, min_size=1, max_size=6))
def test_a_state_survives_storage(found: list[Post | Understood]) -> None:
    state = after(*found)
    assert msgspec.json.decode(msgspec.json.encode(state), type=PostState) == state


@given(st.lists(records, min_size=1, max_size=6), records)
def test_what_is_stored_never_shows_more_than_the_whole_history(
    found: list[Post | Understood], last: Post | Understood
) -> None:
    whole, stored = after(*found), after(*found).at_rest()
    assert stored.visible == whole.visible
    assert stored.exists == whole.exists
    assert stored.understanding == whole.understanding
    assert not (stored.content and not whole.text_visible)
    later, later_stored = merge(whole, state_of(last)), merge(stored, state_of(last))
    assert later_stored.exists == later.exists
    assert later_stored.visible in (None, later.visible)


@given(st.lists(posts, max_size=5), st.lists(contents, max_size=3))
def test_text_from_before_a_delete_never_comes_back(history: list[Post], later: list[Post]) -> None:
    state = after(*history, post("deleted", 3), post("restored", 9), *later)
    visible = state.visible
    assert visible is None or visible.seen_at > 3


def test_the_newest_content_is_by_revision_then_edit_then_sight() -> None:
    old, new = post(text="old", seen_at=9, revision=1), post(text="new", seen_at=2, revision=2)
    assert after(new, old).visible == new
    assert (
        after(post(text="old", seen_at=9, edited_at=1), edit := post("edited", 2, "new", edited_at=5)).visible == edit
    )


def test_a_later_edit_that_names_no_time_is_newer_than_one_that_did() -> None:
    named, later = post("edited", 5, "named", edited_at=4), post("edited", 9, "later")
    assert shown(later, post(text="first", claimed_at=1), named) == "later"


def test_the_first_version_that_comes_late_is_older_than_an_edit() -> None:
    edit, first = post("edited", 5, "edited"), post(text="first", claimed_at=1, seen_at=9)
    assert shown(edit, first) == "edited"
    assert shown(first, post(text="seen anew", claimed_at=1, seen_at=10)) == "seen anew"


def test_an_edit_from_the_future_is_no_newer_than_its_sight() -> None:
    lie, later = post("edited", 5, "a lie", edited_at=99), post("edited", 9, "later", edited_at=8)
    assert shown(lie, later) == "later"
    assert shown(lie, post("edited", 6, "unnamed")) == "unnamed"


def test_a_delete_before_its_post_wins() -> None:
    state = after(post("deleted", 5), post(text="hello", seen_at=2), post("edited", 9, "hello again"))
    assert not state.exists
    assert state.visible is None
    assert state.at_rest().content is None


def test_only_a_later_restore_lifts_a_delete() -> None:
    gone = after(post(text="hello", seen_at=1), post("deleted", 5))
    assert not merge(gone, state_of(post("restored", 5, "hello"))).exists
    back = merge(gone, state_of(post("restored", 6, "hello")))
    assert back.exists
    assert back.visible is not None
    assert back.visible.text == "hello"


def test_a_restore_without_content_counts_but_shows_nothing() -> None:
    back = after(post(text="hello", seen_at=1), post("deleted", 5), post("restored", 6))
    assert back.exists
    assert not back.text_visible
    assert back.content_hash == content_hash(post(text="hello"))


def test_forgotten_leaves_nothing_and_stays() -> None:
    state = after(understood(post(text="hello")), post("forgotten", 2), post("restored", 9, "hello"))
    assert state == PostState(id=ID, forgotten=True)
    assert not state.exists


def test_expired_keeps_counting_without_text_until_it_is_seen_again() -> None:
    state = after(post(text="hello", seen_at=1), post("expired", 5))
    assert state.exists
    assert state.expired
    assert not state.text_visible
    again = merge(state, state_of(post(text="hello", seen_at=6)))
    assert again.text_visible
    assert not again.expired


def test_metrics_join_the_content_and_a_second_look_does_not_move_it_in_time() -> None:
    first = post(text="hello", seen_at=1, metrics=Metrics(likes=1))
    state = after(first, post("metrics", 5, metrics=Metrics(likes=8)), post("edited", 4, "hello you"))
    assert state.visible is not None
    assert state.visible.text == "hello you"
    assert state.visible.metrics == Metrics(likes=8)
    assert state.visible.event_time == 1


def test_a_reading_counts_for_the_content_it_was_made_from() -> None:
    first = post(text="hello", seen_at=1)
    accurate = understood(first, tier="accurate", mentions=(READING,))
    edited = merge(state_of(accurate), state_of(post("edited", 2, "hello you")))
    assert edited.understanding is None
    seen_again = merge(state_of(accurate), state_of(understood(post(text="hello", seen_at=3))))
    assert seen_again.understanding is not None
    assert seen_again.understanding.tier == "accurate"
    newer = merge(seen_again, state_of(understood(first, generation=1)))
    assert newer.understanding is not None
    assert newer.understanding.generation == 1


def test_of_equal_readings_the_one_with_more_brands_counts() -> None:
    by_source = understood(post(text="hello", seen_at=1, brands=("acme",)), mentions=(READING,))
    by_firehose = understood(post(text="hello", seen_at=2))
    best = after(by_source, by_firehose).understanding
    assert best is not None
    assert [reading.brand for reading in best.mentions] == ["acme"]


def test_the_hash_covers_content_only() -> None:
    base = post(text="hello", title="A", media=("https://cdn.example/1.jpg?sig=1",))
    same = post(
        text="hello", title="A", media=("https://cdn.example/1.jpg?sig=2",), seen_at=9, metrics=Metrics(likes=1)
    )
    assert content_hash(base) == content_hash(same)
    assert content_hash(post(text="ab", title="c")) != content_hash(post(text="b", title="ca"))
    assert content_hash(post(text="\ud800")) != content_hash(post(text=""))
    stars = [content_hash(post(text="ab", rating=rating)) for rating in (None, 0, 1, 5)]
    assert len(set(stars)) == 4, "a review whose stars alone change is an edit"


def test_two_posts_are_not_merged() -> None:
    with pytest.raises(ValueError, match="two posts"):
        merge(state_of(post()), state_of(post(id="bluesky:2")))
