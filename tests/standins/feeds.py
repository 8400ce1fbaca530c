"""A site with one RSS feed and any number of Atom ones, on a web server that keeps its conditions.

Its hub follows WebSub (https://www.w3.org/TR/websub/): 4 (discovery), 5 (subscribing, verification of intent), 7 and 8
(content distribution, signatures); a test carries what the hub would send. The rest follows the RSS 2.0 specification
(https://www.rssboard.org/rss-specification), RFC 4287 (Atom), and RFC 9110 for conditional requests (13.1) and
Retry-After (10.2.3). Read from the documents; not compared with a stored reply of a real site or hub. The texts are
invented.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from tests.standins.server import Request, Response, StandIn

WINDOW = 50


@dataclass
class Entry:
    number: int
    text: str
    author: str
    at: int
    """Milliseconds, of whole seconds."""
    edited_at: int = 0
    raw: str = ""
    """Stands in the feed instead of all else."""


class FeedsStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.window = WINDOW
        self.entries: list[Entry] = []
        self.headers: dict[str, str] = {}
        """Of every feed besides its own."""
        self.ttl = ""
        self.gone: set[str] = set()
        self.moved: dict[str, tuple[int, str]] = {}
        """Path → (status, where to)."""
        self.hub_in = ""
        """Where feeds name their hub: `header`, `feed`; empty: nowhere."""
        self.subscribed: list[dict[str, str]] = []
        """What the hub was asked for."""
        self._texts: dict[str, str] = {}
        self.publish("The feed begins", at=self.now() - 86_400_000)

    @staticmethod
    def now() -> int:
        return int(time.time()) * 1000

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        with self.lock:
            number = len(self.entries)
            self.entries.append(Entry(number, text, author, at if at is not None else self.now()))
            native = f"{self.url.removeprefix('http://')}/posts/{number}"
            self._texts[native] = text
            return native

    def edit(self, native_id: str, text: str) -> None:
        with self.lock:
            entry = self.entries[int(native_id.rpartition("/")[2])]
            entry.text, entry.edited_at = text, self.now()
            self._texts[native_id] = text

    def publish_raw(self, xml: str) -> None:
        with self.lock:
            self.entries.append(Entry(len(self.entries), "", "", self.now(), raw=xml))

    def texts(self) -> dict[str, str]:
        with self.lock:
            return dict(self._texts)

    def verification(self, asked: dict[str, str], **more: str) -> dict[str, str]:
        """The query by which the hub asks whether the subscription is wanted."""
        told = {"hub.mode": asked["hub.mode"], "hub.topic": asked["hub.topic"], "hub.challenge": "an-echo-17"}
        lease = {"hub.lease_seconds": asked["hub.lease_seconds"]}
        return {**dict(parse_qsl(urlsplit(asked["hub.callback"]).query)), **told, **lease, **more}

    def told(self, asked: dict[str, str], last: int = 1, method: str = "sha1") -> tuple[dict[str, str], bytes]:
        """Headers and body by which the hub tells of the last entries."""
        with self.lock:
            window, self.window = self.window, last
            body = (self._atom() if asked["hub.topic"].endswith("atom") else self._rss()).encode()
            self.window = window
        signature = hmac.new(asked["hub.secret"].encode(), body, method).hexdigest()
        return {"Content-Type": "application/xml", "X-Hub-Signature": f"{method}={signature}"}, body

    def answer(self, request: Request) -> Response:
        if request.path == "/hub":
            self.subscribed.append(request.form())
            return Response(202)
        if request.path in self.gone:
            return Response(410)
        if request.path in self.moved:
            status, where = self.moved[request.path]
            return Response(status, b"", {"Location": where})
        body = (self._atom() if request.path.endswith("atom") else self._rss()).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Content-Type": "application/xml; charset=utf-8", **self.headers}
        if self.hub_in == "header":
            headers["Link"] = f'</hub>; rel="hub", <{self.url}{request.path}?self>; rel=self'
        if request.headers.get("if-none-match") == tag:
            return Response(304, b"", headers)
        return Response(200, body, headers)

    def _shown(self) -> list[Entry]:
        return self.entries[-self.window :][::-1]

    def _rss(self) -> str:
        odd = '<x:new xmlns:x="urn:x" since="1"><x:deep/></x:new>' if self.odd else ""
        items = [
            entry.raw
            or f"<item><guid>{self.url}/posts/{entry.number}</guid><title>Entry {entry.number}</title>{odd}"
            f"<link>{self.url}/posts/{entry.number}</link><dc:creator>{escape(entry.author)}</dc:creator>"
            f"<pubDate>{formatdate(entry.at / 1000)}</pubDate>"
            f"<description>{escape(f'<p>{escape(entry.text)}</p>')}</description></item>"
            for entry in self._shown()
        ]
        ttl = f"<ttl>{self.ttl}</ttl>" if self.ttl else ""
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<channel><title>A site</title><link>{self.url}</link>{self._links('feed.rss')}"
            f"{ttl}{odd}{''.join(items)}</channel></rss>"
        )

    def _links(self, name: str) -> str:
        if self.hub_in != "feed":
            return ""
        named = (("hub", "/hub"), ("self", f"/{name}"))
        return "".join(
            f'<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="{rel}" href="{self.url}{path}"/>'
            for rel, path in named
        )

    def _atom(self) -> str:
        items = [
            f"<entry><id>{self.url}/posts/{entry.number}</id><title>Entry {entry.number}</title>"
            f'<link href="/posts/{entry.number}"/><author><name>{escape(entry.author)}</name></author>'
            f"<published>{_rfc3339(entry.at)}</published><updated>{_rfc3339(entry.edited_at or entry.at)}</updated>"
            f'<content type="text">{escape(entry.text)}</content></entry>'
            for entry in self._shown()
        ]
        return (
            '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
            f"<id>{self.url}</id>{self._links('feed.atom')}<title>A site</title>"
            f"<updated>{_rfc3339(self.now())}</updated>{''.join(items)}</feed>"
        )


def _rfc3339(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at / 1000))
