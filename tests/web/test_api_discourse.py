"""An event of a community, over a socket: whose category is private is seen by nobody without its label."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from web_home import SECRET, WebHome, complaint, opened_home

from stream.clock import HOUR
from stream.records import Coverage
from tests.standins.discourse import STAFF, DiscourseStandIn


@pytest.fixture(scope="module")
def community() -> Iterator[DiscourseStandIn]:
    with DiscourseStandIn() as community:
        yield community


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory, community: DiscourseStandIn) -> Iterator[WebHome]:
    source = (
        f"  - {{id: acmes, kind: discourse, url: '{community.url}', key_env: CLAMOR_TEST_KEY, "
        "secret_env: CLAMOR_TEST_PUSH, brands: [acme], private: {'7': staff}}\n"
    )
    folder = tmp_path_factory.mktemp("discourse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLAMOR_TEST_KEY", "an-api-key-of-a-test")
        with opened_home(folder, source) as home:
            yield home


def test_a_private_post_is_seen_with_its_label_alone(listening: WebHome, community: DiscourseStandIn) -> None:
    one = community.topic("Behind closed doors", "the staff says common words", category=STAFF)
    headers, body = community.event("post_created", one, SECRET)
    answer = listening.client.post("/api/webhooks/acmes", content=body, headers=headers)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    (post,) = listening.durable()
    assert (post.access, post.brands, post.source_id) == ("staff", ("acme",), "acmes")
    listening.take(replace(complaint("x"), post=post))
    mention = f"{post.id}#acme"
    everybody, staff = listening.limited(), listening.limited(access=["public", "staff"])
    assert listening.found("common", everybody) == []
    assert listening.found("common", staff) == [mention]
    assert listening.ok("/api/count", everybody, q="common")["value"] == 0
    assert listening.ok("/api/cases", everybody)["cases"] == []
    assert len(listening.ok("/api/cases", staff)["cases"]) == 1


def test_what_was_read_of_a_community_is_seen_with_the_labels_of_its_private_categories(listening: WebHome) -> None:
    now = listening.opened.clock.now()
    row = Coverage(source_id="acmes", since=now - HOUR, until=now, state="complete", recorded_at=now)
    listening.opened.ledger.record(row)
    staff = listening.limited(access=["public", "staff"])
    assert len(listening.ok("/api/coverage", staff, source="acmes")["rows"]) == 1
    assert listening.ok("/api/coverage", listening.limited(), source="acmes")["rows"] == []


def test_who_asks_and_knows_nothing_learns_of_no_source(listening: WebHome) -> None:
    asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=guess"
    answers = [
        listening.client.get(f"/api/webhooks/{source}?{query}")
        for source in ("acmes", "community", "absent")
        for query in (asked, "", "hub.challenge=" + "9" * 5_000)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "1158201444" not in answers[0].text


def test_who_cannot_sign_for_a_community_learns_of_none(listening: WebHome, community: DiscourseStandIn) -> None:
    one = community.topic("Open", "x")
    headers, body = community.event("post_created", one, "a guess of sixteen signs")
    answers = [
        listening.client.post(f"/api/webhooks/{source}", content=body, headers=headers)
        for source in ("acmes", "absent")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
