"""What a reader sees of a piece of HTML: its words, with line breaks where blocks end.

Anybody may have written it. It is taken apart as browsers do (html.spec.whatwg.org, 13.2.5), in time that grows with
its length alone and without an error; the standard library's parser has errors, and hours for 100 kB, on what is made
for that.

No library does that: those that build a tree, as browsers do as well, take a time that grows with the square of its
depth, inside of C or Rust code that stops every other thread. Of `<div>` again and again, 1 MB takes 0.6 s here;
selectolax (1.0, lexbor) takes 1 s for 100 kB and was ended after 20 s with 300 kB, nh3 (0.3) after 15 s with 300 kB;
lxml (6.1) drops what lies deeper than 254 elements. What that costs: a post of 318 characters takes 47 µs here, and
28 µs by the same rules with selectolax.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ingest.intake import MAX_TEXT

MOST_MARKUP = 1_000_000
"""Characters of HTML that are read; what comes behind is left out."""
MOST_ATTRIBUTES = 10_000
"""Characters of a tag's attributes that are read."""

_UNSEEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "math", "iframe", "object", "select"})
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr"}
    | {"section", "article", "header", "footer", "figure", "figcaption", "dl", "dt", "dd"}
)
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n\s*")


# No quantifier gives back what it took: what does not fit is known at the first reading.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s=/>"']++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?+""")
_NO_SIGN = re.compile(r"&#[0-9]{20,}+;?")
"""A number that is no sign's, and may be too long to be read."""
_LIKE_A_TAG = re.compile(r"</?[a-zA-Z]")
_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}
"""Within these a tag is none, up to their end."""


class Piece(NamedTuple):
    """`start`, `end`: of the element `said`, in small letters; `text`: what is read."""

    kind: Literal["text", "start", "end"]
    said: str
    attributes: str = ""
    closed: bool = False
    """A start that is its own end (`<br/>`)."""

    def attribute(self, name: str) -> str:
        """Its value as it is read; empty where there is none."""
        for match in _ATTRIBUTE.finditer(self.attributes[:MOST_ATTRIBUTES]):
            if match[1].lower() == name:
                return _read(match[2] or match[3] or match[4] or "")
        return ""


def pieces(markup: str) -> Iterator[Piece]:
    """Text and tags in their order, of the first `MOST_MARKUP` characters; comments and declarations are left out. A
    tag that never ends is text."""
    markup, at = markup[:MOST_MARKUP], 0
    while (begins := markup.find("<", at)) >= 0:
        if begins > at:
            yield Piece("text", _read(markup[at:begins]))
        tag = _TAG.match(markup, begins)
        if tag is not None:
            name, at = tag[2].lower(), tag.end()
            yield Piece("end" if tag[1] else "start", name, tag[3], tag[3].endswith("/"))
            if name in _RAW and not tag[1]:
                end = _RAW[name].search(markup, at)
                at = end.start() if end is not None else len(markup)
        elif markup.startswith(("<!", "<?", "</"), begins) and not _LIKE_A_TAG.match(markup, begins):
            at = _behind(markup, begins)
        elif _LIKE_A_TAG.match(markup, begins):
            at = begins
            break
        else:
            yield Piece("text", "<")
            at = begins + 1
    if at < len(markup):
        yield Piece("text", _read(markup[at:]))


def words_of(markup: str, most: int = MAX_TEXT) -> str:
    """The text of HTML that may be of any quality, at most `most` characters."""
    parts: list[str] = []
    unseen, depth = "", 0
    for kind, said, _, closed in pieces(markup):
        if kind == "text":
            parts += [] if unseen else [said]
        elif unseen:
            depth += (said == unseen and not closed) * (1 if kind == "start" else -1)
            unseen = unseen if depth else ""
        elif kind == "start" and said in _UNSEEN and not closed:
            unseen, depth = said, 1
        elif said in _BLOCKS:
            parts.append("\n")
    text = _SPACES.sub(" ", "".join(parts))
    return _LINES.sub("\n", text).strip()[:most]


def _behind(markup: str, begins: int) -> int:
    """Where a comment or declaration is over; at the end of all where nothing ends it."""
    for opening, closing in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<", ">")):
        if markup.startswith(opening, begins):
            # A comment may be as short as `<!-->`.
            end = markup.find(closing, begins + 2)
            return len(markup) if end < 0 else end + len(closing)
    return len(markup)


def _read(text: str) -> str:
    """With its signs written out (`&amp;`)."""
    return html.unescape(_NO_SIGN.sub("\ufffd", text))
