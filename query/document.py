"""What a query sees of a mention: its tokens and its fields' values, each made when first asked for.

The predicate reads it and the index stores it, so that they cannot disagree. A correction by a person stands in place
of the model's label, with what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from query.fields import FIELDS, canonical
from query.labels import SETTLED, Labels, labels
from query.lazy import lazy
from query.text import ADDRESS, HANDLE, TAG, Analysis, analyse, fold
from stream.records import MOST_STARS, Mention, Metrics, Scores, Term

Value: TypeAlias = tuple[str, ...] | float | bool
"""keyword: its canonical values, never empty; number: a float or int; time: milliseconds UTC; flag: a bool."""


_NOTHING = analyse("")


class Document(dict[str, Value | None]):
    """One mention as queries see it: `document[field]` is the field's value, None where the mention has none.

    A value is read when it is first asked for. Raises KeyError for a field that does not exist.
    `risk` and `terms` stand in for the decision's while it is being made.
    """

    def __init__(self, mention: Mention, *, risk: int | None = None, terms: Sequence[Term] | None = None) -> None:
        super().__init__()
        self.mention = mention
        decision, understanding = mention.decision, mention.understanding
        self.risk = risk if risk is not None else decision.risk if decision else None
        self.terms = (
            terms if terms is not None
            else decision.terms if decision
            else understanding.terms if understanding
            else ()
        )  # fmt: skip

    def __missing__(self, field: str) -> Value | None:
        found = self[field] = _READ[field](self)
        return found

    def value(self, field: str) -> Value | None:
        return self[field]

    @lazy
    def labels(self) -> Labels:
        return labels(self.mention)

    @lazy
    def title(self) -> Analysis:
        post = self.mention.post
        return analyse(post.title) if post and post.title else _NOTHING

    @lazy
    def text(self) -> Analysis:
        post = self.mention.post
        return analyse(post.text) if post else _NOTHING

    @lazy
    def surfaces(self) -> tuple[str, ...]:
        """Tokens of the title, then of the text: what phrases, NEAR and prefixes read."""
        return self.title.surfaces + self.text.surfaces

    @lazy
    def line(self) -> str:
        """The surfaces with a blank before, between and after them."""
        return f" {' '.join(self.surfaces)} "

    @lazy
    def stems(self) -> frozenset[str]:
        """Every stem of every token: what bare words read."""
        return frozenset([stem for found in self.title.stems + self.text.stems for stem in found])

    def marked(self, mark: str) -> tuple[str, ...]:
        """Distinct surfaces that carry this mark, in order."""
        return tuple(
            dict.fromkeys([surface for found, surface in self.title.marked + self.text.marked if found == mark])
        )


def values(mention: Mention) -> dict[str, Value]:
    """Every field that the mention has, with its value: what an index stores beside the tokens."""
    document = Document(mention)
    return {field: value for field in FIELDS if (value := document[field]) is not None}


def _word(field: str, text: str | None) -> tuple[str] | None:
    found = canonical(FIELDS[field], text) if text else ""
    return (found,) if found else None


def _words(field: str, *texts: str | None) -> tuple[str, ...] | None:
    found = [canonical(FIELDS[field], text) for text in texts if text]
    return tuple(dict.fromkeys([text for text in found if text])) or None


def _domains(*hosts: str) -> tuple[str, ...] | None:
    """Each host and the domains above it, down to two labels."""
    found: list[str] = []
    for host in hosts:
        labels = host.split(".")
        found += [".".join(labels[start:]) for start in range(max(1, len(labels) - 1))]
    return tuple(dict.fromkeys(found)) or None


def _author(document: Document) -> Value | None:
    post = document.mention.post
    author = post.author if post else None
    return _words("author", author.handle, author.id, author.name) if author else None


def _followers(document: Document) -> Value | None:
    post = document.mention.post
    return post.author.followers if post and post.author else None


def _rating(document: Document) -> Value | None:
    post = document.mention.post
    return post.rating if post and post.rating in range(MOST_STARS + 1) else None


def _verified(document: Document) -> Value | None:
    post = document.mention.post
    return post.author.verified if post and post.author else None


def _site(document: Document) -> Value | None:
    post = document.mention.post
    if not post or not post.link:
        return None
    link = post.link if "://" in post.link else f"https://{post.link}"
    return _domains(*analyse(link).surfaces[:1])


def _marked(mark: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        return document.marked(mark) or None

    return read


def _links(document: Document) -> Value | None:
    return _domains(*document.marked(ADDRESS))


def _post_word(field: str, attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        post = document.mention.post
        return _word(field, getattr(post, attribute)) if post else None

    return read


def _post_words(field: str, attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        post = document.mention.post
        return _words(field, *getattr(post, attribute)) if post else None

    return read


def _post_time(attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        found: int | None = getattr(document.mention.post, attribute, None)
        return found

    return read


def _reach(attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        post = document.mention.post
        metrics: Metrics | None = post.metrics if post else None
        found: int | None = getattr(metrics, attribute, None)
        return found

    return read


def _mention_word(field: str, attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        return _word(field, getattr(document.mention, attribute))

    return read


def _understood(field: str, attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        understanding = document.mention.understanding
        return _word(field, getattr(understanding, attribute)) if understanding else None

    return read


def _decided(field: str, attribute: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        decision = document.mention.decision
        return _word(field, getattr(decision, attribute)) if decision else None

    return read


def effective(mention: Mention, head: str) -> str | None:
    """Label of a head (sentiment, reputation, intent, detractor) as it stands: a person's where there is one, what
    follows from it, else the model's."""
    if mention.correction is not None:
        if head in SETTLED:
            settled: str | None = getattr(labels(mention), head)
            return settled
        corrected: str | None = getattr(mention.correction, head)
        if corrected is not None:
            return corrected
    scores = getattr(mention.understanding, head, None)
    return scores.label if scores is not None else None


def set_aside(mention: Mention) -> bool:
    """Whether it is kept, and neither counted nor routed, because the post does not mean the brand: so says a person,
    or else the brand's filter."""
    correction, read = mention.correction, mention.understanding
    if correction is not None and correction.about is not None:
        return not correction.about
    return read is not None and read.about is not None and read.about.label == "no"


def _label(head: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        return _word(head, getattr(document.labels, head))

    return read


def _yes(head: str) -> Callable[[Document], Value | None]:
    def read(document: Document) -> Value | None:
        scores: Scores | None = getattr(document.mention.understanding, head, None)
        return None if scores is None else scores.label == "yes"

    return read


def _emotion(document: Document) -> Value | None:
    understanding = document.mention.understanding
    return _words("emotion", *understanding.emotion.labels) if understanding and understanding.emotion else None


def _aspect(document: Document) -> Value | None:
    understanding = document.mention.understanding
    return _words("aspect", *understanding.aspects) if understanding else None


def _spam(document: Document) -> Value | None:
    mention = document.mention
    return bool(mention.understanding.spam or mention.spam) if mention.understanding else None


def _detractor(document: Document) -> Value | None:
    label = document.labels.detractor
    return int(label) if label is not None and label.isdecimal() else None


def _terms(document: Document) -> Value | None:
    return _words("term", *[term.name for term in document.terms if term.points > 0])


def _queue(document: Document) -> Value | None:
    correction, decision = document.mention.correction, document.mention.decision
    if correction and correction.queue:
        return _words("queue", correction.queue)
    return _words("queue", decision.queue) if decision else None


def _person(document: Document) -> Value | None:
    correction = document.mention.correction
    return _words("person", correction.person) if correction else None


def _conversation(document: Document) -> Value | None:
    mention = document.mention
    return _words("conversation", mention.conversation or (mention.post.conversation if mention.post else None))


def _address(document: Document) -> Value | None:
    post = document.mention.post
    return (fold(post.link.strip()),) if post and post.link and post.link.strip() else None


_READ: Mapping[str, Callable[[Document], Value | None]] = {
    "id": lambda document: _words("id", document.mention.post_id, document.mention.id),
    "network": _mention_word("network", "network"),
    "author": _author,
    "followers": _followers,
    "verified": _verified,
    "country": _post_word("country", "country"),
    "lang": _mention_word("lang", "lang"),
    "hashtag": _marked(TAG),
    "addressed": _marked(HANDLE),
    "link": _links,
    "site": _site,
    "address": _address,
    "media": _post_words("media", "media"),
    "rating": _rating,
    "likes": _reach("likes"),
    "reposts": _reach("reposts"),
    "replies": _reach("replies"),
    "views": _reach("views"),
    "conversation": _conversation,
    "cluster": lambda document: None if document.mention.cluster is None else (str(document.mention.cluster),),
    "copies": lambda document: document.mention.copies or None,
    "reply_to": _post_word("reply_to", "reply_to"),
    "quote_of": _post_word("quote_of", "quote_of"),
    "created": lambda document: document.mention.event_time,
    "seen": _post_time("seen_at"),
    "edited": _post_time("edited_at"),
    "origin": _post_word("origin", "origin"),
    "source": _mention_word("source", "source_id"),
    "query": _post_words("query", "query_ids"),
    "access": _mention_word("access", "access"),
    "brand": _mention_word("brand", "brand"),
    "kind": _mention_word("kind", "brand_kind"),
    "about": lambda document: not set_aside(document.mention),
    "matched": _understood("matched", "matched_by"),
    "speaker": _understood("speaker", "speaker"),
    "sentiment": lambda document: _word("sentiment", effective(document.mention, "sentiment")),
    "reputation": _label("reputation"),
    "intent": _label("intent"),
    "detractor": _detractor,
    "complaint": _yes("complaint"),
    "emotion": _emotion,
    "irony": _yes("irony"),
    "offensive": _yes("offensive"),
    "aspect": _aspect,
    "spam": _spam,
    "risk": lambda document: document.risk,
    "term": _terms,
    "suggested": _label("suggested"),
    "review": lambda document: (
        _words("review", *document.mention.understanding.review) if document.mention.understanding else None
    ),
    "model": _decided("model", "model"),
    "tier": _decided("tier", "tier"),
    "provisional": lambda document: document.mention.decision.provisional if document.mention.decision else None,
    "corrected": lambda document: document.mention.correction is not None,
    "person": _person,
    "queue": _queue,
    "case": lambda document: document.mention.case_id,
    "rule": _decided("rule", "rule"),
    "priority": _decided("priority", "priority"),
    "tag": lambda document: _words("tag", *document.mention.decision.tags) if document.mention.decision else None,
    "alerted": lambda document: document.mention.decision.alert if document.mention.decision else None,
    "decided": lambda document: document.mention.decided_at or None,
    "state": _mention_word("state", "state"),
}
