"""Whether posts still exist on X: by looking them up, or by a compliance job.

X's policy wants what was deleted, protected, suspended or withheld to be taken away, so that a post which it no longer
shows us counts as gone; only "unavailable" without a reason counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

import msgspec

from ingest.collector import Draft, Existence, Found, Interrupted
from ingest.networks.x_api import Posts, Rejected, unrejected, whole
from ingest.networks.x_posts import FIELDS, draft, includes, versions, withheld
from ingest.web import Web
from stream.clock import MINUTE, SECOND
from stream.records import Millis

MOST = {"lookup": 100, "batch": 10_000}
GONE = frozenset({"resource-not-found", "not-authorized-for-resource", "disallowed-resource"})
"""The last parts of the types of problems that mean so."""
KEPT_REASONS = frozenset({"scrub_geo"})
"""Reasons of a compliance job with which the post itself stays."""
JOB_EVERY: Millis = 5 * SECOND
JOB_WAIT: Millis = 15 * MINUTE
MOST_RESULT = 20_000_000


def by_look_up(api: Posts, native_ids: Sequence[str], countries: tuple[str, ...], *, texts: bool = False) -> Found:
    """Existence, and the posts as they are: the newest version of those that were edited, of the others their reach;
    with `texts` all of them whole."""
    ids = [id for id in native_ids if id.isascii() and id.isdigit()]
    existence: dict[str, Existence] = dict.fromkeys(native_ids, "absent")
    if not ids:
        return Found(existence=existence, asked=0)
    answers = [_asked(api, ids)]
    newer = {versions(post).last for post in _posts(answers[0])} - set(ids)
    if newer:
        answers.append(_asked(api, sorted(newer)))
    drafts: dict[str, Draft] = {}
    for answer in answers:
        included = includes(answer)
        for post in _posts(answer):
            version = versions(post)
            kept: Existence = "gone" if withheld(post, countries) else "there"
            for id in {str(post["id"]), version.first} & existence.keys():
                existence[id] = kept
            one = draft(post, included)
            known = drafts.get(one.native_id)
            if kept == "there" and (known is None or (known.revision or 0) < version.number):
                drafts[one.native_id] = one
    for id, kind in _problems(answers[0]):
        if id in existence and kind in GONE:
            existence[id] = "gone"
    there = [one for one in drafts.values() if existence.get(one.native_id, "there") == "there"]
    present = there if texts else [_observed(one) for one in there]
    cost = sum(len(_posts(answer)) for answer in answers)
    return Found(existence=existence, drafts=present, asked=len(answers), cost=cost)


def by_batch(api: Posts, native_ids: Sequence[str], stop: Event, name: str) -> Found:
    """Existence alone. X takes one job of this kind at a time. Raises Interrupted where it is not done in time."""
    existence: dict[str, Existence] = dict.fromkeys(native_ids, "there")
    try:
        job = _job(api.create_compliance_job("tweets", name=f"clamor {name}"[:64]))
    except Rejected as fault:
        raise Interrupted(f"X took no compliance job: {fault.problem.words}", retry_after=MINUTE) from None
    with Web(max_bytes=MOST_RESULT) as web:
        ids = "\n".join(id for id in native_ids if id.isascii() and id.isdigit())
        web.ask("PUT", str(job.get("upload_url")), headers={"Content-Type": "text/plain"}, body=ids.encode())
        waited: Millis = 0
        while (job := _job(api.get_compliance_job(str(job.get("id"))))).get("status") != "complete":
            if job.get("status") in ("failed", "expired") or waited >= JOB_WAIT:
                raise Interrupted(f"the compliance job is {job.get('status')}")
            if stop.wait(JOB_EVERY / 1000):
                raise Interrupted("stopped before the compliance job was done")
            waited += JOB_EVERY
        lines = web.get(str(job.get("download_url"))).body.splitlines()
        asked = web.asked
    for line in lines:
        id, reason = _result(line)
        if id in existence and reason not in KEPT_REASONS:
            existence[id] = "gone"
    return Found(existence=existence, asked=asked + api.web.asked)


def _observed(one: Draft) -> Draft:
    if one.kind == "edited":
        return one
    return Draft(native_id=one.native_id, kind="metrics", metrics=one.metrics, author=one.author)


def _asked(api: Posts, ids: Sequence[str]) -> Mapping[str, Any]:
    with unrejected():
        return whole(api.get_tweets(list(ids), **FIELDS))


def _posts(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data = answer.get("data")
    return [one for one in (data if isinstance(data, list) else []) if isinstance(one, dict) and one.get("id")]


def _problems(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(id, kind) of each post that X did not give."""
    errors = answer.get("errors")
    return [
        (str(one.get("resource_id") or one.get("value")), str(one.get("type", "")).rpartition("/")[2])
        for one in (errors if isinstance(errors, list) else [])
        if isinstance(one, dict) and one.get("parameter", "ids") == "ids"
    ]


def _job(answer: Any) -> Mapping[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise Interrupted("X said nothing of the compliance job")
    return data


def _result(line: bytes) -> tuple[str, str]:
    try:
        held = msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return "", ""
    return (str(held.get("id")), str(held.get("reason"))) if isinstance(held, dict) else ("", "")
