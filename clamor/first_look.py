"""What `clamor try` listens to: a configuration of one brand, from nothing but its name."""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import quote, urlsplit

Language = Literal["en", "es"]

SEARCHES: tuple[tuple[str, str, str], ...] = (
    ("news", "news", "https://news.google.com/rss/search?q={phrase}&hl={lang}&gl={country}&ceid={country}:{lang}"),
    ("news", "news", "https://www.bing.com/news/search?q={phrase}&format=rss&setlang={lang}"),
    ("reddit-search", "reddit", "https://www.reddit.com/search.rss?q={phrase}&sort=new"),
    ("mastodon-tag", "mastodon", "https://mastodon.social/tags/{tag}.rss"),
)
"""(source, network, address) of public searches that answer as feeds and want no account."""
COUNTRIES: dict[Language, str] = {"en": "US", "es": "ES"}
LONGEST_NAME = 100


class Named(NamedTuple):
    """The names that follow from a name."""

    id: str
    name: str
    aliases: tuple[str, ...]
    tag: str
    """Without `#`; empty where the name has no letter or digit."""


class Asked(NamedTuple):
    """What was asked for on the command line."""

    named: Named
    languages: tuple[Language, ...]
    feeds: tuple[str, ...] = ()
    """Addresses, in which `{phrase}` and `{tag}` stand for the name."""
    searches: bool = True
    jetstream: tuple[str, ...] = ()
    """Empty: the instances that a source of kind bluesky asks."""
    appview: str = ""


class Listened(NamedTuple):
    """A source of feeds."""

    id: str
    network: str
    urls: tuple[str, ...]
    private: bool = False


def named(name: str, also: Sequence[str] = ()) -> Named:
    """Raises ValueError, in words, for what can be no brand's name."""
    words = " ".join(name.split())
    joined = "".join(c for c in words if c.isalnum())
    if not joined:
        raise ValueError("a brand's name needs a letter or a digit")
    if len(words) > LONGEST_NAME:
        raise ValueError(f"a brand's name has {LONGEST_NAME} characters at most")
    others = [" ".join(one.split()) for one in also]
    aliases = dict.fromkeys(one for one in (*others, joined) if one and one != words)
    return Named(_id(words), words, tuple(aliases), joined.casefold())


def listened(asked: Asked) -> tuple[Listened, ...]:
    """The feeds to ask, those that the person named first."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    for template in asked.feeds:
        url = _filled(template, asked.named, asked.languages[0])
        private = _is_private(url)
        found.setdefault(("own-feeds" if private else "feeds", "feeds", private), []).append(url)
    for id, network, template in SEARCHES if asked.searches else ():
        for language in asked.languages:
            urls = found.setdefault((id, network, False), [])
            url = _filled(template, asked.named, language)
            if url not in urls:
                urls.append(url)
    return tuple(Listened(id, network, tuple(urls), private) for (id, network, private), urls in found.items())


def configuration(asked: Asked, day: str) -> str:
    """A clamor.yaml, with a word on each thing that the person may want to change next."""
    own = asked.named
    lines = [
        f"# Written by clamor try on {day}. docs/configuration.md explains each setting.",
        "",
        "brands:",
        f"  - id: {own.id}                      # stands in queries: never change it",
        f"    name: {_text(own.name)}",
        *((f"    aliases: [{', '.join(map(_text, own.aliases))}]",) if own.aliases else ()),
        f"    hashtags: [{_text('#' + own.tag)}]",
        "    # Where the name means something else too: beside one of `require`, and not in one of `exclude`.",
        "    #require: [words, beside, it]",
        "    #exclude: [phrases that mean, something else]",
        "    # Accounts of your own, as they are addressed (handles) and as authors (accounts):",
        "    #handles: ['@yourbrand']",
        "    #accounts: ['bluesky:yourbrand.example']",
        "",
        "sources:",
        "  - id: bluesky                     # all public posts as they are written; no account",
        "    kind: bluesky",
        *((f"    hosts: [{', '.join(map(_text, asked.jetstream))}]",) if asked.jetstream else ()),
        *((f"    api: {_text(asked.appview)}",) if asked.appview else ()),
    ]
    for one in listened(asked):
        lines += [
            f"  - id: {one.id}{_NOTES.get(one.id, '')}",
            "    kind: feeds",
            f"    network: {one.network}",
            "    urls:",
            *(f"      - {_text(url)}" for url in one.urls),
            *(("    private_addresses: true",) if one.private else ()),
        ]
    lines += [
        "",
        "people: []                          # who is told by mail: see docs/quickstart.md",
        "#people:",
        "#  - {id: ana, name: Ana Example, email: ana@example.org, language: en, operations: true}",
    ]
    return "\n".join(lines) + "\n"


_NOTES = {
    "reddit-search": "               # a look at Reddit's public search; with an app of yours: kind reddit",
    "mastodon-tag": "                # one server's hashtag; more servers, edits and deletes: kind mastodon",
}


def hosts(asked: Asked) -> list[str]:
    """Whom the searches and feeds ask: the third parties that learn the brand's name."""
    return list(dict.fromkeys(urlsplit(url).hostname or "" for one in listened(asked) for url in one.urls))


def _id(name: str) -> str:
    """Letters of other scripts leave nothing: then it is called brand."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "brand"


def _filled(template: str, own: Named, language: Language) -> str:
    words = {
        "phrase": quote(f'"{own.name}"', safe=""),
        "tag": quote(own.tag, safe=""),
        "lang": language,
        "country": COUNTRIES[language],
    }
    return re.sub(r"\{(phrase|tag|lang|country)\}", lambda found: words[found[1]], template)


def _is_private(url: str) -> bool:
    """A feed whose address the person gave as one of this machine or network."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"


def _text(words: str) -> str:
    """A scalar in double quotes: JSON's are YAML's."""
    return json.dumps(words, ensure_ascii=False)
