"""The normal form of a text is the same wherever it is made, and bounded."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from nlp import normalise as form
from nlp.normalise import HANDLE, LIMIT, LINK, OTHER, TARGET, clean, mark, marked, normalise


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


FILLER = "the morning went by and nothing much was said of it. "


def around(text: str, name: str = "Acme") -> str:
    start = text.index(name)
    return marked(text, [(start, start + len(name))])


def test_what_names_the_target_early_enough_is_read_from_its_beginning() -> None:
    for before, after in ((0, 40), (1, 40), (5, 40), (13, 40), (17, 0)):
        text = FILLER * before + "Acme is late. " + FILLER * after
        start = text.index("Acme")
        assert around(text) == normalise(mark(text, [(start, start + 4)]))
        assert around(text).startswith(text[:4] if before else TARGET)


def test_what_names_the_target_late_is_read_around_it() -> None:
    for before in (16, 18, 20, 100, 1_800):
        found = around(FILLER * before + "Acme is late. " + FILLER * 40)
        start = found.index(TARGET)
        assert 0 < start <= LIMIT // 4
        assert len(found) > LIMIT - 10
        assert found[start:].startswith(f"{TARGET} is late. the morning went")
        assert found.split()[0] in FILLER.split()


def test_of_a_text_that_ends_with_the_target_more_is_read_before_it() -> None:
    found = around(FILLER * 100 + "boycott Acme")
    assert found.endswith(f"said of it. boycott {TARGET}")
    assert LIMIT // 2 - len(FILLER) < len(found) <= LIMIT // 2


def test_other_brands_are_marked_in_the_part_that_is_read() -> None:
    text = f"Bolt {FILLER * 30}Bolt and Acme"
    last = text.rindex("Bolt")
    found = marked(text, [(last + 9, last + 13)], [(0, 4), (last, last + 4)])
    assert found.endswith(f"{OTHER} and {TARGET}")
    assert found.count(OTHER) == 1


@given(st.text("ab\ufb2c\u0958@#_A \n&;.", max_size=1_500), st.text("ab\ufb2c\u0958@#_A \n&;.", max_size=3_000))
def test_a_target_that_its_neighbours_do_not_swallow_is_always_read(before: str, after: str) -> None:
    found = marked(f"{before} Acme {after}", [(len(before) + 1, len(before) + 5)])
    assert TARGET in found
    assert len(found) <= LIMIT
    assert not form._private.search(found.replace(TARGET, "").replace(HANDLE, ""))
