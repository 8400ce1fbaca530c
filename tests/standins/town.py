"""All networks at once, in a process of their own, where invented people write, edit and delete: `python -m
tests.standins.town`.

It is told and asked by lines. The first line of its standard input is a JSON object (`Plan`); its first answer names
sources and secrets for a configuration. Then, a line each: `write` begins writing and trouble, `still` ends both,
`figures` asks what has happened so far, `truth` what stands on each network, as post id: text. It ends with its
standard input.

Some quotas are set higher than the networks', so that an hour of it fits into a minute; everything else is as each
stand-in's docstring says.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar, NamedTuple

from ingest.intake import post_id
from stream.clock import DAY
from tests.standins import discourse, linkedin, reddit, x, youtube
from tests.standins.bluesky import V2, BlueskyStandIn, iso
from tests.standins.feeds import FeedsStandIn
from tests.standins.mastodon import MastodonStandIn
from tests.standins.server import Fault, StandIn

AUTHORS = ("ana", "ben", "carla", "dmitri", "eva", "farid", "gala", "hugo")
YOUNG = 20
"""Only the last posts of a network are edited and deleted."""
OUTAGE = 3.0
"""Seconds."""
SHORTEST = 0.002


class Plan(NamedTuple):
    texts: Sequence[str]
    """Each has to name a brand."""
    rate: float = 4.0
    """Posts a second, on all networks together."""
    networks: Sequence[str] = ("x", "reddit", "bluesky", "mastodon", "youtube", "discourse", "linkedin", "feeds")
    trouble_every: float = 8.0
    """Seconds between two troubles, each on one network; 0: none."""
    edits: float = 0.06
    """Part of what happens."""
    deletes: float = 0.04
    numbered: bool = False
    """Whether each text has a number, so that no two are the same."""
    look_again: str = "10s"
    """How often young posts are looked up again on networks that do not tell of deletes."""
    seed: int = 0


class Network(ABC):
    """What is done on one network, and what stands there."""

    name: ClassVar[str]
    first: ClassVar[str]
    """Path that the collector's questions for posts begin with."""
    secrets: ClassVar[Mapping[str, str]] = {}
    standin: StandIn

    @abstractmethod
    def section(self) -> dict[str, Any]:
        """Of `sources:`, without what all have."""

    @abstractmethod
    def publish(self, text: str, author: str) -> str:
        """Its native id."""

    @abstractmethod
    def edit(self, id: str, text: str) -> None: ...

    @abstractmethod
    def texts(self) -> Mapping[str, str]:
        """All that stands there, by native id."""

    def renew(self) -> None:  # noqa: B027
        """A window of the rate limit is over: of interest to networks that count."""


class Forgetful(Network):
    """One that lets its people delete, and shows it."""

    @abstractmethod
    def delete(self, id: str) -> None: ...


class X(Forgetful):
    name, first, secrets = "x", "/2/tweets/search/stream", {"LIVE_X_TOKEN": x.TOKEN}

    def __init__(self) -> None:
        self.standin = self._x = x.XStandIn(heartbeat=1.0, youngest=2.0)

    def section(self) -> dict[str, Any]:
        return {
            "kind": "x", "token_env": "LIVE_X_TOKEN", "url": self._x.url, "exclude": False, "silence": "5s",
            "search_lag": "5s", "refused_wait": "500ms",
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        return self._x.publish(text, author=author)

    def edit(self, id: str, text: str) -> None:
        self._x.edit(id, text)

    def delete(self, id: str) -> None:
        self._x.delete(id)

    def texts(self) -> Mapping[str, str]:
        return self._x.truth()

    def renew(self) -> None:
        self._x.left = dict(x.LIMITS)


class Reddit(Forgetful):
    name, first = "reddit", "/r/"
    secrets: ClassVar[Mapping[str, str]] = {
        "LIVE_REDDIT_ID": reddit.CLIENT_ID,
        "LIVE_REDDIT_SECRET": reddit.CLIENT_SECRET,
    }

    def __init__(self) -> None:
        self.standin = self._reddit = reddit.RedditStandIn()
        self._last = ""

    def section(self) -> dict[str, Any]:
        return {
            "kind": "reddit", "client_id_env": "LIVE_REDDIT_ID", "client_secret_env": "LIVE_REDDIT_SECRET",
            "username": "ana-writes", "subreddits": ["acme"], "search": False, "interval": "1s",
            "shortest_interval": "200ms", "url": self._reddit.url, "login_url": self._reddit.url,
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        """Posts, and every second time a comment on the last one."""
        if self._last:
            id, self._last = self._reddit.comment(text, on=self._last, author=author), ""
        else:
            id = self._last = self._reddit.publish(text, author=author)
        return id

    def edit(self, id: str, text: str) -> None:
        self._reddit.edit(id, text)

    def delete(self, id: str) -> None:
        self._reddit.delete(id)

    def texts(self) -> Mapping[str, str]:
        return self._reddit.truth()

    def renew(self) -> None:
        self._reddit.used = 0


class Bluesky(Forgetful):
    name, first = "bluesky", V2

    def __init__(self) -> None:
        self.standin = self._bluesky = BlueskyStandIn()

    def section(self) -> dict[str, Any]:
        return {"kind": "bluesky", "hosts": [self._bluesky.stream], "api": self._bluesky.url}

    def publish(self, text: str, author: str) -> str:
        record = {"$type": "app.bsky.feed.post", "text": text, "createdAt": iso(time.time())}
        return self._bluesky.post(record, author)

    def edit(self, id: str, text: str) -> None:
        self._bluesky.edit(id, text)

    def delete(self, id: str) -> None:
        self._bluesky.delete(id)

    def texts(self) -> Mapping[str, str]:
        with self._bluesky.lock:
            return {uri: held["record"]["text"] for uri, held in self._bluesky.posts.items()}


class Mastodon(Forgetful):
    name, first = "mastodon", "/api/v1/timelines"

    def __init__(self) -> None:
        self.standin = self._mastodon = MastodonStandIn()

    def section(self) -> dict[str, Any]:
        return {"kind": "mastodon", "instances": [self._mastodon.url], "public": True, "interval": "1s"}

    def publish(self, text: str, author: str) -> str:
        return self._mastodon.post(text, author)

    def edit(self, id: str, text: str) -> None:
        self._mastodon.edit(id, text)

    def delete(self, id: str) -> None:
        self._mastodon.delete(id)

    def texts(self) -> Mapping[str, str]:
        with self._mastodon.lock:
            return dict(self._mastodon.texts)


class Youtube(Forgetful):
    name, first, secrets = "youtube", "/commentThreads", {"LIVE_YOUTUBE_KEY": youtube.KEY}

    def __init__(self) -> None:
        self.standin = self._youtube = youtube.YoutubeStandIn()
        self._youtube.units = 10**9
        # Of a list that merely leaves a comment out, Clamor is sure after half an hour only.
        self._youtube.refuse_lists = True
        channel = self._youtube.open_channel("acme")
        self._film = self._youtube.upload(channel, "A film", at=self._youtube.wall() - 9 * DAY)

    def section(self) -> dict[str, Any]:
        return {
            "kind": "youtube", "key_env": "LIVE_YOUTUBE_KEY", "url": self._youtube.url, "channels": ["@acme"],
            "interval": "1s", "searches_per_day": 0, "units_per_day": 10**9,
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        return self._youtube.comment(self._film, text, author)

    def edit(self, id: str, text: str) -> None:
        self._youtube.edit(id, text)

    def delete(self, id: str) -> None:
        self._youtube.delete(id)

    def texts(self) -> Mapping[str, str]:
        with self._youtube.lock:
            return {id: one.text for id, one in self._youtube.said.items()}


class Discourse(Forgetful):
    name, first, secrets = "discourse", "/posts.json", {"LIVE_DISCOURSE_KEY": discourse.KEY}

    def __init__(self) -> None:
        self.standin = self._community = discourse.DiscourseStandIn()
        self._community.topic("News", "the first", at=self._community.wall() - 9 * DAY)
        self._numbers: dict[str, int] = {}

    def section(self) -> dict[str, Any]:
        return {"kind": "discourse", "url": self._community.url, "key_env": "LIVE_DISCOURSE_KEY", "interval": "1s"}

    def publish(self, text: str, author: str) -> str:
        with self._community.lock:
            number = self._community.post(1, text, author=author)
            id = self._community.id(number)
            self._numbers[id] = number
            return id

    def edit(self, id: str, text: str) -> None:
        self._community.edit(self._numbers[id], text)

    def delete(self, id: str) -> None:
        self._community.delete(self._numbers[id])

    def texts(self) -> Mapping[str, str]:
        with self._community.lock:
            posts = self._community.posts
            return {id: posts[n]["raw"] for id, n in self._numbers.items() if not posts[n]["deleted_at"]}


class Linkedin(Forgetful):
    name, first, secrets = "linkedin", "/rest/posts", {"LIVE_LINKEDIN_TOKEN": linkedin.TOKEN}

    def __init__(self) -> None:
        self.standin = self._page = linkedin.LinkedinStandIn()

    def section(self) -> dict[str, Any]:
        return {
            "kind": "linkedin", "token_env": "LIVE_LINKEDIN_TOKEN", "url": self._page.url,
            "organization": linkedin.NUMBER, "interval": "1s",
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        return self._page.comment(text, author=author)

    def edit(self, id: str, text: str) -> None:
        self._page.edit(id, text)

    def delete(self, id: str) -> None:
        self._page.remove(id)

    def texts(self) -> Mapping[str, str]:
        with self._page.lock:
            return {id: one.text for id, one in self._page.things.items() if one.post}


class Feeds(Network):
    name, first = "feeds", "/feed"

    def __init__(self) -> None:
        self.standin = self._site = FeedsStandIn()

    def section(self) -> dict[str, Any]:
        return {
            "kind": "feeds", "urls": [f"{self._site.url}/feed.rss"], "every": "1s", "private_addresses": True,
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        return self._site.publish(text, author=author)

    def edit(self, id: str, text: str) -> None:
        self._site.edit(id, text)

    def texts(self) -> Mapping[str, str]:
        return self._site.texts()


NETWORKS: tuple[type[Network], ...] = (X, Reddit, Bluesky, Mastodon, Youtube, Discourse, Linkedin, Feeds)


class Town:
    """Use as a context manager: the networks listen, and nothing happens before `live`."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._random = plan, random.Random(plan.seed)
        self.networks = [one() for one in NETWORKS if one.name in plan.networks]
        self.counts = {one.name: {"published": 0, "edited": 0, "deleted": 0, "troubles": 0} for one in self.networks}
        self.still = threading.Event()
        self._young: dict[str, deque[str]] = {one.name: deque(maxlen=YOUNG) for one in self.networks}
        self._written: dict[tuple[str, str], str] = {}
        self._out: list[tuple[float, Network]] = []
        self._open = ExitStack()

    def __enter__(self) -> Town:
        for one in self.networks:
            self._open.enter_context(one.standin)
        return self

    def __exit__(self, *_: object) -> None:
        self.still.set()
        self._open.close()

    def sections(self) -> list[dict[str, Any]]:
        return [self._section(one) for one in self.networks]

    def secrets(self) -> dict[str, str]:
        return {name: value for one in self.networks for name, value in one.secrets.items()}

    def truth(self) -> dict[str, dict[str, str]]:
        """What was written here and stands: source → post id → text."""
        return {
            one.name: {
                post_id(one.name, id): text for id, text in one.texts().items() if (one.name, id) in self._written
            }
            for one in self.networks
        }

    def live(self) -> None:
        """Blocks until `still`."""
        number, begun, renewed = 0, time.monotonic(), time.monotonic()
        trouble = begun + self._plan.trouble_every if self._plan.trouble_every else float("inf")
        troubles = 0
        while not self.still.is_set():
            now = time.monotonic()
            if now >= trouble:
                self._go_wrong(troubles, now)
                troubles, trouble = troubles + 1, trouble + self._plan.trouble_every
            if now - renewed >= 60:
                renewed = now
                for one in self.networks:
                    one.renew()
            self._end_outages(now)
            while number < (now - begun) * self._plan.rate:
                self._happen(self.networks[number % len(self.networks)], number)
                number += 1
            self.still.wait(max(SHORTEST, min(0.25, 1 / self._plan.rate)))
        self._end_outages(float("inf"))
        for one in self.networks:
            one.standin.recover()
            one.renew()

    def _section(self, network: Network) -> dict[str, Any]:
        section = {"id": network.name, **network.section()}
        if isinstance(network, Forgetful):
            every = self._plan.look_again
            section["look_again"] = [{"younger_than": "3m", "every": every}, {"younger_than": "1d", "every": "5m"}]
        return section

    def _happen(self, network: Network, number: int) -> None:
        young, counts, dice = self._young[network.name], self.counts[network.name], self._random.random()
        if len(young) > YOUNG // 4 and dice < self._plan.deletes and isinstance(network, Forgetful):
            id = self._random.choice(young)
            young.remove(id)
            network.delete(id)
            counts["deleted"] += 1
        elif len(young) > YOUNG // 4 and dice < self._plan.deletes + self._plan.edits:
            id = self._random.choice(young)
            self._written[network.name, id] += " (!)"
            network.edit(id, self._written[network.name, id])
            counts["edited"] += 1
        else:
            text = self._plan.texts[number % len(self._plan.texts)]
            text = f"{text} {number}" if self._plan.numbered else text
            id = network.publish(text, self._random.choice(AUTHORS))
            self._written[network.name, id] = text
            young.append(id)
            counts["published"] += 1

    def _go_wrong(self, number: int, now: float) -> None:
        """In turn, one network after the other: its connections end, it limits the rate, it is away."""
        network = self.networks[number % len(self.networks)]
        kind = (number // len(self.networks) + number) % 3
        self.counts[network.name]["troubles"] += 1
        if kind == 1:
            network.standin.misbehave(Fault("status", status=429, headers={"Retry-After": "1"}, only=network.first))
        elif kind == 2:
            network.standin.misbehave(Fault("status", status=503, times=1_000_000, only=network.first))
            self._out.append((now + OUTAGE, network))
        network.standin.cut_streams()

    def _end_outages(self, now: float) -> None:
        for until, network in list(self._out):
            if until <= now:
                network.standin.recover()
                self._out.remove((until, network))


def main() -> None:
    asked = sys.stdin.readline()
    if not asked:
        return
    with Town(Plan(**json.loads(asked))) as town:
        _say({"sources": town.sections(), "secrets": town.secrets()})
        writing = threading.Thread(target=town.live, name="town", daemon=True)
        answers: dict[str, Callable[[], object]] = {"figures": lambda: town.counts, "truth": town.truth}
        for line in sys.stdin:
            word = line.strip()
            if word == "write":
                writing.start()
                _say({})
            elif word == "still":
                town.still.set()
                if writing.ident is not None:
                    writing.join()
                _say({})
            elif word in answers:
                _say(answers[word]())


def _say(held: object) -> None:
    print(json.dumps(held), flush=True)


if __name__ == "__main__":
    main()
