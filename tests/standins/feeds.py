"""A site with one RSS feed and any number of Atom ones, on a web server that keeps its conditions.

Its hub follows WebSub (https://www.w3.org/TR/websub/): 4 (discovery), 5 (subscribing, verification of intent), 7 and 8
(content distribution, signatures); a test carries what the hub would send. The rest follows the RSS 2.0 specification
(https://www.rssboard.org/rss-specification), RFC 4287 (Atom), and RFC 9110 for conditional requests (13.1) and
Retry-After (10.2.3). Behind each entry lies a page; robots.txt is as RFC 9309 has it. Read from the documents; not
compared with a stored reply of a real site or hub. The texts are invented.
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
        self.robots: str | None = None
        """None: there is none."""
        self.pages: dict[str, Response] = {}
        """Path → what lies there; elsewhere behind `/posts/` lies the entry's article."""
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
        if request.path in self.pages:
            return self.pages[request.path]
        if request.path == "/robots.txt":
            return Response(404) if self.robots is None else Response(200, self.robots.encode())
        if request.path.startswith("/posts/"):
            return self._article(int(request.path.rpartition("/")[2]))
        body = (self._atom() if request.path.endswith("atom") else self._rss()).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Content-Type": "application/xml; charset=utf-8", **self.headers}
        if self.hub_in == "header":
            headers["Link"] = f'</hub>; rel="hub", <{self.url}{request.path}?self>; rel=self'
        if request.headers.get("if-none-match") == tag:
            return Response(304, b"", headers)
        return Response(200, body, headers)

    def article(self, number: int) -> str:
        """What the page behind an entry says of it."""
        return f"{self.entries[number].text}\n" + "\n".join(more(part) for part in range(4))

    def _article(self, number: int) -> Response:
        paragraphs = "".join(f"<p>{escape(line)}</p>" for line in self.article(number).split("\n"))
        page = (
            f"<!doctype html><html><head><title>Entry {number}</title><style>p {{color: red}}</style></head><body>"
            "<nav><ul><li><a href='/'>Home</a></li><li><a href='/sport'>Sport</a></li></ul></nav>"
            f"<article><h1>Entry {number}</h1>{paragraphs}</article>"
            "<aside><p><a href='/other'>Read this as well</a></p></aside><footer>Imprint</footer></body></html>"
        )
        return Response(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})

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


def more(part: int) -> str:
    """A further paragraph of an article."""
    return (
        f"In part {part} of this story the reporter asks how it came to this, what the passengers of that day were "
        "told, and who is to answer for it now that the season has ended."
    )


def _rfc3339(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at / 1000))
