"""What a record of Bluesky says is what its readers see."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ingest.networks.bluesky_posts import Record, content, post_draft


def read(**fields: Any) -> Record:
    return msgspec.json.decode(msgspec.json.encode(fields), type=Record)


def facet(text: str, part: str, **feature: str) -> dict[str, Any]:
    start = text.encode().index(part.encode())
    return {"index": {"byteStart": start, "byteEnd": start + len(part.encode())}, "features": [feature]}


def test_links_that_are_shown_cut_come_in_full() -> None:
    text = "¡Mira! 🙂 example.org/a-long… y más"
    said = content(read(text=text, facets=[facet(text, "example.org/a-long…", uri="https://example.org/a-long-way")]))
    assert said.text == "¡Mira! 🙂 https://example.org/a-long-way y más"


@pytest.mark.parametrize(("start", "end"), [(-5, 4), (3, 90), (9, 2), (0, 0)])
def test_a_facet_that_points_nowhere_changes_nothing(start: int, end: int) -> None:
    facets = [{"index": {"byteStart": start, "byteEnd": end}, "features": [{"uri": "https://example.org"}]}]
    assert content(read(text="plain…", facets=facets)).text == "plain…"


def test_the_card_of_a_link_gives_headline_and_address() -> None:
    card = {"$type": "app.bsky.embed.external", "external": {"uri": "https://example.org/1", "title": "Acme fails"}}
    assert content(read(text="read this", embed=card)) == ("Acme fails", "read this\nhttps://example.org/1")
    assert content(read(text="read https://example.org/1", embed=card)).text == "read https://example.org/1"


def test_hidden_tags_count_as_hashtags() -> None:
    assert content(read(text="late again", tags=["acme", "#tren"])).text == "late again\n#acme #tren"


def test_a_post_of_pictures_alone_says_their_descriptions() -> None:
    pictures = {"images": [{"alt": "A broken Acme box", "image": {"ref": {"$link": "bafkabc"}}}, {"alt": ""}]}
    record = read(text="", embed=pictures)
    assert content(record).text == "A broken Acme box"
    assert content(read(text="look", embed=pictures)).text == "look"
    draft = post_draft("did:plc:ana", "3l1", record, content(record))
    assert draft.media == ("https://cdn.bsky.app/img/feed_fullsize/plain/did:plc:ana/bafkabc@jpeg",)


def test_a_quote_with_pictures_names_what_it_quotes_and_a_list_is_no_quote() -> None:
    quoted = "at://did:plc:bo/app.bsky.feed.post/3l2"
    both = {"record": {"record": {"uri": quoted}}, "media": {"images": []}}
    record = read(text="see", embed=both)
    assert post_draft("did:plc:ana", "3l1", record, content(record)).quote_of == quoted
    record = read(text="see", embed={"record": {"uri": "at://did:plc:bo/app.bsky.graph.list/3l2"}})
    assert post_draft("did:plc:ana", "3l1", record, content(record)).quote_of is None
