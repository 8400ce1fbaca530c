"""Why a post looks like spam: the ids that records carry, and what people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

REASONS: Mapping[str, Mapping[str, str]] = {
    "follow": {
        "en": "it trades followers, likes or subscriptions",
        "es": "intercambia seguidores, «me gusta» o suscripciones",
    },
    "channel": {
        "en": "it advertises a channel, page or song of the author's",
        "es": "anuncia un canal, una página o una canción del autor",
    },
    "earnings": {"en": "it promises easy money", "es": "promete dinero fácil"},
    "crypto": {"en": "it offers coins or trading", "es": "ofrece criptomonedas o inversiones"},
    "giveaway": {"en": "it offers a prize or gift for a click", "es": "ofrece un premio o regalo por un clic"},
    "gambling": {"en": "it advertises betting", "es": "anuncia apuestas"},
    "adult": {"en": "it advertises sexual content", "es": "anuncia contenido sexual"},
    "loan": {"en": "it offers loans", "es": "ofrece préstamos"},
    "cure": {"en": "it sells pills or a miracle cure", "es": "vende pastillas o curas milagrosas"},
    "recovery": {
        "en": "it recommends somebody who hacks or recovers accounts",
        "es": "recomienda a alguien que piratea o recupera cuentas",
    },
    "shortener": {"en": "it promises something behind a shortened link", "es": "promete algo tras un enlace acortado"},
    "contact": {"en": "an offer beside a number to call or write to", "es": "una oferta junto a un número de contacto"},
    "tags": {
        "en": "an offer with a link, among almost nothing but hashtags",
        "es": "una oferta con enlace entre casi solo etiquetas",
    },
    "handles": {
        "en": "an offer with a link, addressed to many accounts",
        "es": "una oferta con enlace dirigida a muchas cuentas",
    },
    "emoji": {"en": "an offer with a link in a wall of emoji", "es": "una oferta con enlace en un muro de emojis"},
    "brands": {
        "en": "an offer with a link that names many brands",
        "es": "una oferta con enlace que nombra muchas marcas",
    },
    "copies": {
        "en": "one of many near copies of an offer with a link, within hours",
        "es": "una de muchas copias casi iguales de una oferta con enlace, en pocas horas",
    },
}
"""By id: the sentence in each language. `copies` is found by routing, the others by nlp in the text."""


def in_words(reasons: Sequence[str], language: str = "en") -> str:
    """The sentences of these ids, joined; an id of a newer version stands as it is."""
    told = [REASONS.get(reason, {}) for reason in reasons]
    return "; ".join([words.get(language) or reason for reason, words in zip(reasons, told, strict=True)])
