"""A person's reading of a mention, and decisions made anew: both take the way of every other change."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows
from query.document import set_aside
from query.labels import SETTLED, possible
from routing.apply import apply
from routing.desk import Desk
from stream.records import DETRACTOR_LEVELS, INTENTS, QUEUES, SENTIMENTS, Correction, Mention, Millis, decode

_CLASSES = {
    "sentiment": SENTIMENTS,
    "reputation": SENTIMENTS,
    "intent": INTENTS,
    "detractor": DETRACTOR_LEVELS,
    "queue": QUEUES,
}


class NoSuchMention(LookupError):
    pass


def correct(engine: Engine, desk: Desk, mention_id: str, correction: Correction, now: Millis) -> Mention:
    """The mention as it stands with the correction; the model's reading stays beside it.

    `correction.content_hash` is that of the text which the person saw: where the text has changed, the correction is
    kept and marked stale. Raises NoSuchMention, ValueError for a label that does not exist, labels that contradict one
    another or a mention without text.
    """
    for head, classes in _CLASSES.items():
        label = getattr(correction, head)
        if label is not None and label not in classes:
            raise ValueError(f"{head} {label!r} is not known: use one of {', '.join(classes)}")
    if not possible(correction):
        said = ", ".join(f"{head} {label}" for head in SETTLED if (label := getattr(correction, head)) is not None)
        raise ValueError(
            f"{said} cannot stand together: a complaint is negative and praise positive, and a level above 0 goes with "
            f"a negative reputation; state the others as well"
        )
    if correction.about is False and correction.queue not in (None, "none"):
        raise ValueError(
            f"what is not about the brand is in no queue: queue {correction.queue!r} cannot stand beside it"
        )
    with desk.transaction(engine) as connection:
        n, mention = find(connection, mention_id)
        if mention.state != "live":
            raise ValueError(f"{mention_id} is {mention.state}: its text is gone, there is nothing to correct")
        if desk.kinds.get(mention.brand) == "category" and (
            correction.reputation is not None or correction.detractor not in (None, "0")
        ):
            raise ValueError(
                f"{mention.brand} is a category, which has no reputation, so no detractor level either: "
                f"state sentiment, intent or queue"
            )
        apply(connection, desk, (), now, corrections=[(n, correction)])
        if correction.about is not None and (mention.correction or _UNSAID).about != correction.about:
            kept, about = int(not set_aside(mention)), int(correction.about)
            many(connection, _SAID, [(correction.person, now, about, kept, mention.brand, n)])
        return find(connection, mention_id)[1]


def find(connection: Connection, mention_id: str) -> tuple[int, Mention]:
    """(number, the mention). Raises NoSuchMention."""
    post, _, brand = mention_id.rpartition("#")
    found = rows(connection, _FIND, (post, brand))
    if not found:
        raise NoSuchMention(f"there is no mention {mention_id!r}: ids look like network:123#brand")
    return found[0][0], decode(Mention, found[0][1])


class Progress(NamedTuple):
    after: int
    """Pass it to the next call."""
    looked_at: int
    changed: int
    done: bool


def decide_anew(
    engine: Engine,
    desk: Desk,
    since: Millis,
    until: Millis,
    now: Millis,
    *,
    after: int = 0,
    most: int = 500,
    brand: str | None = None,
) -> Progress:
    """Let the rules in force decide up to `most` mentions with an event time in [since, until), in one transaction.

    Wakes nobody; people's corrections stay. Call it until `done`, with `after` of the call before. `brand`: only its
    mentions.
    """
    with read(engine) as connection:
        last = rows(connection, "SELECT coalesce(max(n), 0) FROM mention")[0][0]
        stretch = (after, after + most * 4, since, until)
        if brand is None:
            found = [n for (n,) in rows(connection, _AGAIN, (*stretch, most))]
        else:
            sql = _AGAIN.replace("ORDER", f"{_OF_BRAND} ORDER")
            found = [n for (n,) in rows(connection, sql, (*stretch, brand, most))]
    changed = 0
    if found:
        with desk.transaction(engine) as connection:
            changed = apply(connection, desk, (), now, again=found).mentions
    reached = found[-1] if len(found) == most else after + most * 4
    return Progress(reached, len(found), changed, reached >= last)


_UNSAID = Correction(person="", at=0, content_hash="")
_SAID = (
    "INSERT INTO about_word (mention, brand, person, at, about, kept, version) SELECT m.n, m.brand, ?, ?, ?, ?, "
    "coalesce((SELECT max(version) FROM brand_filter WHERE brand = ?), 0) FROM mention m WHERE m.n = ?"
)
_FIND = (
    "SELECT m.n, m.body FROM post p JOIN mention m ON m.post = p.n "
    "JOIN dictionary d ON d.n = m.brand WHERE p.id = ? AND d.value = ?"
)
_AGAIN = (
    "SELECT n FROM mention WHERE n > ? AND n <= ? AND event_time >= ? AND event_time < ? AND state = 'live' "
    "ORDER BY n LIMIT ?"
)
_OF_BRAND = "AND brand IN (SELECT n FROM dictionary WHERE kind = 'brand' AND value = ?)"
