"""What posts go through while things fail, and what must stand everywhere afterwards."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection

from program import Program, gone, said

from stream.ports import EVERYTHING
from stream.records import Post

BRANDS = ("Marlin Ferries", "Tulip Bank")
IDS = {"Marlin Ferries": "marlin", "Tulip Bank": "tulip"}


def history(dice: random.Random, number: int, final: dict[int, str | None]) -> list[Post]:
    """The versions of a post, in the order in which they come; its last text is noted in `final`, None: deleted."""
    brand = dice.choice(BRANDS)
    loud = " mayday" if dice.random() < 0.15 else ""
    text = f"{brand} word{number}v0{loud} please answer"
    posts, final[number] = [said(number, text)], text
    fate = dice.random()
    if fate < 0.3:
        brand = dice.choice(BRANDS)
        final[number] = f"{brand} word{number}v1{loud} please answer"
        posts.append(said(number, str(final[number]), "edited", posts[0].seen_at + 1, edited_at=posts[0].seen_at + 1))
    if fate > 0.8:
        posts.append(gone(number))
        final[number] = None
        dice.shuffle(posts)
    return posts


def judge(program: Program, final: dict[int, str | None], looked_up: Collection[int] | None = None) -> None:
    """Every post's final state in SQL and index, cases and counts exactly once, somebody told of each loud post.

    `looked_up`: numbers of the posts that are asked for in the index; None: all of them.
    """
    expected = {
        f"x:{number}#{IDS[brand]}": text
        for number, text in final.items() if text is not None
        for brand in BRANDS if text.startswith(brand)
    }  # fmt: skip
    held = program.mentions()
    live = {id: m.post.text for id, m in held.items() if m.state == "live" and m.post is not None}
    assert live == expected
    with program.opened() as opened:
        getattr(opened.store, "refresh", lambda: None)()
        for id, mention in held.items():
            if looked_up is None or int(id.removeprefix("x:").partition("#")[0]) in looked_up:
                assert opened.store.get(id, EVERYTHING) == (mention if id in live else None), id
    assert program.counted() == Counter(id.partition("#")[2] for id in live)
    cases = program.sql("SELECT id, mentions FROM cases WHERE live = 1")
    members = Counter(m.case_id for m in held.values() if m.state == "live")
    assert dict(cases) == dict(members)
    told = {str(mail["Message-ID"]) for mail in program.mails()}
    sent = {id for (id,) in program.sql("SELECT message_id FROM mail WHERE state = 'sent'")}
    assert sent == told
    loud = {id for id, text in live.items() if "mayday" in text}
    alerted = {
        f"{post}#{brand}"
        for post, brand in program.sql(
            "SELECT p.id, a.brand FROM mail JOIN mail_item i ON i.mail = mail.id JOIN alert a ON a.id = i.alert"
            " JOIN mention m ON m.n = a.mention_n JOIN post p ON p.n = m.post WHERE mail.state = 'sent'"
        )
    }
    assert loud <= alerted


def doubled(program: Program) -> int:
    """Mails that came more than once."""
    mails = Counter(str(mail["Message-ID"]) for mail in program.mails())
    return sum(times - 1 for times in mails.values())
