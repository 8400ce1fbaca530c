"""What the dashboard and the alert rules ask for is what the program tells, and every metric stands on its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from living import Living, post, settled_home
from msgspec.structs import replace
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from clamor.metrics import families, metrics
from clamor.status import status
from stream.embedded import EmbeddedLog
from stream.ports import Transient
from stream.process import here, this_process
from stream.status import StageStatus
from stream.timing import Timing

ROOT = Path(__file__).parents[2]
FILES = ROOT / "config" / "observability"
PAGE = ROOT / "docs" / "observability.md"
OF_PROMETHEUS: Mapping[str, frozenset[str]] = {"up": frozenset({"job", "instance"})}
GIVEN = frozenset({"job", "instance"})
"""What Prometheus adds to whatever it scrapes."""


class Query(NamedTuple):
    where: str
    expression: str
    words: str
    """Text that names labels of the result."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, frozenset[str]]:
    """Labels by the name of each series that the program can tell of."""
    with Living(settled_home(tmp_path_factory.mktemp("told") / "home")) as living:
        answer = status(living.opened)
        answer["coverage"]["share"] = 1.0  # told only where posts were asked for
        answer["incidents"] |= {"judged": 1, "lag": 0}  # told once the clock has begun
        found = list(families(answer))
    return {name: frozenset(labels) for metric in found for name, labels in _series(metric)}


def _series(metric: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    labels: tuple[str, ...] = metric._labelnames
    if metric.type == "histogram":
        yield f"{metric.name}_bucket", (*labels, "le")
        yield from ((f"{metric.name}_{end}", labels) for end in ("count", "sum"))
    else:
        yield metric.name + ("_total" if metric.type == "counter" else ""), labels


def _panels() -> list[Query]:
    board = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    return [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


def _rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FILES / "alerts.yml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _queries() -> list[Query]:
    return _panels() + [Query(rule["alert"], rule["expr"], rule["annotations"]["summary"]) for rule in _rules()]


@pytest.mark.parametrize("query", _queries(), ids=lambda query: query.where)
def test_every_query_asks_for_what_is_told(query: Query, told: Mapping[str, frozenset[str]]) -> None:
    known = {**told, **OF_PROMETHEUS}
    selectors = re.findall(r"\b((?:clamor_\w+)|up)\b(?:\{([^}]*)\})?", query.expression)
    assert selectors
    had = set(GIVEN)
    for name, matchers in selectors:
        assert name in known
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= known[name] | GIVEN
        had |= known[name]
    groups = [set(re.split(r"[,\s]+", group.strip())) for group in re.findall(r"\bby \(([^)]*)\)", query.expression)]
    for group in groups:
        assert group <= had
    left = set.intersection(*groups) if groups else had
    aggregated = groups or re.search(r"\b(?:sum|avg|min|max|count)\(", query.expression)
    named = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", query.words))
    assert named <= (left if groups else set() if aggregated else had)


def test_rates_are_taken_of_counters_and_quantiles_of_buckets(told: Mapping[str, frozenset[str]]) -> None:
    for query in _queries():
        for name in re.findall(r"\b(?:rate|increase)\((\w+)", query.expression):
            assert name.endswith(("_total", "_bucket", "_sum", "_count")), query
        quantiles = r"\bhistogram_quantile\([\d.]+, sum by \([^)]*\ble\b[^)]*\) \(rate\(\w+_bucket\b"
        assert query.expression.count("histogram_quantile") == len(re.findall(quantiles, query.expression)), query
        assert query.expression.count("(") == query.expression.count(")"), query


def test_every_metric_is_on_the_dashboard(told: Mapping[str, frozenset[str]]) -> None:
    """Somebody who opens it misses nothing that the program could have said."""
    shown = " ".join(query.expression for query in _panels())
    whole = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told}
    assert {name for name in whole if name not in shown} == set()


def test_every_metric_and_every_alert_stands_on_the_page(told: Mapping[str, frozenset[str]]) -> None:
    page = PAGE.read_text("utf-8")
    whole = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told}
    rows = dict(re.findall(r"^\| `(clamor_\w+)` \| ([^|]*) \|", page, re.MULTILINE))
    assert rows.keys() == whole
    for name, cell in rows.items():
        labels = next(told[each] for each in told if each.startswith(name) and each.removeprefix(name) in ENDS) - {"le"}
        assert set(re.findall(r"`(\w+)`", cell)) == labels, name
    assert re.findall(r"^\| `(Clamor\w+)` \|", page, re.MULTILINE) == [rule["alert"] for rule in _rules()]


ENDS = ("", "_bucket")


def test_the_alert_rules_are_as_prometheus_reads_them() -> None:
    for rule in _rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+m", rule.get("for", "0m"))
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_the_panels_do_not_lie_over_one_another() -> None:
    board = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def says(living: Living, **changes: Any) -> None:
    """As a process of stage nlp that is well, this one."""
    pid, started = this_process()
    wall = living.clock.wall()
    well = StageStatus(
        stage="nlp", topic="posts", group="nlp", pid=pid, started=started, place=here(), state="working", at=wall,
        since=wall, progress_at=wall, records=40, retries=2, rebalances=1,
        batch_time=Timing((0, 0, 3, *(0,) * 10), 0.06), model_time=Timing((0, 4, *(0,) * 11), 0.03),
    )  # fmt: skip
    living.opened.statuses.write(replace(well, **changes))


def _samples(text: bytes) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    family: Metric
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key != "process"}
            found.setdefault(sample.name, []).append((labels, sample.value))
    return found


def test_the_time_of_batches_and_model_is_told_by_process(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        says(living)
        found = _samples(metrics(living.opened))
    assert found["clamor_stage_records_total"] == [({"stage": "nlp"}, 40)]
    assert found["clamor_stage_rebalances_total"] == [({"stage": "nlp"}, 1)]
    batches = {labels["le"]: value for labels, value in found["clamor_stage_batch_seconds_bucket"]}
    assert (batches["0.01"], batches["0.025"], batches["+Inf"]) == (0, 3, 3)
    assert found["clamor_stage_batch_seconds_sum"] == [({"stage": "nlp"}, 0.06)]
    assert found["clamor_stage_model_seconds_count"] == [({"stage": "nlp"}, 4)]


def test_the_model_is_timed_where_it_reads(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(*(post(n) for n in range(5)))
        living.live(post(9, "nothing about anybody"))
        work = living.stages[0]._work
        assert sum(work.model_time().counts) == 1, "a text about nobody asks no model"  # type: ignore[attr-defined]
        assert sum(living.stages[0].status().batch_time.counts) == 2


def test_while_an_engine_is_away_the_metrics_say_which_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Transient("no broker answers")

    with Living(settled_home(tmp_path / "home")) as living:
        says(living, state="retrying")
        with monkeypatch.context() as patch:
            patch.setattr(EmbeddedLog, "bounds", away)
            found = _samples(metrics(living.opened))
        up = {labels["engine"]: value for labels, value in found["clamor_engine_up"]}
        assert up == {"log": 0, "database": 1}
        assert found["clamor_stage_retries_total"] == [({"stage": "nlp"}, 2)]
        assert "clamor_stage_lag_records" not in found
        up = {labels["engine"]: value for labels, value in _samples(metrics(living.opened))["clamor_engine_up"]}
        assert up == {"log": 1, "database": 1, "store": 1}
