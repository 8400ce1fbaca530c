"""One analyser: what people write in two spellings is one token, and every token can be pointed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.text import (
    _TOKEN,
    ADDRESS,
    HANDLE,
    MAX_TEXT,
    MAX_TOKEN,
    SYMBOL,
    TAG,
    WORD,
    _form,
    _read,
    analyse,
    fold,
    spellings,
    stems,
)
from tests.strategies import texts


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        ("¡Reclamación URGENTE!", "reclamacion urgente"),
        ("cafe\u0301 café CAFÉ", "cafe cafe cafe"),
        ("uña, UN\u0303A y una", "uña uña y una"),
        ("Barça", "barca"),
        ("#Acme_ES y @ACME, gracias", "acme_es y acme gracias"),
        ("#uno#dos", "uno dos"),
        ("info@acme.example", "info acme example"),
        ("@ana.bsky.example", "ana bsky example"),
        ("https://www.Acme.example:443/a?b=1#c ya", "acme.example ya"),
        ("WWW.acme.example", "acme.example"),
        ("https://ana:secret@acme.example/", "acme.example"),
        ("Acme's bread don’t rise", "acme s bread dont rise"),
        ("l'hotel d’Ana O'Brien", "l hotel d ana obrien"),
        ("wi-fi 24/7 1.000", "wi fi 24 7 1 000"),
        ("😡😡👍🏽🇪🇸", "😡 😡 👍 🇪🇸"),
        ("👩‍🍳", "👩 🍳"),
        ("𝓪𝓬𝓶𝓮 ＡＣＭＥ", "acme acme"),
        ("漢字abc", "漢 字 abc"),
        ("ac\u00adme", "acme"),
        ("_acme_ __ ... http://", "acme http"),
        ("", ""),
    ],
)
def test_what_is_a_token(text: str, surfaces: str) -> None:
    assert list(analyse(text).surfaces) == surfaces.split()


def test_a_tag_a_handle_an_address_and_an_emoji_are_told_apart() -> None:
    found = analyse("acme #acme @acme https://acme.example 😡 ana@acme")
    assert found.marks == ("", TAG, HANDLE, ADDRESS, SYMBOL, "", "")


def test_spans_show_the_token_in_the_text() -> None:
    text = "Pues #Acme no, «l'Hotel» d'Ana's 😡 https://acme.example/a"
    found = analyse(text)
    shown = [text[start:end] for start, end in found.spans]
    assert shown == ["Pues", "#Acme", "no", "l", "Hotel", "d", "Ana", "s", "😡", "https://acme.example/a"]


@given(texts() | st.text("aé \u0301'@#.:/htpw😡🇪🇸漢\u2776_", max_size=40))
def test_every_way_to_a_token_tells_the_same(text: str) -> None:
    """Against the expression itself: where each written form stands, and what it gives read by itself."""
    found = analyse(text)
    tokens = []
    for match in _TOKEN.finditer(found.text):
        alone = analyse(match[1])
        for surface, mark, (low, high) in zip(alone.surfaces, alone.marks, alone.spans, strict=True):
            tokens.append((surface, mark, (match.start(1) + low, match.start(1) + high)))
    assert list(zip(found.surfaces, found.marks, found.spans, strict=True)) == tokens
    assert [analyse(text).placed(place) for place in range(len(tokens))] == [token[1:] for token in tokens]
    assert list(found.marked) == list(dict.fromkeys((mark, surface) for surface, mark, _ in tokens if mark != WORD))


@given(st.text("aZ09", min_size=1, max_size=80))
def test_a_plain_word_is_read_as_any_other(word: str) -> None:
    assert _form(word) == _read(word)


def test_inflected_words_share_a_stem_in_both_languages() -> None:
    for one, other in [
        ("vuelo", "vuelos"),
        ("reclamacion", "reclamaciones"),
        ("flights", "flight"),
        ("delays", "delayed"),
    ]:
        assert set(stems(one)) & set(stems(other))
    assert not set(stems("uña")) & set(stems("una"))


def test_a_name_is_looked_for_in_both_spellings() -> None:
    assert spellings("Peña's") == (("peña", "s"), ("peñas",), ("pena", "s"), ("penas",))
    assert spellings("Acme Air") == (("acme", "air"),)
    assert spellings("…") == ()


@given(st.text() | texts())
def test_every_token_has_its_place_and_is_found_again_by_itself(text: str) -> None:
    found = analyse(text)
    assert len(found.surfaces) == len(found.marks) == len(found.spans) == len(found.stems)
    for surface, mark, (start, end) in zip(found.surfaces, found.marks, found.spans, strict=True):
        assert 0 <= start < end <= len(text)
        assert 0 < len(surface) <= MAX_TOKEN
        assert surface.isprintable() or mark == SYMBOL  # an emoji may be newer than the Unicode of this Python
        assert " " not in surface
        assert fold(surface) == surface
        assert analyse(f"https://{surface}" if mark == ADDRESS else surface).surfaces == (surface,)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_lines_are_analysed_apart_or_together_with_the_same_tokens(parts: list[str]) -> None:
    together = analyse("\n".join(parts)).surfaces
    assert together == tuple(surface for part in parts for surface in analyse(part).surfaces)


@given(st.text())
def test_folding_twice_folds_no_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("piece", [" ", "a", "'a", "@", "#a", "https://", "😡", "www.", "\u0301", "漢", ".", "a@"])
def test_a_megabyte_of_anything_is_read_up_to_the_bound(piece: str) -> None:
    found = analyse(piece * 1_000_000)
    assert len(found.text) == MAX_TEXT
    assert all(end <= MAX_TEXT for _, end in found.spans)
