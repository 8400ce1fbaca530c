"""Prometheus metrics of a home: from what all its processes wrote, so that one address tells of all of them.

The dashboard and the alert rules in `config/observability/` ask for them by these names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from clamor.engines import ENGINES, silent_engines
from clamor.opening import Opened
from clamor.standstill import standing_still
from clamor.status import living, process_of, stages, status
from stream.timing import BOUNDS

MILLIS = 1_000
STAGES = ("nlp", "routing", "index")
BY_PROCESS = ("stage", "process")
_EDGES = (*map(str, BOUNDS), "+Inf")


def metrics(opened: Opened) -> bytes:
    """Text format 0.0.4. Names and meanings stand in docs/observability.md; times are in seconds, sizes in bytes.

    While an engine does not answer: which one, and what the stages say of themselves.
    """
    silent = silent_engines(opened)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(_without(opened, silent) if silent else families(status(opened))))
    return generate_latest(registry)


def _without(opened: Opened, silent: Collection[str]) -> Iterator[Metric]:
    alive = living(opened)
    nothing_asked = dict.fromkeys(STAGES, 0)
    yield from _program(silent)
    yield from _standing(stages(alive, nothing_asked), {one.stage for one in standing_still(opened, nothing_asked)})
    yield from _processes([process_of(one) for one in alive])


def _program(silent: Collection[str] = ()) -> Iterator[Metric]:
    unknown = {"store"} if "log" in silent else set[str]()
    up = {name: int(name not in silent) for name in ENGINES if name not in unknown}
    yield _one("clamor_info", "Version of the program.", {version("clamor"): 1}, "version")
    yield _one("clamor_engine_up", "1 where log, database or store answers.", up, "engine")


def families(found: dict[str, Any]) -> Iterator[Metric]:
    """The metrics of one status (see `clamor.status.status`). What is not known now is left out."""
    yield from _program()
    yield _one("clamor_running", "1 while `clamor run` holds the home.", 0 if found["running"] is None else 1)
    lags = {one["stage"]: one["lag"] for one in found["stages"]}
    yield _one("clamor_stage_lag_records", "Records that wait for the stage.", lags, "stage")
    yield from _standing(found["stages"], {one["stage"] for one in found["stuck"]})
    yield from _processes(found["processes"])
    yield _one("clamor_troubles", "Troubles that people were told of and that are not over.", len(found["troubles"]))
    yield _counter("clamor_posts_taken", "Posts that the log has taken.", found["posts"])
    yield _counter(
        "clamor_dead_letters", "Records put aside because they could not be processed.", found["dead_letters"]
    )
    yield _one("clamor_outbox_waiting", "Rows that have to leave SQL for the log.", found["waiting"]["outbox"])
    yield _one(
        "clamor_overloaded_processes",
        "Processes of stage nlp that read by the linear model for overload.",
        found["understanding"]["overloaded"],
    )
    yield _one(
        "clamor_posts_provisional",
        "Posts read under overload that the model in force will read anew.",
        found["understanding"]["provisional"],
    )
    yield from _mails(found["mail"], found["now"])
    yield from _incidents(found["incidents"])
    yield from _latencies(found)
    yield from _erasure(found["erasure"], found["now"])
    yield from _coverage(found["coverage"])
    yield from _sources(found["sources"])
    yield from _credentials(found["sources"])
    yield from _budgets(found["budgets"])
    yield from _sweeps(found["sweeps"])
    yield _one("clamor_cases", "Live cases.", dict(sorted(found["cases"].items())), "queue")
    disk = found["disk"]
    yield _one("clamor_disk_free_bytes", "Free under the data folder.", disk["free"])
    yield _one("clamor_disk_free_ratio", "Free part of the disk under the data folder, 0 to 1.", disk["free_share"])
    yield _one("clamor_database_bytes", "Size of a database with its write-ahead log.", disk["bytes"], "file")


class _Once:
    """A collector for one registry."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self._found


def _standing(found: list[dict[str, Any]], stuck: Collection[str]) -> Iterator[Metric]:
    processes = {one["stage"]: one["processes"] for one in found}
    still = {one["stage"]: int(one["stage"] in stuck) for one in found}
    yield _one("clamor_stage_processes", "Living processes of the stage.", processes, "stage")
    yield _one("clamor_stage_stuck", "1 where the stage makes no progress or waits for a person.", still, "stage")


def _processes(found: list[dict[str, Any]]) -> Iterator[Metric]:
    """A series a process, since each begins at nothing: a sum would seem to run back when one of them ends."""
    working = [one for one in found if one["stage"] in STAGES]
    for key, about in (
        ("records", "Records done."),
        ("retries", "Batches tried again."),
        ("rebalances", "How often its partitions became others."),
        ("dead_letters", "Records put aside."),
    ):
        counter = CounterMetricFamily(f"clamor_stage_{key}", about, labels=BY_PROCESS)
        for one in working:
            counter.add_metric([one["stage"], one["process"]], one[key])
        yield counter
    for key, about in (
        ("batch", "From a batch's first record to its commit."),
        ("model", "What the model took for the texts that were read together."),
    ):
        histogram = HistogramMetricFamily(f"clamor_stage_{key}_seconds", about, labels=BY_PROCESS)
        for one in working:
            if key == "batch" or one["stage"] == "nlp":
                timing = one[f"{key}_time"]
                buckets = list(zip(_EDGES, accumulate(timing["counts"]), strict=True))
                histogram.add_metric([one["stage"], one["process"]], buckets, timing["seconds"])
        yield histogram


def _mails(mail: dict[str, Any], now: int) -> Iterator[Metric]:
    oldest = 0 if mail["oldest_waiting"] is None else max(0, now - mail["oldest_waiting"]) / MILLIS
    yield _one("clamor_mail_oldest_waiting_seconds", "How long the oldest of the waiting mails has waited.", oldest)
    yield _one("clamor_mails_waiting", "Mails to be sent as soon as the server takes them.", mail["waiting"])
    yield _one("clamor_mails_gathering", "Summaries that wait for more.", mail["gathering"])
    yield _one("clamor_mails_failed", "Mails given up or refused for good within the last day.", mail["failed"])
    yield _one("clamor_alerts_unheard", "Alerts of the last day that nobody is configured for.", mail["unheard"])


def _incidents(found: dict[str, Any]) -> Iterator[Metric]:
    yield _one("clamor_incidents_open", "Incidents under way.", found["by_state"], "state")
    yield _one("clamor_incident_alerts", "Alerts about incidents within the last day.", found["told"], "word")
    unseen = sum(one["acknowledged_by"] is None and one["state"] == "crisis" for one in found["open"])
    yield _one("clamor_crises_unanswered", "Crises under way that nobody looks after.", unseen)
    if found["judged"] is not None:
        about = "Minutes since 1970 UTC that the incident clock has judged: its rate tells whether it goes."
        yield _counter("clamor_incident_minutes_judged", about, found["judged"])
        about = "How long the next minute could have been judged by the incident clock."
        yield _one("clamor_incident_clock_lag_seconds", about, found["lag"] / MILLIS)


def _latencies(found: dict[str, Any]) -> Iterator[Metric]:
    searchable = found["latency"].get("arrival_to_searchable") or {}
    mail = found["mail"]
    for name, about, p50, p99 in (
        (
            "clamor_arrival_to_searchable_seconds",
            "From arrival in the log to being searchable, over the last hour.",
            searchable.get("p50"),
            searchable.get("p99"),
        ),
        (
            "clamor_arrival_to_mail_seconds",
            "From arrival in the log to the mail server, over the latest alert mails.",
            mail["latency_p50"],
            mail["latency_p99"],
        ),
    ):
        known = {"0.5": p50, "0.99": p99}
        values = {label: value / MILLIS for label, value in known.items() if value is not None}
        yield _one(name, about, values, "quantile")


def _erasure(erasure: dict[str, Any], now: int) -> Iterator[Metric]:
    took = GaugeMetricFamily(
        "clamor_delete_unreachable_seconds",
        "From a delete's arrival in the log until its text could not be reached any more, over the last day.",
        labels=("where", "quantile"),
    )
    for where, spans in erasure["unreachable"].items():
        for quantile, value in (("0.5", spans["day"]["p50"]), ("0.99", spans["day"]["p99"])):
            if value is not None:
                took.add_metric([where, quantile], value / MILLIS)
    yield took
    if "waiting" in erasure:
        yield _one(
            "clamor_erasures_waiting",
            "Batches with deleted texts whose words may still lie in the index's file.",
            erasure["waiting"],
        )
        oldest = 0 if erasure["since"] is None else max(0, now - erasure["since"]) / MILLIS
        yield _one(
            "clamor_erasure_oldest_seconds", "How long the oldest of them has waited; 0 where none does.", oldest
        )


def _coverage(coverage: dict[str, Any]) -> Iterator[Metric]:
    if coverage["share"] is not None:
        yield _one(
            "clamor_coverage_ratio", "Part of the last day asked for that was received, 0 to 1.", coverage["share"]
        )
    yield _one("clamor_coverage_refused_posts", "Of the last day: came and could be no post.", coverage["refused"])
    yield _one("clamor_coverage_missed_posts", "Posts of the last day known to be missed.", coverage["known_missed"])
    yield _one(
        "clamor_coverage_unknown_gaps",
        "Holes of the last day of which nobody can say how many posts they hold.",
        coverage["unknown_gaps"],
    )


def _sources(sources: list[dict[str, Any]]) -> Iterator[Metric]:
    pushed = [one for one in sources if one["kind"] == "webhook"]
    asked = [one for one in sources if one["kind"] != "webhook"]
    silent = {one["source"]: int(one["state"] == "silent") for one in pushed}
    last = {one["source"]: one["last_post_at"] / MILLIS for one in sources if one["last_post_at"] is not None}
    yield _one("clamor_source_silent", "1 where a push source brings no posts any more.", silent, "source")
    yield _one("clamor_source_last_post_timestamp_seconds", "When a source last brought any.", last, "source")
    posts = CounterMetricFamily(
        "clamor_source_posts", "What a source brought, by what became of it.", labels=("source", "became")
    )
    for one in asked:
        for became in ("appended", "filled", "filtered", "dead"):
            posts.add_metric([one["source"], became], one[became])
    yield posts
    cuts = {one["source"]: one["cuts"] for one in asked}
    yield _counter("clamor_source_cuts", "Connections and rounds of a source that failed.", cuts, "source")
    lag = {one["source"]: one["lag"] / MILLIS for one in asked if one["lag"] is not None}
    yield _one("clamor_source_lag_seconds", "How far what came of a source lies behind now.", lag, "source")
    trouble = GaugeMetricFamily(
        "clamor_source_trouble",
        "1 where a source cannot be asked as things are; clamor sources list says why.",
        labels=("source", "state"),
    )
    for one in asked:
        if one["trouble"]:
            trouble.add_metric([one["source"], one["state"]], 1)
    yield trouble


def _credentials(sources: list[dict[str, Any]]) -> Iterator[Metric]:
    left = {one["source"]: one["ends_in"] / MILLIS for one in sources if one["ends_in"] is not None}
    about = "Until the credential of a source ends; below 0 once it has ended. Only of those that end."
    yield _one("clamor_source_credential_left_seconds", about, left, "source")


def _budgets(budgets: list[dict[str, Any]]) -> Iterator[Metric]:
    labels = ("source", "brand", "measure", "unit")
    used = GaugeMetricFamily("clamor_budget_used", "Used up in the day or month that it is now.", labels=labels)
    cap = GaugeMetricFamily("clamor_budget_cap", "The cap of that day or month.", labels=labels)
    for one in budgets:
        named = [one[label] for label in labels]
        used.add_metric(named, one["used"])
        if one["limit"] is not None:
            cap.add_metric(named, one["limit"])
    yield used
    yield cap


def _sweeps(sweeps: list[dict[str, Any]]) -> Iterator[Metric]:
    held = {one["source"]: one["held"] for one in sweeps}
    overdue = {one["source"]: one["overdue"] for one in sweeps}
    paused = {one["source"]: int(one["state"] == "paused") for one in sweeps}
    yield _one("clamor_sweep_posts", "Posts that are looked up again on their network.", held, "source")
    yield _one("clamor_sweep_overdue_posts", "Posts that were not looked up in time.", overdue, "source")
    yield _one("clamor_sweep_paused", "1 where many posts were gone at once: a person has to look.", paused, "source")


def _one(name: str, about: str, value: float | Mapping[str, float], *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(name, about, labels=labels), value)


def _counter(name: str, about: str, value: float | Mapping[str, float], *labels: str) -> Metric:
    """Its name ends in `_total` where it is written out."""
    return _filled(CounterMetricFamily(name, about, labels=labels), value)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, value: float | Mapping[str, float]
) -> GaugeMetricFamily | CounterMetricFamily:
    if isinstance(value, Mapping):
        for label, number in value.items():
            family.add_metric([label], number)
    else:
        family.add_metric([], value)
    return family
