"""A home, its API served over a socket by the program's own server, and posts routed and indexed."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from route_home import as_log, reading, said

from clamor.opening import Opened, open_home
from clamor.serving import serve
from clamor.starting import make_ready
from config.home import Home
from database.engine import read, rows
from ingest.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from routing.work import RouteWork
from stream.ports import POSTS, AccessScope, Commit
from stream.records import Decided, Mention, Post, Understood, decode
from web import tokens

SECRET = "a-secret-of-thirty-characters-or-so"
SETTINGS = """
brands:
  - {{id: acme, name: Acme Air}}
  - {{id: brisa, name: Brisa}}
  - {{id: shadow, name: Shadow Bakery}}
sources:
  - {{id: community, kind: webhook, network: forum, secret_env: CLAMOR_TEST_PUSH, max_body: 20kB, posts_per_minute: 60}}
  - {{id: board, kind: webhook, network: forum, secret_env: CLAMOR_TEST_BOARD, access: board, brands: [acme]}}
  - {{id: bakery, kind: webhook, network: forum, secret_env: CLAMOR_TEST_BOARD, brands: [shadow]}}
{sources}mail: {{mailbox: mail}}
api: {{port: {port}}}
"""


class WebHome:
    def __init__(self, opened: Opened, token: str, url: str) -> None:
        self.opened, self.token, self.url = opened, token, url
        self.now = opened.clock.now()
        self.work = RouteWork(opened.engine, opened.registry, epoch=opened.log.epoch())
        self.work.offsets(frozenset({0}), opened.log.epoch())
        self.offset = 1
        self.work.idle(self.now)
        self.client = httpx.Client(base_url=url, timeout=30)

    def take(self, *records: Understood, index: bool = True) -> None:
        """Route records as one batch, and index what SQL holds then."""
        raw = as_log(records, self.offset)
        with read(self.opened.engine) as connection:
            stored = rows(connection, "SELECT next FROM stored_offset WHERE part = 0 AND consumer_group = 'routing'")
        start = stored[0][0] if stored else 0
        self.work.run(raw, [Commit("mentions", 0, start, self.offset + len(raw))], self.opened.clock.now())
        self.offset += len(raw)
        if index:
            self.index()

    def index(self) -> None:
        epoch, now = self.opened.log.epoch(), self.opened.clock.now()
        self.opened.store.apply([Decided(mention=mention) for mention in self.mentions().values()], (), epoch, now)

    def mentions(self) -> dict[str, Mention]:
        with read(self.opened.engine) as connection:
            found = [decode(Mention, body) for (body,) in rows(connection, "SELECT body FROM mention")]
        return {mention.id: mention for mention in found}

    def get(self, path: str, token: str | None = None, **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.client.get(path, headers=headers, params=params or None)

    def ok(self, path: str, token: str | None = None, **params: Any) -> Any:
        answer = self.get(path, token, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def limited(self, **scope: Sequence[str]) -> str:
        """A token that sees a part; public sources unless `access` says more."""
        made = AccessScope(**{"access": frozenset({"public"}), **{key: frozenset(of) for key, of in scope.items()}})
        name = "-".join(f"{key}.{'.'.join(sorted(of))}" for key, of in sorted(scope.items()))[:60] or "public"
        return tokens.issue(self.opened.engine, name, self.opened.clock.now(), made)

    def found(self, q: str, token: str | None = None, **params: Any) -> list[str]:
        return [hit["mention"]["id"] for hit in self.ok("/api/search", token, q=q, **params)["hits"]]

    def push(self, source: str, body: bytes, *, secret: str = SECRET, **headers: str) -> httpx.Response:
        stamp = int(time.time())
        signed = {TIMESTAMP_HEADER: str(stamp), SIGNATURE_HEADER: sign(secret, stamp, body)}
        return self.client.post(f"/api/webhooks/{source}", content=body, headers={**signed, **headers})

    def durable(self) -> list[Post]:
        """Posts in the log, read from its file."""
        log = self.opened.log
        return [
            decode(Post, record.value)
            for partition in range(log.partitions(POSTS))
            for record in log.read(POSTS, partition, 0, 10_000)
        ]


@contextmanager
def opened_home(folder: Path, sources: str = "") -> Iterator[WebHome]:
    """`sources`: more of them, a line each; their secrets are those of the others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "clamor.yaml").write_text(SETTINGS.format(port=port, sources=sources), encoding="utf-8")
    secrets = folder / "secrets.env"
    secrets.write_text(f"CLAMOR_TEST_PUSH={SECRET}\nCLAMOR_TEST_BOARD={SECRET}\n", encoding="utf-8")
    os.chmod(secrets, 0o600)  # noqa: PTH101
    with open_home(Home.at(folder)) as opened:
        token = make_ready(opened, serves=True).token
        assert token is not None
        stop = threading.Event()
        server = threading.Thread(target=serve, args=(opened, stop.is_set))
        server.start()
        try:
            url = f"http://127.0.0.1:{port}"
            _await(url)
            home = WebHome(opened, token, url)
            yield home
            home.client.close()
        finally:
            stop.set()
            server.join()


def _await(url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            httpx.get(f"{url}/healthz")
            return
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def complaint(id: str, brand: str = "acme", *, text: str = "where is my bag", **more: Any) -> Understood:
    """A post that routing puts into support."""
    more.setdefault("at", int(time.time() * 1000) - 1_000)
    return said(id, reading(brand, "complaint", detractor=1), text=text, **more)


def scandal(id: str, brand: str = "acme", *, text: str = "they hid the fault", **more: Any) -> Understood:
    """A post that routing puts into pr."""
    more.setdefault("at", int(time.time() * 1000) - 1_000)
    return said(id, reading(brand, "public_issue", detractor=2, terms=(("severity", 60),)), text=text, **more)
