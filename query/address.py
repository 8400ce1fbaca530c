"""Addresses of the web as the same thing: without what tells only how somebody came there, one host for a site's many.

A brand's name or alias that is an address with a path is found where a post links to that very address: see
`prefilter` and `nlp.brands`. One without a path is a domain, and any link to it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from query.text import ADDRESS, Analysis, analyse

LONGEST = 2_000
_BEGINS = re.compile(r"(?:https?://|www\.)", re.IGNORECASE)
_AFTER = ".,;:!?'\"’”»…)]}>"
"""What stands behind an address in a sentence."""
_TRACKING = re.compile(
    r"(?:utm_\w+|at_\w+|pk_\w+|mc_[ce]id|_hs(?:enc|mi)|fbclid|gclid|gbraid|wbraid|dclid|msclkid|yclid|twclid|ttclid|igsh(?:id)?|"
    r"ref_(?:src|url)|spm|cmpid|wt_mc|ns_\w+|smid)\Z",
    re.IGNORECASE,
)
_OF_SITE = {"youtube.com": frozenset({"si", "feature", "t", "pp", "list", "index"}), "x.com": frozenset({"s", "t"})}
"""Parameters that say nothing of which thing is shown, by site."""
_SAME = {
    "youtu.be": "youtube.com",
    "m.youtube.com": "youtube.com",
    "music.youtube.com": "youtube.com",
    "twitter.com": "x.com",
    "mobile.twitter.com": "x.com",
    "mobile.x.com": "x.com",
    "old.reddit.com": "reddit.com",
    "new.reddit.com": "reddit.com",
    "np.reddit.com": "reddit.com",
    "m.reddit.com": "reddit.com",
    "redd.it": "reddit.com",
}
_VIDEO = re.compile(r"/(?:shorts|live|embed|v)/([\w-]{11})/?\Z")
_STATUS = re.compile(r"/[^/]+/status(?:es)?/(\d+)(?:/.*)?\Z")
_COMMENTS = re.compile(r"/(?:r/[^/]+/)?comments/(\w+)(?:/[^/]*/?)?\Z")


def normal(address: str) -> str:
    """`example.org/story?page=2`: by which two addresses are compared. Empty where it is none."""
    text = address.strip().rstrip(_AFTER)
    if len(text) > LONGEST or not _BEGINS.match(text):
        return ""
    try:
        parts = urlsplit(text if "://" in text[:8] else f"https://{text}")
        port = parts.port
    except ValueError:
        return ""
    written = _host(text)
    if not written:
        return ""
    host = _SAME.get(written, written)
    path = quote(unquote(parts.path, errors="replace"), safe="/@:!$&'()*+,;=~-._").rstrip("/")
    asked = [
        (key, value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True, max_num_fields=None)
        if not _TRACKING.match(key) and key not in _OF_SITE.get(host, ())
    ]
    path, asked = _canonical(written, host, path, asked)
    query = f"?{urlencode(sorted(asked))}" if asked else ""
    return f"{host}{f':{port}' if port not in (None, 80, 443) else ''}{path}{query}"


def whole(name: str) -> str:
    """The normal form of a name that is an address with a path or a query; empty for any other name."""
    form = normal(name)
    return form if "/" in form or "?" in form else ""


def hosts(form: str) -> frozenset[str]:
    """The domains, as tokens, under which an address of this normal form may be written."""
    host = re.split(r"[/?:]", form, maxsplit=1)[0]
    return frozenset({host, *(other for other, one in _SAME.items() if one == host)})


def linked(analysis: Analysis) -> Iterator[tuple[str, tuple[int, int]]]:
    """The normal form of each address in a text, and its place in characters."""
    for mark, (start, end) in zip(analysis.marks, analysis.spans, strict=True):
        if mark == ADDRESS and (form := normal(analysis.text[start:end])):
            yield form, (start, end)


def _host(text: str) -> str:
    """As the analyser reads it, so that a token says whether a look is worth it."""
    found = analyse(text)
    return found.surfaces[0] if found.marks[:1] == (ADDRESS,) else ""


def _canonical(written: str, host: str, path: str, asked: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Path and query of what sites show under several addresses."""
    if host == "youtube.com":
        short = path[1:] if written == "youtu.be" else ""
        found = _VIDEO.match(path)
        if short or found:
            return "/watch", [("v", short or (found[1] if found else ""))]
    if host == "x.com" and (found := _STATUS.match(path)):
        return f"/i/status/{found[1]}", []
    if host == "reddit.com":
        if written == "redd.it" and path.count("/") == 1:
            return f"/comments{path}", []
        if found := _COMMENTS.match(path):
            return f"/comments/{found[1]}", []
    return path, asked
