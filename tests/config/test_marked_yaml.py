from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.marked import MAX_BYTES, Plain, read
from config.problems import Problem


def plain(text: str) -> Plain:
    root, problems = read(text.encode(), "f")
    assert root is not None
    assert problems == []
    return root.plain()


def only_problem(raw: str | bytes) -> Problem:
    _, problems = read(raw.encode() if isinstance(raw, str) else raw, "f.yaml")
    assert len(problems) == 1
    return problems[0]


def test_values_know_their_place() -> None:
    root, _ = read(b"a:\n  - b: 1\n    'c': x\n", "f")
    assert root is not None
    first = root.child("a")
    assert first is not None
    item = first.child(0)
    assert item is not None
    key, value = (item.entries or {})["c"]
    assert (key.line, key.column, value.line, value.column) == (3, 5, 3, 10)


def test_words_that_yaml_once_took_for_booleans_or_dates_are_text() -> None:
    assert plain("[no, On, yes, 2026-11-24, 1:30, 0x1F, 1_000]") == [
        "no", "On", "yes", "2026-11-24", "1:30", "0x1F", "1_000",
    ]  # fmt: skip


def test_the_core_schema_decides_over_unquoted_scalars_only() -> None:
    assert plain("[true, 'true', null, ~, 12, '12', -1.5e3, 'é']") == [True, "true", None, None, 12, "12", -1500.0, "é"]


def test_an_empty_file_and_one_of_comments_are_empty() -> None:
    assert plain("") == {}
    assert plain("# nothing\n") == {}


def test_a_byte_order_mark_is_no_text() -> None:
    root, problems = read(b"\xef\xbb\xbfa: 1\n", "f")
    assert (root and root.plain(), problems) == ({"a": 1}, [])


def test_a_key_that_stands_twice_is_an_error_that_names_both_places() -> None:
    found = only_problem("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")
    assert (found.line, found.column) == (5, 3)
    assert "in line 3" in found.message


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("a: @acme\n", 1, "quotes"),
        ("a: b: c\n", 1, "quotes"),
        ("a:\n\tb: 1\n", 2, "quotes"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys"),
        ("a: &x [*x]\n", 1, "nothing that is complete"),
        ("a: *nowhere\n", 1, "nothing that is complete"),
        ("? [1, 2]\n: x\n", 1, "a key must be text"),
        ("[" * 5_000, 1, "levels deep"),
        (b"a: caf\xe9\nb: 1\n", 1, "UTF-8"),
        (b"\nb: \x00\n", 2, "control character U+0000"),
        ("a: 1\n".encode("utf-16"), None, "UTF-16"),
        (b"x" * (MAX_BYTES + 1), None, "at most 4,000,000"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(raw: str | bytes, line: int | None, words: str) -> None:
    found = only_problem(raw)
    assert found.line == line
    assert words in f"{found.message} {found.advice}"


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases unfolded" in only_problem("\n".join(lines)).message


def test_aliases_in_reason_are_read() -> None:
    assert plain("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}


words = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Cn")), max_size=12).filter(lambda text: text != "<<")
trees: st.SearchStrategy[Plain] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


@given(trees)
def test_json_which_is_yaml_is_read_as_json(tree: Plain) -> None:
    if tree is not None:
        assert plain(json.dumps(tree, ensure_ascii=False, indent=1)) == tree


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_it_fail_without_a_word(raw: bytes) -> None:
    root, problems = read(raw, "f")
    assert root is not None or problems
