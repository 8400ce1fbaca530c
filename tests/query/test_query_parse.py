"""Every text is a query or an error that points at the place; what is read can be written down and read again."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.parse import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, QueryError, parse, unparse
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from tests.strategies import nodes

NOW = 1_790_000_000_000
DAY = 86_400_000


def millis(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000


def read(text: str, context: str = "search") -> Node:
    return parse(text, now=NOW, context=context)


def refused(text: str, context: str = "search") -> QueryError:
    with pytest.raises(QueryError) as found:
        read(text, context)
    return found.value


ACME, SPANISH, A, B, C = Equals("brand", "acme"), Equals("lang", "es"), Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", All()),
        ("  * ", All()),
        ("Vuelos", Word("vuelos")),
        ("wi-fi", Phrase(("wi", "fi"))),
        ('"No me dejan"', Phrase(("no", "me", "dejan"))),
        ('"vuelos"', Phrase(("vuelos",))),
        ("“hola mundo” «vale»", And((Phrase(("hola", "mundo")), Phrase(("vale",))))),
        (r'"a \"b\" c"', Phrase(("a", "b", "c"))),
        ("reclam*", Prefix("reclam")),
        ("a NEAR/3 b", Near("a", "b", 3)),
        ("#Acme", Equals("hashtag", "acme")),
        ("@Acme", Equals("addressed", "acme")),
        ("#acm*", StartsWith("hashtag", "acm")),
        ("https://www.acme.example/a", Word("acme.example")),
        ("😡", Word("😡")),
        ("a b c", And((A, B, C))),
        ("a AND b", And((A, B))),
        ("a b OR c", Or((And((A, B)), C))),
        ("a (b OR c)", And((A, Or((B, C))))),
        ("NOT a b", And((Not(A), B))),
        ("-a OR b", Or((Not(A), B))),
        ("-(a b)", Not(And((A, B)))),
        ("NOT a NEAR/1 b", Not(Near("a", "b", 1))),
        ("and or not near", And((Word("and"), Word("or"), Word("not"), Word("near")))),
        ("ANDALUCIA ORAL NOTE", And((Word("andalucia"), Word("oral"), Word("note")))),
        ("brand:Ácme", ACME),
        ("marca: acme", ACME),
        ('tag:"two words"', Equals("tag", "two words")),
        ("tag:le*", StartsWith("tag", "le")),
        ('tag:"two w"*', StartsWith("tag", "two w")),
        ("tag:*", Has("tag")),
        ("brand:(acme OR nimbus)", Or((ACME, Equals("brand", "nimbus")))),
        ("lang:(es OR NOT pt)", Or((SPANISH, Not(Equals("lang", "pt"))))),
        ("tag:(vip legal)", And((Equals("tag", "vip"), Equals("tag", "legal")))),
        ("lang:spanish", SPANISH),
        ("sentiment:negativo", Equals("sentiment", "negative")),
        ("author:@Ana_Viaja", Equals("author", "ana_viaja")),
        ('id:"x:1"', Equals("id", "x:1")),
        ("id:x:1", Equals("id", "x:1")),
        ("risk:70", Equals("risk", 70.0)),
        ("risk:>=70", Between("risk", 70.0, None)),
        ("risk:>= 70", Between("risk", 70.0, None)),
        ("risk:<70", Between("risk", None, 70.0, with_high=False)),
        ("risk:10..20", Between("risk", 10.0, 20.0)),
        ("risk:>10..<20", Between("risk", 10.0, 20.0, False, False)),
        ("risk:..20", Between("risk", None, 20.0)),
        ("followers:>10k", Between("followers", 10_000.0, None, with_low=False)),
        ("views:1.5M..", Between("views", 1_500_000.0, None)),
        ("likes:(0 OR >5)", Or((Equals("likes", 0.0), Between("likes", 5.0, None, with_low=False)))),
        ("verified:sí", Equals("verified", True)),
        ("verified:no", Equals("verified", False)),
        ("is:verified", Equals("verified", True)),
        ("is:reply", Has("reply_to")),
        ("has:enlace", Has("link")),
        ("10:30", Phrase(("10", "30"))),
    ],
)
def test_what_is_typed_is_read(text: str, node: Node) -> None:
    assert read(text) == node
    assert read(unparse(node)) == node


@pytest.mark.parametrize(
    ("text", "low", "high", "with_low", "with_high"),
    [
        ("created:2026-03-01", "2026-03-01", "2026-03-02", True, False),
        ("created:2026-12", "2026-12-01", "2027-01-01", True, False),
        ("created:2026", "2026-01-01", "2027-01-01", True, False),
        ("created:2026-03-01T10:30", "2026-03-01T10:30", "2026-03-01T10:31", True, False),
        ('created:"2026-03-01 10:30"', "2026-03-01T10:30", "2026-03-01T10:31", True, False),
        ("created:2026-03-01T10:30:05+02:00", "2026-03-01T08:30:05", "2026-03-01T08:30:06", True, False),
        ("created:2026-03-01T10:30:05.25Z", "2026-03-01T10:30:05.25", "2026-03-01T10:30:05.25", True, True),
        ("created:2026-03-01..2026-03-07", "2026-03-01", "2026-03-08", True, False),
        ("created:>2026-03-01", "2026-03-02", None, True, True),
        ("created:>=2026-03-01", "2026-03-01", None, True, True),
        ("created:<2026-03-01", None, "2026-03-01", True, False),
        ("created:<=2026-03-01", None, "2026-03-02", True, False),
        ("since:2026-03-01", "2026-03-01", None, True, True),
        ("until:2026-03-01", None, "2026-03-02", True, False),
        ("hasta:2026-03-01T12:00-05:00", None, "2026-03-01T17:01", True, False),
    ],
)
def test_a_date_is_a_span(text: str, low: str | None, high: str | None, with_low: bool, with_high: bool) -> None:
    bounds = [None if bound is None else millis(bound) for bound in (low, high)]
    assert read(text) == Between("created", bounds[0], bounds[1], with_low, with_high)
    assert read(unparse(read(text))) == read(text)


def test_how_long_ago_counts_from_now() -> None:
    assert read("since:-7d") == Between("created", float(NOW - 7 * DAY), None)
    assert read("until:-30m") == Between("created", None, float(NOW - 1_800_000))
    assert read("created:-2w..-12h") == Between("created", float(NOW - 14 * DAY), float(NOW - DAY // 2))
    midnight = NOW - NOW % DAY
    assert read("created:yesterday") == Between("created", float(midnight - DAY), float(midnight), True, False)


@pytest.mark.parametrize(
    ("text", "piece", "says", "helps"),
    [
        ("bran:acme", "bran:", "no field", "Did you mean brand"),
        ("nota: hola", "nota:", "no field", '"nota: …"'),
        ("intent:churn", "churn", "never", "churn_threat"),
        ("queue:suport", "suport", "never", "Did you mean support?"),
        ("lang:spanis", "spanis", "language", "Did you mean spanish"),
        ("country:spain", "spain", "country", "country:es"),
        ("verified:maybe", "maybe", "yes or no", "verified:yes"),
        ("risk:high", "high", "number", "risk:>=70"),
        ("risk:>170", ">170", "from 0 to 100", "risk:>=70"),
        ("risk:20..10", "20..10", "empty", "10..20"),
        ("risk:..", "..", "bound", "risk:>=70"),
        ("created:2026-03-02..2026-03-01", "2026-03-02..2026-03-01", "empty", "2026-03-01..2026-03-02"),
        ("since:7d", "7d", "no time", "Did you mean -7d?"),
        ("since:2026-02-30", "2026-02-30", "no time", "2026-03-01"),
        ("since:>2026-01-01", ">2026-01-01", "not one moment", "2026-03-01"),
        ("brand:>3", ">3", "word", "brand:acme"),
        ("brand:", "brand:", "needs a value", "brand:value"),
        ('brand:""', '""', "needs a value", "brand:acme"),
        ("has:lnk", "lnk", "no field", "Did you mean link"),
        ("is:verfied", "verfied", "takes no", "Did you mean verified?"),
        ('"no me', '"no me', "not closed", 'End it with "'),
        ("(a OR b", "(", "not closed", "Close it"),
        ("a OR b)", ")", "closes nothing", "Take it out"),
        ("a ()", "()", "nothing in these", "Put words"),
        ("AND a", "AND", "nothing on its left", "a AND b"),
        ("a OR", "OR", "nothing on its right", "a OR b"),
        ("a AND OR b", "OR", "AND has nothing on its right", "a AND b"),
        ("a NEAR b", "NEAR", "how far", "NEAR/5"),
        ("a NEAR/3", "NEAR/3", "nothing on its right", "NEAR/5"),
        ("a NEAR/3 b NEAR/3 c", "NEAR/3", "two single words", "AND"),
        ("a NEAR/3 wi-fi", "wi-fi", "two single words", '"wi fi"'),
        ("a NEAR/999 b", "NEAR/999", "50", "NEAR/50"),
        ("a NEAR/3 A", "A", "different words", '"a a"'),
        ("a - b", "-", "must touch", "-word"),
        ("…", "…", "no word", "Write a word"),
        ("r*", "r*", "2 characters", "ra*"),
        ("re*mar", "re*mar", "ends one word", "reclam*"),
        ('"a b"*', "*", "takes no *", "reclam*"),
        ("tag:r*", "r*", "2 characters", "tag:be*"),
        ("text:refund", "text:", 'no field "text"', "Words of a post need no field: write them as they stand"),
        ("Texto:(a OR b)", "Texto:", 'no field "texto"', "Words of a post need no field"),
        ("brand:acme order:risk", "order:", 'no field "order"', "--order risk"),
        ("limit:50", "limit:", 'no field "limit"', "-n 50"),
    ],
)
def test_an_error_points_at_the_place_and_says_what_would_work(text: str, piece: str, says: str, helps: str) -> None:
    error = refused(text)
    assert error.piece == piece
    assert text[error.start : error.end] == piece
    assert says in error.message
    assert helps in error.hint


def test_an_error_is_shown_with_a_caret() -> None:
    assert refused("brand:acme intnt:praise").render() == (
        'There is no field "intnt".\n'
        "  brand:acme intnt:praise\n"
        "             ^^^^^^\n"
        'Did you mean intent? To look for the words, quote them: "intnt: …"'
    )


def test_the_caret_stands_below_the_place_on_a_terminal() -> None:
    assert refused("😡 bran:acme").render().splitlines()[1:3] == ["  😡 bran:acme", "     ^^^^^"]


def test_a_long_query_is_shown_around_the_place() -> None:
    lines = refused("word " * 100 + "bran:acme " + "word " * 100).render().splitlines()
    shown, caret = lines[1], lines[2]
    assert len(shown) < 90
    assert shown[caret.index("^") :].startswith("bran:")


@pytest.mark.parametrize("field", ["queue:pr", "has:case", "rule:default", "tag:vip", "priority:high", "is:alerted"])
def test_a_rule_may_not_ask_for_what_rules_decide(field: str) -> None:
    assert "may not be used in a rule" in refused(field, "rule").message
    assert read(field) is not None


@pytest.mark.parametrize("context", ["rule", "watch"])
def test_what_is_asked_again_and_again_may_not_count_from_now(context: str) -> None:
    for text in ("since:-7d", "created:today", "until:now"):
        assert "from now" in refused(text, context).message
    assert read("since:2026-03-01", context) == read("since:2026-03-01")


def test_a_watch_may_ask_for_queues_but_not_for_cases() -> None:
    assert read("queue:pr", "watch") == Equals("queue", "pr")
    assert refused("has:case", "watch").piece == "case"


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_LENGTH + 1),
        "a " * (MAX_TERMS + 1),
        "NOT " * (MAX_DEPTH + 1) + "a",
        "(a (b OR " * (MAX_DEPTH + 1) + "c" + "))" * (MAX_DEPTH + 1),
        '"' + "a " * 31 + '"',
        "tag:" + "a" * 301,
    ],
)
def test_bounds(text: str) -> None:
    refused(text)


REPEATED = (
    *(
        "(",
        "NOT ",
        "-(",
        '"',
        "a ",
        "(a OR ",
        "a NEAR/3 ",
        "((((a",
        " ",
        "a:",
        ">",
        "brand:(",
        "“",
        "2026-03-01..",
        "\\",
    ),
    *('"\\', "NOT NOT ", "brand:(a OR ", "*", "a*", "-", "'", "@", "#", "https://", "OR ", ")", "\x00", "\ud800"),
)


@pytest.mark.parametrize("piece", REPEATED)
def test_the_longest_repetitions_of_anything_end(piece: str) -> None:
    with contextlib.suppress(QueryError):
        read((piece * MAX_LENGTH)[:MAX_LENGTH])


def test_no_context_of_that_name() -> None:
    with pytest.raises(ValueError, match="rule, watch, search, export"):
        parse("a", now=NOW, context="rules")


PIECES = (
    *(
        "a",
        'b"',
        '"',
        "(",
        ")",
        " ",
        "  ",
        "AND",
        "OR",
        "NOT",
        "NEAR/3",
        "NEAR",
        "-",
        "*",
        ":",
        "#",
        "@",
        "“",
        "”",
        "\\",
        "'",
    ),
    *(
        "brand:",
        "risk:",
        "created:",
        "since:",
        "has:",
        "is:",
        "verified:",
        "lang:",
        "tag:",
        "..",
        ">",
        ">=",
        "10",
        "2026-03",
    ),
    *("-7d", "yes", "es", "😡", "http://", "x.y", "\n", "\x00", "\ud800", "ñ", "AND(", "٣", "½", "９"),
)


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=20).map("".join),
    st.sampled_from(("rule", "watch", "search", "export")),
)
def test_every_text_is_a_query_or_an_error(text: str, context: str) -> None:
    node, error = either(text, context)
    if error is not None:
        assert 0 <= error.start <= error.end <= len(text)
        assert error.message in error.render()
    else:
        assert node is not None
        assert parse(unparse(node), now=0) == node


def either(text: str, context: str) -> tuple[Node | None, QueryError | None]:
    try:
        return read(text, context), None
    except QueryError as error:
        return None, error


@settings(max_examples=300)
@given(nodes(leaves=12))
def test_every_tree_can_be_written_down_and_read_again(node: Node) -> None:
    assert parse(unparse(node), now=0) == node
