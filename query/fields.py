"""What can be asked for by name: the registry of fields.

Each field has a kind (which comparisons it takes), the contexts it may be used in, and a sentence for people. What a
mention's value is stands in `query.document`, in one place for all readings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, get_args

from query.text import fold
from stream.records import (
    EMOTIONS,
    INTENTS,
    MOST_STARS,
    SENTIMENTS,
    BrandKind,
    MatchedBy,
    MentionState,
    Origin,
    Queue,
    Speaker,
    Tier,
)

Kind: TypeAlias = Literal["keyword", "number", "time", "flag"]
Context: TypeAlias = Literal["rule", "watch", "search", "export"]
"""Where a query stands: a routing rule's `when`, what an incident or saved search watches, a search box, an export."""

CONTEXTS: tuple[str, ...] = get_args(Context)
EVERYWHERE: frozenset[str] = frozenset(CONTEXTS)
NOT_IN_RULES = EVERYWHERE - {"rule"}
LOOKING_BACK = frozenset({"search", "export"})
RELATIVE_TIME: frozenset[str] = LOOKING_BACK
"""Contexts where `-7d` may stand: elsewhere the answer would change while nothing happens."""


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Field:
    """A name that people can ask for, and what may stand behind its colon."""

    name: str
    kind: Kind
    about: str
    """For people, one sentence."""
    example: str
    contexts: frozenset[str] = EVERYWHERE
    many: bool = False
    """A mention can have several values; a comparison is true where one of them makes it so."""
    vocabulary: tuple[str, ...] = ()
    """All values there are; empty: open."""
    within: tuple[float, float] | None = None
    """Lowest and highest value of a number."""
    aliases: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Other words for values."""


_SENTIMENT_WORDS = {"negativo": "negative", "negativa": "negative", "neutro": "neutral", "neutra": "neutral"} | {
    "positivo": "positive",
    "positiva": "positive",
}
_EMOTION_WORDS = {"enfado": "anger", "ira": "anger", "asco": "disgust", "miedo": "fear"} | {
    "alegria": "joy",
    "tristeza": "sadness",
    "sorpresa": "surprise",
}
_LANGUAGES = {"english": "en", "ingles": "en", "spanish": "es", "español": "es", "espanol": "es", "castellano": "es"}
_COUNT = (0.0, float(2**53))

_ALL: tuple[Field, ...] = (
    # what was posted, where and by whom
    Field("id", "keyword", "Id of the post or of the mention.", 'id:"x:1790000000000000001"', many=True),
    Field("network", "keyword", "Network that the post stands on.", "network:mastodon", aliases=("red",)),
    Field(
        "author",
        "keyword",
        "Author's handle (with or without @), id or whole name.",
        "author:@ana_viaja",
        many=True,
        aliases=("autor", "from"),
    ),
    Field(
        "followers",
        "number",
        "Followers of the author when the post was received.",
        "followers:>10k",
        within=_COUNT,
        aliases=("seguidores",),
    ),
    Field("verified", "flag", "The network vouches for the author.", "verified:yes", aliases=("verificado",)),
    Field("country", "keyword", "Country, two letters as in ISO 3166.", "country:mx", aliases=("pais",)),
    Field(
        "lang",
        "keyword",
        "Language that Clamor found in the text, two letters as in ISO 639, or `other`.",
        "lang:es",
        aliases=("language", "idioma"),
        synonyms=_LANGUAGES,
    ),
    Field("hashtag", "keyword", "Tag in the text; `#acme` says the same.", "hashtag:strike", many=True),
    Field("addressed", "keyword", "Account named in the text; `@acme` says the same.", "addressed:acme", many=True),
    Field(
        "link",
        "keyword",
        "Domain that the text links to, or a domain above it.",
        "link:example.org",
        many=True,
        aliases=("enlace", "links"),
    ),
    Field("site", "keyword", "Domain that the post itself stands on, or one above it.", "site:example.org", many=True),
    Field("address", "keyword", "Whole address of the post.", 'address:"https://example.org/news/7"', aliases=("url",)),
    Field("media", "keyword", "Address of a picture or film of the post.", "has:media", many=True),
    Field(
        "rating",
        "number",
        "Stars that a review gives, 0 to 5.",
        "rating:<=2",
        within=(0.0, float(MOST_STARS)),
        aliases=("stars", "estrellas"),
    ),
    Field("likes", "number", "Likes at the last observation.", "likes:>=50", within=_COUNT, aliases=("megusta",)),
    Field("reposts", "number", "Reposts at the last observation.", "reposts:>100", within=_COUNT),
    Field("replies", "number", "Replies at the last observation.", "replies:0", within=_COUNT, aliases=("respuestas",)),
    Field("views", "number", "Views at the last observation.", "views:>1M", within=_COUNT),
    Field("conversation", "keyword", "Id of the conversation.", 'conversation:"x:1790000000000000001"', NOT_IN_RULES),
    Field("cluster", "keyword", "Number of the near copies that it is one of.", "cluster:512", NOT_IN_RULES),
    Field(
        "copies",
        "number",
        "Posts in its cluster of near copies when it joined, itself included.",
        "copies:>=20",
        within=_COUNT,
        aliases=("copias",),
    ),
    Field("reply_to", "keyword", "Id of the post that is answered.", "has:reply_to", aliases=("reply",)),
    Field("quote_of", "keyword", "Id of the post that is quoted.", "has:quote_of", aliases=("quote",)),
    Field("created", "time", "When it was published.", "created:2026-03-01..2026-03-07", aliases=("fecha",)),
    Field("seen", "time", "When the network received it, else when it was observed.", "seen:>=2026-03-01"),
    Field("edited", "time", "When it was last edited.", "has:edited"),
    # how it came
    Field("origin", "keyword", "How it came.", "origin:live", vocabulary=get_args(Origin)),
    Field("source", "keyword", "Id of the source it came from.", "source:reviews"),
    Field("query", "keyword", "Id of the query that asked for it.", "query:acme-strike", many=True),
    Field("access", "keyword", "Label of who may read it.", "access:public"),
    # what was understood; a person's correction wins over the model
    Field("brand", "keyword", "Id of the brand it is about.", "brand:acme", aliases=("marca",)),
    Field("kind", "keyword", "Kind of that brand.", "kind:competitor", vocabulary=get_args(BrandKind)),
    Field(
        "about",
        "flag",
        "The post means this brand. What does not is set aside: only a query that names `about` finds it.",
        "about:no",
        NOT_IN_RULES,
        aliases=("sobre",),
    ),
    Field("matched", "keyword", "What made it a mention.", "matched:text", vocabulary=get_args(MatchedBy)),
    Field("speaker", "keyword", "Whose voice it is.", "speaker:press", vocabulary=get_args(Speaker)),
    Field(
        "sentiment",
        "keyword",
        "Sentiment of the text.",
        "sentiment:negative",
        vocabulary=SENTIMENTS,
        aliases=("sentimiento",),
        synonyms=_SENTIMENT_WORDS,
    ),
    Field(
        "reputation",
        "keyword",
        "What the text does to the brand's name; a category has none.",
        "reputation:negative",
        vocabulary=SENTIMENTS,
        aliases=("reputacion",),
        synonyms=_SENTIMENT_WORDS,
    ),
    Field(
        "intent",
        "keyword",
        "What the author is after.",
        "intent:churn_threat",
        vocabulary=INTENTS,
        aliases=("intencion",),
    ),
    Field(
        "detractor",
        "number",
        "How far the author has turned against the brand, 0 to 3.",
        "detractor:>=2",
        within=(0, 3),
    ),
    Field(
        "complaint",
        "flag",
        "The text tells of an expectation that was not met, told flatly or not.",
        "complaint:yes",
        aliases=("queja",),
    ),
    Field(
        "emotion",
        "keyword",
        "Emotion in the text.",
        "emotion:anger",
        many=True,
        vocabulary=EMOTIONS,
        aliases=("emocion",),
        synonyms=_EMOTION_WORDS,
    ),
    Field("irony", "flag", "The text means something else than it says.", "irony:yes", aliases=("ironia",)),
    Field("offensive", "flag", "The text insults somebody.", "offensive:yes", aliases=("ofensivo",)),
    Field(
        "aspect", "keyword", "What of the brand it speaks about.", "aspect:delivery", many=True, aliases=("aspecto",)
    ),
    Field("spam", "flag", "It looks like spam.", "spam:no"),
    Field("risk", "number", "Risk, 0 to 100.", "risk:>=70", within=(0, 100), aliases=("riesgo",)),
    Field("term", "keyword", "Name of a risk term that adds points.", "term:reach", many=True),
    Field("suggested", "keyword", "Queue that the labels alone suggest.", "suggested:pr", vocabulary=get_args(Queue)),
    Field("review", "keyword", "Head of the model that abstains.", "review:intent", many=True),
    Field("model", "keyword", "Version of the model.", "model:linear-1", NOT_IN_RULES),
    Field("tier", "keyword", "Class of the model.", "tier:linear", NOT_IN_RULES, vocabulary=get_args(Tier)),
    Field(
        "provisional",
        "flag",
        "Read by the linear model under overload, and not yet by the model in force.",
        "provisional:yes",
        NOT_IN_RULES,
        aliases=("provisorio",),
    ),
    Field("corrected", "flag", "A person has corrected a label.", "corrected:yes", aliases=("corregido",)),
    Field("person", "keyword", "Who corrected it.", "person:eva", NOT_IN_RULES, aliases=("persona",)),
    # what was decided
    Field(
        "queue",
        "keyword",
        "Queue it is in.",
        "queue:support",
        NOT_IN_RULES,
        vocabulary=get_args(Queue),
        aliases=("cola",),
    ),
    Field("case", "number", "Number of its case.", "case:1204", LOOKING_BACK, within=_COUNT, aliases=("caso",)),
    Field("rule", "keyword", "Rule that decided.", "rule:legal-threat", NOT_IN_RULES, aliases=("regla",)),
    Field(
        "priority",
        "keyword",
        "Priority that the rule gave.",
        "priority:urgent",
        NOT_IN_RULES,
        vocabulary=("low", "normal", "high", "urgent"),
        aliases=("prioridad",),
    ),
    Field("tag", "keyword", "Tag that the rule gave.", "tag:legal", NOT_IN_RULES, many=True, aliases=("etiqueta",)),
    Field("alerted", "flag", "The rule asks that people be told.", "alerted:yes", NOT_IN_RULES),
    Field("decided", "time", "When it was decided.", "decided:>=2026-03-01T08:00Z", LOOKING_BACK),
    Field(
        "state", "keyword", "Whether it still stands.", "state:expired", LOOKING_BACK, vocabulary=get_args(MentionState)
    ),
)

FIELDS: Mapping[str, Field] = {field.name: field for field in _ALL}

_BY_ANY_NAME: Mapping[str, Field] = {name: field for field in _ALL for name in (field.name, *field.aliases)}


_WORDS = "Words of a post need no field: write them as they stand, or a phrase in quotes."
_BESIDE = "It is asked for beside the query: {0} on the command line, {1} in the API."

NO_FIELDS: Mapping[str, str] = (
    dict.fromkeys(("text", "texto", "title", "titulo", "body", "content", "post", "word", "words"), _WORDS)
    | dict.fromkeys(("order", "sort", "orden"), _BESIDE.format("--order risk", "order=risk"))
    | dict.fromkeys(("limit", "size", "limite"), _BESIDE.format("-n 50", "limit=50"))
    | dict.fromkeys(("facet", "group"), _BESIDE.format("--facet queue", "/api/facets?field=queue"))
)
"""What people ask for as if it were a field, and what to write instead."""


def find(name: str) -> Field | None:
    """The field of that name or alias, case and accents aside; None where there is none."""
    return _BY_ANY_NAME.get(fold(name))


def readable(context: str) -> tuple[Field, ...]:
    """The fields that a query in this context may use, in the registry's order."""
    return tuple(field for field in _ALL if context in field.contexts)


def names(context: str) -> Iterable[str]:
    """Every name and alias that a query in this context may use."""
    return [name for name, field in _BY_ANY_NAME.items() if context in field.contexts]


def canonical(field: Field, text: str) -> str:
    """A value of a keyword field as it is compared: folded, without blanks around it, sigil and synonyms resolved.

    Both sides of a comparison pass through here. May be empty.
    """
    value = fold(text).strip()
    if field.name in _SIGILS:
        value = value.lstrip(_SIGILS[field.name]).strip()
    return field.synonyms.get(value, value)


_SIGILS = {"author": "@ ", "addressed": "@ ", "hashtag": "# "}
