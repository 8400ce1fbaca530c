"""Examples of mentions, as they stand beside a rule or a kind of the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config.marked import Node as Yaml
from config.problems import Problem, did_you_mean, shown
from query.document import Document
from stream.records import (
    DETRACTOR_LEVELS,
    EMOTIONS,
    INTENTS,
    NO_YES,
    SENTIMENTS,
    Author,
    Labels,
    Mention,
    Metrics,
    Post,
    Scores,
    Term,
    Understanding,
)

MOST_EXAMPLES = 100
"""Of one rule or kind, that are tried."""
_NUMBERS = ("followers", "rating", "likes", "reposts", "replies", "views", "detractor", "risk", "copies")
_WORDS: dict[str, tuple[str, ...]] = {
    "intent": INTENTS,
    "sentiment": SENTIMENTS,
    "reputation": SENTIMENTS,
    "speaker": ("public", "own", "press", "competitor"),
    "kind": ("own", "competitor", "category"),
    "matched": ("text", "source", "parent"),
    "suggested": ("sales", "support", "pr", "none"),
    "origin": ("live", "gapfill", "backfill", "import", "reprocess"),
}
_FLAGS = ("complaint", "irony", "offensive", "spam")
_LISTS: dict[str, str] = {
    "terms": "names of risk terms",
    "emotion": f"emotions: {', '.join(EMOTIONS)}",
    "aspect": "names of aspects",
}
_ONE_OF = {"terms": "safety", "emotion": "anger", "aspect": "delivery"}
_FREE = ("text", "title", "lang", "brand", "network", "country", "author", "source")
EXAMPLE_KEYS: tuple[str, ...] = (*_FREE, *_WORDS, *_NUMBERS, *_FLAGS, *_LISTS)


def tried(name: str, node: Yaml, file: str, taker: Callable[[Document], str], what: str) -> Iterator[Problem]:
    """What the examples under `match` and `no_match` of the entry `name` show to be wrong. `taker` names the entry that
    takes a mention, empty where none does; `what` is what an entry is called."""
    for key in ("match", "no_match"):
        listed = node.child(key)
        if listed is None:
            continue
        if listed.items is None:
            advice = f"write `{key}:` and a list of examples below it"
            yield Problem(file=file, line=listed.line, path=name, message=f"`{key}` must be a list", advice=advice)
            continue
        for item in listed.items[:MOST_EXAMPLES]:
            wrong = list(form(item, name, file))
            yield from wrong or _outcome(name, key, item, file, taker(example(item)), what)


def _outcome(name: str, key: str, item: Yaml, file: str, taker: str, what: str) -> Iterator[Problem]:
    if key == "match" and taker != name:
        message = "an example that must match does not"
        who = f"the {what} {taker!r} takes it" if taker else f"no {what} takes it"
        advice = f"change `when`, the example, or the order of the {what}s: {who}"
    elif key == "no_match" and taker == name:
        message, advice = "an example that must not match does", "narrow `when`, or move the example to `match`"
    else:
        return
    yield Problem(
        file=file,
        line=item.line,
        column=item.column,
        path=name,
        value=shown(item.plain()),
        message=message,
        advice=advice,
    )


def form(item: Yaml, name: str, file: str) -> Iterator[Problem]:
    """What is wrong in how an example is written."""
    if item.entries is None:
        advice = "write `{intent: complaint, followers: 20}`"
        yield Problem(file=file, line=item.line, path=name, message="an example is a map", advice=advice)
        return
    for key, (where, value) in item.entries.items():
        message = advice = ""
        if key not in EXAMPLE_KEYS:
            message, advice = (
                f"unknown key `{key}`",
                did_you_mean(key, EXAMPLE_KEYS) or f"use {', '.join(EXAMPLE_KEYS)}",
            )
        elif key in _NUMBERS and (isinstance(value.scalar, bool) or not isinstance(value.scalar, int | float)):
            message, advice = f"`{key}` is a number", "write digits"
        elif key in _WORDS and value.scalar not in _WORDS[key]:
            message, advice = f"`{key}` is not known", f"use one of {', '.join(_WORDS[key])}"
        elif key in _FLAGS and value.scalar not in (True, False, *NO_YES):
            message, advice = f"`{key}` is yes or no", f"write `{key}: yes`"
        elif key in _LISTS and value.items is None:
            message, advice = f"`{key}` is a list of {_LISTS[key]}", f"write `{key}: [{_ONE_OF[key]}]`"
        elif key in _FREE and value.scalar is None:
            message, advice = f"`{key}` must be text", "write it in quotes"
        if message:
            found = shown(value.plain())
            yield Problem(file=file, line=where.line, path=name, value=found, message=message, advice=advice)


def example(item: Yaml) -> Document:
    """The mention that an example describes; what it leaves out is ordinary."""
    given = {key: value.plain() for key, (_, value) in (item.entries or {}).items()}

    def word(key: str, otherwise: str) -> str:
        return str(given.get(key, otherwise))

    def number(key: str) -> int | None:
        value = given.get(key)
        return int(value) if isinstance(value, int | float) else None

    def names(key: str) -> tuple[str, ...]:
        value = given.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else ()

    def flag(key: str) -> bool:
        return given.get(key) in (True, "yes")

    terms = tuple(Term(name, 10, "") for name in names("terms"))
    post = Post(
        id="example:1", network=word("network", "example"), text=word("text", ""), title=word("title", "") or None,
        rating=number("rating"),
        author=Author(id="1", handle=word("author", "somebody"), followers=number("followers")),
        seen_at=0, event_time=0,
        country=word("country", "") or None, origin=word("origin", "live"),  # type: ignore[arg-type]
        metrics=Metrics(
            likes=number("likes"), reposts=number("reposts"), replies=number("replies"), views=number("views")
        ),
    )  # fmt: skip
    level = number("detractor") or 0
    understanding = Understanding(
        brand=word("brand", "acme"),
        matched_by=word("matched", "text"),  # type: ignore[arg-type]
        speaker=word("speaker", "public"),  # type: ignore[arg-type]
        sentiment=_sure(word("sentiment", word("reputation", "neutral")), SENTIMENTS),
        reputation=_sure(word("reputation", "neutral"), SENTIMENTS),
        intent=_sure(word("intent", "other"), INTENTS),
        detractor=_sure(str(level), DETRACTOR_LEVELS),
        complaint=_sure(NO_YES[flag("complaint")], NO_YES),
        emotion=Labels(names("emotion"), tuple(float(name in names("emotion")) for name in EMOTIONS)),
        irony=_sure(NO_YES[flag("irony")], NO_YES),
        offensive=_sure(NO_YES[flag("offensive")], NO_YES),
        aspects=names("aspect"),
        spam=("as the example says",) if flag("spam") else (),
        suggested=word("suggested", "none"),  # type: ignore[arg-type]
        terms=terms,
    )
    mention = Mention(
        id=f"example:1#{understanding.brand}", revision=1, post=post, post_id=post.id, brand=understanding.brand,
        brand_kind=word("kind", "own"), network=post.network, event_time=0, lang=word("lang", "en"),  # type: ignore[arg-type]
        source_id=word("source", ""), copies=number("copies") or 0, understanding=understanding,
    )  # fmt: skip
    return Document(mention, risk=number("risk") or 0, terms=terms)


def _sure(label: str, classes: tuple[str, ...]) -> Scores:
    return Scores(label, tuple(float(name == label) for name in classes))
