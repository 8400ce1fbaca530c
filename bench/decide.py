"""Decisions a second of one core: `python -m bench.decide [--mentions 40000]`.

Mentions as they come from `nlp`, each decided once: by the shipped rules, by 50 rules that ask for labels and numbers,
by 50 of which half ask for words too, and by 50 that ask for words alone, so that every text is read. From the reading
and the history to the whole decision with its terms, reason and record of what was asked; neither SQL nor decoding.
Beside it the time to replay a decision from its record.
"""

from __future__ import annotations

import argparse
import random
import time

from bench.routing import BRANDS, NOW, Stream
from routing.decide import Reader, decide
from routing.replayed import replay
from routing.risk import NOTHING_KNOWN, History
from routing.rules import RuleSet, default_rules
from stream.records import Decision, Mention, Understood, decode, mention_id

READER = Reader("linear-1", "linear", 1)
_INTENTS = ("help_request", "complaint", "churn_threat", "purchase_interest", "public_issue", "praise")
_WORDS = ("refund", "boarding", "delayed", "luggage", "strike", "voucher", "lawyer", "accident", "boycott", "reporter")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=40_000)
    count = parser.parse_args().mentions
    mentions = drafts(count)
    for name, text in (
        ("the shipped rules", default_rules()),
        ("50 rules without words", rules_of(50, words=False)),
        ("50 rules, half of them with words", rules_of(50, words=True)),
        ("50 rules of words alone", rules_of_words(50)),
    ):
        measure(name, RuleSet.read(text, 1, brands={brand.id: brand.name for brand in BRANDS}), mentions)


def measure(name: str, rules: RuleSet, mentions: list[tuple[Mention, History]]) -> None:
    began = time.process_time()
    made = [decide(one, history, rules, READER, NOW, may_wake=True) for one, history in mentions]
    took = time.process_time() - began
    print(f"{name}: {len(made) / took:,.0f} decisions/s of one core, {took / len(made) * 1e6:.1f} µs each; {_by(made)}")
    began = time.process_time()
    same = sum(replay(decision, rules).outcome == "same" for decision in made)
    took = time.process_time() - began
    print(f"  replayed: {same:,} of {len(made):,} the same, {took / len(made) * 1e6:.1f} µs each")


def _by(made: list[Decision]) -> str:
    record = max(len(decision.record) for decision in made)
    return f"{len({decision.rule for decision in made})} rules decided, records of up to {record} characters"


def drafts(count: int) -> list[tuple[Mention, History]]:
    """What stands of each mention before it is decided, and what is known beside it."""
    stream, chance = Stream(), random.Random(11)
    found: list[tuple[Mention, History]] = []
    while len(found) < count:
        for raw in stream.batch():
            record = decode(Understood, raw)
            for read in record.mentions or ():
                heat = chance.choice((0.0, 0.0, 0.0, 4.0, 12.0))
                history = History(heat, chance.randrange(4)) if read.terms else NOTHING_KNOWN
                found.append((_draft(record, read.brand), history))
    return found[:count]


def _draft(record: Understood, brand: str) -> Mention:
    read = next(one for one in record.mentions or () if one.brand == brand)
    return Mention(
        id=mention_id(record.post.id, brand), revision=1, post=record.post, post_id=record.post.id, brand=brand,
        network=record.post.network, event_time=record.post.event_time, source_id=record.post.source_id,
        lang=record.lang, understanding=read, content_hash=record.content_hash, appended_at=record.appended_at,
    )  # fmt: skip


def rules_of(count: int, *, words: bool) -> str:
    """As a file: so many rules, each of some comparisons; half of them ask for words as well."""
    chance = random.Random(3)
    lines = ["rules:"]
    for number in range(count):
        parts = [f"intent:{chance.choice(_INTENTS)}", f"risk:>={chance.randrange(5, 95)}"]
        parts += chance.sample(
            (
                f"followers:>={chance.randrange(1, 90)}00", f"-detractor:>={chance.randrange(2, 4)}", "lang:en",
                f"likes:>={chance.randrange(2, 12)}", "reputation:negative", f"brand:{chance.choice(BRANDS).id}",
            ),
            2,
        )  # fmt: skip
        if words and number % 2:
            parts.append(f'({" OR ".join(chance.sample(_WORDS, 3))} OR "{" ".join(chance.sample(_WORDS, 2))}")')
        queue = chance.choice(("support", "sales", "pr"))
        alert = "true" if number % 5 == 0 else "false"
        lines.append(
            f"  - {{name: rule-{number}, when: '{' '.join(parts)}', queue: {queue}, alert: {alert}, why: '{{intent}}'}}"
        )
    return "\n".join(lines) + "\n"


def rules_of_words(count: int) -> str:
    chance = random.Random(5)
    lines = ["rules:"]
    for number in range(count):
        words = " OR ".join(f"{word}{number}" for word in chance.sample(_WORDS, 3))
        lines.append(f"  - {{name: rule-{number}, when: '{words}', queue: support}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
