"""JSON Schemas of the records that travel, generated from their structures: `python -m stream.schemas [FOLDER]`."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from stream import records
from stream.records import MAJOR, WIRE_RECORDS

FOLDER = Path("docs/schemas")


def schemas() -> dict[str, str]:
    """File name -> JSON Schema (draft 2020-12) of each record, as text that ends in a newline.

    Unknown properties are allowed, because a minor version adds them; another major version is not.
    """
    return {f"{kind.__name__.lower()}.json": _text(kind) for kind in WIRE_RECORDS}


def write(folder: Path = FOLDER) -> list[Path]:
    """The files written; those already current are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in schemas().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _text(kind: type[msgspec.Struct]) -> str:
    schema = msgspec.json.schema(kind)
    definitions: dict[str, Any] = schema["$defs"]
    explained = _explained()
    for name, definition in definitions.items():
        properties = definition.get("properties", {})
        for field, text in explained.get(name, {}).items():
            properties[field]["description"] = text
        if "v" in properties:
            properties["v"] = {"const": MAJOR, "description": "Major version of the schema."}
            definition["required"] = ["v", *definition.get("required", [])]
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.__name__, **schema}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _explained() -> dict[str, dict[str, str]]:
    """Structure -> field -> the words that stand beneath it in the source."""
    explained: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(records)).body:
        if isinstance(node, ast.ClassDef):
            words = explained.setdefault(node.name, {})
            for field, below in zip(node.body, node.body[1:], strict=False):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        words[name] = inspect.cleandoc(text)
    return explained


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(path)
