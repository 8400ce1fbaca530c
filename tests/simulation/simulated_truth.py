"""The model: what must stand at the end, computed from all observations at once by rules a page long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulated_posts import BRANDS, said_by

from stream.merge import content_hash
from stream.records import CONTENT_KINDS, Millis, Post

QUEUES = {
    "public_issue": "pr",
    "complaint": "support",
    "help_request": "support",
    "churn_threat": "support",
    "purchase_interest": "sales",
    "praise": "none",
}
SEVERE = "churn_threat"


@dataclass
class Truth:
    """One post at the end."""

    id: str
    shown: bool = False
    text: str = ""
    author: str = ""
    parent: str | None = None
    event_time: Millis = 0
    brands: frozenset[str] = frozenset()
    """That its newest text names."""
    intent: str = ""
    about: frozenset[str] = frozenset()
    """Brands that it is a mention of: those named, else those of the post that it answers."""
    conversation: str = ""
    must_wake: bool = False
    """Severe from its first version to its last, named its brands always, and was never gone."""
    words: frozenset[str] = field(default_factory=frozenset)
    """One of each version that was ever seen."""
    once_pr: bool = False


def truth_of(observations: Sequence[Post]) -> dict[str, Truth]:
    gone_accounts = _accounts(observations)
    by_post: dict[str, list[Post]] = {}
    for post in observations:
        if not post.kind.startswith("author_"):
            by_post.setdefault(post.id, []).append(post)
    found = {id: _post(id, seen, gone_accounts) for id, seen in by_post.items()}
    for truth in found.values():
        truth.about = _about(truth, found)
        truth.conversation = _root(truth.id, found)
    return found


def counted(found: dict[str, Truth], live: set[str]) -> Counter[tuple[str, int, str]]:
    """Mentions by brand, minute of event time and intent; `live`: ids of the posts that are shown."""
    return Counter(
        (brand, truth.event_time // 60_000, truth.intent)
        for truth in found.values()
        if truth.id in live
        for brand in truth.about
    )


def cases(found: dict[str, Truth], live: set[str]) -> set[frozenset[str]]:
    """Members of the live cases of sales and support, where nothing of the conversation was ever for pr: one case a
    brand, conversation and author."""
    heard = {truth.conversation for truth in found.values() if truth.once_pr}
    members: dict[tuple[str, str, str], set[str]] = {}
    for truth in found.values():
        if truth.id in live and QUEUES[truth.intent] != "none" and truth.conversation not in heard:
            for brand in truth.about:
                members.setdefault((brand, truth.conversation, truth.author), set()).add(f"{truth.id}#{brand}")
    return {frozenset(ids) for ids in members.values()}


def copies(found: dict[str, Truth], live: set[str]) -> set[frozenset[str]]:
    """Who is with whom among the live posts that are about a brand: those that say the same. All were published within
    two weeks, and what does not say the same is far apart: so the order of arrival is no matter."""
    together: dict[int, set[str]] = {}
    for truth in found.values():
        mark = said_by(truth.text) if truth.id in live else 0
        if mark:
            together.setdefault(mark, set()).add(truth.id)
    return {frozenset(ids) for ids in together.values()}


def _post(id: str, seen: Sequence[Post], accounts: dict[str, Millis]) -> Truth:
    content = [post for post in seen if post.kind in CONTENT_KINDS]
    gone = max((post.seen_at for post in seen if post.kind == "deleted"), default=0)
    back = max((post.seen_at for post in seen if post.kind == "restored"), default=0)
    forgotten = any(post.kind == "forgotten" for post in seen)
    if not content:
        return Truth(id)
    newest = max(content, key=_newness)
    words = newest.text.split()
    author = newest.author.id if newest.author else ""
    account_gone = accounts.get(author, 0)
    shown = not (forgotten or (gone and gone >= back) or newest.seen_at <= account_gone)
    return Truth(
        id=id, shown=shown, text=newest.text, author=author, parent=newest.reply_to,
        event_time=min(post.event_time for post in content), brands=frozenset(words) & frozenset(BRANDS),
        intent=words[-1],
        must_wake=shown and not gone and all(p.seen_at > account_gone for p in content) and _severe(content),
        words=frozenset(p.text.split()[0] for p in content),
        once_pr=any(p.text.split()[-1] == "public_issue" for p in content),
    )  # fmt: skip


def _newness(post: Post) -> tuple[int, Millis, Millis, str]:
    """By revision; by when it was written: stated by an edit or a first version, never later than seen; by sight."""
    stated = {"edited": post.edited_at, "restored": post.edited_at, "created": post.edited_at or post.claimed_at}
    written = min(stated[post.kind] or post.seen_at, post.seen_at)
    return post.revision or 0, written, post.seen_at, content_hash(post)


def _severe(content: Sequence[Post]) -> bool:
    brands = {frozenset(post.text.split()) & frozenset(BRANDS) for post in content}
    return len(brands) == 1 and bool(min(brands)) and all(post.text.endswith(SEVERE) for post in content)


def _accounts(observations: Sequence[Post]) -> dict[str, Millis]:
    """When an account last went away: until then it takes along what it wrote."""
    found: dict[str, Millis] = {}
    for post in observations:
        if post.author is not None and post.kind == "author_gone":
            found[post.author.id] = max(found.get(post.author.id, 0), post.seen_at)
    return found


def _about(truth: Truth, found: dict[str, Truth]) -> frozenset[str]:
    parent = found.get(truth.parent or "")
    return truth.brands if truth.brands or parent is None else _about(parent, found)


def _root(id: str, found: dict[str, Truth]) -> str:
    """Any name that two posts have in common exactly when one leads to the other by answers."""
    truth = found.get(id)
    return id if truth is None or truth.parent is None else _root(truth.parent, found)
