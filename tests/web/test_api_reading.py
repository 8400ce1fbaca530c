"""The API answers what SQL and the index hold: mentions, why they are where they are, cases, coverage, how it does."""

from __future__ import annotations

import re

from msgspec.structs import replace
from route_home import passed, reading, said
from web_home import WebHome, complaint, scandal

from ingest.coverage import ASKED_BY_ID
from query.parse import parse
from stream.clock import HOUR
from stream.ports import EVERYTHING
from stream.records import Coverage, Labels, Scores


def test_a_mention_is_found_and_highlighted(home: WebHome) -> None:
    home.take(complaint("found-1", text="my lost suitcase", author="ana"))
    answer = home.ok("/api/search", q="suitcase author:ana")
    (hit,) = answer["hits"]
    assert hit["mention"]["id"] == "x:found-1#acme"
    assert (hit["mention"]["author"], hit["mention"]["queue"]) == ("ana", "support")
    assert [hit["mention"]["text"][start:end] for start, end in hit["highlights"]] == ["suitcase"]
    assert answer["total"] == {"value": 1, "estimated": False}
    assert answer["cursor"] is None
    assert home.ok("/api/search", q="suitcase", total=False)["total"] is None


def test_the_probability_is_that_of_the_label(home: WebHome) -> None:
    home.take(complaint("sure-1", text="certainly sure"))
    mention = home.ok("/api/mentions/x:sure-1%23acme")
    assert mention["intent"] == {"label": "complaint", "probability": 0.9}
    assert mention["detractor"] == {"label": "1", "probability": 0.9}


def test_what_was_read_of_the_text_is_shown_and_null_where_the_model_does_not_say(home: WebHome) -> None:
    said_more = replace(
        reading("acme", "complaint", detractor=1),
        complaint=Scores("yes", (0.1, 0.9)),
        emotion=Labels(("anger", "fear"), (0.8, 0.1, 0.6, 0.0, 0.2, 0.0)),
        irony=Scores("no", (0.7, 0.3)),
        aspects=("delivery",),
        spam=("links",),
    )
    home.take(said("tone-1", said_more, text="tones"), complaint("tone-2", text="tones"))
    full, plain = (home.ok(f"/api/mentions/x:tone-{n}%23acme") for n in (1, 2))
    assert full["complaint"] == {"label": "yes", "probability": 0.9}
    assert full["emotion"] == [{"label": "anger", "probability": 0.8}, {"label": "fear", "probability": 0.6}]
    assert full["irony"] == {"label": "no", "probability": 0.7}
    assert (full["offensive"], full["aspects"], full["spam"]) == (None, ["delivery"], ["links"])
    assert [plain[head] for head in ("complaint", "emotion", "irony", "offensive")] == [None] * 4
    assert (plain["aspects"], plain["spam"]) == ([], [])
    assert home.found("tones emotion:fear is:complaint is:spam") == ["x:tone-1#acme"]
    (felt,) = home.ok("/api/facets", q="tones", field="emotion")["facets"]
    assert {one["value"]: one["count"] for one in felt["values"]} == {"anger": 1, "fear": 1}


def test_pages_follow_one_another(home: WebHome) -> None:
    home.take(*(complaint(f"page-{n}", text="paginated words") for n in range(7)))
    seen, cursor = [], None
    while True:
        answer = home.ok("/api/search", q="paginated", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [hit["mention"]["id"] for hit in answer["hits"]]
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7


def test_counts_facets_and_histogram(home: WebHome) -> None:
    home.take(complaint("num-1", text="numbered"), scandal("num-2", text="numbered"))
    assert home.ok("/api/count", q="numbered")["value"] == 2
    (queues,) = home.ok("/api/facets", q="numbered", field="queue")["facets"]
    assert {one["value"]: one["count"] for one in queues["values"]} == {"support": 1, "pr": 1}
    hours = home.ok("/api/histogram", q="numbered", interval="hour")
    assert hours["interval_seconds"] == 3600
    assert sum(bucket["count"] for bucket in hours["buckets"]) == 2


def test_a_decision_is_told_in_words_with_those_before_it(home: WebHome) -> None:
    home.take(complaint("why-1", text="first"))
    home.take(scandal("why-1", text="second, and worse", kind="edited", revision=2))
    now, before = home.ok("/api/mentions/x:why-1%23acme/decisions")
    assert (now["queue"], before["queue"]) == ("pr", "support")
    assert now["in_words"][0].startswith("Queue pr")
    assert before["in_words"][0].startswith("Queue support")
    assert now["rules_revision"] >= 1
    assert now["facts"]
    assert "second" not in str([now, before])


def test_an_id_may_hold_what_an_address_does_not(home: WebHome) -> None:
    home.take(complaint("odd/ñ%?&#x", text="odd id"))
    (id,) = home.found('"odd id"')
    assert id == "x:odd/ñ%?&#x#acme"
    assert home.ok("/api/mentions/x:odd/%C3%B1%25%3F%26%23x%23acme")["id"] == id
    assert home.ok("/api/mentions/x%3Aodd%2F%C3%B1%25%3F%26%23x%23acme/decisions")


def test_a_case_and_its_history(home: WebHome) -> None:
    home.take(complaint("case-1", author="eva"))
    home.take(complaint("case-2", author="eva", reply_to="x:case-1"))
    case = home.ok("/api/mentions/x:case-1%23acme")["case"]
    found = home.ok(f"/api/cases/{case}")
    assert (found["queue"], found["mentions"], found["brand"]) == ("support", 2, "acme")
    assert sorted(found["mention_ids"]) == ["x:case-1#acme", "x:case-2#acme"]
    assert [event["change"] for event in found["history"]] == ["opened", "grew"]
    assert case in [one["id"] for one in home.ok("/api/cases", queue="support", brand="acme", live=True)["cases"]]
    assert case not in [one["id"] for one in home.ok("/api/cases", queue="pr")["cases"]]


def test_cases_come_in_pages(home: WebHome) -> None:
    home.take(*(complaint(f"cp-{n}", "brisa", author=f"p{n}") for n in range(5)))
    seen, cursor = [], None
    while True:
        page = home.ok("/api/cases", brand="brisa", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [case["id"] for case in page["cases"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 5


def test_what_is_missing_is_told_beside_every_number(home: WebHome) -> None:
    now = home.opened.clock.now()
    gap = Coverage(
        source_id="community", since=now - 3 * HOUR, until=now - 2 * HOUR, state="gap", reason="down", recorded_at=now
    )
    home.opened.ledger.record(gap)
    for path in ("/api/search", "/api/count", "/api/facets", "/api/histogram"):
        more = {"field": "brand"} if path == "/api/facets" else {}
        found = home.ok(path, q="since:-1d", **more)
        assert ([row["reason"] for row in found["gaps"]], found["complete"]) == (["down"], 0.0)
        found = home.ok(path, q="since:-1h", **more)
        assert (found["gaps"], found["complete"]) == ([], None)
    figure = home.ok("/api/coverage")
    assert "messengers" in figure["unseen"]
    assert (figure["share"], figure["unknown_gaps"]) == (0.0, 1)
    assert home.ok("/api/coverage", source="board")["rows"] == []
    local = home.ok("/api/coverage", since="2026-01-01T00:00:00", until="2026-01-02T00:00:00")
    assert local["since"].startswith("2026-01-01T00:00:00")


def test_a_number_is_told_with_the_part_that_was_received_of_what_the_query_names(home: WebHome) -> None:
    now = home.opened.clock.now()
    hours = {"whole": ("complete", 0), "half": ("gap", None)}
    for source, (state, missed) in hours.items():
        for start, kind, lost in ((6, "complete", 0), (5, state, missed)):
            since = now - start * HOUR
            row = Coverage(
                source_id=source, query="acme", since=since, until=since + HOUR, state=kind, missed=lost,
                received=1, reason="" if lost == 0 else "HTTP 503", recorded_at=now,
            )  # fmt: skip
            home.opened.ledger.record(row)
    for query in ASKED_BY_ID:
        late = Coverage(
            source_id="whole", query=query, since=now - 5 * HOUR, until=now - 4 * HOUR, state="partial", missed=7,
            reason="posts not looked up in time", recorded_at=now,
        )  # fmt: skip
        home.opened.ledger.record(late)
        home.opened.ledger.record(replace(late, source_id="by-id"))

    def complete(q: str) -> tuple[float | None, int]:
        found = home.ok("/api/count", q=f"since:-6h until:-4h {q}")
        share = found["complete"]
        return None if share is None else round(share, 3), len(found["gaps"])

    assert complete("source:whole") == (1.0, 0), "what was asked for by its id is no hole in what was heard"
    assert complete("source:by-id") == (None, 0)
    assert complete("source:half") == (0.5, 1)
    assert complete("(source:half OR source:whole)") == (0.75, 1)
    assert complete("source:half brand:acme") == (0.5, 1)
    assert complete("source:half brand:brisa") == (None, 0), "its lane is another brand's"
    assert complete("-source:half (source:half OR acme)")[0] is not None


def test_an_edit_shows_before_the_index_hears_of_it(home: WebHome) -> None:
    home.take(complaint("edit-1", text="the old zeppelin sags"))
    home.take(complaint("edit-1", text="our zeppelin is anew", kind="edited", revision=2), index=False)
    (hit,) = home.ok("/api/search", q="zeppelin")["hits"]
    assert hit["mention"]["text"] == "our zeppelin is anew"
    assert [hit["mention"]["text"][start:end] for start, end in hit["highlights"]] == ["zeppelin"]


def test_a_deleted_post_is_nowhere_before_the_index_hears_of_it(home: WebHome) -> None:
    home.take(*(complaint(f"gone-{n}", text="vanishing words", author="gone") for n in range(4)))
    page = home.ok("/api/search", q="vanishing", limit=2)
    case = home.ok("/api/mentions/x:gone-0%23acme")["case"]
    home.take(*(passed(f"gone-{n}", "deleted", at=home.opened.clock.now()) for n in range(4)), index=False)

    assert home.opened.store.search(parse("vanishing", now=0), EVERYTHING).hits
    assert home.found("vanishing") == []
    assert home.found("vanishing", cursor=page["cursor"], limit=2) == []
    for path in ("/api/mentions/x:gone-0%23acme", "/api/mentions/x:gone-0%23acme/decisions"):
        assert home.get(path).status_code == 404
    found = home.ok(f"/api/cases/{case}")
    assert (found["state"], found["mention_ids"]) == ("closed", [])
    assert {event["mention"] for event in found["history"]} == {None}
    assert "vanishing" not in str(found)


def test_status_and_metrics_tell_how_the_program_does(home: WebHome) -> None:
    status = home.ok("/api/status")
    assert {stage["stage"] for stage in status["stages"]} == {"nlp", "routing", "index", "web"}
    assert status["disk"]["free"] > 0
    schema = home.client.get("/api/openapi.json").json()["components"]["schemas"]
    for part, model in (("sources", "SourceStatus"), ("budgets", "BudgetStatus"), ("sweeps", "SweepStatus")):
        assert schema["Status"]["properties"][part]["items"]["$ref"].endswith(model)
        for one in status[part]:
            assert set(one) <= set(schema[model]["properties"]), f"a field of {part} is not described"
    assert {one["source"] for one in status["sources"]} == {"community", "board", "bakery"}
    answer = home.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert float(lines['clamor_cases{queue="support"}']) >= 1
    assert float(lines["clamor_posts_taken_total"]) == status["posts"]
    assert "clamor_disk_free_ratio" in lines


def test_health(home: WebHome) -> None:
    assert home.client.get("/healthz").json() == {"status": "ok"}
    assert home.client.get("/readyz").json() == {"status": "ready", "missing": []}


def test_every_time_is_written_to_the_millisecond(home: WebHome) -> None:
    home.take(complaint("time-1", text="timely"), scandal("time-2", text="timely"))
    home.opened.ledger.record(Coverage(source_id="timely", since=1_000, until=home.opened.clock.now(), state="gap"))
    asked = ("/api/search?q=timely", "/api/mentions/x:time-1%23acme/decisions", "/api/cases", "/api/coverage")
    found = " ".join(home.get(address).text for address in (*asked, "/api/histogram?q=timely"))
    times = re.findall(r'"(\d{4}-\d\d-\d\dT[^"]*)"', found)
    assert len(times) > 8
    assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", time) for time in times), times
