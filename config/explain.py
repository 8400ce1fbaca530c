"""What pydantic finds, in the words and at the places of the file that people wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.marked import Path, Step
from config.problems import did_you_mean, shown
from config.units import format_duration, format_size


class Finding(NamedTuple):
    """A finding without its place; `value` is already fit to be shown, `at_key`: it is about the key, not the value."""

    path: Path
    message: str
    advice: str
    value: str | None
    at_key: bool = False


def explain(error: ErrorDetails, model: type[BaseModel]) -> Finding:
    """One of `ValidationError.errors()` of `model` as a finding."""
    located, schema = _walk(error["loc"], model)
    words = _WORDS.get(error["type"], _other)
    message, advice = words(error, schema)
    if error["type"] == "union_tag_invalid":
        located = (*located, error["ctx"]["discriminator"].strip("'"))
        return Finding(located, message, advice, shown(error["ctx"]["tag"]))
    missing = error["type"] == "missing"
    at_key = error["type"] == "extra_forbidden"
    value = None if missing or at_key or _secret(located, error) else _found(error["input"])
    if _secret(located, error) and not at_key:
        message += " (the value is not repeated here)"
    return Finding(located, message, advice, value, at_key)


def known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """Keys that may stand at `path`."""
    return sorted(_walk(path, model)[1].get("properties", {}))


_SENSITIVE = re.compile(r"passw|secret|token|credential|api_?key|_env$", re.IGNORECASE)
_ADDRESS_WITH_LOGIN = re.compile(r"://[^/\s]*@")

PATTERNS: Mapping[str, tuple[str, str]] = {
    r"^[a-z0-9][a-z0-9_-]{0,62}$": ("not an id", "ids have small letters a-z, digits, - and _, at most 63 of them"),
    r"^[a-z][a-z0-9_-]{0,39}$": ("not a prefix", "begin with a small letter; a-z, digits, - and _, at most 40 of them"),
    r"^[A-Z]{3}$": ("not a currency", "write its three letters, such as USD or EUR"),
    r"^[A-Z_][A-Z0-9_]{0,99}$": (
        "not the name of an environment variable",
        "put the secret itself into the environment or secrets.env, and its NAME in capitals here",
    ),
}


def _secret(path: Path, error: ErrorDetails) -> bool:
    last = next((step for step in reversed(path) if isinstance(step, str)), "")
    found = error["input"]
    if isinstance(found, str) and (_ADDRESS_WITH_LOGIN.search(found) or (last == "servers" and "@" in found)):
        return True
    return bool(_SENSITIVE.search(last))


def _found(value: object) -> str | None:
    if isinstance(value, dict | list | tuple):
        return "a section" if isinstance(value, dict) else "a list"
    return shown(value)


# --- words by type of error ---------------------------------------------------------------------------------------


def _missing(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    key = error["loc"][-1]
    return f"{key} is missing", f"add `{key}:` here"


def _unknown(error: ErrorDetails, schema: Mapping[str, Any]) -> tuple[str, str]:
    key = str(error["loc"][-1])
    known = list(schema.get("properties", {}))
    if _SENSITIVE.search(key):
        named = next((name for name in known if name.endswith("_env")), None)
        if named is not None:
            return (
                f"{key!r} is not known here, and secrets do not belong in this file",
                f"put it into the environment or secrets.env, and its NAME into {named}",
            )
    return f"{key!r} is not known here", did_you_mean(key, known)


def _one_of(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    expected = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
    found = error["input"]
    if len(expected) == 1:
        return f"must be {expected[0]}", "it is the only choice in this version"
    return f"must be one of {', '.join(expected)}", _near(found, expected)


def _near(found: object, expected: Sequence[str]) -> str:
    advice = did_you_mean(found, expected) if isinstance(found, str) else ""
    return advice if advice.startswith("did") else ""


def _pattern(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    pattern = str(error["ctx"]["pattern"])
    if pattern.startswith("^https?"):
        return "not an address", "write it as https://clamor.example.org"
    return PATTERNS.get(pattern, ("not of the expected form", f"it must match {pattern}"))


def _bound(error: ErrorDetails, schema: Mapping[str, Any]) -> tuple[str, str]:
    name, limit = next((key, value) for key, value in error["ctx"].items() if key in _BOUNDS)
    number = int(limit) if float(limit).is_integer() else limit
    text = {"span of time": format_duration, "size": format_size}.get(str(schema.get("title")), str)(number)
    return f"must be {_BOUNDS[name]} {text}", ""


_BOUNDS = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}


def _length(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    context = error["ctx"]
    if "min_length" in context:
        return "must not be empty", "write something, or delete the line"
    return f"longer than {context['max_length']} characters", "shorten it"


def _text(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    found = error["input"]
    if found is None:
        return "must be text, nothing stands here", "a # begins a comment: text with # needs quotes, '#acme'"
    if isinstance(found, bool | int | float):
        return "must be text", f"write it in quotes: '{str(found).lower() if isinstance(found, bool) else found}'"
    return "must be text", ""


def _number(*_: object) -> tuple[str, str]:
    return "must be a whole number", "write digits only"


def _share(*_: object) -> tuple[str, str]:
    return "must be a number", "write 0.25"


def _list(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    found = error["input"]
    if isinstance(found, str) and len(found) < 40:
        return "must be a list", f"write [{found}], or each item on its own line after a dash"
    return "must be a list", "write each item on its own line after a dash"


def _section(error: ErrorDetails, schema: Mapping[str, Any]) -> tuple[str, str]:
    known = ", ".join(list(schema.get("properties", {}))[:8])
    return "must be a section", f"keys of it: {known}" if known else "write `key: value` lines below it"


def _flag(*_: object) -> tuple[str, str]:
    return "must be true or false", ""


def _kind(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    context = error["ctx"]
    if error["type"] == "union_tag_not_found":
        return f"{str(context['discriminator']).strip(chr(39))} is missing", "add it: it says what this is"
    expected = re.findall(r"'([^']*)'", str(context["expected_tags"]))
    found = context["tag"]
    return f"must be one of {', '.join(expected)}", _near(found, expected)


def _value(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    message, _colon, advice = str(error["ctx"]["error"]).partition(": ")
    return message, advice


def _other(error: ErrorDetails, _: Mapping[str, Any]) -> tuple[str, str]:
    return error["msg"], ""


_WORDS: Mapping[str, Callable[[ErrorDetails, Mapping[str, Any]], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _one_of,
    "string_pattern_mismatch": _pattern,
    "string_type": _text,
    "string_too_short": _length,
    "string_too_long": _length,
    "int_type": _number,
    "int_parsing": _number,
    "int_from_float": _number,
    "float_type": _share,
    "float_parsing": _share,
    "tuple_type": _list,
    "list_type": _list,
    "model_type": _section,
    "model_attributes_type": _section,
    "dict_type": _section,
    "bool_type": _flag,
    "bool_parsing": _flag,
    "union_tag_invalid": _kind,
    "union_tag_not_found": _kind,
    "value_error": _value,
    "greater_than": _bound,
    "greater_than_equal": _bound,
    "less_than": _bound,
    "less_than_equal": _bound,
}  # fmt: skip


# --- where a finding stands, by the model's JSON Schema -----------------------------------------------------------


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _walk(location: tuple[Step, ...], model: type[BaseModel]) -> tuple[Path, Mapping[str, Any]]:
    """(the location without the names of union members, the schema there, or that of the section above)."""
    root = _schema(model)
    schema: Mapping[str, Any] = root
    path: list[Step] = []
    for step in location:
        schema = resolved(schema, root)
        mapping = schema.get("discriminator", {}).get("mapping", {})
        if step in mapping:
            schema = {"$ref": mapping[step]}
            continue
        if step == "[key]":
            continue
        path.append(step)
        inner = _inner(schema, step)
        if inner is None:
            break
        schema = inner
    return tuple(path), resolved(schema, root)


def _inner(schema: Mapping[str, Any], step: Step) -> Mapping[str, Any] | None:
    found: Any
    if isinstance(step, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(step, values_of(schema))
    return found if isinstance(found, Mapping) else None


def values_of(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the values of a map are, whether or not its keys have a form; None: it is no map."""
    of_form: Mapping[str, Any] = schema.get("patternProperties", {})
    return next(iter(of_form.values()), None) or schema.get("additionalProperties") or None


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a JSON Schema with references to `root` followed, and without the choice of nothing."""
    while True:
        choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
        if "$ref" in schema:
            schema = root["$defs"][str(schema["$ref"]).rsplit("/", 1)[1]]
        elif len(choices) == 1:
            schema = choices[0]
        else:
            return schema
