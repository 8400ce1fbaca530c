"""The registry of fields, the values of a mention and the page for people tell the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from query.document import Document, values
from query.fields import CONTEXTS, FIELDS, Field, canonical, find, readable
from query.parse import parse
from stream.records import Mention, Post
from tests.strategies import mentions

NOW = 1_790_000_000_000
PAGE = (Path(__file__).parents[2] / "docs" / "query-language.md").read_text(encoding="utf-8")
SHAPES: dict[str, Any] = {"keyword": tuple, "number": (int, float), "time": int, "flag": bool}


@given(mentions())
def test_values_have_the_shape_that_the_registry_names(mention: Mention) -> None:
    for name, value in values(mention).items():
        field = FIELDS[name]
        assert isinstance(value, SHAPES[field.kind])
        if isinstance(value, tuple):
            assert value
            assert len(set(value)) == len(value)
            assert all(each and canonical(field, each) == each for each in value)
            assert len(value) == 1 or field.many
            if field.vocabulary:
                assert set(value) <= set(field.vocabulary)
        elif field.within and field.kind == "number":
            assert field.within[0] <= value <= field.within[1]


def test_a_mention_without_its_post_has_no_text_and_no_author() -> None:
    gone = Mention(id="x:1#acme", revision=2, state="deleted", post_id="x:1", brand="acme", network="x", event_time=NOW)
    assert Document(gone).surfaces == ()
    assert values(gone) == {
        "id": ("x:1", "x:1#acme"),
        "network": ("x",),
        "created": NOW,
        "access": ("public",),
        "brand": ("acme",),
        "kind": ("own",),
        "corrected": False,
        "about": True,
        "state": ("deleted",),
    }


def test_a_link_is_found_by_every_domain_above_it() -> None:
    post = Post(id="x:1", network="x", text="see https://shop.acme.example/a", seen_at=NOW, event_time=NOW)
    mention = Mention(id="x:1#a", revision=1, post=post, post_id="x:1", brand="a", network="x", event_time=NOW)
    assert Document(mention).value("link") == ("shop.acme.example", "acme.example")


def test_every_name_finds_its_field() -> None:
    every = [(name, field) for field in FIELDS.values() for name in (field.name, *field.aliases)]
    assert len(dict(every)) == len(every)
    for name, field in every:
        assert find(name.upper()) is field
    assert find("nothing") is None


@pytest.mark.parametrize("field", FIELDS.values(), ids=list(FIELDS))
def test_every_field_is_on_the_page_with_an_example_that_works(field: Field) -> None:
    name, example = field.name, field.example
    row = re.search(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    assert row, f"docs/query-language.md has no row for {name}"
    assert f"`{example}`" in row.group()
    context = next(iter(field.contexts))
    assert parse(example, now=NOW, context=context)
    for alias in field.aliases:
        assert f"`{alias}`" in row.group()
    for value in field.vocabulary:
        assert f"`{value}`" in row.group()
    excluded = [context for context in ("rule", "watch") if context not in field.contexts]
    assert row.group().endswith(f"| {', '.join(excluded) or '–'} |")


def test_every_example_of_the_page_is_a_query() -> None:
    examples = [line for block in re.findall(r"```query\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(examples) > 20
    for line in examples:
        parse(line, now=NOW)


def test_every_context_reads_something() -> None:
    assert set(readable("rule")) < set(readable("watch")) < set(readable("search")) == set(readable("export"))
    assert set(CONTEXTS) == {"rule", "watch", "search", "export"}
