"""A lag that was asked for just now is given again, and never hides what this process did itself."""

from __future__ import annotations

import pytest

from stream.kafka_lags import YOUNG_SECONDS, Lags


class Seconds:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def lags(seconds: Seconds) -> Lags:
    lags = Lags(seconds)
    for group, topic, lag in (("nlp", "posts", 7), ("routing", "mentions", 3)):
        lags.keep(group, topic, lag, lags.changes(topic))
    return lags


def test_an_answer_is_given_again_while_it_is_young(lags: Lags, seconds: Seconds) -> None:
    assert lags.young("nlp", "posts") == 7
    assert lags.young("index", "decided") is None
    seconds.at = 0.99 * YOUNG_SECONDS
    assert lags.young("nlp", "posts") == 7
    seconds.at = YOUNG_SECONDS
    assert lags.young("nlp", "posts") is None


def test_what_is_appended_here_waits_at_once(lags: Lags, seconds: Seconds) -> None:
    seconds.at = 0.2
    lags.appended("posts", 5)
    assert (lags.young("nlp", "posts"), lags.young("routing", "mentions")) == (12, 3)
    seconds.at = YOUNG_SECONDS
    assert lags.young("nlp", "posts") is None, "an answer becomes no younger by it"


def test_what_is_committed_here_is_asked_anew(lags: Lags) -> None:
    lags.committed("nlp", "posts")
    assert (lags.young("nlp", "posts"), lags.young("routing", "mentions")) == (None, 3)


def test_an_answer_of_before_an_append_is_not_kept(lags: Lags) -> None:
    before = lags.changes("decided")
    lags.appended("decided", 1)
    lags.keep("index", "decided", 0, before)
    assert lags.young("index", "decided") is None
