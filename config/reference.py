"""The settings as others read them: a JSON Schema for editors, and the tables of docs/configuration.md.

Both are made from the models, so that they cannot tell another story; `python -m config.reference` writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from config.explain import resolved, values_of
from config.schema import json_schema

ROOT = Path(__file__).parent.parent
SCHEMA_FILE = ROOT / "docs" / "schemas" / "clamor.schema.json"
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = Path(__file__).parent / "example.yaml"
BEGIN, END = "<!-- settings: written by python -m config.reference -->", "<!-- end of settings -->"


class Row(NamedTuple):
    """One setting. `path`: `api.port`, `brands[].id`, `sources[].path` with its kind in `only`."""

    path: str
    only: str
    type: str
    default: str
    example: str
    meaning: str


def rows() -> list[Row]:
    """Every setting, in the order of the models."""
    schema = json.loads(json_schema())
    return list(_rows(schema, schema, "", "", yaml.safe_load(full_example())))


def full_example() -> str:
    """The example with every setting that it shows unset being set."""
    return re.sub(r"^(\s*)#(?=[\w-]\s?\S)", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def page(text: str) -> str:
    """A page with its tables written anew between the two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_tables()}\n{END}{after}"


def main() -> None:
    SCHEMA_FILE.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA_FILE.write_text(json_schema(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


# --- tables -------------------------------------------------------------------------------------------------------


def _tables() -> str:
    lines: list[str] = []
    section = None
    for row in rows():
        parts = row.path.split(".")
        here = (parts[0].removesuffix("[]") if len(parts) > 1 else "", row.only)
        if here != section:
            section = here
            title = f"`{here[0]}`" if here[0] else "At the top"
            lines += ["", f"### {title}{f' of kind {row.only}' if row.only else ''}", ""]
            lines += ["| setting | type | default | example | meaning |", "|---|---|---|---|---|"]
        cells = (f"`{row.path}`", row.type, row.default, row.example, row.meaning)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _rows(
    section: Mapping[str, Any], root: Mapping[str, Any], prefix: str, only: str, example: object
) -> Iterator[Row]:
    for key, found in section["properties"].items():
        path = f"{prefix}{key}"
        value = _example(example, key, only)
        inner = resolved(found, root)
        members = inner.get("items", {})
        if "properties" in inner:
            yield from _rows(inner, root, f"{path}.", "", value)
        elif "oneOf" in members:
            kinds = members["discriminator"]["mapping"].items()
            of_kinds = [
                row
                for name, reference in kinds
                for row in _rows(resolved({"$ref": reference}, root), root, f"{path}[].", name, value)
            ]
            yield from (row for row in of_kinds if row.only)
            # A section that several kinds have is told once.
            yield from {row.path: row for row in of_kinds if not row.only}.values()
        elif "properties" in resolved(members, root):
            yield from _rows(resolved(members, root), root, f"{path}[].", "", value)
        else:
            yield _row(path, key, only, found, inner, section, value)


def _row(
    path: str,
    key: str,
    only: str,
    found: Mapping[str, Any],
    inner: Mapping[str, Any],
    section: Mapping[str, Any],
    value: object,
) -> Row:
    required = key in section.get("required", ())
    default = found.get("default")
    return Row(
        path=path,
        only=only,
        type=_type(inner),
        default="required" if required else "empty" if default in (None, [], {}) else _code(default),
        example=_code(value),
        meaning=" ".join(str(found.get("description", "")).split()),
    )


def _example(example: object, key: str, only: str) -> object:
    """The value of `key` in the example: in a list, the first that is not empty, of this kind where one is given."""
    if isinstance(example, list):
        items = [item for item in example if not only or item.get("kind") == only]
        found = [item[key] for item in [*items, *example] if key in item]
        return next((value for value in found if value not in ([], {})), found[0] if found else None)
    return example.get(key) if isinstance(example, dict) else None


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}`"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("title") in ("span of time", "size"):
        return str(schema["title"])
    if schema.get("type") == "integer":
        return f"whole number {schema['minimum']} to {schema['maximum']}"
    if schema.get("type") == "number" and "minimum" in schema:
        return f"number {schema['minimum']:g} to {schema['maximum']:g}"
    if schema.get("type") == "number":
        return f"number above {schema['exclusiveMinimum']} and below {schema['exclusiveMaximum']}"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object":
        return f"map to {_type(values_of(schema) or {})}"
    return {"boolean": "true or false", "string": "text"}[str(schema.get("type"))]


if __name__ == "__main__":
    main()
