"""Some hundred observations with replies, edits, deletes and late parents, always the same."""

from __future__ import annotations

import random

from route_home import NOW, passed, reading, said

from stream.records import Metrics, Understood

INTENTS = ("complaint", "help_request", "purchase_interest", "public_issue", "praise")


def story(posts: int = 150) -> list[Understood]:
    dice = random.Random(11)
    records = []
    for n in range(posts):
        parent = f"x:{dice.randrange(n + 5)}" if n and dice.random() < 0.4 else None
        intent = dice.choice(INTENTS)
        records.append(
            said(
                str(n), reading(intent=intent, detractor=2 if intent == "complaint" else 0), text=f"post {n}",
                author=f"a{n % 9}", at=NOW + n, reply_to=parent if parent != f"x:{n}" else None,
            )
        )  # fmt: skip
        other = dice.randrange(n + 1)
        if dice.random() < 0.2:
            records.append(passed(str(other), "deleted", NOW + n))
        if dice.random() < 0.3:
            records.append(passed(str(other), "metrics", NOW + n, metrics=Metrics(likes=dice.choice((1, 50, 5_000)))))
    return records
