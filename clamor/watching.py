"""Links that are watched: what a link is, and the brand that listens for posts which share it.

A watched link is a brand of kind category that is called by its address, so that everything that works for brands works
for it: collecting, search, rules, counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import urlsplit

from config.brands import WATCHED, Brand
from query import address

_BLUESKY = re.compile(r"bsky\.app/profile/([^/?#]+)/post/([A-Za-z0-9._~-]{1,512})")
_X = re.compile(r"x\.com/i/status/(\d{1,20})")
_REDDIT = re.compile(r"reddit\.com/comments/([a-z0-9]{1,12})")
_YOUTUBE = re.compile(r"youtube\.com/watch\?v=([\w-]{11})")
_HACKER_NEWS = re.compile(r"news\.ycombinator\.com/item\?id=(\d{1,12})")
_MASTODON = re.compile(r"([^/]+)/@([A-Za-z0-9_.-]{1,100})/(\d{1,20})")
LONGEST = 200
"""Of a brand's name."""


class Link(NamedTuple):
    """What was pasted."""

    form: str
    """As two addresses are compared."""
    network: str = ""
    """Empty: a page of the web."""
    native_id: str = ""
    """Of the post that it shows; at Bluesky the account in it may be a handle."""

    @property
    def address(self) -> str:
        return f"https://{self.form}"

    @property
    def brand(self) -> str:
        """Id of the brand that listens for it."""
        words = re.sub(r"[^a-z0-9]+", "-", self.form.lower()).strip("-")[-30:].strip("-")
        return f"{WATCHED}{words}-{blake2b(self.form.encode(), digest_size=4).hexdigest()}"


def link(pasted: str) -> Link:
    """Raises ValueError, with the way out, for what is no link or too long a one."""
    written = pasted.strip()
    form = address.whole(written if "://" in written or written.startswith("www.") else f"https://{written}")
    if not form:
        raise ValueError(f"{written[:80]!r} is no link to a page: paste its whole address")
    if len(form) > LONGEST - len("https://"):
        raise ValueError(f"the address has more than {LONGEST} characters: a shorter one is needed")
    return _of_network(form)


def brand_of(found: Link, others: Sequence[str] = ()) -> Brand:
    """`others`: addresses under which it is shown as well."""
    return Brand(id=found.brand, name=found.address, kind="category", aliases=tuple(others))


def watched(brands: Sequence[Brand]) -> list[Brand]:
    return [brand for brand in brands if brand.id.startswith(WATCHED)]


def _of_network(form: str) -> Link:
    if found := _BLUESKY.fullmatch(form):
        return Link(form, "bluesky", f"at://{found[1]}/app.bsky.feed.post/{found[2]}")
    if found := _X.fullmatch(form):
        return Link(form, "x", found[1])
    if found := _REDDIT.fullmatch(form):
        return Link(form, "reddit", f"t3_{found[1]}")
    if found := _YOUTUBE.fullmatch(form):
        return Link(form, "youtube", found[1])
    if found := _HACKER_NEWS.fullmatch(form):
        return Link(form, "hackernews", found[1])
    if found := _MASTODON.fullmatch(form):
        return Link(form, "mastodon", f"https://{found[1]}/users/{found[2]}/statuses/{found[3]}")
    return Link(form)


def with_account(found: Link, did: str) -> Link:
    """A post of Bluesky, its account by its lasting name."""
    rkey = urlsplit(found.address).path.rpartition("/")[2]
    return found._replace(native_id=f"at://{did}/app.bsky.feed.post/{rkey}")


def by_account(found: Link) -> str:
    """The address of a post of Bluesky by its account's lasting name."""
    _, _, did, _, rkey = found.native_id.split("/")
    return f"https://bsky.app/profile/{did}/post/{rkey}"
