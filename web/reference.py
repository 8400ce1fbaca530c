"""The API's reference as one page of plain HTML, made from the OpenAPI schema: no script, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment
from markupsafe import Markup, escape

from web.hardening import HEADERS

CSP = HEADERS["Content-Security-Policy"] + "; style-src 'self'"
CACHED = {"Content-Security-Policy": CSP, "Cache-Control": "private, max-age=300"}


class Parameter(NamedTuple):
    name: str
    place: str
    required: bool
    takes: str
    means: str


class Answer(NamedTuple):
    status: str
    schema: str
    means: str


class Route(NamedTuple):
    method: str
    path: str
    summary: str
    description: str
    token: bool
    parameters: list[Parameter]
    example: str
    answers: list[Answer]


class Tag(NamedTuple):
    name: str
    description: str
    routes: list[Route]


class Field(NamedTuple):
    name: str
    takes: str
    link: str
    example: str
    means: str


class Schema(NamedTuple):
    name: str
    description: str
    fields: list[Field]


def install(app: FastAPI) -> None:
    """Mount `/api/docs`. It tells of the program and of nothing in it, so it wants no token."""

    @app.get("/api/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers=CACHED)

    @app.get("/api/docs.css", include_in_schema=False)
    async def style() -> Response:
        return Response(_file("reference.css"), media_type="text/css", headers=CACHED)


def page(openapi: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI schema, as FastAPI makes it."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_file("reference.html.j2"))
    schemas = [
        _schema(name, found)
        for name, found in sorted(openapi["components"]["schemas"].items())
        if "properties" in found and "ValidationError" not in name
    ]
    tags = [
        Tag(tag["name"], tag["description"], [route for name, route in _routes(openapi) if name == tag["name"]])
        for tag in openapi["tags"]
    ]
    return template.render(info=openapi["info"], tags=tags, schemas=schemas, paragraphs=paragraphs, inline=inline)


def paragraphs(text: str | None) -> list[Markup]:
    """Parts that empty lines divide, escaped, with `code` marked."""
    return [inline(part) for part in re.split(r"\n\s*\n", text or "") if part.strip()]


def inline(text: str) -> Markup:
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(" ".join(text.split())))))  # noqa: S704 (escaped before)


def _routes(openapi: Mapping[str, Any]) -> Iterator[tuple[str, Route]]:
    for path, methods in openapi["paths"].items():
        for method, found in methods.items():
            body = found.get("requestBody", {}).get("content", {}).get("application/json", {})
            parameters = [
                Parameter(
                    one["name"],
                    one["in"],
                    one.get("required", False),
                    _takes(one["schema"]),
                    one.get("description", ""),
                )
                for one in found.get("parameters", ())
            ]
            answers = [
                Answer(status, _named(answer), answer.get("description", ""))
                for status, answer in sorted(found["responses"].items())
            ]
            example = json.dumps(body["example"], indent=2, ensure_ascii=False) if "example" in body else ""
            yield (
                found["tags"][0],
                Route(
                    method.upper(),
                    path,
                    found["summary"],
                    found.get("description", ""),
                    "security" in found,
                    parameters,
                    example,
                    answers,
                ),
            )


def _schema(name: str, found: Mapping[str, Any]) -> Schema:
    fields = [
        Field(
            field,
            _takes(about),
            next(iter(re.findall(r"#/components/schemas/(\w+)", json.dumps(about))), ""),
            json.dumps(about["examples"][0], ensure_ascii=False) if about.get("examples") else "",
            about.get("description", ""),
        )
        for field, about in found["properties"].items()
    ]
    return Schema(name, found.get("description", ""), fields)


def _named(answer: Mapping[str, Any]) -> str:
    """Name of the schema that an answer has, or that its items have."""
    return next(iter(re.findall(r"#/components/schemas/(\w+)", json.dumps(answer.get("content", {})))), "")


def _takes(schema: Mapping[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_takes(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_takes(schema['items'])}" if "items" in schema else "list"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object"}
    found = words.get(schema.get("type", ""), schema.get("type", "anything"))
    if schema.get("format") == "date-time":
        found = "time"
    if "minimum" in schema and schema.get("maximum", 2**62) < 2**62:
        found += f" {schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        found += f" up to {schema['maxLength']:,} characters"
    default = schema.get("default")
    return found if default in (None, "") else f"{found}, default {json.dumps(default)}"


def _file(name: str) -> str:
    return (files("web") / name).read_text(encoding="utf-8")
