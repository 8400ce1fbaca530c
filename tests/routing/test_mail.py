"""Promises: a mail says what happened and why in the reader's language, and no post can make it say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mail_home import ANA, BEN, SETTINGS, START, MailHome
from msgspec.structs import replace

from config.disk import DiskFree
from config.home import low_disk
from database.engine import read
from nlp.severity import SHIPPED, Cue
from nlp.severity import terms as text_terms
from routing.mail.clean import for_body, for_header, for_link
from routing.mail.compose import MailRow, as_decided, compose, in_words_of
from routing.mail.letter import AlertLetter, Copies, Letter, ListLetter, Missing, NoticeLetter, PostSeen, Tally
from routing.mail.render import message, render
from routing.mail.words import keys_of, words
from routing.named import named
from routing.people_to_tell import MailSettings, Person, valid_address
from routing.planner import plan_pending
from routing.risk import History, added_terms
from routing.rules import RuleSet, default_rules
from stream.clock import HOUR
from stream.records import Author, Decision, Mention, Metrics, Post, Scores, Term, Understanding
from stream.status import StageState, StageStatus
from stream.watchdog import stuck

ID = "<alert.1.0123456789abcdef01234567@example.net>"


def seen(text: str | None = "no plane, no answer", **values: object) -> PostSeen:
    chosen: dict[str, object] = {
        "brand": "Acme Air",
        "network": "x",
        "queue": "pr",
        "intent": "complaint",
        "risk": 88,
        "text": text,
        "author": "Laura",
        "handle": "lauraflies",
        "followers": 12_400,
        "at": START,
        "link": "https://x.example/1",
        "explain": "clamor explain 'x:1#acme'",
    }
    return PostSeen(**(chosen | values))  # type: ignore[arg-type]


def alert_letter(post: PostSeen, **values: object) -> AlertLetter:
    chosen: dict[str, object] = {
        "post": post,
        "terms": (Term("severity", 36.0, "words about danger or injury"),),
        "rule": "severe",
        "rule_why": "the risk is high",
        "case_id": 7,
        "case_command": "clamor case show 7",
        "case_mentions": 3,
        "similar": (),
        "missing": (),
    }
    return AlertLetter(**(chosen | values))  # type: ignore[arg-type]


def list_letter(*worst: PostSeen, **values: object) -> ListLetter:
    chosen: dict[str, object] = {
        "kind": "summary",
        "brand": "Acme Air",
        "posts": 5_000,
        "cases": 4_800,
        "gone": 0,
        "since": START,
        "until": START + HOUR,
        "limit": 6,
        "tallies": (Tally("Acme Air", "pr", "severe", "the risk is high", "complaint", 5_000),),
        "other": 0,
        "worst": worst,
        "missing": (),
        "command": "clamor search 'alerted:yes'",
    }
    return ListLetter(**(chosen | values))  # type: ignore[arg-type]


def mail(letter: Letter, person: Person = BEN, with_settings: MailSettings = SETTINGS) -> EmailMessage:
    raw = message(letter, person, with_settings, ID, START, 7)
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def text_of(parsed: EmailMessage, kind: str = "plain") -> str:
    part = parsed.get_body((kind,))
    assert part is not None
    return str(part.get_content())


class Seen(HTMLParser):
    """What a mail program would make of the HTML: the tags, the addresses, the words."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.words += data


# --- no post can make it say anything else --------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from([
        "hello\r\nBcc: everybody@example.org\r\n\r\nnew body",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "{{ 7*7 }}{% for x in y %}${x}",
        "--=_alert.1--\r\n\r\nContent-Type: text/html\r\n\r\n<b>x</b>",
        "\u202egnp.exe\u202c \u2066 turned \u2069",
        "lone \ud800 surrogate \x00\x1b[31m bell\x07",
        "=?utf-8?B?SGVsbG8=?= encoded",
        ".\r\n.\r\nQUIT\r\n",
        "x" * 100_000,
        '" onclick="steal()" style="position:fixed',
        "\u2028\u2029\x85 line ends",
        "From nobody\nFrom nobody",
    ]),
)  # fmt: skip
OUR_TAGS = Seen(
    text_of(mail(alert_letter(seen(), missing=(Missing("s", 0, 1),), similar=(seen(None), seen(title="t")))), "html")
    + text_of(mail(list_letter(seen())), "html")
)


@settings(max_examples=60, deadline=None)
@given(text=HOSTILE, name=HOSTILE, handle=HOSTILE, title=HOSTILE, link=HOSTILE)
@example(text="a", name="\r\nBcc: x@example.org", handle="\n", title="", link="javascript:alert(1)")
def test_a_hostile_post_changes_no_header_and_adds_no_markup(
    text: str, name: str, handle: str, title: str, link: str
) -> None:
    post = seen(text, author=name, handle=handle, title=title, link=link)
    for letter in (alert_letter(post, similar=(post,)), list_letter(post)):
        parsed = mail(letter)
        headers = [header.lower() for header in parsed.keys()]  # noqa: SIM118
        assert len(headers) == len(set(headers))
        assert set(headers) <= {
            "from", "to", "reply-to", "subject", "date", "message-id", "references", "auto-submitted",
            "x-auto-response-suppress", "list-id", "mime-version", "content-type",
        }  # fmt: skip
        assert str(parsed["To"]) == "Ben Low <ben@example.org>"
        assert len(str(parsed["Subject"])) <= 150
        assert [part.get_content_type() for part in parsed.walk()] == [
            "multipart/alternative", "text/plain", "text/html",
        ]  # fmt: skip
        html = Seen(text_of(parsed, "html"))
        assert html.tags <= OUR_TAGS.tags | {"em"}
        assert html.attributes <= OUR_TAGS.attributes
        assert all(address.startswith(("https://", "http://")) for address in html.links)
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text_of(parsed).replace("\r", ""))


@settings(max_examples=60, deadline=None)
@given(text=HOSTILE, name=HOSTILE)
def test_a_mail_is_bounded_ascii_lines_that_every_server_takes(text: str, name: str) -> None:
    raw = message(alert_letter(seen(text, author=name), similar=(seen(text),) * 3), ANA, SETTINGS, ID, START)
    assert len(raw) < 60_000
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_in_the_plain_text_a_post_cannot_pass_for_what_clamor_says() -> None:
    text = text_of(mail(alert_letter(seen("angry\n\nWHY YOU GET THIS\nRule: none"))))
    assert "> WHY YOU GET THIS" in text
    assert text.count("\nWHY YOU GET THIS") == 1


@given(st.text(max_size=200))
def test_a_link_leads_to_the_web_or_nowhere(address: str) -> None:
    link = for_link(address)
    assert link == "" or re.match("https?://", link)
    assert link.isascii()


def test_links_of_other_kinds_are_left_out() -> None:
    for address in (
        "javascript:alert(1)",
        "data:text/html,x",
        "//x.example",
        "https://",
        "https://x y",
        "ftp://x",
        None,
    ):
        assert for_link(address) == ""
    assert for_link("https://x.example/ñ?a=1&b=2#c") == "https://x.example/%C3%B1?a=1&b=2#c"


def test_text_is_cut_where_it_is_too_long_and_says_so() -> None:
    assert for_body("x" * 5_000, 100) == "x" * 99 + "…"
    assert for_header("a\r\n\tb  c") == "a b c"


def test_addresses_that_could_end_a_header_are_none() -> None:
    assert valid_address("ana.ruiz+alerts@mail.example.org")
    for address in ("", "ana", "ana@", "@example.org", "a@b\r\nBcc: c@d", "a b@c.d", "a@b, c@d", "x" * 300 + "@a.b"):
        assert not valid_address(address), address


# --- what it says ---------------------------------------------------------------------------------------------------


def test_a_mail_says_what_happened_why_and_where_to_go_on() -> None:
    post = seen("they left us on the runway")
    parsed = mail(
        alert_letter(post, similar=(seen("nobody helped us"),), missing=(Missing("x-search", START, START + HOUR),))
    )
    assert str(parsed["Subject"]) == "Acme Air · PR · risk 88: complaint by Laura (@lauraflies) on X"
    for kind in ("plain", "html"):
        text = text_of(parsed, kind) if kind == "plain" else Seen(text_of(parsed, kind)).words
        for said in (
            "they left us on the runway", "Laura (@lauraflies)", "12,400 followers", "Words about danger or injury",
            "36 points", "nobody helped us", "x-search", "did not come in full", "severe", "The risk is high",
            "3 posts",
        ):  # fmt: skip
            assert said in text, (kind, said)
    assert set(Seen(text_of(parsed, "html")).links) == {"https://x.example/1"}, (
        "nothing but the post: no page shows more"
    )
    for said in (text_of(parsed), Seen(text_of(parsed, "html")).words):
        assert "On Clamor's machine: clamor explain 'x:1#acme'" in said
        assert "The case has 3 posts. On Clamor's machine: clamor case show 7" in said


def test_why_it_is_severe_begins_with_the_rule_and_goes_on_with_the_largest_terms() -> None:
    terms = (Term("reach", 14.0, "the author has 100,000 or more followers"), Term("legal", 6.2, "words about law"))
    reason = "somebody may be in danger"
    parsed = mail(alert_letter(seen(), terms=terms, rule="safety", rule_why=reason))
    for said in (text_of(parsed), Seen(text_of(parsed, "html")).words):
        section = re.split("why it is severe", said, flags=re.IGNORECASE)[1]
        places = [
            section.index(part)
            for part in ("Somebody may be in danger", "safety", "100,000 or more followers", "Words about law")
        ]
        assert places == sorted(places)
        assert section.count("omebody may be in danger") == 1
    assert "- 14 points: The author has 100,000 or more followers" in text_of(parsed)


def test_a_summary_says_the_reason_of_its_rows_and_names_the_rule_where_reasons_differ() -> None:
    tallies = (
        Tally("Acme Air", "pr", "safety", "somebody may be in danger", "complaint", 12),
        Tally("Old Bakery", "support", "high-risk", "", "other", 3),
    )
    lines = text_of(mail(list_letter(seen(), brand="", tallies=tallies))).splitlines()
    assert "- 12 · Complaint · Acme Air · PR · Somebody may be in danger" in lines
    assert "- 3 · Other · Old Bakery · Support · Rule: high-risk" in lines


def test_the_same_mail_in_spanish() -> None:
    parsed = mail(alert_letter(seen()), ANA)
    assert str(parsed["Subject"]) == "Acme Air · Comunicación · riesgo 88: queja, de Laura (@lauraflies) en X"
    text = text_of(parsed)
    assert "12.400 seguidores" in text
    assert "Palabras sobre peligro o heridos" in text
    assert 'lang="es"' in text_of(parsed, "html")


def test_the_headers_tell_programs_what_it_is() -> None:
    with_reply = MailSettings(from_address="clamor@example.net", reply_to="desk@example.net")
    parsed = mail(alert_letter(seen()), with_settings=with_reply)
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["List-Id"] == "Clamor <alerts.example.net>"
    assert parsed["Reply-To"] == "desk@example.net"
    assert parsed["Message-ID"] == ID
    assert parsed["References"] == "<case.7@example.net>"
    assert parsed["Date"].datetime.timestamp() * 1000 == START


def test_both_languages_say_the_same_things() -> None:
    english, spanish = keys_of("en"), keys_of("es")
    assert english["texts"].keys() == spanish["texts"].keys()
    for key, text in english["texts"].items():
        other = spanish["texts"][key]
        assert isinstance(text, str) == isinstance(other, str), key
        places = {re.findall(r"{\w+}", str(text)).__len__() > 0, re.findall(r"{\w+}", str(other)).__len__() > 0}
        assert len(places) == 1, key
        assert set(re.findall(r"{(\w+)}", str(text))) == set(re.findall(r"{(\w+)}", str(other))), key
    for kind in english["labels"]:
        assert english["labels"][kind].keys() == spanish["labels"][kind].keys(), kind


def test_every_risk_term_has_words_in_spanish() -> None:
    lexicon = yaml.safe_load(SHIPPED.read_text("utf-8"))
    cues = [Cue(name, held["points"], held["why"]) for name, held in lexicon.items()]
    found = list(added_terms(2_000_000, Metrics(likes=20_000), History(40.0, 9, "key")))
    found += added_terms(2_000, Metrics(likes=20), History(4.0, 2, "valued"))
    for level in range(1, 4):
        detractor = [0.0] * 4
        detractor[level] = 1.0
        found += text_terms(detractor, [0.5, 0.5, 0, 0, 0, 0, 0, 0], 1.0, cues)
    unknown = [term.why for term in found if not words("es").knows(term.why)]
    assert not unknown


def test_every_shipped_rule_has_its_reason_in_spanish() -> None:
    rules = RuleSet.read(default_rules()).rules
    assert not [rule.name for rule in rules if rule.why.get("es", rule.why["en"]) == rule.why["en"]]


def test_every_trouble_of_clamor_has_words_in_spanish(tmp_path: Path) -> None:
    pauses, stops = (low_disk(tmp_path, DiskFree(free, 1_000_000_000_000)) for free in (82_000_000_000, 4_000_000_000))
    states: tuple[tuple[StageState, int], ...] = (
        ("paused", HOUR), ("working", 0), ("retrying", HOUR), ("waiting", HOUR), ("working", HOUR),
    )  # fmt: skip
    statuses = [
        StageStatus(
            stage=f"s{n}", topic="posts", group="nlp", pid=n, started="", state=state, at=at, since=0, progress_at=0,
            lag=1_500, error="disk full",
        )
        for n, (state, at) in enumerate(states)
    ]  # fmt: skip
    troubles = [f"stage {one.stage} makes no progress: {one.why}" for one in stuck(statuses, HOUR)]
    assert len(troubles) == 5
    for said in (pauses, stops, *troubles):
        told = words("es").phrase(said)
        assert not re.search(r"\b(the|it|stage|free|records|nobody)\b", told), told
    assert "8,2 %" in words("es").phrase(pauses)
    assert "1500 registros" in words("es").phrase(troubles[-1])


# --- what it is made from -------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path, [ANA, BEN])
    yield made
    made.close()


def composed(home: MailHome, n: int, person: Person = BEN) -> AlertLetter:
    """The letter about a mention, as the mailer composes it."""
    home.alert(n)
    plan_pending(home.engine, [person], home.settings, home.clock.now(), lambda connection: None)
    with read(home.engine) as connection:
        number = named(connection, "SELECT max(id) AS id FROM mail")[0].id
        row = MailRow(number, "alert", "acme", "pr", START, START)
        found = compose(connection, row, person, home.settings, as_decided, home.clock.now())
    assert isinstance(found.letter, AlertLetter)
    return found.letter


def test_similar_posts_are_near_copies_first_then_the_same_intent_and_live_ones_only(home: MailHome) -> None:
    home.mention("another intent", intent="praise", cluster=1)
    home.mention("near copy, older than the last thousands", intent="other", cluster=2)
    home.mention("same intent, older", cluster=1)
    home.mention("same intent", cluster=1)
    home.mention("of another brand", brand="bakery", cluster=2)
    home.mention("near copy", intent="other", cluster=2)
    home.delete(home.mention("near copy, deleted", cluster=2))
    subject = home.mention("the post", cluster=2)
    letter = composed(home, subject)
    assert [post.text for post in letter.similar] == [
        "near copy",
        "near copy, older than the last thousands",
        "same intent",
    ]


def test_a_mail_says_that_its_post_is_one_of_many_near_copies(home: MailHome) -> None:
    subjects = [home.mention(f"copy {n}", cluster=2) for n in range(37)]
    letter = composed(home, subjects[-1])
    assert letter.copies == Copies(37, 5, "minutes", 1)
    english = render(letter, words("en"))
    spanish = render(letter, words("es"))
    for text in (english.text, english.html):
        assert "It is one of 37 near copies by 5 authors within 1 minute." in text
    for text in (spanish.text, spanish.html):
        assert "Es una de 37 publicaciones casi iguales de 5 autores en 1 minuto." in text
    one = Copies(3, 1, "hours", 2)
    assert "by one author within 2 hours" in render(replace(letter, copies=one), words("en")).text
    lone = composed(home, home.mention("said by one alone", cluster=3))
    assert lone.copies is None
    assert "near copies" not in render(lone, words("en")).text


def test_the_text_of_a_private_source_goes_only_to_those_who_may_read_it(home: MailHome) -> None:
    home.mention("told in private", access="club")
    subject = home.mention("also private", access="club")
    for person, texts in ((BEN, []), (_cleared(), ["told in private"])):
        letter = composed(home, subject, person)
        assert (letter.post.text is None) == (not texts)
        assert [post.text for post in letter.similar] == texts
    raw = message(composed(home, subject), BEN, SETTINGS, ID, START)
    assert b"also private" not in raw
    assert b"Flyer" not in raw


def _cleared() -> Person:
    return Person(id="cle", name="Cle", email="cle@example.org", access=frozenset({"public", "club"}))


def test_incomplete_data_is_named_where_it_concerns_the_brand(home: MailHome) -> None:
    home.gap("acme-search", START - 2 * HOUR, START - HOUR, brands="|acme|")
    home.gap("bakery-search", START - 2 * HOUR, START - HOUR, brands="|bakery|")
    home.gap("old", START - 60 * HOUR, START - 50 * HOUR)
    home.gap("whole", START - 2 * HOUR, START - HOUR, state="complete")
    assert [span.source for span in composed(home, home.mention()).missing] == ["acme-search"]


def test_the_reason_is_the_rules_own_sentence_in_the_readers_language() -> None:
    rules, names = RuleSet.read(default_rules(), 3), {"acme": "Acme Air"}
    mention = Mention(
        id="x:1#acme", revision=1, post_id="x:1", brand="acme", network="x", event_time=START,
        post=Post(id="x:1", network="x", text="t", author=Author(id="a"), seen_at=START, event_time=START),
        understanding=Understanding(
            brand="acme", speaker="press", sentiment=Scores("neutral", (0.0, 1.0, 0.0)),
            intent=Scores("other", (1.0,)), detractor=Scores("0", (1.0, 0.0, 0.0, 0.0)),
        ),
        decision=Decision(
            queue="pr", rule="press-in-passing", rules_revision=3, why="a journalist or an outlet writes about acme"
        ),
    )  # fmt: skip
    told = "un periodista o un medio escribe sobre Acme Air"
    assert in_words_of(lambda: rules, names)(mention, "es") == told
    later = RuleSet.read(default_rules(), 4)
    assert in_words_of(lambda: later, names)(mention, "es") == told
    reworded = RuleSet.read(default_rules().replace("outlet writes about", "outlet talks of"), 4)
    assert in_words_of(lambda: reworded, names)(mention, "es") == "a journalist or an outlet writes about acme"


def test_what_a_reason_holds_is_in_the_readers_language() -> None:
    written = (
        "rules:\n- name: asks\n  when: '*'\n  queue: pr\n  why:\n    en: '{intent}, {reputation}, {followers}'\n"
        "    es: '{intent}, {reputation}, {followers}'\n"
    )
    mention = Mention(
        id="x:1#acme", revision=1, post_id="x:1", brand="acme", network="x", event_time=START,
        post=Post(
            id="x:1", network="x", text="t", author=Author(id="a", followers=12_400), seen_at=START, event_time=START
        ),
        understanding=Understanding(
            brand="acme", sentiment=Scores("neutral", (0.0, 1.0, 0.0)), reputation=Scores("negative", (1.0, 0.0, 0.0)),
            intent=Scores("help_request", (1.0,)), detractor=Scores("0", (1.0, 0.0, 0.0, 0.0)),
        ),
        decision=Decision(queue="pr", rule="asks", rules_revision=1, why="help request, negative, 12,400"),
    )  # fmt: skip
    reason = in_words_of(lambda: RuleSet.read(written, 1), {})
    assert reason(mention, "es") == "pide ayuda, negativa, 12.400"
    assert reason(mention, "en") == "asks for help, negative, 12,400"


def test_notices_say_what_is_wrong_in_both_languages() -> None:
    for kind in ("operations", "chain_test"):
        about = "disk" if kind == "operations" else kind
        letter = NoticeLetter(
            kind=kind, about=about, brand="Acme Air", queue="pr", why="9 % is free", at=START, command="clamor status"
        )
        for person in (ANA, BEN):
            assert "9 % is free" in text_of(mail(letter, person))
