"""A briefing says how an incident stood; what was deleted since, and what is private, is not on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_home import START, MailHome

from config.playbook import shipped
from database.engine import many, read, rows, write
from routing import briefing_links
from routing.briefing_links import Readable
from routing.incidents import book, briefing, hold, said, tasks
from routing.incidents.book import Evidence
from routing.incidents.briefing_page import as_text, page_of
from routing.incidents.hold import Line
from routing.incidents.levels import Signal, Standing
from routing.link_key import make_key
from routing.links import BadLink
from routing.people_to_tell import Language
from stream.clock import DAY, HOUR

LOUD = Evidence(START, (Signal("negative@reddit", 60, 412, 3.25, 9.0, 4.2, 0.998),), complete=0.5)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path)
    yield made
    made.close()


def storm(home: MailHome) -> tuple[int, int]:
    """(incident, mention of its gravest post)."""
    worst = home.mention("palm oil burns the <b>forest</b>", risk=99)
    for n in range(10):
        home.mention(f"palm oil burns the forest, says reader {n}", cluster=4)
    with write(home.engine) as connection:
        id = book.open_incident(connection, "acme", Standing("crisis", START - HOUR, START, START), LOUD, START)
    return id, worst


def frozen(home: MailHome, id: int) -> int:
    with write(home.engine) as connection:
        return briefing.freeze(connection, id, "Acme Air", "ana", START)


def text(home: MailHome, number: int, language: Language = "en") -> str:
    with read(home.engine) as connection:
        return as_text(page_of(briefing.read(connection, number), language))


def test_it_says_what_since_when_how_much_what_we_said_and_what_may_be_asked(home: MailHome) -> None:
    id, _ = storm(home)
    with write(home.engine) as connection:
        said.say(connection, id, "We answer at noon.", "our site", START, "ana", START)
        hold.put(connection, id, (Line("Wait for noon.", "Espere al mediodía."),), "ana", "one voice", START)
        tasks.follow(connection, shipped(), START)
    told = text(home, frozen(home, id))
    for words in (
        "Acme Air: crisis", "There is unusually much about Acme Air since 2026-09-21 13:13 UTC.",
        "412 negative posts on Reddit in 60 minutes; 3.2 were to be expected", "11 posts by 11 authors",
        "50 % of the sources were heard", "palm oil burns the", "On our site, 2026-09-21 14:13 UTC: We answer at noon.",
        "Wait for noon.", "What do you say to what people write about:", "Does what you said still hold (our site,",
        "Ask who is responsible for the matter",
    ):  # fmt: skip
        assert words in told
    spanish = text(home, frozen(home, id), "es")
    assert "Qué pueden preguntar".upper() in spanish
    assert "Espere al mediodía." in spanish
    assert "se esperaban 3,2" in spanish


def test_numbers_stay_as_they_were_and_where_nothing_was_said_it_says_so(home: MailHome) -> None:
    id, _ = storm(home)
    number = frozen(home, id)
    for n in range(20):
        home.mention(f"and more {n}")
    told = text(home, number)
    assert "11 posts by 11 authors" in told
    assert "Nothing has been said in public yet." in told
    assert "Why have you said nothing so far?" in told
    assert "No line is approved yet" in told


def test_what_was_said_about_one_brand_of_a_matter_is_no_silence_about_the_other(home: MailHome) -> None:
    first, _ = storm(home)
    with write(home.engine) as connection:
        standing = Standing("crisis", START - HOUR, START, START)
        second = book.open_incident(connection, "bakery", standing, LOUD, START)
        many(connection, "UPDATE incident SET part_of = ? WHERE id = ?", [(first, second)])
        said.say(connection, first, "We answer at noon.", "our site", START, "ana", START)
        tasks.follow(connection, shipped(), START)
    told = text(home, frozen(home, second))
    assert "We answer at noon." in told
    assert "Why have you said nothing so far?" not in told
    assert "Ask who is responsible for the matter" in told


def test_a_post_that_was_deleted_since_is_gone_from_it_and_its_words_are_stored_nowhere(home: MailHome) -> None:
    id, worst = storm(home)
    number = frozen(home, id)
    assert "burns the <b>forest</b>" in text(home, number)
    home.delete(worst)
    told = text(home, number)
    assert "burns the <b>forest</b>" not in told
    assert "This post is gone" in told
    with read(home.engine) as connection:
        assert "forest</b>" not in rows(connection, "SELECT body FROM incident_briefing")[0][0]


def test_private_posts_are_not_on_it(home: MailHome) -> None:
    for n in range(5):
        home.mention(f"our secret forum talks {n}", access="club", risk=99)
    with write(home.engine) as connection:
        id = book.open_incident(connection, "acme", Standing("crisis", START - HOUR, START, START), LOUD, START)
    told = text(home, frozen(home, id))
    assert "secret" not in told
    assert "5 posts by 5 authors" in told


def test_a_link_reads_one_briefing_until_it_expires_and_cannot_be_made_up(home: MailHome) -> None:
    with write(home.engine) as connection:
        key = make_key(connection)
    link = briefing_links.token(key, Readable(7, "es", START + DAY))
    with read(home.engine) as connection:
        assert briefing_links.readable(connection, link, START).number == 7
        with pytest.raises(BadLink, match="expired"):
            briefing_links.readable(connection, link, START + DAY)
        forged = briefing_links.token(bytes(32), Readable(8, "es", START + DAY))
        turned = [link[:place] + ("A" if link[place] != "A" else "B") + link[place + 1 :] for place in range(0, 40, 7)]
        for bad in (forged, link[:-3], link + "AAAA", "", "x" * 300, "ñ" * 30, *turned):
            with pytest.raises(BadLink, match="forged"):
                briefing_links.readable(connection, bad, START)


def test_old_ones_go_with_the_posts_of_their_time(home: MailHome) -> None:
    id, _ = storm(home)
    number = frozen(home, id)
    with write(home.engine) as connection:
        briefing.let_go(connection, START + 1)
        with pytest.raises(briefing.NoSuchBriefing):
            briefing.read(connection, number)
