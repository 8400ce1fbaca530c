"""Of HTML of any quality, a reader's words remain."""

from __future__ import annotations

import pytest

from ingest.markup import words_of


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("plain", "plain"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("a &amp; b &lt;c&gt; &eacute; &#128578;", "a & b <c> é 🙂"),
        ("<script>alert('x')</script>seen<style>p{}</style>", "seen"),
        ("<svg><text>drawn</text></svg>seen", "seen"),
        ("<p>never closed <b>at all", "never closed at all"),
        ("</p></p>stray", "stray"),
        ("1 < 2 and 3 > 2, <3", "1 < 2 and 3 > 2, <3"),
        ("<a href='https://example.org'>a  link</a>\n\n\n more", "a link\nmore"),
        ("<!-- hidden -->shown<![CDATA[kept]]>", "shown"),
        ("one <![foo[x]]>two<![ x>three<?php ?>", "one twothree"),
        ("one<!-->two<!-- never closed", "onetwo"),
        ("""one <a title="a > b" href='c>d' e=f>two</a >""", "one two"),
        ("<script>if (a < b) { '<p>' }</SCRIPT >seen", "seen"),
        ("<p title='never closed>one <b", "one <b"),
        ("<ul><li>one</li><li>two<ul><li>deep<li>deeper</ul><li>three</ul>", "one\ntwo\ndeep\ndeeper\nthree"),
        ("<blockquote>they<blockquote>we</blockquote></blockquote>I", "they\nwe\nI"),
        ("<svg><svg>in</svg>still in</svg>out", "out"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "ab\nc"),
        ("&nbsp;a&nbsp;b&shy;c&notanentity; &lt;b&gt; &amp;amp; &#x1F642; &copy", "a b\xadc¬anentity; <b> &amp; 🙂 ©"),
        ("no sign: &#1114112; &amp; &#" + "9" * 5_000 + ";", "no sign: � & �"),
    ],
)
def test_what_a_reader_sees(markup: str, words: str) -> None:
    assert words_of(markup) == words


def test_it_is_bounded() -> None:
    assert len(words_of("<p>word</p>" * 1_000_000, 500)) == 500
    assert words_of("<div>" * 50_000 + "deep") == "deep"


@pytest.mark.parametrize(
    "again",
    [
        *(
            "<!--",
            "<a",
            "<a '",
            "<a=",
            "<a ='",
            "<a =\"' ",
            "<![CDATA[",
            "<script>",
            "<script></script ",
            "</",
            "<!",
            "<",
        ),
        *("<div>", "<b><i></b>", "<ul><li>x", "<p><table>", "<svg>", "<a href=x>", "&", "&#", "<br>"),
    ],
)
def test_what_is_made_to_take_long_does_not(again: str) -> None:
    """The standard library's parser takes minutes for some of these, and those that build a tree for others."""
    words_of(again * (400_000 // len(again)))
