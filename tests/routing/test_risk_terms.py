"""Risk: named terms, bounded, and never lower for more reach."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.risk import History, added_terms, reach_bucket, risk_of
from stream.records import Metrics, Term

COUNTS = st.none() | st.integers(0, 10**9)
TEXT_TERMS = st.lists(
    st.builds(Term, st.sampled_from(("severity", "safety", "legal")), st.floats(0, 60), st.just("")), max_size=4
)
HISTORIES = st.builds(
    History, st.floats(0, 1e6), st.integers(0, 10_000), st.sampled_from((None, "normal", "valued", "key"))
)


def risk(text: list[Term], followers: int | None, metrics: Metrics | None, history: History) -> int:
    return risk_of([*text, *added_terms(followers, metrics, history)])


@given(TEXT_TERMS, COUNTS, COUNTS, HISTORIES)
def test_risk_is_between_0_and_100(
    text: list[Term], followers: int | None, likes: int | None, history: History
) -> None:
    assert 0 <= risk(text, followers, Metrics(likes=likes), history) <= 100


@given(
    TEXT_TERMS, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6), HISTORIES
)
def test_more_reach_is_never_less_risk(
    text: list[Term], followers: int, more_followers: int, likes: int, more_likes: int, history: History
) -> None:
    low = risk(text, followers, Metrics(likes=likes), history)
    assert risk(text, followers + more_followers, Metrics(likes=likes + more_likes), history) >= low


@given(TEXT_TERMS, st.floats(0, 1e3), st.floats(0, 1e3), st.integers(0, 50), st.integers(0, 50))
def test_a_hotter_conversation_and_a_longer_history_are_never_less_risk(
    text: list[Term], heat: float, more: float, complaints: int, further: int
) -> None:
    assert risk(text, 10, None, History(heat + more, complaints + further)) >= risk(
        text, 10, None, History(heat, complaints)
    )


@given(COUNTS, COUNTS)
def test_metrics_within_a_bucket_change_no_term(followers: int | None, likes: int | None) -> None:
    bucket = reach_bucket(followers, Metrics(likes=likes))
    again = reach_bucket(followers, Metrics(likes=likes, views=9))
    assert bucket == again
    one, other = (added_terms(followers, Metrics(likes=likes, views=views), History()) for views in (1, 2))
    assert one == other


def test_each_term_says_why_in_words_and_none_is_empty() -> None:
    terms = added_terms(250_000, Metrics(likes=5_000), History(12.0, 6, "key"))
    assert {term.name: term.points for term in terms} == {
        "reach": 14, "reactions": 14, "spread": 10, "history": 7, "customer": 8
    }  # fmt: skip
    assert all(len(term.why.split()) > 3 for term in terms)
    assert added_terms(10, Metrics(likes=1), History()) == ()


def test_the_text_alone_gives_at_most_60() -> None:
    assert risk_of([Term("severity", 50, ""), Term("safety", 30, "")]) == 60
