"""The normal form of a text is the same wherever it is made, and bounded."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nlp.normalise import HANDLE, LIMIT, LINK, OTHER, TARGET, clean, mark, normalise


def test_what_carries_no_meaning_of_its_own_becomes_one_character() -> None:
    assert normalise("@ana look https://a.example/x?y=1 www.b.example") == f"{HANDLE} look {LINK} {LINK}"
    assert normalise("http and @user as some sets write them") == f"{LINK} and {HANDLE} as some sets write them"
    assert normalise("write to ana@mail.example") == "write to ana@mail.example"


def test_entities_are_unescaped_and_accents_composed() -> None:
    assert normalise("fish &amp; chips &gt; cafe\u0301") == "fish & chips > café"


def test_hashtags_in_camel_case_are_split_into_words() -> None:
    assert normalise("#NoMeGusta #BAAirport #año_nuevo #acme") == "# No Me Gusta # BA Airport # año nuevo # acme"


def test_runs_of_a_character_are_cut_to_three_and_numbers_kept() -> None:
    assert normalise("nooooooo!!!!!! 10000000") == "nooo!!! 10000000"


def test_emoji_and_case_are_kept() -> None:
    assert normalise("QUÉ risa 😂👍🏽") == "QUÉ risa 😂👍🏽"


def test_marked_brands_survive_and_nothing_from_outside_passes_for_one() -> None:
    text = f"Acme beats {TARGET}Bolt and Acme"
    assert normalise(mark(text, [(0, 4)], [(12, 16)])) == f"{TARGET} beats {OTHER} and Acme"
    assert TARGET not in clean(text)
    assert normalise(mark("&#xE000; &#57344 &#xe001;&amp; Acme", [(31, 35)])) == f"& {TARGET}"


def test_overlapping_marks_give_one_token_the_target_first() -> None:
    assert mark("Acme Air", [(0, 8)], [(0, 4)]) == TARGET
    assert mark("Acme Air", [(0, 4)], [(0, 4), (5, 8)]) == f"{TARGET} {OTHER}"


@given(st.text(max_size=400))
def test_any_text_gets_a_bounded_form_without_control_characters(text: str) -> None:
    found = normalise(clean(text))
    assert len(found) <= LIMIT
    assert not any(unicodedata.category(char) == "Cc" for char in found)
    assert found == " ".join(found.split())


def test_a_text_of_a_megabyte_is_cut() -> None:
    assert len(normalise("ab " * 400_000)) <= LIMIT
