"""What a token's plan allows of what the source needs: one request each, none of which is charged for a post."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from config.sources.x import XSource
from ingest.collector import Denied, Interrupted
from ingest.networks.x_api import Access, Lines, Posts, Rejected, Rules, unrejected, whole
from ingest.networks.x_compliance import POSTS, USERS
from ingest.networks.x_standing import standing
from ingest.web import Web
from stream.records import Millis

NOTHING = '"clamor asks whether it may search 5f1e0b2c"'
"""What nobody writes: a search that finds nothing costs nothing."""
NO_POST = "1"


def plan(settings: XSource, access: Access, web: Web, tag: str, now: Callable[[], Millis]) -> str:
    """In words. Raises Denied where something is refused that the source asks for, Interrupted."""
    with unrejected():
        rules = standing(Rules(access, web))
    ours = sum(rule.tag.startswith(tag) for rule in rules)
    stand = f"{len(rules):,} of {settings.rules:,} rules stand on the stream, {ours:,} of them of source {settings.id}"
    allowed, refused, unknown = ["the filtered stream"], list[str](), list[str]()
    read = ""
    for name, ask in _questions(settings, access, Posts(access, web), now):
        try:
            answer = ask()
        except Denied as fault:
            refused.append(f"{name}: {fault}")
        except (Interrupted, Rejected) as fault:
            unknown.append(f"{name} ({fault})")
        else:
            allowed.append(name)
            read = read or _used(answer)
    said = f"X answers: {read or 'it does not say how many posts were read this month'}; {stand}; "
    said += f"the plan allows {', '.join(allowed)}"
    if unknown:
        said += f"; not to be learnt now: {', '.join(unknown)}"
    if refused:
        raise Denied(f"{said}; but not what source {settings.id} needs: {'; '.join(refused)}")
    return said


_Question = tuple[str, Callable[[], Mapping[str, Any]]]


def _questions(settings: XSource, access: Access, posts: Posts, now: Callable[[], Millis]) -> Iterator[_Question]:
    yield "its usage", lambda: whole(posts.request("GET", "/2/usage/tweets").json())
    if settings.full_archive:
        yield "the full archive", lambda: whole(posts.search_all_tweets(NOTHING, max_results=10))
    else:
        yield "recent search", lambda: whole(posts.search_recent_tweets(NOTHING, max_results=10))
    yield "looking posts up", lambda: whole(posts.get_tweets([NO_POST]))
    if settings.sweep == "batch":
        jobs = "/2/compliance/jobs"
        yield "compliance jobs", lambda: whole(posts.request("GET", jobs, params={"type": "tweets"}).json())
    if settings.compliance:
        for path in (POSTS, USERS):
            yield f"the compliance stream {path}", lambda path=path: _opened(access, now, path)  # type: ignore[misc]


def _opened(access: Access, now: Callable[[], Millis], path: str) -> Mapping[str, Any]:
    Lines(access, now, path, {"partition": "1"}).close()
    return {}


def _used(answer: Mapping[str, Any]) -> str:
    usage = answer.get("data")
    if not isinstance(usage, dict) or "project_usage" not in usage:
        return ""
    cap, day = _number(usage.get("project_cap")), usage.get("cap_reset_day")
    of = f" of {cap}" if cap else ""
    anew = f", counted anew from day {day} of the month on" if isinstance(day, int) else ""
    return f"{_number(usage['project_usage'])}{of} posts read this month{anew}"


def _number(said: object) -> str:
    return f"{int(said):,}" if isinstance(said, str | int) and str(said).isascii() and str(said).isdigit() else ""
