"""What has been decided since the last look, as it is shown line by line, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from clamor.commands.search import when
from clamor.opening import Opened
from clamor.screen import COLOURS
from query.document import effective, set_aside
from stream.ports import DECIDED
from stream.records import Decided, Mention, decode

AT_ONCE = 500
MOST_TEXT = 280
"""Characters of a post on the screen."""
READ = ("sentiment", "reputation", "intent")
SAID = {"negative": "red", "positive": "green", "mixed": "yellow"}


class Labels(NamedTuple):
    """What is counted of a mention."""

    network: str
    sentiment: str
    reputation: str
    intent: str
    queue: str


class Heard:
    """Reads topic `decided` from its beginning. A mention counts once, as it is decided last."""

    def __init__(self) -> None:
        self._read_to: dict[int, int] = {}
        self._labels: dict[str, Labels | None] = {}
        """None: it counts for nothing any more."""

    def new(self, opened: Opened) -> Iterator[Mention]:
        """Mentions that were not there at the last look."""
        for partition, (low, high) in opened.log.bounds(DECIDED).items():
            at = max(low, self._read_to.get(partition, 0))
            while at < high:
                records = opened.log.read(DECIDED, partition, at, AT_ONCE)
                if not records:
                    break
                at = self._read_to[partition] = records[-1].offset + 1
                for record in records:
                    mention = decode(Decided, record.value).mention
                    first = mention.id not in self._labels
                    self._labels[mention.id] = _labels(mention)
                    if first and self._labels[mention.id] is not None:
                        yield mention

    def __len__(self) -> int:
        return sum(one is not None for one in self._labels.values())

    def counted(self, what: str) -> Counter[str]:
        """How often each label is true; `what` is a field of Labels."""
        return Counter(getattr(one, what) for one in self._labels.values() if one is not None)


def _labels(mention: Mention) -> Labels | None:
    if mention.state != "live" or mention.post is None or set_aside(mention):
        return None
    sentiment, reputation, intent = (effective(mention, one) or "not said" for one in READ)
    return Labels(
        mention.network, sentiment, reputation, intent, mention.decision.queue if mention.decision else "none"
    )


def shown(mention: Mention) -> RenderableType:
    """Who, what, and where it went and why; on any width of terminal. Nothing in a text can steer it."""
    post, decision = mention.post, mention.decision
    assert post is not None
    author = post.author
    head = Text(f"{when(mention.event_time)[5:]}  {mention.network}  ", style="dim")
    head.append(_line((author.handle or author.name or author.id) if author else "nobody named", 60), style="bold")
    said = " ".join(part for part in (post.title or "", post.text) if part)
    read = Text()
    sentiment, reputation = effective(mention, "sentiment"), effective(mention, "reputation")
    read.append(sentiment or "not said", style=SAID.get(sentiment or "", "default"))
    read.append(" · towards the brand ", style="dim")
    read.append(reputation or "not said", style=SAID.get(reputation or "", "default"))
    read.append(f" · {(effective(mention, 'intent') or 'not said').replace('_', ' ')}")
    if decision is not None:
        read.append(f" · risk {decision.risk} → ")
        read.append(decision.queue if decision.queue != "none" else "no queue", style=COLOURS.get(decision.queue, ""))
        read.append(f": {decision.why}", style="dim")
    body = Group(Text(_line(said, MOST_TEXT), style="default"), read)
    return Group(head, Padding(body, (0, 0, 0, 2)))


def _line(text: str, most: int) -> str:
    """On one line, without what could steer a terminal."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
