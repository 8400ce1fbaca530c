"""X's API v2, as its documentation of August 2026 tells it.

Pages followed (docs.x.com, whose text is the repository xdevplatform/docs; read at commit 2871328 of 22 August 2026):
x-api/posts/filtered-stream (introduction, integrate/build-a-rule, integrate/matching-returned-tweets),
x-api/posts/search/integrate (build-a-query, paginate), x-api/posts/counts, x-api/fundamentals (handling-disconnections,
consuming-streaming-data, recovery-and-redundancy, edit-posts, response-codes-and-errors, rate-limits),
x-api/compliance/batch-compliance/quickstart, x-api/compliance/streams/introduction, x-api/usage/introduction, and the
OpenAPI description there (2.167).

Compared with sample answers in those pages: a post with its edit history, `matching_rules`, a look-up with partial
errors, usage, counts, the operational disconnect, the refused second connection, a compliance job and its result. Not
compared with any real reply: the body of a refused rule, and that of an account without credits (402). It is our
reading of the documentation, not X.

What rules and queries find stands in x_query.py.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from threading import Condition
from typing import Any, NamedTuple

from tests.standins.server import Request, Response, StandIn
from tests.standins.x_query import Shown, matches, rule_fault

TOKEN = "AAAAAAAAAAAAAAAAAAAAAstandin%2Btoken%3D"
EPOCH = 1_288_834_974_657
PROBLEMS = "https://api.x.com/2/problems/"
LIMITS = {
    "/2/tweets/search/recent": 450,
    "/2/tweets/search/all": 300,
    "/2/tweets/counts/recent": 300,
    "/2/tweets/search/stream/rules": 450,
    "/2/tweets/search/stream": 50,
    "/2/tweets": 3_500,
    "/2/usage/tweets": 50,
    "/2/users/by": 300,
    "/2/tweets/compliance/stream": 100,
    "/2/users/compliance/stream": 100,
    "/2/compliance/jobs": 150,
}
FIELDS = frozenset(
    """article attachments author_id card_uri community_id context_annotations conversation_id created_at
    display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang
    matched_media_notes media_metadata note_tweet possibly_sensitive public_metrics referenced_tweets reply_settings
    scopes source text withheld""".split()  # noqa: SIM905
)
MOST_QUERY = 512


class Version(NamedTuple):
    id: str
    text: str


class Held:
    """The truth of one post."""

    def __init__(self, version: Version, author: str, more: Mapping[str, Any]) -> None:
        self.versions, self.author, self.more = [version], author, dict(more)
        self.likes = 0
        self.withheld: dict[str, Any] | None = None

    @property
    def first(self) -> str:
        return self.versions[0].id

    @property
    def last(self) -> Version:
        return self.versions[-1]

    def version(self, id: str) -> Version:
        return next(one for one in self.versions if one.id == id)

    def shown(self, *texts: str) -> Shown:
        repost = any(kind == "retweeted" for kind, _ in self.more.get("references", ()))
        return Shown(texts, self.author, self.more.get("lang", "en"), repost)


class Connection:
    def __init__(self) -> None:
        self.lines: deque[bytes] = deque()
        self.open = True


class XStandIn(StandIn):
    def __init__(
        self, *, heartbeat: float = 20.0, youngest: float = 10.0, enterprise: bool = False, page: int | None = None
    ) -> None:
        """`heartbeat`: seconds between signs of life; `youngest`: how old in seconds a post has to be for search;
        `page`: posts of a page at most, below what is asked for."""
        super().__init__()
        self.heartbeat, self.youngest, self.enterprise, self.page = heartbeat, youngest, enterprise, page
        self.most_rules = 1_000
        self.unread = ""
        """A search for this is refused."""
        self.same_page = False
        """Each page of a search names itself as the next one."""
        self.posts: dict[str, Held] = {}
        """By the id of any version."""
        self.gone: dict[str, str] = {}
        """Post → why: deleted, protected, suspended."""
        self.events: list[tuple[str, int, float, bytes]] = []
        """Of the compliance streams: of what, part, time, line."""
        self.compliance: list[tuple[str, int, Connection]] = []
        self.accounts_gone: dict[str, str] = {}
        """User name → why: deleted, suspended."""
        self.rules: dict[str, dict[str, str]] = {}
        self.left = dict(LIMITS)
        self.reset_in = 900.0
        self.jobs: dict[str, list[str]] = {}
        self.connections: list[Connection] = []
        self.read = 0
        """Posts that were given out, as the usage counts them."""
        self._change = Condition(self.lock)
        self._last_id = 0

    # --- the truth ---

    def publish(
        self, text: str, *, at: int | None = None, author: str = "ana", quiet: bool = False, **more: Any
    ) -> str:
        """`more`: fields of the post as X has them (`referenced_tweets`, `entities`, `lang`); `quiet`: no connection
        brings it, as if it had come while none was open."""
        with self.lock:
            held = Held(Version(self._id(at), text), author, more)
            self.posts[held.first] = held
            if not quiet:
                self._deliver(held, held.last)
            return held.first

    def publish_malformed(self) -> None:
        """On every connection something that matches all rules and is no post."""
        rules = [{"id": rule["id"], "tag": rule.get("tag", "")} for rule in self.rules.values()]
        self.say(json.dumps({"data": {"id": {"no": "id"}, "text": "Acme"}, "matching_rules": rules}).encode())

    def edit(self, native_id: str, text: str, *, quiet: bool = False) -> str:
        with self.lock:
            held = self.posts[native_id]
            held.versions.append(Version(self._id(None), text))
            self.posts[held.last.id] = held
            if not quiet:
                self._deliver(held, held.last)
            return held.last.id

    def delete(self, native_id: str, why: str = "deleted") -> None:
        with self.lock:
            held = self.posts[native_id]
            self.gone[held.first] = why
            if why == "deleted":
                self.comply("tweets", "delete", {"tweet": {"id": held.first, "author_id": author_id(held.author)}})

    def comply(self, of: str, name: str, event: Mapping[str, Any]) -> None:
        """An event of a compliance stream, now; `of`: tweets or users."""
        with self._change:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = json.dumps({"data": {name: {**event, "event_at": at}}}).encode()
            id = (event.get("tweet") or event.get("user") or {}).get("id", "0")
            part = int(id) % 4 + 1 if str(id).isdigit() else 1
            self.events.append((of, part, time.time(), line))
            for told_of, told_part, connection in self.compliance:
                if (told_of, told_part) == (of, part):
                    connection.lines.append(line)
            self._change.notify_all()

    def truth(self) -> dict[str, str]:
        with self.lock:
            return {held.first: held.last.text for id, held in self.posts.items() if id == held.first not in self.gone}

    def say(self, line: bytes) -> None:
        """Put a line on every connection as it stands."""
        with self._change:
            for connection in self.connections:
                connection.lines.append(line)
            self._change.notify_all()

    def end_streams(self, *, compliance_only: bool = False) -> None:
        """X ends its connections in order."""
        with self._change:
            filtered = () if compliance_only else self.connections
            for connection in (*filtered, *(one for _, _, one in self.compliance)):
                connection.open = False
            self._change.notify_all()

    def cut_streams(self) -> None:
        self.end_streams()
        super().cut_streams()

    # --- answers ---

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/upload/"):
            self.jobs[request.path.rpartition("/")[2]] = request.body.decode().split()
            return Response(200)
        if request.path.startswith("/download/"):
            return self._download(request.path.rpartition("/")[2])
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._problem(401, "about:blank", "Unauthorized", "Unauthorized")
        route = "/2/compliance/jobs" if request.path.startswith("/2/compliance/jobs") else request.path
        if route not in LIMITS:
            return self._problem(404, "about:blank", "Not Found", "Not Found")
        if self.left[route] <= 0:
            return self._limited(
                route, self._problem(429, "rate-limit-exceeded", "Too Many Requests", "Too Many Requests")
            )
        self.left[route] -= 1
        strange = set(request.params.get("tweet.fields", "id").split(",")) - FIELDS
        if strange:
            return self._problem(400, "invalid-request", "Invalid Request", f"tweet.fields: {sorted(strange)}")
        answers: dict[str, Callable[[Request], Response]] = {
            "/2/tweets/search/recent": self._search,
            "/2/tweets/search/all": self._search,
            "/2/tweets/counts/recent": self._counts,
            "/2/tweets/search/stream/rules": self._rules,
            "/2/tweets/search/stream": self._stream,
            "/2/tweets": self._lookup,
            "/2/usage/tweets": self._usage,
            "/2/users/by": self._users,
            "/2/tweets/compliance/stream": self._compliance,
            "/2/users/compliance/stream": self._compliance,
            "/2/compliance/jobs": self._job,
        }
        return self._limited(route, answers[route](request))

    def _limited(self, route: str, response: Response) -> Response:
        return response._replace(
            headers={
                **response.headers,
                "x-rate-limit-limit": str(LIMITS[route]),
                "x-rate-limit-remaining": str(max(self.left[route], 0)),
                "x-rate-limit-reset": str(round(time.time() + self.reset_in)),
            }
        )

    def _problem(self, status: int, kind: str, title: str, detail: str, **more: Any) -> Response:
        type = kind if kind == "about:blank" else PROBLEMS + kind
        return Response.of({"title": title, "detail": detail, "type": type, "status": status, **more}, status)

    # --- rules, stream ---

    def _rules(self, request: Request) -> Response:
        sent = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if request.method == "GET":
            rules = list(self.rules.values())
            return Response.of({"data": rules, "meta": {"sent": sent, "result_count": len(rules)}})
        asked = request.json()
        if "delete" in asked:
            ids = asked["delete"]["ids"]
            found = [id for id in ids if self.rules.pop(id, None) is not None]
            summary = {"deleted": len(found), "not_deleted": len(ids) - len(found)}
            return Response.of({"meta": {"sent": sent, "summary": summary}})
        return self._add_rules(asked["add"], sent)

    def _add_rules(self, asked: Sequence[Mapping[str, str]], sent: str) -> Response:
        if len(self.rules) + len(asked) > self.most_rules:
            return self._problem(422, "rule-cap", "RulesCapExceeded", f"A stream may have {self.most_rules} rules")
        errors, created = [], []
        standing = {rule["value"]: rule["id"] for rule in self.rules.values()}
        for rule in asked:
            fault = rule_fault(rule["value"])
            if rule["value"] in standing:
                errors.append(
                    {"value": rule["value"], "id": standing[rule["value"]], "title": "DuplicateRule",
                     "type": PROBLEMS + "duplicate-rules"}
                )  # fmt: skip
            elif fault:
                errors.append(
                    {"value": rule["value"], "details": [fault], "title": "UnprocessableEntity",
                     "type": PROBLEMS + "invalid-rules"}
                )  # fmt: skip
            else:
                created.append({"id": self._id(None), **rule})
        if any("details" in error for error in errors):
            return Response.of({"meta": {"sent": sent}, "errors": errors}, 400)
        self.rules.update({rule["id"]: dict(rule) for rule in created})
        summary = {"created": len(created), "not_created": len(errors), "valid": len(created), "invalid": len(errors)}
        answer = {"data": created, "meta": {"sent": sent, "summary": summary}}
        return Response.of({**answer, **({"errors": errors} if errors else {})}, 201)

    def _stream(self, request: Request) -> Response:
        if not self.rules:
            return self._problem(409, "rule-configuration-issue", "Conflict", "There are no rules on this stream")
        if "backfill_minutes" in request.params and not self.enterprise:
            return self._problem(
                403, "client-forbidden", "Client Forbidden", "backfill_minutes needs Enterprise access"
            )
        if sum(one.open for one in self.connections) >= (2 if self.enterprise else 1):
            return self._problem(
                429, "streaming-connection", "ConnectionException",
                "This stream is currently at the maximum allowed connection limit.",
                connection_issue="TooManyConnections",
            )  # fmt: skip
        connection = Connection()
        self.connections.append(connection)
        since = time.time() - 60 * int(request.params.get("backfill_minutes", 0))
        if since < time.time() - 1:
            for held in sorted({held.first: held for held in self.posts.values()}.values(), key=lambda one: one.first):
                if _seconds(held.first) >= since:
                    self._deliver(held, held.last, [connection])
        said = self._said(connection)
        # From here on its end is noticed, also where nobody ever reads of it.
        next(said)
        return Response(200, said, {"Content-Type": "application/json"})

    def _compliance(self, request: Request) -> Response:
        if not self.enterprise:
            return self._problem(
                403, "client-forbidden", "Client Forbidden", "compliance streams need Enterprise access"
            )
        of, part = request.path.split("/")[2], int(request.params["partition"])
        if not 1 <= part <= 4:
            return self._problem(400, "invalid-request", "Invalid Request", f"partition: {part}")
        connection = Connection()
        since = time.time() - 60 * int(request.params.get("backfill_minutes", 0))
        connection.lines.extend(
            line for one, place, at, line in self.events if (one, place) == (of, part) and at >= since
        )
        self.compliance = [one for one in self.compliance if one[2].open] + [(of, part, connection)]
        said = self._said(connection)
        next(said)
        return Response(200, said, {"Content-Type": "application/json"})

    def _said(self, connection: Connection) -> Iterator[bytes]:
        try:
            yield b""
            while connection.open and not self.over:
                with self._change:
                    self._change.wait_for(lambda: connection.lines or not connection.open or self.over, self.heartbeat)
                    lines = [connection.lines.popleft() for _ in range(min(200, len(connection.lines)))]
                while self.frozen and connection.open and not self.over:
                    time.sleep(0.01)
                yield b"".join(line + b"\r\n" for line in lines) or b"\r\n"
        finally:
            with self.lock:
                connection.open = False
                self.connections = [one for one in self.connections if one is not connection]

    def _deliver(self, held: Held, version: Version, to: Sequence[Connection] | None = None) -> None:
        connections = self.connections if to is None else to
        if not connections:
            return
        quoted = [self.posts[id].last.text for kind, id in held.more.get("references", ()) if kind == "quoted"]
        matching = [
            {"id": rule["id"], "tag": rule.get("tag", "")}
            for rule in self.rules.values()
            if matches(rule["value"], held.shown(version.text, *quoted), accents=True)
        ]
        if not matching:
            return
        line = json.dumps({"data": self._post(held, version), **self._includes([held]), "matching_rules": matching})
        with self._change:
            for connection in connections:
                connection.lines.append(line.encode())
                self.read += 1
            self._change.notify_all()

    # --- search, counts ---

    def _found(self, request: Request) -> Iterator[Held] | Response:
        """Newest first, behind the page of the request; only those that are taken are looked at."""
        params = request.params
        query = params.get("query", "")
        archive = request.path.endswith("/all")
        if not query or len(query) > (1_024 if archive else MOST_QUERY):
            return self._problem(400, "invalid-request", "Invalid Request", f"query: {len(query)} characters")
        if self.unread and self.unread in query:
            errors = [{"parameters": {"query": [query]}, "message": "the query cannot be read"}]
            detail = "One or more parameters to your request was invalid."
            return self._problem(400, "invalid-request", "Invalid Request", detail, errors=errors)
        now = time.time()
        since = _moment(params["start_time"]) if "start_time" in params else now - 7 * 86_400
        until = _moment(params["end_time"]) if "end_time" in params else now - max(self.youngest, 0)
        if until > now - self.youngest + 1:
            detail = f"Invalid 'end_time': it must be at least {self.youngest:g} seconds before the request"
            return self._problem(400, "invalid-request", "Invalid Request", detail)
        if not archive and since < now - 7 * 86_400:
            return self._problem(400, "invalid-request", "Invalid Request", "Invalid 'start_time': older than 7 days")
        token = params.get("next_token", "")
        if token and not re.fullmatch(r"page-\d+", token):
            return self._problem(400, "invalid-request", "Invalid Request", "Invalid 'next_token'")
        below = int(token[5:]) if token else None
        held = {one.first: one for one in self.posts.values() if one.first not in self.gone}
        newest = sorted(((int(one.last.id), one) for one in held.values()), key=itemgetter(0), reverse=True)
        return (
            one for id, one in newest
            if (below is None or id < below)
            and since <= _seconds(one.first) < until
            and matches(query, one.shown(one.last.text), accents=False)
        )  # fmt: skip

    def _search(self, request: Request) -> Response:
        found = self._found(request)
        if isinstance(found, Response):
            return found
        size = min(int(request.params.get("max_results", 10)), self.page or 500)
        token = request.params.get("next_token", "")
        listed = list(islice(found, size + 1))
        some, rest = listed[:size], listed[size:]
        meta: dict[str, Any] = {"result_count": len(some)}
        if some:
            meta |= {"newest_id": some[0].last.id, "oldest_id": some[-1].last.id}
        if rest:
            meta["next_token"] = f"page-{some[-1].last.id}"
        if token and self.same_page:
            meta["next_token"] = token
        self.read += len(some)
        data = {"data": [self._post(held, held.last) for held in some], **self._includes(some)} if some else {}
        return Response.of({**data, "meta": meta})

    def _counts(self, request: Request) -> Response:
        found = self._found(request)
        if isinstance(found, Response):
            return found
        found, now = list(found), time.time()
        begins = [now - hour * 3_600 for hour in range(168, 0, -1)]
        data = [
            {
                "start": _stamp(begin), "end": _stamp(begin + 3_600),
                "tweet_count": sum(begin <= _seconds(held.first) < begin + 3_600 for held in found),
            }
            for begin in begins
        ]  # fmt: skip
        return Response.of({"data": data, "meta": {"total_tweet_count": len(found)}})

    # --- single posts ---

    def _lookup(self, request: Request) -> Response:
        ids = request.params.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100 or not all(id.isdigit() for id in ids):
            return self._problem(
                400, "invalid-request", "Invalid Request", f"ids: {len(ids)} of them, 1 to 100 allowed"
            )
        found, errors = [], []
        for id in ids:
            held = self.posts.get(id)
            why = "deleted" if held is None else self.gone.get(held.first)
            if held is not None and why is None:
                found.append((held, held.version(id)))
                continue
            private = why in ("protected", "suspended")
            errors.append(
                {
                    "resource_id": id, "value": id, "resource_type": "tweet", "parameter": "ids",
                    "title": "Authorization Error" if private else "Not Found Error",
                    "detail": f"Could not find tweet with ids: [{id}].",
                    "type": PROBLEMS + ("not-authorized-for-resource" if private else "resource-not-found"),
                }
            )  # fmt: skip
        self.read += len(found)
        answer: dict[str, Any] = {}
        if found:
            answer = {
                "data": [self._post(held, version) for held, version in found],
                **self._includes([held for held, _ in found]),
            }
        return Response.of({**answer, **({"errors": errors} if errors else {})})

    def _users(self, request: Request) -> Response:
        """The sentence about a suspended account is not on X's pages."""
        name = request.params.get("usernames", "")
        why = self.accounts_gone.get(name)
        if why is None:
            return Response.of({"data": [{"id": author_id(name), "username": name, "name": name.title()}]})
        words = "User has been suspended" if why == "suspended" else "Could not find user with usernames"
        error = {
            "value": name, "resource_id": name, "resource_type": "user", "parameter": "usernames",
            "title": "Not Found Error" if why == "deleted" else "Forbidden", "detail": f"{words}: [{name}].",
            "type": PROBLEMS + "resource-not-found",
        }  # fmt: skip
        return Response.of({"errors": [error]})

    def _usage(self, request: Request) -> Response:
        return Response.of(
            {
                "data": {
                    "project_id": "77",
                    "project_cap": "3000000",
                    "project_usage": str(self.read),
                    "cap_reset_day": 4,
                }
            }
        )

    def _job(self, request: Request) -> Response:
        if request.method == "POST":
            number = self._id(None)
            self.jobs[number] = []
            return Response.of({"data": self._job_data(number, request.json().get("name", ""), "created")})
        number = request.path.rpartition("/")[2]
        if number == "jobs":
            return Response.of({"meta": {"result_count": 0}})
        if number not in self.jobs:
            return self._problem(404, "resource-not-found", "Not Found Error", "no such job")
        return Response.of({"data": self._job_data(number, "", "complete")})

    def _job_data(self, number: str, name: str, status: str) -> dict[str, str]:
        return {
            "id": number, "type": "tweets", "name": name, "status": status, "created_at": _stamp(time.time()),
            "upload_url": f"{self.url}/upload/{number}", "download_url": f"{self.url}/download/{number}",
        }  # fmt: skip

    def _download(self, number: str) -> Response:
        lines = []
        for id in self.jobs.get(number, ()):
            held = self.posts.get(id)
            why = "deleted" if held is None else self.gone.get(held.first)
            if why is not None:
                lines.append(
                    json.dumps({"id": id, "action": "delete", "reason": why, "redacted_at": _stamp(time.time())})
                )
        return Response(200, "\n".join(lines).encode())

    # --- payloads ---

    def _post(self, held: Held, version: Version) -> dict[str, Any]:
        more = {name: value for name, value in held.more.items() if name not in ("references", "media", "place")}
        references = [{"type": kind, "id": id} for kind, id in held.more.get("references", ())]
        history = [one.id for one in held.versions]
        post = {
            "id": version.id,
            "text": version.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
            "edit_history_tweet_ids": history,
            "author_id": author_id(held.author),
            "created_at": _stamp(_seconds(version.id)),
            "conversation_id": held.first,
            "lang": "en",
            "public_metrics": {
                "retweet_count": 0, "reply_count": 0, "like_count": held.likes, "quote_count": 0, "bookmark_count": 0,
                "impression_count": 10 * held.likes,
            },
            "edit_controls": {"edits_remaining": 5, "is_edit_eligible": True},
            **more,
        }  # fmt: skip
        if references:
            post["referenced_tweets"] = references
        if held.withheld:
            post["withheld"] = held.withheld
        return post

    def _includes(self, posts: Sequence[Held]) -> dict[str, Any]:
        related = [self.posts[id] for held in posts for _, id in held.more.get("references", ()) if id in self.posts]
        related = [held for held in related if held.first not in self.gone]
        authors = {held.author for held in (*posts, *related)}
        users = [
            {
                "id": author_id(author), "username": author, "name": author.title(), "verified": False,
                "public_metrics": {"followers_count": 100, "following_count": 1, "tweet_count": 1, "listed_count": 0},
            }
            for author in sorted(authors)
        ]  # fmt: skip
        held_in: dict[str, Any] = {"users": users}
        if related:
            held_in["tweets"] = [self._post(held, held.last) for held in related]
        for name, field in (("media", "media"), ("places", "place")):
            found = [one for held in posts for one in held.more.get(field, ())]
            if found:
                held_in[name] = found
        return {"includes": held_in}

    def _id(self, at: int | None) -> str:
        number = ((time.time_ns() // 1_000_000 if at is None else at) - EPOCH) << 22
        if number <= self._last_id < number + (1 << 22):
            number = self._last_id + 1
        while str(number) in self.posts:
            number += 1
        self._last_id = number
        return str(number)


def author_id(name: str) -> str:
    return str(1_000 + sum(place * ord(sign) for place, sign in enumerate(name, 1)))


def _seconds(id: str) -> float:
    return ((int(id) >> 22) + EPOCH) / 1000


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _moment(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
