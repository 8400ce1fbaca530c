"""A text gives the same pieces whatever stands beside it, marks survive, and no text can spell one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from nlp import pieces
from nlp.classifier import Passage, Target
from nlp.normalise import HANDLE, LINK, OTHER, TARGET, normalise
from nlp.pieces import BEGIN, END, MARKS, MOST, Pieces, passage_text, reserved


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pieces") / "tokenizer.json"
    path.write_text(json.dumps(tiny_model.tokenizer()), "utf-8")
    return path


@pytest.fixture(scope="module")
def small(file: Path) -> Pieces:
    return Pieces(file)


def numbers() -> dict[str, int]:
    return {token["content"]: token["id"] for token in reserved(tiny_model.tokenizer())["added_tokens"]}


def inner(small: Pieces, text: str) -> list[int]:
    (ids,) = small.ids([text])
    assert (ids[0], ids[-1], ids.dtype) == (BEGIN, END, np.uint16)
    return [int(one) for one in ids[1:-1]]


def test_each_mark_is_one_piece_and_swallows_the_spaces_around(small: Pieces) -> None:
    marks = numbers()
    assert len(set(marks.values())) == len(MARKS)
    for one in MARKS:
        assert inner(small, f"ba {one} la") == inner(small, f"ba{one}la") == [
            *inner(small, "ba"), marks[one], *inner(small, "la")
        ]  # fmt: skip
    assert inner(small, TARGET + OTHER + LINK + HANDLE) == [marks[one] for one in MARKS]


def test_a_mark_without_a_piece_takes_a_private_characters() -> None:
    before = [piece for piece, _ in tiny_model.tokenizer()["model"]["vocab"]]
    after = [piece for piece, _ in reserved(tiny_model.tokenizer())["model"]["vocab"]]
    assert HANDLE not in before
    assert before[after.index(HANDLE)] in ("\uf0a7", "\u2581\uf0b7")
    assert [after.index(one) for one in (TARGET, OTHER, LINK)] == [before.index(one) for one in (TARGET, OTHER, LINK)]


def test_without_room_for_a_mark_the_tokenizer_is_refused(tmp_path: Path) -> None:
    held = tiny_model.tokenizer()
    for entry in held["model"]["vocab"]:
        entry[0] = "q" * 9 + entry[0] if entry[0] in ("\uf0a7", "\u2581\uf0b7") else entry[0]
    (tmp_path / "tokenizer.json").write_text(json.dumps(held), "utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json.*U\+E003"):
        Pieces(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Pieces(tmp_path / "nowhere")


def test_what_was_reserved_once_stays_as_it_is() -> None:
    once = reserved(tiny_model.tokenizer())
    assert reserved(once) == once


@pytest.mark.parametrize("one", [*MARKS, "&#xE000;", "&#57344;", "&#xe003;"])
def test_a_text_of_its_own_private_characters_has_no_mark(small: Pieces, one: str) -> None:
    text = passage_text(Passage(f"ba {one} la"), Target(((0, 2),)))
    assert set(inner(small, text)) & set(numbers().values()) == {numbers()[TARGET]}
    assert text.count(TARGET) == 1


@pytest.mark.parametrize("one", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
def test_no_text_can_spell_what_frames_or_pads(small: Pieces, one: str) -> None:
    assert not set(inner(small, normalise(f"ba {one} la{one}"))) & {0, 1, 2, tiny_model.PIECES - 1}


def test_a_brand_not_named_goes_first() -> None:
    assert passage_text(Passage("ba la"), Target()) == TARGET + "ba la"
    assert passage_text(Passage("ba la"), Target((), ((0, 2),))) == f"{TARGET}{OTHER} la"
    assert passage_text(Passage("ba la @mi"), Target(((3, 5),))) == f"ba {TARGET} {HANDLE}"


def test_a_brand_whose_name_is_part_of_anothers_goes_first() -> None:
    text = passage_text(Passage("ba la mi"), Target(((3, 5),), ((0, 5),)))
    assert text == f"{TARGET}{OTHER} mi"


@pytest.mark.parametrize("before", [1, 100, 320, 400, 5_000])
def test_a_brand_is_read_however_late_it_is_named(small: Pieces, before: int) -> None:
    text = "ba " * before + "Acme " + "la " * 300
    read = passage_text(Passage(text), Target(((3 * before, 3 * before + 4),)))
    assert read.count(TARGET) == 1
    pieces = inner(small, read)
    assert {numbers()[TARGET], *inner(small, "la")} <= set(pieces)
    assert pieces[0] != numbers()[TARGET]


def test_a_long_text_is_cut_to_the_part_that_names_the_target(small: Pieces) -> None:
    (plain,) = small.ids(["ba " * 400])
    assert len(plain) == MOST
    first, late = inner(small, f"{TARGET} " + "ba " * 400), inner(small, "ba " * 300 + f"{TARGET} " + "la " * 300)
    assert len(first) == len(late) == MOST - 2
    assert first[0] == numbers()[TARGET]
    assert numbers()[TARGET] in late
    assert set(late) == {numbers()[TARGET], *inner(small, "ba"), *inner(small, "la")}
    last = inner(small, "ba " * 300 + TARGET)
    assert (len(last), last[-1]) == (MOST - 2, numbers()[TARGET])


@cache
def _both() -> tuple[Pieces, Tokenizer]:
    held = json.dumps(tiny_model.tokenizer())
    with TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(held, "utf-8")
        return Pieces(Path(folder)), Tokenizer.from_str(json.dumps(reserved(json.loads(held))))


@given(st.lists(st.text("abtlñ .!?1<>/\ue000\ue003", max_size=60), min_size=1, max_size=6))
def test_pieces_are_the_tokenizers_own_and_depend_on_the_text_alone(texts: list[str]) -> None:
    small, whole = _both()
    for text, ids in zip(texts, small.ids(texts), strict=True):
        assert ids.tolist() == small.ids([text])[0].tolist()
        assert ids.tolist()[1:-1] == whole.encode(" ".join(text.split()), add_special_tokens=False).ids


def test_a_full_memory_of_words_forgets_and_changes_nothing(small: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"ba{syllable} {TARGET} {syllable}" for syllable in tiny_model.SYLLABLES]
    before = [ids.tolist() for ids in small.ids(texts)]
    monkeypatch.setattr(pieces, "WORDS_KEPT", 7)
    assert [ids.tolist() for at in range(0, len(texts), 3) for ids in small.ids(texts[at : at + 3])] == before
    assert max(len(small._words), len(small._older)) <= 7 + 6 + len(MARKS)


def test_words_of_any_length_are_read_and_long_ones_are_not_remembered(small: Pieces) -> None:
    long = "ba" * 300
    first, again = small.ids([f"la {long}", long]), small.ids([f"la {long}", long])
    assert [one.tolist() for one in first] == [one.tolist() for one in again]
    assert len(first[1]) > 10
    assert "la" in small._words
    assert long not in small._words
