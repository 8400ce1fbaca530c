from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from config.reference import EXAMPLE, PAGE, SCHEMA_FILE, full_example, page, rows
from config.schema import ClamorYaml, EnginePart, json_schema

ROWS = rows()
EXAMPLE_TEXT = EXAMPLE.read_text(encoding="utf-8")
PAGE_TEXT = PAGE.read_text(encoding="utf-8")


def leaves(plain: object, prefix: str = "") -> Iterator[str]:
    """Paths of settings in a file, lists written `[]`."""
    if not isinstance(plain, Mapping):
        return
    for key, value in plain.items():
        path = f"{prefix}{key}"
        if path in SETTINGS:
            yield path
        elif isinstance(value, list):
            for item in value:
                yield from leaves(item, f"{path}[].")
        else:
            yield from leaves(value, f"{path}.")


SETTINGS = {row.path for row in ROWS}


def test_the_schema_for_editors_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema(), "run: python -m config.reference"


def test_the_tables_of_the_page_are_current() -> None:
    assert page(PAGE_TEXT) == PAGE_TEXT, "run: python -m config.reference"


def test_the_rows_reach_every_field_of_every_model() -> None:
    tops = {path.split(".")[0].removesuffix("[]") for path in SETTINGS}
    assert tops == set(ClamorYaml.model_fields)
    for name, field in EnginePart.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        for key, found in (inner or {}).items():
            alias = found.alias or key
            assert any(path == f"{name}.{alias}" or path.startswith(f"{name}.{alias}.") for path in SETTINGS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path + row.only)
def test_every_setting_is_documented_with_type_default_example_and_meaning(row: Any) -> None:
    assert f"| `{row.path}` |" in PAGE_TEXT
    assert len(row.meaning) > 10
    assert row.type
    assert row.default
    assert row.example not in ("", "`null`")


def test_every_setting_is_in_the_example() -> None:
    assert set(leaves(yaml.safe_load(full_example()))) == SETTINGS


def test_what_the_example_shows_of_the_engine_are_the_defaults() -> None:
    shown = yaml.safe_load(EXAMPLE_TEXT)
    stated = {key: value for key, value in shown.items() if key in EnginePart.model_fields and value is not None}
    assert EnginePart.model_validate(stated) == EnginePart()


def test_the_example_satisfies_the_schema_that_its_first_line_names() -> None:
    assert EXAMPLE_TEXT.startswith("# yaml-language-server: $schema=clamor.schema.json\n")
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    for text in (EXAMPLE_TEXT, full_example()):
        jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "brandz: []",
        "api: {port: 0}",
        "retention: {posts: 6}",
        "sources: [{id: a, kind: fax}]",
        "brands: [{id: A, name: A}]",
    ],
)
def test_an_editor_sees_the_commonest_mistakes(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(json_schema()))
    assert not validator.is_valid(yaml.safe_load(text))


def test_the_page_speaks_of_nothing_that_is_not_there() -> None:
    table_paths = set(re.findall(r"^\| `([a-z_.\[\]]+)` \|", PAGE_TEXT, flags=re.MULTILINE))
    files = {"clamor.yaml", "rules.yaml", "detractors.yaml", "secrets.env", "clamor.schema.json"}
    assert table_paths - files == SETTINGS
