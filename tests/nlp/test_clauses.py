"""Of which brand a place in a text speaks: a rule that can be said in two sentences."""

from __future__ import annotations

import pytest

from nlp.clauses import spoken_of


def of(text: str, word: str, *brands: str) -> list[str]:
    """Names of the brands that `word` is said of."""
    spans = []
    for brand in brands:
        starts = [at for at in range(len(text)) if text.startswith(brand, at)]
        spans.append([(at, at + len(brand)) for at in starts])
    [found] = spoken_of(text, [text.index(word)], spans)
    return [brands[number] for number in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme has a good X, Bolt has none", ["Acme"]),
        ("Acme is fine but the X of Bolt is not", ["Bolt"]),
        ("Acme está bien pero la X de Bolt no", ["Bolt"]),
        ("Acme and Bolt have no X", ["Acme", "Bolt"]),
        ("@Acme @Bolt where is my X", ["Acme", "Bolt"]),
        ("Acme, Bolt: X", ["Acme", "Bolt"]),
        ("I flew with Acme. The X was late. Bolt is next", ["Acme"]),
        ("The X was late, Acme sucks. Bolt does not", ["Acme"]),
        ("Bolt is kind. When my X was late, Acme helped", ["Acme"]),
        ("Bolt is kind, my X was late, Acme helped", ["Bolt"]),
        ("What an X! Acme never does that. Bolt does", ["Acme"]),
        ("Acme 2.5 stars for X, Bolt 4", ["Acme"]),
        ("Acme X\nBolt Y", ["Acme"]),
        ("Acme, con mucha paciencia y sin X; Bolt, nada", ["Acme"]),
    ],
)
def test_the_brands_of_the_clause_else_the_nearest_before_in_the_sentence(text: str, expected: list[str]) -> None:
    assert of(text, "X", "Acme", "Bolt") == expected


def test_one_brand_is_spoken_of_everywhere() -> None:
    assert spoken_of("It is late. Acme is late. So late", [0, 10, 30], [[(12, 16)]]) == [(0,), (0,), (0,)]
    assert spoken_of("It is late", [0], [[]]) == [(0,)]


def test_a_brand_that_is_named_nowhere_is_spoken_of_where_no_other_is() -> None:
    text = "Your app is slow. Bolt has a good app"
    assert spoken_of(text, [text.index("app"), text.rindex("app")], [[(18, 22)], []]) == [(0, 1), (0,)]


def test_a_cut_inside_a_name_is_none() -> None:
    assert of("Cora & Sons and the X, Bolt", "X", "Cora & Sons", "Bolt") == ["Cora & Sons"]
    text = "Salt and Pepper X. Bolt"
    assert spoken_of(text, [text.index("X")], [[(0, 15)], [(19, 23)]]) == [(0,)]


def test_no_places_and_no_text() -> None:
    assert spoken_of("", [], [[], []]) == []
    assert spoken_of("X", [0], [[], []]) == [(0, 1)]


def test_the_longest_of_posts_costs_no_more_than_its_length() -> None:
    """Where every place, brand or clause were tried with every other, these would take minutes."""
    assert spoken_of("X and Bolt" + "!" * 99_000 + "app", [99_010], [[(0, 1)], [(6, 10)]]) == [(0, 1)]
    text = "X, a, Bolt, a, " * 6_600
    places = list(range(3, len(text), 15))
    brands = [[(at, at + 1) for at in range(0, len(text), 15)], [(at, at + 4) for at in range(6, len(text), 15)]]
    assert set(spoken_of(text, places, brands)) == {(0,)}
