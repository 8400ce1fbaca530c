"""What people do in a matter is found by the policy, stands until its end, and goes with the post that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route_home import BRANDS, DAY, MINUTE, NOW, RouteHome, passed, reading, said

from config import content
from config.people import Person
from config.teams import Team, Week
from database import revisions
from database.engine import read, write
from routing import behaviour, corrections
from routing.advice import Advice, in_one_line, in_words, of_case, of_mention
from routing.casework import Deviate, work
from routing.desk import Desk
from routing.erasure import let_go_of_notes
from routing.keys import author_key
from routing.mail.compose import MailRow, as_decided, compose
from routing.mail.letter import AlertLetter
from routing.mail.render import render
from routing.mail.words import words
from routing.merging import CaseRefused
from routing.people_to_tell import MailSettings
from routing.people_to_tell import Person as Reader
from routing.planner import plan_pending
from routing.policy import Policy, default_policy
from stream.records import Correction, encode

KINDS = """\
kinds:
  - name: {name}
    when: "{when}"
    expires: {expires}
    why: {{en: "{{brand}} hears of it", es: "se lo dicen a {{brand}}"}}
    answer:
      queue: pr
      person: eva
      where: private
      within: 2h
      tone: {{en: calm, es: sereno}}
      lines: [{{en: "We at {{brand}} listen.", es: "En {{brand}} escuchamos."}}]
      not_when: {{en: "It is night.", es: "Es de noche."}}
    tell: [pr, eva]
    stop: {{en: "Once.", es: "Una vez."}}
"""


@pytest.fixture
def home(tmp_path: Path, kept_in: str) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path, durable=False)
    with write(home.engine) as connection:
        revisions.adopt(connection, "brands", content.body("brands", BRANDS), "test", 1)
    settle(home, default_policy())
    yield home
    home.close()


def settle(home: RouteHome, text: str) -> None:
    """Put a policy in force."""
    with write(home.engine) as connection:
        number = revisions.adopt(connection, "policy", text, "test", NOW).number
    home.registry.in_force = home.registry.in_force._replace(policy_revision=number, policy_yaml=text)
    home.work.idle(NOW)


def kinds(home: RouteHome) -> dict[str, str]:
    sql = "SELECT p.id, b.kind FROM behaviour b JOIN mention m ON m.n = b.mention JOIN post p ON p.n = m.post"
    return dict(home.sql(sql))


def advised(home: RouteHome, id: str, now: int = NOW, language: Any = "en") -> Advice | None:
    with read(home.engine) as connection:
        return of_mention(connection, home.number(id), home.mention(id), language, now)


def of(home: RouteHome, case: int, now: int = NOW) -> list[Advice]:
    with read(home.engine) as connection:
        return of_case(connection, case, "en", now)


def test_the_first_kind_that_is_true_is_stored_with_the_decision(home: RouteHome) -> None:
    home.take(
        said("1", reading(intent="complaint", detractor=1), author="ana"),
        said("2", reading(intent="public_issue", speaker="press"), author="paper"),
        said("3", reading(intent="praise", reputation="positive"), author="fan"),
    )
    assert kinds(home) == {"x:1": "unhappy-customer", "x:2": "press-question"}
    ((author, brand, since, until, policy, record),) = home.sql(
        "SELECT author, brand, since, until, policy, record FROM behaviour WHERE kind = 'unhappy-customer'"
    )
    assert (author, since, until, policy) == (author_key("x", "ana"), NOW, NOW + 30 * DAY, 1)
    assert home.sql("SELECT value FROM dictionary WHERE n = ? AND kind = 'brand'", brand) == [("acme",)]
    kind = Policy.read(default_policy(), 1).replayed(record)
    assert kind is not None
    assert kind.name == "unhappy-customer"


def test_no_kind_is_asked_for_of_own_posts_rivals_categories_and_what_is_set_aside(home: RouteHome) -> None:
    angry = {"intent": "complaint", "detractor": 1}
    home.take(
        said("1", reading(**angry, speaker="own")),
        said("2", reading("rival", **angry)),
        said("3", reading("flights", intent="complaint")),
        said("4", reading(**angry)),
    )
    assert kinds(home) == {"x:4": "unhappy-customer"}
    word = Correction(person="eva", at=NOW, content_hash=home.mention("x:4#acme").content_hash, about=False)
    corrections.correct(home.engine, Desk(home.registry.current()), "x:4#acme", word, NOW)
    assert kinds(home) == {}


def test_a_persons_reading_gives_another_kind(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1)))
    word = Correction(
        person="eva", at=NOW, content_hash=home.mention("x:1#acme").content_hash, intent="praise", reputation="positive"
    )
    corrections.correct(home.engine, Desk(home.registry.current()), "x:1#acme", word, NOW)
    assert kinds(home) == {}


@pytest.mark.parametrize("gone", ["deleted", "expired", "forgotten"])
def test_a_kind_goes_with_the_text_that_it_rests_on(home: RouteHome, gone: str) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1)), said("2", reading(intent="complaint", detractor=1)))
    home.take(passed("1", gone, NOW + MINUTE))
    assert kinds(home) == {"x:2": "unhappy-customer"}


def test_a_kind_goes_with_the_account_and_with_the_brand(home: RouteHome) -> None:
    angry = reading(intent="complaint", detractor=1)
    home.take(said("1", angry, author="ana"), said("2", angry, author="ben"))
    home.take(passed("a", "author_gone", NOW + MINUTE, author=said("1", author="ana").post.author))
    home.sweep()
    assert kinds(home) == {"x:2": "unhappy-customer"}
    home.take(said("2", text="something else", kind="edited", author="ben", at=NOW + MINUTE, edited_at=NOW + MINUTE))
    assert kinds(home) == {}


def test_the_same_kinds_however_often_the_records_come(home: RouteHome) -> None:
    records = [said(str(n), reading(intent="complaint", detractor=n % 3)) for n in range(6)]
    home.take(*records)
    before = home.sql("SELECT * FROM behaviour ORDER BY mention")
    home.take(*records)
    assert home.sql("SELECT * FROM behaviour ORDER BY mention") == before


def test_a_new_policy_decides_history_when_asked_and_leaves_mentions_alone(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1)))
    settle(home, KINDS.format(name="grumbles", when="detractor:1", expires="3d"))
    assert kinds(home) == {"x:1": "unhappy-customer"}
    revision = home.mention("x:1#acme").revision
    corrections.decide_anew(home.engine, Desk(home.registry.current()), 0, NOW + 1, NOW)
    assert kinds(home) == {"x:1": "grumbles"}
    assert home.mention("x:1#acme").revision == revision
    assert home.sql("SELECT until, policy FROM behaviour") == [(NOW + 3 * DAY, 2)]


def test_a_kind_stands_until_its_end_and_is_forgotten_after_it(home: RouteHome) -> None:
    settle(home, KINDS.format(name="grumbles", when="detractor:1", expires="3d"))
    home.take(said("1", reading(intent="complaint", detractor=1)))
    assert advised(home, "x:1#acme", NOW + 3 * DAY - 1) is not None
    assert advised(home, "x:1#acme", NOW + 3 * DAY) is None
    assert behaviour.let_go(home.engine, NOW + 3 * DAY + behaviour.KEPT_FOR) == 0
    assert behaviour.let_go(home.engine, NOW + 3 * DAY + behaviour.KEPT_FOR + 1) == 1
    assert kinds(home) == {}


def test_what_was_stored_suffices_to_find_the_kind_again(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=3, terms=[("legal", 6.0)]), author="ana"))
    mention, policy = home.mention("x:1#acme"), Policy.read(default_policy(), 1)
    assert mention.decision is not None
    again = policy.of(mention, mention.decision.risk, mention.decision.terms)
    with read(home.engine) as connection:
        held = behaviour.of_mentions(connection, [home.number("x:1#acme")])[home.number("x:1#acme")]
    assert again is not None
    assert (again.kind, again.policy, again.record) == (held.kind, held.policy, held.record)
    replayed = policy.replayed(held.record)
    assert replayed is not None
    assert replayed.name == held.kind


def test_the_advice_says_who_answers_where_by_when_and_in_which_words(home: RouteHome) -> None:
    settle(home, KINDS.format(name="grumbles", when="detractor:1", expires="3d"))
    home.take(said("1", reading(intent="complaint", detractor=1)))
    found = advised(home, "x:1#acme")
    assert found is not None
    assert (found.why, found.queue, found.person, found.where) == ("Acme Air hears of it", "pr", "eva", "private")
    assert found.due == NOW + 2 * 60 * MINUTE
    assert found.lines == ("We at Acme Air listen.",)
    lines = "\n".join(in_words(found, "en"))
    for piece in (
        "grumbles until",
        "(eva) answers, in private, by",
        "Tone: calm",
        "Better no answer: It is night.",
        "pr, eva",
    ):
        assert piece in lines
    spanish = advised(home, "x:1#acme", language="es")
    assert spanish is not None
    assert "En Acme Air escuchamos." in in_one_line(spanish, "es")


def test_todays_policy_advises_and_the_one_of_that_day_gives_the_reason(home: RouteHome) -> None:
    text = KINDS.format(name="grumbles", when="detractor:1", expires="3d")
    settle(home, text)
    home.take(said("1", reading(intent="complaint", detractor=1)))
    settle(home, text.replace("We at {brand} listen.", "We know, and mend it.").replace("hears of it", "is told"))
    found = advised(home, "x:1#acme")
    assert found is not None
    assert (found.why, found.lines) == ("Acme Air hears of it", ("We know, and mend it.",))
    settle(home, default_policy())
    kept = advised(home, "x:1#acme")
    assert kept is not None
    assert kept.lines == ("We at Acme Air listen.",)


def test_a_case_has_the_advice_for_each_kind_that_stands_in_it_the_gravest_first(home: RouteHome) -> None:
    home.take(
        said("1", reading(intent="public_issue", reputation="negative", detractor=1), author="ana"),
        said("2", reading(intent="public_issue", reputation="negative", detractor=1), author="ben", reply_to="x:1"),
        said("3", reading(intent="public_issue", speaker="press"), author="paper", reply_to="x:1"),
    )
    (case,) = home.live_cases()
    assert [(one.kind, one.posts, one.people) for one in of(home, case["id"])] == [
        ("press-question", 1, 1),
        ("public-criticism", 2, 2),
    ]
    home.take(passed("3", "deleted", NOW + MINUTE))
    assert [one.kind for one in of(home, case["id"])] == ["public-criticism"]
    assert of(home, case["id"], NOW + 400 * DAY) == []


def test_no_text_of_a_post_stands_beside_a_kind(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=1), text="my secret words", author="ana"))
    assert encode(home.mention("x:1#acme"))
    ((row),) = home.sql("SELECT * FROM behaviour")
    assert "secret" not in str(row)
    assert "ana" not in str(row)


NAMED = (
    "kinds:\n  - name: grumbles\n    when: 'detractor:1'\n    expires: 3d\n    why: {en: a, es: b}\n    answer:\n"
    "      queue: support\n      where: private\n      within: 2h\n      tone: {en: a, es: b}\n"
    "      lines: [{en: a, es: b}]\n      not_when: {en: a, es: b}\n    tell: [pr, eva]\n    stop: {en: a, es: b}\n"
)
PEOPLE = (
    Person(id="ana", name="Ana", email="ana@example.org", queues=("pr",)),
    Person(id="ben", name="Ben", email="ben@example.org", queues=("sales",)),
    Person(id="eva", name="Eva", email="eva@example.org", queues=("sales",)),
)


def with_people(home: RouteHome) -> None:
    home.registry.in_force = home.registry.in_force._replace(people=PEOPLE)
    settle(home, NAMED)


def told(home: RouteHome) -> list[tuple[str, str]]:
    return home.sql("SELECT a.kind, r.person FROM alert a JOIN alert_recipient r ON r.alert = a.id ORDER BY a.id, 2")


def history(home: RouteHome, change: str) -> list[tuple[str, str]]:
    return home.sql("SELECT detail, person FROM case_event WHERE change = ? ORDER BY n", change)


def test_whom_the_policy_names_is_told_once_of_a_kind_in_a_case(home: RouteHome) -> None:
    with_people(home)
    angry = reading(intent="complaint", detractor=1)
    home.take(said("1", angry, author="zoe"), said("2", angry, author="zoe", reply_to="x:1"))
    home.take(said("3", angry, author="zoe", reply_to="x:1"))
    assert told(home) == [("policy", "eva")]
    assert history(home, "policy") == [("eva", "")]


def test_a_team_stands_for_its_members(home: RouteHome) -> None:
    with_people(home)
    week = Week(mon=("09:00-18:00",))
    team = Team(id="night", name="Night", zone="Europe/Madrid", members=("ben", "eva"), hours=week)
    home.registry.in_force = home.registry.in_force._replace(teams=(team,))
    settle(home, NAMED.replace("[pr, eva]", "[eva, night]"))
    home.take(said("1", reading(intent="complaint", detractor=1), author="zoe"))
    assert told(home) == [("policy", "eva"), ("policy", "ben")]


def test_the_history_keeps_no_kind_when_its_post_is_gone(home: RouteHome) -> None:
    with_people(home)
    home.take(said("1", reading(intent="complaint", detractor=1), author="zoe"))
    work(home.engine, Desk(home.registry.current()), 1, Deviate("she is an old friend"), "ben", NOW)
    assert let_go_of_notes(home.engine) == 0
    home.take(passed("1", "deleted", NOW + MINUTE))
    assert let_go_of_notes(home.engine) == 1
    everything = str(home.sql("SELECT * FROM case_event")) + str(home.sql("SELECT * FROM behaviour"))
    assert "grumbles" not in everything
    assert "friend" not in everything
    assert history(home, "exception") == [("", "ben")]


def test_old_posts_wake_nobody_by_the_policy(home: RouteHome) -> None:
    with_people(home)
    home.take(said("1", reading(intent="complaint", detractor=1), author="zoe", origin="import"))
    assert kinds(home) == {"x:1": "grumbles"}
    assert told(home) == []


def test_an_exception_says_who_why_and_is_told_to_those_of_the_policy(home: RouteHome) -> None:
    with_people(home)
    home.take(said("1", reading(intent="complaint", detractor=1), author="zoe", origin="import"))
    desk = Desk(home.registry.current())
    done = work(home.engine, desk, 1, Deviate("she  asked\nfor a call"), "ben", NOW)
    assert done.changed
    assert history(home, "exception") == [("grumbles, policy 2: she asked for a call", "ben")]
    assert told(home) == [("exception", "ana"), ("exception", "eva")]
    for change, reason in (
        (Deviate(" "), "needs its reason"),
        (Deviate("so", "mockery"), "'mockery' does not stand in case 1"),
    ):
        with pytest.raises(CaseRefused, match=reason):
            work(home.engine, desk, 1, change, "ben", NOW)
    with pytest.raises(CaseRefused, match="nothing to deviate from"):
        work(home.engine, desk, 1, Deviate("so"), "ben", NOW + 4 * DAY)


def test_the_alert_mail_says_in_one_line_who_answers_and_the_approved_words(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=3), author="zoe"))
    settings = MailSettings(from_address="clamor@example.org", brand_names={"acme": "Acme Air"})
    readers = [
        Reader(id="ana", name="Ana", email="ana@example.org", language="en"),
        Reader(id="eva", name="Eva", email="eva@example.org", language="es"),
    ]
    plan_pending(home.engine, readers, settings, NOW, lambda connection: None)
    expected = {
        "ana": "Policy (call-to-act): PR answers, in public, by 2026-09-21 1",
        "eva": "Política (call-to-act): Contesta Comunicación, en público, antes de 2026-09-21 1",
    }
    for reader in readers:
        ((mail,),) = home.sql("SELECT id FROM mail WHERE person = ?", reader.id)
        with read(home.engine) as connection:
            row = MailRow(mail, "alert", "acme", "pr", NOW, NOW)
            letter = compose(connection, row, reader, settings, as_decided, NOW).letter
        assert isinstance(letter, AlertLetter)
        assert letter.policy.startswith(expected[reader.id]), letter.policy
        approved = "We hear the criticism." if reader.language == "en" else "Escuchamos la crítica."
        rendered = render(letter, words(reader.language))
        for text in (rendered.text, rendered.html):
            assert approved in text
