"""Very many observations of posts, made of many small worlds that share no author, no conversation and no words.

A world is one of the simulation's (`simulated_posts`), so its truth can be told (`simulated_truth`): edits that change
brand, intent or words, deletes before and after their post, restores, new reach, accounts that go away, doubles.
"""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import TypeAlias

from msgspec.structs import replace
from simulated_posts import posts_of

from stream.clock import DAY
from stream.records import Post

World: TypeAlias = list[Post]


def worlds(posts: int, seed: int) -> list[World]:
    """As many as have `posts` posts together."""
    made, found = 0, list[World]()
    while made < posts:
        number = len(found) + 1
        world = [_of_world(post, number) for post in posts_of(random.Random(f"{seed} {number}"), most=24)]
        made += len({post.id for post in world if post.author is None or "account-" not in post.id})
        found.append(world)
    return found


def shuffled(found: list[World], seed: int) -> list[Post]:
    """All observations of all worlds, in an order that says nothing."""
    every = [post for world in found for post in world]
    random.Random(seed).shuffle(every)
    return every


def said_in_its_world(text: str) -> int:
    """Fingerprint of what a text says: in one world those of one intent are copies of one another, all others are far
    apart. What praises is too short to have one."""
    words = text.split()
    if words[-1] == "praise":
        return 0
    said = f"{words[0].partition('t')[0]} {words[-1]}"
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), signed=True)


def _of_world(post: Post, number: int) -> Post:
    name = f"w{number}"
    author = post.author
    return replace(
        post,
        id=_within(name, post.id),
        reply_to=_within(name, post.reply_to) if post.reply_to else None,
        text=f"{name}{post.text}" if post.text else "",
        author=replace(author, id=name + author.id, handle=name + author.id) if author is not None else None,
        max_lateness=100_000 * DAY,
    )


def _within(name: str, id: str) -> str:
    network, _, native = id.partition(":")
    return f"{network}:{name}-{native}"
