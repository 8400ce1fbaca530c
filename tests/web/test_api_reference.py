"""The API's schema is valid, committed and complete; the page made of it needs nothing from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import jsonschema
from web_home import WebHome

from web import openapi, reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_committed_schema_is_current(home: WebHome) -> None:
    assert openapi.PLACE.read_text(encoding="utf-8") == openapi.text(), "run `python -m web.openapi` and commit it"
    served = home.client.get("/api/openapi.json").json()
    assert served["paths"] == openapi.openapi()["paths"]


def test_the_schemas_are_valid_and_every_route_explains_itself() -> None:
    found = openapi.openapi()
    assert found["openapi"].startswith("3.1")
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for methods in found["paths"].values():
        for route in methods.values():
            assert route["summary"]
            assert route["tags"][0] in {tag["name"] for tag in found["tags"]}
            refusals = {status for status in route["responses"] if status >= "4"}
            for status_code in refusals:
                schema = route["responses"][status_code]["content"]["application/json"]["schema"]["$ref"]
                assert schema.rpartition("/")[2] in {"Problem", "PushProblem", "Readiness"}
            assert ("security" in route) == ("401" in refusals and "webhooks" not in route["tags"])


def test_answers_fit_the_schema(home: WebHome) -> None:
    found = openapi.openapi()
    for path in (
        "/api/search",
        "/api/count",
        "/api/histogram",
        "/api/cases",
        "/api/coverage",
        "/api/status",
        "/readyz",
    ):
        schema = found["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": found["components"]}
        jsonschema.Draft202012Validator(whole).validate(home.ok(path))


def test_every_route_stands_in_the_docs() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    missing = [path for path in openapi.openapi()["paths"] if f"`{path}`" not in page and f" {path}`" not in page]
    assert missing == []


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = {name: value or "" for name, value in attributes}
        self.addresses += [named[name] for name in ("href", "src", "action", "style") if name in named]
        self.ids |= {named["id"]} if "id" in named else set()


def test_the_page_reads_without_scripts_and_without_a_network(home: WebHome) -> None:
    answer = home.client.get("/api/docs")
    page = _Page()
    page.feed(answer.text)
    assert not {"script", "iframe", "img", "form", "style"} & set(page.tags)
    here = {address for address in page.addresses if not address.startswith("#")}
    assert here == {"docs.css", "openapi.json"}
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= page.ids
    assert home.client.get("/api/docs.css").headers["content-type"].startswith("text/css")
    for path in openapi.openapi()["paths"]:
        assert path in answer.text
    assert "style-src 'self'" in answer.headers["content-security-policy"]


def test_what_the_page_is_made_of_is_escaped() -> None:
    made = openapi.openapi()
    made["info"]["description"] = "<script>alert(1)</script> & `<b>`"
    page = reference.page(made)
    assert "<script" not in page
    assert "<b>" not in page
    assert "<code>&lt;b&gt;</code>" in page
