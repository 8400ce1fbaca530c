"""Which near copies look like spam: an offer with a link, said over and over within hours, that hurts nobody.

Many copies alone are none: so look a campaign of angry customers, and news that many share.
"""

from __future__ import annotations

from query.document import Document
from query.parse import parse
from query.predicate import compile_predicate
from routing.decide import hurts
from stream.clock import HOUR
from stream.records import Mention, Millis

MANY = 10
"""So many near copies, itself included …"""
WITHIN: Millis = 6 * HOUR
"""… within so long before it, by event time."""
COPIES = "copies"

_OFFER = compile_predicate(
    parse(
        'has:link (discount OR coupon OR giveaway OR "promo code" OR "free shipping" OR "click here" OR "for free" '
        'OR airdrop OR "buy now" OR "sign up" OR "best price" OR descuento OR cupón OR sorteo OR "código promocional" '
        'OR "envío gratis" OR "clic aquí" OR gratis OR "compra ya" OR "regístrate" OR "mejor precio")',
        now=0,
    )
)


def may_be_spam(mention: Mention) -> bool:
    """Whether it is an offer with a link by somebody else than the brand or the press, passes nothing on, and hurts
    nobody."""
    read, post = mention.understanding, mention.post
    if read is None or post is None or read.speaker != "public" or hurts(mention):
        return False
    return not post.text.startswith("RT @") and _OFFER(Document(mention))
