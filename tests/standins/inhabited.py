"""Networks on which the people of a town write: a stand-in each, with its section of a configuration."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from stream.clock import DAY
from tests.standins import discourse, graph, linkedin, reddit, trustpilot, x, youtube
from tests.standins.bluesky import V2, BlueskyStandIn, iso
from tests.standins.feeds import FeedsStandIn
from tests.standins.hackernews import HackernewsStandIn
from tests.standins.mastodon import MastodonStandIn
from tests.standins.mediawiki import MediawikiStandIn
from tests.standins.server import StandIn


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
    def texts(self) -> Mapping[str, str]:
        """All that stands there, by native id."""

    def renew(self) -> None:  # noqa: B027
        """A window of the rate limit is over: of interest to networks that count."""


class Editable(Network):
    """One that lets its people edit, and shows it."""

    @abstractmethod
    def edit(self, id: str, text: str) -> None: ...


class Forgetful(Network):
    """One that lets its people delete, and shows it."""

    @abstractmethod
    def delete(self, id: str) -> None: ...


class X(Editable, Forgetful):
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


class Reddit(Editable, Forgetful):
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


class Bluesky(Editable, Forgetful):
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


class Mastodon(Editable, Forgetful):
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


class Youtube(Editable, Forgetful):
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


class Discourse(Editable, Forgetful):
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


class Linkedin(Editable, Forgetful):
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


class Feeds(Editable):
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


class Graph(Editable, Forgetful):
    """A page of Facebook or an account of Instagram: comments on its first post."""

    instagram: ClassVar[bool]
    secrets: ClassVar[Mapping[str, str]] = {"LIVE_GRAPH_TOKEN": graph.TOKEN}

    def __init__(self) -> None:
        self.standin = self._graph = graph.GraphStandIn(self.instagram)

    def section(self) -> dict[str, Any]:
        own = "account" if self.instagram else "page"
        return {
            "kind": self.name, own: graph.NUMBER, "token_env": "LIVE_GRAPH_TOKEN", "url": self._graph.url,
            "interval": "1s",
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        return self._graph.comment(text, author=author)

    def edit(self, id: str, text: str) -> None:
        self._graph.edit(id, text)

    def delete(self, id: str) -> None:
        self._graph.remove(id)

    def texts(self) -> Mapping[str, str]:
        with self._graph.lock:
            return {id: one.text for id, one in self._graph.things.items()}


class Facebook(Graph):
    name, first, instagram = "facebook", f"/v26.0/{graph.NUMBER}/feed", False


class Instagram(Graph):
    name, first, instagram = "instagram", f"/v26.0/{graph.NUMBER}/media", True


class Wiki(Forgetful):
    """Each text is a page of its own, which nobody edits: an edit would be another post."""

    name, first = "mediawiki", "/w/api.php"

    def __init__(self) -> None:
        self.standin = self._wiki = MediawikiStandIn()
        self._wiki.edit_page("Main page", "Welcome", at=self._wiki.wall() - 9 * DAY)

    def section(self) -> dict[str, Any]:
        return {
            "kind": "mediawiki", "url": f"{self._wiki.url}/w/api.php", "contact": "ana@example.org", "interval": "1s",
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        with self._wiki.lock:
            return self._wiki.edit_page(f"Page {len(self._wiki.added)}", text, author=author)

    def delete(self, id: str) -> None:
        self._wiki.delete(id)

    def texts(self) -> Mapping[str, str]:
        return self._wiki.truth()


class HackerNews(Editable, Forgetful):
    name, first = "hackernews", "/search_by_date"

    def __init__(self) -> None:
        self.standin = self._news = HackernewsStandIn()
        self._story = self._news.story("A story", at=self._news.wall() - 9 * DAY)

    def section(self) -> dict[str, Any]:
        url = self._news.url
        return {"kind": "hackernews", "url": url, "items_url": url, "interval": "1s", "look_back": "1m"}

    def publish(self, text: str, author: str) -> str:
        return self._news.comment(text, self._story, author=author)

    def edit(self, id: str, text: str) -> None:
        self._news.edit(id, text)

    def delete(self, id: str) -> None:
        self._news.delete(id)

    def texts(self) -> Mapping[str, str]:
        return self._news.truth()


class Trustpilot(Editable, Forgetful):
    name, first = "trustpilot", f"/v1/business-units/{trustpilot.UNIT}/reviews"
    secrets: ClassVar[Mapping[str, str]] = {"LIVE_TRUSTPILOT_KEY": trustpilot.KEY}

    def __init__(self) -> None:
        self.standin = self._site = trustpilot.TrustpilotStandIn()

    def section(self) -> dict[str, Any]:
        return {
            "kind": "trustpilot", "key_env": "LIVE_TRUSTPILOT_KEY", "url": self._site.url, "units": [trustpilot.UNIT],
            "interval": "1s",
        }  # fmt: skip

    def publish(self, text: str, author: str) -> str:
        return self._site.review(text, author=author)

    def edit(self, id: str, text: str) -> None:
        self._site.edit(id, text)

    def delete(self, id: str) -> None:
        self._site.delete(id, told=False)

    def texts(self) -> Mapping[str, str]:
        with self._site.lock:
            return {id: one["text"] for id, one in self._site.reviews.items()}


NETWORKS: tuple[type[Network], ...] = (
    X, Reddit, Bluesky, Mastodon, Youtube, Facebook, Instagram, Linkedin, Feeds, Wiki, Discourse, Trustpilot,
    HackerNews,
)  # fmt: skip
"""In the order of the table of networks in the documentation."""
