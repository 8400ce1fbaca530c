"""Features of a text depend on the text alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlp.features import Recipe, features, hashes

RECIPE = Recipe(16, (2, 3, 4), 2)
TEXTS = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=60), min_size=1, max_size=8
)


@given(TEXTS)
def test_a_text_has_the_same_features_alone_and_in_any_batch(texts: list[str]) -> None:
    together = features(texts, RECIPE)
    for row, text in enumerate(texts):
        alone = features([text], RECIPE)
        mine = together.buckets[together.starts[row] : together.starts[row + 1]]
        assert np.array_equal(alone.buckets, mine)


def test_every_stretch_counts_once() -> None:
    found, starts = hashes(["ab cd"], (2,), 2)
    # " ab cd " has six pairs of characters; two words and one pair of words.
    assert starts.tolist() == [0, 9]
    assert len(set(found.tolist())) == 9


def test_equal_stretches_have_equal_hashes_wherever_they_stand() -> None:
    first, _ = hashes(["delay"], (), 1)
    second, _ = hashes(["x" * 500 + " again a delay"], (), 1)
    assert first[0] in second


def test_words_are_alike_without_accents_case_and_values_of_digits() -> None:
    one, _ = hashes(["Avión 21"], (), 2)
    two, _ = hashes(["avion 98"], (), 2)
    assert np.array_equal(one, two)


def test_pairs_of_words_keep_their_order_and_do_not_cross_texts() -> None:
    assert set(hashes(["good not"], (), 2)[0].tolist()) != set(hashes(["not good"], (), 2)[0].tolist())
    found, starts = hashes(["one", "two"], (), 2)
    assert starts.tolist() == [0, 1, 2]
    assert len(found) == 2


def test_an_empty_text_has_no_words() -> None:
    _, starts = hashes(["", "word", ""], (), 3)
    assert starts.tolist() == [0, 0, 1, 1]
